#include "serve/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace athanor::serve {

const std::array<double, 16> kLatencyBounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                               0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                               1.0,    2.5,     5.0,    10.0};
const std::array<double, 8> kBatchBounds = {1, 2, 4, 8, 16, 32, 64, 128};

namespace {

using Models = std::vector<std::pair<std::string, const ModelMetrics*>>;

// Label values escape what would end them.
std::string LabelValue(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string Labels(const std::string& model) {
  return fmt::format("model=\"{}\",version=\"1\"", LabelValue(model));
}

void Head(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(text), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

struct Figure {
  const char* name;
  const char* type;
  const char* help;
  const char* label;  // of this row beside the model, or ""
  std::uint64_t (*value)(const ModelMetrics&);
};

std::uint64_t Micros(const Stat& stat) { return stat.ns / 1000; }

// Rows of one name follow each other.
const Figure kFigures[] = {
    {"nv_inference_request_success", "counter", "Requests answered by the model", "",
     [](const ModelMetrics& m) -> std::uint64_t { return m.success.count; }},
    {"nv_inference_request_failure", "counter", "Requests answered with an error",
     ",reason=\"REJECTED\"", [](const ModelMetrics& m) -> std::uint64_t { return m.rejected; }},
    {"nv_inference_request_failure", "counter", "", ",reason=\"OTHER\"",
     [](const ModelMetrics& m) -> std::uint64_t {
       // Read first: a request is counted as rejected before it is counted as failed.
       const std::uint64_t failed = m.fail.count;
       return failed - std::min<std::uint64_t>(m.rejected, failed);
     }},
    {"nv_inference_count", "counter", "Rows inferred", "",
     [](const ModelMetrics& m) -> std::uint64_t { return m.rows; }},
    {"nv_inference_exec_count", "counter", "Runs of the model", "",
     [](const ModelMetrics& m) -> std::uint64_t { return m.runs; }},
    {"nv_inference_request_duration_us", "counter", "Time from arrival to answer", "",
     [](const ModelMetrics& m) { return Micros(m.success); }},
    {"nv_inference_queue_duration_us", "counter", "Time in the queue", "",
     [](const ModelMetrics& m) { return Micros(m.queue); }},
    {"nv_inference_compute_input_duration_us", "counter", "Time to stack inputs", "",
     [](const ModelMetrics& m) { return Micros(m.compute_input); }},
    {"nv_inference_compute_infer_duration_us", "counter", "Time in the model", "",
     [](const ModelMetrics& m) { return Micros(m.compute_infer); }},
    {"nv_inference_pending_request_count", "gauge", "Requests in the queue", "",
     [](const ModelMetrics& m) { return static_cast<std::uint64_t>(m.pending.load()); }},
    {"athanor_running_requests", "gauge", "Requests inside the model", "",
     [](const ModelMetrics& m) { return static_cast<std::uint64_t>(m.running.load()); }},
    {"athanor_default_answers_total", "counter", "Declared defaults sent", ",reason=\"deadline\"",
     [](const ModelMetrics& m) -> std::uint64_t { return m.defaults_deadline; }},
    {"athanor_default_answers_total", "counter", "", ",reason=\"queue-full\"",
     [](const ModelMetrics& m) -> std::uint64_t { return m.defaults_queue_full; }},
    {"athanor_late_answers_total", "counter", "Answers that came after their deadline", "",
     [](const ModelMetrics& m) -> std::uint64_t { return m.late; }},
};

}  // namespace

template <std::size_t kSize>
void Histogram<kSize>::Print(const std::string& name, const std::string& labels,
                             std::string& text) const {
  std::uint64_t total = 0;
  const auto out = std::back_inserter(text);
  for (std::size_t i = 0; i < kSize; ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    fmt::format_to(out, "{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bounds_[i], total);
  }
  total += counts_[kSize].load(std::memory_order_relaxed);
  fmt::format_to(out, "{}_bucket{{{},le=\"+Inf\"}} {}\n", name, labels, total);
  fmt::format_to(out, "{}_sum{{{}}} {:.6f}\n", name, labels,
                 static_cast<double>(sum_millionths_.load()) / 1e6);
  fmt::format_to(out, "{}_count{{{}}} {}\n", name, labels, total);
}

template class Histogram<16>;
template class Histogram<8>;

std::string PrintMetrics(const Models& models) {
  std::string text;
  for (const Figure& figure : kFigures) {
    if (*figure.help != '\0') Head(text, figure.name, figure.type, figure.help);
    for (const auto& [model, metrics] : models) {
      fmt::format_to(std::back_inserter(text), "{}{{{}{}}} {}\n", figure.name, Labels(model),
                     figure.label, figure.value(*metrics));
    }
  }
  Head(text, "athanor_request_latency_seconds", "histogram", "From arrival to answer");
  for (const auto& [model, metrics] : models)
    metrics->latency.Print("athanor_request_latency_seconds", Labels(model), text);
  Head(text, "athanor_default_lateness_seconds", "histogram",
       "From the deadline until the default was sent");
  for (const auto& [model, metrics] : models)
    metrics->lateness.Print("athanor_default_lateness_seconds", Labels(model), text);
  Head(text, "athanor_batch_rows", "histogram", "Rows per run");
  for (const auto& [model, metrics] : models)
    metrics->batch.Print("athanor_batch_rows", Labels(model), text);
  return text;
}

}  // namespace athanor::serve
