// The JSON and binary parts of HTTP requests, and their paths, against bytes from anywhere. The
// first two bytes say how long the JSON is; all ones: there is no binary part.
#include "http/json_text.h"
#include "serve/http_api.h"
#include "serve/v2_json.h"

using athanor::serve::HttpApi;
using athanor::serve::HttpCall;
using athanor::serve::HttpReply;

namespace {

// A path of the same bytes, on a server without models.
void AskPath(std::string_view text) {
  static const auto repository = *athanor::serve::Repository::Open({}, {});
  static athanor::serve::Scheduler scheduler({.workers = 0});
  static athanor::serve::Service service(*repository, scheduler, false);
  static HttpApi api(service);
  HttpCall call;
  call.method = text.size() % 2 == 0 ? "GET" : "POST";
  call.target = "/v2/" + std::string(text.substr(0, 200));
  call.body = std::make_shared<const std::string>(text);
  int answers = 0;
  api.Handle(std::move(call), [&answers](const HttpReply&) { ++answers; });
  if (answers != 1) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t claimed = data[0] | static_cast<std::size_t>(data[1]) << 8;
  const auto body =
      std::make_shared<const std::string>(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::optional<std::size_t> json_length;
  if (claimed != 0xFFFF) json_length = claimed;
  const auto request = athanor::serve::ParseInferRequest(*body, json_length, body);
  if (!request.ok()) {
    // What is refused is said in valid JSON.
    (void)athanor::http::ErrorJson(athanor::http::ErrorText(request.status()));
  }
  AskPath(*body);
  return 0;
}
