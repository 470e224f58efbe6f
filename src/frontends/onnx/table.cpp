// One row per ONNX operator (and per change of its form), alphabetical within a domain.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

const std::vector<Row>& Table() {
  static const std::vector<Row> rows = {
      {.onnx = "Add", .since = 7, .make = Same()},
      {.onnx = "Div", .since = 7, .make = Same()},
      {.onnx = "Identity", .since = 1, .make = Same()},
      {.onnx = "MatMul", .since = 1, .make = Same()},
      {.onnx = "Mul", .since = 7, .make = Same()},
      {.onnx = "Relu", .since = 1, .make = Same()},
      {.onnx = "Reshape", .since = 5, .make = Same()},
      {.onnx = "Sub", .since = 7, .make = Same()},
  };
  return rows;
}

}  // namespace athanor::onnx
