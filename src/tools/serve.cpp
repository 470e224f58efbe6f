// athanor serve PATH...: models behind HTTP and gRPC until SIGTERM or Ctrl-C.
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "core/cpu.h"
#include "core/file.h"
#include "core/text.h"
#include "serve/server.h"
#include "tools/console.h"
#include "tools/package_options.h"
#include "tools/stop_signal.h"
#include "tools/tuning.h"
#include "tools/verb.h"

namespace athanor::tools {
namespace {

struct ServeOptions {
  std::vector<std::string> models;                     // PATH or NAME=PATH
  std::vector<std::string> defaults;                   // JSON or NAME=JSON, JSON may be @FILE
  std::vector<std::string> deadlines;                  // MS or NAME=MS
  std::vector<std::string> keys, passphrases, trusts;  // FILE or NAME=FILE
  serve::ServerOptions server;
  std::int64_t batch_delay_us = 0, max_body_mb = 64, drain_ms = 30000;
  int workers = 0;
};

// The setting of each model: "NAME=VALUE" for one, "VALUE" for all.
using PerModel = std::vector<std::pair<std::string, std::string>>;

PerModel SplitNames(const std::vector<std::string>& texts) {
  PerModel settings;
  for (const std::string& text : texts) {
    // JSON and file names of defaults may have a = in them too.
    const std::size_t equals = text.find('=');
    const bool named = equals != std::string::npos && text[0] != '{' && text[0] != '@';
    settings.emplace_back(named ? text.substr(0, equals) : "",
                          named ? text.substr(equals + 1) : text);
  }
  return settings;
}

serve::ModelSpec ParseModel(const std::string& text) {
  std::error_code error;
  const std::size_t equals = text.find('=');
  // A file whose name has a = in it is still a file.
  if (equals != std::string::npos && equals > 0 && !std::filesystem::exists(text, error))
    return {.name = text.substr(0, equals), .path = text.substr(equals + 1)};
  constexpr std::string_view kZoo = "zoo:";
  if (text.starts_with(kZoo)) return {.name = text.substr(kZoo.size()), .path = text};
  return {.name = std::filesystem::path(text).stem().string(), .path = text};
}

// Writes each setting into the models it is for.
template <class F>
Status ForEach(std::vector<serve::ModelSpec>& specs, const PerModel& settings, const char* option,
               F&& set) {
  for (const auto& [name, value] : settings) {
    bool found = false;
    for (serve::ModelSpec& spec : specs) {
      if (!name.empty() && name != spec.name) continue;
      ATH_RETURN_IF_ERROR(set(spec, value));
      found = true;
    }
    if (found) continue;
    std::vector<std::string> names;
    for (const serve::ModelSpec& spec : specs) names.push_back(spec.name);
    return Error(ErrorCode::kUnknownName, "{} {}=...: no model is named \"{}\"{}; there is {}",
                 option, name, name, DidYouMean(name, names), Join(names, ", "));
  }
  return {};
}

Status SetDefault(serve::ModelSpec& spec, const std::string& value) {
  spec.default_json = value;
  if (!value.starts_with('@')) return {};
  ATH_TRY(const auto file, MappedFile::Open(value.substr(1)));
  const auto bytes = file->bytes();
  spec.default_json.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return {};
}

Status SetDeadline(serve::ModelSpec& spec, const std::string& value) {
  double ms = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), ms);
  if (error != std::errc() || end != value.data() + value.size() || !(ms > 0) || ms > 1e9) {
    return Error(ErrorCode::kUsage, "--deadline-ms {}: milliseconds above 0 are expected", value);
  }
  spec.deadline = std::chrono::microseconds(static_cast<std::int64_t>(ms * 1000));
  return {};
}

Status SetKey(serve::ModelSpec& spec, const std::string& file) {
  spec.access.key_file = file;
  return {};
}

Status SetPassphrase(serve::ModelSpec& spec, const std::string& file) {
  ATH_TRY(spec.access.passphrase, ReadPassphrase(file));
  return {};
}

Status SetTrust(serve::ModelSpec& spec, const std::string& file) {
  spec.access.trust_file = file;
  return {};
}

Status Complete(ServeOptions& options) {
  serve::ServerOptions& server = options.server;
  for (const std::string& text : options.models) server.models.push_back(ParseModel(text));
  ATH_RETURN_IF_ERROR(
      ForEach(server.models, SplitNames(options.defaults), "--default", SetDefault));
  ATH_RETURN_IF_ERROR(
      ForEach(server.models, SplitNames(options.deadlines), "--deadline-ms", SetDeadline));
  ATH_RETURN_IF_ERROR(ForEach(server.models, SplitNames(options.keys), "--key", SetKey));
  ATH_RETURN_IF_ERROR(
      ForEach(server.models, SplitNames(options.passphrases), "--passphrase-file", SetPassphrase));
  ATH_RETURN_IF_ERROR(ForEach(server.models, SplitNames(options.trusts), "--trust", SetTrust));
  server.scheduler.workers = options.workers > 0 ? options.workers : Cpu().cores;
  server.scheduler.batch_delay = std::chrono::microseconds(options.batch_delay_us);
  server.http.max_body_bytes = static_cast<std::size_t>(options.max_body_mb) << 20;
  // Documented in docs/serve.md: proves that deadlines hold when workers hang.
  if (const char* delay = std::getenv("ATHANOR_INJECT_DELAY_MS"))
    server.scheduler.injected_delay = std::chrono::milliseconds(std::atoi(delay));
  return {};
}

std::string Ports(const std::vector<serve::Port>& ports) {
  std::vector<std::string> texts;
  for (const serve::Port& port : ports) texts.push_back(port.name + " " + port.type);
  return Join(texts, ", ");
}

void Announce(const ServeOptions& options, const serve::Server& server, const Common& common) {
  nlohmann::json models = nlohmann::json::array();
  for (const serve::RepositoryEntry& entry : server.models()) {
    if (entry.model == nullptr) {
      Note(common, "model    {}: not served\n{}", entry.spec.name, entry.failure.ToString());
      models.push_back({{"name", entry.spec.name}, {"error", entry.failure.ToString()}});
      continue;
    }
    const serve::ServedModel& model = *entry.model;
    Say(common, "model    {}: {} -> {}", model.name(), Ports(model.inputs()),
        Ports(model.outputs()));
    Say(common, "         {}; {}{}",
        model.max_batch() > 1 ? fmt::format("up to {} rows are stacked", model.max_batch())
                              : "requests run one by one: " + model.batch_note(),
        entry.line->deadline ? fmt::format("deadline {:.6g} ms, ",
                                           static_cast<double>(entry.line->deadline->count()) / 1e3)
                             : "no deadline, ",
        entry.fallback != nullptr ? "default declared" : "no default");
    models.push_back({{"name", model.name()},
                      {"max_batch", model.max_batch()},
                      {"batch_note", model.batch_note()}});
  }
  const std::string& host = options.server.http.host;
  if (options.server.scheduler.injected_delay.count() > 0) {
    Note(common, "fault injection is ON (ATHANOR_INJECT_DELAY_MS): each run is delayed by {} ms",
         options.server.scheduler.injected_delay.count());
  }
  Say(common, "http     http://{}:{}/", host, server.http_port());
  Say(common, "grpc     {}:{}", host, server.grpc_port());
  Say(common, "metrics  http://{}:{}/metrics", host, server.metrics_port());
  PrintJson(common, {{"host", host},
                     {"http_port", server.http_port()},
                     {"grpc_port", server.grpc_port()},
                     {"metrics_port", server.metrics_port()},
                     {"pid", getpid()},
                     {"models", std::move(models)}});
  Next(common, fmt::format("curl http://{}:{}/v2/models/{}", host, server.http_port(),
                           server.models()[0].spec.name));
  std::fflush(nullptr);
}

void Summarise(const serve::Server& server, const Common& common) {
  for (const serve::RepositoryEntry& entry : server.models()) {
    const serve::ModelMetrics& m = entry.line->metrics;
    Note(common, "{}: {} answered in {} runs, {} errors, {} defaults", entry.spec.name,
         m.success.count.load(), m.runs.load(), m.fail.count.load(),
         m.defaults_deadline.load() + m.defaults_queue_full.load());
  }
}

// Each port takes 1024 connections, which is all that many systems let a process open unless asked.
void RaiseDescriptorLimit() {
  constexpr rlim_t kWanted = 8192;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kWanted) return;
  limit.rlim_cur = std::min(limit.rlim_max, kWanted);
  (void)setrlimit(RLIMIT_NOFILE, &limit);  // where it is not allowed, connections wait
}

Status Run(ServeOptions options, const Common& common) {
  RaiseDescriptorLimit();
  ATH_RETURN_IF_ERROR(Complete(options));
  StopSignal stop;
  ATH_TRY(const std::unique_ptr<serve::Server> server, serve::Server::Start(options.server));
  Announce(options, *server, common);
  stop.Wait();
  Note(common, "stopping: answering what has been sent");
  const bool complete = server->Stop(std::chrono::milliseconds(options.drain_ms));
  Summarise(*server, common);
  if (!complete) {
    // A thread that hangs in a model cannot be joined; everything it owed has been answered.
    Note(common, "a run or a connection did not end in time; leaving it behind");
    std::fflush(nullptr);
    _exit(0);
  }
  return {};
}

void AddKeys(Arguments app, ServeOptions& options) {
  app.Option("--key", options.keys,
             "a recipient's NAME.key that opens encrypted packages: [NAME=]FILE")
      .Repeated();
  app.Option("--passphrase-file", options.passphrases,
             "a file whose first line opens encrypted packages: [NAME=]FILE")
      .Repeated();
  app.Option("--trust", options.trusts,
             "a NAME.pub: open only what this key has signed: [NAME=]FILE")
      .Repeated();
}

}  // namespace

std::function<Status()> Serve(Arguments app, const Common& common) {
  auto options = std::make_shared<ServeOptions>();
  serve::ServerOptions& server = options->server;
  server.model.max_batch = 16;
  app.Option("models", options->models, "model files and packages, or NAME=PATH; zoo:NAME too")
      .Required();
  app.Option("--http-port", server.http.port, "HTTP; 0: any free one")
      .Range(0, 65535)
      .ShowDefault();
  app.Option("--grpc-port", server.grpc.port, "gRPC; 0: any free one")
      .Range(0, 65535)
      .ShowDefault();
  app.Option("--metrics-port", server.metrics_port, "Prometheus text; 0: any free one")
      .Range(0, 65535)
      .ShowDefault();
  app.Option("--host", server.http.host, "the address to listen on; 0.0.0.0 for all").ShowDefault();
  app.Option("--deadline-ms", options->deadlines,
             "answer within this time: [NAME=]MILLISECONDS; with the default when the model "
             "has none, else with an error")
      .Repeated();
  app.Option("--default", options->defaults,
             "the safe answer: [NAME=]{\"OUTPUT\": VALUE, ...} or @FILE; VALUE is a number, the "
             "elements of one row, or {\"shape\": [...], \"data\": [...]}")
      .Repeated();
  AddKeys(app, *options);
  app.Option("--max-queue", server.scheduler.max_queue, "waiting requests per model")
      .Range(1, 1000000)
      .ShowDefault();
  app.Option("--workers", options->workers, "runs at one time; 0: one per core")
      .Range(0, 256)
      .ShowDefault();
  app.Option("--threads", server.model.threads, "threads per run; 0: one per core")
      .Range(0, 256)
      .ShowDefault();
  AddPrecisionOption(app, server.model.precision);
  app.Option("--max-batch", server.model.max_batch, "rows stacked into one run; 1: none")
      .Range(1, 128)
      .ShowDefault();
  app.Option("--batch-delay-us", options->batch_delay_us, "how long a run may wait for more rows")
      .Range(0, 1000000)
      .ShowDefault();
  app.Option("--max-body-mb", options->max_body_mb, "largest request in MiB")
      .Range(1, 1024)
      .ShowDefault();
  app.Option("--drain-ms", options->drain_ms, "how long SIGTERM waits for requests")
      .Range(100, 3600000)
      .ShowDefault();
  app.Device(server.model.device);
  app.Flag("--model-control", server.control, "allow load and unload over the network");
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
