#include "workbench/site.h"

#include <arpa/inet.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <exception>
#include <new>

#include "core/embedded_file.h"
#include "http/json_text.h"

namespace athanor {
std::span<const EmbeddedFile> WorkbenchFiles();
}

namespace athanor::workbench {

using http::HttpCall;
using http::HttpReply;
using http::HttpReplyTo;
using http::QueryValues;

namespace {

constexpr std::string_view kToken = "token";

struct FileKind {
  std::string_view ending, type;
};
constexpr FileKind kKinds[] = {{".html", "text/html; charset=utf-8"},
                               {".js", "text/javascript; charset=utf-8"},
                               {".css", "text/css; charset=utf-8"},
                               {".svg", "image/svg+xml"},
                               {".txt", "text/plain; charset=utf-8"}};

// The page fetches nothing from elsewhere, is shown in no frame, and tells nobody its address.
HttpReply Guarded(HttpReply reply) {
  const auto add = [&reply](const char* name, const char* value) {
    reply.headers.emplace_back(name, value);
  };
  add("Content-Security-Policy",
      "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
      "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
      "frame-ancestors 'none'");
  add("X-Content-Type-Options", "nosniff");
  add("Referrer-Policy", "no-referrer");
  add("Cross-Origin-Opener-Policy", "same-origin");
  add("Cross-Origin-Resource-Policy", "same-origin");
  add("Cache-Control", "no-store");
  return reply;
}

HttpReply Problem(int status, std::string_view text) {
  return {status, http::ErrorJson(text), "application/json", {}};
}

// What, where, the number to look up, and the fix.
HttpReply Problem(const Status& status) {
  std::string json = "{\"error\":";
  http::AppendJsonString(http::ErrorText(status), json);
  json += fmt::format(",\"code\":\"ATH-{}\"", static_cast<int>(status.code()));
  if (!status.fix().empty()) {
    json += ",\"fix\":";
    http::AppendJsonString(status.fix(), json);
  }
  return {http::HttpStatus(status), json + "}", "application/json", {}};
}

// Takes as long whatever the first wrong character is.
bool SameSecret(std::string_view given, std::string_view secret) {
  if (given.size() != secret.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < secret.size(); ++i)
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(secret[i]);
  return difference == 0;
}

// The value of one of "a=1; b=2".
std::string_view Cookie(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const std::size_t end = std::min(header.find(';'), header.size());
    std::string_view pair = header.substr(0, end);
    header.remove_prefix(std::min(end + 1, header.size()));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
      return pair.substr(name.size() + 1);
  }
  return {};
}

// "127.0.0.1:8080", "[::1]:80" or "localhost", with any port: the port may be a tunnel's.
bool IsThisMachine(std::string_view host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  if (host.starts_with('[')) {
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos) return false;
    return inet_pton(AF_INET6, std::string(host.substr(1, close - 1)).c_str(), address.data()) == 1;
  }
  const std::string name(host.substr(0, host.find(':')));
  return name == "localhost" || inet_pton(AF_INET, name.c_str(), address.data()) == 1;
}

// Libraries give a Status; what others throw (no memory, mostly) ends here.
HttpReply AnswerOf(const Screen& screen, const Question& question) {
  try {
    Result<std::string> document = screen.answer(question);
    if (!document.ok()) return Problem(document.status());
    return {200, *std::move(document), "application/json", {}};
  } catch (const std::bad_alloc&) {
    return Problem(Status(ErrorCode::kResource, "this machine has not enough memory"));
  } catch (const std::exception& error) {
    return Problem(Error(ErrorCode::kInternal, "{}", error.what()));
  }
}

}  // namespace

std::string_view Question::Value(std::string_view name) const {
  for (const auto& [key, value] : values) {
    if (key == name) return value;
  }
  return {};
}

bool Question::Has(std::string_view name) const {
  return std::any_of(values.begin(), values.end(),
                     [&](const auto& value) { return value.first == name; });
}

Site::Site(std::string token, std::string cookie, std::vector<Screen> screens)
    : token_(std::move(token)), cookie_(std::move(cookie)), screens_(std::move(screens)) {}

std::optional<HttpReply> Site::Refuse(const HttpCall& call, const QueryValues& values) const {
  const std::string_view host = call.Header("Host");
  if (!IsThisMachine(host)) {
    return Problem(421,
                   "the workbench answers at the number of this machine or at localhost, "
                   "not under another name");
  }
  // A form on another page can post here with the reader's cookie; browsers say where it is from.
  const std::string_view origin = call.Header("Origin");
  if (!origin.empty() && origin != fmt::format("http://{}", host))
    return Problem(403, "the request comes from another page");
  bool known = SameSecret(Cookie(call.Header("Cookie"), cookie_), token_);
  for (const auto& [name, value] : values) known |= name == kToken && SameSecret(value, token_);
  if (known) return std::nullopt;
  return Problem(401, "open the address that athanor workbench printed: it holds the token");
}

HttpReply Site::File(std::string_view name) const {
  for (const EmbeddedFile& file : WorkbenchFiles()) {
    if (file.name != name) continue;
    HttpReply reply;
    reply.body.assign(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
    for (const FileKind& kind : kKinds) {
      if (name.ends_with(kind.ending)) reply.content_type = kind.type;
    }
    return reply;
  }
  return Problem(404, "there is nothing here");
}

HttpReply Site::List() const {
  std::string json = "{\"schema_version\":1,\"screens\":[";
  for (const Screen& screen : screens_) {
    if (json.back() != '[') json += ',';
    json += "{\"path\":";
    http::AppendJsonString("/api/" + screen.name, json);
    json += ",\"method\":";
    http::AppendJsonString(screen.method, json);
    json += ",\"produces\":";
    http::AppendJsonString(screen.produces, json);
    json += '}';
  }
  return {200, json + "]}", "application/json", {}};
}

void Site::Ask(const std::string& name, const HttpCall& call, QueryValues values,
               const HttpReplyTo& reply) {
  const auto screen = std::find_if(screens_.begin(), screens_.end(),
                                   [&](const Screen& s) { return s.name == name; });
  if (screen == screens_.end()) return reply(Problem(404, "there is no such screen; see /api"));
  if (call.method != screen->method) return reply(http::NotAllowed(screen->method));
  std::erase_if(values, [](const auto& value) { return value.first == kToken; });
  const bool taken =
      worker_.Do([screen = &*screen, reply, question = Question{std::move(values), call.body}] {
        reply(AnswerOf(*screen, question));
      });
  if (!taken) reply(Problem(503, "too many questions wait for an answer"));
}

void Site::Handle(const HttpCall& call, const HttpReplyTo& reply_to) {
  const HttpReplyTo reply = [reply_to](HttpReply r) { reply_to(Guarded(std::move(r))); };
  const auto path = http::SplitPath(call.target);
  const auto values = http::SplitQuery(call.target);
  if (!path || !values) return reply(Problem(400, "the path has an escape that is none"));
  if (std::optional<HttpReply> refusal = Refuse(call, *values)) return reply(*std::move(refusal));
  if (path->size() == 2 && (*path)[0] == "api") return Ask((*path)[1], call, *values, reply);
  if (path->size() > 1) return reply(Problem(404, "there is nothing here"));
  if (call.method != "GET") return reply(http::NotAllowed("GET"));
  if (!path->empty()) return reply((*path)[0] == "api" ? List() : File((*path)[0]));
  HttpReply page = File("index.html");
  page.headers.emplace_back(
      "Set-Cookie", fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict", cookie_, token_));
  reply(std::move(page));
}

Result<std::string> NewToken() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return Error(ErrorCode::kInternal, "the system gives no random numbers");
  std::string token;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

}  // namespace athanor::workbench
