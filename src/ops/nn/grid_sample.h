// Which elements a position of GridSample reads along one axis. Kernels read it too.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "ir/op_def.h"

namespace athanor::ops {

struct GridSampleAttrs {
  bool align_corners = false;
  std::string mode = "linear";
  std::string padding_mode = "zeros";
  template <class V>
  void Visit(V& v) {
    v("align_corners", align_corners,
      "-1 and 1 are the centres of the corner elements, not their outer edges");
    v("mode", mode, "linear, nearest (a half goes to the even index) or cubic");
    v("padding_mode", padding_mode, "what lies outside: zeros, border or reflection");
  }
};

enum class SampleMode : std::uint8_t { kLinear, kNearest, kCubic };
enum class SamplePadding : std::uint8_t { kZeros, kBorder, kReflection };

struct Sampling {
  SampleMode mode = SampleMode::kLinear;
  SamplePadding padding = SamplePadding::kZeros;
  bool align_corners = false;
};

inline Result<Sampling> ReadSampling(const GridSampleAttrs& attrs) {
  constexpr std::string_view kModes[] = {"linear", "nearest", "cubic"};
  constexpr std::string_view kPaddings[] = {"zeros", "border", "reflection"};
  const auto mode = std::ranges::find(kModes, attrs.mode);
  if (mode == std::end(kModes))
    return InvalidModel("mode is \"{}\"; linear, nearest or cubic is expected", attrs.mode);
  const auto padding = std::ranges::find(kPaddings, attrs.padding_mode);
  if (padding == std::end(kPaddings)) {
    return InvalidModel("padding_mode is \"{}\"; zeros, border or reflection is expected",
                        attrs.padding_mode);
  }
  return Sampling{static_cast<SampleMode>(mode - std::begin(kModes)),
                  static_cast<SamplePadding>(padding - std::begin(kPaddings)), attrs.align_corners};
}

// Mirrors at both ends until inside.
template <class Real>
Real ReflectInside(Real x, Real low, Real high) {
  const Real range = high - low;
  if (!(range > 0) || !std::isfinite(x)) return low;
  if (x >= low && x <= high) return x;
  const Real beyond = std::fmod(x < low ? low - x : x - high, 2 * range);
  const Real inward = beyond <= range ? beyond : 2 * range - beyond;
  return x < low ? low + inward : high - inward;
}

// Along one axis: which elements a position reads, -1 for an outer zero, and how much of each.
template <class Real>
struct SampleTaps {
  std::size_t count = 0;
  std::int64_t at[4] = {};
  Real weight[4] = {};
};

// One axis of x.
template <class Real>
class SampleAxis {
 public:
  SampleAxis(const Sampling& sampling, std::int64_t size)
      : sampling_(sampling),
        size_(size),
        low_(sampling.align_corners ? Real(0) : Real(-0.5)),
        high_(static_cast<Real>(size - 1) + (sampling.align_corners ? Real(0) : Real(0.5))) {}

  SampleTaps<Real> Read(Real coordinate) const {
    Real x = Position(coordinate);
    if (sampling_.mode == SampleMode::kNearest) x = std::nearbyint(x);
    x = Bring(x);
    SampleTaps<Real> taps;
    if (sampling_.mode == SampleMode::kNearest) {
      taps.count = 1;
      taps.weight[0] = 1;
      taps.at[0] = Element(static_cast<std::int64_t>(x));
      return taps;
    }
    const Real floor = std::floor(x), part = x - floor;
    taps.count = sampling_.mode == SampleMode::kLinear ? 2 : 4;
    const std::int64_t first = static_cast<std::int64_t>(floor) - (taps.count == 4 ? 1 : 0);
    for (std::size_t i = 0; i < taps.count; ++i)
      taps.at[i] = Element(first + static_cast<std::int64_t>(i));
    if (taps.count == 2) {
      taps.weight[0] = 1 - part;
      taps.weight[1] = part;
    } else {
      FillCubic(part, taps.weight);
    }
    return taps;
  }

 private:
  // From [-1, 1] to elements.
  Real Position(Real coordinate) const {
    const auto size = static_cast<Real>(size_);
    return sampling_.align_corners ? (coordinate + 1) / 2 * (size - 1)
                                   : ((coordinate + 1) * size - 1) / 2;
  }

  // Keeps what is inside; the rest, NaN included, becomes a number that fits an integer.
  Real Bring(Real x) const {
    if (x >= low_ && x <= high_) return x;
    if (std::isnan(x)) x = -std::numeric_limits<Real>::infinity();
    if (sampling_.padding == SamplePadding::kReflection) return ReflectInside(x, low_, high_);
    if (sampling_.padding == SamplePadding::kBorder && sampling_.mode != SampleMode::kCubic)
      return std::clamp(x, Real(0), static_cast<Real>(size_ - 1));
    // Where taps may still be inside, it is their places that count, as in PyTorch and ONNX
    // Runtime.
    return std::clamp(x, Real(-4), static_cast<Real>(size_ + 3));
  }

  std::int64_t Element(std::int64_t at) const {
    if (at >= 0 && at < size_) return at;
    if (sampling_.padding == SamplePadding::kZeros) return -1;
    if (sampling_.padding == SamplePadding::kReflection)
      at = static_cast<std::int64_t>(ReflectInside(static_cast<Real>(at), low_, high_));
    return std::clamp<std::int64_t>(at, 0, size_ - 1);
  }

  // Keys' cubic convolution with a = -0.75.
  static void FillCubic(Real part, Real* weight) {
    constexpr Real kA = Real(-0.75);
    const auto inner = [](Real d) { return ((kA + 2) * d - (kA + 3)) * d * d + 1; };
    const auto outer = [](Real d) { return ((kA * d - 5 * kA) * d + 8 * kA) * d - 4 * kA; };
    weight[0] = outer(part + 1);
    weight[1] = inner(part);
    weight[2] = inner(1 - part);
    weight[3] = outer(2 - part);
  }

  Sampling sampling_;
  std::int64_t size_;
  Real low_, high_;
};

}  // namespace athanor::ops
