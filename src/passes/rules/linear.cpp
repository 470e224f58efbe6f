// Constants that scale or shift the channels before or after a Conv, ConvTranspose, Gemm or MatMul
// move into its weights and bias.
//
//   f(x, w, b) * s + t  ==>  f(x, w * s, b * s + t)           per output channel
//   f(x * s + t, w, b)  ==>  f(x, w * s, b + sum(w * t))      per input channel; t without padding
//
// BatchNormalization is x * s + t with s = scale / sqrt(var + epsilon), t = bias - mean * s.
// The arithmetic is emitted as nodes on constants and the folder evaluates it.
#include <algorithm>

#include "core/checked.h"
#include "passes/rules/rules.h"

namespace athanor::passes {
namespace {

using Ints = std::vector<std::int64_t>;

// What the rules know about an operator y = f(x, w, b) that is linear in x and in (w, b).
struct Linear {
  std::string_view op;
  bool has_bias = true;
  // Number of input and output channels, from the shape of w.
  Ints (*channels)(const Match&, const Pat& f, const Dims& w) = nullptr;
  // w times one factor per output / input channel; s has one element or one per channel.
  Expr (*scale_outputs)(Builder&, const Pat& f, Expr w, Expr s) = nullptr;
  Expr (*scale_inputs)(Builder&, const Pat& f, Expr w, Expr s) = nullptr;
  // For each output channel, the sum of w over all that adds up to it; nothing when padding or
  // overlap makes it depend on the place.
  Expr (*sum_weights)(Builder&, const Pat& f, Expr w) = nullptr;
};

// Empty after a failure, which then drops the rewrite anyway.
Dims DimsOfExpr(const Builder& g, Expr e) { return g.TypeOf(e).StaticDims().value_or(Dims{}); }

// s as [n, 1, 1, ...] after `before` leading ones; a single element stays as it is.
Expr AlongAxis(const Builder& g, Expr s, std::int64_t axis, std::int64_t rank) {
  const Dims dims = DimsOfExpr(g, s);
  if (dims.empty() || dims[0] == 1) return s;
  Ints shape(static_cast<std::size_t>(rank), 1);
  shape[static_cast<std::size_t>(axis)] = dims[0];
  return Reshape(s, shape);
}

// w[a, b, ...] * s where s runs over `outer` groups of axis `axis_in_group` of w seen as
// [group, a / group, b, ...] (axis 1 or 2).
Expr ScaleGrouped(Builder& g, Expr w, Expr s, std::int64_t group, std::int64_t axis) {
  const Dims dims = DimsOfExpr(g, w);
  const Dims count = DimsOfExpr(g, s);
  if (count.empty() || count[0] == 1) return w * s;
  Ints split = {group, dims[0] / group};
  split.insert(split.end(), dims.begin() + 1, dims.end());
  Ints factor(split.size(), 1);
  factor[0] = group;
  factor[static_cast<std::size_t>(axis)] = count[0] / group;
  return Reshape(Reshape(w, split) * Reshape(s, factor), dims);
}

std::int64_t GroupOf(const Match& m, const Pat& f) { return m.IntAttr(f, "group"); }

bool IsUnpadded(const Match& m, const Pat& f) {
  const std::string mode = m.TextAttr(f, "auto_pad");
  if (mode == "VALID") return true;
  const Ints pads = m.IntsAttr(f, "pads");
  return (mode == "NOTSET" || mode.empty()) &&
         std::all_of(pads.begin(), pads.end(), [](auto pad) { return pad == 0; });
}

Linear Conv() {
  return {
      .op = "Conv",
      .channels =
          [](const Match& m, const Pat& f, const Dims& w) {
            return Ints{w[1] * GroupOf(m, f), w[0]};
          },
      .scale_outputs = [](Builder& g, const Pat&, Expr w,
                          Expr s) { return w * AlongAxis(g, s, 0, g.TypeOf(w).rank()); },
      .scale_inputs = [](Builder& g, const Pat& f, Expr w,
                         Expr s) { return ScaleGrouped(g, w, s, GroupOf(g, f), 2); },
      .sum_weights =
          [](Builder& g, const Pat& f, Expr w) {
            if (!IsUnpadded(g, f)) return g.Refuse("a shift cannot pass padding");
            Ints axes;
            for (std::int64_t i = 1; i < g.TypeOf(w).rank(); ++i) axes.push_back(i);
            return ReduceSum(w, axes);
          },
  };
}

Linear ConvTranspose() {
  return {
      .op = "ConvTranspose",
      .channels =
          [](const Match& m, const Pat& f, const Dims& w) {
            return Ints{w[0], w[1] * GroupOf(m, f)};
          },
      .scale_outputs = [](Builder& g, const Pat& f, Expr w,
                          Expr s) { return ScaleGrouped(g, w, s, GroupOf(g, f), 2); },
      .scale_inputs = [](Builder& g, const Pat&, Expr w,
                         Expr s) { return w * AlongAxis(g, s, 0, g.TypeOf(w).rank()); },
      .sum_weights = [](Builder& g, const Pat&,
                        Expr) { return g.Refuse("borders see fewer weights"); },
  };
}

bool IsTransposed(const Match& m, const Pat& f) { return m.IntAttr(f, "transB") != 0; }

Linear Gemm() {
  return {
      .op = "Gemm",
      .channels =
          [](const Match& m, const Pat& f, const Dims& w) {
            return IsTransposed(m, f) ? Ints{w[1], w[0]} : Ints{w[0], w[1]};
          },
      .scale_outputs = [](Builder& g, const Pat& f, Expr w,
                          Expr s) { return w * AlongAxis(g, s, IsTransposed(g, f) ? 0 : 1, 2); },
      .scale_inputs = [](Builder& g, const Pat& f, Expr w,
                         Expr s) { return w * AlongAxis(g, s, IsTransposed(g, f) ? 1 : 0, 2); },
      .sum_weights =
          [](Builder& g, const Pat& f, Expr w) {
            return ReduceSum(w, {IsTransposed(g, f) ? 1 : 0}) * g.Attr(f, "alpha");
          },
  };
}

Linear MatMul() {
  return {
      .op = "MatMul",
      .has_bias = false,
      .channels =
          [](const Match&, const Pat&, const Dims& w) {
            return Ints{w[0], w[1]};
          },
      .scale_outputs = [](Builder& g, const Pat&, Expr w,
                          Expr s) { return w * AlongAxis(g, s, 1, 2); },
      .scale_inputs = [](Builder& g, const Pat&, Expr w,
                         Expr s) { return w * AlongAxis(g, s, 0, 2); },
      .sum_weights = [](Builder&, const Pat&, Expr w) { return ReduceSum(w, {0}); },
  };
}

// The parts every rule matches: f(x, w, b).
struct Site {
  Linear linear;
  Pat x = Any();
  Pat w = Const();
  Pat b = Optional(Const());
  Pat f = Any();

  explicit Site(Linear with, const Pat* input = nullptr) : linear(with) {
    const Pat& from = input == nullptr ? x : *input;
    f = linear.has_bias ? passes::Op(linear.op, {from, w, b}) : passes::Op(linear.op, {from, w});
  }

  bool IsPlain(const Match& m) const {
    const auto dims = m.DimsOf(w);
    if (!dims || !IsFloat(m.TypeOf(w).dtype) || CheckedCount(*dims).value_or(0) == 0) return false;
    const bool is_matrix = linear.op == "Gemm" || linear.op == "MatMul";
    if (is_matrix ? dims->size() != 2 : dims->size() < 3) return false;
    if (linear.op == "Gemm") return m.IntAttr(f, "transA") == 0;
    return is_matrix || (GroupOf(m, f) >= 1 && (*dims)[0] % GroupOf(m, f) == 0);
  }
  std::int64_t InChannels(const Match& m) const { return linear.channels(m, f, *m.DimsOf(w))[0]; }
  std::int64_t OutChannels(const Match& m) const { return linear.channels(m, f, *m.DimsOf(w))[1]; }
  // Axes after the channel axis, of x and of the result.
  std::int64_t AxesAfter(const Match& m) const {
    return linear.op == "Gemm" || linear.op == "MatMul" ? 0 : *m.RankOf(w) - 2;
  }

  // Whether constant c holds one number, or one per channel, where it meets a tensor of `rank`.
  bool IsPerChannel(const Match& m, const Pat& c, std::int64_t channels,
                    std::optional<std::int64_t> rank) const {
    const Dims dims = *m.DimsOf(c);
    if (static_cast<std::int64_t>(dims.size()) > rank.value_or(1)) return false;
    const std::int64_t at = static_cast<std::int64_t>(dims.size()) - 1 - AxesAfter(m);
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(dims.size()); ++i) {
      const std::int64_t dim = dims[static_cast<std::size_t>(i)];
      if (dim != 1 && (i != at || dim != channels)) return false;
    }
    return true;
  }

  // f with new weights and bias; an absent bias stays absent when `bias` is.
  Expr Make(Builder& g, Expr from, Expr weight, Expr bias) const {
    if (g.ok() && g.graph().Constant(weight.id) == nullptr)
      return g.Refuse("the new weights cannot be computed now");
    AttrMap attributes = g.Attributes(f);
    if (!linear.has_bias) {
      const Expr product = g.Op(linear.op, {from, weight}, attributes);
      return bias.id == kNoValue ? product : product + bias;
    }
    if (bias.id != kNoValue) attributes.Erase("beta");
    return g.Op(linear.op, {from, weight, bias}, attributes);
  }
  // The bias as it is added: Gemm multiplies it by beta.
  Expr Bias(Builder& g) const {
    if (!linear.has_bias || !g.Has(b)) return {};
    return linear.op == "Gemm" && g.Attr(f, "beta") != 1 ? g[b] * g.Attr(f, "beta") : g[b];
  }
};

// c as a list: one element, or one per channel.
Expr AsList(const Builder& g, Expr c) {
  return Reshape(c, {CheckedCount(DimsOfExpr(g, c)).value_or(0)});
}

// A full bias: one element per channel.
Expr Full(Builder& g, const Site& site, Expr t) {
  if (site.linear.op == "Gemm" || site.linear.op == "MatMul") return t;
  return g.Op("Expand", {t, g.Ints({site.OutChannels(g)})});
}

Expr PlusShift(Builder& g, const Site& site, Expr bias, Expr t) {
  return Full(g, site, bias.id == kNoValue ? t : bias + t);
}

Rule FoldScaleAfter(const Linear& linear) {
  const Site site(linear);
  const Pat c = Const();
  const Pat product = passes::Op("Mul", {Once(site.f), c});
  const Pat quotient = passes::Op("Div", {Once(site.f), c});
  return {.name = fmt::format("fold-scale-into-{}", linear.op),
          .match = Either({product, quotient}),
          .build =
              [=](Builder& g) {
                Expr s = AsList(g, g[c]);
                if (g.Has(quotient)) s = g.Number(1, s) / s;
                Expr bias = site.Bias(g);
                if (bias.id != kNoValue) bias = Full(g, site, bias * s);
                return site.Make(g, g[site.x], site.linear.scale_outputs(g, site.f, g[site.w], s),
                                 bias);
              },
          .where =
              [=](const Match& m) {
                return site.IsPlain(m) &&
                       site.IsPerChannel(m, c, site.OutChannels(m), m.RankOf(site.f));
              }};
}

Rule FoldShiftAfter(const Linear& linear) {
  const Site site(linear);
  const Pat c = Const();
  const Pat sum = passes::Op("Add", {Once(site.f), c});
  const Pat difference = passes::Op("Sub", {Once(site.f), c});
  return {.name = fmt::format("fold-shift-into-{}", linear.op),
          .match = Either({sum, difference}),
          .build =
              [=](Builder& g) {
                Expr t = AsList(g, g[c]);
                if (g.Has(difference)) t = t * -1;
                return site.Make(g, g[site.x], g[site.w], PlusShift(g, site, site.Bias(g), t));
              },
          .where =
              [=](const Match& m) {
                return site.IsPlain(m) &&
                       site.IsPerChannel(m, c, site.OutChannels(m), m.RankOf(site.f));
              }};
}

// BatchNormalization as x * s + t.
struct Norm {
  Pat scale = Const(), bias = Const(), mean = Const(), var = Const();

  Pat Of(const Pat& x) const {
    return passes::Op("BatchNormalization", {x, scale, bias, mean, var});
  }
  Expr S(Builder& g, const Pat& norm) const {
    return g[scale] / Sqrt(g[var] + g.Attr(norm, "epsilon"));
  }
  Expr T(Builder& g, Expr s) const { return g[bias] - g[mean] * s; }
  bool IsInference(const Match& m, const Pat& norm) const {
    return m.IntAttr(norm, "training_mode") == 0;
  }
};

Rule FoldBatchNormAfter(const Linear& linear) {
  const Site site(linear);
  const Norm norm;
  const Pat root = norm.Of(Once(site.f));
  return {.name = fmt::format("fold-batch-norm-into-{}", linear.op),
          .match = root,
          .build =
              [=](Builder& g) {
                const Expr s = norm.S(g, root);
                Expr bias = site.Bias(g);
                if (bias.id != kNoValue) bias = bias * s;
                const Expr w = site.linear.scale_outputs(g, site.f, g[site.w], s);
                return site.Make(g, g[site.x], w, PlusShift(g, site, bias, norm.T(g, s)));
              },
          .where =
              [=](const Match& m) {
                // The channel axis of BatchNormalization is 1: the last of a matrix only.
                const bool is_axis_1 = site.AxesAfter(m) > 0 || m.RankOf(site.f) == 2;
                return site.IsPlain(m) && norm.IsInference(m, root) && is_axis_1;
              }};
}

Rule FoldScaleBefore(const Linear& linear) {
  const Pat x = Any(), c = Const();
  const Pat product = passes::Op("Mul", {x, c}), quotient = passes::Op("Div", {x, c});
  const Pat scaled = Either({product, quotient});
  const Pat once = Once(scaled);
  const Site site(linear, &once);
  return {.name = fmt::format("fold-scale-before-{}", linear.op),
          .match = site.f,
          .build =
              [=](Builder& g) {
                Expr s = AsList(g, g[c]);
                if (g.Has(quotient)) s = g.Number(1, s) / s;
                return site.Make(g, g[x], site.linear.scale_inputs(g, site.f, g[site.w], s),
                                 site.Bias(g));
              },
          .where =
              [=](const Match& m) {
                return site.IsPlain(m) &&
                       site.IsPerChannel(m, c, site.InChannels(m), m.RankOf(scaled)) &&
                       m.RankOf(x) == m.RankOf(scaled);
              }};
}

Rule FoldBatchNormBefore(const Linear& linear) {
  const Pat x = Any();
  const Norm norm;
  const Pat normed = norm.Of(x);
  const Pat once = Once(normed);
  const Site site(linear, &once);
  return {.name = fmt::format("fold-batch-norm-before-{}", linear.op),
          .match = site.f,
          .build =
              [=](Builder& g) {
                const Expr s = norm.S(g, normed);
                const Expr moved = site.linear.sum_weights(
                    g, site.f, site.linear.scale_inputs(g, site.f, g[site.w], norm.T(g, s)));
                if (!g.ok()) return moved;
                const Expr w = site.linear.scale_inputs(g, site.f, g[site.w], s);
                return site.Make(g, g[x], w, PlusShift(g, site, site.Bias(g), moved));
              },
          .where =
              [=](const Match& m) {
                const bool is_axis_1 = site.AxesAfter(m) > 0 || m.RankOf(x) == 2;
                return site.IsPlain(m) && norm.IsInference(m, normed) && is_axis_1;
              }};
}

Rule FoldShiftBefore(const Linear& linear) {
  const Pat x = Any(), c = Const();
  const Pat sum = passes::Op("Add", {x, c}), difference = passes::Op("Sub", {x, c});
  const Pat shifted = Either({sum, difference});
  const Pat once = Once(shifted);
  const Site site(linear, &once);
  return {.name = fmt::format("fold-shift-before-{}", linear.op),
          .match = site.f,
          .build =
              [=](Builder& g) {
                Expr t = AsList(g, g[c]);
                if (g.Has(difference)) t = t * -1;
                const Expr moved = site.linear.sum_weights(
                    g, site.f, site.linear.scale_inputs(g, site.f, g[site.w], t));
                if (!g.ok()) return moved;
                return site.Make(g, g[x], g[site.w], PlusShift(g, site, site.Bias(g), moved));
              },
          .where =
              [=](const Match& m) {
                return site.IsPlain(m) &&
                       site.IsPerChannel(m, c, site.InChannels(m), m.RankOf(shifted)) &&
                       m.RankOf(x) == m.RankOf(shifted);
              }};
}

// f(f(x, a), b) = f(x, f(a, b)) for Add and Mul; no constant grows.
Rule CombineConstants(std::string_view op) {
  const Pat x = Any(), a = Const(), b = Const();
  return {.name = fmt::format("combine-constants-of-{}", op),
          .match = passes::Op(op, {Once(passes::Op(op, {x, a})), b}),
          .build =
              [=](Builder& g) {
                return g.Op(op, {g[x], g.Op(op, {g[a], g[b]})});
              },
          .where =
              [=](const Match& m) {
                const Dims p = *m.DimsOf(a), q = *m.DimsOf(b);
                const bool is_single = m.NumberOf(a) || m.NumberOf(b);
                return (p == q || is_single) && m.graph().Constant(m.ValueOf(x)) == nullptr;
              }};
}

// A matrix product and a bias per column.
Rule GemmFromMatMulAdd() {
  const Pat x = Any(), w = Const(), c = Const();
  const Pat product = passes::Op("MatMul", {x, w});
  return {.name = "gemm-from-matmul-and-add",
          .match = passes::Op("Add", {Once(product), c}),
          .build =
              [=](Builder& g) {
                return g.Op("Gemm", {g[x], g[w], g[c]});
              },
          .where =
              [=](const Match& m) {
                if (m.RankOf(x) != 2 || m.RankOf(w) != 2) return false;
                const Dims dims = *m.DimsOf(c);
                const std::int64_t columns = m.DimsOf(w)->back();
                if (m.NumberOf(c)) return dims.size() <= 2;
                return dims == Dims{columns} || dims == Dims{1, columns};
              }};
}

// A transposed factor of a matrix product is an attribute of Gemm.
Rule GemmOfTranspose() {
  const Pat x = Any(), w = Any(), b = Optional(Any());
  const Pat transpose = passes::Op("Transpose", {x});
  const Pat gemm = passes::Op("Gemm", {transpose, w, b});
  const Pat product = passes::Op("MatMul", {transpose, w});
  return {.name = "gemm-of-transpose",
          .match = Either({gemm, product}),
          .build =
              [=](Builder& g) {
                AttrMap attributes = g.Has(gemm) ? g.Attributes(gemm) : AttrMap();
                const std::int64_t before = g.Has(gemm) ? g.IntAttr(gemm, "transA") : 0;
                attributes.Set("transA", std::int64_t{before == 0});
                return g.Op("Gemm", {g[x], g[w], g[b]}, attributes);
              },
          .where =
              [=](const Match& m) {
                const Ints perm = m.IntsAttr(transpose, "perm");
                return m.RankOf(x) == 2 && m.RankOf(w) == 2 && IsFloat(m.TypeOf(x).dtype) &&
                       (perm.empty() || perm == Ints{1, 0});
              }};
}

}  // namespace

std::vector<Rule> LinearRules() {
  std::vector<Rule> rules = {CombineConstants("Add"), CombineConstants("Mul"), GemmFromMatMulAdd(),
                             GemmOfTranspose()};
  for (const Linear& linear : {Conv(), ConvTranspose(), Gemm(), MatMul()}) {
    rules.push_back(FoldBatchNormAfter(linear));
    rules.push_back(FoldScaleAfter(linear));
    if (linear.has_bias) rules.push_back(FoldShiftAfter(linear));
    if (linear.op != "ConvTranspose") rules.push_back(FoldBatchNormBefore(linear));
    rules.push_back(FoldScaleBefore(linear));
    if (linear.has_bias && linear.op != "ConvTranspose") rules.push_back(FoldShiftBefore(linear));
  }
  return rules;
}

}  // namespace athanor::passes
