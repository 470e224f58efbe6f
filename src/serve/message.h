// One inference as the server's core sees it, whichever protocol it came by.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor.h"

namespace athanor::serve {

using Clock = std::chrono::steady_clock;

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct WantedOutput {
  std::string name;
  std::optional<bool> binary;       // nothing: what the request says for all
  std::int64_t classification = 0;  // the best so many classes as text; 0: the tensor itself
};

struct InferRequest {
  std::string id;
  std::vector<NamedTensor> inputs;
  std::vector<WantedOutput> outputs;  // empty: all
  bool binary_outputs = false;
  std::optional<std::chrono::microseconds> timeout;
};

// Why an answer is the declared default; "" for the model's own answer.
inline constexpr std::string_view kDeadlineReason = "deadline";
inline constexpr std::string_view kQueueFullReason = "queue-full";

struct InferAnswer {
  Status status;
  std::vector<Tensor> outputs;  // in the model's order
  std::string_view fallback = "";
};

}  // namespace athanor::serve
