// Convolutions: padding moves in, parallel ones become one (RepVGG, arXiv 2101.03697).
#include <algorithm>

#include "passes/rules/rules.h"

namespace athanor::passes {
namespace {

using Ints = std::vector<std::int64_t>;

bool IsPaddedByNumbers(const Match& m, const Pat& f) {
  const std::string mode = m.TextAttr(f, "auto_pad");
  return mode == "NOTSET" || mode.empty();
}

// An attribute with one number per axis, or its default written out.
Ints PerAxis(const Match& m, const Pat& f, std::string_view name, std::size_t count,
             std::int64_t otherwise) {
  Ints values = m.IntsAttr(f, name);
  if (values.empty()) values.assign(count, otherwise);
  return values;
}

// A constant padding in front of an operator that pads itself.
struct PadBefore {
  Pat x = Any(), pads = Any(), value = Optional(Number()), axes = Optional(Any());
  Pat pad = Op("Pad", {x, pads, value, axes}, {{"mode", "constant"}});

  double Value(const Match& m) const { return m.Has(value) ? *m.NumberOf(value) : 0.0; }

  // Whether only places are padded, by amounts known now, and f says its own padding in numbers.
  bool IsSpatial(const Match& m, const Pat& f) const {
    const auto rank = m.RankOf(x);
    const auto outer = m.IntsOf(pads);
    const bool is_fixed = IsPaddedByNumbers(m, f) || m.TextAttr(f, "auto_pad") == "VALID";
    if (!rank || *rank < 3 || !outer || m.Has(axes) || !is_fixed) return false;
    if (m.Has(value) && !m.NumberOf(value)) return false;
    const std::size_t own = m.IntsAttr(f, "pads").size();
    if (outer->size() != 2 * static_cast<std::size_t>(*rank)) return false;
    if (own != 0 && own != outer->size() - 4) return false;
    for (std::size_t i = 0; i < outer->size(); ++i) {
      const bool spatial = i % static_cast<std::size_t>(*rank) >= 2;
      const std::int64_t amount = (*outer)[i];
      if (amount < 0 || amount > (1 << 20) || (!spatial && amount != 0)) return false;
    }
    return true;
  }

  // The attributes of f with both paddings.
  AttrMap Joined(const Builder& g, const Pat& f) const {
    const auto rank = static_cast<std::size_t>(*g.RankOf(x));
    const Ints outer = *g.IntsOf(pads);
    Ints inner = PerAxis(g, f, "pads", 2 * (rank - 2), 0);
    for (std::size_t i = 0; i < rank - 2; ++i) {
      inner[i] += outer[i + 2];
      inner[i + rank - 2] += outer[rank + i + 2];
    }
    AttrMap attributes = g.Attributes(f);
    attributes.Set("pads", inner);
    attributes.Erase("auto_pad");
    return attributes;
  }
};

Rule PadIntoConvolution() {
  const PadBefore before;
  Pat w = Any(), b = Optional(Any());
  Pat conv = Op("Conv", {Once(before.pad), w, b});
  return {
      .name = "fold-pad-into-Conv",
      .match = conv,
      .build =
          [=](Builder& g) {
            return g.Op("Conv", {g[before.x], g[w], g[b]}, before.Joined(g, conv));
          },
      .where = [=](const Match& m) { return before.IsSpatial(m, conv) && before.Value(m) == 0; }};
}

bool HasNoPads(const Match& m, const Pat& f) {
  const Ints pads = m.IntsAttr(f, "pads");
  return std::all_of(pads.begin(), pads.end(), [](auto pad) { return pad == 0; });
}

// Zeros that count in the mean are padding that counts. Windows that reach beyond the padding
// (ceil_mode) count otherwise.
Rule PadIntoAveragePool() {
  const PadBefore before;
  Pat pool = Op("AveragePool", {Once(before.pad)}, {{"ceil_mode", std::int64_t{0}}});
  return {.name = "fold-pad-into-AveragePool",
          .match = pool,
          .build =
              [=](Builder& g) {
                AttrMap attributes = before.Joined(g, pool);
                attributes.Set("count_include_pad", std::int64_t{1});
                return g.Op("AveragePool", {g[before.x]}, attributes);
              },
          .where =
              [=](const Match& m) {
                return before.IsSpatial(m, pool) && before.Value(m) == 0 && HasNoPads(m, pool);
              }};
}

// The maximum of values that are at least 0 does not see added zeros, as long as every window holds
// a value: no padding as wide as the kernel.
Rule PadIntoMaxPool() {
  PadBefore before;
  before.x = Relu(Any());
  before.pad =
      Op("Pad", {before.x, before.pads, before.value, before.axes}, {{"mode", "constant"}});
  Pat pool = Op("MaxPool", {Once(before.pad)}, {{"ceil_mode", std::int64_t{0}}});
  return {
      .name = "fold-pad-into-MaxPool",
      .match = pool,
      .build = [=](Builder& g) { return g.Op("MaxPool", {g[before.x]}, before.Joined(g, pool)); },
      .where =
          [=](const Match& m) {
            if (!before.IsSpatial(m, pool) || before.Value(m) != 0 || !HasNoPads(m, pool))
              return false;
            const auto rank = static_cast<std::size_t>(*m.RankOf(before.x));
            const Ints kernel = m.IntsAttr(pool, "kernel_shape");
            const Ints dilations = PerAxis(m, pool, "dilations", rank - 2, 1);
            const Ints outer = *m.IntsOf(before.pads);
            if (kernel.size() != rank - 2 || dilations.size() != rank - 2) return false;
            for (std::size_t i = 0; i < kernel.size(); ++i) {
              if (dilations[i] != 1) return false;
              if (outer[i + 2] >= kernel[i] || outer[rank + i + 2] >= kernel[i]) return false;
            }
            return true;
          }};
}

// The geometry of one convolution of a sum.
struct Geometry {
  Ints kernel, strides, dilations, pads;
  std::int64_t group = 1;
};

std::optional<Geometry> GeometryOf(const Match& m, const Pat& f, const Pat& w) {
  const auto dims = m.DimsOf(w);
  if (!dims || dims->size() < 3 || !IsPaddedByNumbers(m, f)) return std::nullopt;
  const std::size_t axes = dims->size() - 2;
  const Geometry geometry = {.kernel = Ints(dims->begin() + 2, dims->end()),
                             .strides = PerAxis(m, f, "strides", axes, 1),
                             .dilations = PerAxis(m, f, "dilations", axes, 1),
                             .pads = PerAxis(m, f, "pads", 2 * axes, 0),
                             .group = m.IntAttr(f, "group")};
  const bool fits = geometry.strides.size() == axes && geometry.dilations.size() == axes &&
                    geometry.pads.size() == 2 * axes && geometry.group >= 1;
  const bool has_elements = std::count(dims->begin(), dims->end(), 0) == 0;
  return fits && has_elements ? std::optional(geometry) : std::nullopt;
}

// Where a small kernel lies within a large one, per axis; nothing when the two do not sample the
// same places.
std::optional<Ints> OffsetsWithin(const Geometry& large, const Geometry& small) {
  if (large.strides != small.strides || large.group != small.group) return std::nullopt;
  const std::size_t axes = large.kernel.size();
  Ints offsets;
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t step = large.dilations[i];
    if (small.kernel[i] != 1 && small.dilations[i] != step) return std::nullopt;
    const std::int64_t shift = large.pads[i] - small.pads[i];
    if (step <= 0 || shift < 0 || shift % step != 0) return std::nullopt;
    const std::int64_t offset = shift / step;
    if (offset + small.kernel[i] > large.kernel[i]) return std::nullopt;
    offsets.push_back(offset);
  }
  return offsets;
}

// The small kernel surrounded by zeros.
Expr Embed(Builder& g, Expr w, const Ints& small, const Ints& large, const Ints& offsets) {
  Ints pads(2 * (large.size() + 2), 0);
  for (std::size_t i = 0; i < large.size(); ++i) {
    pads[i + 2] = offsets[i];
    pads[i + 4 + large.size()] = large[i] - small[i] - offsets[i];
  }
  return g.Op("Pad", {w, g.Ints(pads)});
}

Expr SumOfBiases(Expr a, Expr b) {
  if (a.id == kNoValue) return b;
  return b.id == kNoValue ? a : a + b;
}

// Conv(x, w1, b1) + Conv(x, w2, b2) = Conv(x, w1 + w2, b1 + b2), the smaller kernel embedded.
Rule MergeParallelConvolutions() {
  Pat x = Any(), w1 = Const(), w2 = Const(), b1 = Optional(Const()), b2 = Optional(Const());
  Pat large = Op("Conv", {x, w1, b1}), small = Op("Conv", {x, w2, b2});
  return {
      .name = "merge-parallel-convolutions",
      .match = Op("Add", {Once(large), Once(small)}),
      .build =
          [=](Builder& g) {
            const Geometry p = *GeometryOf(g, large, w1), q = *GeometryOf(g, small, w2);
            const Expr w = Embed(g, g[w2], q.kernel, p.kernel, *OffsetsWithin(p, q));
            return g.Op("Conv", {g[x], g[w1] + w, SumOfBiases(g[b1], g[b2])}, g.Attributes(large));
          },
      .where =
          [=](const Match& m) {
            const auto p = GeometryOf(m, large, w1), q = GeometryOf(m, small, w2);
            // Equal output sizes follow from both being added without broadcasting.
            return p && q && m.DimsOf(w1)->at(0) == m.DimsOf(w2)->at(0) && OffsetsWithin(*p, *q) &&
                   m.TypeOf(large) == m.TypeOf(small) && m.DimsOf(large).has_value();
          }};
}

// A kernel [out, in / group, 1, ...] that copies its input, as f32 or whatever w is.
Expr IdentityKernel(Builder& g, const Dims& w, DType dtype) {
  Ints rows(static_cast<std::size_t>(w[0]));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i) % w[1];
  Ints columns(rows.begin(), rows.begin() + w[1]);
  Ints shape(w.size(), 1);
  shape[0] = w[0];
  shape[1] = w[1];
  const Expr same = g.Op("Equal", {Reshape(g.Ints(rows), {w[0], 1}), g.Ints(columns)});
  return Reshape(g.Op("Cast", {same}, {{"to", dtype}}), shape);
}

// Conv(x, w, b) + x * s + t: the copy of x is a convolution too, with one weight per channel.
Rule AbsorbShortcut() {
  Pat x = Any(), w = Const(), b = Optional(Const());
  Pat scale = Const(), shift = Const(), mean = Const(), var = Const();
  Pat conv = Op("Conv", {x, w, b});
  Pat norm =
      Op("BatchNormalization", {x, scale, shift, mean, var}, {{"training_mode", std::int64_t{0}}});
  return {
      .name = "absorb-normalized-shortcut-into-convolution",
      .match = Op("Add", {Once(conv), Once(norm)}),
      .build =
          [=](Builder& g) {
            const Geometry p = *GeometryOf(g, conv, w);
            const Geometry one = {.kernel = Ints(p.kernel.size(), 1),
                                  .strides = p.strides,
                                  .dilations = p.dilations,
                                  .pads = Ints(p.pads.size(), 0),
                                  .group = p.group};
            const Expr s = g[scale] / Sqrt(g[var] + g.Attr(norm, "epsilon"));
            const Dims dims = *g.DimsOf(w);
            Ints column(dims.size(), 1);
            column[0] = dims[0];
            const Expr copy = IdentityKernel(g, dims, g.TypeOf(w).dtype) * Reshape(s, column);
            const Expr placed = Embed(g, copy, one.kernel, p.kernel, *OffsetsWithin(p, one));
            const Expr t = g[shift] - g[mean] * s;
            return g.Op("Conv", {g[x], g[w] + placed, SumOfBiases(g[b], t)}, g.Attributes(conv));
          },
      .where =
          [=](const Match& m) {
            const auto p = GeometryOf(m, conv, w);
            if (!p || m.DimsOf(conv) != m.DimsOf(x) || !m.DimsOf(x)) return false;
            const Geometry one = {.kernel = Ints(p->kernel.size(), 1),
                                  .strides = Ints(p->kernel.size(), 1),
                                  .dilations = p->dilations,
                                  .pads = Ints(p->pads.size(), 0),
                                  .group = p->group};
            const Dims dims = *m.DimsOf(w);
            return dims[1] * p->group == dims[0] && OffsetsWithin(*p, one);
          }};
}

}  // namespace

std::vector<Rule> ConvolutionRules() {
  return {PadIntoConvolution(), PadIntoAveragePool(), PadIntoMaxPool(), MergeParallelConvolutions(),
          AbsorbShortcut()};
}

}  // namespace athanor::passes
