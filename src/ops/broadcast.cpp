#include "ops/broadcast.h"

#include "core/checked.h"

namespace athanor::ops {

Result<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  const std::size_t skip = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    const Dim& x = longer[skip + i];
    const Dim& y = shorter[i];
    if (x == y || y.Is(1)) continue;
    if (x.Is(1)) {
      out[skip + i] = y;
    } else if (x.IsConst() && y.IsConst()) {
      return InvalidModel("shapes {} and {} cannot be broadcast together", ToString(a),
                          ToString(b));
    } else if (!x.IsConst()) {
      // A number other than 1 wins over a symbol; two different symbols stay unknown.
      out[skip + i] = y.IsConst() ? y : Dim::Unknown();
    }
  }
  return out;
}

Result<Type> BroadcastInputs(const InferCtx& ctx, DType dtype, std::size_t first,
                             std::size_t last) {
  Shape shape;
  for (std::size_t i = first; i < last; ++i) {
    if (!ctx.Has(i)) continue;
    if (!ctx.In(i).HasRank()) return Type::TensorOfUnknownRank(dtype);
    ATH_TRY(shape, BroadcastShapes(shape, *ctx.In(i).shape));
  }
  return Type::Tensor(dtype, std::move(shape));
}

Dims Strides(std::span<const std::int64_t> dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return strides;
}

BroadcastWalk::BroadcastWalk(const Dims& out, std::span<const Dims* const> inputs)
    : out_(out), index_(out.size(), 0), offsets_(inputs.size(), 0), left_(*CheckedCount(out)) {
  for (const Dims* dims : inputs) {
    const Dims own = Strides(*dims);
    Dims strides(out.size(), 0);
    const std::size_t skip = out.size() - dims->size();
    for (std::size_t i = 0; i < dims->size(); ++i) strides[skip + i] = (*dims)[i] == 1 ? 0 : own[i];
    strides_.push_back(std::move(strides));
  }
}

void BroadcastWalk::Next() {
  --left_;
  for (std::size_t axis = out_.size(); axis-- > 0;) {
    ++index_[axis];
    for (std::size_t k = 0; k < offsets_.size(); ++k) offsets_[k] += strides_[k][axis];
    if (index_[axis] < out_[axis]) return;
    for (std::size_t k = 0; k < offsets_.size(); ++k) offsets_[k] -= strides_[k][axis] * out_[axis];
    index_[axis] = 0;
  }
}

BroadcastRuns::BroadcastRuns(const Dims& out, std::span<const Dims* const> inputs)
    : offsets_(inputs.size(), 0), steps_(inputs.size(), 0) {
  std::vector<Dims> own;
  for (const Dims* dims : inputs) own.push_back(Strides(*dims));
  for (std::size_t axis = 0; axis < out.size(); ++axis) {
    if (out[axis] == 1) continue;
    Dims strides(inputs.size(), 0);
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      const Dims& dims = *inputs[k];
      const std::size_t skip = out.size() - dims.size();
      if (axis >= skip && dims[axis - skip] != 1) strides[k] = own[k][axis - skip];
    }
    bool joins = !out_.empty();
    for (std::size_t k = 0; joins && k < inputs.size(); ++k)
      joins = strides_.back()[k] == strides[k] * out[axis];
    if (joins) {
      out_.back() *= out[axis];
      strides_.back() = std::move(strides);
    } else {
      out_.push_back(out[axis]);
      strides_.push_back(std::move(strides));
    }
  }
  if (!out_.empty()) {
    length_ = out_.back();
    steps_ = strides_.back();
    out_.pop_back();
    strides_.pop_back();
  }
  index_.assign(out_.size(), 0);
  left_ = *CheckedCount(out) == 0 ? 0 : *CheckedCount(out_);
}

void BroadcastRuns::Next() {
  --left_;
  for (std::size_t axis = out_.size(); axis-- > 0;) {
    for (std::size_t k = 0; k < offsets_.size(); ++k) offsets_[k] += strides_[axis][k];
    if (++index_[axis] < out_[axis]) return;
    for (std::size_t k = 0; k < offsets_.size(); ++k) offsets_[k] -= strides_[axis][k] * out_[axis];
    index_[axis] = 0;
  }
}

Result<std::int64_t> NormalizeAxis(std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank)
    return InvalidModel("axis {} is outside [{}, {}]", axis, -rank, rank - 1);
  return axis < 0 ? axis + rank : axis;
}

}  // namespace athanor::ops
