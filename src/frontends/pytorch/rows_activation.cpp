// Activations.
#include <cmath>

#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

// One operator of the graph, same element type.
Value Activation(OpImport& op) { return op.Give(op.Add(op.row.op, {op.Tensor("self")})); }

// With one attribute, `alpha`, that PyTorch calls by one of these names.
Value WithAlpha(OpImport& op, std::string_view parameter, std::string_view attribute) {
  return op.Give(op.Add(op.row.op, {op.Tensor("self")},
                        {{attribute, static_cast<float>(op.Real(parameter))}}));
}

Value LeakyRelu(OpImport& op) { return WithAlpha(op, "negative_slope", "alpha"); }
Value Celu(OpImport& op) { return WithAlpha(op, "alpha", "alpha"); }

// scale * (x > 0 ? x : alpha * (exp(input_scale * x) - 1))
Value Elu(OpImport& op) {
  if (!op.Expect(op.Real("scale") == 1 && op.Real("input_scale") == 1,
                 "scale and input_scale other than 1 are not read"))
    return {};
  return WithAlpha(op, "alpha", "alpha");
}

Value Gelu(OpImport& op) {
  return op.Give(op.Add("Gelu", {op.Tensor("self")}, {{"approximate", op.Text("approximate")}}));
}

// x < threshold ? value : x, as Where keeps what is no number.
Value Threshold(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const DType dtype = op.DTypeOf(x);
  const ValueId above = op.Add("Greater", {x, op.Operand("threshold", dtype)});
  return op.Give(op.Add("Where", {above, x, op.Operand("value", dtype)}));
}

Value HardTanh(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const DType dtype = op.DTypeOf(x);
  return op.Give(op.Add("Clip", {x, op.Operand("min_val", dtype), op.Operand("max_val", dtype)}));
}

Value Relu6(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Clip", {x, op.Number(0, op.DTypeOf(x)), op.Number(6, op.DTypeOf(x))}));
}

// max(0, min(1, x / 6 + 1 / 2))
Value HardSigmoid(OpImport& op) {
  return op.Give(op.Add("HardSigmoid", {op.Tensor("self")}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}}));
}

Value Softmax(OpImport& op) {
  ValueId x = op.Tensor("self");
  x = op.Cast(x, op.TypeOr("dtype", op.DTypeOf(x)));
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.Give(op.Add(op.row.op, {x}, {{"axis", axis}}));
}

Value InternalSoftmax(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  return op.Give(op.Add(op.row.op, {x}, {{"axis", axis}}));
}

// log(1 + exp(beta * x)) / beta; above threshold / beta it is x, to which the formula comes by
// itself.
Value Softplus(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const double beta = op.Real("beta");
  if (beta == 1) return op.Give(op.Add("Softplus", {x}));
  const ValueId factor = op.Number(beta, op.DTypeOf(x));
  return op.Give(op.Add("Div", {op.Add("Softplus", {op.Add("Mul", {x, factor})}), factor}));
}

// -softplus(-x)
Value LogSigmoid(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Neg", {op.Add("Softplus", {op.Add("Neg", {x})})}));
}

Value Softshrink(OpImport& op) {
  const auto lambda = static_cast<float>(op.Real("lambd"));
  return op.Give(op.Add("Shrink", {op.Tensor("self")}, {{"bias", lambda}, {"lambd", lambda}}));
}
Value Hardshrink(OpImport& op) { return WithAlpha(op, "lambd", "lambd"); }

Value Silu(OpImport& op) {
  const ValueId x = op.Tensor("self");
  return op.Give(op.Add("Mul", {x, op.Add("Sigmoid", {x})}));
}

// The first half times the sigmoid of the second.
Value Glu(OpImport& op) {
  const ValueId x = op.Tensor("self");
  const std::int64_t axis = op.Axis("dim", op.Rank(x));
  const std::int64_t size = op.Static(x, axis);
  if (!op.Expect(size % 2 == 0, "axis {} of size {} has no halves", axis, size)) return {};
  const ValueId half = op.Slice(x, axis, 0, size / 2), gate = op.Slice(x, axis, size / 2, size);
  return op.Give(op.Add("Mul", {half, op.Add("Sigmoid", {gate})}));
}

// One slope per channel (axis 1), or one for all.
Value Prelu(OpImport& op) {
  const ValueId x = op.Tensor("self"), slope = op.Tensor("weight");
  const std::int64_t rank = op.Rank(x);
  if (op.Static(slope, 0) == 1 || rank < 2) return op.Give(op.Add("PRelu", {x, slope}));
  Ints shape(static_cast<std::size_t>(rank) - 1, 1);
  shape[0] = -1;
  return op.Give(op.Add("PRelu", {x, op.Reshape(slope, shape)}));
}

// While not training, the mean of the slopes' range.
Value Rrelu(OpImport& op) {
  if (!op.Expect(!op.Flag("training"), "training mode is not read; model.eval() is")) return {};
  const double slope = (op.Real("lower") + op.Real("upper")) / 2;
  return op.Give(op.Add("LeakyRelu", {op.Tensor("self")}, {{"alpha", static_cast<float>(slope)}}));
}

// Nothing happens while not training; a plain copy of the reference.
Value Dropout(OpImport& op) {
  if (op.Real("p") != 0)
    op.Expect(!op.Flag("train"), "a dropout in training mode is not read; model.eval() is");
  return op.GiveSame();
}

Value NativeDropout(OpImport& op) {
  if (!op.Expect(!op.Flag("train"), "a dropout in training mode is not read; model.eval() is"))
    return {};
  return op.heap.Tuple({op.GiveSame(), Value()});
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> ActivationRows() {
  return {
      {"_log_softmax(Tensor self, int dim, bool half_to_float)", InternalSoftmax, "LogSoftmax"},
      {"_prelu_kernel(Tensor self, Tensor weight)", Prelu},
      {"_softmax(Tensor self, int dim, bool half_to_float)", InternalSoftmax, "Softmax"},
      {"alpha_dropout(Tensor input, float p, bool train)", Dropout},
      {"celu(Tensor self, Scalar alpha=1.0)", Celu, "Celu"},
      {"dropout(Tensor input, float p, bool train)", Dropout},
      {"elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1)", Elu, "Elu"},
      {"feature_alpha_dropout(Tensor input, float p, bool train)", Dropout},
      {"feature_dropout(Tensor input, float p, bool train)", Dropout},
      {"gelu(Tensor self, *, str approximate=none)", Gelu},
      {"glu(Tensor self, int dim=-1)", Glu},
      {"hardshrink(Tensor self, Scalar lambd=0.5)", Hardshrink, "Shrink"},
      {"hardsigmoid(Tensor self)", HardSigmoid},
      {"hardswish(Tensor self)", Activation, "HardSwish"},
      {"hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1)", HardTanh},
      {"leaky_relu(Tensor self, Scalar negative_slope=0.01)", LeakyRelu, "LeakyRelu"},
      {"log_sigmoid(Tensor self)", LogSigmoid},
      {"log_softmax(Tensor self, int dim, any dtype=None)", Softmax, "LogSoftmax"},
      {"mish(Tensor self)", Activation, "Mish"},
      {"native_dropout(Tensor input, float p, bool? train)", NativeDropout},
      {"prelu(Tensor self, Tensor weight)", Prelu},
      {"relu(Tensor self)", Activation, "Relu"},
      {"relu6(Tensor self)", Relu6},
      {"rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.3333333333333333, bool training=False, any generator=None)", Rrelu},
      {"selu(Tensor self)", Activation, "Selu"},
      {"silu(Tensor self)", Silu},
      {"softmax(Tensor self, int dim, any dtype=None)", Softmax, "Softmax"},
      {"softplus(Tensor self, Scalar beta=1, Scalar threshold=20)", Softplus},
      {"softshrink(Tensor self, Scalar lambd=0.5)", Softshrink},
      {"threshold(Tensor self, Scalar threshold, Scalar value)", Threshold},
  };
}
// clang-format on

}  // namespace athanor::pytorch
