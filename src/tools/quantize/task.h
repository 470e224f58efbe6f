// What a network is for, as far as its operators tell, and which numbers usually suit it.
#pragma once

#include <string>

#include "ir/graph.h"

namespace athanor::tools {

enum class Task : std::uint8_t { kOther, kVision, kSpeech, kText };

std::string_view Name(Task task);
Task TaskOf(const Graph& graph);
// What to try first instead of activations of 8 bits; "" where these are it.
std::string AdviceFor(Task task);

}  // namespace athanor::tools
