#include "tools/describe.h"

#include <algorithm>
#include <cmath>

namespace athanor::tools {

nlohmann::json ShapeJson(const Type& type) {
  if (!type.HasRank()) return nullptr;
  nlohmann::json shape = nlohmann::json::array();
  for (const Dim& dim : *type.shape) {
    if (dim.IsConst()) shape.push_back(dim.value());
    if (dim.IsUnknown()) shape.push_back(nullptr);
    if (!dim.IsConst() && !dim.IsUnknown()) shape.push_back(dim.ToString());
  }
  return shape;
}

nlohmann::json PortJson(const std::string& name, const Type& type) {
  nlohmann::json port = {{"name", name}};
  if (type.IsTensor()) {
    port["dtype"] = Name(type.dtype);
    port["shape"] = ShapeJson(type);
    return port;
  }
  port["type"] = type.ToString();
  if (type.element) port["element"] = PortJson("", *type.element);
  return port;
}

nlohmann::json InputsJson(const Graph& graph) {
  nlohmann::json ports = nlohmann::json::array();
  for (const ValueId id : graph.inputs())
    ports.push_back(PortJson(graph.value(id).name, graph.value(id).type));
  return ports;
}

nlohmann::json OutputsJson(const Graph& graph) {
  nlohmann::json ports = nlohmann::json::array();
  for (const GraphOutput& output : graph.outputs())
    ports.push_back(PortJson(output.name, graph.value(output.value).type));
  return ports;
}

Statistics StatisticsOf(std::span<const double> values) {
  Statistics s;
  double count = 0, sum = 0, squares = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) {
      ++s.not_finite;
      continue;
    }
    s.min = count == 0 ? value : std::min(s.min, value);
    s.max = count == 0 ? value : std::max(s.max, value);
    sum += value;
    ++count;
  }
  if (count == 0) return s;
  s.mean = sum / count;
  for (const double value : values) {
    if (std::isfinite(value)) squares += (value - s.mean) * (value - s.mean);
  }
  s.std = std::sqrt(squares / count);
  return s;
}

double Percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto index = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(index, sorted.size() - 1)];
}

nlohmann::json NumberJson(double value) {
  if (!std::isfinite(value)) return nullptr;
  return value;
}

}  // namespace athanor::tools
