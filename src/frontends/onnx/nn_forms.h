// Rows for neural-network operators whose older forms differ from the current one.
#pragma once

#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

Status BatchNormBefore14(NodeImport& ctx);
Status DropoutBefore12(NodeImport& ctx);
Status GridSampleBefore20(NodeImport& ctx);
Status GroupNormBefore21(NodeImport& ctx);
Status ResizeBefore11(NodeImport& ctx);  // also Upsample, whose last forms are the same
Status RoiAlignBefore16(NodeImport& ctx);
Status SwiGlu(NodeImport& ctx);
Status UpsampleBefore9(NodeImport& ctx);

}  // namespace athanor::onnx
