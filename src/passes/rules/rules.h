// Every group of rules; the pipeline says when each runs.
#pragma once

#include "passes/rule.h"

namespace athanor::passes {

std::vector<Rule> IntegerRules();        // products of integers that become real numbers
std::vector<Rule> IdentityRules();       // nodes that change nothing
std::vector<Rule> MovementRules();       // chains of Transpose, Reshape, Squeeze, Slice ...
std::vector<Rule> TransposeRules();      // Transposes move towards each other
std::vector<Rule> ShapeRules();          // arithmetic on shapes
std::vector<Rule> LinearRules();         // scales and shifts into weights and biases
std::vector<Rule> ConvolutionRules();    // padding and parallel convolutions
std::vector<Rule> ActivationRules();     // Gelu, HardSwish, Mish ... from primitives
std::vector<Rule> NormalizationRules();  // LayerNormalization, RMSNormalization
std::vector<Rule> AttentionRules();      // Attention

}  // namespace athanor::passes
