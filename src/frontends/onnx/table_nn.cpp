// Layers of neural networks: convolution, pooling, normalisation, recurrence, attention, images.
// One row per operator and change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// clang-format off: one row per line
std::vector<Row> NnRows() {
  return {
      {.onnx = "Relu", .since = 1, .make = Same()},
  };
}
// clang-format on

}  // namespace athanor::onnx
