// NonMaxSuppression: class by class, candidates from the highest score down, each kept unless it
// overlaps one that was kept before.
#include <algorithm>
#include <limits>

#include "kernels/vision/vision.h"

namespace athanor::kernels {
namespace {

enum Input : std::size_t { kBoxes, kScores, kMaxOutput, kIou, kScore };

struct Box {
  float top = 0, left = 0, bottom = 0, right = 0, area = 0;
};

struct Candidate {
  float score = 0;
  std::int32_t index = 0;
};

struct State {
  std::int64_t batch = 0, classes = 0, boxes = 0;
  bool center = false;
};

std::int64_t Most(const KernelQuery& q) {
  const Dims& dims = q.in[kScores].dims;
  if (dims.size() != 3) return 0;
  std::int64_t each = dims[2];
  if (const auto most = q.ConstInts(kMaxOutput); most && most->size() == 1)
    each = std::clamp<std::int64_t>(most->front(), 0, each);
  return dims[0] * dims[1] * each;
}

Fit Fits(const KernelQuery& q) {
  for (const Input i : {kMaxOutput, kIou, kScore}) {
    if (q.Has(i) && q.in[i].count() != 1) return Fit::No("a limit is not one number");
  }
  if (q.in[kScores].dims[2] > std::numeric_limits<std::int32_t>::max())
    return Fit::No("too many boxes");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 20 * static_cast<double>(q.in[kScores].count()), 0);
}

std::int64_t Aligned(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const Dims& dims = q.in[kScores].dims;
  *state = {dims[0], dims[1], dims[2], q.Int("center_point_box") != 0};
  return Prepared{state, Aligned(dims[2] * static_cast<std::int64_t>(sizeof(Box))) * 2 +
                             Aligned(dims[2] * static_cast<std::int64_t>(sizeof(Candidate)))};
}

Box MakeBox(const float* b, bool center) {
  Box box;
  if (center) {
    box = {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  } else {
    box = {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
  }
  box.area = (box.bottom - box.top) * (box.right - box.left);
  return box;
}

bool Overlap(const Box& a, const Box& b, float threshold) {
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (!(height > 0 && width > 0) || !(a.area > 0 && b.area > 0)) return false;
  const float common = height * width;
  return common / (a.area + b.area - common) > threshold;
}

struct Limits {
  std::int64_t most = 0;
  float iou = 0, score = 0;
  bool by_score = false;
};

// Appends the boxes of one class to `out`; gives how many there are then.
std::int64_t ChooseClass(const State& s, const Limits& limits, const float* scores,
                         const Box* boxes, Candidate* candidates, Box* kept, std::int64_t b,
                         std::int64_t c, std::int64_t* out, std::int64_t found) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < s.boxes; ++i) {
    if (limits.by_score && !(scores[i] > limits.score)) continue;
    // A NaN is ordered as the lowest, which keeps the order strict.
    const float key = scores[i] == scores[i] ? scores[i] : -std::numeric_limits<float>::infinity();
    candidates[count++] = {key, static_cast<std::int32_t>(i)};
  }
  std::sort(candidates, candidates + count, [](const Candidate& x, const Candidate& y) {
    return x.score > y.score || (x.score == y.score && x.index < y.index);
  });
  std::int64_t chosen = 0;
  for (std::int64_t i = 0; i < count && chosen < limits.most; ++i) {
    const Box& box = boxes[candidates[i].index];
    const bool hidden = std::any_of(
        kept, kept + chosen, [&](const Box& before) { return Overlap(box, before, limits.iou); });
    if (hidden) continue;
    kept[chosen++] = box;
    std::int64_t* row = out + 3 * found++;
    row[0] = b;
    row[1] = c;
    row[2] = candidates[i].index;
  }
  return found;
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  Limits limits = {.most = 0, .iou = 0, .score = 0, .by_score = args.In(kScore) != nullptr};
  if (const auto* most = args.In<std::int64_t>(kMaxOutput))
    limits.most = std::max<std::int64_t>(0, *most);
  if (args.In(kIou) != nullptr) limits.iou = *args.In(kIou);
  if (limits.by_score) limits.score = *args.In(kScore);
  *args.found = 0;
  if (!(limits.iou >= 0 && limits.iou <= 1)) {
    args.data_error->store("iou_threshold is outside [0, 1]", std::memory_order_relaxed);
    return;
  }
  const std::int64_t box_bytes = Aligned(s.boxes * static_cast<std::int64_t>(sizeof(Box)));
  auto* boxes = reinterpret_cast<Box*>(args.scratch);
  auto* kept = reinterpret_cast<Box*>(args.scratch + box_bytes);
  auto* candidates = reinterpret_cast<Candidate*>(args.scratch + 2 * box_bytes);
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t i = 0; i < s.boxes; ++i)
      boxes[i] = MakeBox(args.In(kBoxes) + (b * s.boxes + i) * 4, s.center);
    for (std::int64_t c = 0; c < s.classes; ++c) {
      *args.found = ChooseClass(s, limits, args.In(kScores) + (b * s.classes + c) * s.boxes, boxes,
                                candidates, kept, b, c, args.Out<std::int64_t>(0), *args.found);
    }
  }
}

}  // namespace

std::vector<KernelDef> NmsKernels() {
  return {{.name = "NonMaxSuppression.f32",
           .op = "NonMaxSuppression",
           .fits = Fits,
           .cost_ns = Cost,
           .most = Most,
           .prepare = Prepare,
           .run = Run}};
}

}  // namespace athanor::kernels
