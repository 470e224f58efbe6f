// <ARIMA>, forecast by conditional least squares from the values and residuals that the model
// holds, or by the state that it ends in.
//
//   phi(B) Phi(B^s) (w - mu) = theta(B) Theta(B^s) a,   w = (1 - B)^d (1 - B^s)^D y
//
// constantTerm is mu, the mean of the differenced series, as those who write such files have it.
// They differ in the sign of the coefficients of MA: theta(B) = 1 - theta_1 B - ... in the
// tradition of Box and Jenkins, 1 + theta_1 B + ... in that of R and statsmodels. The series tells:
// with the right sign its residuals come out as the file gives them.
#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/time_series.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kHighestDegree = 1024;  // of a polynomial
constexpr std::size_t kMostValues = std::size_t{1} << 20;
constexpr std::size_t kMostSeen = std::size_t{1} << 16;  // of a series: the last
constexpr std::size_t kMostDifferences = 8;

using Polynomial = std::vector<double>;  // coefficients of 1, B, B^2 ...

Result<std::size_t> Order(const Element& element, const char* name, std::size_t most) {
  ATH_TRY(const double order, NumberOr(element, name, 0));
  if (!(order >= 0 && order <= static_cast<double>(most)) || order != std::floor(order))
    return InvalidModel("<{}>: {} is {}; 0 to {} is accepted", element.name(), name, order, most);
  return static_cast<std::size_t>(order);
}

Result<std::vector<double>> Numbers(const Element& array) {
  std::vector<double> numbers;
  for (const std::string& word : ArrayWords(array)) {
    ATH_TRY(const double number, ParseNumber(word));
    if (!std::isfinite(number)) return InvalidModel("an array holds {}", number);
    numbers.push_back(number);
    if (numbers.size() > kMostValues) return Error(ErrorCode::kResource, "the array is too long");
  }
  return numbers;
}

// 1 + sign * (c_1 B^step + c_2 B^(2 step) + ...)
Polynomial PolynomialOf(const std::vector<double>& coefficients, std::size_t step, double sign) {
  Polynomial p(coefficients.size() * step + 1, 0);
  p[0] = 1;
  for (std::size_t i = 0; i < coefficients.size(); ++i) p[(i + 1) * step] = sign * coefficients[i];
  return p;
}

Polynomial Times(const Polynomial& a, const Polynomial& b) {
  Polynomial p(a.size() + b.size() - 1, 0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) p[i + j] += a[i] * b[j];
  }
  return p;
}

// AR, differences and MA of the seasonal or the other part.
struct Component {
  std::vector<double> ar, ma, residuals;
  std::size_t differences = 0, step = 1;
};

Result<Component> ReadComponent(const Element& element, bool seasonal) {
  Component part;
  if (!element) return part;
  if (seasonal) {
    ATH_TRY(part.step, Order(element, "period", kHighestDegree));
    if (part.step == 0) return InvalidModel("a season of no steps");
  }
  const std::size_t most = kHighestDegree / part.step;
  ATH_TRY(const std::size_t p, Order(element, seasonal ? "P" : "p", most));
  ATH_TRY(const std::size_t q, Order(element, seasonal ? "Q" : "q", most));
  ATH_TRY(part.differences, Order(element, seasonal ? "D" : "d", std::min(kMostDifferences, most)));
  const Element ma = element.child("MA");
  ATH_TRY(part.ar, Numbers(element.child("AR").child("Array")));
  ATH_TRY(part.ma, Numbers(ma.child("MACoefficients").child("Array")));
  ATH_TRY(part.residuals, Numbers(ma.child("Residuals").child("Array")));
  if (part.ar.size() != p || part.ma.size() != q)
    return InvalidModel("<{}> of order {}, {} has {} and {} coefficients", element.name(), p, q,
                        part.ar.size(), part.ma.size());
  return part;
}

// The values that were seen, in their order.
Result<std::vector<double>> SeriesOf(const Element& model, std::string_view transformation) {
  std::vector<std::pair<double, double>> values;
  for (const Element& series : model.children("TimeSeries")) {
    if (Text(series, "usage") == "prediction") continue;
    for (const Element& value : series.children("TimeValue")) {
      const char* order = value.attribute("index").empty() ? "time" : "index";
      ATH_TRY(const double at, NumberOr(value, order, static_cast<double>(values.size())));
      ATH_TRY(double y, Number(value, "value"));
      if (transformation == "logarithmic") y = std::log(y);
      if (transformation == "squareroot") y = std::sqrt(y);
      if (!std::isfinite(y))
        return InvalidModel("a value of the series is {} after its transformation", y);
      values.emplace_back(at, y);
      if (values.size() > kMostValues) return Error(ErrorCode::kResource, "the series is too long");
    }
    break;
  }
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<double> series;
  const std::size_t first = values.size() > kMostSeen ? values.size() - kMostSeen : 0;
  for (std::size_t i = first; i < values.size(); ++i) series.push_back(values[i].second);
  return series;
}

// sum of p[i] * x[at - i] from i = 1
double Behind(const Polynomial& p, const std::vector<double>& x, std::size_t at) {
  double sum = 0;
  for (std::size_t i = 1; i < p.size() && i <= at; ++i) sum += p[i] * x[at - i];
  return sum;
}

class Arima {
 public:
  explicit Arima(const Element& model) : model_(model), element_(model.child("ARIMA")) {}

  Result<Forecasts> Read() {
    for (const char* part : {"DynamicRegressor", "OutlierEffect"}) {
      if (element_.child(part)) return Unsupported("<{}> of ARIMA is not implemented", part);
    }
    transformation_ = Text(element_, "transformation");
    const std::string_view method = Text(element_, "predictionMethod");
    if (method == "exactLeastSquares") return ByState();
    if (!method.empty() && method != "conditionalLeastSquares")
      return InvalidModel("predictionMethod {} is not known", Quote(method));
    ATH_RETURN_IF_ERROR(ReadParts());
    ATH_RETURN_IF_ERROR(ChooseSign());
    return Forecast();
  }

 private:
  Status ReadParts() {
    ATH_TRY(plain_, ReadComponent(element_.child("NonseasonalComponent"), false));
    ATH_TRY(season_, ReadComponent(element_.child("SeasonalComponent"), true));
    ATH_TRY(series_, SeriesOf(model_, transformation_));
    ATH_TRY(const double mean, NumberOr(element_, "constantTerm", 0));
    const std::size_t degree = plain_.ar.size() + plain_.differences +
                               (season_.ar.size() + season_.differences) * season_.step;
    if (degree > kHighestDegree)
      return Error(ErrorCode::kResource, "the model looks back {} steps; up to {} are implemented",
                   degree, kHighestDegree);
    ar_ = Times(PolynomialOf(plain_.ar, 1, -1), PolynomialOf(season_.ar, season_.step, -1));
    double sum = 0;
    for (const double coefficient : ar_) sum += coefficient;
    constant_ = mean * sum;
    for (std::size_t i = 0; i < plain_.differences; ++i) ar_ = Times(ar_, {1, -1});
    for (std::size_t i = 0; i < season_.differences; ++i)
      ar_ = Times(ar_, PolynomialOf({1}, season_.step, -1));
    if (series_.size() < ar_.size() - 1)
      return InvalidModel("the model looks back {} steps, but <TimeSeries> has {} values",
                          ar_.size() - 1, series_.size());
    residuals_ = std::max(plain_.residuals, season_.residuals,
                          [](const auto& a, const auto& b) { return a.size() < b.size(); });
    return {};
  }

  Polynomial MaOf(double sign) const {
    return Times(PolynomialOf(plain_.ma, 1, sign), PolynomialOf(season_.ma, season_.step, sign));
  }

  // How far the last residuals of the series are from those of the file.
  double Misfit(const Polynomial& ma) const {
    std::vector<double> made(series_.size(), 0);
    for (std::size_t t = ar_.size() - 1; t < series_.size(); ++t)
      made[t] = series_[t] + Behind(ar_, series_, t) - constant_ - Behind(ma, made, t);
    double sum = 0;
    const std::size_t count = std::min(residuals_.size(), made.size() - (ar_.size() - 1));
    for (std::size_t i = 1; i <= count; ++i) {
      const double off = made[made.size() - i] - residuals_[residuals_.size() - i];
      sum += off * off;
    }
    return std::isfinite(sum) ? sum : INFINITY;
  }

  Status ChooseSign() {
    ma_ = MaOf(1);
    if (ma_.size() == 1) return {};
    if (residuals_.size() < ma_.size() - 1)
      return InvalidModel("{} residuals; the moving average takes the last {}", residuals_.size(),
                          ma_.size() - 1);
    const Polynomial subtracted = MaOf(-1);
    const double plus = Misfit(ma_), minus = Misfit(subtracted);
    constexpr double kClearly = 16;  // squares: four times as near
    if (minus * kClearly <= plus && minus < plus) {
      ma_ = subtracted;
    } else if (!(plus * kClearly <= minus && plus < minus)) {
      return Unsupported(
                 "whether the coefficients of <MA> are added or subtracted: writers of PMML "
                 "differ, "
                 "and the series does not tell")
          .Fix("<TimeSeries> with every value that the model has seen, and <Residuals> of its end");
    }
    return {};
  }

  Result<Forecasts> Forecast() const {
    Forecasts forecasts;
    std::vector<double> y = series_, a(series_.size(), 0);
    const std::size_t known = std::min(residuals_.size(), a.size());
    std::copy(residuals_.end() - static_cast<std::ptrdiff_t>(known), residuals_.end(),
              a.end() - static_cast<std::ptrdiff_t>(known));
    for (std::size_t step = 0; step < kMostForecastSteps; ++step) {
      const double next = constant_ - Behind(ar_, y, y.size()) + Behind(ma_, a, a.size());
      y.push_back(next);
      a.push_back(0);
      ATH_TRY(const double mean, Untransformed(transformation_, next));
      forecasts.means.push_back(mean);
    }
    const bool plain = transformation_.empty() || transformation_ == "none";
    if (!plain || element_.attribute("RMSE").empty()) return forecasts;
    ATH_TRY(const double rmse, Number(element_, "RMSE"));
    // psi(B) = ma(B) / ar(B): what a residual adds to the values behind it.
    std::vector<double> psi;
    double squares = 0;
    for (std::size_t j = 0; j < kMostForecastSteps; ++j) {
      psi.push_back((j < ma_.size() ? ma_[j] : 0) - Behind(ar_, psi, j));
      squares += psi.back() * psi.back();
      forecasts.deviations.push_back(rmse * std::sqrt(squares));
    }
    return forecasts;
  }

  // exactLeastSquares with a state that holds the differenced values too.
  Result<Forecasts> ByState() const {
    const Element kalman = element_.child("MaximumLikelihoodStat").child("KalmanState");
    if (!kalman.child("TransitionMatrix") || !kalman.child("MeasurementMatrix"))
      return Unsupported(
          "exactLeastSquares without a <KalmanState> that has its <TransitionMatrix> and "
          "<MeasurementMatrix>; conditionalLeastSquares is implemented");
    StateSpace space;
    ATH_TRY(space.state, Numbers(kalman.child("FinalStateVector").child("Array")));
    ATH_TRY(space.offset, NumberOr(element_, "constantTerm", 0));
    ATH_RETURN_IF_ERROR(ReadStateMatrices(kalman, space));
    Forecasts forecasts = {.means = MeansOf(space), .deviations = {}};
    for (double& mean : forecasts.means) {
      ATH_TRY(mean, Untransformed(transformation_, mean));
    }
    return forecasts;
  }

  Element model_, element_;
  std::string_view transformation_;
  Component plain_, season_;
  std::vector<double> series_, residuals_;
  Polynomial ar_, ma_;  // ar_ with the differences
  double constant_ = 0;
};

// The rows of a matrix, each an <Array>.
Result<std::vector<double>> MatrixOf(const Element& matrix, std::size_t rows, std::size_t columns) {
  std::vector<double> numbers;
  for (const Element& array : matrix.children("Array")) {
    ATH_TRY(const std::vector<double> row, Numbers(array));
    numbers.insert(numbers.end(), row.begin(), row.end());
    if (numbers.size() > kMostValues) return Error(ErrorCode::kResource, "the matrix is too large");
  }
  if (numbers.size() != rows * columns)
    return InvalidModel("<{}> has {} numbers in <Array>s; {} x {} are expected",
                        matrix.parent().name(), numbers.size(), rows, columns);
  return numbers;
}

}  // namespace

Result<double> Untransformed(std::string_view transformation, double y) {
  if (transformation.empty() || transformation == "none") return y;
  if (transformation == "logarithmic") return std::exp(y);
  if (transformation == "squareroot") return y * y;
  return InvalidModel("transformation {} is not known", Quote(transformation));
}

Status ReadStateMatrices(const Element& holder, StateSpace& space) {
  constexpr std::size_t kMostStates = 400;  // a step takes the square of it
  const std::size_t n = space.state.size();
  if (n == 0 || n > kMostStates)
    return InvalidModel("a state of {} numbers; 1 to {} are accepted", n, kMostStates);
  const Element measured = holder.child("MeasurementMatrix").child("Matrix");
  const auto arrays = measured.children("Array");
  if (std::distance(arrays.begin(), arrays.end()) > 1)
    return Unsupported("several series at once; a <MeasurementMatrix> of one row is implemented");
  ATH_TRY(space.transition, MatrixOf(holder.child("TransitionMatrix").child("Matrix"), n, n));
  ATH_TRY(space.measurement, MatrixOf(measured, 1, n));
  if (space.drift.empty()) space.drift.assign(n, 0);
  if (space.drift.size() != n)
    return InvalidModel("<InterceptVector> has {} numbers for {} states", space.drift.size(), n);
  return {};
}

std::vector<double> MeansOf(const StateSpace& space) {
  const std::size_t n = space.state.size();
  std::vector<double> state = space.state, next(n), means;
  for (std::size_t step = 0; step < kMostForecastSteps; ++step) {
    double seen = space.offset;
    for (std::size_t i = 0; i < n; ++i) seen += space.measurement[i] * state[i];
    means.push_back(seen);
    for (std::size_t i = 0; i < n; ++i) {
      next[i] = space.drift[i];
      for (std::size_t j = 0; j < n; ++j) next[i] += space.transition[i * n + j] * state[j];
    }
    state.swap(next);
  }
  return means;
}

Result<Forecasts> ArimaForecasts(const Element& model) { return Arima(model).Read(); }

Result<Forecasts> StateSpaceForecasts(const Element& model) {
  const Element element = model.child("StateSpaceModel");
  if (element.child("DynamicRegressor"))
    return Unsupported("<DynamicRegressor> of a state space is not implemented");
  StateSpace space;
  // Nyoka writes the state under the name that it has in ARIMA.
  const Element state = element.child("StateVector") ? element.child("StateVector")
                                                     : element.child("FinalStateVector");
  ATH_TRY(space.state, Numbers(state.child("Array")));
  ATH_TRY(space.offset, NumberOr(element, "intercept", 0));
  if (const Element intercept = element.child("InterceptVector")) {
    ATH_TRY(std::vector<double> numbers, Numbers(intercept.child("Array")));
    if (Text(intercept, "type") != "observation") {
      space.drift = std::move(numbers);
    } else if (numbers.size() == 1) {
      space.offset += numbers[0];
    } else {
      return InvalidModel("an <InterceptVector> of the observation has {} numbers, one is expected",
                          numbers.size());
    }
  }
  ATH_RETURN_IF_ERROR(ReadStateMatrices(element, space));
  return Forecasts{.means = MeansOf(space), .deviations = {}};
}

}  // namespace athanor::pmml
