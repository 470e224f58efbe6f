// The network behind a port, under load; and what happens when a worker hangs.
#include "serve/server.h"

#include "serve/load.h"
#include "tools/demo/demo.h"
#include "tools/describe.h"

namespace athanor::tools::demo {
namespace {

constexpr double kDeadlineMs = 50, kHangMs = 200;

// Any free ports; nothing outside this machine reaches them.
serve::ServerOptions Options(const State& state) {
  serve::ServerOptions options;
  options.models = {{.name = "digits", .path = state.File("digits.onnx")}};
  options.model.max_batch = 16;
  options.http.port = options.grpc.port = options.metrics_port = 0;
  return options;
}

// Starts a server, puts the load on it, and stops it.
Result<serve::LoadResult> Serve(const serve::ServerOptions& options, std::int64_t requests) {
  ATH_TRY(const auto server, serve::Server::Start(options));
  ATH_TRY(serve::LoadResult load, serve::RunLoad({.port = server->http_port(),
                                                  .model = "digits",
                                                  .requests = requests,
                                                  .concurrency = 4}));
  if (!server->Stop(std::chrono::seconds(10)))
    return Error(ErrorCode::kInternal, "the server did not stop within 10 s");
  return load;
}

Result<serve::LoadResult> ServeWithHangingWorkers(const State& state, std::int64_t requests) {
  serve::ServerOptions options = Options(state);
  options.models[0].default_json = R"({"logits": 0})";
  options.models[0].deadline =
      std::chrono::microseconds(static_cast<std::int64_t>(1000 * kDeadlineMs));
  options.scheduler.injected_delay = std::chrono::milliseconds(static_cast<int>(kHangMs));
  return Serve(options, requests);
}

// When each answer came: the deadline as a line, and where the worker would have answered.
Drawing Fallbacks(const std::vector<double>& milliseconds) {
  constexpr double kWidth = 720, kMost = kHangMs * 1.08, kBase = 74;
  const auto x = [](double ms) { return ms / kMost * kWidth; };
  Drawing drawing = {kWidth, 112, "", "default answers and the deadline"};
  drawing.body += Line(0, kBase, kWidth, kBase);
  for (std::size_t i = 0; i < milliseconds.size(); ++i) {
    drawing.body +=
        fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='4' class='leaf' opacity='.75'/>",
                    x(milliseconds[i]), kBase - 10 - static_cast<double>(i % 7) * 7.5);
  }
  drawing.body += Line(x(kDeadlineMs), 4, x(kDeadlineMs), kBase + 10, "rule dash");
  drawing.body += Text(x(kDeadlineMs) - 6, kBase + 22, fmt::format("deadline {:g} ms", kDeadlineMs),
                       "small right");
  drawing.body += Text(x(kDeadlineMs) + 14, 18, "the declared default is sent", "small");
  drawing.body += Line(x(kHangMs), 4, x(kHangMs), kBase + 10, "rule dash");
  drawing.body +=
      Text(x(kHangMs), kBase + 22,
           fmt::format("here the worker would answer, after {:g} ms", kHangMs), "small right");
  drawing.body += Text(0, kBase + 36, "time since the request", "small soft");
  return drawing;
}

std::int64_t Troubles(const serve::LoadResult& load) {
  std::int64_t count = load.lost + load.not_sent;
  for (const auto& [message, times] : load.errors) count += times;
  return count;
}

}  // namespace

Result<Outcome> Server(State& state) {
  ATH_TRY(const serve::LoadResult load, Serve(Options(state), state.fast ? 400 : 2000));
  ATH_TRY(const serve::LoadResult late, ServeWithHangingWorkers(state, state.fast ? 12 : 40));
  const double rate = static_cast<double>(load.answered) / load.seconds;
  const double p50 = Percentile(load.latencies_ms, 0.5), p99 = Percentile(load.latencies_ms, 0.99);
  const double latest = Percentile(late.fallback_ms, 1);
  const std::int64_t troubles = Troubles(load) + Troubles(late);
  state.tiles.emplace_back(HumanTime(p99), fmt::format("p99 over HTTP with 4 clients, {:.0f} "
                                                       "answers a second",
                                                       rate));
  state.highlights.emplace_back("an answer over HTTP",
                                HistogramChart(load.latencies_ms, kHighlightWidth, 110));
  Outcome outcome;
  outcome.what = fmt::format(
      "{} requests, {} errors, p50 {}, p99 {}; with hanging workers {} of {} defaults by {:.1f} ms "
      "(deadline {:g})",
      load.answered, troubles, HumanTime(p50), HumanTime(p99), late.fallbacks, late.answered,
      latest, kDeadlineMs);
  outcome.section = {
      .id = "server",
      .title = "Behind a port",
      .finding = fmt::format(
          "The Open Inference Protocol over HTTP on this machine, 4 clients, {} requests: {:.0f} "
          "answers a second, half of them within {}, 99 of 100 within {}, {} errors. Then every "
          "worker hangs for {:g} ms and the deadline is {:g} ms: {} of {} requests get the "
          "declared "
          "default answer, the latest after {:.1f} ms.",
          load.answered, rate, HumanTime(p50), HumanTime(p99), troubles, kHangMs, kDeadlineMs,
          late.fallbacks, late.answered, latest),
      .figures = {{HistogramChart(load.latencies_ms),
                   "From sending a request to its answer; logarithmic scale."},
                  {Fallbacks(late.fallback_ms),
                   "Each point is an answer while the workers hang: a timer of its own sends the "
                   "default."}},
      .commands = {"athanor serve " + state.File("digits.onnx"),
                   "athanor load 127.0.0.1:8000 --requests 2000 --concurrency 4",
                   fmt::format("ATHANOR_INJECT_DELAY_MS={:g} athanor serve {} --deadline-ms {:g} "
                               "--default '{{\"logits\": 0}}'",
                               kHangMs, state.File("digits.onnx"), kDeadlineMs)}};
  outcome.figures = {{"requests", load.answered},
                     {"errors", troubles},
                     {"per_second", rate},
                     {"p50_ms", p50},
                     {"p99_ms", p99},
                     {"deadline_ms", kDeadlineMs},
                     {"hanging", late.answered},
                     {"defaults", late.fallbacks},
                     {"latest_default_ms", latest}};
  return outcome;
}

}  // namespace athanor::tools::demo
