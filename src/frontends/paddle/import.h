// PaddlePaddle's inference models: a program (.pdmodel, or .json of PaddlePaddle 3) and its
// parameters (.pdiparams).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace athanor::paddle {

bool IsPaddle(std::span<const std::uint8_t> bytes);

// `owner` keeps `parameters` alive: weights are not copied where the file aligns them. `parameters`
// are empty for a program that has none.
Result<Graph> Import(std::span<const std::uint8_t> program,
                     std::span<const std::uint8_t> parameters, std::shared_ptr<const void> owner);

// With the parameters that lie beside `path` under the same name, or in the file `weights`.
Result<Graph> ImportBeside(std::span<const std::uint8_t> program, const std::string& path,
                           const std::string& weights);

// The program in a folder; "" when there is none.
std::string ProgramIn(const std::string& folder);

// Whether it has a row for operators of this name.
bool Reads(std::string_view op);

}  // namespace athanor::paddle
