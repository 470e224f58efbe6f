#include "codegen/table/scores.h"

#include <numbers>

namespace athanor::codegen {
namespace {

// f64 formulas, written short.
class Formulas {
 public:
  explicit Formulas(TermMaker& make) : make_(make) {}
  TermId Number(double x) { return make_.Number(DType::kF64, x); }
  TermId Add(TermId a, TermId b) { return Call(Fn::kAdd, {a, b}); }
  TermId Sub(TermId a, TermId b) { return Call(Fn::kSub, {a, b}); }
  TermId Mul(TermId a, TermId b) { return Call(Fn::kMul, {a, b}); }
  TermId Div(TermId a, TermId b) { return Call(Fn::kDiv, {a, b}); }
  TermId Call(Fn fn, std::vector<TermId> args) {
    return make_.Call(fn, DType::kF64, std::move(args));
  }
  TermId Where(Fn compare, TermId a, TermId b, TermId yes, TermId no) {
    return Call(Fn::kWhere, {make_.Call(compare, DType::kBool, {a, b}), yes, no});
  }

 private:
  TermMaker& make_;
};

// Softmax that leaves scores of zero small: they count as score * exp(-largest).
std::vector<TermId> SoftmaxZero(TermMaker& make, const std::vector<TermId>& scores) {
  constexpr double kZero = 1e-7;
  Formulas f(make);
  TermId top = scores[0];
  for (std::size_t i = 1; i < scores.size(); ++i) top = f.Call(Fn::kMax, {top, scores[i]});
  const TermId shrink = f.Call(Fn::kExp, {f.Call(Fn::kNeg, {top})});
  std::vector<TermId> powers, shares;
  for (const TermId score : scores) {
    powers.push_back(f.Where(Fn::kLessOrEqual, f.Call(Fn::kAbs, {score}), f.Number(kZero),
                             f.Mul(score, shrink), f.Call(Fn::kExp, {f.Sub(score, top)})));
  }
  const TermId sum = Sum(make, DType::kF64, powers), zero = f.Number(0);
  for (const TermId power : powers)
    shares.push_back(f.Where(Fn::kEqual, sum, zero, f.Number(0.5), f.Div(power, sum)));
  return shares;
}

// The inverse of the normal distribution as the operators have it (feature_table.cpp).
TermId Probit(TermMaker& make, TermId p) {
  constexpr double kA = 0.147;
  Formulas f(make);
  const TermId one = f.Number(1), zero = f.Number(0);
  const TermId x = f.Sub(f.Mul(f.Number(2), p), one);
  const TermId log = f.Call(Fn::kLog, {f.Mul(f.Sub(one, x), f.Add(one, x))});
  const TermId v = f.Add(f.Number(2 / (std::numbers::pi * kA)), f.Mul(f.Number(0.5), log));
  const TermId root =
      f.Call(Fn::kSqrt, {f.Sub(f.Call(Fn::kSquare, {v}), f.Div(log, f.Number(kA)))});
  const TermId inverse = f.Call(Fn::kSqrt, {f.Sub(root, v)});
  return f.Mul(f.Number(std::numbers::sqrt2),
               f.Where(Fn::kLess, x, zero, f.Call(Fn::kNeg, {inverse}), inverse));
}

}  // namespace

std::vector<TermId> Doubles(TermMaker& make, const std::vector<TermId>& terms) {
  std::vector<TermId> out;
  for (const TermId x : terms) out.push_back(make.Cast(DType::kF64, x));
  return out;
}

TermId Sum(TermMaker& make, DType dtype, std::vector<TermId> terms) {
  return terms.size() == 1 ? terms[0] : make.Call(Fn::kAdd, dtype, std::move(terms));
}

void SetRounded(Lowering& l, std::size_t output, const std::vector<TermId>& terms) {
  std::vector<TermId> out;
  for (const TermId x : terms) out.push_back(l.make.Cast(l.OutType(output), x));
  l.SetOut(std::move(out), output);
}

std::vector<TermId> Transformed(TermMaker& make, ops::PostTransform transform,
                                std::vector<TermId> scores) {
  using ops::PostTransform;
  if (scores.empty() || transform == PostTransform::kNone) return scores;
  if (transform == PostTransform::kSoftmax) return SoftmaxOf(make, DType::kF64, scores);
  if (transform == PostTransform::kSoftmaxZero) return SoftmaxZero(make, scores);
  for (TermId& score : scores) {
    score = transform == PostTransform::kLogistic ? make.Call(Fn::kSigmoid, DType::kF64, {score})
                                                  : Probit(make, score);
  }
  return scores;
}

TermId LabelTerm(TermMaker& make, const ops::ClassLabels& labels, std::size_t index) {
  return labels.strings.empty()
             ? make.Number(DType::kI64, static_cast<double>(labels.integers[index]))
             : make.Text(labels.strings[index]);
}

TermId BestLabel(TermMaker& make, const ops::ClassLabels& labels,
                 const std::vector<TermId>& scores) {
  TermId label = LabelTerm(make, labels, 0);
  TermId best = scores[0];
  for (std::size_t i = 1; i < scores.size(); ++i) {
    const TermId better = make.Call(Fn::kGreater, DType::kBool, {scores[i], best});
    label = make.Call(Fn::kWhere, make[label].dtype, {better, LabelTerm(make, labels, i), label});
    best = make.Call(Fn::kMax, DType::kF64, {best, scores[i]});
  }
  return label;
}

}  // namespace athanor::codegen
