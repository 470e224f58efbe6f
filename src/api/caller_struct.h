// Structs that come over the C interface, from callers of any version of its headers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "athanor/athanor.h"
#include "core/tensor.h"

namespace athanor {

// What every caller fills in: how much the first version of the interface had.
inline constexpr std::size_t kTensorSize = offsetof(ath_tensor, data) + sizeof(void*);

// A field that was added after the first version; 0 from callers who do not know it.
template <class S, class T>
T LaterField(const S& given, T S::*field) {
  const auto* begin = reinterpret_cast<const std::byte*>(&given);
  const auto* end = reinterpret_cast<const std::byte*>(&(given.*field)) + sizeof(T);
  return static_cast<std::size_t>(end - begin) <= given.struct_size ? given.*field : T{};
}

Status CheckStructSize(const char* type, std::uint32_t given, std::size_t needed);

// Bytes that mean nothing in their type: a bool other than 0 and 1, an i4 beyond -8 .. 7.
Status CheckCodes(const Tensor& tensor);

// What can be said of a caller's tensor without a look at its elements: the rest may be relied on.
Status CheckTensor(const ath_tensor& tensor);

// The caller's tensor as ours; numbers are not copied, strings are.
Result<Tensor> ImportTensor(const ath_tensor& tensor);

}  // namespace athanor
