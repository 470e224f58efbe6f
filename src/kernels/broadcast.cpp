#include "kernels/broadcast.h"

namespace athanor::kernels {

BroadcastLoop::BroadcastLoop(Dims out, std::span<const Dims> operands) : dims_(std::move(out)) {
  for (const Dims& operand : operands) strides_.push_back(BroadcastStrides(operand, dims_));
  Merge();
}

BroadcastLoop BroadcastLoop::Strided(Dims dims, std::vector<Dims> strides) {
  BroadcastLoop loop;
  loop.dims_ = std::move(dims);
  loop.strides_ = std::move(strides);
  loop.Merge();
  return loop;
}

void BroadcastLoop::Merge() {
  std::vector<Dims*> lists;
  for (Dims& list : strides_) lists.push_back(&list);
  MergeDims(dims_, lists);
  ATH_CHECK(strides_.size() <= kMostOperands && dims_.size() <= Walk::kMostDims,
            "FitsBroadcast was asked");
  for (std::size_t i = 0; i + 1 < dims_.size(); ++i) outer_ *= dims_[i];
}

void BroadcastLoop::Seek(std::int64_t row, Index& index, Offsets& offsets) const {
  for (std::size_t axis = dims_.size() - 1; axis-- > 0;) {
    index[axis] = row % dims_[axis];
    row /= dims_[axis];
    for (std::size_t k = 0; k < strides_.size(); ++k) offsets[k] += index[axis] * strides_[k][axis];
  }
}

Fit FitsBroadcast(const KernelQuery& query, std::size_t operands) {
  if (operands > BroadcastLoop::kMostOperands)
    return Fit::No(fmt::format("{} operands; at most {}", operands, BroadcastLoop::kMostOperands));
  if (query.out[0].rank() > 16) return Fit::No("more than 16 dimensions");
  return Fit::Yes();
}

}  // namespace athanor::kernels
