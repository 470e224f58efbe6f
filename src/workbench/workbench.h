// The workbench on a port: from start to stop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "workbench/site.h"

namespace athanor::workbench {

struct WorkbenchOptions {
  std::string host = "127.0.0.1";
  int port = 0;  // 0: any free one
  std::size_t max_body_bytes = 64 << 20;
  std::vector<Screen> screens;
};

class Workbench {
 public:
  // Answers from here on, with a token of its own.
  static Result<std::unique_ptr<Workbench>> Start(WorkbenchOptions options);
  // Waits for the question that is being answered.
  ~Workbench();
  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;

  int port() const;
  const std::string& token() const { return token_; }
  // "http://127.0.0.1:PORT/?token=..."; a host of 0.0.0.0 is reached at 127.0.0.1 too.
  std::string url() const;

 private:
  Workbench() = default;
  std::string host_, token_;
  std::unique_ptr<http::HttpServer> server_;
  std::unique_ptr<Site> site_;
};

}  // namespace athanor::workbench
