// What a model of a time series says about the steps behind the last value that it has seen.
#pragma once

#include <vector>

#include "core/status.h"
#include "frontends/pmml/xml.h"

namespace athanor::pmml {

constexpr std::size_t kMostForecastSteps = 4096;  // a forecast further ahead is missing

struct Forecasts {
  std::vector<double> means;       // of step 1, 2, ...
  std::vector<double> deviations;  // empty: not known
};

// <ARIMA> of a <TimeSeriesModel>.
Result<Forecasts> ArimaForecasts(const Element& model);
// <StateSpaceModel> of a <TimeSeriesModel>.
Result<Forecasts> StateSpaceForecasts(const Element& model);

// A matrix of states and what is seen of them.
struct StateSpace {
  std::vector<double> state;       // at step 1
  std::vector<double> transition;  // [states, states]
  std::vector<double> drift;       // added to each next state
  std::vector<double> measurement;
  double offset = 0;  // added to what is seen
};
// Reads <TransitionMatrix> and <MeasurementMatrix> of `holder` for a state that is known.
Status ReadStateMatrices(const Element& holder, StateSpace& space);
std::vector<double> MeansOf(const StateSpace& space);

// The inverse of what was done to the series before it was modelled.
Result<double> Untransformed(std::string_view transformation, double y);

}  // namespace athanor::pmml
