// Quantised operators and those of other domains. One row per operator and change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> QuantRows() {
  return {
  };
}
// clang-format on

}  // namespace athanor::onnx
