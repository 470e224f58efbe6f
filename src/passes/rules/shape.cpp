// Arithmetic on shapes that does not follow from what is known, made shorter.
#include <algorithm>

#include "passes/rules/rules.h"

namespace athanor::passes {
namespace {

// Shape(x)[start:end] asks only for some dimensions.
Rule SliceOfShape() {
  Pat x = Any(), start = Const(), end = Const(), axes = Optional(Const()),
      steps = Optional(Const());
  Pat shape = Op("Shape", {x});
  return {.name = "slice-of-shape",
          .match = Op("Slice", {shape, start, end, axes, steps}),
          .build =
              [=](Builder& g) {
                const std::int64_t rank = *g.RankOf(x);
                const auto bound = [&](const Pat& pat) {
                  const std::int64_t value = g.IntsOf(pat)->front();
                  return std::clamp<std::int64_t>(value < 0 ? value + rank : value, 0, rank);
                };
                const std::int64_t from = bound(start), to = bound(end);
                if (from >= to) return g.Refuse("nothing is left");
                return g.Op("Shape", {g[x]}, {{"start", from}, {"end", to}});
              },
          .where =
              [=](const Match& m) {
                const Node& node = m.NodeOf(shape);
                const auto first = m.IntsOf(start), last = m.IntsOf(end);
                const auto step = m.Has(steps) ? m.IntsOf(steps) : std::vector<std::int64_t>{1};
                return m.RankOf(x) && node.attributes.empty() && first && first->size() == 1 &&
                       last && last->size() == 1 && step && step->size() == 1 && step->front() == 1;
              }};
}

// Shape of what an elementwise operator with one input gives is the shape of the input: the
// operator no longer has to run for it.
Rule ShapeOfUnary(std::string_view op) {
  Pat x = Any();
  Pat shape = Op("Shape", {Op(op, {x})});
  return {.name = fmt::format("shape-of-{}", op), .match = shape, .build = [=](Builder& g) {
            return g.Op("Shape", {g[x]}, g.Attributes(shape));
          }};
}

}  // namespace

std::vector<Rule> ShapeRules() {
  std::vector<Rule> rules = {SliceOfShape()};
  for (const std::string_view op : {"Relu", "Cast", "Sigmoid", "Clip", "LeakyRelu", "Tanh"})
    rules.push_back(ShapeOfUnary(op));
  return rules;
}

}  // namespace athanor::passes
