// TreeEnsemble and LinearTreeEnsemble. Four ways to the same sums, whichever is the fastest for a
// model and a number of rows: `bins` makes all tests of a tree for 64 rows at once, `masks` for one
// row; `rows` walks sixteen trees side by side with one row, `walk` eight rows side by side down
// one tree, whose leaves may be linear.
#pragma once

#include "kernels/kernel.h"
#include "ops/ml/forest.h"

namespace athanor::kernels {

std::vector<KernelDef> ForestKernels();
// Of CombinationStatistics: what trees look at besides numbers.
std::vector<KernelDef> CombinationKernels();

std::vector<KernelDef> BinsForestKernels();
std::vector<KernelDef> MaskForestKernels();
std::vector<KernelDef> RowForestKernels();
std::vector<KernelDef> WalkForestKernels();

// What a forest costs, from its attributes alone. Depths are those of balanced trees and a bit.
struct ForestSize {
  double rows = 0, features = 0, trees = 0, nodes = 0;
  double depth = 0;  // of an average tree
};
ForestSize SizeOf(const KernelQuery& q);

// What all of them ask, of sums of this type; `columns`: of a kernel that reads a Table (table.h),
// where others take one input of the type of the sums.
Fit FitsForest(const KernelQuery& q, DType dtype, bool columns = false);
// The checked forest of a node that fits.
Result<ops::Forest> ForestFor(const KernelQuery& q);

}  // namespace athanor::kernels
