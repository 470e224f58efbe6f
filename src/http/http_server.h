// HTTP/1.1 on a port: connections, limits, time-outs, draining. The handler gives every request its
// answer; nothing here knows what it is about.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.h"

namespace athanor::http {

using Clock = std::chrono::steady_clock;

struct HttpCall {
  std::string method, target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const std::string> body;
  Clock::time_point arrival;  // when the head had been read

  // The first header of this name, whatever its case; "" when absent.
  std::string_view Header(std::string_view name) const;
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// 405: another method than `allowed`, the one this path answers.
HttpReply NotAllowed(const std::string& allowed);

using HttpReplyTo = std::function<void(HttpReply)>;
using HttpHandler = std::function<void(HttpCall, HttpReplyTo)>;

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 8000;  // 0: any free one
  int threads = 2;
  std::size_t max_head_bytes = 16 << 10;
  std::size_t max_body_bytes = 64 << 20;
  // Bodies of all connections together, each until its request is answered. What a handler makes
  // or keeps of them is its own to bound.
  std::size_t max_held_bytes = std::size_t{1} << 30;
  std::size_t max_connections = 1024;
  std::chrono::seconds idle_timeout{60};  // until the head of the next request has come
  std::chrono::seconds body_timeout{30};
  std::chrono::seconds write_timeout{30};
  std::chrono::seconds linger_timeout{10};  // what a refused client still sends is read so long
};

class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> Start(const HttpOptions& options, HttpHandler handler);
  // Reads and accepts nothing more at once, then waits until the handler has called or let go of
  // each HttpReplyTo it was given: whatever works on answers may not wait for this.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const;
  // Accepts nobody new, answers what has been sent, closes connections as they fall idle. False
  // when some are left after `patience`.
  bool Drain(std::chrono::milliseconds patience);

  struct Core;

 private:
  HttpServer();
  std::unique_ptr<Core> core_;
};

}  // namespace athanor::http
