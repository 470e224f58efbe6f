// TimeSeriesModel: what exponential smoothing, ARIMA or a state space say about a time to come.
//
// A row holds a time, in the field whose usage is "order" (or in the only active one): the forecast
// is h steps behind the last one that the model has seen, h = (time - endTime) / step. Where the
// model has only a supplementary field, as R and Nyoka write it, that is h itself. A time that is
// not a whole number of steps behind the last has no answer.
#include "frontends/pmml/time_series.h"

#include <array>
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kMostFactors = std::size_t{1} << 16;  // of a season

class Series {
 public:
  Series(const Model& model, const Scope& scope)
      : model_(model), c_(model.calculator()), scope_(scope) {}

  Result<Answer> Read() {
    struct Algorithm {
      std::string_view name;
      Result<Answer> (Series::*read)();
    };
    static constexpr std::array kAlgorithms = {Algorithm{"ARIMA", &Series::ReadArima},
                                               Algorithm{"ExponentialSmoothing", &Series::Smooth},
                                               Algorithm{"StateSpaceModel", &Series::ReadStates}};
    std::string_view best = Text(model_.element, "bestFit");
    for (const char* other : {"ARIMA", "ExponentialSmoothing", "StateSpaceModel", "GARCH",
                              "SpectralAnalysis", "SeasonalTrendDecomposition"}) {
      if (best.empty() && model_.element.child(other)) best = other;
    }
    for (const Algorithm& algorithm : kAlgorithms) {
      if (best != algorithm.name) continue;
      if (!model_.element.child(algorithm.name.data()))
        return InvalidModel("bestFit is {}, but the model has none", Quote(best));
      return (this->*algorithm.read)();
    }
    return Unsupported(
        "time series by {}; ARIMA, ExponentialSmoothing and StateSpaceModel are implemented",
        best.empty() ? "no algorithm" : Quote(best));
  }

 private:
  Result<Answer> ReadArima() {
    ATH_TRY(const Forecasts forecasts, ArimaForecasts(model_.element));
    return ByTable(forecasts);
  }
  Result<Answer> ReadStates() {
    ATH_TRY(const Forecasts forecasts, StateSpaceForecasts(model_.element));
    return ByTable(forecasts);
  }

  // What stands beside each number of steps.
  Result<Answer> ByTable(const Forecasts& forecasts) {
    ATH_TRY(const ValueId h, Steps());
    std::vector<double> keys;
    for (std::size_t i = 0; i < forecasts.means.size(); ++i)
      keys.push_back(static_cast<double>(i + 1));
    Answer answer = model_.NewAnswer();
    answer.classification = false;
    answer.value = c_.Lookup(h, keys, forecasts.means, std::nan(""));
    if (!forecasts.deviations.empty())
      answer.deviation = c_.Lookup(h, keys, forecasts.deviations, std::nan(""));
    ATH_RETURN_IF_ERROR(c_.status());
    return answer;
  }

  Result<Answer> Smooth() {
    const Element smoothing = model_.element.child("ExponentialSmoothing");
    ATH_TRY(const ValueId h, Steps());
    ATH_TRY(const double level, Number(smoothing.child("Level"), "smoothedValue"));
    ValueId y = c_.Constant(level);
    if (const Element trend = smoothing.child("Trend_ExpoSmooth")) {
      ATH_TRY(y, WithTrend(trend, y, h));
    }
    if (const Element season = smoothing.child("Seasonality_ExpoSmooth")) {
      ATH_TRY(y, WithSeason(season, y, h));
    }
    ATH_TRY(y, Inverse(smoothing, y));
    Answer answer = model_.NewAnswer();
    answer.classification = false;
    answer.value = c_.Where(c_.IsMissing(h), c_.Missing(), y);
    ATH_RETURN_IF_ERROR(c_.status());
    return answer;
  }

  // How far ahead each row looks: 1, 2, ...; missing for others.
  Result<ValueId> Steps() {
    std::string time, ahead;
    std::size_t active = 0, supplementary = 0;
    for (const Element& field : model_.element.child("MiningSchema").children("MiningField")) {
      const std::string_view usage = Text(field, "usageType");
      if (usage == "order") {
        time = Text(field, "name");
        active = 1;
        break;
      }
      if (usage == "supplementary") {
        ahead = Text(field, "name");
        ++supplementary;
      }
      if (!usage.empty() && usage != "active") continue;
      time = Text(field, "name");
      ++active;
    }
    const bool is_count = active == 0 && supplementary == 1;
    if (active != 1 && !is_count)
      return InvalidModel("{} fields may hold the time; one is expected: usageType=\"order\"",
                          active);
    if (is_count) time = ahead;
    ATH_TRY(const Field field, scope_.Get(time));
    if (field.text) return Unsupported("field {} is text, a time is expected", Quote(time));
    if (is_count) return Whole(field.column);
    double end = 0, step = 1;
    for (const Element& series : model_.element.children("TimeSeries")) {
      if (Text(series, "usage") == "prediction") continue;
      ATH_TRY(end, NumberOr(series, "endTime", 0));
      ATH_TRY(step, NumberOr(series.child("TimeAnchor"), "stepsize", 1));
      break;
    }
    if (!(step > 0)) return InvalidModel("the stepsize of time is {}", step);
    return Whole(c_.Div(c_.Sub(field.column, c_.Constant(end)), c_.Constant(step)));
  }

  // 1, 2, ...; missing for others.
  ValueId Whole(ValueId h) {
    const ValueId whole = c_.Op("Equal", {h, c_.Op("Floor", {h})});
    const ValueId ahead = c_.Op("GreaterOrEqual", {h, c_.Constant(1)});
    return c_.Where(c_.Op("And", {whole, ahead}), h, c_.Missing());
  }

  // phi + phi^2 + ... + phi^h
  ValueId Damped(double phi, ValueId h) {
    if (phi == 1) return h;
    const ValueId power = c_.Op("Pow", {c_.Constant(phi), h});
    return c_.Mul(c_.Constant(phi / (1 - phi)), c_.Sub(c_.Constant(1), power));
  }

  Result<ValueId> WithTrend(const Element& trend, ValueId level, ValueId h) {
    std::string_view kind = Text(trend, "trend");
    if (kind.empty()) kind = "additive";
    ATH_TRY(double phi, NumberOr(trend, "phi", 1));
    const bool damped = kind.starts_with("damped_");
    if (!damped) phi = 1;
    if (!(phi > 0 && phi <= 1)) return InvalidModel("phi is {}, above 0 and up to 1 is", phi);
    if (damped) kind.remove_prefix(7);
    if (kind != "additive" && kind != "multiplicative") {
      return Unsupported(
          "trend {} is not implemented; additive, damped_additive, multiplicative and "
          "damped_multiplicative are",
          Quote(Text(trend, "trend")));
    }
    ATH_TRY(const double slope, Number(trend, "smoothedValue"));
    const ValueId steps = Damped(phi, h);
    if (kind == "additive") return c_.Add(level, c_.Mul(c_.Constant(slope), steps));
    return c_.Mul(level, c_.Op("Pow", {c_.Constant(slope), steps}));
  }

  // The factors stand in the order of the season; `phase` is the place, from 1, that the last value
  // seen has among them.
  Result<ValueId> WithSeason(const Element& season, ValueId y, ValueId h) {
    std::vector<double> keys, factors;
    for (const std::string& word : ArrayWords(season.child("Array"))) {
      ATH_TRY(const double factor, ParseNumber(word));
      keys.push_back(static_cast<double>(keys.size()));
      factors.push_back(factor);
    }
    ATH_TRY(const double period, NumberOr(season, "period", static_cast<double>(factors.size())));
    ATH_TRY(const double phase, NumberOr(season, "phase", 0));
    if (factors.empty() || factors.size() > kMostFactors ||
        period != static_cast<double>(factors.size()))
      return InvalidModel("a season of {} steps has {} factors", period, factors.size());
    if (!(phase >= 0 && phase <= period) || phase != std::floor(phase))
      return InvalidModel("phase {} of a season of {} steps", phase, period);
    const ValueId at = c_.Add(h, c_.Constant(phase - 1));
    const ValueId turns = c_.Op("Floor", {c_.Div(at, c_.Constant(period))});
    const ValueId place = c_.Sub(at, c_.Mul(turns, c_.Constant(period)));
    const ValueId factor = c_.Lookup(place, std::move(keys), std::move(factors), std::nan(""));
    const std::string_view kind = Text(season, "type");
    if (kind == "additive") return c_.Add(y, factor);
    if (kind == "multiplicative") return c_.Mul(y, factor);
    return InvalidModel("seasonality of type {}; additive and multiplicative are known",
                        Quote(kind));
  }

  // What was smoothed may be a function of what is wanted.
  Result<ValueId> Inverse(const Element& smoothing, ValueId y) {
    const std::string_view transformation = Text(smoothing, "transformation");
    if (transformation.empty() || transformation == "none") return y;
    if (transformation == "logarithmic") return c_.Exp(y);
    if (transformation == "squareroot") return c_.Mul(y, y);
    return InvalidModel("transformation {} is not known", Quote(transformation));
  }

  const Model& model_;
  Calculator& c_;
  const Scope& scope_;
};

}  // namespace

Result<Answer> ReadTimeSeries(const Model& model, const Scope& scope, int) {
  return Series(model, scope).Read();
}

}  // namespace athanor::pmml
