// Expected values are computed here, in double, from the formula of DequantizeLinear.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "kernels/check_kernels.h"
#include "kernels/list.h"
#include "ops/catalog.h"

namespace athanor::kernels {
namespace {

// Weights of k rows and n columns, whichever way they lie.
struct Stored {
  std::int64_t k = 1, n = 1;
  DType dtype = DType::kI8;
  std::int64_t group = 0;  // 0: one scale per column; -1: one for all
  bool zeros = true;
  bool turned = false;

  std::int64_t groups() const { return group > 0 ? (k + group - 1) / group : 1; }
  std::int64_t scales() const { return group < 0 ? 1 : groups() * n; }
  std::int64_t At(std::int64_t row, std::int64_t column) const {
    return turned ? column * k + row : row * n + column;
  }
  std::int64_t ScaleAt(std::int64_t row, std::int64_t column) const {
    if (group < 0) return 0;
    if (group == 0) return column;
    const std::int64_t at = row / group;
    return turned ? column * groups() + at : at * n + column;
  }
  Dims dims() const { return turned ? Dims{n, k} : Dims{k, n}; }
  Dims scale_dims() const {
    if (group < 0) return {};
    if (group == 0) return {n};
    return turned ? Dims{n, groups()} : Dims{groups(), n};
  }
  AttrMap attributes() const {
    const bool along_k = group > 0;
    return {{"axis", std::int64_t{along_k == turned ? 1 : 0}},
            {"block_size", std::max<std::int64_t>(0, group)},
            {"transB", std::int64_t{turned}}};
  }
};

// All integers of the type, in one byte each.
Tensor RandomIntegers(DType dtype, Dims dims, std::mt19937& random) {
  Tensor tensor = *Tensor::Allocate(dtype, std::move(dims));
  const int count = 1 << ElementBits(dtype), low = IsSigned(dtype) ? -count / 2 : 0;
  auto* const to = static_cast<std::uint8_t*>(tensor.mutable_raw());
  std::uniform_int_distribution<int> any(low, low + count - 1);
  for (std::int64_t i = 0; i < tensor.count(); ++i) to[i] = static_cast<std::uint8_t>(any(random));
  return tensor;
}

int ValueAt(const Tensor& tensor, std::int64_t i) {
  const auto byte = static_cast<const std::uint8_t*>(tensor.raw())[i];
  return IsSigned(tensor.dtype()) ? static_cast<std::int8_t>(byte) : byte;
}

struct Operands {
  Tensor x, w, scale, zero;
  std::vector<Tensor> all() const { return {x, w, scale, zero}; }
};

Operands Make(const Stored& stored, std::int64_t m) {
  std::mt19937 random(7);
  Operands made = {.x = RandomF32({m, stored.k}, 1, -1, 1),
                   .w = RandomIntegers(stored.dtype, stored.dims(), random),
                   .scale = RandomF32(stored.scale_dims(), 2, 0.001F, 0.02F),
                   .zero = {}};
  if (stored.zeros) made.zero = RandomIntegers(stored.dtype, stored.scale_dims(), random);
  return made;
}

// The sums, and what they would be if nothing cancelled.
struct Sum {
  double value = 0, size = 0;
};
Sum Expected(const Stored& stored, const Operands& in, std::int64_t row, std::int64_t column) {
  Sum sum;
  for (std::int64_t k = 0; k < stored.k; ++k) {
    const std::int64_t s = stored.ScaleAt(k, column);
    const int zero = stored.zeros ? ValueAt(in.zero, s) : 0;
    const double scale = in.scale.Data<float>()[static_cast<std::size_t>(s)];
    const double x = in.x.Data<float>()[static_cast<std::size_t>(row * stored.k + k)];
    const double product = x * (ValueAt(in.w, stored.At(k, column)) - zero) * scale;
    sum.value += product;
    sum.size += std::abs(product);
  }
  return sum;
}

std::vector<float> ResultOf(const KernelDef& def, const Stored& stored, const Operands& in,
                            std::int64_t m, int threads) {
  const AttrMap attributes = stored.attributes();
  const std::vector<Tensor> given = in.all();
  KernelQuery query = {.op = ops::Standard().Find("DequantizedMatMul"),
                       .attributes = &attributes,
                       .out = {{.dtype = DType::kF32, .dims = {m, stored.n}}},
                       .threads = threads};
  std::vector<const void*> pointers;
  for (const Tensor& tensor : given) {
    query.in.push_back({});
    pointers.push_back(tensor.defined() ? tensor.raw() : nullptr);
    if (tensor.defined())
      query.in.back() = {tensor.dtype(), tensor.dims(), pointers.size() > 1 ? &tensor : nullptr};
  }
  query.own_inputs = 4;
  query = query.To(def);
  const Fit fit = def.fits(query);
  EXPECT_TRUE(fit.yes()) << fit.reason();
  PackStore store;
  const Prepared prepared = *def.prepare(query, store);
  Tensor scratch = *Tensor::Allocate(DType::kU8, {prepared.scratch_bytes});
  std::memset(scratch.mutable_raw(), 0xFF, scratch.bytes());
  std::vector<float> y(static_cast<std::size_t>(m * stored.n), std::nanf(""));
  void* const out = y.data();
  std::atomic<const char*> data_error = nullptr;
  ThreadPool pool(threads);
  def.run({.in = pointers,
           .out = std::span(&out, 1),
           .state = prepared.state.get(),
           .scratch = static_cast<std::byte*>(scratch.mutable_raw()),
           .pool = &pool,
           .data_error = &data_error});
  return y;
}

void Check(const Stored& stored, std::int64_t m) {
  SCOPED_TRACE(fmt::format("{} rows, {} x {} {}, groups of {}{}{}", m, stored.k, stored.n,
                           Name(stored.dtype), stored.group, stored.zeros ? ", zero points" : "",
                           stored.turned ? ", turned" : ""));
  const Operands in = Make(stored, m);
  std::vector<Sum> expected;
  for (std::int64_t i = 0; i < m * stored.n; ++i)
    expected.push_back(Expected(stored, in, i / stored.n, i % stored.n));
  int ran = 0;
  for (const KernelDef& def : AllKernels()) {
    if (def.op != "DequantizedMatMul" || def.inner != nullptr || def.isa > BestIsa()) continue;
    const std::vector<float> y = ResultOf(def, stored, in, m, 1 + ran % 3);
    for (std::size_t i = 0; i < y.size(); ++i) {
      // k sums of f32, each rounded.
      ASSERT_NEAR(y[i], expected[i].value, 1e-6 * expected[i].size + 1e-7)
          << def.name << ", element " << i;
    }
    ++ran;
  }
  EXPECT_GT(ran, 0);
}

TEST(WeightKernels, MultiplyByBytesAndNibbles) {
  for (const DType dtype : {DType::kI8, DType::kU8, DType::kI4, DType::kU4}) {
    for (const std::int64_t group : {-1, 0, 32, 64, 128}) {
      for (const bool zeros : {false, true}) {
        for (const std::int64_t m : {1, 3, 64})
          Check({.k = 333, .n = 71, .dtype = dtype, .group = group, .zeros = zeros}, m);
      }
    }
  }
}

TEST(WeightKernels, ReadTurnedWeights) {
  for (const std::int64_t group : {-1, 0, 32}) {
    for (const DType dtype : {DType::kI8, DType::kU4})
      Check({.k = 97, .n = 45, .dtype = dtype, .group = group, .turned = true}, 2);
  }
}

TEST(WeightKernels, MultiplyAnyNumberOfRowsAndColumns) {
  for (std::int64_t m = 1; m <= 17; ++m) {
    Check({.k = 65, .n = 33, .dtype = DType::kU4, .group = 64}, m);
    Check({.k = 1, .n = m, .group = 32}, m);
  }
  // Several blocks of k, in which groups begin and end.
  Check({.k = 2500, .n = 40, .dtype = DType::kI4, .group = 96}, 9);
}

TEST(WeightKernels, FinishAsOtherProductsDo) {
  for (const std::int64_t m : {2, 20}) {
    const Stored stored = {.k = 50, .n = 39, .group = 32};
    EXPECT_GT(CheckKernels({.op = "DequantizedMatMul",
                            .inputs = Make(stored, m).all(),
                            .constant = {false, true, true, true},
                            .attributes = stored.attributes(),
                            .tolerance = 1e-4,
                            .epilogue = {"Add", "Add", "Relu", "Gelu"},
                            .operands = {RandomF32({39}, 3), RandomF32({m, 39}, 4)}}),
              0);
  }
}

}  // namespace
}  // namespace athanor::kernels
