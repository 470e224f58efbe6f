// The inference protocol over HTTP: which path does what. Knows nothing of sockets.
#pragma once

#include "http/http_server.h"
#include "serve/service.h"

namespace athanor::serve {

using http::HttpCall;
using http::HttpReply;
using http::HttpReplyTo;

class HttpApi {
 public:
  explicit HttpApi(Service& service) : service_(service) {}
  // Any path. `reply` is called once, from any thread.
  void Handle(HttpCall call, HttpReplyTo reply);
  // Only /metrics and health, for the metrics port.
  void HandleMetrics(const HttpCall& call, const HttpReplyTo& reply);

 private:
  void HandleModel(HttpCall& call, std::vector<std::string> path, const HttpReplyTo& reply);
  void HandleRepository(const HttpCall& call, const std::vector<std::string>& path,
                        const HttpReplyTo& reply);
  void HandleHealth(const HttpCall& call, const std::vector<std::string>& path,
                    const HttpReplyTo& reply);
  void Infer(HttpCall& call, const std::string& model, const std::string& version,
             const HttpReplyTo& reply);

  Service& service_;
};

HttpReply ErrorReply(const Status& status);

}  // namespace athanor::serve
