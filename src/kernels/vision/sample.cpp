// GridSample of images, and AffineGrid.
#include <algorithm>
#include <array>

#include "kernels/vision/vision.h"
#include "ops/nn/grid_sample.h"

namespace athanor::kernels {
namespace {

// ---- GridSample

constexpr std::int64_t kPoints = 32;  // whose elements are found together, then read per channel
constexpr std::size_t kMostShares = 16;

struct GridState {
  ops::Sampling sampling;
  std::int64_t batch = 0, channels = 0, height = 0, width = 0, points = 0;
};

// One element of a plane and its share.
struct Share {
  std::int64_t offset = 0;
  float weight = 0;
};

struct Point {
  std::size_t count = 0;
  std::array<Share, kMostShares> shares;
};

Fit FitsGrid(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32 || q.in[1].dtype != DType::kF32) return Fit::No("f32 only");
  return q.in[0].rank() == 4 ? Fit::Yes() : Fit::No("two spatial axes only");
}

double CostGrid(const KernelQuery& q) {
  return RooflineNs(Isa::kBase, 16 * static_cast<double>(q.out[0].count()),
                    static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}

Result<Prepared> PrepareGrid(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<GridState>();
  ATH_TRY(state->sampling, ops::ReadSampling(ReadAttributes<ops::GridSampleAttrs>(*q.attributes)));
  const Dims &x = q.in[0].dims, &y = q.out[0].dims;
  state->batch = x[0];
  state->channels = x[1];
  state->height = x[2];
  state->width = x[3];
  state->points = y[2] * y[3];
  return Prepared{state, 0};
}

// The elements that a position (x, y) reads.
void FindShares(const ops::SampleAxis<float>& down, const ops::SampleAxis<float>& across,
                std::int64_t width, const float* position, Point& point) {
  const ops::SampleTaps<float> rows = down.Read(position[1]), columns = across.Read(position[0]);
  point.count = 0;
  for (std::size_t r = 0; r < rows.count; ++r) {
    for (std::size_t c = 0; c < columns.count; ++c) {
      if (rows.at[r] < 0 || columns.at[c] < 0) continue;
      point.shares[point.count++] = {rows.at[r] * width + columns.at[c],
                                     rows.weight[r] * columns.weight[c]};
    }
  }
}

void RunGrid(const KernelArgs& args) {
  const GridState& s = args.State<GridState>();
  const ops::SampleAxis<float> down(s.sampling, s.height), across(s.sampling, s.width);
  const std::int64_t pieces = (s.points + kPoints - 1) / kPoints, plane = s.height * s.width;
  Parallel(args, s.batch * pieces, 4, [&](std::int64_t begin, std::int64_t end, int) {
    std::array<Point, static_cast<std::size_t>(kPoints)> found;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t n = i / pieces, first = i % pieces * kPoints;
      const auto count = static_cast<std::size_t>(std::min(kPoints, s.points - first));
      const float* grid = args.In(1) + (n * s.points + first) * 2;
      for (std::size_t p = 0; p < count; ++p)
        FindShares(down, across, s.width, grid + 2 * p, found[p]);
      for (std::int64_t c = n * s.channels; c < (n + 1) * s.channels; ++c) {
        const float* x = args.In(0) + c * plane;
        float* y = args.Out(0) + c * s.points + first;
        for (std::size_t p = 0; p < count; ++p) {
          float sum = 0;
          for (std::size_t k = 0; k < found[p].count; ++k)
            sum += found[p].shares[k].weight * x[found[p].shares[k].offset];
          y[p] = sum;
        }
      }
    }
  });
}

// ---- AffineGrid

struct AffineState {
  std::int64_t batch = 0, rows = 1;        // rows: positions of all axes but the last
  std::vector<std::vector<float>> places;  // of the elements of each axis, from -1 to 1
};

Fit FitsAffine(const KernelQuery& q) {
  return q.in[0].dtype == DType::kF32 ? Fit::Yes() : Fit::No("f32 only");
}

double CostAffine(const KernelQuery& q) {
  return RooflineNs(Isa::kBase, 4 * static_cast<double>(q.out[0].count()),
                    static_cast<double>(q.out[0].bytes()));
}

// Centres of the corner elements lie at -1 and 1, or their outer edges do.
std::vector<float> PlacesOf(std::int64_t size, bool align_corners) {
  std::vector<float> places;
  const double step = 2.0 / static_cast<double>(align_corners ? size - 1 : size);
  const double first = align_corners ? -1 : -1 + step / 2;
  for (std::int64_t i = 0; i < size; ++i)
    places.push_back(size == 1 ? 0.0F : static_cast<float>(first + step * static_cast<double>(i)));
  return places;
}

Result<Prepared> PrepareAffine(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<AffineState>();
  const Dims& dims = q.out[0].dims;
  state->batch = dims[0];
  for (std::size_t a = 1; a + 1 < dims.size(); ++a) {
    state->places.push_back(PlacesOf(dims[a], q.Int("align_corners") != 0));
    if (a + 2 < dims.size()) state->rows *= dims[a];
  }
  return Prepared{state, 0};
}

// The last axis is x, the first coordinate: along it each coordinate is a line.
void RunAffine(const KernelArgs& args) {
  const AffineState& s = args.State<AffineState>();
  const std::size_t axes = s.places.size();
  const std::vector<float>& across = s.places.back();
  Parallel(args, s.batch * s.rows, 16, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t n = i / s.rows;
      const float* matrix = args.In(0) + n * static_cast<std::int64_t>(axes * (axes + 1));
      float* y = args.Out(0) + i * static_cast<std::int64_t>(across.size() * axes);
      for (std::size_t k = 0; k < axes; ++k, matrix += axes + 1) {
        float start = matrix[axes];
        auto rest = static_cast<std::size_t>(i % s.rows);
        for (std::size_t a = axes - 1; a-- > 0;) {
          start += matrix[axes - 1 - a] * s.places[a][rest % s.places[a].size()];
          rest /= s.places[a].size();
        }
        for (std::size_t x = 0; x < across.size(); ++x)
          y[x * axes + k] = start + matrix[0] * across[x];
      }
    }
  });
}

}  // namespace

std::vector<KernelDef> SampleKernels() {
  return {{.name = "GridSample.f32",
           .op = "GridSample",
           .fits = FitsGrid,
           .cost_ns = CostGrid,
           .prepare = PrepareGrid,
           .run = RunGrid},
          {.name = "AffineGrid.f32",
           .op = "AffineGrid",
           .fits = FitsAffine,
           .cost_ns = CostAffine,
           .prepare = PrepareAffine,
           .run = RunAffine}};
}

}  // namespace athanor::kernels
