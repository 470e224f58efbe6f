// What measurements taught about the costs of convolutions.
//
// The cost model says how long arithmetic and traffic take; what it leaves out (how well tiles fill
// the registers, how caches and threads share the work) is a factor that depends on the shape. A
// formula for it was fitted to the times of `athanor bench --kernels conv` by
// scripts/learn_kernels.py, which writes learned_table.cpp.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "kernels/kernel.h"

namespace athanor::kernels {

constexpr std::size_t kLearnedFeatures = 16;
using LearnedFeatures = std::array<double, kLearnedFeatures>;

// What the formulas read: the shape, the instruction set and the threads. `q` is a convolution of
// one or two axes, and knows its kernel.
LearnedFeatures FeaturesOf(const KernelQuery& q);

// The logarithm of the factor for one kernel, summed over features.
struct LearnedRow {
  std::string_view kernel;  // "Conv.f32.direct.avx2"
  LearnedFeatures weights;
};
std::span<const LearnedRow> LearnedRows();  // in the order of names

// `cost_ns` corrected; as it is where nothing was learned about the kernel of `q`.
double LearnedNs(const KernelQuery& q, double cost_ns);

}  // namespace athanor::kernels
