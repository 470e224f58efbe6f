#include "api/boxes.h"

#include <algorithm>
#include <cmath>

namespace athanor {
namespace {

double Area(const Box& box) {
  return std::max(0.0, box.x2 - box.x1) * std::max(0.0, box.y2 - box.y1);
}

struct Prior {
  double x, y, width, height;  // the centre, in fractions of the input
};

// Rows, columns, sizes: the order in which SSD networks give their rows. At most `rows` of them.
std::vector<Prior> MakePriors(const package::SsdDecode& ssd, io::Size input, std::size_t rows) {
  std::vector<Prior> priors;
  const auto width = static_cast<double>(input.width), height = static_cast<double>(input.height);
  const auto limit = [](double value) { return std::clamp(value, 0.0, 1.0); };
  for (const package::PriorMap& map : ssd.priors) {
    const std::int64_t rows_of_map = (input.height + map.stride - 1) / map.stride;
    const std::int64_t columns = (input.width + map.stride - 1) / map.stride;
    // From one centre to the next, in fractions of the input.
    const auto stride = static_cast<double>(map.stride);
    const double dx = ssd.centres_by_stride ? stride / width : 1 / static_cast<double>(columns);
    const double dy =
        ssd.centres_by_stride ? stride / height : 1 / static_cast<double>(rows_of_map);
    for (std::int64_t j = 0; j < rows_of_map; ++j) {
      for (std::int64_t i = 0; i < columns; ++i) {
        for (const double size : map.boxes) {
          if (priors.size() > rows) return priors;
          priors.push_back({limit((static_cast<double>(i) + 0.5) * dx),
                            limit((static_cast<double>(j) + 0.5) * dy), limit(size / width),
                            limit(size / height)});
        }
      }
    }
  }
  return priors;
}

}  // namespace

double Overlap(const Box& a, const Box& b) {
  const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
  const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  if (width <= 0 || height <= 0) return 0;
  const double both = width * height;
  return both / (Area(a) + Area(b) - both);
}

std::vector<Box> Suppress(std::vector<Box> boxes, const BoxOptions& options) {
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const Box& a, const Box& b) { return a.score > b.score; });
  if (boxes.size() > options.most) boxes.resize(options.most);
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
                           std::size_t classes, double min_score) {
  std::vector<Box> boxes;
  for (std::size_t i = 0; i < corners.size() / 4; ++i) {
    const auto row = scores.subspan(i * classes, classes);
    const std::size_t first = classes > 1 ? 1 : 0;
    const auto best = std::max_element(row.begin() + static_cast<std::ptrdiff_t>(first), row.end());
    if (!(*best >= min_score)) continue;
    boxes.push_back({static_cast<std::size_t>(best - row.begin()), *best, corners[4 * i],
                     corners[4 * i + 1], corners[4 * i + 2], corners[4 * i + 3]});
  }
  return boxes;
}

bool AreCorners(std::span<const double> rows) {
  constexpr double kMostExceptions = 0.1;  // networks may turn over a box they do not believe in
  std::size_t wrong = 0;
  for (std::size_t i = 0; i + 4 <= rows.size(); i += 4) {
    if (!(rows[i] <= rows[i + 2] && rows[i + 1] <= rows[i + 3])) ++wrong;
  }
  return static_cast<double>(wrong) <= kMostExceptions * static_cast<double>(rows.size() / 4);
}

Result<std::vector<double>> DecodeSsd(std::span<const double> offsets,
                                      const package::SsdDecode& ssd, io::Size input) {
  const std::vector<Prior> priors = MakePriors(ssd, input, offsets.size() / 4);
  if (priors.size() * 4 != offsets.size()) {
    return Error(ErrorCode::kInvalidInput,
                 "the network gives {} boxes; the priors of an input of {} x {} are {}{}",
                 offsets.size() / 4, input.width, input.height,
                 priors.size() * 4 > offsets.size() ? "more than " : "",
                 std::min(priors.size(), offsets.size() / 4))
        .Fix("check strides and boxes of ssd_decode, and the size the picture is resized to");
  }
  std::vector<double> corners(offsets.size());
  for (std::size_t i = 0; i < priors.size(); ++i) {
    const Prior& prior = priors[i];
    const double* o = &offsets[4 * i];
    const double x = prior.x + o[0] * ssd.centre_variance * prior.width;
    const double y = prior.y + o[1] * ssd.centre_variance * prior.height;
    const double width = prior.width * std::exp(o[2] * ssd.size_variance);
    const double height = prior.height * std::exp(o[3] * ssd.size_variance);
    corners[4 * i] = x - width / 2;
    corners[4 * i + 1] = y - height / 2;
    corners[4 * i + 2] = x + width / 2;
    corners[4 * i + 3] = y + height / 2;
  }
  return corners;
}

}  // namespace athanor
