#include "core/tensor.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/checked.h"
#include "core/memory.h"

namespace athanor {
namespace {

constexpr std::size_t kAlignment = 64;

using AllTypes =
    TypeList<double, float, Half, BFloat16, F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F8E8M0, F4E2M1,
             std::int64_t, std::int32_t, std::int16_t, std::int8_t, Int4, Int2, std::uint64_t,
             std::uint32_t, std::uint16_t, std::uint8_t, UInt4, UInt2, bool>;

// Whether To has a number for `value`: what is no number or too large has none among the integers.
template <class To, class T>
bool Fits(T value) {
  if constexpr (std::is_integral_v<To> && !std::is_integral_v<T>) {
    const auto real = static_cast<double>(value);
    const auto end = std::ldexp(1.0, std::numeric_limits<To>::digits);
    return real >= -end && real < end;
  }
  return true;
}

template <class To>
Result<std::vector<To>> Convert(const Tensor& tensor) {
  std::vector<To> values(static_cast<std::size_t>(tensor.count()));
  ATH_RETURN_IF_ERROR(Dispatch(AllTypes{}, tensor.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const std::span<const T> data = tensor.Data<T>();
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (!Fits<To>(data[i])) {
        return InvalidModel("{} is no integer of 64 bits", static_cast<double>(data[i]));
      }
      values[i] = static_cast<To>(data[i]);
    }
    return {};
  }));
  return values;
}

}  // namespace

std::string ToString(std::span<const std::int64_t> dims) {
  std::string text = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(dims[i]);
  }
  return text + "]";
}

namespace {

// Aligned memory. A small one takes one allocation, together with the count of its owners: results
// of one row come and go with each call.
std::shared_ptr<void> AlignedMemory(std::size_t bytes) {
  constexpr std::size_t kSmall = 4 * kAlignment;
  if (bytes > kSmall) {
    void* memory = std::aligned_alloc(kAlignment, bytes);
    return memory == nullptr ? nullptr : std::shared_ptr<void>(memory, std::free);
  }
  const auto memory = std::make_shared_for_overwrite<std::byte[]>(kSmall + kAlignment - 1);
  const auto place = reinterpret_cast<std::uintptr_t>(memory.get());
  return {memory, memory.get() + (kAlignment - place % kAlignment) % kAlignment};
}

}  // namespace

Result<Tensor> Tensor::Allocate(DType dtype, Dims dims) {
  ATH_TRY(const std::int64_t bytes, TensorBytes(dtype, dims));
  const std::optional<std::int64_t> count = CheckedCount(dims);
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.count_ = *count;
  if (dtype == DType::kString) {
    auto strings = std::make_shared<std::vector<std::string>>(static_cast<std::size_t>(*count));
    tensor.data_ = strings->data();
    tensor.owner_ = std::move(strings);
  } else {
    // One vector register beyond the end may be read by kernels, never written.
    const std::size_t rounded =
        (static_cast<std::size_t>(bytes) + 2 * kAlignment - 1) / kAlignment * kAlignment;
    std::shared_ptr<void> memory = AlignedMemory(rounded);
    if (memory == nullptr) {
      return Error(ErrorCode::kResource, "out of memory for a tensor of {} bytes", bytes);
    }
    tensor.data_ = memory.get();
    tensor.owner_ = std::move(memory);
  }
  tensor.dims_ = std::move(dims);
  return tensor;
}

Tensor Tensor::View(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner) {
  const std::optional<std::int64_t> count = CheckedCount(dims);
  ATH_CHECK(count.has_value(), "the caller has checked the shape");
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.dims_ = std::move(dims);
  tensor.count_ = *count;
  tensor.data_ = data;
  tensor.owner_ = std::move(owner);
  return tensor;
}

Tensor Tensor::Reshaped(Dims dims) const {
  ATH_CHECK(CheckedCount(dims) == count_, "the caller has checked the element count");
  Tensor tensor = *this;
  tensor.dims_ = std::move(dims);
  return tensor;
}

Result<Tensor> Tensor::Clone() const {
  ATH_TRY(Tensor copy, Allocate(dtype_, dims_));
  if (dtype_ == DType::kString) {
    const auto from = Data<std::string>();
    std::copy(from.begin(), from.end(), copy.MutableData<std::string>().begin());
  } else if (count_ > 0) {
    std::memcpy(copy.mutable_raw(), data_, bytes());
  }
  return copy;
}

bool Tensor::SameAs(const Tensor& other) const {
  if (dtype_ != other.dtype_ || dims_ != other.dims_) return false;
  if (data_ == other.data_ || count_ == 0) return true;
  if (dtype_ == DType::kString) {
    const auto a = Data<std::string>(), b = other.Data<std::string>();
    return std::equal(a.begin(), a.end(), b.begin());
  }
  return std::memcmp(data_, other.data_, bytes()) == 0;
}

Result<std::vector<std::int64_t>> ToInts(const Tensor& tensor) {
  return Convert<std::int64_t>(tensor);
}
Result<std::vector<double>> ToDoubles(const Tensor& tensor) { return Convert<double>(tensor); }

std::vector<std::uint8_t> PackBits(const Tensor& tensor) {
  const int bits = ElementBits(tensor.dtype());
  const auto count = static_cast<std::size_t>(tensor.count());
  const auto* data = static_cast<const std::uint8_t*>(tensor.raw());
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits);
  std::vector<std::uint8_t> packed((count + per_byte - 1) / per_byte);
  const unsigned mask = (1U << bits) - 1U;
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned shift = static_cast<unsigned>(i % per_byte) * static_cast<unsigned>(bits);
    packed[i / per_byte] =
        static_cast<std::uint8_t>(packed[i / per_byte] | ((data[i] & mask) << shift));
  }
  return packed;
}

Result<Tensor> UnpackBits(DType dtype, Dims dims, std::span<const std::uint8_t> packed) {
  const int bits = ElementBits(dtype);
  const std::size_t per_byte = 8 / static_cast<std::size_t>(bits);
  // Checked before memory is taken: a few bytes of file must not claim gigabytes.
  const std::optional<std::int64_t> elements = CheckedCount(dims);
  if (!elements || static_cast<std::uint64_t>(*elements) > packed.size() * per_byte) {
    return Error(ErrorCode::kCorruptFile, "{} bytes cannot hold {}{}", packed.size(), Name(dtype),
                 athanor::ToString(dims));
  }
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, std::move(dims)));
  const auto count = static_cast<std::size_t>(tensor.count());
  auto* out = static_cast<std::uint8_t*>(tensor.mutable_raw());
  const unsigned mask = (1U << bits) - 1U;
  for (std::size_t i = 0; i < count; ++i) {
    const unsigned shift = static_cast<unsigned>(i % per_byte) * static_cast<unsigned>(bits);
    unsigned value = (static_cast<unsigned>(packed[i / per_byte]) >> shift) & mask;
    if (IsSigned(dtype) && (value >> (bits - 1)) != 0) value |= ~mask;  // sign-extend
    out[i] = static_cast<std::uint8_t>(value);
  }
  return tensor;
}

}  // namespace athanor
