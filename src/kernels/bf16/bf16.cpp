#include "kernels/bf16/bf16.h"

#include <algorithm>
#include <chrono>

#include "core/small_types.h"
#include "kernels/bf16/table.h"

namespace athanor::kernels::bf16 {
namespace {

using Clock = std::chrono::steady_clock;

double Nanoseconds(float (*spin)(std::size_t)) {
  constexpr std::size_t kSteps = 500;  // 12000 products, some microseconds
  const auto begin = Clock::now();
  [[maybe_unused]] const volatile float sum = spin(kSteps);
  return std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
}

// Processors do one of them per cycle or two, or half of one: what lies between is noise.
double MeasuredSpeed() {
  // The shortest of some runs. They take turns: a core that is slow for a while is so for both.
  double floats = 1e9, products = 1e9;
  for (int i = 0; i < 24; ++i) {
    floats = std::min(floats, Nanoseconds(kTable.spin_floats));
    products = std::min(products, Nanoseconds(kTable.spin_products));
  }
  const double speed = 2 * floats / products;  // a dot product is two multiply-adds per lane
  return speed < 0.75 ? 0.5 : speed < 1.5 ? 1 : speed < 3 ? 2 : 4;
}

}  // namespace

Fit Allowed(const KernelQuery& query) {
  if (query.precision != Precision::kBf16) return Fit::No("precision bf16 is not asked for");
  if (!HasBf16(query.isa)) return Fit::No("needs avx512_bf16");
  return Fit::Yes();
}

double Speed() {
  static const double speed = MeasuredSpeed();
  return speed;
}

double MultiplyAddsPerNs(const KernelQuery& query) {
  const double typical = Speed() * query.rates.flops[static_cast<std::size_t>(Isa::kAvx512)] / 2;
  // What the formulas of conv/learned_table.cpp say of the f32 tiles on a processor with bf16.
  constexpr double kLearned = 0.655;
  const bool learned =
      query.selector == Selector::kLearned || query.selector == Selector::kMeasured;
  return learned ? kLearned * typical : typical;
}

std::uint32_t PairOf(float first, float second) {
  return BFloat16FromFloat(first) | std::uint32_t{BFloat16FromFloat(second)} << 16;
}

}  // namespace athanor::kernels::bf16
