// Heads of requests from anywhere, a line each: target, Host, Cookie, Origin. Who does not know the
// token gets nothing, whatever the rest says.
#include "workbench/site.h"

using athanor::http::HttpReply;

namespace {

constexpr const char* kToken = "0123456789abcdef0123456789abcdef";

std::string NextLine(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string line(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static athanor::workbench::Site site(kToken, "athanor_fuzz", {});
  std::string_view text(reinterpret_cast<const char*>(data), size);
  athanor::http::HttpCall call;
  call.method = size % 2 == 0 ? "GET" : "POST";
  call.target = NextLine(text);
  for (const char* name : {"Host", "Cookie", "Origin"})
    call.headers.emplace_back(name, NextLine(text));
  call.body = std::make_shared<const std::string>(text);
  const bool may_know =
      (call.target + call.headers[1].second).find_first_of("0%") != std::string::npos;
  int answers = 0;
  site.Handle(call, [&](const HttpReply& reply) {
    ++answers;
    if (reply.status < 400 && !may_know) __builtin_trap();
  });
  if (answers != 1) __builtin_trap();
  return 0;
}
