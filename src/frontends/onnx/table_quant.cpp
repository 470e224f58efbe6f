// Quantised operators and those of other domains. One row per operator and change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// clang-format off: one row per line
std::vector<Row> QuantRows() { return {}; }
// clang-format on

}  // namespace athanor::onnx
