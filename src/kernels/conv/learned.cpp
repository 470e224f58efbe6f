#include "kernels/conv/learned.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "kernels/conv/spatial.h"

namespace athanor::kernels {
namespace {

// Formulas of second degree go astray beyond what was measured: sizes end at 2^12, positions at
// 2^16.
double Log2(std::int64_t size, double most) {
  return std::min(std::log2(static_cast<double>(std::max<std::int64_t>(1, size))), most) / most;
}

// The portable path has no formulas of its own: its tiles are those of AVX2 in small.
std::string LearnedName(const KernelQuery& q) {
  const std::string_view name = q.def->name;
  if (q.def->isa != Isa::kBase) return std::string(name);
  return std::string(name.substr(0, name.rfind('.'))) + ".avx2";
}

}  // namespace

LearnedFeatures FeaturesOf(const KernelQuery& q) {
  const Spatial2d spatial = *Spatial2d::From(q);
  const ops::ConvGeometry& conv = spatial.conv;
  const double in = Log2(conv.in_channels / conv.group, 12);
  const double out = Log2(conv.out_channels / conv.group, 12);
  const double positions = Log2(conv.batch * spatial.h.out * spatial.w.out, 16);
  const double taps = Log2(spatial.h.kernel * spatial.w.kernel, 6);
  const double strides = spatial.h.stride * spatial.w.stride > 1 ? 1 : 0;
  const double threads = Log2(q.threads, 6);
  const double base = q.isa == Isa::kBase ? 1 : 0;
  return {1,
          in,
          out,
          positions,
          taps,
          strides,
          in * in,
          out * out,
          positions * positions,
          in * out,
          in * positions,
          out * positions,
          threads,
          threads * positions,
          threads * out,
          base};
}

double LearnedNs(const KernelQuery& q, double cost_ns) {
  const std::span<const LearnedRow> rows = LearnedRows();
  const std::string kernel = LearnedName(q);
  const auto row =
      std::lower_bound(rows.begin(), rows.end(), kernel,
                       [](const LearnedRow& a, std::string_view name) { return a.kernel < name; });
  if (row == rows.end() || row->kernel != kernel) return cost_ns;
  const LearnedFeatures features = FeaturesOf(q);
  double sum = 0;
  for (std::size_t i = 0; i < features.size(); ++i) sum += row->weights[i] * features[i];
  return cost_ns * std::exp(sum);
}

}  // namespace athanor::kernels
