#include "verify/random_inputs.h"

#include <map>

#include "core/checked.h"

namespace athanor {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
  }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

template <class T>
T Draw(Random& random, const DrawnFrom& floats) {
  if constexpr (std::is_same_v<T, std::string>) {
    return std::string(1, static_cast<char>('a' + random.Next() % 26));
  } else if constexpr (std::is_same_v<T, bool>) {
    return random.Next() % 2 == 1;
  } else if constexpr (std::is_same_v<T, std::complex<float>> ||
                       std::is_same_v<T, std::complex<double>>) {
    using Real = typename T::value_type;
    const auto real = static_cast<Real>(2 * random.Unit() - 1);
    return {real, static_cast<Real>(2 * random.Unit() - 1)};
  } else if constexpr (std::is_integral_v<T>) {
    if (sizeof(T) == 1) return static_cast<T>(random.Next());
    return static_cast<T>(random.Next() % 2);
  } else if constexpr (std::is_convertible_v<T, float>) {
    return T(static_cast<float>(floats.low + (floats.high - floats.low) * random.Unit()));
  } else {
    return T(static_cast<int>(random.Next()));
  }
}

using AllTypes = TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t,
                          std::int8_t, std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t,
                          F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F8E8M0, F4E2M1, Int4, UInt4, Int2,
                          UInt2, bool, std::string, std::complex<float>, std::complex<double>>;

}  // namespace

Result<Tensor> RandomTensor(const Type& type, std::uint64_t seed, std::int64_t unknown_dim,
                            const DrawnFrom& floats) {
  if (!type.HasRank()) {
    return Error(ErrorCode::kInvalidInput, "{} cannot be filled at random; give a value",
                 type.ToString());
  }
  Dims dims;
  for (const Dim& dim : *type.shape) {
    std::vector<std::string> names;
    dim.CollectSymbols(names);
    std::map<std::string, Dim> values;
    for (const std::string& name : names) values.emplace(name, unknown_dim);
    const Dim known = dim.Substitute(values);
    dims.push_back(known.IsConst() ? known.value() : unknown_dim);
  }
  ATH_TRY(Tensor tensor, Tensor::Allocate(type.dtype, std::move(dims)));
  Random random(seed);
  ATH_RETURN_IF_ERROR(Dispatch(AllTypes{}, type.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    for (auto& value : tensor.MutableData<T>()) value = Draw<T>(random, floats);
    return {};
  }));
  return tensor;
}

Result<std::vector<Datum>> RandomInputs(const Graph& graph, const RandomInputOptions& options) {
  std::vector<Datum> inputs;
  for (const ValueId id : graph.inputs()) {
    const Value& value = graph.value(id);
    // Each input has its own stream, so that adding one does not change the others.
    Result<Tensor> tensor =
        RandomTensor(value.type, options.seed * 1000003 + inputs.size(), options.unknown_dim);
    if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("input \"{}\"", value.name));
    inputs.emplace_back(*std::move(tensor));
  }
  return inputs;
}

}  // namespace athanor
