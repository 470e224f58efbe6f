#include "serve/http_api.h"

#include <charconv>

#include "core/embedded_file.h"
#include "http/json_text.h"
#include "http/target.h"
#include "serve/describe.h"
#include "serve/out_of_memory.h"
#include "serve/v2_json.h"

namespace athanor {
std::span<const EmbeddedFile> ServePage();
}

namespace athanor::serve {

using http::AppendJsonString;
using http::ErrorJson;
using http::NotAllowed;

namespace {

template <class T>
std::optional<T> ParseNumber(std::string_view text) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

HttpReply NotFound(const HttpCall& call) {
  return {
      404, ErrorJson("there is nothing at " + call.target.substr(0, 200)), "application/json", {}};
}

HttpReply Json(std::string body, int status = 200) {
  return {status, std::move(body), "application/json", {}};
}

std::string MetricsText(const Repository& repository) {
  const std::vector<RepositoryEntry> entries = repository.List();
  std::vector<std::pair<std::string, const ModelMetrics*>> models;
  for (const RepositoryEntry& entry : entries)
    models.emplace_back(entry.spec.name, &entry.line->metrics);
  return PrintMetrics(models);
}

// Nothing when the body is as it is.
std::optional<HttpReply> RefuseEncoding(const HttpCall& call) {
  const std::string encoding(call.Header("Content-Encoding"));
  if (encoding.empty() || encoding == "identity") return std::nullopt;
  return Json(
      ErrorJson("Content-Encoding \"" + encoding + "\" is not read; send the body as it is"), 415);
}

HttpReply Metrics(const Repository& repository) {
  return {200, MetricsText(repository), "text/plain; version=0.0.4", {}};
}

HttpReply Page() {
  const std::span<const std::uint8_t> bytes = ServePage()[0].bytes;
  return {200,
          std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
          "text/html; charset=utf-8",
          {{"Content-Security-Policy",
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
            "img-src blob: data:; connect-src 'self'"},
           {"X-Content-Type-Options", "nosniff"}}};
}

}  // namespace

HttpReply ErrorReply(const Status& status) {
  HttpReply reply = Json(ErrorJson(http::ErrorText(status)), http::HttpStatus(status));
  if (reply.status == 503) reply.headers.emplace_back("Retry-After", "1");
  return reply;
}

void HttpApi::Infer(HttpCall& call, const std::string& model, const std::string& version,
                    const HttpReplyTo& reply) {
  if (call.method != "POST") return reply(NotAllowed("POST"));
  if (std::optional<HttpReply> refusal = RefuseEncoding(call)) return reply(*std::move(refusal));
  auto infer = std::make_shared<Service::Call>();
  infer->model = model;
  infer->version = version;
  infer->arrival = call.arrival;
  const auto parse = [&]() -> Status {
    const std::string_view deadline_ms = call.Header("X-Request-Deadline-Ms");
    if (!deadline_ms.empty()) {
      const auto ms = ParseNumber<std::uint32_t>(deadline_ms);
      if (!ms) {
        return Error(ErrorCode::kInvalidInput, "X-Request-Deadline-Ms: a whole number is expected");
      }
      infer->deadline = call.arrival + std::chrono::milliseconds(*ms);
    }
    std::optional<std::size_t> json_length;
    const std::string_view length = call.Header("Inference-Header-Content-Length");
    if (!length.empty()) {
      json_length = ParseNumber<std::size_t>(length);
      if (!json_length) {
        return Error(ErrorCode::kInvalidInput,
                     "Inference-Header-Content-Length: a whole number is expected");
      }
    }
    if (json_length == 0U) {
      // No description at all: the bytes of the only input.
      ATH_TRY(const RepositoryEntry entry, service_.repository().Find(model, version));
      ATH_TRY(NamedTensor tensor,
              entry.model->FromRawBytes(std::as_bytes(std::span(*call.body)), call.body));
      infer->request.inputs.push_back(std::move(tensor));
      infer->request.binary_outputs =
          call.Header("Accept").find("application/json") == std::string_view::npos;
      return {};
    }
    ATH_TRY(infer->request, ParseInferRequest(*call.body, json_length, call.body));
    return {};
  };
  // Which model is wrong is worth more to know than what else is.
  const auto found = service_.repository().Find(model, version);
  if (!found.ok()) return reply(ErrorReply(found.status()));
  if (const Status status = OrOutOfMemory(parse); !status.ok()) return reply(ErrorReply(status));
  service_.Infer(infer, [infer, reply](InferAnswer answer) {
    if (!answer.status.ok()) return reply(ErrorReply(answer.status));
    // A number takes several times as much as text.
    Result<InferBody> body = OrOutOfMemory(
        [&] { return RenderInferAnswer(*infer->served, infer->request, infer->outputs, answer); });
    if (!body.ok()) return reply(ErrorReply(body.status()));
    HttpReply out = Json(std::move(body->body));
    if (body->json_length) {
      out.content_type = "application/octet-stream";
      out.headers.emplace_back("Inference-Header-Content-Length",
                               std::to_string(*body->json_length));
    }
    if (!answer.fallback.empty()) out.headers.emplace_back("X-Athanor-Fallback", answer.fallback);
    reply(std::move(out));
  });
}

// /v2/models/NAME[/versions/V][/ready|/config|/stats|/infer], `path` from NAME on.
void HttpApi::HandleModel(HttpCall& call, std::vector<std::string> path, const HttpReplyTo& reply) {
  const std::string name = path[0];
  std::string version;
  path.erase(path.begin());
  if (path.size() >= 2 && path[0] == "versions") {
    version = path[1];
    path.erase(path.begin(), path.begin() + 2);
  }
  const std::string what = path.empty() ? "" : path[0];
  if (path.size() > 1) return reply(NotFound(call));
  if (what == "infer") return Infer(call, name, version, reply);
  if (!what.empty() && what != "ready" && what != "config" && what != "stats")
    return reply(NotFound(call));
  if (call.method != "GET") return reply(NotAllowed("GET"));
  const auto entry = service_.repository().Find(name, version);
  if (!entry.ok()) return reply(ErrorReply(entry.status()));
  if (what == "ready") {
    std::string json = "{\"name\":";
    AppendJsonString(name, json);
    return reply(Json(json + ",\"ready\":true}"));
  }
  if (what == "config") return reply(Json(ConfigJson(*entry)));
  if (what == "stats") return reply(Json(StatisticsJson({&*entry, 1})));
  return reply(Json(ModelJson(*entry)));
}

// /v2/repository/index, /v2/repository/models/NAME/load|unload
void HttpApi::HandleRepository(const HttpCall& call, const std::vector<std::string>& path,
                               const HttpReplyTo& reply) {
  if (path.size() == 3 && path[2] == "index") {
    if (call.method != "POST" && call.method != "GET") return reply(NotAllowed("POST"));
    return reply(Json(IndexJson(service_.repository().List())));
  }
  const bool is_control =
      path.size() == 5 && path[2] == "models" && (path[4] == "load" || path[4] == "unload");
  if (!is_control) return reply(NotFound(call));
  if (call.method != "POST") return reply(NotAllowed("POST"));
  service_.Control(path[3], path[4] == "load", [reply](const Status& status) {
    status.ok() ? reply(Json("")) : reply(ErrorReply(status));
  });
}

void HttpApi::HandleHealth(const HttpCall& call, const std::vector<std::string>& path,
                           const HttpReplyTo& reply) {
  if (call.method != "GET") return reply(NotAllowed("GET"));
  if (path[2] == "live") return reply(Json("{\"live\":true}"));
  if (path[2] != "ready") return reply(NotFound(call));
  const bool ready = service_.Ready();
  reply(Json(ready ? "{\"ready\":true}" : "{\"ready\":false}", ready ? 200 : 503));
}

void HttpApi::Handle(HttpCall call, HttpReplyTo reply) {
  const auto split = http::SplitPath(call.target);
  if (!split) return reply(Json(ErrorJson("the path has an escape that is none"), 400));
  const std::vector<std::string>& path = *split;
  if (path.empty()) return reply(call.method == "GET" ? Page() : NotAllowed("GET"));
  if (path[0] == "metrics") return HandleMetrics(call, reply);
  if (path[0] != "v2") return reply(NotFound(call));
  if (path.size() == 1) return reply(call.method == "GET" ? Json(ServerJson()) : NotAllowed("GET"));
  if (path[1] == "health" && path.size() == 3) return HandleHealth(call, path, reply);
  if (path[1] == "repository") return HandleRepository(call, path, reply);
  if (path[1] != "models" || path.size() < 3) return reply(NotFound(call));
  if (path.size() == 3 && path[2] == "stats" && call.method == "GET" &&
      !service_.repository().Find("stats", "").ok())
    return reply(Json(StatisticsJson(service_.repository().List())));
  HandleModel(call, {path.begin() + 2, path.end()}, reply);
}

void HttpApi::HandleMetrics(const HttpCall& call, const HttpReplyTo& reply) {
  const std::string path = call.target.substr(0, call.target.find('?'));
  if (path != "/metrics") return reply(NotFound(call));
  if (call.method != "GET") return reply(NotAllowed("GET"));
  reply(Metrics(service_.repository()));
}

}  // namespace athanor::serve
