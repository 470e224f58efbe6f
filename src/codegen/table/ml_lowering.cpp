// Formulas of the operators of classical models: linear models, scalers, encoders.
#include <algorithm>
#include <cmath>
#include <optional>

#include "codegen/table/scores.h"

namespace athanor::codegen {
namespace {

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

struct CategoryMapperAttrs {
  std::vector<std::int64_t> cats_int64s;
  std::vector<std::string> cats_strings;
  std::int64_t default_int64 = -1;
  std::string default_string = "_Unused";
  template <class V>
  void Visit(V& v) {
    v("cats_int64s", cats_int64s, "the integers");
    v("cats_strings", cats_strings, "the string of each integer");
    v("default_int64", default_int64, "for a string that is not listed");
    v("default_string", default_string, "for an integer that is not listed");
  }
};

Status CategoryMapper(Lowering& l) {
  const auto attrs = l.Attrs<CategoryMapperAttrs>();
  const auto count = static_cast<std::int64_t>(attrs.cats_strings.size());
  Tensor words = Tensor::FromVector({count}, attrs.cats_strings);
  Tensor numbers = Tensor::FromVector({count}, attrs.cats_int64s);
  RowProgram& program = l.make.program();
  if (l.in[0].dtype == DType::kString) {
    program.lookups.push_back({std::move(words), std::move(numbers),
                               Tensor::FromVector<std::int64_t>({1}, {attrs.default_int64})});
  } else {
    program.lookups.push_back({std::move(numbers), std::move(words),
                               Tensor::FromVector<std::string>({1}, {attrs.default_string})});
  }
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

struct NormalizerAttrs {
  std::string norm = "MAX";
  template <class V>
  void Visit(V& v) {
    v("norm", norm, "MAX, L1 or L2");
  }
};

Status Normalizer(Lowering& l) {
  const std::string norm = l.Attrs<NormalizerAttrs>().norm;
  TermMaker& make = l.make;
  const std::vector<TermId> x = Doubles(make, l.in[0].terms);
  if (x.empty()) return Unsupported("rows without features");
  std::vector<TermId> parts;
  for (const TermId value : x)
    parts.push_back(make.Call(norm == "L2" ? Fn::kSquare : Fn::kAbs, DType::kF64, {value}));
  TermId length = parts[0];
  for (std::size_t i = 1; i < parts.size() && norm == "MAX"; ++i)
    length = make.Call(Fn::kMax, DType::kF64, {length, parts[i]});
  if (norm != "MAX") length = Sum(make, DType::kF64, std::move(parts));
  if (norm == "L2") length = make.Call(Fn::kSqrt, DType::kF64, {length});
  // A row of zeros stays one.
  const TermId zero = make.Number(DType::kF64, 0), one = make.Number(DType::kF64, 1);
  const TermId is_zero = make.Call(Fn::kEqual, DType::kBool, {length, zero});
  const TermId divisor = make.Call(Fn::kWhere, DType::kF64, {is_zero, one, length});
  std::vector<TermId> out;
  for (const TermId value : x) out.push_back(make.Call(Fn::kDiv, DType::kF64, {value, divisor}));
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

Status LinearRegressor(Lowering& l) {
  const auto attrs = l.Attrs<LinearAttrs>();
  const auto count = static_cast<std::size_t>(l.OutDims().back());
  ATH_TRY(const ops::PostTransform transform, ops::PostTransformFromName(attrs.post_transform));
  SetRounded(l, 0, Transformed(l.make, transform, LinearScores(l, attrs, count)));
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
  ops::ClassLabels Labels() const { return {classlabels_ints, classlabels_strings}; }
};

Status LinearClassifier(Lowering& l) {
  const auto attrs = l.Attrs<LinearClassifierAttrs>();
  const std::size_t count =
      attrs.intercepts.empty() ? attrs.Labels().size() : attrs.intercepts.size();
  std::vector<TermId> scores = LinearScores(l, attrs, count);
  if (scores.size() == 1 && attrs.Labels().size() == 2)
    scores = {l.make.Call(Fn::kNeg, DType::kF64, {scores[0]}), scores[0]};
  if (l.node().outputs[0] != kNoValue) l.SetOut({BestLabel(l.make, attrs.Labels(), scores)}, 0);
  if (l.out.size() < 2 || l.node().outputs[1] == kNoValue) return {};
  ATH_TRY(const ops::PostTransform transform, ops::PostTransformFromName(attrs.post_transform));
  SetRounded(l, 1, Transformed(l.make, transform, std::move(scores)));
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
  std::vector<LoweringRow> rows = {
      {"ArrayFeatureExtractor", Extract},
      {"Binarizer", Binarizer},
      {"CategoryMapper", CategoryMapper},
      {"FeatureVectorizer", FeatureVectorizer},
      {"Imputer", Imputer},
      {"LabelEncoder", LabelEncoder},
      {"LinearClassifier", LinearClassifier},
      {"LinearRegressor", LinearRegressor},
      {"Normalizer", Normalizer},
      {"OneHotEncoder", OneHot},
      {"PairwiseMeasure", PairwiseMeasure},
      {"Scaler", Scaler},
  };
  for (std::vector<LoweringRow> more : {SvmLowerings(), TreeLowerings()})
    rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace athanor::codegen
