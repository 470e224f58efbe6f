#include <gtest/gtest.h>

#include "codegen/arena.h"
#include "codegen/files.h"
#include "codegen/program.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::codegen {
namespace {

TEST(Arena, BuffersThatLiveAtTheSameTimeDoNotOverlap) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < 30; ++i)
    buffers.push_back({.name = {}, .bytes = 7 + i * 37 % 100, .first = i, .last = i + 1 + i % 4});
  const std::int64_t size = PlaceBuffers(buffers);
  EXPECT_GE(size, LowerBound(buffers));
  for (const Buffer& a : buffers) {
    EXPECT_EQ(a.offset % kArenaAlignment, 0);
    EXPECT_LE(a.offset + a.bytes, size);
    for (const Buffer& b : buffers) {
      const bool apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
      EXPECT_TRUE(&a == &b || !a.Overlaps(b) || apart);
    }
  }
}

TEST(Arena, AChainNeedsItsTwoLargestNeighbours) {
  std::vector<Buffer> chain = {{.name = {}, .bytes = 64, .first = 0, .last = 1},
                               {.name = {}, .bytes = 128, .first = 1, .last = 2},
                               {.name = {}, .bytes = 32, .first = 2, .last = 3}};
  EXPECT_EQ(PlaceBuffers(chain), 192);
  EXPECT_EQ(LowerBound(chain), 192);
}

TEST(CName, GivesANameThatCTakes) {
  EXPECT_EQ(CName("conv/1:0", "x"), "conv_1_0");
  EXPECT_EQ(CName("3d", "x"), "_3d");
  EXPECT_EQ(CName("int", "x"), "int_");
  EXPECT_EQ(CName("***", "x"), "x");
  EXPECT_EQ(CommentText("a*/b"), "a__b");
}

TEST(CName, KeepsParametersApartFromWhatTheFileMakes) {
  for (const char* name : {"weights_12", "weights", "operand1_3", "ath_conv_i8", "int8_t",
                           "uint_fast16_t", "NULL", "INT8_MAX", "MODEL_X_BYTES", "MODEL_H_"}) {
    EXPECT_EQ(ParameterName(name, "x"), std::string(name) + "_");
  }
  for (const char* name : {"x_t", "weights_", "weights_a", "input_1", "int", "bias1"})
    EXPECT_EQ(ParameterName(name, "x"), CName(name, "x"));
}

Result<Program> Generated(std::string_view text, Options options = {}) {
  ATH_TRY(Graph graph, ParseText(text, ops::Standard()));
  return Generate(std::move(graph), options);
}

TEST(Generate, SaysOnceWhatIsTheSameOfManyNodes) {
  const Status status = Generated(R"(graph g(x: f32[1, 4]) -> (c) {
  %a = Erf(%x)
  %b = Tanh(%a)
  %c = Erf(%b)
})")
                            .status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(status.message().starts_with("3 of 3 operators compute on real numbers"))
      << status.ToString();
  EXPECT_NE(status.fix().find("--arithmetic fixed31"), std::string::npos);
  ASSERT_EQ(status.others().size(), 1U) << status.ToString();
  EXPECT_TRUE(
      status.others()[0].message().starts_with("there is no C99 form of Erf (2 nodes), Tanh, some"))
      << status.ToString();
}

TEST(Generate, RefusesAnOutputThatReadsNothing) {
  const Status status = Generated(R"(graph g(x: f32[1, 4]) -> (y, r) {
  %y = Tanh(%x)
  %r = RandomUniform() {shape = [1, 4]}
})")
                            .status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported) << status.ToString();
  EXPECT_NE(status.ToString().find("RandomUniform"), std::string::npos) << status.ToString();
}

// A network of i8 that only moves data: what is generated are names and copies.
TEST(Generate, GivesEveryEdgeItsOwnName) {
  const Result<Program> program = Generated(R"(graph g(x: i8[1, 2], X: i8[1, 2], X_2: i8[1, 2],
    weights_1: i8[1, 2], weights: i8[1, 2]) -> (a = %a, A = %b, c = %c, d = %d, e = %e) {
  const %s: i64[1] = [2]
  %a = Reshape(%x, %s)
  %b = Reshape(%X, %s)
  %c = Reshape(%X_2, %s)
  %d = Reshape(%weights_1, %s)
  %e = Reshape(%weights, %s)
})");
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  EXPECT_NE(program->files[0].text.find(
                "(const int8_t* x, const int8_t* X_2, const int8_t* X_2_2, const int8_t* "
                "weights_1_, const int8_t* weights_, int8_t* a, int8_t* A_2, int8_t* c, "
                "int8_t* d, int8_t* e)"),
            std::string::npos)
      << program->files[0].text;
}

TEST(Generate, RefusesANameThatIsNotOne) {
  Options options;
  options.name = "a b";
  EXPECT_EQ(Generated("graph g(x: f32[1]) -> (y) { %y = Tanh(%x) }", options).status().code(),
            ErrorCode::kUsage);
}

}  // namespace
}  // namespace athanor::codegen
