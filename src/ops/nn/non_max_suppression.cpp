#include <algorithm>
#include <limits>
#include <numeric>

#include "ops/nn/nn.h"

namespace athanor::ops {
namespace {

struct NmsAttrs {
  bool center_point_box = false;
  template <class V>
  void Visit(V& v) {
    v("center_point_box", center_point_box,
      "boxes are [x center, y center, width, height], not [y1, x1, y2, x2] of two corners");
  }
};

enum Input : std::size_t { kBoxes, kScores, kMaxOutput, kIou, kScore };

Status InferNonMaxSuppression(InferCtx& ctx) {
  for (const Input i : {kBoxes, kScores, kIou, kScore}) {
    if (ctx.Has(i) && ctx.InDType(i) != DType::kF32)
      return InvalidModel("input {} is {}; f32 is expected", static_cast<int>(i),
                          Name(ctx.InDType(i)));
  }
  if (ctx.Has(kMaxOutput) && ctx.InDType(kMaxOutput) != DType::kI64)
    return InvalidModel("max_output_boxes_per_class must be i64");
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(kBoxes, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(kScores, 3));
  ATH_RETURN_IF_ERROR(ExpectDim(ctx, kBoxes, 2, 4));
  if (ctx.In(kBoxes).HasRank()) {
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kScores, 0, ctx.In(kBoxes).dim(0)));
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, kScores, 2, ctx.In(kBoxes).dim(1)));
  }
  ctx.out[0] = Type::Tensor(DType::kI64, {Dim::Unknown(), 3});
  return {};
}

struct Box {
  float top = 0, left = 0, bottom = 0, right = 0;
  float Area() const { return (bottom - top) * (right - left); }
};

// From two opposite corners in any order, or from center and size.
Box MakeBox(const float* b, bool center) {
  if (center) return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}

bool Overlap(const Box& a, const Box& b, float threshold) {
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(height > 0 && width > 0) || !(a.Area() > 0 && b.Area() > 0)) return false;
  const float common = height * width;
  return common / (a.Area() + b.Area() - common) > threshold;
}

Result<float> Threshold(const RefCtx& ctx, Input input, float otherwise) {
  if (!ctx.Has(input)) return otherwise;
  if (ctx.In(input).count() != 1)
    return DataError("input {} must be one number", static_cast<int>(input));
  return ctx.Data<float>(input)[0];
}

Status NonMaxSuppressionReference(RefCtx& ctx) {
  const bool center = ctx.Attrs<NmsAttrs>().center_point_box;
  const Dims &box_dims = ctx.In(kBoxes).dims(), &dims = ctx.In(kScores).dims();
  const std::int64_t classes = dims[1], boxes = dims[2];
  std::int64_t most = 0;
  if (ctx.Has(kMaxOutput)) {
    if (ctx.In(kMaxOutput).count() != 1)
      return DataError("max_output_boxes_per_class must be one number");
    most = std::max<std::int64_t>(0, ctx.Data<std::int64_t>(kMaxOutput)[0]);
  }
  ATH_TRY(const float iou, Threshold(ctx, kIou, 0));
  ATH_TRY(const float lowest, Threshold(ctx, kScore, -std::numeric_limits<float>::infinity()));
  if (!(iou >= 0 && iou <= 1)) return DataError("iou_threshold is {}; [0, 1] is expected", iou);
  std::vector<std::int64_t> chosen;
  std::vector<std::int64_t> order(static_cast<std::size_t>(boxes));
  for (std::int64_t b = 0; b < box_dims[0]; ++b) {
    const auto box = [&](std::int64_t i) {
      return MakeBox(ctx.Data<float>(kBoxes).data() + (b * boxes + i) * 4, center);
    };
    for (std::int64_t c = 0; c < classes; ++c) {
      const float* scores = ctx.Data<float>(kScores).data() + (b * classes + c) * boxes;
      std::iota(order.begin(), order.end(), 0);
      // A NaN never passes the threshold; ordering it as the lowest keeps the order strict.
      const auto key = [&](std::int64_t i) {
        return scores[i] == scores[i] ? scores[i] : -std::numeric_limits<float>::infinity();
      };
      std::stable_sort(order.begin(), order.end(),
                       [&](std::int64_t i, std::int64_t j) { return key(i) > key(j); });
      std::vector<Box> kept;
      for (const std::int64_t i : order) {
        if (static_cast<std::int64_t>(kept.size()) >= most) break;
        if (!(scores[i] > lowest) && ctx.Has(kScore)) continue;
        const Box candidate = box(i);
        const bool hidden = std::any_of(kept.begin(), kept.end(),
                                        [&](const Box& k) { return Overlap(candidate, k, iou); });
        if (hidden) continue;
        kept.push_back(candidate);
        chosen.insert(chosen.end(), {b, c, i});
      }
    }
  }
  ATH_RETURN_IF_ERROR(
      ctx.Allocate(0, DType::kI64, {static_cast<std::int64_t>(chosen.size() / 3), 3}));
  std::copy(chosen.begin(), chosen.end(), ctx.OutData<std::int64_t>(0).begin());
  return {};
}

}  // namespace

OpDef NonMaxSuppression() {
  return {
      .name = "NonMaxSuppression",
      .summary =
          "Class by class, the boxes with the highest scores that do not overlap one chosen "
          "before.",
      .inputs = {{"boxes", "f32[batch, boxes, 4]"},
                 {"scores", "f32[batch, classes, boxes]"},
                 {"max_output_boxes_per_class", "i64, one number; 0 when omitted: none",
                  kOptionalPort},
                 {"iou_threshold", "f32, one number; 0 when omitted", kOptionalPort},
                 {"score_threshold", "f32, one number; lower scores do not count", kOptionalPort}},
      .outputs = {{"selected_indices", "i64[n, 3]: batch, class, box"}},
      .attributes = Describe<NmsAttrs>(),
      .traits = kPure | kDataDependent,
      .infer = InferNonMaxSuppression,
      .reference = NonMaxSuppressionReference,
  };
}

}  // namespace athanor::ops
