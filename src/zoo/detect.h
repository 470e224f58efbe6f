// What object detectors share: anchors, grids, boxes and the choice among them.
//
// Boxes are (x1, y1, x2, y2) in pixels of the input.
#pragma once

#include "zoo/blocks.h"

namespace athanor::zoo {

// [1, rows * columns * shapes.size(), 2] each: the centres (x, y) of the cells of a grid, in
// pixels, and the (width, height) of the anchors there; cells row by row, each with all shapes.
struct Anchors {
  std::vector<float> centres, sizes;

  struct Shape {
    double width, height;
  };
  // `offset`: where in the cell a centre lies; 0.5 is the middle.
  void AddGrid(std::int64_t rows, std::int64_t columns, double stride, double offset,
               std::span<const Shape> shapes);
  Var Centres(NetBuilder& net) const;
  Var Sizes(NetBuilder& net) const;
};

// [N, shapes * values, H, W] -> [N, H * W * shapes, values]
Var Rows(NetBuilder& net, Var head, std::int64_t values);

// [N, A, 2] twice -> [N, A, 4]
Var BoxesOf(NetBuilder& net, Var centres, Var sizes);

// Offsets [N, A, 4] (dx, dy, dw, dh) from anchors, as R-CNN defines them (Girshick et al., arXiv
// 1311.2524, appendix C): the centre moves by dx * width, the width grows by exp(dw). Growth is
// limited to 1000 / 16.
Var BoxesFromOffsets(NetBuilder& net, Var offsets, Var centres, Var sizes);

// Feature pyramid (Lin et al., arXiv 1612.03144): `channels` at every level, coarse levels added to
// finer ones.
std::vector<Var> FeaturePyramid(NetBuilder& net, std::vector<Var> levels, std::int64_t channels);

struct Suppression {
  std::int64_t per_class = 100;  // at most
  float overlap = 0.5F;
  float score = 0.05F;
};
// NonMaxSuppression over boxes [N, A, 4] and scores [N, classes, A]; the outputs "boxes" [K, 4],
// "scores" [K], "classes" [K] and "images" [K], where K depends on the data.
void OutputDetections(NetBuilder& net, Var boxes, Var scores, const Suppression& options);

}  // namespace athanor::zoo
