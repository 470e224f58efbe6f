// A load generator for inference servers over HTTP: a fixed number of clients, each with a
// connection that stays open and one request on the way.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::serve {

struct LoadOptions {
  std::string host = "127.0.0.1";
  int port = 8000;
  std::string model = {};  // "": the first that is ready
  std::int64_t requests = 10000;
  int concurrency = 16;
  std::int64_t rows = 1;   // where the model takes any number
  bool json = false;       // tensors as JSON instead of bytes
  std::string text = {};   // what each element of a BYTES input holds
  double deadline_ms = 0;  // sent with each request; 0: none
};

struct LoadResult {
  std::string model;
  std::int64_t answered = 0;                   // with the model's answer or a default
  std::int64_t fallbacks = 0;                  // of these, defaults
  std::int64_t lost = 0;                       // sent, and the connection ended without an answer
  std::int64_t not_sent = 0;                   // the server took no more connections
  std::map<std::string, std::int64_t> errors;  // message -> how often
  std::vector<double> latencies_ms;            // of answers, sorted
  std::vector<double> fallback_ms;             // of defaults, sorted
  double seconds = 0;
};

// Fails when the model cannot be asked about; later troubles are counted.
Result<LoadResult> RunLoad(const LoadOptions& options);

}  // namespace athanor::serve
