// Composites that exporters write out as primitives get their names back.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "passes/rules/rules.h"

namespace athanor::passes {
namespace {

using Ints = std::vector<std::int64_t>;
constexpr double kSqrt2 = std::numbers::sqrt2;
const double kSqrt2OverPi = std::sqrt(2 / std::numbers::pi);

// x * f / 2 however it is bracketed.
Pat HalfOf(const Pat& x, const Pat& f) {
  return Either({(x * 0.5) * f, (x * f) * 0.5, x * (f * 0.5)});
}

Rule Named(std::string name, Pat match, Pat x, std::string_view op, AttrMap attributes = {}) {
  return {.name = std::move(name), .match = std::move(match), .build = [=](Builder& g) {
            return g.Op(op, {g[x]}, attributes);
          }};
}

Rule GeluFromErf() {
  Pat x = Any();
  return Named("gelu-from-erf", HalfOf(x, Erf(x / kSqrt2) + 1), x, "Gelu");
}

Rule GeluFromTanh() {
  Pat x = Any();
  Pat square = Either({x * x, Op("Pow", {x, 2})});
  Pat cube = Either({Op("Pow", {x, 3}), square * x});
  Pat polynomial = Either(
      {(x + cube * 0.044715) * kSqrt2OverPi, x * ((square * 0.044715 + 1) * kSqrt2OverPi),
       (x * kSqrt2OverPi) * (square * 0.044715 + 1), (x * (square * 0.044715 + 1)) * kSqrt2OverPi,
       (x + x * (square * 0.044715)) * kSqrt2OverPi, (x + (x * 0.044715) * square) * kSqrt2OverPi});
  return Named("gelu-from-tanh", HalfOf(x, Tanh(polynomial) + 1), x, "Gelu",
               {{"approximate", "tanh"}});
}

AttrMap ThirdOfSix() { return {{"alpha", 1.0F / 6}, {"beta", 0.5F}}; }

// HardSigmoid as HardSwish uses it: clip(x / 6 + 1/2, 0, 1).
Pat HardGate(const Pat& x) { return Op("HardSigmoid", {x}, ThirdOfSix()); }

Rule HardSwishFromPrimitives() {
  Pat x = Any();
  Pat clip = Clip(x + 3, 0, 6);
  return Named("hard-swish-from-primitives",
               Either({(x * clip) / 6, x * (clip / 6), (x / 6) * clip, x * HardGate(x)}), x,
               "HardSwish");
}

Rule HardSigmoidFromPrimitives() {
  Pat x = Any();
  return Named("hard-sigmoid-from-primitives",
               Either({Clip(x + 3, 0, 6) / 6, Clip(x / 6 + 0.5, 0, 1)}), x, "HardSigmoid",
               ThirdOfSix());
}

Rule SigmoidFromPrimitives() {
  Pat x = Any();
  Pat power = Exp(Op("Neg", {x}));
  return Named("sigmoid-from-primitives",
               Either({Op("Div", {1, power + 1}), Op("Reciprocal", {power + 1})}), x, "Sigmoid");
}

Rule Swish() {
  Pat x = Any();
  return Named("swish-from-sigmoid", x * Sigmoid(x), x, "Swish");
}

Rule SwishWithFactor() {
  Pat x = Any(), factor = Number();
  return {.name = "swish-from-scaled-sigmoid",
          .match = x * Sigmoid(Op("Mul", {x, factor})),
          .build = [=](Builder& g) {
            return g.Op("Swish", {g[x]}, {{"alpha", static_cast<float>(*g.NumberOf(factor))}});
          }};
}

Rule Softplus() {
  Pat x = Any();
  return Named("softplus-from-primitives", Op("Log", {Exp(x) + 1}), x, "Softplus");
}

Rule Mish() {
  Pat x = Any();
  return Named("mish-from-primitives", x * Tanh(Op("Softplus", {x})), x, "Mish");
}

Rule LeakyRelu() {
  Pat x = Any(), slope = Number();
  return {
      .name = "leaky-relu-from-max",
      .match = Op("Max", {x, Op("Mul", {x, slope})}),
      .build =
          [=](Builder& g) {
            return g.Op("LeakyRelu", {g[x]}, {{"alpha", static_cast<float>(*g.NumberOf(slope))}});
          },
      .where = [=](const Match& m) { return *m.NumberOf(slope) > 0 && *m.NumberOf(slope) < 1; }};
}

Rule LogSoftmax() {
  Pat x = Any();
  Pat softmax = Op("Softmax", {x});
  return {.name = "log-softmax-from-primitives",
          .match = Op("Log", {Once(softmax)}),
          .build = [=](Builder& g) { return g.Op("LogSoftmax", {g[x]}, g.Attributes(softmax)); }};
}

// Mean over all axes after the channels, which stay with size 1.
Rule GlobalAveragePool() {
  Pat x = Any(), axes = Any();
  return {.name = "global-average-pool-from-mean",
          .match = Op("ReduceMean", {x, axes}, {{"keepdims", std::int64_t{1}}}),
          .build = [=](Builder& g) { return g.Op("GlobalAveragePool", {g[x]}); },
          .where =
              [=](const Match& m) {
                const auto rank = m.RankOf(x);
                auto known = m.IntsOf(axes);
                if (!rank || *rank < 4 || !known || !IsFloat(m.TypeOf(x).dtype)) return false;
                for (std::int64_t& axis : *known) axis += axis < 0 ? *rank : 0;
                std::sort(known->begin(), known->end());
                Ints wanted;
                for (std::int64_t i = 2; i < *rank; ++i) wanted.push_back(i);
                return *known == wanted;
              }};
}

// The first of the axes, when they are all from some axis to the last.
std::optional<std::int64_t> TrailingAxis(const Match& m, const Pat& x, const Pat& axes) {
  const auto rank = m.RankOf(x);
  auto known = m.IntsOf(axes);
  if (!rank || !known || known->empty()) return std::nullopt;
  for (std::int64_t& axis : *known) axis += axis < 0 ? *rank : 0;
  std::sort(known->begin(), known->end());
  for (std::size_t i = 0; i < known->size(); ++i) {
    if ((*known)[i] != *rank - static_cast<std::int64_t>(known->size() - i)) return std::nullopt;
  }
  return static_cast<std::int64_t>(known->size()) * -1;
}

// Ones of the shape that is normalized; nothing when it is not known.
std::optional<Dims> NormalizedDims(const Match& m, const Pat& x, std::int64_t axis) {
  Dims dims;
  for (std::int64_t i = *m.RankOf(x) + axis; i < *m.RankOf(x); ++i) {
    if (!m.TypeOf(x).dim(i).IsConst()) return std::nullopt;
    dims.push_back(m.TypeOf(x).dim(i).value());
  }
  return dims;
}

Pat MeanOf(const Pat& x, const Pat& axes) {
  return Op("ReduceMean", {x, axes}, {{"keepdims", std::int64_t{1}}});
}
Pat SquareOf(const Pat& x) { return Either({Op("Pow", {x, 2}), x * x}); }

// x / sqrt(v + epsilon) as exporters write it.
Pat OverRoot(const Pat& x, const Pat& v, const Pat& epsilon) {
  const Pat sum = Op("Add", {v, epsilon});
  const Pat root = Sqrt(sum);
  return Either({Op("Div", {x, root}), Op("Mul", {x, Op("Reciprocal", {root})}),
                 Op("Mul", {x, Op("Div", {1, root})}), Op("Mul", {x, Op("Pow", {sum, -0.5})}),
                 Op("Div", {x, Op("Pow", {sum, 0.5})})});
}

// The operator with a scale of ones; the rules below give it the scale and bias that follow.
Rule Normalization(std::string name, std::string_view op, Pat match, Pat x, Pat axes, Pat epsilon) {
  return {.name = std::move(name),
          .match = std::move(match),
          .build =
              [=](Builder& g) {
                const std::int64_t axis = *TrailingAxis(g, x, axes);
                const Expr scale =
                    g.Op("Expand", {g.Number(1, g[x]), g.Ints(*NormalizedDims(g, x, axis))});
                return g.Op(
                    op, {g[x], scale},
                    {{"axis", axis}, {"epsilon", static_cast<float>(*g.NumberOf(epsilon))}});
              },
          .where =
              [=](const Match& m) {
                const auto axis = TrailingAxis(m, x, axes);
                return axis && NormalizedDims(m, x, *axis) && IsFloat(m.TypeOf(x).dtype);
              }};
}

Rule LayerNormalization() {
  Pat x = Any(), axes = Any(), epsilon = Number();
  Pat centred = Op("Sub", {x, MeanOf(x, axes)});
  Pat variance = MeanOf(SquareOf(centred), axes);
  return Normalization("layer-normalization-from-primitives", "LayerNormalization",
                       OverRoot(centred, variance, epsilon), x, axes, epsilon);
}

Rule RmsNormalization() {
  Pat x = Any(), axes = Any(), epsilon = Number();
  return Normalization("rms-normalization-from-primitives", "RMSNormalization",
                       OverRoot(x, MeanOf(SquareOf(x), axes), epsilon), x, axes, epsilon);
}

// A constant that has exactly the normalized shape, possibly under leading ones.
bool IsAlongNormalized(const Match& m, const Pat& c, const Pat& scale) {
  Dims dims = *m.DimsOf(c);
  const auto wanted = m.DimsOf(scale);
  if (!wanted || static_cast<std::int64_t>(dims.size()) > m.graph().value(m.result()).type.rank())
    return false;
  while (dims.size() > wanted->size() && dims.front() == 1) dims.erase(dims.begin());
  return dims == *wanted;
}

Rule ScaleIntoNormalization(std::string_view op) {
  Pat x = Any(), scale = Const(), factor = Const();
  Pat norm = Op(op, {x, scale});
  return {
      .name = fmt::format("fold-scale-into-{}", op),
      .match = Op("Mul", {Once(norm), factor}),
      .build =
          [=](Builder& g) {
            const Expr product = g[scale] * Reshape(g[factor], *g.DimsOf(scale));
            return g.Op(op, {g[x], product}, g.Attributes(norm));
          },
      .where =
          [=](const Match& m) { return m.RankOf(norm) && IsAlongNormalized(m, factor, scale); }};
}

Rule ShiftIntoNormalization() {
  Pat x = Any(), scale = Const(), shift = Const(), before = Optional(Const());
  Pat norm = Op("LayerNormalization", {x, scale, before});
  return {.name = "fold-shift-into-LayerNormalization",
          .match = Op("Add", {Once(norm), shift}),
          .build =
              [=](Builder& g) {
                Expr bias = Reshape(g[shift], *g.DimsOf(scale));
                if (g.Has(before)) bias = bias + g[before];
                return g.Op("LayerNormalization", {g[x], g[scale], bias}, g.Attributes(norm));
              },
          .where =
              [=](const Match& m) { return m.RankOf(norm) && IsAlongNormalized(m, shift, scale); }};
}

// Softmax(scale * Q K^T + mask) V with K given transposed.
Rule Attention() {
  Pat q = Any(), k = Any(), v = Any(), mask = Any(), factor = Number();
  Pat turned = Op("Transpose", {k});
  Pat product = Op("MatMul", {q, turned});
  Pat multiplied = Op("Mul", {product, factor}), divided = Op("Div", {product, factor});
  Pat scores = Either({multiplied, divided, product});
  Pat masked = Op("Add", {scores, mask});
  Pat softmax = Op("Softmax", {Either({masked, scores})});
  return {.name = "attention-from-primitives",
          .match = Op("MatMul", {softmax, v}),
          .build =
              [=](Builder& g) {
                double scale = 1;
                if (g.Has(multiplied)) scale = *g.NumberOf(factor);
                if (g.Has(divided)) scale = 1 / *g.NumberOf(factor);
                Ints perm = g.IntsAttr(turned, "perm");
                std::swap(perm[2], perm[3]);
                const bool is_turned = !std::is_sorted(perm.begin(), perm.end());
                const Expr key = is_turned ? Transpose(g[k], perm) : g[k];
                return g.Op("Attention", {g[q], key, g[v], g.Has(masked) ? g[mask] : Expr{}},
                            {{"scale", static_cast<float>(scale)}});
              },
          .where =
              [=](const Match& m) {
                const std::int64_t axis = m.IntAttr(softmax, "axis");
                const bool is_4d = m.RankOf(q) == 4 && m.RankOf(k) == 4 && m.RankOf(v) == 4;
                if (!is_4d || (axis != -1 && axis != 3) || !IsFloat(m.TypeOf(q).dtype))
                  return false;
                if (m.IntsAttr(turned, "perm").size() != 4) return false;
                // The operator wants one batch and head size, without broadcasting.
                for (const std::int64_t i : {0, 1}) {
                  const Dim& heads = m.TypeOf(q).dim(i);
                  if (!ProvablyEqual(heads, m.TypeOf(turned).dim(i)) ||
                      !ProvablyEqual(heads, m.TypeOf(v).dim(i)))
                    return false;
                }
                const bool scaled = m.Has(multiplied) || m.Has(divided);
                if (scaled && !(*m.NumberOf(factor) > 0)) return false;
                return !m.Has(masked) ||
                       (m.RankOf(mask) && *m.RankOf(mask) >= 2 && *m.RankOf(mask) <= 4);
              }};
}

// [N, L, heads * size] -> [N, heads, L, size]
struct MovedHeads {
  Pat x = Any();
  Pat split = Op("Reshape", {x, Any()});
  Pat moved = Op("Transpose", {split}, {{"perm", Ints{0, 2, 1, 3}}});

  bool Holds(const Match& m) const {
    if (m.RankOf(x) != 3 || m.RankOf(split) != 4) return false;
    const Type &before = m.TypeOf(x), &after = m.TypeOf(split);
    const Dim &heads = after.dim(2), &size = after.dim(3);
    return ProvablyEqual(before.dim(0), after.dim(0)) &&
           ProvablyEqual(before.dim(1), after.dim(1)) && heads.IsConst() && size.IsConst() &&
           ProvablyEqual(before.dim(2), heads * size);
  }
  std::int64_t Heads(const Match& m) const { return m.TypeOf(split).dim(2).value(); }
};

// Heads that lie side by side are read and written where they are.
Rule AttentionOfHeadsSideBySide() {
  const MovedHeads q, k, v;
  Pat mask = Optional(Any());
  Pat attention = Op("Attention", {q.moved, k.moved, v.moved, mask});
  Pat back = Op("Transpose", {Once(attention)}, {{"perm", Ints{0, 2, 1, 3}}});
  Pat joined = Op("Reshape", {back, Any()});
  return {.name = "attention-of-heads-side-by-side",
          .match = joined,
          .build =
              [=](Builder& g) {
                AttrMap attributes = g.Attributes(attention);
                attributes.Set("q_num_heads", q.Heads(g));
                attributes.Set("kv_num_heads", k.Heads(g));
                return g.Op("Attention", {g[q.x], g[k.x], g[v.x], g[mask]}, attributes);
              },
          .where =
              [=](const Match& m) {
                if (!q.Holds(m) || !k.Holds(m) || !v.Holds(m) || m.RankOf(joined) != 3)
                  return false;
                const Type &before = m.TypeOf(back), &after = m.TypeOf(joined);
                return m.NodeOf(attention).outputs.size() == 1 &&
                       ProvablyEqual(before.dim(0), after.dim(0)) &&
                       ProvablyEqual(before.dim(1), after.dim(1));
              }};
}

}  // namespace

std::vector<Rule> ActivationRules() {
  return {
      GeluFromErf(),
      GeluFromTanh(),
      HardSwishFromPrimitives(),
      HardSigmoidFromPrimitives(),
      SigmoidFromPrimitives(),
      Swish(),
      SwishWithFactor(),
      Softplus(),
      Mish(),
      LeakyRelu(),
      LogSoftmax(),
      GlobalAveragePool(),
  };
}

std::vector<Rule> NormalizationRules() {
  return {
      LayerNormalization(),
      RmsNormalization(),
      ScaleIntoNormalization("LayerNormalization"),
      ScaleIntoNormalization("RMSNormalization"),
      ShiftIntoNormalization(),
  };
}

std::vector<Rule> AttentionRules() { return {Attention(), AttentionOfHeadsSideBySide()}; }

}  // namespace athanor::passes
