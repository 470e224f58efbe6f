// Types and tensors as tables and JSON show them.
#pragma once

#include <nlohmann/json.hpp>

#include "ir/graph.h"

namespace athanor::tools {

// [1, "N", null]: numbers, expressions over symbols, unknown; null when even the rank is unknown.
nlohmann::json ShapeJson(const Type& type);
// {"name", "dtype", "shape"}; sequences and optionals have their element's under "element".
nlohmann::json PortJson(const std::string& name, const Type& type);
nlohmann::json InputsJson(const Graph& graph);
nlohmann::json OutputsJson(const Graph& graph);

struct Statistics {
  double min = 0, max = 0, mean = 0, std = 0;
  std::int64_t not_finite = 0;  // NaN and infinities, left out of the others
};
Statistics StatisticsOf(std::span<const double> values);

// The value that `share` (0..1) of the sorted values lie below; 0 when there are none.
double Percentile(const std::vector<double>& sorted, double share);

// A number as JSON, which knows no NaN: null.
nlohmann::json NumberJson(double value);

}  // namespace athanor::tools
