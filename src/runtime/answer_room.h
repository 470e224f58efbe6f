// Answers into memory of the caller.
#pragma once

#include <string_view>

#include "runtime/session.h"

namespace athanor {

// Whether an answer of this type and shape is what the memory is for.
Status CheckRoom(std::string_view output, DType dtype, std::span<const std::int64_t> dims,
                 const AnswerRoom& room);

// The same of an answer that is there, and copies it.
Status CopyInto(std::string_view output, const Datum& answer, const AnswerRoom& room);

// One room per output of the graph.
Status CheckCount(const Graph& graph, std::span<const AnswerRoom> rooms);

}  // namespace athanor
