// Chains of nodes that only move elements become one node, or none.
#include <algorithm>
#include <numeric>

#include "passes/rules/rules.h"

namespace athanor::passes {
namespace {

using Ints = std::vector<std::int64_t>;

// The permutation of a Transpose; without the attribute it reverses. Nothing when the rank is not
// known.
std::optional<Ints> PermOf(const Match& m, const Pat& transpose, const Pat& input) {
  Ints perm = m.IntsAttr(transpose, "perm");
  const std::optional<std::int64_t> rank = m.RankOf(input);
  if (!rank) return perm.empty() ? std::nullopt : std::optional(perm);
  if (perm.empty()) {
    perm.resize(static_cast<std::size_t>(*rank));
    std::iota(perm.rbegin(), perm.rend(), 0);
  }
  return perm;
}

bool IsIdentity(const Ints& perm) {
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

Rule TransposeOfTranspose() {
  Pat x = Any();
  Pat inner = Op("Transpose", {x});
  Pat outer = Op("Transpose", {inner});
  return {.name = "transpose-of-transpose", .match = outer, .build = [=](Builder& g) {
            const auto first = PermOf(g, inner, x);
            const auto second = PermOf(g, outer, inner);
            if (!first || !second || first->size() != second->size())
              return g.Refuse("the rank is not known");
            Ints both;
            for (const std::int64_t axis : *second)
              both.push_back((*first)[static_cast<std::size_t>(axis)]);
            return IsIdentity(both) ? g[x] : Transpose(g[x], both);
          }};
}

Rule TransposeInPlace() {
  Pat x = Any();
  Pat transpose = Op("Transpose", {x});
  return {.name = "remove-transpose-in-place",
          .match = transpose,
          .build = [=](Builder& g) { return g[x]; },
          .where =
              [=](const Match& m) {
                const auto perm = PermOf(m, transpose, x);
                return perm && IsIdentity(*perm);
              }};
}

// Axes of size 1 may go anywhere without moving an element.
Rule TransposeOfUnitAxes() {
  Pat x = Any();
  Pat transpose = Op("Transpose", {x});
  return {.name = "reshape-from-transpose-of-unit-axes",
          .match = transpose,
          .build = [=](Builder& g) { return Reshape(g[x], *g.DimsOf(transpose)); },
          .where =
              [=](const Match& m) {
                const auto dims = m.DimsOf(x);
                const auto perm = PermOf(m, transpose, x);
                if (!dims || !perm || IsIdentity(*perm)) return false;
                std::int64_t last = -1;
                for (const std::int64_t axis : *perm) {
                  if ((*dims)[static_cast<std::size_t>(axis)] == 1) continue;
                  if (axis < last) return false;
                  last = axis;
                }
                return !std::count(dims->begin(), dims->end(), 0);
              }};
}

// A target for Reshape that gives `after` from `before`: numbers, 0 where a dimension stays, -1
// for at most one more. Nothing when more is unknown.
std::optional<Ints> ReshapeTarget(const Type& before, const Type& after) {
  if (!after.HasRank()) return std::nullopt;
  Ints target;
  bool wildcard = false;
  bool copies = false;
  for (std::int64_t i = 0; i < after.rank(); ++i) {
    const Dim& dim = after.dim(i);
    if (dim.IsConst()) {
      if (dim.value() == 0) return std::nullopt;
      target.push_back(dim.value());
    } else if (before.HasRank() && i < before.rank() && ProvablyEqual(dim, before.dim(i))) {
      target.push_back(0);
      copies = true;
    } else if (!wildcard) {
      target.push_back(-1);
      wildcard = true;
    } else {
      return std::nullopt;
    }
  }
  // One symbolic dimension alone is plainest as what is left over.
  if (copies && !wildcard && std::count(target.begin(), target.end(), 0) == 1)
    *std::find(target.begin(), target.end(), 0) = -1;
  return target;
}

Pat AnyReshape(const Pat& x, std::string_view except = "") {
  std::vector<Pat> forms;
  for (const std::string_view op : {"Reshape", "Squeeze", "Unsqueeze"}) {
    if (op != except) forms.push_back(Op(op, {x, Optional(Any())}));
  }
  forms.push_back(Op("Flatten", {x}));
  return Either(std::move(forms));
}

// Whatever the two said, the second alone decides the shape.
Rule ReshapeOfReshape() {
  Pat x = Any();
  Pat inner = AnyReshape(x);
  return {.name = "reshape-of-reshape", .match = AnyReshape(inner), .build = [=](Builder& g) {
            const Type& before = g.TypeOf(x);
            const Type& after = g.graph().value(g.result()).type;
            const auto target = ReshapeTarget(before, after);
            if (!target) return g.Refuse("more than one dimension is not known");
            return Reshape(g[x], *target);
          }};
}

// Shapes that are computed while running, though all but one dimension are known now.
Rule ReshapeToKnownTarget() {
  Pat x = Any(), shape = Any();
  return {.name = "reshape-to-known-target",
          .match = Op("Reshape", {x, shape}),
          .build =
              [=](Builder& g) {
                const auto target = ReshapeTarget(g.TypeOf(x), g.graph().value(g.result()).type);
                if (!target) return g.Refuse("more than one dimension is not known");
                return Reshape(g[x], *target);
              },
          .where = [=](const Match& m) { return m.graph().Constant(m.ValueOf(shape)) == nullptr; }};
}

// Every value of `from` is a value of `to`.
bool IsLossless(DType from, DType to) {
  if (from == to) return true;
  if (to == DType::kF64) return from == DType::kF32 || from == DType::kF16 || from == DType::kBF16;
  if (to == DType::kF32) return from == DType::kF16 || from == DType::kBF16;
  if (!IsInteger(from) || !IsInteger(to)) return false;
  return ElementBits(from) < ElementBits(to) && (IsSigned(to) || !IsSigned(from));
}

Rule CastOfCast() {
  Pat x = Any();
  Pat inner = Op("Cast", {x});
  return {.name = "cast-of-cast",
          .match = Op("Cast", {inner}),
          .build =
              [=](Builder& g) {
                const DType to = g.graph().value(g.result()).type.dtype;
                return to == g.TypeOf(x).dtype ? g[x] : g.Op("Cast", {g[x]}, {{"to", to}});
              },
          .where =
              [=](const Match& m) { return IsLossless(m.TypeOf(x).dtype, m.TypeOf(inner).dtype); }};
}

}  // namespace

std::vector<Rule> MovementRules() {
  std::vector<Rule> rules = {
      TransposeInPlace(), TransposeOfTranspose(), TransposeOfUnitAxes(),
      ReshapeOfReshape(), ReshapeToKnownTarget(), CastOfCast(),
  };
  // They work together: what has moved meets the next Transpose.
  for (Rule& rule : TransposeRules()) rules.push_back(std::move(rule));
  return rules;
}

}  // namespace athanor::passes
