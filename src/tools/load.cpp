// athanor load: requests to a running server, from several clients at once.
#include "serve/load.h"

#include "core/file.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/verb.h"

namespace athanor::tools {
namespace {

struct LoadOptions {
  std::string server = "127.0.0.1:8000";
  std::string file;  // of BYTES inputs
  serve::LoadOptions load;
};

Status ParseServer(const std::string& text, serve::LoadOptions& load) {
  std::string rest = text.starts_with("http://") ? text.substr(7) : text;
  rest = rest.substr(0, rest.find('/'));
  const std::size_t colon = rest.find(':');
  load.host = rest.substr(0, colon) == "localhost" ? "127.0.0.1" : rest.substr(0, colon);
  if (colon != std::string::npos) load.port = std::atoi(rest.c_str() + colon + 1);
  if (load.port > 0 && load.port < 65536) return {};
  return Error(ErrorCode::kUsage, "{}: ADDRESS:PORT is expected, for example 127.0.0.1:8000", text);
}

// null where nothing was measured: 0 ms would be a claim.
nlohmann::json TimeJson(const std::vector<double>& sorted, double share) {
  return sorted.empty() ? nlohmann::json() : nlohmann::json(Percentile(sorted, share));
}

Status Run(LoadOptions options, const Common& common) {
  ATH_RETURN_IF_ERROR(ParseServer(options.server, options.load));
  if (!options.file.empty()) {
    ATH_TRY(options.load.text, ReadTextFile(options.file));
  }
  Note(common, "{} requests from {} clients", options.load.requests, options.load.concurrency);
  ATH_TRY(const serve::LoadResult result, serve::RunLoad(options.load));
  std::int64_t errors = 0;
  nlohmann::json messages = nlohmann::json::object();
  for (const auto& [text, count] : result.errors) {
    errors += count;
    messages[text] = count;
    Say(common, "error    {} x {}", count, text);
  }
  const auto& ms = result.latencies_ms;
  const double rate =
      result.seconds > 0 ? static_cast<double>(result.answered) / result.seconds : 0;
  Say(common, "answers  {} ({} defaults), {} errors, {} lost, {} not sent", result.answered,
      result.fallbacks, errors, result.lost, result.not_sent);
  if (ms.empty())
    Say(common, "latency  none: no request was answered");
  else
    Say(common, "latency  p50 {:.2f} ms, p90 {:.2f} ms, p99 {:.2f} ms, largest {:.2f} ms",
        Percentile(ms, 0.5), Percentile(ms, 0.9), Percentile(ms, 0.99), Percentile(ms, 1));
  if (result.fallbacks > 0) {
    Say(common, "defaults p50 {:.2f} ms, p99 {:.2f} ms, largest {:.2f} ms",
        Percentile(result.fallback_ms, 0.5), Percentile(result.fallback_ms, 0.99),
        Percentile(result.fallback_ms, 1));
  }
  Say(common, "rate     {:.1f} per second", rate);
  PrintJson(common, {{"model", result.model},
                     {"answered", result.answered},
                     {"fallbacks", result.fallbacks},
                     {"errors", errors},
                     {"messages", std::move(messages)},
                     {"lost", result.lost},
                     {"not_sent", result.not_sent},
                     {"latency_ms",
                      {{"p50", TimeJson(ms, 0.5)},
                       {"p90", TimeJson(ms, 0.9)},
                       {"p99", TimeJson(ms, 0.99)},
                       {"max", TimeJson(ms, 1)}}},
                     {"fallback_ms",
                      {{"p50", TimeJson(result.fallback_ms, 0.5)},
                       {"p99", TimeJson(result.fallback_ms, 0.99)},
                       {"max", TimeJson(result.fallback_ms, 1)}}},
                     {"throughput_per_s", rate}});
  if (errors + result.lost > 0) {
    Status status = Error(ErrorCode::kAccuracy, "{} errors and {} lost requests; none is allowed",
                          errors, result.lost);
    if (result.answered > 0 || !options.file.empty()) return status;
    return std::move(status).Fix(
        "--file photo.jpg where the model is a package, which reads pictures");
  }
  Next(common, fmt::format("curl http://{}:{}/metrics", options.load.host, options.load.port));
  return {};
}

}  // namespace

std::function<Status()> Load(Arguments app, const Common& common) {
  auto options = std::make_shared<LoadOptions>();
  serve::LoadOptions& load = options->load;
  app.Option("server", options->server, "ADDRESS:PORT of its HTTP side").ShowDefault();
  app.Option("--model", load.model, "which model; the first by default");
  app.Option("--requests", load.requests, "how many in all").Range(1, 1000000000).ShowDefault();
  app.Option("--concurrency", load.concurrency, "clients, each with one request on the way")
      .Range(1, 1000)
      .ShowDefault();
  app.Option("--rows", load.rows, "rows per request, where the model takes any number")
      .Range(1, 1000000)
      .ShowDefault();
  app.Option("--file", options->file, "what BYTES inputs hold: a picture for a package");
  app.Option("--deadline-ms", load.deadline_ms, "sent with each request");
  app.Flag("--json-tensors", load.json, "tensors as JSON instead of bytes");
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
