#include "kernels/tree/table.h"

#include <algorithm>

namespace athanor::kernels {

std::optional<std::vector<PortInfo>> MadeOf(const KernelQuery& maker) {
  const auto is_table = [&](const PortInfo& port) {
    return port.given() && port.rank() == 2 && port.dtype == maker.in[0].dtype;
  };
  if (maker.in.empty() || maker.out.size() != 1 || !maker.epilogue.empty() ||
      !std::all_of(maker.in.begin(), maker.in.end(), is_table))
    return std::nullopt;
  const bool joins = maker.op->name == "Concat" && maker.Axis() == 1;
  const bool widens = maker.op->name == "Cast" && maker.in[0].dtype == DType::kF32 &&
                      maker.out[0].dtype == DType::kF64;
  if (!joins && !widens) return std::nullopt;
  return maker.in;
}

bool MayReadParts(const OpDef& op) { return op.name == "TreeEnsemble"; }

std::int64_t NumFeatures(const KernelQuery& q) {
  std::int64_t features = 0;
  for (std::size_t i = 0; i < q.own_inputs; ++i) features += q.in[i].dims[1];
  return features;
}

}  // namespace athanor::kernels
