#include "serve/describe.h"

#include <athanor/athanor.h>
#include <fmt/format.h>

#include "http/json_text.h"
#include "serve/datatype.h"

namespace athanor::serve {
namespace {

constexpr std::string_view kExtensions[] = {"binary_tensor_data",  "classification",
                                            "model_configuration", "model_repository",
                                            "schedule_policy",     "statistics"};

// A JSON string.
std::string Text(std::string_view text) {
  std::string json;
  http::AppendJsonString(text, json);
  return json;
}

template <class Items, class F>
std::string List(const Items& items, F&& one) {
  std::string json = "[";
  for (const auto& item : items) json += (json.size() > 1 ? "," : "") + one(item);
  return json + "]";
}

std::string ShapeJson(const Dims& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

std::string PortJson(const Port& port) {
  // A rank that is not known cannot be said in the protocol.
  return fmt::format(R"({{"name":{},"datatype":"{}","shape":{}}})", Text(port.name),
                     ToV2(port.dtype), port.has_rank ? ShapeJson(port.shape) : "[-1]");
}

std::string StatJson(std::string_view name, const Stat& stat) {
  return fmt::format(R"("{}":{{"count":{},"ns":{}}})", name, stat.count.load(), stat.ns.load());
}

}  // namespace

std::span<const std::string_view> Extensions() { return kExtensions; }

Dims ConfigDims(const Port& port, const ServedModel& model) {
  if (!port.has_rank) return {-1};
  Dims dims = port.shape;
  if (ConfigMaxBatch(model) > 0) dims.erase(dims.begin());
  return dims;
}

std::int64_t ConfigMaxBatch(const ServedModel& model) {
  return model.has_rows() && model.max_batch() > 1 ? model.max_batch() : 0;
}

std::string_view Platform(const ServedModel& model) {
  return model.inputs().size() == 1 && model.inputs()[0].is_file ? "athanor_package" : "athanor";
}

std::string ServerJson() {
  return fmt::format(R"({{"name":"athanor","version":"{}","extensions":{}}})", ath_version(),
                     List(kExtensions, Text));
}

std::string ModelJson(const RepositoryEntry& entry) {
  return fmt::format(R"({{"name":{},"versions":["1"],"platform":"{}","inputs":{},"outputs":{}}})",
                     Text(entry.spec.name), Platform(*entry.model),
                     List(entry.model->inputs(), PortJson), List(entry.model->outputs(), PortJson));
}

std::string ConfigJson(const RepositoryEntry& entry) {
  const ServedModel& model = *entry.model;
  const auto port = [&](const Port& value) {
    const std::string_view type = value.dtype == DType::kString ? "STRING" : ToV2(value.dtype);
    return fmt::format(R"({{"name":{},"data_type":"TYPE_{}","dims":{}}})", Text(value.name), type,
                       ShapeJson(ConfigDims(value, model)));
  };
  return fmt::format(
      R"({{"name":{},"platform":"{}","backend":"athanor","version_policy":{{"latest":{{"num_versions":1}}}},"max_batch_size":{},"input":{},"output":{},{}"parameters":{{"batching":{{"string_value":{}}},"default_answer":{{"string_value":"{}"}}}}}})",
      Text(entry.spec.name), Platform(model), ConfigMaxBatch(model), List(model.inputs(), port),
      List(model.outputs(), port), ConfigMaxBatch(model) > 0 ? R"("dynamic_batching":{},)" : "",
      Text(model.max_batch() > 1 ? "rows are stacked" : "off: " + model.batch_note()),
      entry.fallback != nullptr ? "declared" : "none");
}

std::string StatisticsJson(std::span<const RepositoryEntry> entries) {
  const auto one = [](const RepositoryEntry& entry) {
    const ModelMetrics& m = entry.line->metrics;
    return fmt::format(
        R"({{"name":{},"version":"1","last_inference":{},"inference_count":{},"execution_count":{},"inference_stats":{{{},{},{},{},{},{}}},"batch_stats":[]}})",
        Text(entry.spec.name), m.last_inference_ms.load(), m.rows.load(), m.runs.load(),
        StatJson("success", m.success), StatJson("fail", m.fail), StatJson("queue", m.queue),
        StatJson("compute_input", m.compute_input), StatJson("compute_infer", m.compute_infer),
        StatJson("compute_output", m.compute_output));
  };
  return fmt::format(R"({{"model_stats":{}}})", List(entries, one));
}

std::string IndexJson(std::span<const RepositoryEntry> entries) {
  return List(entries, [](const RepositoryEntry& entry) {
    return fmt::format(R"({{"name":{},"version":"1","state":"{}","reason":{}}})",
                       Text(entry.spec.name), entry.model != nullptr ? "READY" : "UNAVAILABLE",
                       Text(entry.reason));
  });
}

}  // namespace athanor::serve
