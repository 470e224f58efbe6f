// Rows of the domain com.microsoft that decompose into operators of the graph. Semantics are those
// of ONNX Runtime's documentation (docs/ContribOperators.md); tests compare with its answers.
#pragma once

#include "frontends/onnx/formula.h"

namespace athanor::onnx {

// microsoft_attention.cpp
Status MsAttention(NodeImport& ctx);
Status MsGroupQueryAttention(NodeImport& ctx);
Status MsMultiHeadAttention(NodeImport& ctx);
Status MsQAttention(NodeImport& ctx);
Status MsRotaryEmbedding(NodeImport& ctx);

// microsoft_layers.cpp
Status MsBiasGelu(NodeImport& ctx);
Status MsEmbedLayerNormalization(NodeImport& ctx);
Status MsFastGelu(NodeImport& ctx);
Status MsFusedConv(NodeImport& ctx);
Status MsFusedGemm(NodeImport& ctx);
Status MsFusedMatMul(NodeImport& ctx);
Status MsQuickGelu(NodeImport& ctx);
Status MsSimplifiedLayerNormalization(NodeImport& ctx);
Status MsSkipLayerNormalization(NodeImport& ctx);
Status MsSkipSimplifiedLayerNormalization(NodeImport& ctx);

// microsoft_quant.cpp
Status MsDynamicQuantizeLstm(NodeImport& ctx);
Status MsDynamicQuantizeMatMul(NodeImport& ctx);
Status MsGatherBlockQuantized(NodeImport& ctx);
Status MsMatMulBnb4(NodeImport& ctx);
Status MsMatMulInteger16(NodeImport& ctx);
Status MsMatMulIntegerToFloat(NodeImport& ctx);
Status MsMatMulNBits(NodeImport& ctx);
Status MsMulInteger(NodeImport& ctx);
Status MsNhwcMaxPool(NodeImport& ctx);
Status MsQEmbedLayerNormalization(NodeImport& ctx);
Status MsQGemm(NodeImport& ctx);
Status MsQLinearConcat(NodeImport& ctx);
Status MsQLinearPool(NodeImport& ctx);
Status MsQLinearReduceMean(NodeImport& ctx);
Status MsQLinearSoftmax(NodeImport& ctx);
Status MsQLinearWhere(NodeImport& ctx);
Status MsReduceSumInteger(NodeImport& ctx);
// Dequantise two operands, compute `op`, quantise.
std::function<Status(NodeImport&)> MsQLinearBinary(std::string_view op);
// The same for one operand; `attributes` of the node go to `op`.
std::function<Status(NodeImport&)> MsQLinearUnary(std::string_view op);

}  // namespace athanor::onnx
