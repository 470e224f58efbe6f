// Between the messages of the gRPC protocol and the server's own. Includes generated headers: only
// for the files that speak gRPC.
#pragma once

#include "open_inference.pb.h"
#include "serve/served_model.h"

namespace athanor::serve {

// Raw contents are viewed where their memory allows it and keep the message.
Result<InferRequest> FromMessage(
    const std::shared_ptr<const inference::ModelInferRequest>& message);

// Outputs travel raw. `outputs` are indices of the model's outputs.
Status ToMessage(const ServedModel& model, const InferRequest& request,
                 const std::vector<std::size_t>& outputs, const InferAnswer& answer,
                 inference::ModelInferResponse& message);

}  // namespace athanor::serve
