// A dense, row-major array of elements and its shape. Copies share the memory.
//
// Memory is 64-byte aligned when allocated here; a view keeps its owner (a mapped file, another
// tensor) alive. Writing through one copy is seen by the others: only the maker of a tensor writes.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/status.h"

namespace athanor {

using Dims = std::vector<std::int64_t>;

// "[1, 3, 224, 224]"
std::string ToString(std::span<const std::int64_t> dims);

class Tensor {
 public:
  Tensor() = default;

  // Uninitialised memory (strings: empty). Fails when the size overflows or exceeds the machine's
  // memory.
  static Result<Tensor> Allocate(DType dtype, Dims dims);
  // Elements that somebody else owns; `owner` is kept for as long as the tensor lives.
  static Tensor View(DType dtype, Dims dims, const void* data, std::shared_ptr<const void> owner);

  template <class T>
  static Tensor Scalar(T value) {
    return FromVector<T>({}, {value});
  }
  // The product of dims must equal values.size().
  template <class T>
  static Tensor FromVector(const Dims& dims, const std::vector<T>& values) {
    Result<Tensor> made = Allocate(kDTypeOf<T>, dims);
    ATH_CHECK(made.ok() && made->count() == static_cast<std::int64_t>(values.size()),
              "the caller passes as many values as the shape has elements");
    std::span<T> out = made->template MutableData<T>();
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = values[i];
    return *std::move(made);
  }

  bool defined() const { return dtype_ != DType::kUndefined; }
  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  std::int64_t rank() const { return static_cast<std::int64_t>(dims_.size()); }
  std::int64_t dim(std::int64_t axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  std::int64_t count() const { return count_; }
  std::size_t bytes() const { return static_cast<std::size_t>(count_) * ElementBytes(dtype_); }

  // T must match dtype().
  template <class T>
  std::span<const T> Data() const {
    ATH_CHECK(kDTypeOf<T> == dtype_, "the caller has looked at dtype()");
    return {static_cast<const T*>(data_), static_cast<std::size_t>(count_)};
  }
  template <class T>
  std::span<T> MutableData() {
    ATH_CHECK(kDTypeOf<T> == dtype_, "the caller has looked at dtype()");
    return {static_cast<T*>(const_cast<void*>(data_)), static_cast<std::size_t>(count_)};
  }
  const void* raw() const { return data_; }
  void* mutable_raw() { return const_cast<void*>(data_); }
  // Shares ownership of the memory, for views into it.
  const std::shared_ptr<const void>& owner() const { return owner_; }

  // The same elements under another shape of equal count.
  Tensor Reshaped(Dims dims) const;
  // A tensor of its own memory with the same elements.
  Result<Tensor> Clone() const;
  // Same dtype, shape and bits. NaNs with equal bits are equal.
  bool SameAs(const Tensor& other) const;

 private:
  DType dtype_ = DType::kUndefined;
  Dims dims_;
  std::int64_t count_ = 0;
  const void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

// Reads any numeric or bool tensor as int64 / double values (a copy). For small tensors such as
// shapes, axes and scales. Fails on strings and complex.
Result<std::vector<std::int64_t>> ToInts(const Tensor& tensor);
Result<std::vector<double>> ToDoubles(const Tensor& tensor);

// Writes or reads elements the way files pack types below 8 bits: low bits first.
std::vector<std::uint8_t> PackBits(const Tensor& tensor);
Result<Tensor> UnpackBits(DType dtype, Dims dims, std::span<const std::uint8_t> packed);

}  // namespace athanor
