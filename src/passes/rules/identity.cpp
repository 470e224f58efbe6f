// Nodes that give back what they got.
#include <algorithm>

#include "passes/rules/rules.h"

namespace athanor::passes {
namespace {

// Every dimension of both is known to be the same.
bool SameShape(const Type& a, const Type& b) {
  return a.HasRank() && b.HasRank() && a.rank() == b.rank() &&
         std::equal(a.shape->begin(), a.shape->end(), b.shape->begin(),
                    [](const Dim& x, const Dim& y) { return ProvablyEqual(x, y); });
}

bool KeepsShape(const Match& m, const Pat& x) {
  return SameShape(m.TypeOf(x), m.graph().value(m.result()).type);
}

Rule Removes(std::string name, Pat match, Pat x, std::function<bool(const Match&)> where = {}) {
  return {.name = std::move(name),
          .match = std::move(match),
          .build = [x](Builder& g) { return g[x]; },
          .where = std::move(where)};
}

Rule Dropout() {
  Pat x = Any(), ratio = Optional(Any()), training = Optional(Any());
  return Removes("remove-dropout", Op("Dropout", {x, ratio, training}), x,
                 [=](const Match& m) { return !m.Has(training) || m.NumberOf(training) == 0.0; });
}

Rule CastToSame() {
  Pat x = Any();
  return Removes("remove-cast-to-same-type", Op("Cast", {x}), x, [=](const Match& m) {
    return m.TypeOf(x).dtype == m.graph().value(m.result()).type.dtype;
  });
}

// An operator that only moves elements, in order, and gives the shape it got.
Rule KeepsItsShape(std::string_view op, std::size_t inputs) {
  Pat x = Any();
  std::vector<Pat> parts = {x};
  while (parts.size() < inputs) parts.push_back(Optional(Any()));
  return Removes(fmt::format("remove-{}-to-same-shape", op), Op(op, parts), x,
                 [=](const Match& m) { return KeepsShape(m, x); });
}

Rule SliceOfAll() {
  Pat x = Any(), start = Any(), end = Any(), axes = Optional(Any()), steps = Optional(Any());
  return Removes("remove-slice-of-all", Op("Slice", {x, start, end, axes, steps}), x,
                 [=](const Match& m) {
                   if (!KeepsShape(m, x)) return false;
                   if (!m.Has(steps)) return true;
                   const auto known = m.IntsOf(steps);
                   return known && std::all_of(known->begin(), known->end(),
                                               [](std::int64_t step) { return step == 1; });
                 });
}

Rule PadByNothing() {
  Pat x = Any(), pads = Any();
  return Removes("remove-pad-by-nothing", Op("Pad", {x, pads, Rest()}), x, [=](const Match& m) {
    const auto known = m.IntsOf(pads);
    return known && std::all_of(known->begin(), known->end(), [](auto pad) { return pad == 0; });
  });
}

Rule OfOne(std::string_view op) {
  Pat x = Any();
  return Removes(fmt::format("remove-{}-of-one", op), Op(op, {x}), x);
}

Rule SplitIntoOne() {
  Pat x = Any();
  return Removes("remove-split-into-one", Op("Split", {x, Optional(Any())}), x,
                 [=](const Match& m) {
                   return m.graph().node(m.root()).outputs.size() == 1 && KeepsShape(m, x);
                 });
}

// f(f(x)) = f(x)
Rule Idempotent(std::string_view op) {
  Pat inner = Op(op, {Any()});
  return Removes(fmt::format("remove-repeated-{}", op), Op(op, {inner}), inner);
}

// f(f(x)) = x
Rule Involution(std::string_view op) {
  Pat x = Any();
  return Removes(fmt::format("remove-double-{}", op), Op(op, {Op(op, {x})}), x);
}

Rule ClipWithoutLimits() {
  Pat x = Any();
  return Removes("remove-clip-without-limits", Op("Clip", {x}), x);
}

Rule ReluFromClip() {
  Pat x = Any();
  return {.name = "relu-from-clip",
          .match = Either({Op("Clip", {x, 0}), Op("Max", {x, 0})}),
          .build = [x](Builder& g) { return g.Op("Relu", {g[x]}); },
          .where = [x](const Match& m) { return IsFloat(m.TypeOf(x).dtype); }};
}

Rule ClipOfRelu() {
  Pat x = Any(), low = Number(), high = Optional(Any());
  return {.name = "clip-of-relu",
          .match = Clip(Once(Relu(x)), low, high),
          .build =
              [=](Builder& g) {
                return g.Op("Clip", {g[x], g[low], g[high]});
              },
          .where = [=](const Match& m) { return m.NumberOf(low) >= 0.0; }};
}

// Older files omit an input of Resize by an empty list, and give a region also to modes that do not
// crop.
Rule UnreadInputsOfResize() {
  Pat x = Any(), roi = Optional(Any()), scales = Optional(Any()), sizes = Optional(Any());
  Pat resize = Op("Resize", {x, roi, scales, sizes});
  const auto unread = [=](const Match& m, const Pat& input) {
    if (!m.Has(input)) return false;
    const Type& type = m.TypeOf(input);
    if (type.HasRank() && type.rank() == 1 && type.dim(0).Is(0)) return true;
    return input.id() == roi.id() &&
           m.TextAttr(resize, "coordinate_transformation_mode") != "tf_crop_and_resize";
  };
  return {
      .name = "remove-unread-inputs-of-Resize",
      .match = resize,
      .build =
          [=](Builder& g) {
            const auto read = [&](const Pat& input) {
              return unread(g, input) ? Expr{&g, kNoValue} : g[input];
            };
            return g.Op("Resize", {g[x], read(roi), read(scales), read(sizes)},
                        g.Attributes(resize));
          },
      .where =
          [=](const Match& m) { return unread(m, roi) || unread(m, scales) || unread(m, sizes); }};
}

}  // namespace

std::vector<Rule> IdentityRules() {
  Pat x = Any();
  return {
      Removes("remove-identity", Op("Identity", {x}), x),
      Dropout(),
      CastToSame(),
      Removes("remove-add-zero", x + 0, x),
      Removes("remove-multiply-by-one", x * 1, x),
      Removes("remove-power-of-one", Op("Pow", {x, 1}), x),
      KeepsItsShape("Reshape", 2),
      KeepsItsShape("Expand", 2),
      KeepsItsShape("Tile", 2),
      KeepsItsShape("Squeeze", 2),
      KeepsItsShape("Flatten", 1),
      SliceOfAll(),
      PadByNothing(),
      OfOne("Concat"),
      OfOne("Sum"),
      OfOne("Max"),
      OfOne("Min"),
      OfOne("Mean"),
      SplitIntoOne(),
      Idempotent("Relu"),
      Idempotent("Abs"),
      Idempotent("Floor"),
      Idempotent("Ceil"),
      Idempotent("Round"),
      Involution("Neg"),
      Involution("Not"),
      ClipWithoutLimits(),
      ReluFromClip(),
      ClipOfRelu(),
      UnreadInputsOfResize(),
  };
}

}  // namespace athanor::passes
