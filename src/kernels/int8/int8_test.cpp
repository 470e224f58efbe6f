#include "kernels/int8/int8.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/check_kernels.h"
#include "kernels/int8/lookup.h"
#include "kernels/int8/requant.h"
#include "kernels/layout.h"
#include "kernels/list.h"
#include "ops/catalog.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

// Bytes from a small generator, the same for the same seed.
Tensor RandomBytes(DType dtype, Dims dims, unsigned seed) {
  Tensor tensor = *Tensor::Allocate(dtype, std::move(dims));
  auto* bytes = static_cast<std::uint8_t*>(tensor.mutable_raw());
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (std::int64_t i = 0; i < tensor.count(); ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    bytes[i] = static_cast<std::uint8_t>(state >> 56);
    // Symmetric weights.
    if (dtype == DType::kI8 && bytes[i] == 0x80) bytes[i] = 0x81;
  }
  return tensor;
}

Tensor RandomBias(std::int64_t channels) {
  std::vector<std::int32_t> values;
  for (std::int64_t i = 0; i < channels; ++i)
    values.push_back(static_cast<std::int32_t>((i * 7919) % 4001 - 2000));
  return Tensor::FromVector<std::int32_t>({channels}, values);
}

// Pieces of all kinds, as large as they may be, for results from 20 to 240.
Tensor RandomCurve(std::uint8_t flip) {
  const Tensor bytes = RandomBytes(DType::kU8, {256}, 6);
  const auto* random = static_cast<const std::uint8_t*>(bytes.raw());
  std::vector<std::int32_t> operand;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::int32_t base = random[2 * i] * 80 - 4000, rise = random[2 * i + 1] * 90 - 11000;
    operand.push_back(static_cast<std::int32_t>(static_cast<std::uint32_t>(rise) << 16) |
                      (base & 0xFFFF));
  }
  operand.insert(operand.end(), {-5 * 1024, 20, 240, flip});
  return Tensor::FromVector<std::int32_t>({std::ssize(operand)}, operand);
}

// What may follow on bytes.
std::vector<std::vector<Tensor>> NoTableOrTwo() {
  return {{}, {RandomBytes(DType::kU8, {256}, 8), RandomBytes(DType::kU8, {256}, 9)}};
}

QuantPort Port(DType dtype, float scale, std::int64_t zero) { return {dtype, {scale}, {zero}}; }

// Scales that are powers of two, so that no product or sum of the reference is
// rounded: the integers must be equal. One per channel.
QuantPort PerChannel(std::int64_t channels, float middle, std::int64_t axis) {
  QuantPort port = {.dtype = DType::kI8, .axis = axis};
  for (std::int64_t i = 0; i < channels; ++i) {
    port.scales.push_back(std::ldexp(middle, static_cast<int>(i % 3)));
    port.zeros.push_back(0);
  }
  return port;
}

QuantPort BiasPort(const QuantPort& x, const QuantPort& w) {
  QuantPort port = {.dtype = DType::kI32,
                    .scales = w.scales,
                    .zeros = std::vector<std::int64_t>(w.scales.size(), 0)};
  for (float& scale : port.scales) scale *= x.scales[0];
  return port;
}

struct ConvCase {
  Dims x, w;
  Ints pads = {}, strides = {}, dilations = {};
  std::int64_t group = 1;
  std::string arithmetic = "float";
  std::optional<std::int64_t> weight_zero = {};  // of u8 weights with one scale
  std::optional<std::int64_t> data_zero = {};
};

constexpr float kDataScale = 1.0F / 64, kWeightScale = 1.0F / 128;

// A power of two that spreads sums of so many products over the output's range.
float OutputScale(std::int64_t products) {
  return std::exp2(std::round(std::log2(0.03F * std::sqrt(static_cast<float>(products)))));
}

void CheckConv(const ConvCase& c, DType type = DType::kU8, bool bias = true) {
  AttrMap map;
  if (!c.pads.empty()) map.Set("pads", c.pads);
  if (!c.strides.empty()) map.Set("strides", c.strides);
  if (!c.dilations.empty()) map.Set("dilations", c.dilations);
  map.Set("group", c.group);
  const bool is_signed = type == DType::kI8;
  const QuantPort x = Port(type, kDataScale, c.data_zero.value_or(is_signed ? -7 : 121)),
                  w = c.weight_zero ? Port(DType::kU8, kWeightScale, *c.weight_zero)
                                    : PerChannel(c.w[0], kWeightScale, 0);
  const std::int64_t products = c.w[1] * c.w[2] * (c.w.size() > 3 ? c.w[3] : 1);
  const auto check = [&](const QuantSpec& spec, const std::vector<Tensor>& tables) {
    AttrMap attributes = map;
    WriteQuantSpec(spec, attributes);
    EXPECT_GE(CheckKernels({.op = "Conv",
                            .inputs = {RandomBytes(type, c.x, 1), RandomBytes(w.dtype, c.w, 2),
                                       bias ? RandomBias(c.w[0]) : Tensor()},
                            .constant = {false, true, true},
                            .attributes = attributes,
                            .tables = tables}),
              1)
        << ToString(c.x) << ToString(c.w);
  };
  QuantSpec spec = {.arithmetic = c.arithmetic,
                    .inputs = {x, w, bias ? BiasPort(x, w) : QuantPort()},
                    .outputs = {Port(type, OutputScale(products), is_signed ? -100 : 30)},
                    .clamp = QuantSpec::Clamp{is_signed ? -100 : 30, is_signed ? 120 : 250}};
  for (const std::vector<Tensor>& tables : NoTableOrTwo()) check(spec, tables);
  if (spec.fixed31()) return;
  spec.outputs = {QuantPort()};
  spec.clamp.reset();
  check(spec, {RandomCurve(is_signed ? 128 : 0)});
  check(spec, {RandomCurve(0), RandomBytes(DType::kU8, {256}, 8)});
}

TEST(Int8Conv, AgreesWithTheReferenceForPointwise) {
  CheckConv({{1, 3, 5, 7}, {4, 3, 1, 1}});
  CheckConv({{2, 17, 6, 6}, {33, 17, 1, 1}}, DType::kI8);
  CheckConv({{1, 8, 9, 9}, {5, 8, 1, 1}, {}, {2, 2}}, DType::kU8, false);
  CheckConv({{1, 300, 7, 7}, {40, 300, 1, 1}});
}

TEST(Int8Conv, AgreesWithTheReferenceForEveryWidth) {
  for (std::int64_t width = 1; width <= 36; ++width)
    CheckConv({{1, 5, 3, width}, {3, 5, 3, 3}, {1, 1, 1, 1}});
}

TEST(Int8Conv, AgreesWithTheReferenceForStridesDilationsAndPads) {
  CheckConv({{1, 3, 31, 29}, {8, 3, 7, 7}, {3, 3, 3, 3}, {2, 2}});
  CheckConv({{1, 3, 31, 30}, {8, 3, 3, 3}, {0, 0, 1, 1}, {2, 2}}, DType::kI8);
  CheckConv({{1, 4, 20, 20}, {6, 4, 3, 3}, {2, 0, 1, 3}, {1, 2}});
  CheckConv({{1, 4, 20, 20}, {6, 4, 3, 3}, {2, 2, 2, 2}, {1, 1}, {2, 2}});
  CheckConv({{1, 4, 20, 20}, {6, 4, 3, 3}, {2, 2, 2, 2}, {3, 2}, {2, 3}});
  CheckConv({{1, 2, 12, 40}, {6, 2, 1, 7}, {0, 3, 0, 3}});
  CheckConv({{1, 2, 3, 3}, {6, 2, 5, 5}, {6, 6, 6, 6}});
}

TEST(Int8Conv, AgreesWithTheReferenceForGroupsBatchesAndOneDimension) {
  CheckConv({{2, 8, 9, 9}, {12, 2, 3, 3}, {1, 1, 1, 1}, {}, {}, 4});
  CheckConv({{3, 10, 5, 5}, {6, 5, 3, 3}, {1, 1, 1, 1}, {2, 2}, {}, 2}, DType::kI8);
  CheckConv({{2, 6, 50}, {9, 6, 5}, {2, 2}, {2}});
}

TEST(Int8Conv, AgreesWithTheReferenceForDepthwise) {
  for (const std::int64_t kernel : {1, 2, 3, 5, 7}) {
    for (const std::int64_t stride : {1, 2, 3}) {
      for (const std::int64_t size : {7, 16, 35}) {
        const std::int64_t pad = kernel / 2;
        CheckConv({{2, 5, size, size},
                   {5, 1, kernel, kernel},
                   {pad, pad, pad, pad},
                   {stride, stride},
                   {},
                   5},
                  size == 16 ? DType::kI8 : DType::kU8);
      }
    }
  }
  CheckConv({{1, 4, 20, 20}, {4, 1, 3, 3}, {2, 2, 2, 2}, {1, 1}, {2, 2}, 4});
  CheckConv({{1, 4, 20, 20}, {8, 1, 3, 5}, {0, 3, 1, 0}, {2, 1}, {1, 2}, 4});
}

// Shapes from a small generator: sizes around those of vectors, blocks and tiles.
TEST(Int8Conv, AgreesWithTheReferenceForRandomShapes) {
  std::uint64_t state = 7;
  const auto pick = [&state](std::int64_t low, std::int64_t high) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return low +
           static_cast<std::int64_t>((state >> 33) % static_cast<std::uint64_t>(high - low + 1));
  };
  for (int i = 0; i < 120; ++i) {
    const std::int64_t kh = pick(1, 5), kw = pick(1, 5), in = pick(1, 40), out = pick(1, 40);
    const bool depthwise = i % 3 == 0;
    ConvCase c = {{pick(1, 2), depthwise ? out : in, pick(kh, 17), pick(kw, 30)},
                  {out, depthwise ? 1 : in, kh, kw},
                  {pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)},
                  {pick(1, 3), pick(1, 3)}};
    if (depthwise) c.group = out;
    if (i % 5 == 0 && c.x[2] > 2 * kh && c.x[3] > 2 * kw) c.dilations = {2, 2};
    if (i % 4 == 1) c.weight_zero = pick(0, 255);
    if (i % 2 == 1) c.arithmetic = "fixed31";
    CheckConv(c, i % 7 < 3 ? DType::kI8 : DType::kU8, i % 6 != 0);
  }
}

// Where the lowest integer stands for 0, rows of a window in the padding are left out.
TEST(Int8Conv, AgreesWithTheReferenceWherePaddingAddsNothing) {
  for (const DType type : {DType::kU8, DType::kI8}) {
    const std::int64_t zero = type == DType::kI8 ? -128 : 0;
    CheckConv({.x = {1, 35, 7, 7}, .w = {33, 35, 3, 3}, .pads = {1, 1, 1, 1}, .data_zero = zero},
              type);
    CheckConv({.x = {2, 20, 8, 9},
               .w = {17, 20, 3, 3},
               .pads = {1, 1, 1, 1},
               .strides = {2, 2},
               .data_zero = zero},
              type);
    // Windows of nothing but padding.
    CheckConv({.x = {1, 2, 3, 3}, .w = {6, 2, 5, 5}, .pads = {6, 6, 6, 6}, .data_zero = zero},
              type);
    CheckConv({.x = {1, 3, 12, 11}, .w = {8, 3, 7, 7}, .pads = {3, 3, 3, 3}, .data_zero = zero},
              type);
    CheckConv({.x = {1, 6, 9, 9}, .w = {5, 6, 3, 1}, .pads = {1, 0, 1, 0}, .data_zero = zero},
              type);
  }
}

// So are columns, of the first and the last window of a row, where there are channels enough.
TEST(Int8Conv, AgreesWithTheReferenceWhereColumnsArePadding) {
  for (const DType type : {DType::kU8, DType::kI8}) {
    const std::int64_t zero = type == DType::kI8 ? -128 : 0;
    const auto check = [&](ConvCase c) {
      c.data_zero = zero;
      CheckConv(c, type);
      c.arithmetic = "fixed31";
      CheckConv(c, type);
    };
    check({.x = {2, 70, 7, 7}, .w = {33, 70, 3, 3}, .pads = {1, 1, 1, 1}});
    check({.x = {1, 64, 3, 25}, .w = {17, 64, 3, 3}, .pads = {1, 1, 1, 1}});
    check({.x = {1, 65, 14, 14}, .w = {40, 65, 3, 3}, .pads = {1, 1, 1, 1}, .strides = {2, 2}});
    check({.x = {1, 64, 5, 1}, .w = {5, 64, 3, 3}, .pads = {1, 1, 1, 1}});
    check({.x = {1, 64, 4, 9}, .w = {5, 64, 1, 2}, .pads = {0, 1, 0, 1}});
    check({.x = {1, 66, 6, 13}, .w = {20, 66, 5, 5}, .pads = {2, 3, 2, 2}});
    check({.x = {1, 66, 6, 8},
           .w = {20, 66, 3, 3},
           .pads = {2, 2, 2, 2},
           .strides = {1, 1},
           .dilations = {2, 2}});
    // Rows of nothing but padding beside whole ones.
    check({.x = {1, 64, 2, 2}, .w = {4, 64, 2, 2}, .pads = {3, 3, 3, 3}});
  }
}

// Windows of 3 by 3 have kernels with fewer products: tiles that leave the picture on every side,
// blocks that are not full, both sides of each number of blocks.
TEST(Int8Winograd, GivesTheIntegersOfTheDefinition) {
  std::uint64_t state = 11;
  const auto pick = [&state](std::int64_t low, std::int64_t high) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return low +
           static_cast<std::int64_t>((state >> 33) % static_cast<std::uint64_t>(high - low + 1));
  };
  for (int i = 0; i < 24; ++i) {
    const std::int64_t in = pick(1, 70), out = pick(1, 40);
    ConvCase c = {.x = {pick(1, 3), in, pick(3, 18), pick(3, 18)},
                  .w = {out, in, 3, 3},
                  .pads = {pick(0, 3), pick(0, 3), pick(0, 3), pick(0, 3)}};
    if (i % 4 == 1) c.weight_zero = pick(0, 255);
    if (i % 3 == 1) c.arithmetic = "fixed31";
    if (i % 5 == 2) c.data_zero = i % 2 == 0 ? 0 : -128;
    CheckConv(c, i % 2 == 0 ? DType::kU8 : DType::kI8, i % 6 != 0);
  }
  CheckConv({.x = {1, 130, 9, 10}, .w = {35, 130, 3, 3}, .pads = {1, 1, 1, 1}});
}

// Sums of `in` channels as large as bytes make them, on a channel of +127 and one of -127.
std::vector<std::string> LargestSums(std::int64_t in) {
  std::vector<std::int8_t> w(static_cast<std::size_t>(2 * in * 9), 127);
  std::fill(w.begin() + in * 9, w.end(), std::int8_t{-127});
  const std::vector<std::uint8_t> x(static_cast<std::size_t>(in * 64), 255);
  const Tensor weights = Tensor::FromVector<std::int8_t>({2, in, 3, 3}, w);
  AttrMap map = {{"pads", Ints{1, 1, 1, 1}}, {"group", std::int64_t{1}}};
  const QuantSpec spec = {
      .inputs = {Port(DType::kU8, kDataScale, 0), Port(DType::kI8, kWeightScale, 0)},
      .outputs = {Port(DType::kU8, 64, 128)}};
  WriteQuantSpec(spec, map);
  EXPECT_GE(CheckKernels({.op = "Conv",
                          .inputs = {Tensor::FromVector<std::uint8_t>({1, in, 8, 8}, x), weights},
                          .constant = {false, true},
                          .attributes = map}),
            1);
  const KernelQuery query = {
      .op = ops::Standard().Find("Conv"),
      .attributes = &map,
      .in = {{.dtype = DType::kU8, .dims = {1, in, 8, 8}, .block = BlockOf(BestIsa())},
             {.dtype = DType::kI8, .dims = weights.dims(), .constant = &weights}},
      .own_inputs = 2,
      .out = {{.dtype = DType::kU8, .dims = {1, 2, 8, 8}, .block = BlockOf(BestIsa())}},
      .quant = &spec};
  std::vector<std::string> fitting;
  for (const Candidate& candidate : Candidates(query, BestIsa())) {
    if (candidate.fit.yes()) fitting.push_back(candidate.def->name);
  }
  return fitting;
}

// 255 * 127 * 9 * 115 just fits 26 bits with its sign, which tiles of 4 by 4 leave of 32.
TEST(Int8Winograd, LeavesLargerSumsToSmallerTiles) {
  const auto has = [](const std::vector<std::string>& names, std::string_view part) {
    return std::any_of(names.begin(), names.end(), [part](const std::string& name) {
      return name.find(part) != std::string::npos;
    });
  };
  EXPECT_TRUE(has(LargestSums(115), "winograd4"));
  const std::vector<std::string> more = LargestSums(116);
  EXPECT_FALSE(has(more, "winograd4"));
  EXPECT_TRUE(has(more, "winograd2"));
}

// Windows of up to four pixels' width whose rows are not staged: strides, dilated rows, padding of
// all widths, results of fewer than four columns, weights of more than eight bits.
TEST(Int8Conv, AgreesWithTheReferenceForDepthwiseInPlace) {
  for (const std::int64_t width : {2, 3, 4}) {
    for (const std::int64_t size : {4, 7, 12, 29}) {
      for (const std::int64_t pad : {0, 1, 3, 5}) {
        ConvCase c = {.x = {1, 19, 6, size},
                      .w = {19, 1, 3, width},
                      .pads = {1, pad, 2, 5 - pad},
                      .strides = {2, pad % 2 + 1},
                      .group = 19};
        if (size == 12) c.arithmetic = "fixed31";
        if (size == 7) c.weight_zero = 0;
        CheckConv(c, pad % 3 == 0 ? DType::kI8 : DType::kU8);
      }
    }
  }
  CheckConv({{2, 33, 9, 9}, {33, 1, 4, 4}, {1, 2, 2, 1}, {}, {}, 33});
  CheckConv({{1, 16, 12, 9}, {16, 1, 3, 3}, {2, 1, 2, 1}, {1, 1}, {2, 1}, 16});
}

// The published MobileNets of unsigned bytes: every weight has the same zero point.
// The least and the most memory that convolutions of one pixel stage 1024 channels of a square
// picture in, for one thread.
std::pair<std::int64_t, std::int64_t> Staged(std::int64_t size) {
  const Tensor w = RandomBytes(DType::kI8, {16, 1024, 1, 1}, 2);
  AttrMap map;
  map.Set("group", std::int64_t{1});
  const QuantSpec spec = {
      .arithmetic = "float",
      .inputs = {Port(DType::kU8, kDataScale, 121), PerChannel(16, kWeightScale, 0)},
      .outputs = {Port(DType::kU8, OutputScale(1024), 30)}};
  const std::int64_t block = BestIsa() == Isa::kAvx512 ? 16 : 8;
  const KernelQuery query = {
      .op = ops::Standard().Find("Conv"),
      .attributes = &map,
      .in = {{.dtype = DType::kU8, .dims = {1, 1024, size, size}, .block = block},
             {.dtype = DType::kI8, .dims = w.dims(), .constant = &w}},
      .own_inputs = 2,
      .out = {{.dtype = DType::kU8, .dims = {1, 16, size, size}, .block = block}},
      .quant = &spec};
  std::pair<std::int64_t, std::int64_t> range = {INT64_MAX, -1};
  PackStore store;
  for (const Candidate& candidate : Candidates(query, BestIsa())) {
    const bool blocked = candidate.def->name.find(".blocked") != std::string::npos;
    if (!candidate.fit.yes() || !blocked) continue;
    const auto prepared = candidate.def->prepare(query.To(*candidate.def), store);
    EXPECT_TRUE(prepared.ok()) << candidate.def->name;
    if (!prepared.ok()) continue;
    range.first = std::min(range.first, prepared->scratch_bytes);
    range.second = std::max(range.second, prepared->scratch_bytes);
  }
  return range;
}

// Offsets of 32 bits wrapped in pictures of more than 4 GiB that were read where they lie.
TEST(Int8Conv, StagesPicturesThatOffsetsDoNotReachAcross) {
  if (!HasIsa(Isa::kAvx2)) GTEST_SKIP() << "no kernels of channels in blocks";
  const auto [least, most] = Staged(2064);
  EXPECT_GT(least, 0);
  EXPECT_LT(most, 64 << 20);
  EXPECT_LE(Staged(2047).first, least);  // just below: in place where there are dot products
}

TEST(Int8Conv, TakesWeightsWithAZeroPoint) {
  for (const std::int64_t zero : {0, 77, 128, 255}) {
    CheckConv({.x = {1, 19, 6, 7}, .w = {21, 19, 3, 3}, .pads = {1, 1, 1, 1}, .weight_zero = zero});
    CheckConv({.x = {1, 11, 6, 7}, .w = {11, 1, 3, 3}, .group = 11, .weight_zero = zero});
    CheckConv({.x = {1, 3, 9, 9}, .w = {8, 3, 3, 3}, .strides = {2, 2}, .weight_zero = zero});
  }
}

void CheckProduct(const char* op, Dims x, Dims w, bool transposed, DType type,
                  bool scalar_bias = false) {
  const std::int64_t axis = transposed ? 0 : 1, n = w[static_cast<std::size_t>(axis)];
  const QuantPort left = Port(type, kDataScale, 3), right = PerChannel(n, kWeightScale, axis);
  const bool gemm = std::string_view(op) == "Gemm";
  QuantSpec spec = {.inputs = {left, right}, .outputs = {Port(type, OutputScale(x.back()), 5)}};
  std::vector<Tensor> inputs = {RandomBytes(type, x, 1), RandomBytes(DType::kI8, w, 2)};
  AttrMap map;
  if (gemm) {
    spec.inputs.push_back(BiasPort(left, right));
    inputs.push_back(scalar_bias ? RandomBias(n).Reshaped({}) : RandomBias(n));
    map.Set("transB", std::int64_t{transposed});
  }
  const auto check = [&](const std::vector<Tensor>& tables) {
    AttrMap attributes = map;
    WriteQuantSpec(spec, attributes);
    EXPECT_GE(CheckKernels({.op = op,
                            .inputs = inputs,
                            .constant = {false, true, true},
                            .attributes = attributes,
                            .tables = tables}),
              scalar_bias ? 0 : 1);
  };
  for (const std::vector<Tensor>& tables : NoTableOrTwo()) check(tables);
  spec.outputs = {QuantPort()};
  check({RandomCurve(type == DType::kI8 ? 128 : 0)});
}

TEST(Int8Gemm, LeavesABiasWithoutDimensionsToTheReference) {
  CheckProduct("Gemm", {3, 64}, {64, 1}, false, DType::kI8, true);
}

TEST(Int8Gemm, AgreesWithTheReference) {
  for (const DType type : {DType::kU8, DType::kI8}) {
    for (const std::int64_t m : {1, 3, 15, 40}) {
      CheckProduct("Gemm", {m, 64}, {64, 33}, false, type);
      CheckProduct("Gemm", {m, 37}, {10, 37}, true, type);
      CheckProduct("MatMul", {m, 9}, {9, 5}, false, type);
      CheckProduct("MatMul", {2, m, 12}, {12, 70}, false, type);
    }
  }
}

// 5 / 4 rounded twice (first to 3 / 2) is 2, rounded once it is 1; halves of negative numbers go
// up.
TEST(Int8Finish, RoundsAsTensorFlowLiteDoes) {
  const std::int32_t offset[] = {0, 0}, half = 1 << 30, shifts[] = {0, -1};
  const std::int32_t mantissas[] = {half, half};
  const std::int32_t sums[32] = {3, -3, 1000, 5, -5};
  for (const bool once : {false, true}) {
    for (std::size_t channel = 0; channel < 2; ++channel) {
      const int8::Requant how = {.offset = offset,
                                 .mantissa = mantissas,
                                 .shift = shifts,
                                 .once = once,
                                 .zero = 10,
                                 .low = 0,
                                 .high = 255};
      std::uint8_t y[5] = {};
      int8::Matrices(int8::Variant::kBase).finish_row(sums, 5, how, channel, y);
      const std::vector<int> expected = channel == 0 ? std::vector<int>{12, 9, 255, 13, 8}
                                        : once       ? std::vector<int>{11, 9, 255, 11, 9}
                                                     : std::vector<int>{11, 9, 255, 12, 9};
      EXPECT_EQ(std::vector<int>(y, y + 5), expected) << once << channel;
    }
  }
}

// Kernels that do the reference's arithmetic step by step give the same
// integers.
void CheckExact(const char* op, std::vector<Tensor> inputs, QuantSpec spec, AttrMap map = {},
                std::vector<bool> constant = {}, double tolerance = 0,
                std::vector<Tensor> tables = {}) {
  WriteQuantSpec(spec, map);
  EXPECT_GE(CheckKernels({.op = op,
                          .inputs = std::move(inputs),
                          .constant = std::move(constant),
                          .attributes = map,
                          .tolerance = tolerance,
                          .tables = std::move(tables)}),
            1)
      << op;
}

TEST(Int8Binary, GivesTheReferencesIntegers) {
  for (const char* op : {"Add", "Sub", "Mul"}) {
    for (const char* arithmetic : {"float", "fixed31"}) {
      for (const std::int64_t n : {1, 15, 16, 100}) {
        CheckExact(
            op,
            {RandomBytes(DType::kU8, {2, 3, 1, n}, 1), RandomBytes(DType::kI8, {2, 3, 1, n}, 2)},
            {.arithmetic = arithmetic,
             .inputs = {Port(DType::kU8, 0.037F, 120), Port(DType::kI8, 0.021F, -5)},
             .outputs = {Port(DType::kU8, 0.05F, 99)},
             .clamp = QuantSpec::Clamp{99, 255}});
      }
    }
  }
}

// All pairs of bytes, with scales whose quotients are halves, are near to halves, or have no
// inverse.
TEST(Int8Binary, RoundsQuotientsAsTheDivisionDoes) {
  std::vector<std::uint8_t> a(1 << 16), b(1 << 16);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<std::uint8_t>(i >> 8);
    b[i] = static_cast<std::uint8_t>(i);
  }
  const Tensor left = Tensor::FromVector<std::uint8_t>({2, 2, 128, 128}, a);
  const Tensor right = Tensor::FromVector<std::uint8_t>({2, 2, 128, 128}, b);
  const float scales[][3] = {{0.5F, 0.5F, 1},          {0.1F, 0.3F, 0.2F},
                             {1.0F / 3, 0.7F, 0.7F},   {3, 5, 7},
                             {1e-38F, 1e-38F, 2e-38F}, {0.0137F, 0.0211F, 0.0274F}};
  for (const char* op : {"Add", "Sub", "Mul"}) {
    for (const auto& [x, y, out] : scales) {
      CheckExact(op, {left, right},
                 {.inputs = {Port(DType::kU8, x, 128), Port(DType::kU8, y, 7)},
                  .outputs = {Port(DType::kU8, out, 100)}});
    }
  }
}

// TensorFlow Lite's means have their own rounding.
TEST(Int8Pool, GivesTheReferencesIntegersInFixedPoint) {
  const QuantPort x = Port(DType::kI8, 0.05F, -3);
  for (const std::int64_t size : {1, 5, 12}) {
    const Tensor bytes = RandomBytes(DType::kI8, {2, 11, size, size + 1}, 1);
    const AttrMap map = {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{1, 0, 0, 1}}};
    for (const char* op : {"AveragePool", "MaxPool"})
      CheckExact(op, {bytes}, {.arithmetic = "fixed31", .inputs = {x}, .outputs = {x}}, map);
    CheckExact("GlobalAveragePool", {bytes},
               {.arithmetic = "fixed31", .inputs = {x}, .outputs = {Port(DType::kI8, 0.03F, 9)}});
  }
}

TEST(Int8Binary, EndsWithTables) {
  for (const std::int64_t n : {1, 63, 5000}) {
    for (const std::vector<Tensor>& tables : NoTableOrTwo()) {
      CheckExact("Add", {RandomBytes(DType::kU8, {n}, 1), RandomBytes(DType::kU8, {n}, 2)},
                 {.inputs = {Port(DType::kU8, 0.037F, 120), Port(DType::kU8, 0.021F, 5)},
                  .outputs = {Port(DType::kU8, 0.05F, 99)}},
                 {}, {}, 0, tables);
    }
  }
}

// Of every length, begin and byte; what lies before and behind stays as it is, and nothing there is
// read.
void CheckLookup(int8::Lookup lookup, const std::string& what) {
  int8::ByteTable table;
  const Tensor results = RandomBytes(DType::kU8, {256}, 5);
  std::memcpy(table.results, results.raw(), 256);
  for (std::size_t i = 0; i < 256; ++i) {
    const int above = i % 128 < 16 ? 0 : table.results[i - 16];
    table.rows[i] = static_cast<std::uint8_t>(table.results[i] ^ above);
  }
  for (std::size_t n = 0; n <= 400; ++n) {
    for (const bool in_place : {false, true}) {
      // No longer than it must be, for sanitizers.
      std::vector<std::uint8_t> x(n + n % 3), y(n + n % 3 + 1, 77), expected = y;
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(i * 151 + n);
      if (in_place) std::copy(x.begin(), x.end(), y.begin());
      if (in_place) expected = y;
      const std::size_t first = n % 3;
      for (std::size_t i = first; i < x.size(); ++i) expected[i] = table.results[x[i]];
      lookup((in_place ? y : x).data() + first, n, table, y.data() + first);
      ASSERT_EQ(y, expected) << what << " of " << n << (in_place ? " in place" : "");
    }
  }
}

TEST(Int8Lookup, LooksUpEveryByteAtEveryLength) {
  const int8::LookupTable* const tables[] = {&int8::base::kLookups, &int8::avx2::kLookups,
                                             &int8::avx512::kLookups};
  for (const Isa isa : AvailableIsas()) {
    const int8::LookupTable& table = *tables[static_cast<std::size_t>(isa)];
    CheckLookup(table.shuffle, fmt::format("shuffle {}", Name(isa)));
    if (int8::LookupOf(isa) == table.permute) CheckLookup(table.permute, "permute");
  }
}

constexpr double kNoCurve = 1e9;

// How much farther from the function than half a step the bytes of a curve are, in steps, at
// numbers of [-reach, reach].
double FarthestFrom(const std::string& op, const QuantPort& port, double (*function)(double),
                    double reach = 300) {
  QuantSpec spec = {.inputs = {{}}, .outputs = {port}};
  AttrMap map;
  WriteQuantSpec(spec, map);
  const KernelQuery q = {.op = ops::Standard().Find(op),
                         .attributes = &map,
                         .in = {{DType::kF32, {1}}},
                         .own_inputs = 1,
                         .out = {{port.dtype, {1}}},
                         .quant = &spec};
  const std::optional<int8::CurveStep> step = int8::CurveOf(q, 0);
  if (!step) return kNoCurve;
  const auto curve = step->operand.Data<std::int32_t>();
  const double lift = port.dtype == DType::kI8 ? 128 : 0;
  double farthest = 0;
  for (int i = -30000; i <= 30000; ++i) {
    const double x = reach * i / 30000;
    const double at = std::clamp(std::nearbyint(x / step->word) + curve[64], -32768.0, 32767.0);
    const auto word = static_cast<std::int32_t>(at);
    const std::int32_t piece = curve[static_cast<std::size_t>((word >> 10) & 63)];
    const std::int32_t base = static_cast<std::int16_t>(piece & 0xFFFF), rise = piece >> 16;
    const std::int32_t byte = (base + ((rise * (word & 1023) + 512) >> 10)) >> 6;
    const double exact = function(x) / port.scales[0] + static_cast<double>(port.zeros[0]) + lift;
    const double off = std::abs(std::clamp(byte, 0, 255) - std::clamp(exact, 0.0, 255.0));
    farthest = std::max(farthest, off - 0.5);
  }
  return farthest;
}

double Swish(double x) { return x / (1 + std::exp(-x)); }

TEST(Int8Curve, IsNearerThanRounding) {
  struct Case {
    const char* op;
    double (*function)(double);
    float low, high;  // of results
    double most;
  };
  const Case cases[] = {
      {"Swish", Swish, -0.28F, 2, 0.1},
      {"Swish", Swish, -0.28F, 8, 0.1},
      {"Swish", Swish, -0.28F, 40, 0.2},
      {"Swish", Swish, -0.28F, 200, 0.3},
      {"HardSwish", [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }, -0.375F, 5,
       0.2},
      {"HardSwish", [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }, -0.375F, 20,
       0.3},
      {"LeakyRelu", [](double x) { return x > 0 ? x : 0.01 * x; }, -0.1F, 6, 0.1},
      {"Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, 0, 1, 0.1},
      {"HardSigmoid", [](double x) { return std::clamp(0.2 * x + 0.5, 0.0, 1.0); }, 0, 1, 0.2},
      {"Tanh", [](double x) { return std::tanh(x); }, -1, 1, 0.1},
      {"Gelu", [](double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2.0))); }, -0.17F, 6,
       0.1},
      {"Elu", [](double x) { return x > 0 ? x : std::expm1(x); }, -1, 9, 0.1},
      {"Mish", [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }, -0.31F, 9, 0.1},
  };
  for (const Case& c : cases) {
    const float scale = (c.high - c.low) / 255;
    const auto zero = static_cast<std::int64_t>(std::lround(-c.low / scale));
    for (const DType type : {DType::kU8, DType::kI8}) {
      const QuantPort port = Port(type, scale, zero - (type == DType::kI8 ? 128 : 0));
      EXPECT_LE(FarthestFrom(c.op, port, c.function), c.most) << c.op << " to " << c.high;
    }
  }
}

// Wherever results still differ there are words for them, or no curve at all.
TEST(Int8Curve, ReachesAsFarAsResultsDiffer) {
  const auto leaky = [](double x) { return x > 0 ? x : 0.01 * x; };
  EXPECT_LE(FarthestFrom("LeakyRelu", Port(DType::kU8, 5e6F, 20), leaky, 2e9), 0.1);
  EXPECT_EQ(FarthestFrom("LeakyRelu", Port(DType::kU8, 1e11F, 20), leaky, 2e9), kNoCurve);
}

TEST(Int8Lookup, TakesNothingButTablesOfAllBytes) {
  const Tensor table = RandomBytes(DType::kU8, {256}, 1),
               shorter = RandomBytes(DType::kU8, {16}, 1);
  KernelQuery q = {.in = {{DType::kU8, {256}, &table}, {DType::kU8, {16}, &shorter}}};
  q.op = ops::Standard().Find("Swish");
  q.epilogue = {int8::AsTableStep(q, 0)};
  EXPECT_TRUE(int8::TakesTables(q).yes());
  q.epilogue = {int8::AsTableStep(q, 1)};
  EXPECT_EQ(int8::TakesTables(q).reason(), "Swish has no table of 256 results");
  q.epilogue = {{.op = "Relu"}};
  EXPECT_EQ(int8::TakesTables(q).reason(), "Relu has no table of 256 results");
}

TEST(Int8Lookup, GivesTheReferencesIntegers) {
  for (const char* op : {"Sigmoid", "HardSwish", "Identity", "LeakyRelu", "Tanh"}) {
    for (const std::vector<Tensor>& tables : NoTableOrTwo()) {
      CheckExact(op, {RandomBytes(DType::kI8, {3, 77}, 1)},
                 {.inputs = {Port(DType::kI8, 0.05F, 3)}, .outputs = {Port(DType::kU8, 0.02F, 9)}},
                 {}, {}, 0, tables);
    }
  }
  CheckExact("Mul", {RandomBytes(DType::kU8, {3, 77}, 1), Tensor::Scalar(0.37F)},
             {.inputs = {Port(DType::kU8, 0.05F, 3), {}}, .outputs = {Port(DType::kU8, 0.02F, 9)}},
             {}, {false, true});
}

TEST(Int8Pool, GivesTheReferencesIntegers) {
  for (const std::int64_t size : {4, 17, 33}) {
    for (const std::int64_t kernel : {1, 2, 3}) {
      for (const std::int64_t stride : {1, 2, 3}) {
        for (const std::int64_t include : {0, 1}) {
          const std::int64_t pad = kernel / 2;
          AttrMap map = {{"kernel_shape", Ints{kernel, kernel}},
                         {"strides", Ints{stride, stride}},
                         {"pads", Ints{pad, 0, pad, pad}},
                         {"ceil_mode", include}};
          const QuantPort x = Port(DType::kI8, 0.05F, 3);
          CheckExact("MaxPool", {RandomBytes(DType::kI8, {2, 3, size, size + 1}, 1)},
                     {.inputs = {x}, .outputs = {x}, .clamp = QuantSpec::Clamp{3, 90}}, map);
          map.Set("count_include_pad", include);
          CheckExact("AveragePool", {RandomBytes(DType::kI8, {2, 3, size, size + 1}, 1)},
                     {.inputs = {x}, .outputs = {Port(DType::kU8, 0.03F, 90)}}, map, {}, 1);
        }
      }
    }
  }
  for (const std::int64_t size : {1, 7, 40})
    CheckExact("GlobalAveragePool", {RandomBytes(DType::kU8, {2, 5, size, size}, 1)},
               {.inputs = {Port(DType::kU8, 0.05F, 3)}, .outputs = {Port(DType::kU8, 0.03F, 9)}},
               {}, {}, 1);
}

// Windows of every width, of which powers of two are made, wider than a picture and with gaps.
TEST(Int8Pool, GivesTheReferencesMaximaOfWideWindows) {
  for (const DType type : {DType::kU8, DType::kI8}) {
    const QuantPort x = Port(type, 0.05F, 3);
    for (std::int64_t kernel = 1; kernel <= 14; ++kernel) {
      for (const std::int64_t stride : {1, 2, 3}) {
        const std::int64_t pad = kernel / 2, gap = kernel < 6 ? 2 : 1;
        const AttrMap map = {{"kernel_shape", Ints{kernel, kernel}},
                             {"strides", Ints{stride, stride}},
                             {"pads", Ints{pad * gap, pad * gap, pad * gap, pad * gap}},
                             {"dilations", Ints{gap, gap}}};
        CheckExact("MaxPool", {RandomBytes(type, {2, 19, 13, 14 + kernel}, 1)},
                   {.inputs = {x}, .outputs = {x}}, map);
      }
    }
  }
}

TEST(Int8Convert, GivesTheReferencesNumbers) {
  for (const std::int64_t n : {1, 15, 100}) {
    for (const DType type : {DType::kU8, DType::kI8}) {
      const Tensor zero =
          type == DType::kU8 ? Tensor::Scalar(std::uint8_t{100}) : Tensor::Scalar(std::int8_t{-20});
      EXPECT_GE(CheckKernels({.op = "QuantizeLinear",
                              .inputs = {RandomF32({n}, 1, -20, 20), Tensor::Scalar(0.1F), zero},
                              .constant = {false, true, true}}),
                1);
      // 2.5 scales are a tie in real numbers; which way it goes is the division's to say.
      std::vector<float> ties;
      for (std::int64_t i = 0; i < 16 * n; ++i)
        ties.push_back((static_cast<float>(i % 150) - 75.5F) * 0.1F);
      EXPECT_GE(CheckKernels({.op = "QuantizeLinear",
                              .inputs = {Tensor::FromVector<float>({16 * n}, ties),
                                         Tensor::Scalar(0.1F), zero},
                              .constant = {false, true, true},
                              .tolerance = 0}),
                1);
      EXPECT_GE(CheckKernels({.op = "DequantizeLinear",
                              .inputs = {RandomBytes(type, {n}, 4), Tensor::Scalar(0.1F), zero},
                              .constant = {false, true, true},
                              .tolerance = 0}),
                1);
    }
  }
}

TEST(DynamicQuantizeKernels, TakeTheScaleFromTheData) {
  for (const auto& [low, high] :
       {std::pair{-3.0F, 5.0F}, {1.0F, 9.0F}, {-7.0F, -2.0F}, {0.0F, 3e-44F}}) {
    EXPECT_GT(CheckKernels({.op = "DynamicQuantizeLinear",
                            .inputs = {RandomF32({3, 37}, 1, low, high)},
                            .num_outputs = 3}),
              0);
  }
}

TEST(DynamicQuantizeKernels, DequantizeWithScalesThatAreComputed) {
  for (const DType dtype : {DType::kI8, DType::kU8, DType::kI32}) {
    const Tensor x = RandomOf(dtype, {3, 7, 600}, 1, -120, 120);
    EXPECT_GT(
        CheckKernels({.op = "DequantizeLinear",
                      .inputs = {x, RandomF32({}, 2, 0.1F, 2), RandomOf(dtype, {}, 3, 3, 9)}}),
        0);
    for (const std::int64_t axis : {0, 1, 2}) {
      const std::int64_t n = x.dim(axis);
      EXPECT_GT(
          CheckKernels({.op = "DequantizeLinear",
                        .inputs = {x, RandomF32({n}, 2, 0.1F, 2), RandomOf(dtype, {n}, 3, 0, 9)},
                        .attributes = {{"axis", axis}}}),
          0);
    }
  }
}

}  // namespace
}  // namespace athanor::kernels
