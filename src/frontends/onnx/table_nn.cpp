// Layers of neural networks: convolution, pooling, normalisation, recurrence, attention, images.
// One row per operator and change of its form.
#include "frontends/onnx/nn_forms.h"
#include "frontends/onnx/node_import.h"
#include "frontends/onnx/training_forms.h"

namespace athanor::onnx {

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> NnRows() {
  return {
      {.onnx = "Adagrad", .domain = "ai.onnx.preview.training", .since = 1, .make = Adagrad},
      {.onnx = "Adam", .domain = "ai.onnx.preview.training", .since = 1, .make = Adam},
      {.onnx = "AffineGrid", .since = 20, .make = Same()},
      {.onnx = "Attention", .since = 23, .make = Same()},
      {.onnx = "AveragePool", .since = 1, .make = Same()},
      {.onnx = "BatchNormalization", .since = 1, .make = BatchNormBefore14},
      {.onnx = "BatchNormalization", .since = 14, .make = Same()},
      {.onnx = "CausalConvWithState", .since = 27, .make = Same()},
      {.onnx = "Col2Im", .since = 18, .make = Same()},
      {.onnx = "Conv", .since = 1, .make = Same()},
      {.onnx = "ConvTranspose", .since = 1, .make = Same()},
      {.onnx = "DeformConv", .since = 19, .make = Same()},
      {.onnx = "Dropout", .since = 1, .make = DropoutBefore12},
      {.onnx = "Dropout", .since = 12, .make = Same()},
      {.onnx = "FlexAttention", .domain = "ai.onnx.preview", .since = 1, .make = Same(), .optional_bodies = true},
      {.onnx = "GRU", .since = 1, .make = Same("", {"output_sequence"})},
      {.onnx = "GlobalAveragePool", .since = 1, .make = Same()},
      {.onnx = "GlobalLpPool", .since = 1, .make = Same()},
      {.onnx = "GlobalMaxPool", .since = 1, .make = Same()},
      {.onnx = "GridSample", .since = 16, .make = GridSampleBefore20},
      {.onnx = "GridSample", .since = 20, .make = Same()},
      {.onnx = "GroupNormalization", .since = 18, .make = GroupNormBefore21},
      {.onnx = "GroupNormalization", .since = 21, .make = Same()},
      {.onnx = "InstanceNormalization", .since = 1, .make = Same("", {"consumed_inputs"})},
      {.onnx = "LRN", .since = 1, .make = Same()},
      {.onnx = "LSTM", .since = 1, .make = Same("", {"output_sequence"})},
      {.onnx = "LayerNormalization", .since = 17, .make = Same()},
      {.onnx = "LinearAttention", .since = 27, .make = Same()},
      {.onnx = "LpNormalization", .since = 1, .make = Same()},
      {.onnx = "LpPool", .since = 1, .make = Same()},
      {.onnx = "MaxPool", .since = 1, .make = Same()},
      {.onnx = "MaxRoiPool", .since = 1, .make = Same()},
      {.onnx = "MaxUnpool", .since = 9, .make = Same()},
      {.onnx = "MeanVarianceNormalization", .since = 9, .make = Same()},
      {.onnx = "Momentum", .domain = "ai.onnx.preview.training", .since = 1, .make = Momentum},
      {.onnx = "NonMaxSuppression", .since = 10, .make = Same()},
      {.onnx = "RMSNormalization", .since = 23, .make = Same()},
      {.onnx = "RNN", .since = 1, .make = Same("", {"output_sequence"})},
      {.onnx = "Relu", .since = 1, .make = Same()},
      {.onnx = "Resize", .since = 10, .make = ResizeBefore11},
      {.onnx = "Resize", .since = 11, .make = Same()},
      {.onnx = "RoiAlign", .since = 10, .make = RoiAlignBefore16},
      {.onnx = "RoiAlign", .since = 16, .make = Same()},
      {.onnx = "RotaryEmbedding", .since = 23, .make = Same()},
      {.onnx = "SwiGLU", .since = 28, .make = SwiGlu},
      {.onnx = "Upsample", .since = 1, .make = UpsampleBefore9},
      {.onnx = "Upsample", .since = 9, .make = ResizeBefore11},
  };
}
// clang-format on

}  // namespace athanor::onnx
