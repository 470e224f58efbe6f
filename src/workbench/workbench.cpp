#include "workbench/workbench.h"

namespace athanor::workbench {

Result<std::unique_ptr<Workbench>> Workbench::Start(WorkbenchOptions options) {
  std::unique_ptr<Workbench> bench(new Workbench());
  ATH_TRY(bench->token_, NewToken());
  ATH_TRY(const std::string cookie, NewToken());
  bench->host_ = options.host;
  bench->site_ = std::make_unique<Site>(bench->token_, "athanor_" + cookie.substr(0, 8),
                                        std::move(options.screens));
  http::HttpOptions http;
  http.host = options.host;
  http.port = options.port;
  http.max_body_bytes = options.max_body_bytes;
  http.max_held_bytes = 4 * options.max_body_bytes;
  http.max_connections = 64;
  Site& site = *bench->site_;
  ATH_TRY(bench->server_, http::HttpServer::Start(http, [&site](const http::HttpCall& call,
                                                                const http::HttpReplyTo& reply) {
            site.Handle(call, reply);
          }));
  return bench;
}

// What is being answered holds a connection of the server, and calls may come as long as it lives.
Workbench::~Workbench() {
  if (site_ != nullptr) site_->Stop();
  server_.reset();
}

int Workbench::port() const { return server_->port(); }

std::string Workbench::url() const {
  std::string host = host_ == "0.0.0.0" ? "127.0.0.1" : host_ == "::" ? "::1" : host_;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("http://{}:{}/?token={}", host, port(), token_);
}

}  // namespace athanor::workbench
