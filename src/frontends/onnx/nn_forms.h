// Rows for neural-network operators whose older forms differ from the current one.
#pragma once

#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

Status BatchNormBefore14(NodeImport& ctx);
Status DropoutBefore12(NodeImport& ctx);
Status GroupNormBefore21(NodeImport& ctx);

}  // namespace athanor::onnx
