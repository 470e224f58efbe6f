#include "core/rows.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"

namespace athanor {

Result<Tensor> StackRows(std::span<const Tensor> parts) {
  if (parts.empty() || parts[0].rank() == 0)
    return Error(ErrorCode::kInvalidInput, "there are no rows to stack");
  Dims dims = parts[0].dims();
  dims[0] = 0;
  for (const Tensor& part : parts) {
    const bool fits = part.dtype() == parts[0].dtype() && part.dims().size() == dims.size() &&
                      std::equal(dims.begin() + 1, dims.end(), part.dims().begin() + 1);
    if (!fits) {
      return Error(ErrorCode::kInvalidInput, "{}{} cannot be stacked on {}{}", Name(part.dtype()),
                   ToString(part.dims()), Name(parts[0].dtype()), ToString(parts[0].dims()));
    }
    const auto rows = CheckedAdd(dims[0], part.dim(0));
    if (!rows) return Error(ErrorCode::kResource, "too many rows to stack");
    dims[0] = *rows;
  }
  ATH_TRY(Tensor stacked, Tensor::Allocate(parts[0].dtype(), std::move(dims)));
  std::size_t at = 0;
  for (const Tensor& part : parts) {
    if (part.dtype() == DType::kString) {
      const auto texts = part.Data<std::string>();
      std::copy(texts.begin(), texts.end(),
                stacked.MutableData<std::string>().begin() + static_cast<std::ptrdiff_t>(at));
      at += texts.size();
    } else if (part.bytes() > 0) {
      std::memcpy(static_cast<std::byte*>(stacked.mutable_raw()) + at, part.raw(), part.bytes());
      at += part.bytes();
    }
  }
  return stacked;
}

Tensor TakeRows(const Tensor& tensor, std::int64_t begin, std::int64_t rows) {
  ATH_CHECK(tensor.rank() > 0 && begin >= 0 && rows >= 0 && rows <= tensor.dim(0) - begin,
            "the caller has looked at the shape");
  Dims dims = tensor.dims();
  const std::int64_t row = tensor.dim(0) == 0 ? 0 : tensor.count() / tensor.dim(0);
  dims[0] = rows;
  const std::size_t offset = static_cast<std::size_t>(begin * row) * ElementBytes(tensor.dtype());
  return Tensor::View(tensor.dtype(), std::move(dims),
                      static_cast<const std::byte*>(tensor.raw()) + offset, tensor.owner());
}

}  // namespace athanor
