// Arithmetic, comparison, reductions, matrix products. One row per operator and change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> MathRows() {
  return {
      {.onnx = "Add", .since = 7, .make = Same()},
      {.onnx = "Div", .since = 7, .make = Same()},
      {.onnx = "MatMul", .since = 1, .make = Same()},
      {.onnx = "Mul", .since = 7, .make = Same()},
      {.onnx = "Sub", .since = 7, .make = Same()},
  };
}
// clang-format on

}  // namespace athanor::onnx
