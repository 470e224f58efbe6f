// Layers of neural networks: convolution, pooling, normalisation, recurrence, attention, images.
// One row per operator and change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> NnRows() {
  return {
      {.onnx = "Conv", .since = 1, .make = Same()},
      {.onnx = "Relu", .since = 1, .make = Same()},
  };
}
// clang-format on

}  // namespace athanor::onnx
