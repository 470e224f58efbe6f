#include "frontends/answer_for_test.h"
#include "frontends/coreml/files_for_test.h"
#include "frontends/coreml/import.h"
#include "frontends/coreml/program.h"

namespace athanor::coreml {
namespace {

using Floats = std::vector<float>;
using Parameters = std::vector<std::pair<std::string, std::string>>;

constexpr std::int64_t kMilInt8 = 21, kMilUint8 = 31, kMilUint32 = 33, kMilUint2 = 36,
                       kMilUint1 = 37;

std::string Flat(std::int64_t type, const std::vector<std::int64_t>& dims,
                 const std::vector<int>& bytes) {
  return MilBytes(type, dims, std::string(bytes.begin(), bytes.end()));
}
std::string ShapeOf(const std::vector<std::uint32_t>& sizes) {
  return MilBytes(kMilUint32, {static_cast<std::int64_t>(sizes.size())},
                  std::string(reinterpret_cast<const char*>(sizes.data()), 4 * sizes.size()));
}
std::string Whole(std::int64_t value) {
  return Part(2, MilType(kMilInt32, {})) + Part(3, Part(1, Part(2, Numbers(1, {value}))));
}

// iOS 16 has the parameters as attributes, iOS 18 as inputs.
std::string Attributed(const std::string& type, const Parameters& parameters) {
  std::string operation = Part(1, type) + Part(3, Part(1, "w"));
  for (const auto& [key, value] : parameters) operation += Part(5, Part(1, key) + Part(2, value));
  return operation;
}
std::string Given(const std::string& type, const Parameters& parameters,
                  const std::vector<std::string>& outputs = {"w"}) {
  std::string operation = Part(1, type);
  for (const auto& [key, value] : parameters)
    operation += Part(2, Part(1, key) + Part(2, Part(1, Part(2, value))));
  for (const std::string& output : outputs) operation += Part(3, Part(1, output));
  return operation;
}

// The graph of x + w, where operations make w.
Result<Graph> Sum(const std::vector<std::string>& operations, std::vector<std::int64_t> dims) {
  ProgramMaker m;
  m.input = std::move(dims);
  m.operations = operations;
  m.operations.push_back(MilOperation("add", {{"x", "x"}, {"y", "w"}}, "y"));
  const auto owned = std::make_shared<std::string>(m.Bytes());
  return Import({reinterpret_cast<const std::uint8_t*>(owned->data()), owned->size()}, owned);
}
Floats Weights(const std::vector<std::string>& operations, const Dims& dims) {
  std::size_t count = 1;
  for (const std::int64_t size : dims) count *= static_cast<std::size_t>(size);
  return Answer(Sum(operations, dims), dims, Floats(count, 0));
}

TEST(CoremlWeights, ScaleAndZeroPointForEachPlaceOfAnAxis) {
  const std::string made =
      Attributed("constexpr_affine_dequantize",
                 {{"quantized_data", Flat(kMilInt8, {2, 3}, {1, -2, 3, 127, -128, 0})},
                  {"zero_point", Flat(kMilInt8, {2}, {1, -1})},
                  {"scale", MilFloats({2}, {0.5F, 2})},
                  {"axis", Whole(-2)}});
  EXPECT_EQ(Weights({made}, {2, 3}), (Floats{0, -1.5F, 1, 256, -254, 2}));
}

// The example of the definition: five places of two bits in a byte and its lowest bits.
TEST(CoremlWeights, PlacesFollowEachOtherFromTheLowestBit) {
  const std::string made =
      Attributed("constexpr_lut_to_dense", {{"indices", Flat(kMilUint8, {2}, {0b01101100, 0b11})},
                                            {"lut", MilFloats({4}, {10, 11, 12, 13})},
                                            {"shape", ShapeOf({5})}});
  EXPECT_EQ(Weights({made}, {5}), (Floats{10, 13, 12, 11, 13}));
}

TEST(CoremlWeights, MasksKeepPlaces) {
  const std::string made =
      Attributed("constexpr_sparse_to_dense", {{"nonzero_data", MilFloats({2}, {7, 8})},
                                               {"mask", Flat(kMilUint8, {1}, {0b00110})},
                                               {"shape", ShapeOf({5})}});
  EXPECT_EQ(Weights({made}, {5}), (Floats{0, 7, 8, 0, 0}));
}

// The example of the definition: the upper half of the rows has a table, and the lower one.
TEST(CoremlWeights, GroupsHaveTables) {
  const std::string made =
      Given("constexpr_lut_to_dense",
            {{"indices", Flat(kMilUint2, {6, 2}, {0b00111110, 0b00110001, 0b11000110})},
             {"lut", MilFloats({2, 1, 4, 1}, {1, 5, 9, 13, 2, 10, 18, 26})}});
  EXPECT_EQ(Weights({made}, {6, 2}), (Floats{9, 13, 13, 1, 5, 1, 26, 2, 18, 10, 2, 26}));
}

// The example of the definition, along both axes.
TEST(CoremlWeights, VectorsLieAlongTheirAxis) {
  const auto made = [](std::int64_t axis) {
    return Given("constexpr_lut_to_dense", {{"indices", Flat(kMilUint1, {2, 2, 2}, {0b00110100})},
                                            {"lut", MilFloats({1, 1, 1, 2, 3}, {1, 2, 3, 4, 5, 6})},
                                            {"vector_axis", Whole(axis)}});
  };
  EXPECT_EQ(Weights({made(1)}, {2, 6, 2}),
            (Floats{1, 1, 2, 2, 3, 3, 4, 1, 5, 2, 6, 3, 4, 4, 5, 5, 6, 6, 1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(Weights({made(-1)}, {2, 2, 6}),
            (Floats{1, 2, 3, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 4, 5, 6, 1, 2, 3, 1, 2, 3}));
}

// The definition's example of a sparse table of vectors: what it keeps comes in the order of the
// dense result, not vector by vector.
TEST(CoremlWeights, SparseVectorsBecomeDense) {
  const std::string table = Given("constexpr_lut_to_sparse",
                                  {{"indices_mask", Flat(kMilUint1, {2, 3}, {0b101011})},
                                   {"indices_nonzero_data", Flat(kMilUint1, {4}, {0b0110})},
                                   {"lut", MilFloats({1, 1, 2, 2}, {2, 3, 4, 5})},
                                   {"vector_axis", Whole(0)}},
                                  {"mask", "kept"});
  const std::string dense =
      MilOperation("constexpr_sparse_to_dense", {{"mask", "mask"}, {"nonzero_data", "kept"}}, "w");
  EXPECT_EQ(Weights({table, dense}, {4, 3}), (Floats{2, 4, 0, 3, 5, 0, 4, 0, 2, 5, 0, 3}));
}

// 0.5 is half of 1, which goes to the even 0; 300 is beyond; the second row has another scale.
TEST(CoremlWeights, ActivationsOnBytesKeepTheirPairs) {
  const std::string parameters[] = {MilConstant("s", MilFloats({2}, {1, 0.5F})),
                                    MilConstant("z", Flat(kMilInt8, {2}, {3, -4})),
                                    MilConstant("a", Whole(-2)), MilConstant("t", MilText("int8"))};
  std::vector<std::string> operations(std::begin(parameters), std::end(parameters));
  operations.push_back(MilOperation(
      "quantize",
      {{"input", "x"}, {"scale", "s"}, {"zero_point", "z"}, {"axis", "a"}, {"output_dtype", "t"}},
      "q", MilType(kMilInt8, {2, 3})));
  operations.push_back(MilOperation(
      "dequantize", {{"input", "q"}, {"scale", "s"}, {"zero_point", "z"}, {"axis", "a"}}, "y"));
  ProgramMaker m;
  m.input = {2, 3};
  m.operations = operations;
  const auto owned = std::make_shared<std::string>(m.Bytes());
  const auto graph =
      Import({reinterpret_cast<const std::uint8_t*>(owned->data()), owned->size()}, owned);
  EXPECT_EQ(Answer(graph, {2, 3}, {0.5F, 1.6F, 300, 0.4F, -100, 1.25F}),
            (Floats{0, 2, 124, 0.5F, -62, 1}));
}

struct WeightMistake {
  std::string expected, operation;
};

TEST(CoremlWeights, WhatDoesNotFitIsRefused) {
  const std::string two = MilFloats({2}, {1, 2});
  const WeightMistake mistakes[] = {
      {"3 scale for 2 places", Attributed("constexpr_affine_dequantize",
                                          {{"quantized_data", Flat(kMilInt8, {2, 1}, {1, 2})},
                                           {"zero_point", Flat(kMilInt8, {}, {1})},
                                           {"scale", MilFloats({3}, {1, 2, 3})},
                                           {"axis", Whole(0)}})},
      {"5 numbers of 1 bits in 2 bytes",
       Attributed(
           "constexpr_lut_to_dense",
           {{"indices", Flat(kMilUint8, {2}, {1, 1})}, {"lut", two}, {"shape", ShapeOf({5})}})},
      {"1 numbers of 1 bits in 0 bytes",
       Attributed("constexpr_lut_to_dense",
                  {{"indices", Flat(kMilUint8, {0}, {})}, {"lut", two}, {"shape", ShapeOf({1})}})},
      {"a table of [3]",
       Attributed("constexpr_lut_to_dense", {{"indices", Flat(kMilUint8, {1}, {1})},
                                             {"lut", MilFloats({3}, {1, 2, 3})},
                                             {"shape", ShapeOf({1})}})},
      {"place 3 in a table of 2",
       Given("constexpr_lut_to_dense",
             {{"indices", Flat(kMilUint2, {1}, {3})}, {"lut", MilFloats({1, 2, 1}, {1, 2})}})},
      {"it lacks vector_axis",
       Given("constexpr_lut_to_dense", {{"indices", Flat(kMilUint1, {1}, {1})},
                                        {"lut", MilFloats({1, 2, 2}, {1, 2, 3, 4})}})},
      {"[3] in blocks of [2]", Given("constexpr_blockwise_shift_scale",
                                     {{"data", Flat(kMilInt8, {3}, {1, 2, 3})}, {"scale", two}})},
      {"[3] in blocks of [0]",
       Given("constexpr_blockwise_shift_scale",
             {{"data", Flat(kMilInt8, {3}, {1, 2, 3})}, {"scale", MilFloats({0}, {})}})},
      {"2 values where a mask keeps 1",
       Given("constexpr_sparse_to_dense",
             {{"nonzero_data", two}, {"mask", Flat(kMilUint1, {2}, {1})}})},
      {"a cast of f32 to fp32",
       Given("constexpr_cast", {{"source_val", two}, {"output_dtype", MilText("fp32")}})},
  };
  for (const WeightMistake& mistake : mistakes) {
    const auto graph = Sum({mistake.operation}, {2});
    ASSERT_FALSE(graph.ok()) << mistake.expected;
    EXPECT_NE(graph.status().ToString().find(mistake.expected), std::string::npos)
        << graph.status().ToString();
  }
}

TEST(CoremlWeights, ASmallFileTakesLittleMemory) {
  EXPECT_EQ(FromPackedBits({}, 8, std::int64_t{1} << 61).status().code(), ErrorCode::kInvalidModel);
  ProgramConstants constants("", 1000);
  EXPECT_TRUE(constants.Allocate(DType::kF32, {16 << 20}).ok());
  EXPECT_EQ(constants.Allocate(DType::kF32, {1 << 20}).status().code(), ErrorCode::kResource);
}

}  // namespace
}  // namespace athanor::coreml
