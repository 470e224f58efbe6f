// The JSON side of the inference protocol: requests in, answers out, with the binary tensor
// extension. Knows nothing of sockets.
#pragma once

#include "serve/served_model.h"

namespace athanor::serve {

// `body` is JSON, or JSON of `json_length` bytes followed by tensors. Views of the body keep
// `owner`.
Result<InferRequest> ParseInferRequest(std::string_view body,
                                       std::optional<std::size_t> json_length,
                                       const std::shared_ptr<const void>& owner);

struct InferBody {
  std::string body;
  std::optional<std::size_t> json_length;  // set when tensors follow the JSON
};
// `outputs` are indices of the model's outputs, in the order of request.outputs when that is given.
Result<InferBody> RenderInferAnswer(const ServedModel& model, const InferRequest& request,
                                    const std::vector<std::size_t>& outputs,
                                    const InferAnswer& answer);

// The best `top` classes along the last axis as "score:index", as a string tensor.
Result<Tensor> Classify(const Tensor& scores, std::int64_t top);

}  // namespace athanor::serve
