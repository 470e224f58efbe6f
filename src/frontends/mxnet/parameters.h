// The tensors of a .params file, by name ("arg:conv0_weight", "aux:bn0_moving_mean").
// Source: NDArray::Save and Load in MXNet 1.9's src/ndarray/ndarray.cc.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/tensor.h"
#include "frontends/mxnet/symbol.h"

namespace athanor::mxnet {

using Parameters = std::map<std::string, Tensor, std::less<>>;

bool IsParameters(Bytes bytes);
// `owner` keeps the bytes alive: elements are not copied where the file aligns them. Names come
// without "arg:" and "aux:".
Result<Parameters> ReadParameters(Bytes bytes, const std::shared_ptr<const void>& owner);

// kUndefined for a number that stands for no type here.
DType DTypeOfFlag(std::int64_t flag);
// "float32"
DType DTypeOfWord(std::string_view word);

}  // namespace athanor::mxnet
