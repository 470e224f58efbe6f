// A model or package as the server holds it: what it takes and gives, checks of requests, and runs.
//
// Immutable after Load; any number of threads may call Run at once.
#pragma once

#include "serve/engine.h"

namespace athanor::serve {

class ServedModel {
 public:
  // Reads the file, plans it, and tries whether rows may be stacked.
  static Result<std::shared_ptr<const ServedModel>> Load(const std::string& name,
                                                         const std::string& path,
                                                         const ModelOptions& options,
                                                         const Access& access = {});

  const std::string& name() const { return name_; }
  const std::vector<Port>& inputs() const { return engine_->inputs(); }
  const std::vector<Port>& outputs() const { return engine_->outputs(); }
  std::int64_t max_batch() const { return engine_->max_batch(); }
  const std::string& batch_note() const { return engine_->batch_note(); }
  bool has_rows() const { return engine_->HasRows(); }

  // The request's tensors in the model's order; says which one is wrong and what is expected.
  Result<std::vector<Tensor>> Bind(const InferRequest& request) const;
  // The index of each wanted output; all of them when the request names none.
  Result<std::vector<std::size_t>> BindOutputs(const std::vector<WantedOutput>& wanted) const;
  // The only input, filled from bytes without a description. Its shape is what the model says; a
  // first dimension of any size is found from the number of bytes.
  Result<NamedTensor> FromRawBytes(std::span<const std::byte> bytes,
                                   const std::shared_ptr<const void>& owner) const;

  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs) const {
    return engine_->Run(inputs);
  }
  // Requests whose inputs have equal shapes as one run; the outputs of each. On an error nothing is
  // known about the single requests.
  Result<std::vector<std::vector<Tensor>>> RunStacked(
      std::span<const std::vector<Tensor>* const> requests) const {
    return engine_->RunStacked(requests);
  }

 private:
  ServedModel() = default;
  Status CheckShape(const Port& port, const Tensor& tensor) const;

  std::string name_;
  std::unique_ptr<const Engine> engine_;
};

}  // namespace athanor::serve
