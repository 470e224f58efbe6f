// The page and its JSON: which request gets what, and who may ask. Knows nothing of sockets, and of
// models only what the screens say.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"
#include "http/http_server.h"
#include "http/target.h"
#include "workbench/worker.h"

namespace athanor::workbench {

// What the page asks a screen.
struct Question {
  http::QueryValues values;  // behind the "?", without the token
  std::shared_ptr<const std::string> body;

  // "" when absent.
  std::string_view Value(std::string_view name) const;
  bool Has(std::string_view name) const;
};

// One JSON document: what a view of the page shows.
struct Screen {
  std::string name;      // "graph" is asked for at /api/graph
  std::string method;    // GET, or POST when it takes a body
  std::string produces;  // one line, for the list at /api
  // A JSON document. Called by one thread at a time, so that what is measured is not disturbed.
  std::function<Result<std::string>(const Question&)> answer;
};

// Every request must carry the token, in its query ("?token=...") or as the cookie that the first
// page sets, and must be addressed to this machine by number or as localhost: a name could be made
// to point here by a page from elsewhere (DNS rebinding).
class Site {
 public:
  // `cookie` differs between workbenches on one machine: browsers do not tell ports apart.
  Site(std::string token, std::string cookie, std::vector<Screen> screens);

  // `reply` is called once, from any thread.
  void Handle(const http::HttpCall& call, const http::HttpReplyTo& reply);
  // Waits for the screen at hand; no other is asked any more.
  void Stop() { worker_.Stop(); }

 private:
  // Nothing when the request may be answered.
  std::optional<http::HttpReply> Refuse(const http::HttpCall& call,
                                        const http::QueryValues& values) const;
  void Ask(const std::string& name, const http::HttpCall& call, http::QueryValues values,
           const http::HttpReplyTo& reply);
  http::HttpReply File(std::string_view name) const;
  http::HttpReply List() const;

  std::string token_, cookie_;
  std::vector<Screen> screens_;
  Worker worker_;  // last: its thread uses the screens until it ends
};

// 128 random bits in hexadecimal.
Result<std::string> NewToken();

}  // namespace athanor::workbench
