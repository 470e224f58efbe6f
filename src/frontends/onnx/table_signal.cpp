// Transforms and windows of signals. One row per operator and change of its form.
#include "frontends/onnx/formula.h"

namespace athanor::onnx {
namespace {

// Before operator set 20 the axis was an attribute, 1 by default.
Status Dft17(NodeImport& ctx) {
  if (!ctx.Has(0)) return InvalidModel("input 0 is missing");
  AttrMap attributes = {{"inverse", std::int64_t{ctx.Int("inverse", 0) != 0}},
                        {"onesided", std::int64_t{ctx.Int("onesided", 0) != 0}}};
  const ValueId axis = ctx.Constant(Tensor::Scalar<std::int64_t>(ctx.Int("axis", 1)));
  return ctx.Give(ctx.Add("DFT", {ctx.In(0), ctx.In(1), axis}, std::move(attributes)));
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> SignalRows() {
  return {
      {.onnx = "BlackmanWindow", .since = 17, .make = Same()},
      {.onnx = "DFT", .since = 17, .make = Dft17},
      {.onnx = "DFT", .since = 20, .make = Same()},
      {.onnx = "HammingWindow", .since = 17, .make = Same()},
      {.onnx = "HannWindow", .since = 17, .make = Same()},
      {.onnx = "MelWeightMatrix", .since = 17, .make = Same()},
      {.onnx = "STFT", .since = 17, .make = Same()},
  };
}
// clang-format on

}  // namespace athanor::onnx
