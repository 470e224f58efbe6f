// Shapes, indexing, data movement, control flow, sequences, strings. One row per operator and
// change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> TensorRows() {
  return {
      {.onnx = "Identity", .since = 1, .make = Same()},
      {.onnx = "Reshape", .since = 5, .make = Same()},
  };
}
// clang-format on

}  // namespace athanor::onnx
