// Element types, shapes and constants as TensorFlow writes them.
#pragma once

#include "core/tensor.h"
#include "frontends/tensorflow/schema.h"
#include "ir/type.h"

namespace athanor::tensorflow {

// An error for a type that has no counterpart (resource, variant, quantised).
Result<DType> DTypeOf(std::int32_t type);

// Unknown sizes become symbols named after `name`.
Result<Type> TypeOf(std::int32_t dtype, const ShapeProto& shape, std::string_view name);

// `owner` keeps the file alive: the elements are not copied where the file aligns them.
Result<Tensor> ReadTensor(const TensorProto& proto, const std::shared_ptr<const void>& owner);

// Elements in memory of the file as a tensor; copied only where they are not aligned.
Result<Tensor> ViewOrCopy(DType dtype, Dims dims, Bytes bytes,
                          const std::shared_ptr<const void>& owner);

}  // namespace athanor::tensorflow
