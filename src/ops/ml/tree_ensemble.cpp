// TreeEnsemble, and its older forms TreeEnsembleRegressor and TreeEnsembleClassifier.
//
// Where the specification is silent the classifier does what engines agree on: two labels with all
// weights on class 0 mean one score for the second label.
#include "ops/ml/tree_ensemble.h"

#include <algorithm>
#include <cmath>

#include "ops/ml/feature_table.h"
#include "ops/ml/forest.h"

namespace athanor {

// Lists of a forest's nodes are long: they are read where they lie.
template <>
struct attributes_internal::Field<std::span<const std::int64_t>> {
  static constexpr AttrKind kind = AttrKind::kInts;
  static AttrValue Write(std::span<const std::int64_t> field) {
    return std::vector<std::int64_t>(field.begin(), field.end());
  }
  static void Read(const AttrValue& value, std::span<const std::int64_t>& field) {
    field = std::get<std::vector<std::int64_t>>(value);
  }
};

}  // namespace athanor

namespace athanor::ops {
namespace {

using IntList = std::vector<std::int64_t>;
using IntsInPlace = std::span<const std::int64_t>;  // of the attributes that they were read from
using FloatList = std::vector<float>;

constexpr std::int64_t kMostTargets = 1 << 24;

struct EnsembleAttrs {
  std::int64_t aggregate_function = 1;
  std::int64_t post_transform = 0;
  std::optional<std::int64_t> n_targets;
  IntsInPlace tree_roots, nodes_featureids, nodes_truenodeids, nodes_falsenodeids, nodes_trueleafs,
      nodes_falseleafs, nodes_missing_value_tracks_true, leaf_targetids;
  Tensor nodes_modes, nodes_splits, leaf_weights;
  std::optional<Tensor> nodes_hitrates, membership_values;
  template <class V>
  void Visit(V& v) {
    v("aggregate_function", aggregate_function, "0 average, 1 sum, 2 min, 3 max over the trees");
    v("post_transform", post_transform, "0 none, 1 softmax, 2 logistic, 3 softmax_zero, 4 probit");
    v("n_targets", n_targets, "values per sample; one more than the largest target when absent");
    v("tree_roots", tree_roots, "index of each tree's first node", kRequired);
    v("nodes_featureids", nodes_featureids, "feature each node looks at", kRequired);
    v("nodes_modes", nodes_modes, "0 <=, 1 <, 2 >=, 3 >, 4 ==, 5 !=, 6 member of a set", kRequired);
    v("nodes_splits", nodes_splits, "value each node compares with", kRequired);
    v("nodes_truenodeids", nodes_truenodeids, "node or leaf where the comparison holds", kRequired);
    v("nodes_falsenodeids", nodes_falsenodeids, "node or leaf where it does not", kRequired);
    v("nodes_trueleafs", nodes_trueleafs, "1: nodes_truenodeids names a leaf", kRequired);
    v("nodes_falseleafs", nodes_falseleafs, "1: nodes_falsenodeids names a leaf", kRequired);
    v("nodes_missing_value_tracks_true", nodes_missing_value_tracks_true,
      "1: NaN takes the true branch; 0, the default: the false branch");
    v("nodes_hitrates", nodes_hitrates, "how often nodes are visited; not used");
    v("membership_values", membership_values,
      "sets of the mode 6 nodes in order, each ended by NaN");
    v("leaf_targetids", leaf_targetids, "target of each leaf", kRequired);
    v("leaf_weights", leaf_weights, "value of each leaf", kRequired);
  }
};

struct LinearEnsembleAttrs : EnsembleAttrs {
  IntsInPlace leaf_feature_counts, leaf_features;
  Tensor leaf_constants, leaf_coefficients;
  template <class V>
  void Visit(V& v) {
    EnsembleAttrs::Visit(v);
    v("leaf_constants", leaf_constants, "what each leaf begins with", kRequired);
    v("leaf_feature_counts", leaf_feature_counts, "how many features each leaf adds", kRequired);
    v("leaf_features", leaf_features, "features of all leaves, leaf by leaf", kRequired);
    v("leaf_coefficients", leaf_coefficients, "what each of them is multiplied with", kRequired);
  }
};

// What TreeEnsembleRegressor and TreeEnsembleClassifier have in common.
struct NodeAttrs {
  std::string post_transform = "NONE";
  IntList nodes_treeids, nodes_nodeids, nodes_featureids, nodes_truenodeids, nodes_falsenodeids,
      nodes_missing_value_tracks_true;
  std::vector<std::string> nodes_modes;
  FloatList nodes_values, nodes_hitrates, base_values;
  std::optional<Tensor> nodes_values_as_tensor, nodes_hitrates_as_tensor, base_values_as_tensor;
  template <class V>
  void Visit(V& v) {
    v("post_transform", post_transform, "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
    v("nodes_treeids", nodes_treeids, "tree of each node");
    v("nodes_nodeids", nodes_nodeids, "number of each node within its tree");
    v("nodes_featureids", nodes_featureids, "feature each node looks at");
    v("nodes_modes", nodes_modes, "LEAF or BRANCH_LEQ, _LT, _GTE, _GT, _EQ, _NEQ");
    v("nodes_values", nodes_values, "value each node compares with");
    v("nodes_values_as_tensor", nodes_values_as_tensor, "the same in another type");
    v("nodes_truenodeids", nodes_truenodeids, "child where the comparison holds");
    v("nodes_falsenodeids", nodes_falsenodeids, "child where it does not");
    v("nodes_missing_value_tracks_true", nodes_missing_value_tracks_true,
      "1: NaN takes the true branch; 0, the default: the false branch");
    v("nodes_hitrates", nodes_hitrates, "how often nodes are visited; not used");
    v("nodes_hitrates_as_tensor", nodes_hitrates_as_tensor, "the same in another type");
    v("base_values", base_values, "added to the scores");
    v("base_values_as_tensor", base_values_as_tensor, "the same in another type");
  }
};

struct RegressorAttrs : NodeAttrs {
  std::string aggregate_function = "SUM";
  std::optional<std::int64_t> n_targets;
  IntList target_treeids, target_nodeids, target_ids;
  FloatList target_weights;
  std::optional<Tensor> target_weights_as_tensor;
  template <class V>
  void Visit(V& v) {
    NodeAttrs::Visit(v);
    v("aggregate_function", aggregate_function, "SUM, AVERAGE, MIN or MAX over the trees");
    v("n_targets", n_targets, "values per sample; one more than the largest target when absent");
    v("target_treeids", target_treeids, "tree of each weight");
    v("target_nodeids", target_nodeids, "leaf of each weight");
    v("target_ids", target_ids, "target of each weight");
    v("target_weights", target_weights, "what the leaf adds to the target");
    v("target_weights_as_tensor", target_weights_as_tensor, "the same in another type");
  }
};

struct ClassifierAttrs : NodeAttrs {
  IntList classlabels_int64s, class_treeids, class_nodeids, class_ids;
  std::vector<std::string> classlabels_strings;
  FloatList class_weights;
  std::optional<Tensor> class_weights_as_tensor;
  template <class V>
  void Visit(V& v) {
    NodeAttrs::Visit(v);
    v("classlabels_int64s", classlabels_int64s, "labels, where they are integers");
    v("classlabels_strings", classlabels_strings, "labels, where they are strings");
    v("class_treeids", class_treeids, "tree of each weight");
    v("class_nodeids", class_nodeids, "leaf of each weight");
    v("class_ids", class_ids, "index of the class of each weight");
    v("class_weights", class_weights, "what the leaf adds to the class");
    v("class_weights_as_tensor", class_weights_as_tensor, "the same in another type");
  }
  ClassLabels Labels() const { return {classlabels_int64s, classlabels_strings}; }
};

Result<Forest> NamedForest(const NodeAttrs& attrs, const IntList& trees, const IntList& nodes,
                           const IntList& targets, std::span<const double> weights) {
  ATH_TRY(const std::vector<double> splits,
          NumbersOf(attrs.nodes_values, attrs.nodes_values_as_tensor));
  return Forest::Make({.tree = attrs.nodes_treeids,
                       .node = attrs.nodes_nodeids,
                       .feature = attrs.nodes_featureids,
                       .yes = attrs.nodes_truenodeids,
                       .no = attrs.nodes_falsenodeids,
                       .missing = attrs.nodes_missing_value_tracks_true,
                       .mode = attrs.nodes_modes,
                       .split = splits,
                       .weight_tree = trees,
                       .weight_node = nodes,
                       .weight_target = targets,
                       .weight = weights});
}

Result<std::int64_t> TargetCount(std::int64_t max_target, std::optional<std::int64_t> stated) {
  const std::int64_t count = stated.value_or(max_target + 1);
  if (count < 1 || count > kMostTargets)
    return InvalidModel("n_targets is {}; 1 to {} is accepted", count, kMostTargets);
  if (max_target >= count)
    return InvalidModel("target {} does not exist: n_targets is {}", max_target, count);
  return count;
}

// The lists of a forest; `nodes` points into these and into the attributes.
struct NodeLists {
  IntList modes;
  std::vector<double> splits, members, weights;
  Forest::IndexedNodes nodes = {};
};

Result<NodeLists> ListsOf(const EnsembleAttrs& attrs) {
  if (attrs.aggregate_function < 0 || attrs.aggregate_function > 3)
    return InvalidModel("aggregate_function is {}; 0 to 3 is expected", attrs.aggregate_function);
  if (attrs.post_transform < 0 || attrs.post_transform > 4)
    return InvalidModel("post_transform is {}; 0 to 4 is expected", attrs.post_transform);
  NodeLists lists;
  ATH_TRY(lists.modes, ToInts(attrs.nodes_modes));
  ATH_TRY(lists.splits, ToDoubles(attrs.nodes_splits));
  ATH_TRY(lists.members, NumbersOf({}, attrs.membership_values));
  ATH_TRY(lists.weights, ToDoubles(attrs.leaf_weights));
  lists.nodes = {.roots = attrs.tree_roots,
                 .feature = attrs.nodes_featureids,
                 .yes = attrs.nodes_truenodeids,
                 .no = attrs.nodes_falsenodeids,
                 .yes_is_leaf = attrs.nodes_trueleafs,
                 .no_is_leaf = attrs.nodes_falseleafs,
                 .missing = attrs.nodes_missing_value_tracks_true,
                 .mode = lists.modes,
                 .split = lists.splits,
                 .members = lists.members,
                 .leaf_target = attrs.leaf_targetids,
                 .leaf_weight = lists.weights};
  return lists;
}

Result<ScoredForest> Read(const EnsembleAttrs& attrs) {
  ATH_TRY(const NodeLists lists, ListsOf(attrs));
  ATH_TRY(Forest forest, Forest::Make(lists.nodes));
  ATH_TRY(const std::int64_t targets, TargetCount(forest.max_target(), attrs.n_targets));
  return ScoredForest{.forest = std::move(forest),
                      .aggregate = static_cast<TreeAggregate>(attrs.aggregate_function),
                      .post_transform = static_cast<PostTransform>(attrs.post_transform),
                      .targets = targets,
                      .base = {}};
}

Result<ScoredForest> Read(const LinearEnsembleAttrs& attrs) {
  if (attrs.aggregate_function > 1)
    return InvalidModel("aggregate_function is {}; 0 or 1 is expected", attrs.aggregate_function);
  ATH_TRY(ScoredForest ensemble, Read(static_cast<const EnsembleAttrs&>(attrs)));
  ATH_TRY(const std::vector<double> constants, ToDoubles(attrs.leaf_constants));
  ATH_TRY(const std::vector<double> coefficients, ToDoubles(attrs.leaf_coefficients));
  ATH_RETURN_IF_ERROR(ensemble.forest.MakeLinear({.constants = constants,
                                                  .counts = attrs.leaf_feature_counts,
                                                  .features = attrs.leaf_features,
                                                  .coefficients = coefficients}));
  return ensemble;
}

Result<TreeAggregate> AggregateFromName(std::string_view name) {
  if (name == "SUM") return TreeAggregate::kSum;
  if (name == "AVERAGE") return TreeAggregate::kAverage;
  if (name == "MIN") return TreeAggregate::kMin;
  if (name == "MAX") return TreeAggregate::kMax;
  return InvalidModel("aggregate_function is \"{}\"; SUM, AVERAGE, MIN or MAX is expected", name);
}

Result<ScoredForest> Read(const RegressorAttrs& attrs) {
  ATH_TRY(const TreeAggregate aggregate, AggregateFromName(attrs.aggregate_function));
  ATH_TRY(const PostTransform transform, PostTransformFromName(attrs.post_transform));
  ATH_TRY(const std::vector<double> weights,
          NumbersOf(attrs.target_weights, attrs.target_weights_as_tensor));
  ATH_TRY(Forest forest, NamedForest(attrs, attrs.target_treeids, attrs.target_nodeids,
                                     attrs.target_ids, weights));
  ATH_TRY(const std::int64_t targets, TargetCount(forest.max_target(), attrs.n_targets));
  ATH_TRY(std::vector<double> base, NumbersOf(attrs.base_values, attrs.base_values_as_tensor));
  if (base.size() == 1) base.resize(static_cast<std::size_t>(targets), base[0]);
  if (!base.empty() && base.size() != static_cast<std::size_t>(targets))
    return InvalidModel("{} base values are given for {} targets", base.size(), targets);
  return ScoredForest{std::move(forest), aggregate, transform, targets, std::move(base)};
}

// What a leaf with this weight adds. Each step is rounded where the scores are f32.
double ValueOf(const ScoredForest& ensemble, std::size_t leaf, const Forest::Weight& weight,
               std::span<const double> features) {
  if (!ensemble.forest.is_linear()) return weight.value;
  const auto rounded = [&](double x) { return ensemble.single ? static_cast<float>(x) : x; };
  double sum = ensemble.forest.constant(leaf);
  for (const Forest::Term& term : ensemble.forest.Terms(leaf)) {
    const double x = features[term.feature];
    if (std::isnan(x)) return weight.value;
    sum = rounded(sum + rounded(term.coefficient * x));
  }
  return sum;
}

// Scores of one sample before the base values; `touched` says which got anything.
void Score(const ScoredForest& ensemble, std::span<const double> features, std::span<double> scores,
           std::vector<bool>& touched) {
  std::fill(scores.begin(), scores.end(), 0.0);
  touched.assign(scores.size(), false);
  for (std::size_t tree = 0; tree < ensemble.forest.num_trees(); ++tree) {
    const std::size_t leaf = ensemble.forest.Reach(tree, features);
    for (const Forest::Weight& weight : ensemble.forest.WeightsOf(leaf)) {
      const auto at = static_cast<std::size_t>(weight.target);
      const double value = ValueOf(ensemble, leaf, weight, features);
      double& score = scores[at];
      if (ensemble.aggregate == TreeAggregate::kMin && touched[at]) {
        score = std::min(score, value);
      } else if (ensemble.aggregate == TreeAggregate::kMax && touched[at]) {
        score = std::max(score, value);
      } else {
        score += value;
        if (ensemble.single) score = static_cast<float>(score);
      }
      touched[at] = true;
    }
  }
  if (ensemble.aggregate == TreeAggregate::kAverage) {
    for (double& score : scores) score /= static_cast<double>(ensemble.forest.num_trees());
  }
}

Status CheckFeatures(std::int64_t max_feature, const FeatureDims& dims) {
  if (dims.columns.IsConst() && max_feature >= dims.columns.value()) {
    return InvalidModel("the trees look at feature {}, but x has {} features", max_feature,
                        dims.columns.value());
  }
  return {};
}

// What inference asks of a forest that it has checked.
struct Extent {
  std::int64_t max_feature = -1, targets = 0;
};
template <class Attrs>
Result<Extent> ExtentOf(const Attrs& attrs) {
  ATH_TRY(const ScoredForest ensemble, Read(attrs));
  return Extent{ensemble.forest.max_feature(), ensemble.targets};
}
Result<Extent> ExtentOf(const EnsembleAttrs& attrs) {
  ATH_TRY(const NodeLists lists, ListsOf(attrs));
  ATH_TRY(const Forest::Bounds bounds, Forest::Check(lists.nodes));
  ATH_TRY(const std::int64_t targets, TargetCount(bounds.max_target, attrs.n_targets));
  return Extent{bounds.max_feature, targets};
}

template <class Attrs>
Status InferScores(InferCtx& ctx) {
  ATH_TRY(const Extent ensemble, ExtentOf(ctx.Attrs<Attrs>()));
  ATH_TRY(const FeatureDims dims, InferFeatures(ctx));
  ATH_RETURN_IF_ERROR(CheckFeatures(ensemble.max_feature, dims));
  // The newest form gives the type of x, the older one always f32.
  const bool keeps_type = std::is_base_of_v<EnsembleAttrs, Attrs>;
  if (keeps_type && !IsFloat(ctx.InDType(0)))
    return InvalidModel("x is {}; f32, f64 or f16 is expected", Name(ctx.InDType(0)));
  ctx.out[0] =
      Type::Tensor(keeps_type ? ctx.InDType(0) : DType::kF32, {dims.rows, ensemble.targets});
  return {};
}

void WriteRow(std::span<const double> scores, std::int64_t row, Tensor& output) {
  const auto begin = static_cast<std::size_t>(row) * scores.size();
  const Status written =
      Dispatch(TypeList<float, double, Half>{}, output.dtype(), [&](auto tag) -> Status {
        using T = typename decltype(tag)::Type;
        const auto out = output.MutableData<T>();
        for (std::size_t i = 0; i < scores.size(); ++i) {
          if constexpr (std::is_same_v<T, Half>) {
            out[begin + i] = Half(static_cast<float>(scores[i]));
          } else {
            out[begin + i] = static_cast<T>(scores[i]);
          }
        }
        return {};
      });
  ATH_CHECK(written.ok(), "inference allows these types only");
}

template <class Attrs>
Status ScoresReference(RefCtx& ctx) {
  ATH_TRY(ScoredForest ensemble, Read(ctx.Attrs<Attrs>()));
  ensemble.single = std::is_base_of_v<EnsembleAttrs, Attrs> && ctx.In(0).dtype() == DType::kF32;
  ATH_TRY(const FeatureTable table, ReadFeatures(ctx.In(0)));
  std::vector<double> scores(static_cast<std::size_t>(ensemble.targets));
  std::vector<bool> touched;
  for (std::int64_t row = 0; row < table.rows; ++row) {
    Score(ensemble, table.Row(row), scores, touched);
    for (std::size_t i = 0; i < ensemble.base.size(); ++i) scores[i] += ensemble.base[i];
    Apply(ensemble.post_transform, scores);
    WriteRow(scores, row, ctx.Out(0));
  }
  return {};
}

Result<ForestClassifier> Read(const ClassifierAttrs& attrs) {
  ATH_RETURN_IF_ERROR(CheckLabels(attrs.Labels()));
  ATH_TRY(const PostTransform transform, PostTransformFromName(attrs.post_transform));
  ATH_TRY(const std::vector<double> weights,
          NumbersOf(attrs.class_weights, attrs.class_weights_as_tensor));
  ATH_TRY(Forest forest,
          NamedForest(attrs, attrs.class_treeids, attrs.class_nodeids, attrs.class_ids, weights));
  const std::size_t labels = attrs.Labels().size();
  if (forest.max_target() >= static_cast<std::int64_t>(labels)) {
    return InvalidModel("class {} does not exist: {} labels are given", forest.max_target(),
                        labels);
  }
  ATH_TRY(std::vector<double> base, NumbersOf(attrs.base_values, attrs.base_values_as_tensor));
  const bool one_score = labels == 2 && forest.max_target() <= 0;
  const std::size_t scores = one_score ? 1 : labels;
  // With one score the base of the second label counts.
  if (one_score && base.size() == 2) base = {base[1]};
  if (base.size() == 1) base.resize(scores, base[0]);
  if (!base.empty() && base.size() != scores)
    return InvalidModel("{} base values are given for {} classes", base.size(), labels);
  const bool all_positive =
      std::all_of(weights.begin(), weights.end(), [](double w) { return w >= 0; });
  return ForestClassifier{{std::move(forest), TreeAggregate::kSum, transform,
                           static_cast<std::int64_t>(scores), std::move(base)},
                          one_score,
                          all_positive,
                          attrs.classlabels_int64s,
                          attrs.classlabels_strings};
}

Status InferClassifier(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<ClassifierAttrs>();
  ATH_TRY(const ForestClassifier classifier, Read(attrs));
  ATH_TRY(const FeatureDims dims, InferFeatures(ctx));
  ATH_RETURN_IF_ERROR(CheckFeatures(classifier.ensemble.forest.max_feature(), dims));
  const ClassLabels labels = attrs.Labels();
  if (labels.size() == 1 && labels.dtype() == DType::kString)
    return Unsupported("one string label; one integer label or two strings are accepted");
  ctx.out[0] = Type::Tensor(labels.dtype(), {dims.rows});
  if (ctx.num_outputs() > 1) {
    ctx.out[1] =
        Type::Tensor(DType::kF32, {dims.rows, Dim(static_cast<std::int64_t>(labels.size()))});
  }
  return {};
}

// Labels go by the scores that are given out: votes of 1/20, ten of which are 1/2 and no more, add
// up to a little more before they are rounded.
double Shown(double score) { return static_cast<float>(score); }

// Both columns of a two-label model that has one score.
std::vector<double> TwoScores(const ForestClassifier& classifier, double score) {
  const PostTransform transform = classifier.ensemble.post_transform;
  const bool probability = transform == PostTransform::kProbit ||
                           (transform == PostTransform::kNone && classifier.all_positive);
  return {probability ? 1 - score : -score, score};
}

Status ClassifierReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ClassifierAttrs>();
  ATH_TRY(const ForestClassifier classifier, Read(attrs));
  ATH_TRY(const FeatureTable table, ReadFeatures(ctx.In(0)));
  const ScoredForest& ensemble = classifier.ensemble;
  const ClassLabels labels = attrs.Labels();
  std::vector<double> scores;
  std::vector<bool> touched;
  for (std::int64_t row = 0; row < table.rows; ++row) {
    scores.resize(static_cast<std::size_t>(ensemble.targets));
    Score(ensemble, table.Row(row), scores, touched);
    for (std::size_t i = 0; i < ensemble.base.size(); ++i) scores[i] += ensemble.base[i];
    if (labels.size() == 1) {
      // A single label: is it, or is it not.
      ctx.OutData<std::int64_t>(0)[static_cast<std::size_t>(row)] = scores[0] > 0 ? 1 : 0;
    } else if (classifier.one_score) {
      const bool second = Shown(scores[0]) > (classifier.all_positive ? 0.5 : 0.0);
      WriteLabel(labels, second ? 1 : 0, row, ctx.Out(0));
      scores = TwoScores(classifier, scores[0]);
    } else {
      // A class that no leaf spoke for cannot win against one with a negative score.
      std::size_t best = scores.size();
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const bool scored = touched[i] || !ensemble.base.empty();
        if (scored && (best == scores.size() || Shown(scores[i]) > Shown(scores[best]))) best = i;
      }
      WriteLabel(labels, best == scores.size() ? 0 : best, row, ctx.Out(0));
    }
    if (labels.size() > 1) Apply(ensemble.post_transform, scores);
    if (ctx.num_outputs() > 1 && ctx.out[1].IsTensor()) WriteRow(scores, row, ctx.Out(1));
  }
  return {};
}

const Forest& ForestOf(const ScoredForest& ensemble) { return ensemble.forest; }
const Forest& ForestOf(const ForestClassifier& classifier) { return classifier.ensemble.forest; }

// The comparisons of each tree's longest path and one addition per tree.
template <class Attrs>
Result<std::int64_t> RowCost(const Attrs& attrs) {
  ATH_TRY(const auto read, Read(attrs));
  const Forest& forest = ForestOf(read);
  return forest.longest_paths() + static_cast<std::int64_t>(forest.num_trees());
}
Result<std::int64_t> RowCost(const EnsembleAttrs& attrs) {
  ATH_TRY(const NodeLists lists, ListsOf(attrs));
  ATH_TRY(const std::int64_t paths, Forest::LongestPaths(lists.nodes));
  return paths + static_cast<std::int64_t>(lists.nodes.roots.size());
}

// At most.
template <class Attrs>
Dim TreeEnsembleCost(const CostCtx& ctx) {
  const Result<std::int64_t> row = RowCost(ReadAttributes<Attrs>(ctx.attributes));
  const Type& x = *ctx.in[0];
  if (!row.ok() || !x.HasRank()) return Dim::Unknown();
  return (x.rank() == 2 ? x.dim(0) : Dim(1)) * Dim(*row);
}

std::vector<Port> FeaturePorts() { return {{"x", "[samples, features], or one sample"}}; }

}  // namespace

Result<Forest> ForestOf(const AttrMap& attributes) {
  const bool linear = attributes.Find("leaf_constants") != nullptr;
  ATH_TRY(ScoredForest ensemble, linear ? Read(ReadAttributes<LinearEnsembleAttrs>(attributes))
                                        : Read(ReadAttributes<EnsembleAttrs>(attributes)));
  return std::move(ensemble.forest);
}

Result<ScoredForest> ForestRegressorOf(const AttrMap& attributes) {
  return Read(ReadAttributes<RegressorAttrs>(attributes));
}

Result<ForestClassifier> ForestClassifierOf(const AttrMap& attributes) {
  return Read(ReadAttributes<ClassifierAttrs>(attributes));
}

std::optional<ForestFigures> ForestFiguresOf(const OpDef& op, const AttrMap& attributes) {
  const auto figures = [](const Forest& forest) {
    return ForestFigures{forest.num_trees(), forest.num_leaves(), forest.Depth(),
                         forest.NumFeatures()};
  };
  // The operator is known by its inference: names are for people.
  if (op.infer == InferScores<EnsembleAttrs>) {
    const Result<ScoredForest> ensemble = Read(ReadAttributes<EnsembleAttrs>(attributes));
    if (ensemble.ok()) return figures(ensemble->forest);
  } else if (op.infer == InferScores<LinearEnsembleAttrs>) {
    const Result<ScoredForest> ensemble = Read(ReadAttributes<LinearEnsembleAttrs>(attributes));
    if (ensemble.ok()) return figures(ensemble->forest);
  } else if (op.infer == InferScores<RegressorAttrs>) {
    const Result<ScoredForest> ensemble = Read(ReadAttributes<RegressorAttrs>(attributes));
    if (ensemble.ok()) return figures(ensemble->forest);
  } else if (op.infer == InferClassifier) {
    const Result<ForestClassifier> classifier = Read(ReadAttributes<ClassifierAttrs>(attributes));
    if (classifier.ok()) return figures(classifier->ensemble.forest);
  }
  return std::nullopt;
}

OpDef LinearTreeEnsemble() {
  return {
      .name = "LinearTreeEnsemble",
      .summary =
          "TreeEnsemble whose leaves are linear: a leaf adds its constant and then coefficient "
          "times feature, one after the other; its weight instead, where one of these features is "
          "NaN.",
      .inputs = FeaturePorts(),
      .outputs = {{"y", "[samples, targets], type of x"}},
      .attributes = Describe<LinearEnsembleAttrs>(),
      .infer = InferScores<LinearEnsembleAttrs>,
      .reference = ScoresReference<LinearEnsembleAttrs>,
      .flops = TreeEnsembleCost<LinearEnsembleAttrs>,
  };
}

OpDef TreeEnsemble() {
  return {
      .name = "TreeEnsemble",
      .summary =
          "Sum, average, minimum or maximum of the leaves that a sample reaches in a set of "
          "decision trees.",
      .inputs = FeaturePorts(),
      .outputs = {{"y", "[samples, targets], type of x"}},
      .attributes = Describe<EnsembleAttrs>(),
      .infer = InferScores<EnsembleAttrs>,
      .reference = ScoresReference<EnsembleAttrs>,
      .flops = TreeEnsembleCost<EnsembleAttrs>,
  };
}

OpDef TreeEnsembleClassifier() {
  return {
      .name = "TreeEnsembleClassifier",
      .summary =
          "Class scores summed over decision trees, and the label of the best. Two labels whose "
          "weights all name class 0 share one score s, that of the second label: the scores are "
          "then [-s, s], or [1 - s, s] where no weight is negative or the transform is PROBIT.",
      .inputs = FeaturePorts(),
      .outputs = {{"label", "[samples], i64 or string"},
                  {"scores", "f32[samples, classes]", kOptionalPort}},
      .attributes = Describe<ClassifierAttrs>(),
      .infer = InferClassifier,
      .reference = ClassifierReference,
      .flops = TreeEnsembleCost<ClassifierAttrs>,
  };
}

OpDef TreeEnsembleRegressor() {
  return {
      .name = "TreeEnsembleRegressor",
      .summary =
          "Sum, average, minimum or maximum of the leaves that a sample reaches in a set of "
          "decision trees, plus base values.",
      .inputs = FeaturePorts(),
      .outputs = {{"y", "f32[samples, targets]"}},
      .attributes = Describe<RegressorAttrs>(),
      .infer = InferScores<RegressorAttrs>,
      .reference = ScoresReference<RegressorAttrs>,
      .flops = TreeEnsembleCost<RegressorAttrs>,
  };
}

}  // namespace athanor::ops
