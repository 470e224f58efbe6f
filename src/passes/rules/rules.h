// Every group of rules; the pipeline says when each runs.
#pragma once

#include "passes/rule.h"

namespace athanor::passes {

std::vector<Rule> IdentityRules();  // nodes that change nothing
std::vector<Rule> MovementRules();  // chains of Transpose, Reshape, Squeeze, Slice ...
std::vector<Rule> ShapeRules();     // arithmetic on shapes

}  // namespace athanor::passes
