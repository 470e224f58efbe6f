// GaussianProcessModel, regression: the mean and the deviation of a Gaussian process with mean 0
// that was seen, with noise, at the training instances.
//
// With K the kernel among the instances, k that of a row with them, s the noise's variance:
//   mean = k' (K + s I)^-1 y,   variance = k(x, x) - k' (K + s I)^-1 k     (PMML 4.4)
// K + s I = L L' is solved at import, so that a row costs two products.
#include <array>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"
#include "frontends/pmml/training_instances.h"

namespace athanor::pmml {
namespace {

// The factorisation takes the third power of their number.
constexpr std::size_t kMostInstances = 2048;

// gamma * exp(-scale * sum over the fields of (|x - z| / lambda)^power)
struct GaussianKernel {
  double gamma = 1, noise = 1, scale = 1, power = 2;
  std::vector<double> lambda;  // of each field
};

Result<double> Positive(const Element& element, const char* attribute, double fallback) {
  ATH_TRY(const double value, NumberOr(element, attribute, fallback));
  if (!(value > 0) || !std::isfinite(value))
    return InvalidModel("<{}>: {} is {}, a positive number is expected", element.name(), attribute,
                        value);
  return value;
}

Result<GaussianKernel> ReadKernel(const Element& model, std::size_t fields) {
  struct Kind {
    const char* name;
    double scale, power;  // power 0: <Kind degree>
    bool one_lambda;
  };
  static constexpr std::array kKinds = {Kind{"RadialBasisKernel", 0.5, 2, true},
                                        Kind{"ARDSquaredExponentialKernel", 0.5, 2, false},
                                        Kind{"AbsoluteExponentialKernel", 1, 1, false},
                                        Kind{"GeneralizedExponentialKernel", 1, 0, false}};
  for (const Kind& kind : kKinds) {
    const Element element = model.child(kind.name);
    if (!element) continue;
    GaussianKernel kernel = {.scale = kind.scale, .power = kind.power, .lambda = {}};
    ATH_TRY(kernel.gamma, Positive(element, "gamma", 1));
    ATH_TRY(kernel.noise, NumberOr(element, "noiseVariance", 1));
    if (!(kernel.noise >= 0)) return InvalidModel("noiseVariance is {}", kernel.noise);
    if (kind.power == 0) {
      ATH_TRY(kernel.power, Positive(element, "degree", 1));
    }
    if (kind.one_lambda) {
      ATH_TRY(const double lambda, Positive(element, "lambda", 1));
      kernel.lambda.assign(fields, lambda);
      return kernel;
    }
    for (const std::string& word : ArrayWords(element.child("Lambda").child("Array"))) {
      ATH_TRY(const double lambda, ParseNumber(word));
      if (!(lambda > 0)) return InvalidModel("<Lambda> holds {}", lambda);
      kernel.lambda.push_back(lambda);
    }
    if (kernel.lambda.empty()) kernel.lambda.assign(fields, 1);
    if (kernel.lambda.size() != fields)
      return InvalidModel("<Lambda> has {} numbers for {} fields", kernel.lambda.size(), fields);
    return kernel;
  }
  return InvalidModel("there is no kernel");
}

// The lower factor L of a positive definite matrix, row by row, in its place.
Status Factorize(std::vector<double>& a, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i != j) {
        a[i * n + j] = sum / a[j * n + j];
        continue;
      }
      if (!(sum > 0))
        return InvalidModel("the kernel of the training instances is not positive definite");
      a[i * n + i] = std::sqrt(sum);
    }
    for (std::size_t j = i + 1; j < n; ++j) a[i * n + j] = 0;
  }
  return {};
}

// The inverse of L, transposed: an upper triangle.
std::vector<double> InverseTransposed(const std::vector<double>& l, std::size_t n) {
  std::vector<double> inverse(n * n, 0);
  for (std::size_t column = 0; column < n; ++column) {
    for (std::size_t i = column; i < n; ++i) {
      double sum = i == column ? 1 : 0;
      for (std::size_t k = column; k < i; ++k) sum -= l[i * n + k] * inverse[column * n + k];
      inverse[column * n + i] = sum / l[i * n + i];
    }
  }
  return inverse;
}

class Process {
 public:
  Process(const Model& model, const Scope& scope)
      : model_(model), c_(model.calculator()), scope_(scope) {}

  Result<Answer> Read() {
    if (model_.classification())
      return Unsupported("functionName \"classification\" of a Gaussian process; regression is");
    ATH_TRY(const TrainingTable table, TrainingTable::Read(model_.element));
    n_ = table.rows();
    if (n_ > kMostInstances)
      return Error(ErrorCode::kResource, "{} training instances; up to {} are read", n_,
                   kMostInstances);
    ATH_RETURN_IF_ERROR(ReadFields(table));
    ATH_TRY(kernel_, ReadKernel(model_.element, columns_.size()));
    std::vector<double> factor = Covariances();
    ATH_RETURN_IF_ERROR(Factorize(factor, n_));
    const std::vector<double> inverse = InverseTransposed(factor, n_);
    const auto n = static_cast<std::int64_t>(n_);
    const ValueId k = RowKernel();
    // k' (L L')^-1 = (L^-1 k)' L^-1: first what the deviation needs, then the weights of y.
    Answer answer = model_.NewAnswer();
    answer.value = c_.Op("MatMul", {k, c_.Matrix(n, 1, Weights(inverse))});
    const ValueId half = c_.Op("MatMul", {k, c_.Matrix(n, n, inverse)});
    const ValueId variance = c_.Sub(c_.Constant(kernel_.gamma), c_.Sum(c_.Mul(half, half)));
    const ValueId rounded = c_.Op("Less", {variance, c_.Constant(0)});  // seen without noise
    answer.deviation = c_.Op("Sqrt", {c_.Where(rounded, c_.Constant(0), variance)});
    ATH_RETURN_IF_ERROR(c_.status());
    return answer;
  }

 private:
  Status ReadFields(const TrainingTable& table) {
    const auto finite = [&](const std::string& name, std::vector<double>& values) -> Status {
      ATH_TRY(values, table.NumbersOf(name, {}));
      for (const double value : values) {
        if (!std::isfinite(value))
          return InvalidModel("the training table lacks a number of {}", Quote(name));
      }
      return {};
    };
    ATH_RETURN_IF_ERROR(finite(model_.target, target_));
    for (const Element& field : model_.element.child("MiningSchema").children("MiningField")) {
      const std::string_view usage = Text(field, "usageType");
      if (!usage.empty() && usage != "active") continue;
      const std::string name(Text(field, "name"));
      ATH_TRY(const Field column, scope_.Get(name));
      if (column.text) return Unsupported("field {} is text", Quote(name));
      columns_.push_back(column.column);
      ATH_RETURN_IF_ERROR(finite(name, points_.emplace_back()));
    }
    if (columns_.empty()) return InvalidModel("the model has no active field");
    return {};
  }

  std::vector<double> Covariances() const {
    std::vector<double> k(n_ * n_);
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (std::size_t f = 0; f < points_.size(); ++f)
          sum +=
              std::pow(std::abs(points_[f][i] - points_[f][j]) / kernel_.lambda[f], kernel_.power);
        k[i * n_ + j] = k[j * n_ + i] = kernel_.gamma * std::exp(-kernel_.scale * sum);
      }
      k[i * n_ + i] += kernel_.noise;
    }
    return k;
  }

  // (L L')^-1 y
  std::vector<double> Weights(const std::vector<double>& inverse) const {
    std::vector<double> half(n_, 0), weights(n_, 0);
    for (std::size_t column = 0; column < n_; ++column) {
      for (std::size_t i = column; i < n_; ++i)
        half[i] += inverse[column * n_ + i] * target_[column];
    }
    for (std::size_t column = 0; column < n_; ++column) {
      for (std::size_t i = column; i < n_; ++i)
        weights[column] += inverse[column * n_ + i] * half[i];
    }
    return weights;
  }

  // Of each row with each instance: [rows, instances].
  ValueId RowKernel() {
    ValueId sum = kNoValue;
    for (std::size_t f = 0; f < columns_.size(); ++f) {
      const ValueId distance = c_.Op("Abs", {c_.Sub(columns_[f], c_.Row(points_[f]))});
      ValueId part = c_.Div(distance, c_.Constant(kernel_.lambda[f]));
      if (kernel_.power == 2) {
        part = c_.Mul(part, part);
      } else if (kernel_.power != 1) {
        part = c_.Op("Pow", {part, c_.Constant(kernel_.power)});
      }
      sum = sum == kNoValue ? part : c_.Add(sum, part);
    }
    return c_.Mul(c_.Constant(kernel_.gamma), c_.Exp(c_.Mul(sum, c_.Constant(-kernel_.scale))));
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
  GaussianKernel kernel_;
  std::size_t n_ = 0;
  std::vector<ValueId> columns_;
  std::vector<std::vector<double>> points_;  // of each field: its value at each instance
  std::vector<double> target_;
};

}  // namespace

Result<Answer> ReadGaussianProcess(const Model& model, const Scope& scope, int) {
  return Process(model, scope).Read();
}

}  // namespace athanor::pmml
