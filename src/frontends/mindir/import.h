// A network of MindSpore, .mindir, as a graph. Hostile input: every size is checked, unknown
// operators are listed at once.
#pragma once

#include <memory>
#include <span>

#include "ir/graph.h"

namespace athanor::mindir {

bool IsMindir(std::span<const std::uint8_t> bytes);

// `owner` keeps the bytes alive: parameters are not copied where the file aligns them.
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner);

}  // namespace athanor::mindir
