#include "ops/random/generator.h"

#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <numbers>

namespace athanor::ops {
namespace {

std::uint64_t Mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15ULL;  // 2^64 / golden ratio, odd

// Two draws within one tick of the clock must differ, too.
std::uint64_t FreshKey() {
  static std::atomic<std::uint64_t> draws = 0;
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return Mix(static_cast<std::uint64_t>(now) + kStep * ++draws);
}

}  // namespace

Random::Random(std::optional<float> seed)
    : key_(seed ? Mix(kStep * (std::uint64_t{std::bit_cast<std::uint32_t>(*seed)} + 1))
                : FreshKey()) {}

std::uint64_t Random::Bits() { return Mix(key_ + kStep * ++counter_); }

double Random::Uniform() { return static_cast<double>(Bits() >> 11) * 0x1p-53; }

double Random::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform()));  // 1 - u is never 0
  return radius * std::cos(2 * std::numbers::pi * Uniform());
}

}  // namespace athanor::ops
