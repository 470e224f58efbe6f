#include "ir/text_constant.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/checked.h"
#include "core/digest.h"
#include "core/text.h"

namespace athanor::text {
namespace {

// Everything whose elements have a written form; complex numbers are kept as bytes only.
using WrittenTypes =
    TypeList<double, float, Half, BFloat16, F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F8E8M0, F4E2M1,
             std::int64_t, std::int32_t, std::int16_t, std::int8_t, Int4, Int2, std::uint64_t,
             std::uint32_t, std::uint16_t, std::uint8_t, UInt4, UInt2, bool, std::string>;

constexpr std::int64_t kMaxFill = std::int64_t{1} << 20;

// Small floats hold their code in `bits`, small integers their number in `value`.
template <class T>
inline constexpr bool kIsFloat = std::is_floating_point_v<T> || requires { T{}.bits; };

template <class T>
std::string PrintElement(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return Quote(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return fmt::format("{}", value);
  } else if constexpr (kIsFloat<T>) {
    return fmt::format("{}", static_cast<float>(value));
  } else if constexpr (requires { value.value; }) {
    return fmt::format("{}", static_cast<int>(value));
  } else {
    return fmt::format("{}", value);
  }
}

// NaNs with a payload cannot be written as a number.
template <class T>
bool IsWritable(const T& value) {
  if constexpr (kIsFloat<T>) {
    if (!std::isnan(static_cast<double>(value))) return true;
    const T plain(std::numeric_limits<float>::quiet_NaN());
    return std::memcmp(&plain, &value, sizeof(T)) == 0;
  }
  return true;
}

template <class T>
Result<T> ReadElement(Scanner& scanner) {
  if constexpr (std::is_same_v<T, std::string>) {
    return scanner.Quoted();
  } else {
    const std::size_t begin = scanner.position();
    ATH_TRY(const std::string_view word, scanner.Number());
    const char* const end = word.data() + word.size();
    const auto parse = [&](auto value) -> Result<decltype(value)> {
      const auto [stop, error] = std::from_chars(word.data(), end, value);
      if (error == std::errc() && stop == end) return value;
      scanner.Return(begin);
      return scanner.Fail("\"{}\" is not a value of {}", word, Name(kDTypeOf<T>));
    };
    if constexpr (std::is_same_v<T, bool>) {
      if (word == "true" || word == "1") return true;
      if (word == "false" || word == "0") return false;
      return scanner.Fail("\"{}\" is neither true nor false", word);
    } else if constexpr (std::is_same_v<T, double>) {
      return parse(double{});
    } else if constexpr (kIsFloat<T>) {
      ATH_TRY(const float value, parse(float{}));
      return static_cast<T>(value);
    } else if constexpr (std::is_integral_v<T>) {
      return parse(T{});
    } else {
      ATH_TRY(const int value, parse(int{}));
      const T kept(value);
      if (static_cast<int>(kept) == value) return kept;
      return scanner.Fail("{} does not fit into {}", value, Name(kDTypeOf<T>));
    }
  }
}

template <class T>
Result<Tensor> ReadList(Scanner& scanner, const Dims& dims) {
  std::vector<T> values;
  if (!scanner.Eat("]")) {
    do {
      ATH_TRY(T value, ReadElement<T>(scanner));
      values.push_back(std::move(value));
    } while (scanner.Eat(","));
    ATH_RETURN_IF_ERROR(scanner.Expect("]"));
  }
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count || static_cast<std::uint64_t>(*count) != values.size())
    return scanner.Fail("{} elements are written for a shape of {}", values.size(), ToString(dims));
  return Tensor::FromVector<T>(dims, values);
}

// Checks the budget first.
Result<Tensor> Generate(Scanner& scanner, DType dtype, const Dims& dims, Budget& budget) {
  const std::optional<std::int64_t> count = CheckedCount(dims);
  const auto size = static_cast<std::int64_t>(ElementBytes(dtype));
  if (!count || *count > budget.generated_bytes / size) {
    return scanner.Fail("generated constants of more than {} bytes are not read",
                        Budget{}.generated_bytes);
  }
  budget.generated_bytes -= *count * size;
  return Tensor::Allocate(dtype, dims);
}

std::uint64_t SplitMix64(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

template <class T>
Status FillRandom(Scanner& scanner, Tensor& tensor, std::uint64_t state) {
  if constexpr (std::is_same_v<T, std::string>) {
    return scanner.Fail("random makes numbers, not strings");
  } else {
    for (T& value : tensor.MutableData<T>()) {
      const auto bits = static_cast<std::int64_t>(SplitMix64(state) >> 40);
      if constexpr (kIsFloat<T>) {
        value = static_cast<T>(static_cast<float>(bits) / 8388608.0F - 1.0F);
      } else if constexpr (std::is_same_v<T, bool>) {
        value = bits % 2 != 0;
      } else {
        value = static_cast<T>(static_cast<int>(bits % 256) - (IsSigned(kDTypeOf<T>) ? 128 : 0));
      }
    }
    return {};
  }
}

Result<Tensor> ReadBase64(Scanner& scanner, DType dtype, const Dims& dims) {
  ATH_TRY(const std::string code, scanner.Quoted());
  const auto bytes = DecodeBase64(code);
  if (!bytes) return scanner.Fail("this is not base64");
  if (dtype == DType::kString) return scanner.Fail("strings are written as a list");
  if (ElementBits(dtype) < 8) return UnpackBits(dtype, dims, *bytes);
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count || bytes->size() % ElementBytes(dtype) != 0 ||
      static_cast<std::uint64_t>(*count) != bytes->size() / ElementBytes(dtype))
    return scanner.Fail("{} bytes are written for {}{}", bytes->size(), Name(dtype),
                        ToString(dims));
  for (const std::uint8_t byte : *bytes) {
    if (dtype == DType::kBool && byte > 1) return scanner.Fail("a bool is a byte of 0 or 1");
  }
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, dims));
  if (!bytes->empty()) std::memcpy(tensor.mutable_raw(), bytes->data(), bytes->size());
  return tensor;
}

Result<Tensor> ReadWritten(Scanner& scanner, DType dtype, const Dims& dims, Budget& budget) {
  Tensor tensor;
  const bool list = scanner.Eat("[");
  const bool fill = !list && scanner.EatWord("fill");
  const bool random = !list && !fill && scanner.EatWord("random");
  ATH_RETURN_IF_ERROR(Dispatch(WrittenTypes{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    if (list) {
      ATH_TRY(tensor, ReadList<T>(scanner, dims));
      return {};
    }
    if (!fill && !random) {
      ATH_TRY(const T value, ReadElement<T>(scanner));
      if (CheckedCount(dims) != 1)
        return scanner.Fail("one value is written for a shape of {}; fill({}) repeats it",
                            ToString(dims), PrintElement(value));
      tensor = Tensor::FromVector<T>(dims, {value});
      return {};
    }
    ATH_RETURN_IF_ERROR(scanner.Expect("("));
    if (random) {
      ATH_TRY(const std::int64_t seed, scanner.Int());
      ATH_TRY(tensor, Generate(scanner, dtype, dims, budget));
      ATH_RETURN_IF_ERROR(FillRandom<T>(scanner, tensor, static_cast<std::uint64_t>(seed)));
    } else {
      ATH_TRY(const T value, ReadElement<T>(scanner));
      ATH_TRY(tensor, Generate(scanner, dtype, dims, budget));
      for (T& element : tensor.MutableData<T>()) element = value;
    }
    return scanner.Expect(")");
  }));
  return tensor;
}

std::uint64_t DigestOf(const Tensor& tensor) {
  if (tensor.dtype() != DType::kString)
    return Digest64({static_cast<const std::uint8_t*>(tensor.raw()), tensor.bytes()});
  std::string all;
  for (const std::string& text : tensor.Data<std::string>()) all += Quote(text);
  return Digest64({reinterpret_cast<const std::uint8_t*>(all.data()), all.size()});
}

// "" when the elements cannot or should not be written one by one.
std::string PrintWritten(const Tensor& tensor, const TextOptions& options) {
  std::string text;
  const Status status = Dispatch(WrittenTypes{}, tensor.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<const T> values = tensor.Data<T>();
    const bool keep_strings =
        std::is_same_v<T, std::string> && options.constants == ConstantText::kComplete;
    if (tensor.count() <= options.inline_elements || keep_strings) {
      for (const T& value : values) {
        if (!IsWritable(value)) return {};
      }
      if (tensor.rank() == 0) {
        text = PrintElement(values[0]);
        return {};
      }
      text = "[";
      for (std::size_t i = 0; i < values.size(); ++i)
        text += (i == 0 ? "" : ", ") + PrintElement(values[i]);
      text += "]";
      return {};
    }
    if (tensor.count() > kMaxFill || std::is_same_v<T, std::string>) return {};
    for (const T& value : values) {
      if (std::memcmp(&value, values.data(), sizeof(T)) != 0) return {};
    }
    if (IsWritable(values[0])) text = fmt::format("fill({})", PrintElement(values[0]));
    return {};
  });
  return status.ok() ? text : "";
}

}  // namespace

std::string PrintElements(const Tensor& tensor, const TextOptions& options) {
  std::string written = PrintWritten(tensor, options);
  if (!written.empty()) return written;
  if (options.constants == ConstantText::kElide)
    return fmt::format("elided(\"{:016x}\")", DigestOf(tensor));
  if (ElementBits(tensor.dtype()) < 8)
    return fmt::format("base64\"{}\"", EncodeBase64(PackBits(tensor)));
  return fmt::format("base64\"{}\"", EncodeBase64({static_cast<const std::uint8_t*>(tensor.raw()),
                                                   tensor.bytes()}));
}

Result<Tensor> ReadElements(Scanner& scanner, const Type& type, Budget& budget) {
  const std::optional<Dims> dims = type.StaticDims();
  if (!dims) return scanner.Fail("a constant needs a shape of numbers, not {}", type.ToString());
  if (scanner.EatWord("elided")) {
    return scanner.Fail(
        "the elements were left out when this was printed; print the graph with all constants");
  }
  if (scanner.EatWord("base64")) return ReadBase64(scanner, type.dtype, *dims);
  return ReadWritten(scanner, type.dtype, *dims, budget);
}

}  // namespace athanor::text
