// The text form of a graph: what people read in dumps and write in tests. One node per line.
//
//   graph main(x: f32[N, 4], flag: bool[]) -> (y: f32[N, 3], z = %kept: f32[N, 3]) {
//     const %w: f32[4, 3] = random(7)
//     const %axes: i64[1] = [-1]
//     %a: f32[N, 3] = MatMul(%x, %w) @first
//     %kept: f32[N, 3] = Softmax(%a) {axis = 1}
//     %y: f32[N, 3] = If(%flag; %a)
//       then_branch = graph then_branch(a: f32[N, 3]) -> (a: f32[N, 3]) {
//       }
//       else_branch = graph else_branch(a: f32[N, 3]) -> (r: f32[N, 3]) {
//         %r: f32[N, 3] = Relu(%a)
//       }
//   }
//
// * Types of nodes may be left out; they are inferred, and checked when present.
// * A graph output without "= %value" is the value of its own name.
// * "_" is an omitted input or output. After ";" come the values that the sub-graphs capture.
// * Names: letters, digits, "_", "." and "/" stand bare, anything else in quotes: %"a:0". "#2"
// tells
//   values of one name apart and is not part of the name; "%#3" has no name. "@name" names the
//   node.
// * A constant is a number, a list of all elements in row-major order, fill(NUMBER), base64"...",
//   or random(SEED): splitmix64 started at SEED, each element (next >> 40) / 2^23 - 1 in [-1, 1)
//   (integers: next >> 40 modulo 256, minus 128 for signed types; bool: the low bit of next >> 40).
// * "//" starts a comment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace athanor {

enum class ConstantText : std::uint8_t {
  kComplete,  // every element: the text reads back as the same graph
  kElide,     // large constants become a digest: for people
};

struct TextOptions {
  ConstantText constants = ConstantText::kComplete;
  std::int64_t inline_elements = 16;  // a constant of at most so many is always written as a list
};

std::string PrintText(const Graph& graph, const TextOptions& options = {});

// Fails with the line and column. The catalogue outlives the graph.
Result<Graph> ParseText(std::string_view text, const Catalog& catalog);

// "f32[N, 3]", "f32[...]", "seq(i64[])", "optional(f32[2])": what Type::ToString wrote.
Result<Type> ParseType(std::string_view text);

}  // namespace athanor
