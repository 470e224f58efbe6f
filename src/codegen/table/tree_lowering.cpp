// Formulas of tree ensembles: the newest form, in the type of its features, and the two older ones,
// which add in f64 and give f32.
#include <algorithm>
#include <map>

#include "codegen/table/scores.h"
#include "ops/ml/tree_ensemble.h"

namespace athanor::codegen {
namespace {

struct EnsembleAttrs {
  std::int64_t aggregate_function = 1;
  std::int64_t post_transform = 0;
  template <class V>
  void Visit(V& v) {
    v("aggregate_function", aggregate_function, "0 average, 1 sum, 2 min, 3 max over the trees");
    v("post_transform", post_transform, "0 none");
  }
};

// For each target the trees that have a leaf for it, in order.
std::map<std::int64_t, std::vector<std::size_t>> TreesOfTargets(const ops::Forest& forest) {
  std::map<std::int64_t, std::vector<std::size_t>> trees;
  const std::vector<ops::Forest::Walk> walks = forest.Walks();
  for (std::size_t tree = 0; tree < walks.size(); ++tree) {
    const auto note = [&](ops::Forest::Child child) {
      if (child >= 0) return;
      for (const auto& weight : forest.WeightsOf(static_cast<std::size_t>(-1 - child))) {
        std::vector<std::size_t>& list = trees[weight.target];
        if (list.empty() || list.back() != tree) list.push_back(tree);
      }
    };
    note(forest.roots()[tree]);
    for (const std::int64_t at : walks[tree].nodes) {
      note(forest.nodes()[static_cast<std::size_t>(at)].yes);
      note(forest.nodes()[static_cast<std::size_t>(at)].no);
    }
  }
  return trees;
}

// Whether all leaves of a tree say something of the target.
bool AllLeavesScore(const ops::Forest& forest, const ops::Forest::Walk& walk, std::size_t tree,
                    std::int64_t target) {
  const auto says = [&](ops::Forest::Child child) {
    if (child >= 0) return true;
    const auto weights = forest.WeightsOf(static_cast<std::size_t>(-1 - child));
    return std::any_of(weights.begin(), weights.end(),
                       [&](const auto& weight) { return weight.target == target; });
  };
  return says(forest.roots()[tree]) &&
         std::all_of(walk.nodes.begin(), walk.nodes.end(), [&](std::int64_t at) {
           const ops::Forest::Node& node = forest.nodes()[static_cast<std::size_t>(at)];
           return says(node.yes) && says(node.no);
         });
}

// The least or the largest of what the trees say of a target. A tree that is silent in some leaf
// does not count there, which has no formula.
Result<TermId> Extreme(TermMaker& make, DType dtype, const TreeSum& sum, Fn fn) {
  const ops::Forest& forest = make.program().forests[sum.forest];
  const std::vector<ops::Forest::Walk> walks = forest.Walks();
  std::vector<TermId> trees;
  for (const std::size_t tree : sum.trees) {
    if (!AllLeavesScore(forest, walks[tree], tree, sum.target))
      return Unsupported("a minimum or maximum over leaves of which some say nothing of target {}",
                         sum.target);
    TreeSum one = sum;
    one.trees = {tree};
    trees.push_back(make.Trees(dtype, std::move(one)));
  }
  TermId extreme = trees[0];
  for (std::size_t i = 1; i < trees.size(); ++i)
    extreme = make.Call(fn, dtype, {extreme, trees[i]});
  return extreme;
}

Status Trees(Lowering& l) {
  const auto attrs = l.Attrs<EnsembleAttrs>();
  if (attrs.post_transform != 0)
    return Unsupported("post_transform {}; scores without one are written", attrs.post_transform);
  const DType dtype = l.OutType();
  if (dtype != DType::kF32 && dtype != DType::kF64)
    return Unsupported("trees of {}; f32 and f64 are written", Name(dtype));
  ATH_TRY(ops::Forest forest, ops::ForestOf(l.node().attributes));
  const auto targets = TreesOfTargets(forest);
  const auto count = static_cast<double>(forest.num_trees());
  RowProgram& program = l.make.program();
  program.forests.push_back(std::move(forest));
  const std::size_t row = l.make.Row(l.in[0].terms);
  std::vector<TermId> out;
  for (std::int64_t target = 0; target < l.OutDims().back(); ++target) {
    const auto found = targets.find(target);
    if (found == targets.end()) {
      out.push_back(l.make.Number(dtype, 0));
      continue;
    }
    const TreeSum sum = {program.forests.size() - 1, row, target, found->second};
    TermId score = 0;
    if (attrs.aggregate_function >= 2) {
      ATH_TRY(score,
              Extreme(l.make, dtype, sum, attrs.aggregate_function == 2 ? Fn::kMin : Fn::kMax));
    } else {
      score = l.make.Trees(dtype, sum);
      if (attrs.aggregate_function == 0)
        score = l.make.Call(Fn::kDiv, dtype, {score, l.make.Number(dtype, count)});
    }
    out.push_back(score);
  }
  l.SetOut(std::move(out));
  return {};
}

// ---- TreeEnsembleRegressor and TreeEnsembleClassifier

// The f64 score of one target from its trees.
Result<TermId> OldScore(TermMaker& make, const ops::ScoredForest& ensemble, const TreeSum& sum) {
  using ops::TreeAggregate;
  if (ensemble.aggregate == TreeAggregate::kMin || ensemble.aggregate == TreeAggregate::kMax)
    return Extreme(make, DType::kF64, sum,
                   ensemble.aggregate == TreeAggregate::kMin ? Fn::kMin : Fn::kMax);
  const TermId score = make.Trees(DType::kF64, sum);
  if (ensemble.aggregate == TreeAggregate::kSum) return score;
  const auto count = static_cast<double>(ensemble.forest.num_trees());
  return make.Call(Fn::kDiv, DType::kF64, {score, make.Number(DType::kF64, count)});
}

struct OldScores {
  std::vector<TermId> targets;  // f64, the base added
  bool always = true;           // no row leaves a target without a score
};

Result<OldScores> OldScoresOf(Lowering& l, const ops::ScoredForest& ensemble) {
  TermMaker& make = l.make;
  // Integers are rounded to f32, as the operators read them.
  std::vector<TermId> features = l.in[0].terms;
  for (TermId& x : features) {
    if (!IsFloat(make[x].dtype)) x = make.Cast(DType::kF32, x);
  }
  const auto targets = TreesOfTargets(ensemble.forest);
  const std::vector<ops::Forest::Walk> walks = ensemble.forest.Walks();
  make.program().forests.push_back(ensemble.forest);
  const std::size_t forest = make.program().forests.size() - 1, row = make.Row(features);
  OldScores scores;
  for (std::int64_t target = 0; target < ensemble.targets; ++target) {
    const auto found = targets.find(target);
    TermId score = make.Number(DType::kF64, 0);
    if (found == targets.end()) {
      scores.always = false;
    } else {
      ATH_TRY(score, OldScore(make, ensemble, {forest, row, target, found->second}));
      scores.always &=
          std::any_of(found->second.begin(), found->second.end(), [&](std::size_t tree) {
            return AllLeavesScore(ensemble.forest, walks[tree], tree, target);
          });
    }
    if (!ensemble.base.empty()) {
      const double base = ensemble.base[static_cast<std::size_t>(target)];
      score = make.Call(Fn::kAdd, DType::kF64, {score, make.Number(DType::kF64, base)});
    }
    scores.targets.push_back(score);
  }
  return scores;
}

Status TreeRegressor(Lowering& l) {
  ATH_TRY(const ops::ScoredForest ensemble, ops::ForestRegressorOf(l.node().attributes));
  ATH_TRY(OldScores scores, OldScoresOf(l, ensemble));
  SetRounded(l, 0, Transformed(l.make, ensemble.post_transform, std::move(scores.targets)));
  return {};
}

// Labels go by the scores as they are given out.
TermId Shown(TermMaker& make, TermId score) {
  return make.Cast(DType::kF64, make.Cast(DType::kF32, score));
}

// Two labels that share one score, and a single one that is there above 0.
TermId LabelByBorder(TermMaker& make, const ops::ForestClassifier& classifier, TermId score) {
  const ops::ClassLabels labels = classifier.labels();
  const double border = classifier.one_score && classifier.all_positive ? 0.5 : 0;
  const TermId shown = labels.size() == 1 ? score : Shown(make, score);
  const TermId above =
      make.Call(Fn::kGreater, DType::kBool, {shown, make.Number(DType::kF64, border)});
  if (labels.size() == 1) return make.Cast(DType::kI64, above);
  const TermId second = LabelTerm(make, labels, 1);
  return make.Call(Fn::kWhere, make[second].dtype, {above, second, LabelTerm(make, labels, 0)});
}

Status TreeClassifier(Lowering& l) {
  ATH_TRY(const ops::ForestClassifier classifier, ops::ForestClassifierOf(l.node().attributes));
  const ops::ScoredForest& ensemble = classifier.ensemble;
  TermMaker& make = l.make;
  ATH_TRY(OldScores made, OldScoresOf(l, ensemble));
  std::vector<TermId> scores = std::move(made.targets);
  const std::size_t labels = classifier.labels().size();
  TermId label = 0;
  if (labels == 1 || classifier.one_score) {
    label = LabelByBorder(make, classifier, scores[0]);
  } else {
    if (!made.always && ensemble.base.empty())
      return Unsupported("classes that some rows leave without a score");
    std::vector<TermId> shown;
    for (const TermId score : scores) shown.push_back(Shown(make, score));
    label = BestLabel(make, classifier.labels(), shown);
  }
  if (l.node().outputs[0] != kNoValue) l.SetOut({label}, 0);
  if (l.out.size() < 2 || l.node().outputs[1] == kNoValue) return {};
  if (classifier.one_score) {
    const bool share =
        ensemble.post_transform == ops::PostTransform::kProbit ||
        (ensemble.post_transform == ops::PostTransform::kNone && classifier.all_positive);
    const TermId score = scores[0];
    const TermId other =
        share ? make.Call(Fn::kSub, DType::kF64, {make.Number(DType::kF64, 1), score})
              : make.Call(Fn::kNeg, DType::kF64, {score});
    scores = {other, score};
  }
  if (labels > 1) scores = Transformed(make, ensemble.post_transform, std::move(scores));
  SetRounded(l, 1, scores);
  return {};
}

}  // namespace

std::vector<LoweringRow> TreeLowerings() {
  return {
      {"LinearTreeEnsemble", Trees},
      {"TreeEnsemble", Trees},
      {"TreeEnsembleClassifier", TreeClassifier},
      {"TreeEnsembleRegressor", TreeRegressor},
  };
}

}  // namespace athanor::codegen
