// Formulas of the operators of classical models: trees, linear models, scalers, encoders.
#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "codegen/table/lowering.h"
#include "ops/ml/tree_ensemble.h"

namespace athanor::codegen {
namespace {

// The constants of these operators are f32, their sums f64.
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

// ---- trees

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

TermId Extreme(TermMaker& make, DType dtype, const TreeSum& sum, Fn fn) {
  std::vector<TermId> trees;
  for (const std::size_t tree : sum.trees) {
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
      score = Extreme(l.make, dtype, sum, attrs.aggregate_function == 2 ? Fn::kMin : Fn::kMax);
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

// ---- encoders

Status CheckLookup(const Tensor& tensor) {
  for (const DType dtype : {DType::kString, DType::kI64, DType::kF32, DType::kF64}) {
    if (tensor.dtype() == dtype) return {};
  }
  return Unsupported("a table of {}; string, i64, f32 and f64 are written", Name(tensor.dtype()));
}

Status LabelEncoder(Lowering& l) {
  const auto tensor = [&](std::string_view name) {
    return std::get<Tensor>(*l.node().attributes.Find(name));
  };
  Lookup lookup = {tensor("keys_tensor"), tensor("values_tensor"), tensor("default_tensor")};
  ATH_RETURN_IF_ERROR(CheckLookup(lookup.keys));
  ATH_RETURN_IF_ERROR(CheckLookup(lookup.values));
  RowProgram& program = l.make.program();
  program.lookups.push_back(std::move(lookup));
  std::vector<TermId> out;
  for (const TermId x : l.in[0].terms) out.push_back(l.make.Find(x, program.lookups.size() - 1));
  l.SetOut(std::move(out));
  return {};
}

struct OneHotAttrs {
  std::vector<std::int64_t> cats_int64s;
  std::vector<std::string> cats_strings;
  bool zeros = true;
  template <class V>
  void Visit(V& v) {
    v("cats_int64s", cats_int64s, "categories of numbers");
    v("cats_strings", cats_strings, "categories of strings");
    v("zeros", zeros, "1: an unknown category gives zeros");
  }
};

Status OneHot(Lowering& l) {
  const auto attrs = l.Attrs<OneHotAttrs>();
  if (!attrs.zeros) return Unsupported("zeros = 0: a category that is not known is an error");
  const bool strings = l.in[0].dtype == DType::kString;
  std::vector<TermId> out;
  const auto is = [&](TermId x, TermId category) {
    out.push_back(l.make.Cast(l.OutType(), l.make.Call(Fn::kEqual, DType::kBool, {x, category})));
  };
  for (const TermId x : l.in[0].terms) {
    for (const std::string& category : attrs.cats_strings) {
      if (strings) is(x, l.make.Text(category));
    }
    for (const std::int64_t category : attrs.cats_int64s) {
      if (!strings)
        is(l.make.Cast(DType::kI64, x), l.make.Number(DType::kI64, static_cast<double>(category)));
    }
  }
  l.SetOut(std::move(out));
  return {};
}

// ---- preparation of features

struct BinarizerAttrs {
  float threshold = 0;
  template <class V>
  void Visit(V& v) {
    v("threshold", threshold, "values above it give 1");
  }
};

Status Binarizer(Lowering& l) {
  const double threshold = l.Attrs<BinarizerAttrs>().threshold;
  std::vector<TermId> out;
  for (const TermId x : Doubles(l.make, l.in[0].terms)) {
    const TermId above =
        l.make.Call(Fn::kGreater, DType::kBool, {x, l.make.Number(DType::kF64, threshold)});
    out.push_back(l.make.Cast(l.OutType(), above));
  }
  l.SetOut(std::move(out));
  return {};
}

struct VectorizerAttrs {
  std::vector<std::int64_t> inputdimensions;
  template <class V>
  void Visit(V& v) {
    v("inputdimensions", inputdimensions, "columns taken of each input");
  }
};

Status FeatureVectorizer(Lowering& l) {
  const auto attrs = l.Attrs<VectorizerAttrs>();
  std::vector<TermId> out;
  for (std::size_t i = 0; i < l.in.size(); ++i) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(attrs.inputdimensions[i]); ++c)
      out.push_back(c < l.in[i].terms.size() ? l.make.Cast(DType::kF32, l.in[i].terms[c])
                                             : l.make.Number(DType::kF32, 0));
  }
  l.SetOut(std::move(out));
  return {};
}

struct ImputerAttrs {
  std::vector<float> imputed_value_floats;
  float replaced_value_float = 0;
  template <class V>
  void Visit(V& v) {
    v("imputed_value_floats", imputed_value_floats, "what to put in");
    v("replaced_value_float", replaced_value_float, "what is replaced; may be NaN");
  }
};

Status Imputer(Lowering& l) {
  const auto attrs = l.Attrs<ImputerAttrs>();
  const DType dtype = l.OutType();
  if (!IsFloat(dtype)) return Unsupported("x of {}; f32 and f64 are written", Name(dtype));
  std::vector<TermId> out;
  for (const TermId x : l.in[0].terms) {
    const TermId hit = std::isnan(attrs.replaced_value_float)
                           ? l.make.Call(Fn::kIsNan, DType::kBool, {x})
                           : l.make.Call(Fn::kEqual, DType::kBool,
                                         {x, l.make.Number(dtype, attrs.replaced_value_float)});
    const double value = attrs.imputed_value_floats[out.size() % attrs.imputed_value_floats.size()];
    out.push_back(l.make.Call(Fn::kWhere, dtype, {hit, l.make.Number(dtype, value), x}));
  }
  l.SetOut(std::move(out));
  return {};
}

struct ScalerAttrs {
  std::vector<float> offset, scale;
  template <class V>
  void Visit(V& v) {
    v("offset", offset, "subtracted first");
    v("scale", scale, "multiplied with then");
  }
};

Status Scaler(Lowering& l) {
  const auto attrs = l.Attrs<ScalerAttrs>();
  std::vector<TermId> out;
  for (const TermId x : Doubles(l.make, l.in[0].terms)) {
    const TermId offset =
        l.make.Number(DType::kF64, attrs.offset[out.size() % attrs.offset.size()]);
    const TermId scale = l.make.Number(DType::kF64, attrs.scale[out.size() % attrs.scale.size()]);
    out.push_back(l.make.Call(Fn::kMul, DType::kF64,
                              {l.make.Call(Fn::kSub, DType::kF64, {x, offset}), scale}));
  }
  SetRounded(l, 0, out);
  return {};
}

// ---- distances

struct MeasureAttrs {
  std::string measure = "squaredEuclidean";
  std::vector<std::string> compare;
  std::optional<Tensor> weights, missing_weights;
  template <class V>
  void Visit(V& v) {
    v("measure", measure, "squaredEuclidean, euclidean, cityBlock or chebychev");
    v("compare", compare, "absDiff");
    v("weights", weights, "of the features");
    v("missing_weights", missing_weights, "what the features that are there stand for");
  }
};

// The features of a row: 0 in place of a missing one, which counts `there` times, 1 or 0.
struct Features {
  std::vector<TermId> values, there;
  TermId scale = 0;  // of a sum over those that are there
};

Features FeaturesOf(TermMaker& make, const std::vector<TermId>& x,
                    const std::vector<double>& shares) {
  const auto call = [&](Fn fn, std::vector<TermId> args) {
    return make.Call(fn, DType::kF64, std::move(args));
  };
  const TermId zero = make.Number(DType::kF64, 0), one = make.Number(DType::kF64, 1);
  Features features;
  std::vector<TermId> parts;
  double all = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const TermId missing = make.Call(Fn::kIsNan, DType::kBool, {x[i]});
    features.values.push_back(call(Fn::kWhere, {missing, zero, x[i]}));
    features.there.push_back(call(Fn::kWhere, {missing, zero, one}));
    parts.push_back(call(Fn::kMul, {features.there.back(), make.Number(DType::kF64, shares[i])}));
    all += shares[i];
  }
  const TermId there = Sum(make, DType::kF64, parts), whole = make.Number(DType::kF64, all);
  const TermId some = make.Call(Fn::kGreater, DType::kBool, {there, zero});
  const TermId complete = make.Call(Fn::kEqual, DType::kBool, {there, whole});
  features.scale = call(Fn::kWhere, {complete, one,
                                     call(Fn::kWhere, {some, call(Fn::kDiv, {whole, there}),
                                                       make.Number(DType::kF64, std::nan(""))})});
  return features;
}

constexpr std::size_t kMostPoints = 64;  // each is a line of its own, and compilers take their time

Status PairwiseMeasure(Lowering& l) {
  const auto attrs = l.Attrs<MeasureAttrs>();
  const bool squares = attrs.measure == "squaredEuclidean" || attrs.measure == "euclidean";
  const bool largest = attrs.measure == "chebychev";
  const bool plain = std::all_of(attrs.compare.begin(), attrs.compare.end(),
                                 [](const std::string& name) { return name == "absDiff"; });
  if (!plain || !(squares || largest || attrs.measure == "cityBlock"))
    return Unsupported("measure {}; distances of differences are written", attrs.measure);
  if (l.Constant(1) == nullptr)
    return Unsupported("the points are computed; constants are written");
  ATH_TRY(const std::vector<double> points, ToDoubles(*l.Constant(1)));
  const std::size_t width = l.in[0].terms.size();
  std::vector<double> weights(width, 1), shares(width, 1);
  if (width == 0) return Unsupported("rows without features");
  if (points.size() / width > kMostPoints)
    return Unsupported("{} points; distances to up to {} are written", points.size() / width,
                       kMostPoints);
  if (attrs.weights && attrs.weights->count() > 0) {
    ATH_TRY(weights, ToDoubles(*attrs.weights));
  }
  if (attrs.missing_weights && attrs.missing_weights->count() > 0) {
    ATH_TRY(shares, ToDoubles(*attrs.missing_weights));
  }
  TermMaker& make = l.make;
  const auto call = [&](Fn fn, std::vector<TermId> args) {
    return make.Call(fn, DType::kF64, std::move(args));
  };
  const Features features = FeaturesOf(make, l.in[0].terms, shares);
  std::vector<TermId> out;
  for (std::size_t p = 0; p + width <= points.size(); p += width) {
    std::vector<TermId> parts;
    for (std::size_t i = 0; i < width; ++i) {
      if (std::isnan(points[p + i])) return Unsupported("a point with a missing feature");
      const TermId difference =
          call(Fn::kSub, {features.values[i], make.Number(DType::kF64, points[p + i])});
      TermId part = call(squares ? Fn::kSquare : Fn::kAbs, {difference});
      if (weights[i] != 1) part = call(Fn::kMul, {make.Number(DType::kF64, weights[i]), part});
      parts.push_back(call(Fn::kMul, {part, features.there[i]}));
    }
    TermId distance = parts[0];
    for (std::size_t i = 1; i < parts.size() && largest; ++i)
      distance = call(Fn::kMax, {distance, parts[i]});
    if (!largest) distance = Sum(make, DType::kF64, std::move(parts));
    distance = call(Fn::kMul, {distance, features.scale});
    out.push_back(attrs.measure == "euclidean" ? call(Fn::kSqrt, {distance}) : distance);
  }
  l.SetOut(std::move(out));
  return {};
}

// ---- linear models

struct LinearAttrs {
  std::vector<float> coefficients, intercepts;
  std::string post_transform = "NONE";
  template <class V>
  void Visit(V& v) {
    v("coefficients", coefficients, "[scores, features], row by row");
    v("intercepts", intercepts, "one per score");
    v("post_transform", post_transform, "NONE, SOFTMAX or LOGISTIC");
  }
};

std::vector<TermId> LinearScores(Lowering& l, const LinearAttrs& attrs, std::size_t count) {
  TermMaker& make = l.make;
  const std::vector<TermId> x = Doubles(make, l.in[0].terms);
  std::vector<TermId> scores;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<TermId> parts;
    if (!attrs.intercepts.empty()) parts.push_back(make.Number(DType::kF64, attrs.intercepts[i]));
    for (std::size_t j = 0; j < x.size(); ++j) {
      const TermId weight = make.Number(DType::kF64, attrs.coefficients[i * x.size() + j]);
      parts.push_back(make.Call(Fn::kMul, DType::kF64, {x[j], weight}));
    }
    scores.push_back(Sum(make, DType::kF64, std::move(parts)));
  }
  return scores;
}

Result<std::vector<TermId>> Transformed(TermMaker& make, const std::string& transform,
                                        std::vector<TermId> scores) {
  if (transform == "NONE") return scores;
  if (transform == "SOFTMAX") return SoftmaxOf(make, DType::kF64, scores);
  if (transform != "LOGISTIC")
    return Unsupported("post_transform {}; NONE, SOFTMAX and LOGISTIC are written", transform);
  for (TermId& score : scores) score = make.Call(Fn::kSigmoid, DType::kF64, {score});
  return scores;
}

Status LinearRegressor(Lowering& l) {
  const auto attrs = l.Attrs<LinearAttrs>();
  const auto count = static_cast<std::size_t>(l.OutDims().back());
  ATH_TRY(const std::vector<TermId> scores,
          Transformed(l.make, attrs.post_transform, LinearScores(l, attrs, count)));
  SetRounded(l, 0, scores);
  return {};
}

struct LinearClassifierAttrs : LinearAttrs {
  std::vector<std::int64_t> classlabels_ints;
  std::vector<std::string> classlabels_strings;
  template <class V>
  void Visit(V& v) {
    LinearAttrs::Visit(v);
    v("classlabels_ints", classlabels_ints, "labels, where they are integers");
    v("classlabels_strings", classlabels_strings, "labels, where they are strings");
  }
  std::size_t labels() const {
    return classlabels_strings.empty() ? classlabels_ints.size() : classlabels_strings.size();
  }
};

// The label of the largest score; the first of equal ones.
TermId LabelOf(TermMaker& make, const LinearClassifierAttrs& attrs,
               const std::vector<TermId>& scores) {
  const auto name = [&](std::size_t i) {
    return attrs.classlabels_strings.empty()
               ? make.Number(DType::kI64, static_cast<double>(attrs.classlabels_ints[i]))
               : make.Text(attrs.classlabels_strings[i]);
  };
  TermId label = name(0);
  TermId best = scores[0];
  for (std::size_t i = 1; i < scores.size(); ++i) {
    const TermId better = make.Call(Fn::kGreater, DType::kBool, {scores[i], best});
    label = make.Call(Fn::kWhere, make[label].dtype, {better, name(i), label});
    best = make.Call(Fn::kMax, DType::kF64, {best, scores[i]});
  }
  return label;
}

Status LinearClassifier(Lowering& l) {
  const auto attrs = l.Attrs<LinearClassifierAttrs>();
  const std::size_t count = attrs.intercepts.empty() ? attrs.labels() : attrs.intercepts.size();
  std::vector<TermId> scores = LinearScores(l, attrs, count);
  if (scores.size() == 1 && attrs.labels() == 2)
    scores = {l.make.Call(Fn::kNeg, DType::kF64, {scores[0]}), scores[0]};
  if (l.node().outputs[0] != kNoValue) l.SetOut({LabelOf(l.make, attrs, scores)}, 0);
  if (l.out.size() < 2 || l.node().outputs[1] == kNoValue) return {};
  ATH_TRY(scores, Transformed(l.make, attrs.post_transform, std::move(scores)));
  SetRounded(l, 1, scores);
  return {};
}

Status Extract(Lowering& l) {
  const Tensor* wanted = l.Constant(1);
  if (wanted == nullptr) return Unsupported("the columns are computed; constants are expected");
  ATH_TRY(const std::vector<std::int64_t> columns, ToInts(*wanted));
  std::vector<TermId> out;
  for (const std::int64_t column : columns) {
    if (column < 0 || static_cast<std::size_t>(column) >= l.in[0].terms.size())
      return InvalidModel("feature {} is asked for; x has {}", column, l.in[0].terms.size());
    out.push_back(l.in[0].terms[static_cast<std::size_t>(column)]);
  }
  l.SetOut(std::move(out));
  return {};
}

}  // namespace

std::vector<LoweringRow> MlLowerings() {
  return {
      {"ArrayFeatureExtractor", Extract},
      {"Binarizer", Binarizer},
      {"FeatureVectorizer", FeatureVectorizer},
      {"Imputer", Imputer},
      {"LabelEncoder", LabelEncoder},
      {"LinearClassifier", LinearClassifier},
      {"LinearRegressor", LinearRegressor},
      {"LinearTreeEnsemble", Trees},
      {"OneHotEncoder", OneHot},
      {"PairwiseMeasure", PairwiseMeasure},
      {"Scaler", Scaler},
      {"TreeEnsemble", Trees},
  };
}

}  // namespace athanor::codegen
