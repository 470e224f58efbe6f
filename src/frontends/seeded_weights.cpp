#include "frontends/seeded_weights.h"

#include <algorithm>
#include <cmath>

#include "core/checked.h"

namespace athanor {
namespace {

// FNV-1a, 64 bits.
std::uint64_t Hash(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001B3U;
  return hash;
}

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014), in [0, 1).
float Next(std::uint64_t& state) {
  std::uint64_t z = state += 0x9E3779B97F4A7C15U;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9U;
  z = (z ^ z >> 27) * 0x94D049BB133111EBU;
  return static_cast<float>((z ^ z >> 31) >> 40) / 16777216.0F;
}

std::pair<float, float> Bounds(Fill fill, const Dims& dims, std::int64_t count) {
  if (fill == Fill::kOne) return {1.0F, 1.0F};
  if (fill == Fill::kPositive) return {0.5F, 1.5F};
  if (fill == Fill::kShift) return {-0.1F, 0.1F};
  const std::int64_t inputs = dims.empty() || dims[0] == 0 ? 1 : count / dims[0];
  const float bound = std::sqrt(6.0F / static_cast<float>(std::max<std::int64_t>(inputs, 1)));
  return {-bound, bound};
}

}  // namespace

Result<Tensor> SeededWeights::Draw(const std::string& name, std::size_t number, const Dims& dims,
                                   Fill fill) {
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count || *count > left_)
    return Error(ErrorCode::kResource, "a weight of {} is more than is made up for one network",
                 ToString(dims));
  left_ -= *count;
  ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kF32, dims));
  const auto [low, high] = Bounds(fill, dims, *count);
  std::uint64_t state = Hash(fmt::format("{}/{}", name, number));
  for (float& value : tensor.MutableData<float>()) value = low + (high - low) * Next(state);
  return tensor;
}

}  // namespace athanor
