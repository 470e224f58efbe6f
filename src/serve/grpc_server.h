// gRPC on a port: the inference protocol's calls on asynchronous queues.
#pragma once

#include "serve/service.h"

namespace athanor::serve {

struct GrpcOptions {
  std::string host = "127.0.0.1";
  int port = 8001;  // 0: any free one
  int threads = 1;
  std::size_t max_body_bytes = 64 << 20;
};

class GrpcServer {
 public:
  static Result<std::unique_ptr<GrpcServer>> Start(const GrpcOptions& options, Service& service);
  ~GrpcServer();
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;

  int port() const;
  // Health checks say no from now on.
  void SayNotReady();
  // Takes no new calls and waits for those it has. False when some are left after `patience`.
  bool Drain(std::chrono::milliseconds patience);

  struct Core;

 private:
  GrpcServer();
  std::unique_ptr<Core> core_;
};

}  // namespace athanor::serve
