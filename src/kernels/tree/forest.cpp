#include "kernels/tree/forest.h"

#include <cmath>

#include "kernels/tree/table.h"
#include "ops/ml/tree_ensemble.h"

namespace athanor::kernels {

ForestSize SizeOf(const KernelQuery& q) {
  const auto trees = static_cast<double>(q.Ints("tree_roots").size());
  const auto nodes = static_cast<double>(q.Ints("nodes_featureids").size());
  return {.rows = static_cast<double>(q.in[0].dims[0]),
          .features = static_cast<double>(NumFeatures(q)),
          .trees = trees,
          .nodes = nodes,
          .depth = 1.1 * std::log2(1 + nodes / std::max(trees, 1.0))};
}

Fit FitsForest(const KernelQuery& q, DType dtype, bool columns) {
  if (q.out[0].dtype != dtype) return Fit::No(dtype == DType::kF32 ? "f32 only" : "f64 only");
  if (q.in[0].rank() != 2) return Fit::No("rows of features only");
  if (!columns && (q.own_inputs > 1 || q.in[0].dtype != dtype))
    return Fit::No("one table of the type of the sums only");
  if (q.Int("aggregate_function") > 1) return Fit::No("sums and averages only");
  if (q.Int("post_transform") != 0) return Fit::No("no transform of the scores");
  return Fit::Yes();
}

Result<ops::Forest> ForestFor(const KernelQuery& q) {
  ATH_TRY(ops::Forest forest, ops::ForestOf(*q.attributes));
  ATH_CHECK(forest.HasOneWeightPerLeaf(), "TreeEnsemble gives one to every leaf");
  constexpr std::size_t kMost = std::size_t{1} << 30;
  if (forest.nodes().size() + forest.num_leaves() > kMost)
    return Unsupported("more than {} nodes and leaves", kMost);
  return forest;
}

std::vector<KernelDef> ForestKernels() {
  std::vector<KernelDef> all = BinsForestKernels();
  for (const auto list : {MaskForestKernels, RowForestKernels, WalkForestKernels}) {
    for (KernelDef& def : list()) all.push_back(std::move(def));
  }
  return all;
}

}  // namespace athanor::kernels
