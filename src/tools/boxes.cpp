#include "tools/boxes.h"

#include <algorithm>

namespace athanor::tools {
namespace {

std::vector<Box> FromRows(std::span<const double> rows, const BoxOptions& options) {
  std::vector<Box> boxes;
  for (std::size_t i = 0; i + 7 <= rows.size(); i += 7) {
    const auto row = rows.subspan(i, 7);
    if (!(row[2] >= options.min_score) || row[1] < 0) continue;
    boxes.push_back({static_cast<std::size_t>(row[1]), row[2], row[3], row[4], row[5], row[6]});
  }
  return boxes;
}

bool IsPairOf(const Tensor& boxes, const Tensor& scores) {
  return boxes.rank() == 3 && boxes.dim(0) == 1 && boxes.dim(2) == 4 && scores.rank() == 3 &&
         scores.dim(0) == 1 && scores.dim(1) == boxes.dim(1) && scores.dim(2) >= 1 &&
         IsFloat(boxes.dtype()) && IsFloat(scores.dtype());
}

}  // namespace

Result<std::vector<Box>> FindBoxes(const std::vector<NamedOutput>& outputs,
                                   const BoxOptions& options) {
  for (const NamedOutput& output : outputs) {
    const Tensor& t = output.tensor;
    if (t.rank() != 4 || t.dim(0) != 1 || t.dim(1) != 1 || t.dim(3) != 7 || !IsFloat(t.dtype()))
      continue;
    const auto rows = ToDoubles(t);
    if (rows.ok()) return Suppress(FromRows(*rows, options), options);
  }
  for (const NamedOutput& boxes : outputs) {
    for (const NamedOutput& scores : outputs) {
      if (&boxes == &scores || !IsPairOf(boxes.tensor, scores.tensor)) continue;
      const auto corners = ToDoubles(boxes.tensor), values = ToDoubles(scores.tensor);
      if (!corners.ok() || !values.ok()) continue;
      const auto classes = static_cast<std::size_t>(scores.tensor.dim(2));
      if (!AreCorners(*corners)) {
        return Error(
                   ErrorCode::kInvalidInput,
                   "\"{}\" holds no corners (x1, y1, x2, y2): these are offsets that still have to "
                   "be decoded with the detector's priors",
                   boxes.name)
            .Fix("run it as a package with a stage ssd_decode: docs/packages.md");
      }
      return Suppress(FromPairs(*corners, *values, classes, options.min_score), options);
    }
  }
  return Error(
      ErrorCode::kInvalidInput,
      "no output looks like boxes: [1, N, 4] with scores [1, N, classes], or [1, 1, N, 7]");
}

}  // namespace athanor::tools
