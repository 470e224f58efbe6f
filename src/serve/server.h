// The whole server: models, workers and ports, from start to a drained stop.
#pragma once

#include "http/http_server.h"
#include "serve/grpc_server.h"
#include "serve/repository.h"

namespace athanor::serve {

using http::HttpOptions;

struct ServerOptions {
  std::vector<ModelSpec> models;
  ModelOptions model;
  SchedulerOptions scheduler;
  HttpOptions http;
  GrpcOptions grpc;
  int metrics_port = 8002;  // 0: any free one
  bool control = false;     // models may be loaded and unloaded over the network
};

class Server {
 public:
  // Loads the models, then opens the ports: a server that answers is ready.
  static Result<std::unique_ptr<Server>> Start(const ServerOptions& options);
  // Waits until what has been asked is answered, and for the models' sake until runs end.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  int http_port() const;
  int grpc_port() const;
  int metrics_port() const;
  std::vector<RepositoryEntry> models() const;
  // Not ready any more, nobody new, every request answered, connections closed. False when a run or
  // a connection did not end within `patience`: the process must then end without destructors.
  bool Stop(std::chrono::milliseconds patience);

 private:
  Server();
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace athanor::serve
