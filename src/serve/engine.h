// What runs behind a name: a model or a package, opened through the C interface.
//
// Immutable once opened; any number of threads may run one engine.
#pragma once

#include <memory>
#include <span>

#include "serve/message.h"

namespace athanor::serve {

// What opens a package; each may be "".
struct Access {
  std::string key_file, passphrase, trust_file;
  bool empty() const { return key_file.empty() && passphrase.empty() && trust_file.empty(); }
};

struct ModelOptions {
  std::string device = "cpu";
  int threads = 0;  // per run; 0: one per core
  std::string precision = "f32";
  std::int64_t max_batch = 1;  // rows that may be stacked into one run
};

// One input or output.
struct Port {
  std::string name;
  DType dtype = DType::kUndefined;
  bool has_rank = false;
  Dims shape;            // -1 where any size is accepted
  std::string type;      // "f32[N, 10]"
  bool is_file = false;  // each string is the bytes of a file; UINT8 [SIZE] is one of them too
};

class Engine {
 public:
  // A file of any model format, "zoo:NAME", or a package. `access` is for packages only.
  static Result<std::unique_ptr<Engine>> Open(const std::string& path, const ModelOptions& options,
                                              const Access& access);
  virtual ~Engine() = default;

  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  // Rows that may be stacked into one run. 1: every request is a run of its own; batch_note() says
  // why.
  std::int64_t max_batch() const { return max_batch_; }
  const std::string& batch_note() const { return batch_note_; }
  // The first dimension of each input and output counts the rows of a request.
  virtual bool HasRows() const = 0;

  // Inputs in the order and of the types of inputs().
  virtual Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs) const = 0;
  // Requests whose inputs have equal shapes as one run; the outputs of each. On an error nothing is
  // known about the single requests.
  virtual Result<std::vector<std::vector<Tensor>>> RunStacked(
      std::span<const std::vector<Tensor>* const> requests) const = 0;

 protected:
  // Tries whether requests may share a run. Why not, or "".
  virtual std::string WhyNotStacked() const = 0;
  // Runs each batch size once, so that no request waits for its plan.
  virtual void WarmUp() const = 0;

  std::vector<Port> inputs_, outputs_;

 private:
  std::int64_t max_batch_ = 1;
  std::string batch_note_;
};

}  // namespace athanor::serve
