#include "tools/boxes.h"

#include <algorithm>

namespace athanor::tools {
namespace {

double Area(const Box& box) {
  return std::max(0.0, box.x2 - box.x1) * std::max(0.0, box.y2 - box.y1);
}

double Overlap(const Box& a, const Box& b) {
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  if (width <= 0 || height <= 0) return 0;
  const double both = width * height;
  return both / (Area(a) + Area(b) - both);
}

// Greedy suppression per class, strongest first.
std::vector<Box> Suppress(std::vector<Box> boxes, const BoxOptions& options) {
  constexpr std::size_t kMost = 1000;
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const Box& a, const Box& b) { return a.score > b.score; });
  if (boxes.size() > kMost) boxes.resize(kMost);
  std::vector<Box> kept;
  for (const Box& box : boxes) {
    const bool hidden = std::any_of(kept.begin(), kept.end(), [&](const Box& stronger) {
      return stronger.label == box.label && Overlap(stronger, box) > options.max_overlap;
    });
    if (!hidden) kept.push_back(box);
  }
  return kept;
}

std::vector<Box> FromPairs(std::span<const double> corners, std::span<const double> scores,
                           std::size_t classes, const BoxOptions& options) {
  std::vector<Box> boxes;
  for (std::size_t i = 0; i < corners.size() / 4; ++i) {
    const auto row = scores.subspan(i * classes, classes);
    // With two or more classes the first is the background, as SSD and its kin have it.
    const std::size_t first = classes > 1 ? 1 : 0;
    const auto best = std::max_element(row.begin() + static_cast<std::ptrdiff_t>(first), row.end());
    if (!(*best >= options.min_score)) continue;
    boxes.push_back({static_cast<std::size_t>(best - row.begin()), *best, corners[4 * i],
                     corners[4 * i + 1], corners[4 * i + 2], corners[4 * i + 3]});
  }
  return boxes;
}

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

std::optional<std::vector<Box>> FindBoxes(const std::vector<NamedOutput>& outputs,
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
      return Suppress(FromPairs(*corners, *values, classes, options), options);
    }
  }
  return std::nullopt;
}

}  // namespace athanor::tools
