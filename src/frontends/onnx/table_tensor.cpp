// Shapes, indexing, data movement, control flow, sequences, strings. One row per operator and
// change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// clang-format off: one row per line
std::vector<Row> TensorRows() {
  return {
      {.onnx = "Identity", .since = 1, .make = Same()},
      {.onnx = "Reshape", .since = 5, .make = Same()},
  };
}
// clang-format on

}  // namespace athanor::onnx
