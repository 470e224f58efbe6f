#include "serve/server.h"

#include "serve/beside.h"
#include "serve/http_api.h"

namespace athanor::serve {

using http::HttpServer;

// In the order of their making. A port waits for the answers to what came through it, which workers
// and the service still give: so ports go first, then the service, workers and models.
struct Server::Parts {
  std::unique_ptr<Repository> repository;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<Service> service;
  std::unique_ptr<HttpApi> api;
  std::unique_ptr<HttpServer> http, metrics;
  std::unique_ptr<GrpcServer> grpc;
};

Server::Server() : parts_(std::make_unique<Parts>()) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  std::unique_ptr<Server> server(new Server());
  Parts& parts = *server->parts_;
  ATH_TRY(parts.repository, Repository::Open(options.models, options.model));
  parts.scheduler = std::make_unique<Scheduler>(options.scheduler);
  parts.service = std::make_unique<Service>(*parts.repository, *parts.scheduler, options.control,
                                            options.http.max_held_bytes);
  parts.api = std::make_unique<HttpApi>(*parts.service);
  HttpApi& api = *parts.api;
  ATH_TRY(parts.http, HttpServer::Start(options.http, [&api](HttpCall call, HttpReplyTo reply) {
            api.Handle(std::move(call), std::move(reply));
          }));
  GrpcOptions grpc = options.grpc;
  grpc.host = options.http.host;
  grpc.max_body_bytes = options.http.max_body_bytes;
  ATH_TRY(parts.grpc, GrpcServer::Start(grpc, *parts.service));
  HttpOptions metrics = options.http;
  metrics.port = options.metrics_port;
  metrics.threads = 1;
  metrics.max_body_bytes = 0;
  ATH_TRY(parts.metrics,
          HttpServer::Start(metrics, [&api](const HttpCall& call, const HttpReplyTo& reply) {
            api.HandleMetrics(call, reply);
          }));
  return server;
}

int Server::http_port() const { return parts_->http->port(); }
int Server::grpc_port() const { return parts_->grpc->port(); }
int Server::metrics_port() const { return parts_->metrics->port(); }
std::vector<RepositoryEntry> Server::models() const { return parts_->repository->List(); }

bool Server::Stop(std::chrono::milliseconds patience) {
  const Clock::time_point end = Clock::now() + patience;
  const auto left = [end] {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    return std::max(rest, std::chrono::milliseconds(100));
  };
  parts_->service->Drain();
  parts_->grpc->SayNotReady();
  bool complete = false;
  std::jthread http = Beside([&] { complete = parts_->http->Drain(left()); });
  const bool grpc_complete = parts_->grpc->Drain(left());
  if (http.joinable()) http.join();
  complete &= grpc_complete;
  // Every request is answered; a run that hangs on is given a moment.
  complete &= parts_->scheduler->Stop(std::min(left(), std::chrono::milliseconds(2000)));
  complete &= parts_->metrics->Drain(std::chrono::milliseconds(300));
  return complete;
}

}  // namespace athanor::serve
