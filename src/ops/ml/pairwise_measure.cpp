// PairwiseMeasure: how far each sample lies from each of a list of points, or how like it they are.
// The comparison measures of PMML 4.4, "Clustering Models".
#include <algorithm>
#include <array>
#include <cmath>

#include "ir/op_def.h"
#include "ops/elementwise.h"

namespace athanor::ops {
namespace {

struct MeasureAttrs {
  std::string measure = "squaredEuclidean";
  float p = 2;
  std::vector<std::string> compare;
  std::optional<Tensor> weights, missing_weights, scales, parameters;  // f64
  template <class V>
  void Visit(V& v) {
    v("measure", measure,
      "squaredEuclidean, euclidean, cityBlock, chebychev, minkowski; or, of features that are 0 or "
      "1, simpleMatching, jaccard, tanimoto, binarySimilarity");
    v("p", p, "exponent of minkowski");
    v("compare", compare,
      "how two values of a feature are compared: absDiff (all of them when empty), gaussSim, delta "
      "or equal; one for each feature");
    v("weights", weights, "of the features; 1 each when empty");
    v("missing_weights", missing_weights,
      "a sum over the features that are there is multiplied by the sum of all these over those "
      "that are there; 1 each when empty");
    v("scales", scales, "of gaussSim: the difference at which the likeness is a half");
    v("parameters", parameters, "of binarySimilarity: c00 c01 c10 c11 d00 d01 d10 d11");
  }
};

// ---- one pair of values

using Compare = double (*)(double a, double b, double scale);
struct NamedCompare {
  std::string_view name;
  Compare function;
};
constexpr std::array kCompares = {
    NamedCompare{"absDiff", [](double a, double b, double) { return std::abs(a - b); }},
    NamedCompare{"gaussSim", [](double a, double b,
                                double s) { return std::exp2(-(a - b) * (a - b) / (s * s)); }},
    NamedCompare{"delta", [](double a, double b, double) { return a == b ? 0.0 : 1.0; }},
    NamedCompare{"equal", [](double a, double b, double) { return a == b ? 1.0 : 0.0; }},
};

// ---- sums over the features

// What a measure adds up, and what it makes of the sum.
struct Sum {
  double total = 0, largest = 0;
};
struct NamedMeasure {
  std::string_view name;
  double (*term)(double difference, double p);
  double (*finish)(const Sum& sum, double p);
};
double Same(double c, double) { return c; }
double Square(double c, double) { return c * c; }
double Total(const Sum& sum, double) { return sum.total; }
constexpr std::array kDistances = {
    NamedMeasure{"squaredEuclidean", Square, Total},
    NamedMeasure{"euclidean", Square, [](const Sum& s, double) { return std::sqrt(s.total); }},
    NamedMeasure{"cityBlock", Same, Total},
    NamedMeasure{"chebychev", Same, [](const Sum& s, double) { return s.largest; }},
    NamedMeasure{"minkowski", [](double c, double p) { return std::pow(c, p); },
                 [](const Sum& s, double p) { return std::pow(s.total, 1 / p); }},
};

// How often two binary features are 0 and 0, 0 and 1, 1 and 0, 1 and 1.
using Counts = std::array<double, 4>;
struct NamedSimilarity {
  std::string_view name;
  double (*of)(const Counts& n, std::span<const double> parameters);
};
double Dot(const Counts& n, std::span<const double> c) {
  return c[0] * n[0] + c[1] * n[1] + c[2] * n[2] + c[3] * n[3];
}
constexpr std::array kSimilarities = {
    NamedSimilarity{"simpleMatching",
                    [](const Counts& n, std::span<const double>) {
                      return (n[3] + n[0]) / (n[0] + n[1] + n[2] + n[3]);
                    }},
    NamedSimilarity{"jaccard", [](const Counts& n,
                                  std::span<const double>) { return n[3] / (n[1] + n[2] + n[3]); }},
    NamedSimilarity{"tanimoto",
                    [](const Counts& n, std::span<const double>) {
                      return (n[3] + n[0]) / (n[3] + 2 * (n[1] + n[2]) + n[0]);
                    }},
    NamedSimilarity{"binarySimilarity",
                    [](const Counts& n, std::span<const double> c) {
                      return Dot(n, c.first(4)) / Dot(n, c.last(4));
                    }},
};

template <class List>
auto FindNamed(const List& list, std::string_view name) {
  return std::find_if(list.begin(), list.end(),
                      [&](const auto& item) { return item.name == name; });
}

// ---- checks

// The attributes as numbers.
struct Settings {
  std::vector<double> weights, missing_weights, scales, parameters;
};

Result<Settings> ReadSettings(const MeasureAttrs& attrs) {
  Settings settings;
  for (const auto& [from, to] : {std::pair(&attrs.weights, &settings.weights),
                                 std::pair(&attrs.missing_weights, &settings.missing_weights),
                                 std::pair(&attrs.scales, &settings.scales),
                                 std::pair(&attrs.parameters, &settings.parameters)}) {
    if (!*from) continue;
    ATH_TRY(*to, ToDoubles(**from));
  }
  return settings;
}

Status CheckList(const char* name, std::size_t given, const Dim& features) {
  const bool fits =
      given == 0 || !features.IsConst() || given == static_cast<std::size_t>(features.value());
  if (fits) return {};
  return InvalidModel("{} has {} values for {} features", name, given, features.ToString());
}

Status CheckAttrs(const MeasureAttrs& attrs, const Settings& settings, const Dim& features) {
  const bool distance = FindNamed(kDistances, attrs.measure) != kDistances.end();
  if (!distance && FindNamed(kSimilarities, attrs.measure) == kSimilarities.end())
    return InvalidModel("measure \"{}\" is not known", attrs.measure);
  if (attrs.measure == "minkowski" && !(attrs.p > 0))
    return InvalidModel("p is {}; a positive number is expected", attrs.p);
  if (attrs.measure == "binarySimilarity" && settings.parameters.size() != 8)
    return InvalidModel("parameters has {} values; 8 are expected", settings.parameters.size());
  for (const std::string& name : attrs.compare) {
    if (FindNamed(kCompares, name) == kCompares.end())
      return InvalidModel("compare \"{}\" is not known", name);
    if (name == "gaussSim" && settings.scales.empty()) return InvalidModel("gaussSim needs scales");
  }
  ATH_RETURN_IF_ERROR(CheckList("compare", attrs.compare.size(), features));
  ATH_RETURN_IF_ERROR(CheckList("weights", settings.weights.size(), features));
  ATH_RETURN_IF_ERROR(CheckList("missing_weights", settings.missing_weights.size(), features));
  return CheckList("scales", settings.scales.size(), features);
}

Status InferMeasure(InferCtx& ctx) {
  for (const std::size_t i : {0, 1}) {
    ATH_RETURN_IF_ERROR(ExpectDType(ctx, i, TypeList<double>{}));
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 2));
  }
  const auto dim = [&](std::size_t input, std::size_t axis) {
    return ctx.In(input).HasRank() ? (*ctx.In(input).shape)[axis] : Dim::Unknown();
  };
  if (dim(0, 1).IsConst() && dim(1, 1).IsConst() && !(dim(0, 1) == dim(1, 1)))
    return InvalidModel("x has {} features, the points have {}", dim(0, 1).ToString(),
                        dim(1, 1).ToString());
  const auto attrs = ctx.Attrs<MeasureAttrs>();
  ATH_TRY(const Settings settings, ReadSettings(attrs));
  ATH_RETURN_IF_ERROR(CheckAttrs(attrs, settings, dim(0, 1)));
  ctx.out[0] = Type::Tensor(DType::kF64, {dim(0, 0), dim(1, 0)});
  return {};
}

// ---- the measure

class Measure {
 public:
  Measure(const MeasureAttrs& attrs, const Settings& settings, std::size_t features)
      : p_(attrs.p), parameters_(settings.parameters) {
    const auto distance = FindNamed(kDistances, attrs.measure);
    if (distance != kDistances.end()) {
      distance_ = &*distance;
    } else {
      similarity_ = &*FindNamed(kSimilarities, attrs.measure);
    }
    for (std::size_t i = 0; i < features; ++i) {
      compares_.push_back(attrs.compare.empty() ? kCompares[0].function
                                                : FindNamed(kCompares, attrs.compare[i])->function);
      const auto at = [i](const std::vector<double>& list) { return list.empty() ? 1 : list[i]; };
      weights_.push_back(at(settings.weights));
      missing_.push_back(at(settings.missing_weights));
      scales_.push_back(at(settings.scales));
    }
  }

  // NaN when no feature is there in both.
  double operator()(const double* a, const double* b) const {
    return similarity_ != nullptr ? Similarity(a, b) : Distance(a, b);
  }

 private:
  double Distance(const double* a, const double* b) const {
    Sum sum;
    double there = 0, all = 0;
    bool complete = true, any = false;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      all += missing_[i];
      if (std::isnan(a[i]) || std::isnan(b[i])) {
        complete = false;
        continue;
      }
      any = true;
      there += missing_[i];
      const double term = distance_->term(compares_[i](a[i], b[i], scales_[i]), p_);
      sum.total += weights_[i] * term;
      sum.largest = std::max(sum.largest, weights_[i] * term);
    }
    if (!any) return std::nan("");
    if (!complete) sum.total *= all / there, sum.largest *= all / there;
    return distance_->finish(sum, p_);
  }

  double Similarity(const double* a, const double* b) const {
    Counts counts = {};
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      if (std::isnan(a[i]) || std::isnan(b[i])) continue;
      ++counts[(a[i] != 0 ? 2U : 0U) + (b[i] != 0 ? 1U : 0U)];
    }
    return similarity_->of(counts, parameters_);
  }

  double p_;
  std::vector<double> parameters_;
  const NamedMeasure* distance_ = nullptr;
  const NamedSimilarity* similarity_ = nullptr;
  std::vector<Compare> compares_;
  std::vector<double> weights_, missing_, scales_;
};

Status MeasureReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<MeasureAttrs>();
  const auto features = static_cast<std::size_t>(ctx.In(0).dims()[1]);
  if (ctx.In(1).dims()[1] != ctx.In(0).dims()[1])
    return DataError("x has {} features, the points have {}", features, ctx.In(1).dims()[1]);
  ATH_TRY(const Settings settings, ReadSettings(attrs));
  ATH_RETURN_IF_ERROR(CheckAttrs(attrs, settings, ctx.In(0).dims()[1]));
  const Measure measure(attrs, settings, features);
  const auto x = ctx.Data<double>(0), points = ctx.Data<double>(1);
  const auto y = ctx.OutData<double>(0);
  const auto rows = static_cast<std::size_t>(ctx.Out(0).dims()[0]);
  const auto count = static_cast<std::size_t>(ctx.Out(0).dims()[1]);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t p = 0; p < count; ++p)
      y[r * count + p] = measure(x.data() + r * features, points.data() + p * features);
  }
  return {};
}

}  // namespace

OpDef PairwiseMeasure() {
  return {
      .name = "PairwiseMeasure",
      .summary =
          "How far each sample lies from each point, or how like it they are. NaN is a missing "
          "feature; a distance over the features that are there is scaled up for the others.",
      .inputs = {{"x", "f64[samples, features]"}, {"points", "f64[points, features]"}},
      .outputs = {{"y", "f64[samples, points]"}},
      .attributes = Describe<MeasureAttrs>(),
      .infer = InferMeasure,
      .reference = MeasureReference,
  };
}

}  // namespace athanor::ops
