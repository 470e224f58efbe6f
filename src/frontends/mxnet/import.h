// Networks of Apache MXNet: a symbol (-symbol.json) and its parameters (.params). Hostile input:
// every size is checked, unknown operators are listed at once.
//
// What is not among the parameters is an input; outputs have the names that MXNet gives them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace athanor::mxnet {

// A symbol, or a file of parameters, which is refused with a hint.
bool IsMxnet(std::span<const std::uint8_t> bytes);

// `owner` keeps `parameters` alive: weights are not copied where the file aligns them.
Result<Graph> Import(std::span<const std::uint8_t> symbol, std::span<const std::uint8_t> parameters,
                     std::shared_ptr<const void> owner);

// With the parameters that lie beside `path` (NAME-symbol.json: NAME-0000.params), or in the file
// `weights`.
Result<Graph> ImportBeside(std::span<const std::uint8_t> symbol, const std::string& path,
                           const std::string& weights);

// Whether it has a row for operators of this name.
bool Reads(std::string_view op);

}  // namespace athanor::mxnet
