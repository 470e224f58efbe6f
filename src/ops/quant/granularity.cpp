#include "ops/quant/granularity.h"

#include "ops/broadcast.h"

namespace athanor::ops {
namespace {

bool IsOneElement(const Type& type) {
  for (const Dim& dim : *type.shape) {
    if (!dim.Is(1)) return false;
  }
  return true;
}

// Different for certain.
bool Differ(const Dim& a, const Dim& b) {
  return a.IsConst() && b.IsConst() && a.value() != b.value();
}

Status CheckPerAxis(const Type& data, const Type& scale, std::int64_t axis) {
  if (scale.rank() != 1) {
    return InvalidModel(
        "a scale of type {} needs a block_size; without one a scalar or a vector is expected",
        scale.ToString());
  }
  if (scale.dim(0).IsUnknown()) return {};  // may turn out to be one element
  ATH_TRY(axis, NormalizeAxis(axis, data.rank()));
  if (Differ(scale.dim(0), data.dim(axis))) {
    return InvalidModel("{} scales do not fit axis {} of {}", scale.dim(0).ToString(), axis,
                        data.ToString());
  }
  return {};
}

Status CheckBlocks(const Type& data, const Type& scale, std::int64_t axis,
                   std::int64_t block_size) {
  if (scale.rank() != data.rank()) {
    return InvalidModel("blocked scales must have the rank of the data; {} and {} are given",
                        scale.ToString(), data.ToString());
  }
  ATH_TRY(axis, NormalizeAxis(axis, data.rank()));
  for (std::int64_t i = 0; i < data.rank(); ++i) {
    const Dim expected = i == axis ? CeilDiv(data.dim(i), block_size) : data.dim(i);
    if (Differ(scale.dim(i), expected)) {
      return InvalidModel("scales {} do not fit {} with blocks of {} along axis {}",
                          scale.ToString(), data.ToString(), block_size, axis);
    }
  }
  return {};
}

}  // namespace

Status CheckGranularity(const InferCtx& ctx, std::int64_t axis, std::int64_t block_size) {
  if (block_size < 0) return InvalidModel("block_size is {}; 0 or more is expected", block_size);
  const Type& data = ctx.In(0);
  const Type& scale = ctx.In(1);
  if (!data.IsTensor() || !scale.IsTensor()) return InvalidModel("tensors are expected");
  if (ctx.Has(2) && scale.HasRank() && ctx.In(2).HasRank() && !IsOneElement(ctx.In(2))) {
    const Type& zero = ctx.In(2);
    bool same = zero.rank() == scale.rank();
    for (std::int64_t i = 0; same && i < zero.rank(); ++i)
      same = !Differ(zero.dim(i), scale.dim(i));
    if (!same) {
      return InvalidModel("zero point {} does not have the shape of the scale {}", zero.ToString(),
                          scale.ToString());
    }
  }
  if (!data.HasRank() || !scale.HasRank() || IsOneElement(scale)) return {};
  return block_size == 0 ? CheckPerAxis(data, scale, axis)
                         : CheckBlocks(data, scale, axis, block_size);
}

Granularity::Granularity(const Tensor& data, const Tensor& scale, std::int64_t axis,
                         std::int64_t block_size) {
  if (scale.count() == 1) return;
  const Result<std::int64_t> at = NormalizeAxis(axis, data.rank());
  ATH_CHECK(at.ok(), "CheckGranularity has looked at the axis");
  kind_ = block_size == 0 ? Kind::kAxis : Kind::kBlock;
  length_ = static_cast<std::size_t>(data.dim(*at));
  for (std::int64_t i = *at + 1; i < data.rank(); ++i)
    inner_ *= static_cast<std::size_t>(data.dim(i));
  if (kind_ == Kind::kBlock) {
    block_ = static_cast<std::size_t>(block_size);
    blocks_ = static_cast<std::size_t>(scale.dim(*at));
  }
}

std::size_t Granularity::ScaleOf(std::size_t element) const {
  if (kind_ == Kind::kTensor) return 0;
  const std::size_t along = element / inner_ % length_;
  if (kind_ == Kind::kAxis) return along;
  const std::size_t outer = element / inner_ / length_;
  return (outer * blocks_ + along / block_) * inner_ + element % inner_;
}

}  // namespace athanor::ops
