// Tensors in gRPC messages, typed and raw, against bytes from anywhere.
#include "serve/datatype.h"
#include "serve/grpc_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = std::make_shared<inference::ModelInferRequest>();
  if (!message->ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto request = athanor::serve::FromMessage(message);
  if (!request.ok()) return 0;
  // Read every element: a view must not reach beyond its message.
  std::string bytes;
  for (const auto& input : request->inputs) athanor::serve::AppendBytes(input.tensor, bytes);
  return 0;
}
