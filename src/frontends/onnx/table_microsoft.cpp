// The domain com.microsoft, and SimplifiedLayerNormalization, which its exporters put into the
// domain of ONNX. One row per operator.
#include "frontends/onnx/microsoft.h"
#include "frontends/onnx/quantized.h"

namespace athanor::onnx {

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> MicrosoftRows() {
  return {
      {.onnx = "SimplifiedLayerNormalization", .since = 1, .make = MsSimplifiedLayerNormalization},
      {.onnx = "Attention", .domain = "com.microsoft", .make = MsAttention},
      {.onnx = "BiasGelu", .domain = "com.microsoft", .make = MsBiasGelu},
      {.onnx = "DequantizeLinear", .domain = "com.microsoft", .make = Same()},
      {.onnx = "DynamicQuantizeLSTM", .domain = "com.microsoft", .make = MsDynamicQuantizeLstm},
      {.onnx = "DynamicQuantizeMatMul", .domain = "com.microsoft", .make = MsDynamicQuantizeMatMul},
      {.onnx = "EmbedLayerNormalization", .domain = "com.microsoft", .make = MsEmbedLayerNormalization},
      {.onnx = "FastGelu", .domain = "com.microsoft", .make = MsFastGelu},
      {.onnx = "FusedConv", .domain = "com.microsoft", .make = MsFusedConv},
      {.onnx = "FusedGemm", .domain = "com.microsoft", .make = MsFusedGemm},
      {.onnx = "FusedMatMul", .domain = "com.microsoft", .make = MsFusedMatMul},
      {.onnx = "GatherBlockQuantized", .domain = "com.microsoft", .make = MsGatherBlockQuantized},
      {.onnx = "Gelu", .domain = "com.microsoft", .make = Same()},
      {.onnx = "GroupQueryAttention", .domain = "com.microsoft", .make = MsGroupQueryAttention},
      {.onnx = "Inverse", .domain = "com.microsoft", .make = Same()},
      {.onnx = "MatMulBnb4", .domain = "com.microsoft", .make = MsMatMulBnb4},
      {.onnx = "MatMulInteger16", .domain = "com.microsoft", .make = MsMatMulInteger16},
      {.onnx = "MatMulIntegerToFloat", .domain = "com.microsoft", .make = MsMatMulIntegerToFloat},
      {.onnx = "MatMulNBits", .domain = "com.microsoft", .make = MsMatMulNBits},
      {.onnx = "MulInteger", .domain = "com.microsoft", .make = MsMulInteger},
      {.onnx = "MultiHeadAttention", .domain = "com.microsoft", .make = MsMultiHeadAttention},
      {.onnx = "NhwcMaxPool", .domain = "com.microsoft", .make = MsNhwcMaxPool},
      {.onnx = "QAttention", .domain = "com.microsoft", .make = MsQAttention},
      {.onnx = "QEmbedLayerNormalization", .domain = "com.microsoft", .make = MsQEmbedLayerNormalization},
      {.onnx = "QGemm", .domain = "com.microsoft", .make = MsQGemm},
      {.onnx = "QLinearAdd", .domain = "com.microsoft", .make = MsQLinearBinary("Add")},
      {.onnx = "QLinearAveragePool", .domain = "com.microsoft", .make = MsQLinearPool},
      {.onnx = "QLinearConcat", .domain = "com.microsoft", .make = MsQLinearConcat},
      {.onnx = "QLinearConv", .domain = "com.microsoft", .make = QLinearConv},
      {.onnx = "QLinearGlobalAveragePool", .domain = "com.microsoft", .make = MsQLinearPool},
      {.onnx = "QLinearLeakyRelu", .domain = "com.microsoft", .make = MsQLinearUnary("LeakyRelu")},
      {.onnx = "QLinearMul", .domain = "com.microsoft", .make = MsQLinearBinary("Mul")},
      {.onnx = "QLinearReduceMean", .domain = "com.microsoft", .make = MsQLinearReduceMean},
      {.onnx = "QLinearSigmoid", .domain = "com.microsoft", .make = MsQLinearUnary("Sigmoid")},
      {.onnx = "QLinearSoftmax", .domain = "com.microsoft", .make = MsQLinearSoftmax},
      {.onnx = "QLinearWhere", .domain = "com.microsoft", .make = MsQLinearWhere},
      {.onnx = "QuantizeLinear", .domain = "com.microsoft", .make = Same()},
      {.onnx = "QuickGelu", .domain = "com.microsoft", .make = MsQuickGelu},
      {.onnx = "ReduceSumInteger", .domain = "com.microsoft", .make = MsReduceSumInteger},
      {.onnx = "RotaryEmbedding", .domain = "com.microsoft", .make = MsRotaryEmbedding},
      {.onnx = "SkipLayerNormalization", .domain = "com.microsoft", .make = MsSkipLayerNormalization},
      {.onnx = "SkipSimplifiedLayerNormalization", .domain = "com.microsoft", .make = MsSkipSimplifiedLayerNormalization},
  };
}
// clang-format on

}  // namespace athanor::onnx
