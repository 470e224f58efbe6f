// For tests: runs every kernel that fits a node and compares it with the operator's reference.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace athanor::kernels {

inline constexpr float kCurveWord = 1.0F / 64;

struct KernelCase {
  std::string op;
  std::vector<Tensor> inputs;       // an undefined tensor: omitted
  std::vector<bool> constant = {};  // which inputs are known at planning time; none by default
  AttrMap attributes = {};
  std::size_t num_outputs = 1;
  // |kernel - reference| <= tolerance (1 + |reference|); of integers, steps when 1 or more.
  double tolerance = 1e-5;
  std::vector<std::string> epilogue = {};  // operators that follow
  std::vector<Tensor> operands = {};       // second inputs of those that are binary, in order
  // Of bytes: 256 results of each function that follows; before them may stand the operand of a
  // curve (int8/curve.h) whose words are kCurveWord.
  std::vector<Tensor> tables = {};
};

// How many kernels ran. Differences are reported as test failures.
int CheckKernels(const KernelCase& test);

// The same of another type: truncated to integers; bool from the sign.
Tensor RandomOf(DType dtype, Dims dims, unsigned seed = 1, float low = -2.0F, float high = 2.0F);
// A list of i64.
Tensor IntList(const std::vector<std::int64_t>& values);

// Values in [low, high), the same for the same seed.
Tensor RandomF32(Dims dims, unsigned seed = 1, float low = -2.0F, float high = 2.0F);

}  // namespace athanor::kernels
