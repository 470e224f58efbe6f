// Boxes of detectors: from the network's numbers to the few that are shown.
#pragma once

#include <span>
#include <vector>

#include "package/pipeline.h"

namespace athanor {

// Corners: fractions of the picture or pixels, as the maker says.
struct Box {
  std::size_t label = 0;
  double score = 0;
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

// Intersection over union, 0..1.
double Overlap(const Box& a, const Box& b);

struct BoxOptions {
  double min_score = 0.5;
  double max_overlap = 0.45;  // intersection over union above which the weaker of a class goes
  std::size_t most = 1000;    // strongest boxes looked at
};

// Greedy suppression per class, strongest first.
std::vector<Box> Suppress(std::vector<Box> boxes, const BoxOptions& options);

// The best class of each row of `scores` with its four corners. With two or more classes the first
// is the background, as SSD and its kin have it.
std::vector<Box> FromPairs(std::span<const double> corners, std::span<const double> scores,
                           std::size_t classes, double min_score);

// False when the rows cannot be corners (x1, y1, x2, y2): they are offsets still to be decoded.
bool AreCorners(std::span<const double> rows);

// Offsets of an SSD detector with an input of this size to corners in fractions. Fails when there
// are not as many rows as the priors say.
Result<std::vector<double>> DecodeSsd(std::span<const double> offsets,
                                      const package::SsdDecode& ssd, io::Size input);

}  // namespace athanor
