// A model as the server holds it: what it takes and gives, checks of requests, and runs.
//
// Immutable after Load; any number of threads may call Run at once.
#pragma once

#include <functional>

#include "serve/message.h"

struct ath_session;

namespace athanor::serve {

struct ModelOptions {
  std::string device = "cpu";
  int threads = 0;             // per run; 0: one per core
  std::int64_t max_batch = 1;  // rows that may be stacked into one run
};

// One input or output.
struct Port {
  std::string name;
  DType dtype = DType::kUndefined;
  bool has_rank = false;
  Dims shape;        // -1 where any size is accepted
  std::string type;  // "f32[N, 10]"
};

class ServedModel {
 public:
  // Reads the file, plans it, and tries whether rows may be stacked.
  static Result<std::shared_ptr<const ServedModel>> Load(const std::string& name,
                                                         const std::string& path,
                                                         const ModelOptions& options);

  const std::string& name() const { return name_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  // 1: every request is a run of its own; batch_note() says why.
  std::int64_t max_batch() const { return max_batch_; }
  const std::string& batch_note() const { return batch_note_; }

  // The request's tensors in the model's order; says which one is wrong and what is expected.
  Result<std::vector<Tensor>> Bind(const InferRequest& request) const;
  // The index of each wanted output; all of them when the request names none.
  Result<std::vector<std::size_t>> BindOutputs(const std::vector<WantedOutput>& wanted) const;
  // The only input, filled from bytes without a description. Its shape is what the model says; a
  // first dimension of any size is found from the number of bytes.
  Result<NamedTensor> FromRawBytes(std::span<const std::byte> bytes,
                                   const std::shared_ptr<const void>& owner) const;

  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs) const;
  // Requests whose inputs have equal shapes as one run; the outputs of each. On an error nothing is
  // known about the single requests.
  Result<std::vector<std::vector<Tensor>>> RunStacked(
      std::span<const std::vector<Tensor>* const> requests) const;

 private:
  ServedModel() = default;
  Status CheckShape(const Port& port, const Tensor& tensor) const;
  // Why rows must not be stacked, or "".
  std::string TryStacking() const;
  // Runs each batch size once, so that no request waits for its plan.
  Status WarmUp() const;

  std::string name_;
  std::vector<Port> inputs_, outputs_;
  std::int64_t max_batch_ = 1;
  std::string batch_note_;
  std::shared_ptr<ath_session> session_;
};

}  // namespace athanor::serve
