// Rows of ai.onnx.preview.training: one step of an optimiser, as operators of the graph.
#pragma once

#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

Status Adagrad(NodeImport& ctx);
Status Adam(NodeImport& ctx);
Status Momentum(NodeImport& ctx);

}  // namespace athanor::onnx
