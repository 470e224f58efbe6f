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

bool IsListOf(const Tensor& boxes, const Tensor& scores) {
  return boxes.rank() == 2 && boxes.dim(1) == 4 && scores.rank() == 1 &&
         scores.dim(0) == boxes.dim(0) && IsFloat(boxes.dtype()) && IsFloat(scores.dtype());
}

// The classes of M boxes: M whole numbers, called so where several outputs are such.
const NamedOutput* ClassesOf(const std::vector<NamedOutput>& outputs, std::int64_t count) {
  const NamedOutput* found = nullptr;
  for (const NamedOutput& output : outputs) {
    const Tensor& t = output.tensor;
    if (t.rank() != 1 || t.dim(0) != count || !IsInteger(t.dtype())) continue;
    const bool called = output.name.find("class") != std::string::npos ||
                        output.name.find("label") != std::string::npos;
    if (called) return &output;
    if (found == nullptr) found = &output;
  }
  return found;
}

Result<std::vector<Box>> FromList(const Tensor& boxes, const Tensor& scores,
                                  const NamedOutput* classes, const BoxOptions& options) {
  ATH_TRY(const std::vector<double> corners, ToDoubles(boxes));
  ATH_TRY(const std::vector<double> values, ToDoubles(scores));
  std::vector<std::int64_t> labels(values.size());
  if (classes != nullptr) {
    ATH_TRY(labels, ToInts(classes->tensor));
  }
  std::vector<Box> found;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(values[i] >= options.min_score) || labels[i] < 0) continue;
    found.push_back({static_cast<std::size_t>(labels[i]), values[i], corners[4 * i],
                     corners[4 * i + 1], corners[4 * i + 2], corners[4 * i + 3]});
  }
  return Suppress(std::move(found), options);
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
  for (const NamedOutput& boxes : outputs) {
    for (const NamedOutput& scores : outputs) {
      if (!IsListOf(boxes.tensor, scores.tensor)) continue;
      return FromList(boxes.tensor, scores.tensor, ClassesOf(outputs, boxes.tensor.dim(0)),
                      options);
    }
  }
  return Error(
      ErrorCode::kInvalidInput,
      "no output looks like boxes: [1, N, 4] with scores [1, N, classes], [1, 1, N, 7], or "
      "[M, 4] with scores [M] and classes [M]");
}

}  // namespace athanor::tools
