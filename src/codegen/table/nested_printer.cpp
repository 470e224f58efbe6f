#include "codegen/table/nested_printer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/text.h"

namespace athanor::codegen {
namespace {

using ops::Forest;

constexpr double kMostLeaves = 1 << 18;  // of one tree, written out
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Side Opposite(Side side) {
  constexpr Side kOpposites[] = {Side::kGreaterOrEqual, Side::kGreater, Side::kLessOrEqual,
                                 Side::kLess};
  return kOpposites[static_cast<std::size_t>(side)];
}

bool IsEven(float x) { return (std::bit_cast<std::uint32_t>(x) & 1) == 0; }

std::string_view Sign(Side side) {
  constexpr std::string_view kSigns[] = {" < ", " <= ", " > ", " >= "};
  return kSigns[static_cast<std::size_t>(side)];
}

}  // namespace

// x < t holds where x rounds to the float before t or less; the half way goes to the even one.
Border ExactBorder(Side side, float split) {
  const bool below = side == Side::kLess || side == Side::kGreaterOrEqual;
  const float low = below ? std::nextafterf(split, -kInfinity) : split;
  const float high = below ? split : std::nextafterf(split, kInfinity);
  if (!std::isfinite(low) || !std::isfinite(high)) return {side, split};
  const double half = (static_cast<double>(low) + static_cast<double>(high)) / 2;
  const bool half_is_low = IsEven(low);
  if (side == Side::kLess || side == Side::kLessOrEqual)
    return {half_is_low ? Side::kLessOrEqual : Side::kLess, half};
  return {half_is_low ? Side::kGreater : Side::kGreaterOrEqual, half};
}

// Any number above the float before and not above the split does for x < split; the decimal texts
// of the two floats, which a table may hold in their place, must fall on the same sides.
double ShortBorder(Side side, float split) {
  const bool below = side == Side::kLess || side == Side::kGreaterOrEqual;
  const float before = std::nextafterf(split, -kInfinity),
              after = std::nextafterf(split, kInfinity);
  if (!std::isfinite(before) || !std::isfinite(after)) return split;
  const auto decimal = [](float x) { return std::stod(fmt::format("{}", x)); };
  const double low =
      below ? std::max<double>(before, decimal(before)) : std::max<double>(split, decimal(split));
  const double high =
      below ? std::min<double>(split, decimal(split)) : std::min<double>(after, decimal(after));
  // The end that belongs to the same side as the split counts, the other does not.
  for (int digits = 1; digits <= 17; ++digits) {
    const double value = std::stod(fmt::format("{:.{}g}", below ? high : low, digits));
    if (below ? value > low && value <= high : value >= low && value < high) return value;
  }
  return split;
}

// ---- trees

class NestedPrinter::TreeWriter {
 public:
  TreeWriter(const NestedPrinter& printer, const Term& term)
      : printer_(printer),
        sum_(printer.program_.sums[term.index]),
        forest_(printer.program_.forests[sum_.forest]),
        row_(printer.program_.rows[sum_.row]),
        dtype_(term.dtype),
        leaves_(forest_.nodes().size(), 0) {}

  Result<Piece> Write(std::size_t tree) {
    const Forest::Child root = forest_.roots()[tree];
    Count(root);
    if (LeavesBelow(root) > kMostLeaves) {
      return Error(ErrorCode::kResource,
                   "tree {} has {:.3g} leaves when it is written out; at most {} are written", tree,
                   LeavesBelow(root), kMostLeaves)
          .Fix("--target c99 has no such limit");
    }
    return Branch(root);
  }

 private:
  double LeavesBelow(Forest::Child at) const {
    return at < 0 ? 1 : leaves_[static_cast<std::size_t>(at)];
  }

  // Leaves below each node, children first. Branches that meet again are written twice.
  void Count(Forest::Child root) {
    std::vector<Forest::Child> open = {root};
    while (!open.empty()) {
      const Forest::Child at = open.back();
      if (at < 0 || LeavesBelow(at) > 0) {
        open.pop_back();
        continue;
      }
      const Forest::Node& node = forest_.nodes()[static_cast<std::size_t>(at)];
      if (LeavesBelow(node.yes) > 0 && LeavesBelow(node.no) > 0) {
        leaves_[static_cast<std::size_t>(at)] = node.yes == node.no
                                                    ? LeavesBelow(node.yes)
                                                    : LeavesBelow(node.yes) + LeavesBelow(node.no);
        open.pop_back();
      } else {
        open.push_back(node.no);
        open.push_back(node.yes);
      }
    }
  }

  // Cases in a row follow the branch with more leaves, so that nesting grows with the logarithm.
  Piece Branch(Forest::Child at) const {
    std::vector<Case> cases;
    while (at >= 0) {
      const Forest::Node& node = forest_.nodes()[static_cast<std::size_t>(at)];
      const bool take_yes = LeavesBelow(node.yes) <= LeavesBelow(node.no);
      if (node.yes != node.no)
        cases.push_back({Condition(node, take_yes), Branch(take_yes ? node.yes : node.no)});
      at = take_yes ? node.no : node.yes;
    }
    Piece leaf = Leaf(static_cast<std::size_t>(-1 - at));
    return cases.empty() ? leaf : printer_.Choice(cases, leaf);
  }

  // Whether a row takes one of the two branches.
  std::string Condition(const Forest::Node& node, bool yes) const {
    using Mode = Forest::Mode;
    const TermId x = row_[node.feature];
    const bool missing = node.missing_is_yes == yes && !printer_.program_.IsNeverMissing(x);
    if (node.mode <= Mode::kGt) {
      constexpr Side kSides[] = {Side::kLessOrEqual, Side::kLess, Side::kGreaterOrEqual,
                                 Side::kGreater};
      const Side side = kSides[static_cast<std::size_t>(node.mode)];
      const std::string text = printer_.Compared(yes ? side : Opposite(side), x, node.split);
      return missing ? printer_.Or(text, printer_.IsMissing(printer_.piece(x).text)) : text;
    }
    std::vector<std::string> list;
    const std::vector<double> one = {node.split};
    for (const double number : node.mode == Mode::kMember ? node.members : one)
      list.push_back(printer_.Real(number, dtype_));
    const bool among = (node.mode == Mode::kNeq) != yes;
    return printer_.IsAmong(printer_.piece(x).text, list, among, missing);
  }

  Piece Leaf(std::size_t leaf) const {
    const double weight = RowProgram::LeafWeight(forest_, leaf, sum_.target);
    const Piece plain = printer_.Number(weight, dtype_);
    if (!forest_.is_linear()) return plain;
    if (forest_.Terms(leaf).empty()) return printer_.Number(forest_.constant(leaf), dtype_);
    std::vector<Piece> parts = {printer_.Number(forest_.constant(leaf), dtype_)};
    std::string missing;
    for (const Forest::Term& term : forest_.Terms(leaf)) {
      const Piece& x = printer_.piece(row_[term.feature]);
      const Piece coefficient = printer_.Number(term.coefficient, dtype_);
      parts.push_back(
          {coefficient.text + " * " + Within(x, kProduct, false), kProduct, x.depth + 2, x.stage});
      if (printer_.program_.IsNeverMissing(row_[term.feature])) continue;
      const std::string is_missing = printer_.IsMissing(x.text);
      missing = missing.empty() ? is_missing : printer_.Or(missing, is_missing);
    }
    const Piece sum = printer_.SumOf(std::move(parts));
    return missing.empty() ? sum : printer_.Choice({{missing, plain}}, sum);
  }

  const NestedPrinter& printer_;
  const TreeSum& sum_;
  const Forest& forest_;
  const std::vector<TermId>& row_;
  const DType dtype_;
  std::vector<double> leaves_;
};

Result<Piece> NestedPrinter::Trees(TermId id) {
  const TreeSum& sum = program_.sums[term(id).index];
  TreeWriter writer(*this, term(id));
  int stage = 0;
  for (const TermId x : program_.rows[sum.row]) stage = std::max(stage, piece(x).stage);
  std::vector<Piece> trees;
  for (const std::size_t tree : sum.trees) {
    ATH_TRY(Piece made, writer.Write(tree));
    made.stage = std::max(made.stage, stage);
    trees.push_back(sum.trees.size() == 1 ? std::move(made) : OneOfMany(std::move(made)));
  }
  return SumOf(std::move(trees));
}

std::size_t NestedPrinter::UsesBy(const Term& reader) const {
  return reader.kind == Term::Kind::kCall ? 1 : 2;
}

Piece NestedPrinter::Number(double number, DType dtype) const {
  const bool sign = number < 0;
  return {Real(number, dtype), sign ? kUnary : kWord, 1, 0};
}

std::string NestedPrinter::AmongText(const std::string& x, const std::vector<std::string>& list,
                                     std::string_view one, std::string_view many) {
  if (list.size() == 1) return fmt::format("{} {} {}", x, one, list[0]);
  return fmt::format("{} {} ({})", x, many, Join(list, ", "));
}

// ---- comparisons

std::string NestedPrinter::Compared(Side side, TermId x, double split) const {
  const Piece& text = piece(x);
  const std::string left = Within(text, kComparison, false);
  if (term(x).dtype != DType::kF32)
    return left + std::string(Sign(side)) + Real(split, DType::kF64);
  const auto border = static_cast<float>(split);
  if (!std::isfinite(border)) return left + std::string(Sign(side)) + Real(split, DType::kF64);
  if (!ColumnsAreDouble() || term(x).kind != Term::Kind::kInput)
    return left + std::string(Sign(side)) + Real(ShortBorder(side, border), DType::kF64);
  const Border exact = ExactBorder(side, border);
  return left + std::string(Sign(exact.side)) + Real(exact.value, DType::kF64);
}

Result<Piece> NestedPrinter::Call(TermId id) {
  const Term& call = term(id);
  constexpr Fn kCompare[] = {Fn::kLess, Fn::kLessOrEqual, Fn::kGreater, Fn::kGreaterOrEqual};
  const auto* const found = std::find(std::begin(kCompare), std::end(kCompare), call.fn);
  const bool single = found != std::end(kCompare) && term(call.args[0]).dtype == DType::kF32 &&
                      term(call.args[1]).kind == Term::Kind::kConstant;
  if (!single) return Printer::Call(id);
  const Piece& x = piece(call.args[0]);
  const auto side = static_cast<Side>(found - std::begin(kCompare));
  return Piece{Compared(side, call.args[0], term(call.args[1]).number), kComparison, x.depth + 2,
               x.stage};
}

// ---- tables

std::string NestedPrinter::KeyText(const Tensor& keys, std::size_t i) const {
  if (keys.dtype() == DType::kString) return Text(keys.Data<std::string>()[i]);
  if (keys.dtype() == DType::kI64) return fmt::format("{}", keys.Data<std::int64_t>()[i]);
  if (keys.dtype() == DType::kF32) return Real(keys.Data<float>()[i], DType::kF32);
  return Real(keys.Data<double>()[i], DType::kF64);
}

Piece NestedPrinter::ValueText(const Tensor& values, std::size_t i) const {
  const std::string text = KeyText(values, i);
  return {text, text[0] == '-' ? kUnary : kWord, 1, 0};
}

Result<Piece> NestedPrinter::Find(TermId id) {
  const Term& find = term(id);
  const Lookup& lookup = program_.lookups[find.index];
  const Piece& x = piece(find.args[0]);
  const auto leaves = program_.LeavesOf(find.args[0]);
  std::vector<Case> cases;
  std::optional<Piece> missing, otherwise;
  const auto count = static_cast<std::size_t>(lookup.keys.count());
  const auto numbers = ToDoubles(lookup.keys);
  for (std::size_t i = 0; i < count; ++i) {
    const double number = numbers.ok() ? (*numbers)[i] : 0;
    if (leaves && !std::binary_search(leaves->begin(), leaves->end(), number)) continue;
    if (std::isnan(number)) {
      if (!missing) missing = ValueText(lookup.values, i);
    } else {
      cases.push_back({KeyText(lookup.keys, i), ValueText(lookup.values, i)});
    }
  }
  if (!leaves) otherwise = ValueText(lookup.otherwise, 0);
  Piece made = cases.empty() && otherwise ? *otherwise : Switch(x, cases, otherwise);
  if (missing && !program_.IsNeverMissing(find.args[0]) &&
      missing->text != (otherwise ? otherwise->text : ""))
    made = Choice({{IsMissing(x.text), *missing}}, made);
  made.stage = std::max(made.stage, x.stage);
  return made;
}

}  // namespace athanor::codegen
