// Expected values are computed here: factors rounded to bf16 bit by bit, sums in double.
#include "kernels/bf16/bf16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/bf16/table.h"
#include "kernels/check_kernels.h"
#include "kernels/layout.h"
#include "kernels/list.h"
#include "ops/catalog.h"

namespace athanor::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

class Bf16Kernels : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasBf16(BestIsa())) GTEST_SKIP() << "this machine has no avx512_bf16, or may not use it";
  }
};

// To nearest, halves to even.
double Rounded(float x) {
  if (!std::isfinite(x)) return x;
  auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t below = bits & 0xFFFF;
  bits -= below;
  const bool odd = (bits & 0x10000) != 0;
  if (below > 0x8000 || (below == 0x8000 && odd)) bits += 0x10000;
  return std::bit_cast<float>(bits);
}

struct Conv {
  Dims x, w;
  Ints pads = {0, 0, 0, 0}, strides = {1, 1}, dilations = {1, 1};

  std::int64_t out(std::size_t axis) const {
    const std::int64_t window = (w[axis + 2] - 1) * dilations[axis] + 1;
    return (x[axis + 2] + pads[axis] + pads[axis + 2] - window) / strides[axis] + 1;
  }
  Dims result() const { return {x[0], w[0], out(0), out(1)}; }
};

std::vector<double> Convolved(const Conv& c, const Tensor& x, const Tensor& w, const Tensor& bias,
                              bool rounded = true) {
  const auto factor = [&](float value) { return rounded ? Rounded(value) : value; };
  const auto data = x.Data<float>(), weights = w.Data<float>(), added = bias.Data<float>();
  const auto at = [](const Dims& dims, std::int64_t a, std::int64_t b, std::int64_t y,
                     std::int64_t z) {
    return static_cast<std::size_t>(((a * dims[1] + b) * dims[2] + y) * dims[3] + z);
  };
  std::vector<double> result;
  for (std::int64_t n = 0; n < c.x[0]; ++n) {
    for (std::int64_t oc = 0; oc < c.w[0]; ++oc) {
      for (std::int64_t i = 0; i < c.out(0) * c.out(1); ++i) {
        double sum = added[static_cast<std::size_t>(oc)];
        for (std::int64_t k = 0; k < c.w[1] * c.w[2] * c.w[3]; ++k) {
          const std::int64_t ic = k / (c.w[2] * c.w[3]);
          const std::int64_t ky = k / c.w[3] % c.w[2], kx = k % c.w[3];
          const std::int64_t row = i / c.out(1) * c.strides[0] - c.pads[0] + ky * c.dilations[0];
          const std::int64_t col = i % c.out(1) * c.strides[1] - c.pads[1] + kx * c.dilations[1];
          if (row < 0 || row >= c.x[2] || col < 0 || col >= c.x[3]) continue;
          sum += factor(data[at(c.x, n, ic, row, col)]) * factor(weights[at(c.w, oc, ic, ky, kx)]);
        }
        result.push_back(sum);
      }
    }
  }
  return result;
}

const KernelDef* FindBf16(std::string_view op, std::string_view how = "") {
  const std::string wanted = fmt::format("{}.bf16.{}", op, how);
  for (const KernelDef& def : AllKernels()) {
    if (def.inner == nullptr && def.name.starts_with(wanted)) return &def;
  }
  return nullptr;
}

// What completes a block is NaN: no kernel may read it.
Tensor InMemory(const Tensor& tensor, const PortInfo& port) {
  if (port.block == 0) return tensor;
  Tensor laid = *Tensor::Allocate(port.dtype, {port.stored()});
  for (float& x : laid.MutableData<float>()) x = std::numeric_limits<float>::quiet_NaN();
  ToBlocks(static_cast<const std::byte*>(tensor.raw()), 4, tensor.dims(), port.block,
           static_cast<std::byte*>(laid.mutable_raw()));
  return laid;
}

// Runs the kernel of the query; row-major.
std::vector<float> ResultOf(KernelQuery query, const std::vector<Tensor>& inputs, int threads,
                            std::string_view how = "") {
  query.threads = threads;
  query.precision = Precision::kBf16;
  const KernelDef* const def = FindBf16(query.op->name, how);
  query = query.To(*def);
  const Fit fit = def->fits(query);
  EXPECT_TRUE(fit.yes()) << fit.reason();
  if (!fit.yes()) return {};
  EXPECT_GT(def->cost_ns(query), 0);
  PackStore store;
  const Prepared prepared = *def->prepare(query, store);
  std::vector<Tensor> laid;
  std::vector<const void*> in;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    laid.push_back(inputs[i].defined() ? InMemory(inputs[i], query.in[i]) : Tensor());
    in.push_back(laid.back().defined() ? laid.back().raw() : nullptr);
  }
  Tensor out = *Tensor::Allocate(DType::kF32, {query.out[0].stored()});
  Tensor scratch = *Tensor::Allocate(DType::kU8, {prepared.scratch_bytes});
  std::memset(scratch.mutable_raw(), 0xFF, scratch.bytes());
  void* const result = out.mutable_raw();
  std::atomic<const char*> data_error = nullptr;
  ThreadPool pool(threads);
  def->run({.in = in,
            .out = std::span(&result, 1),
            .state = prepared.state.get(),
            .scratch = static_cast<std::byte*>(scratch.mutable_raw()),
            .pool = &pool,
            .data_error = &data_error});
  if (query.out[0].block != 0) {
    Tensor plain = *Tensor::Allocate(DType::kF32, query.out[0].dims);
    FromBlocks(static_cast<const std::byte*>(out.raw()), 4, query.out[0].dims, query.out[0].block,
               static_cast<std::byte*>(plain.mutable_raw()));
    out = plain;
  }
  const auto values = out.Data<float>();
  return {values.begin(), values.end()};
}

void ExpectNear(const std::vector<float>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(actual[i])) << "element " << i << " is " << actual[i];
      continue;
    }
    // Up to 5000 products below 2 are added in f32, in another order.
    ASSERT_TRUE(actual[i] == expected[i] ||
                std::abs(actual[i] - expected[i]) <= 2e-4 * (1 + std::abs(expected[i])))
        << "element " << i << " is " << actual[i] << ", not " << expected[i];
  }
}

AttrMap Attributes(const Conv& c) {
  AttrMap map;
  map.Set("pads", c.pads);
  map.Set("strides", c.strides);
  map.Set("dilations", c.dilations);
  return map;
}

KernelQuery QueryOf(const Conv& c, const AttrMap& attributes, const Tensor& w, const Tensor& bias) {
  return {.op = ops::Standard().Find("Conv"),
          .attributes = &attributes,
          .in = {{.dtype = DType::kF32, .dims = c.x, .block = 16},
                 {.dtype = DType::kF32, .dims = c.w, .constant = &w},
                 {.dtype = DType::kF32, .dims = bias.dims(), .constant = &bias}},
          .own_inputs = 3,
          .out = {{.dtype = DType::kF32, .dims = c.result(), .block = 16}}};
}

void Check(const Conv& c) {
  const Tensor x = RandomF32(c.x, 1), w = RandomF32(c.w, 2, -1, 1), bias = RandomF32({c.w[0]}, 3);
  const AttrMap attributes = Attributes(c);
  const std::vector<double> expected = Convolved(c, x, w, bias);
  for (const int threads : {1, 3}) {
    SCOPED_TRACE(fmt::format("{} {} {} threads", ToString(c.x), ToString(c.w), threads));
    ExpectNear(ResultOf(QueryOf(c, attributes, w, bias), {x, w, bias}, threads), expected);
  }
}

TEST_F(Bf16Kernels, ConvolveBySumsOfRoundedProducts) {
  Check({{1, 16, 5, 7}, {16, 16, 1, 1}});
  Check({{2, 64, 14, 14}, {40, 64, 1, 1}});
  Check({{1, 32, 14, 14}, {32, 32, 3, 3}, {1, 1, 1, 1}});
  Check({{1, 300, 7, 7}, {40, 300, 3, 3}, {1, 1, 1, 1}});  // more than one band, much weight
  Check({{1, 48, 60, 60}, {24, 48, 3, 3}, {1, 1, 1, 1}});
}

TEST_F(Bf16Kernels, ConvolveOddChannelsAndWidths) {
  for (const std::int64_t in : {1, 2, 15, 17, 33}) {
    for (const std::int64_t out : {1, 16, 17, 49}) {
      Check({{1, in, 5, 6}, {out, in, 1, 1}});
      Check({{1, in, 5, 6}, {out, in, 3, 3}, {1, 1, 1, 1}});
    }
  }
  for (std::int64_t width = 1; width <= 31; ++width) Check({{1, 9, 3, width}, {17, 9, 2, 1}});
}

TEST_F(Bf16Kernels, ConvolveWithStridesDilationsAndPads) {
  Check({{1, 20, 15, 14}, {33, 20, 1, 1}, {0, 0, 0, 0}, {2, 2}});
  Check({{1, 20, 9, 9}, {16, 20, 1, 1}, {1, 2, 0, 3}, {2, 3}});
  Check({{1, 20, 9, 9}, {16, 20, 1, 3}, {5, 0, 1, 3}, {3, 2}});
  Check({{1, 20, 9, 9}, {16, 20, 3, 1}, {1, 0, 1, 0}, {1, 2}});
  Check({{1, 20, 9, 9}, {16, 20, 3, 1}, {1, 0, 1, 0}, {2, 1}});
  Check({{1, 24, 21, 20}, {40, 24, 3, 3}, {1, 1, 1, 1}, {2, 2}});
  Check({{1, 24, 12, 13}, {40, 24, 5, 5}, {4, 4, 4, 4}, {1, 1}, {2, 2}});
  Check({{1, 3, 4, 4}, {5, 3, 3, 3}, {6, 6, 6, 6}});  // windows that see nothing
}

// A convolution whose result a residual is added to, that is then clamped, and multiplied by a
// number of each channel. Windows and bias are those of Check.
struct Finished {
  explicit Finished(const Conv& conv) : c(conv) {
    query = QueryOf(c, attributes, w, bias);
    query.in.push_back({.dtype = DType::kF32, .dims = c.result(), .block = 16});
    query.in.push_back({.dtype = DType::kF32, .dims = factors.dims()});
    query.epilogue = {Step("Add", {query.out[0], query.in[3]}), Step("Relu", {query.out[0]}),
                      Step("Mul", {query.out[0], query.in[4]})};
    query.epilogue[0].operand = 3;
    query.epilogue[2].operand = 4;
  }
  Finished(const Finished&) = delete;  // the query points into it

  EpilogueStep Step(std::string_view op, std::vector<PortInfo> in) const {
    const AttrMap none;
    return *AsEpilogue({.op = ops::Standard().Find(op),
                        .attributes = &none,
                        .in = std::move(in),
                        .own_inputs = 2,
                        .out = query.out},
                       0);
  }
  std::vector<Tensor> Inputs(const Tensor& x) const { return {x, w, bias, residual, factors}; }
  std::vector<double> Expected(std::vector<double> convolved) const {
    const auto each = static_cast<std::size_t>(c.out(0) * c.out(1));
    const auto channels = static_cast<std::size_t>(c.w[0]);
    for (std::size_t i = 0; i < convolved.size(); ++i) {
      const double sum = convolved[i] + residual.Data<float>()[i];
      convolved[i] = (sum < 0 ? 0 : sum) * factors.Data<float>()[i / each % channels];
    }
    return convolved;
  }

  Conv c;
  Tensor w = RandomF32(c.w, 2, -1, 1), bias = RandomF32({c.w[0]}, 3);
  Tensor residual = RandomF32(c.result(), 4), factors = RandomF32({c.w[0], 1, 1}, 5);
  AttrMap attributes = Attributes(c);
  KernelQuery query;
};

// Of Winograd's convolution, whose factors are rounded elsewhere than the definition's.
void ExpectRoughly(const std::vector<float>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    SCOPED_TRACE(i);
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(actual[i])) << actual[i];
    } else if (std::isinf(expected[i])) {
      ASSERT_EQ(actual[i], expected[i]);
    } else {  // 153 products below 2, each off by 2^-8 or so
      ASSERT_NEAR(actual[i], expected[i], 0.3);
    }
  }
}

TEST_F(Bf16Kernels, FinishConvolutionsLikeTheOthers) {
  const Finished f({{2, 17, 6, 7}, {17, 17, 3, 3}, {1, 1, 1, 1}});
  const Tensor x = RandomF32(f.c.x, 1);
  const std::vector<double> expected = f.Expected(Convolved(f.c, x, f.w, f.bias));
  ExpectNear(ResultOf(f.query, f.Inputs(x), 2), expected);
  ExpectRoughly(ResultOf(f.query, f.Inputs(x), 2, "winograd2"), expected);
}

// A position that is not a number, and one that is infinite, reach those windows that see them.
TEST_F(Bf16Kernels, KeepWhatIsNoNumber) {
  const Conv c = {{1, 17, 6, 6}, {16, 17, 3, 3}, {1, 1, 1, 1}};
  const Tensor w = RandomF32(c.w, 2, 0.5F, 1), bias = RandomF32({16}, 3);
  Tensor x = RandomF32(c.x, 1);
  // The payload of the first lies in bits that rounding drops: cut off it would be infinity.
  x.MutableData<float>()[16 * 36] = std::bit_cast<float>(0x7F800001U);
  x.MutableData<float>()[35] = std::numeric_limits<float>::infinity();
  const AttrMap attributes = Attributes(c);
  const std::vector<double> expected = Convolved(c, x, w, bias);
  EXPECT_TRUE(std::isnan(expected[0]));
  EXPECT_TRUE(std::isinf(expected[35]));
  ExpectNear(ResultOf(QueryOf(c, attributes, w, bias), {x, w, bias}, 1), expected);
  Tensor broken = RandomF32(c.w, 2);
  broken.MutableData<float>()[0] = std::bit_cast<float>(0xFF800001U);
  const std::vector<float> result =
      ResultOf(QueryOf(c, attributes, broken, bias), {RandomF32(c.x, 1), broken, bias}, 1);
  EXPECT_TRUE(std::isnan(result[14]));
  EXPECT_FALSE(std::isnan(result[36]));  // another channel
}

// Tiles mix all their inputs: one infinity made no number of each result of its tile. Here it
// stands in every position of the second picture, which ends with halves of tiles, in the middle of
// them and at each edge and corner.
TEST_F(Bf16Kernels, ConvolveByWinogradWhatIsInfiniteOrNoNumberWhereItsWindowsReachIt) {
  const Finished f({{2, 17, 5, 7}, {33, 17, 3, 3}, {1, 1, 1, 1}});
  const KernelQuery plain = QueryOf(f.c, f.attributes, f.w, f.bias);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (std::size_t at = 0; at < 35; ++at) {
    for (const float value : {at % 2 == 0 ? kInfinity : -kInfinity, std::nanf("")}) {
      SCOPED_TRACE(fmt::format("{} in position {}", value, at));
      Tensor x = RandomF32(f.c.x, 1);
      x.MutableData<float>()[(17 + at % 17) * 35 + at] = value;
      const std::vector<double> expected = Convolved(f.c, x, f.w, f.bias, false);
      ExpectRoughly(ResultOf(plain, {x, f.w, f.bias}, 2, "winograd2"), expected);
      ExpectRoughly(ResultOf(f.query, f.Inputs(x), 2, "winograd2"), f.Expected(expected));
    }
  }
}

TEST_F(Bf16Kernels, ConvolveByWinogradSeveralInfinities) {
  const Finished f({{1, 17, 9, 8}, {33, 17, 3, 3}, {1, 1, 1, 1}});
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Tensor x = RandomF32(f.c.x, 1);
  const auto values = x.MutableData<float>();
  values[2 * 8 + 2] = values[4 * 72 + 6 * 8 + 5] = kInfinity;
  values[3 * 72 + 2 * 8 + 3] = -kInfinity;
  values[16 * 72 + 8 * 8 + 7] = std::nanf("");
  const auto check = [&](const Tensor& w) {
    const KernelQuery query = QueryOf(f.c, f.attributes, w, f.bias);
    ExpectRoughly(ResultOf(query, {x, w, f.bias}, 1, "winograd2"),
                  Convolved(f.c, x, w, f.bias, false));
  };
  check(f.w);
  for (float& value : values) value = std::nanf("");
  values[4 * 8 + 4] = 1;
  check(f.w);
  x = RandomF32(f.c.x, 1);
  Tensor w = RandomF32(f.c.w, 2, -1, 1);
  w.MutableData<float>()[7 * 153 + 13] = kInfinity;  // of one channel
  check(w);
}

// What is rounded are sums of data and of weights, so that the error is that of one rounding of
// every product, and there are a few of them in each result.
TEST_F(Bf16Kernels, ConvolveByWinogradWithinTheRoundingOfFactors) {
  const std::vector<Conv> cases = {{{1, 64, 14, 14}, {32, 64, 3, 3}, {1, 1, 1, 1}},
                                   {{2, 17, 9, 7}, {49, 17, 3, 3}, {1, 1, 1, 1}},
                                   {{1, 1, 3, 3}, {1, 1, 3, 3}},
                                   {{1, 33, 5, 40}, {16, 33, 3, 3}, {2, 0, 0, 5}},
                                   {{1, 300, 7, 7}, {48, 300, 3, 3}, {1, 1, 1, 1}},
                                   {{1, 16, 90, 200}, {16, 16, 3, 3}, {1, 1, 1, 1}},
                                   {{1, 3, 4, 4}, {5, 3, 3, 3}, {6, 6, 6, 6}}};
  for (const Conv& c : cases) {
    const Tensor x = RandomF32(c.x, 1), w = RandomF32(c.w, 2, -1, 1), bias = RandomF32({c.w[0]}, 3);
    const AttrMap attributes = Attributes(c);
    const std::vector<double> expected = Convolved(c, x, w, bias, false);
    for (const int threads : {1, 3}) {
      SCOPED_TRACE(fmt::format("{} {} {} threads", ToString(c.x), ToString(c.w), threads));
      const std::vector<float> actual =
          ResultOf(QueryOf(c, attributes, w, bias), {x, w, bias}, threads, "winograd2");
      ASSERT_EQ(actual.size(), expected.size());
      double error = 0, total = 0;
      for (std::size_t i = 0; i < actual.size(); ++i) {
        error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
        total += expected[i] * expected[i];
      }
      // Two roundings of 2^-9 at most, 2^-10.3 in the mean, through transforms that double them.
      EXPECT_LT(std::sqrt(error / total), 4.0 / 512);
    }
  }
}

TEST_F(Bf16Kernels, RoundToNearestAndHalvesToEven) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float step = 1.0F / 128;  // of bf16 between 1 and 2
  const std::vector<float> x = {1,           1 + step / 2,     1 + 1.5F * step, -1 - step / 2,
                                1.00390637F, 3.4028235e38F,    kInfinity,       -kInfinity,
                                -0.0F,       1 + 0.49F * step, 65536.0F};
  const std::vector<std::uint16_t> expected = {0x3F80, 0x3F80, 0x3F82, 0xBF80, 0x3F81, 0x7F80,
                                               0x7F80, 0xFF80, 0x8000, 0x3F80, 0x4780};
  std::vector<std::uint16_t> bits(x.size() + 1, 0xABCD);
  bf16::kTable.narrow(x.data(), x.size(), bits.data());
  EXPECT_EQ(bits.back(), 0xABCD);  // nothing is written behind the end
  bits.pop_back();
  EXPECT_EQ(bits, expected);
  for (std::size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(bf16::PairOf(x[i], 1), expected[i] | 0x3F800000U) << x[i];
}

struct Product {
  std::int64_t m = 1, n = 1, k = 1;
  std::string op = "MatMul";
  bool bias = false, transposed = false;
};

void Check(const Product& p) {
  SCOPED_TRACE(fmt::format("{} {} {} {}", p.op, p.m, p.n, p.k));
  const Tensor x = RandomF32({p.m, p.k}, 1), bias = RandomF32({p.n}, 3);
  const Tensor w = RandomF32(p.transposed ? Dims{p.n, p.k} : Dims{p.k, p.n}, 2, -1, 1);
  AttrMap attributes;
  if (p.op == "Gemm") attributes.Set("transB", std::int64_t{p.transposed});
  KernelQuery query = {.op = ops::Standard().Find(p.op),
                       .attributes = &attributes,
                       .in = {{.dtype = DType::kF32, .dims = x.dims()},
                              {.dtype = DType::kF32, .dims = w.dims(), .constant = &w}},
                       .out = {{.dtype = DType::kF32, .dims = {p.m, p.n}}}};
  if (p.bias) query.in.push_back({.dtype = DType::kF32, .dims = bias.dims(), .constant = &bias});
  query.own_inputs = query.in.size();
  std::vector<double> expected;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      double sum = p.bias ? bias.Data<float>()[static_cast<std::size_t>(j)] : 0.0F;
      for (std::int64_t k = 0; k < p.k; ++k) {
        sum += Rounded(x.Data<float>()[static_cast<std::size_t>(i * p.k + k)]) *
               Rounded(w.Data<float>()[static_cast<std::size_t>(p.transposed ? j * p.k + k
                                                                             : k * p.n + j)]);
      }
      expected.push_back(sum);
    }
  }
  for (const int threads : {1, 3})
    ExpectNear(ResultOf(query, p.bias ? std::vector{x, w, bias} : std::vector{x, w}, threads),
               expected);
}

TEST_F(Bf16Kernels, MultiplyMatricesOfAllSizes) {
  for (const std::int64_t m : {1, 2, 13, 14, 15, 29}) {
    for (const std::int64_t n : {1, 15, 16, 17, 31, 33, 80}) {
      for (const std::int64_t k : {1, 2, 31, 64}) Check(Product{m, n, k});
    }
  }
  Check(Product{30, 70, 1025});
  Check(Product{3, 40, 33, "Gemm"});
  Check(Product{3, 40, 33, "Gemm", true});
  Check(Product{20, 41, 33, "Gemm", true, true});
}

TEST_F(Bf16Kernels, AreTakenOnlyWhereTheyAreAskedFor) {
  const Conv c = {{1, 16, 8, 8}, {16, 16, 1, 1}};
  const Tensor w = RandomF32(c.w, 2), bias = RandomF32({16}, 3);
  const AttrMap attributes = Attributes(c);
  KernelQuery query = QueryOf(c, attributes, w, bias);
  const auto first = [&] { return std::string(Candidates(query, BestIsa())[0].def->name); };
  EXPECT_EQ(first().find("bf16"), std::string::npos);
  const KernelDef& def = *FindBf16("Conv", "direct");
  EXPECT_EQ(def.fits(query.To(def)).reason(), "precision bf16 is not asked for");
  query.precision = Precision::kBf16;
  EXPECT_TRUE(def.fits(query.To(def)).yes());
  if (bf16::Speed() >= 2) {
    query.in[0].dims = {1, 256, 28, 28};
    const Tensor wide = RandomF32({256, 256, 1, 1}, 2), wide_bias = RandomF32({256}, 3);
    query.in[1] = {.dtype = DType::kF32, .dims = wide.dims(), .constant = &wide};
    query.in[2] = {.dtype = DType::kF32, .dims = {256}, .constant = &wide_bias};
    query.out[0].dims = {1, 256, 28, 28};
    EXPECT_EQ(first(), "Conv.bf16.direct.avx512");
  }
  query.in[1].constant = nullptr;
  EXPECT_EQ(def.fits(query.To(def)).reason(), "the weights are computed by the model");
}

TEST(Bf16Precision, HasNamesAndNeedsTheInstructions) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16, Precision::kAuto})
    EXPECT_EQ(PrecisionFromName(Name(precision)), precision);
  EXPECT_FALSE(PrecisionFromName("f16"));
  EXPECT_FALSE(HasBf16(Isa::kAvx2));
  EXPECT_EQ(Resolved(Precision::kAuto, Isa::kAvx2), Precision::kF32);
  EXPECT_EQ(Resolved(Precision::kF32, Isa::kAvx512), Precision::kF32);
}

}  // namespace
}  // namespace athanor::kernels
