// Fused layers of com.microsoft: normalisations with a residual, Gelu forms, layers with an
// activation.
#include "frontends/onnx/microsoft.h"
#include "frontends/onnx/quantized.h"

namespace athanor::onnx {
namespace {

// The named output is asked for.
bool Wants(const NodeImport& ctx, std::size_t output) {
  return output < ctx.node.output.size() && !ctx.node.output[output].empty();
}

// Outputs 0 to 2: x normalised, mean, reciprocal of the deviation.
std::vector<ValueId> LayerNorm(NodeImport& ctx, Formula& f, ValueId x, ValueId scale, ValueId bias,
                               float epsilon, std::int64_t axis) {
  const bool statistics = Wants(ctx, 1) || Wants(ctx, 2);
  std::vector<ValueId> outputs = f.Many("LayerNormalization", {x, scale, bias},
                                        {{"axis", axis}, {"epsilon", epsilon}}, statistics ? 3 : 1);
  outputs.resize(3, kNoValue);
  return outputs;
}

// x / sqrt(mean(x^2) + epsilon) * scale, and the reciprocal root when it is asked for.
std::vector<ValueId> RmsNorm(NodeImport& ctx, Formula& f, ValueId x, ValueId scale, float epsilon,
                             std::int64_t axis, std::size_t root_output) {
  const ValueId y = f("RMSNormalization", {x, scale}, {{"axis", axis}, {"epsilon", epsilon}});
  if (!Wants(ctx, root_output)) return {y, kNoValue};
  std::vector<std::int64_t> axes = {axis};
  if (f.TypeOf(x).HasRank() && axis >= 0) {
    for (std::int64_t i = axis + 1; i < f.TypeOf(x).rank(); ++i) axes.push_back(i);
  }
  const ValueId real = f.Cast(x, DType::kF32);
  const ValueId mean = f("ReduceMean", {f("Mul", {real, real}), f.Ints(axes)});
  const ValueId root = f("Sqrt", {f("Add", {mean, f.Scalar(epsilon, DType::kF32)})});
  return {y, f("Reciprocal", {root})};
}

// input + skip (+ bias).
ValueId Residual(NodeImport& ctx, Formula& f, std::size_t bias) {
  const ValueId sum = f("Add", {ctx.In(0), ctx.In(1)});
  return ctx.Has(bias) ? f("Add", {sum, ctx.In(bias)}) : sum;
}

// The activation that a fused layer ends with; parameters by position.
ValueId Activate(Formula& f, std::string_view name, ValueId x, const std::vector<float>& params) {
  if (name.empty()) return x;
  const auto param = [&](std::size_t i, float otherwise) {
    return i < params.size() ? params[i] : otherwise;
  };
  if (name == "Relu" || name == "Sigmoid" || name == "Tanh" || name == "Softplus" ||
      name == "Softsign")
    return f(name, {x});
  if (name == "LeakyRelu") return f(name, {x}, {{"alpha", param(0, 0.01F)}});
  if (name == "Elu") return f(name, {x}, {{"alpha", param(0, 1.0F)}});
  if (name == "ThresholdedRelu") return f(name, {x}, {{"alpha", param(0, 1.0F)}});
  if (name == "HardSigmoid")
    return f(name, {x}, {{"alpha", param(0, 0.2F)}, {"beta", param(1, 0.5F)}});
  if (name == "Clip" && params.size() == 2) {
    const DType dtype = f.DTypeOf(x);
    return f(name, {x, f.Scalar(params[0], dtype), f.Scalar(params[1], dtype)});
  }
  f.Fail(
      Unsupported("activation \"{}\" with {} parameters; Relu, Sigmoid, Tanh, Softplus, "
                  "Softsign, LeakyRelu, Elu, ThresholdedRelu, HardSigmoid and Clip with two "
                  "bounds are accepted",
                  name, params.size()));
  return kNoValue;
}

}  // namespace

Status MsBiasGelu(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  Formula f(ctx);
  return f.Give({f("Gelu", {f("Add", {ctx.In(0), ctx.In(1)})})});
}

Status MsFastGelu(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 1));
  Formula f(ctx);
  const ValueId x = ctx.Has(1) ? f("Add", {ctx.In(0), ctx.In(1)}) : ctx.In(0);
  return f.Give({f("Gelu", {x}, {{"approximate", std::string("tanh")}})});
}

Status MsQuickGelu(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 1));
  Formula f(ctx);
  return f.Give({f("Swish", {ctx.In(0)}, {{"alpha", ctx.Float("alpha", 1.702F)}})});
}

Status MsSimplifiedLayerNormalization(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  Formula f(ctx);
  return f.Give(
      RmsNorm(ctx, f, ctx.In(0), ctx.In(1), ctx.Float("epsilon", 1e-5F), ctx.Int("axis", -1), 1));
}

Status MsSkipLayerNormalization(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 3));
  Formula f(ctx);
  const ValueId sum = Residual(ctx, f, 4);
  std::vector<ValueId> outputs =
      LayerNorm(ctx, f, sum, ctx.In(2), ctx.In(3), ctx.Float("epsilon", 1e-12F), -1);
  outputs.push_back(sum);
  return f.Give(std::move(outputs));
}

Status MsSkipSimplifiedLayerNormalization(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 3));
  Formula f(ctx);
  const ValueId sum = Residual(ctx, f, 3);
  const std::vector<ValueId> normal =
      RmsNorm(ctx, f, sum, ctx.In(2), ctx.Float("epsilon", 1e-12F), -1, 2);
  if (Wants(ctx, 1)) return Unsupported("output \"mean\" is asked for: an RMS norm has none");
  return f.Give({normal[0], kNoValue, normal[1], sum});
}

Status MsEmbedLayerNormalization(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 7, {1, 4}));
  if (ctx.Has(1) != ctx.Has(4))
    return InvalidModel("segment_ids and segment_embedding must be given together");
  Formula f(ctx);
  const ValueId ids = ctx.In(0);
  const ValueId words = f("Gather", {ctx.In(2), ids});
  // Without position_ids the positions are 0, 1, 2, ...
  const ValueId positions = ctx.Has(8)
                                ? f("Gather", {ctx.In(3), ctx.In(8)})
                                : f("Slice", {ctx.In(3), f.Ints({0}), f.Size(ids, 1), f.Ints({0})});
  ValueId sum = f("Add", {words, positions});
  if (ctx.Has(1)) sum = f("Add", {sum, f("Gather", {ctx.In(4), ctx.In(1)})});
  const ValueId y = f("LayerNormalization", {sum, ctx.In(5), ctx.In(6)},
                      {{"axis", std::int64_t{-1}}, {"epsilon", ctx.Float("epsilon", 1e-12F)}});
  ValueId mask_index = kNoValue;
  if (Wants(ctx, 1)) {
    // How many words of each text are real; 0 when nothing is said.
    mask_index = ctx.Has(7) ? f("ReduceSum", {f.Cast(ctx.In(7), DType::kI32), f.Ints({1})},
                                {{"keepdims", std::int64_t{0}}})
                            : f("Expand", {f.Scalar(0, DType::kI32), f.Size(ids, 0)});
  }
  return f.Give({y, mask_index, sum});
}

Status MsFusedConv(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  const OpDef* conv = ctx.graph.catalog().Find("Conv");
  if (conv == nullptr) return Unsupported("there is no operator Conv to decompose into");
  constexpr std::string_view kOwn[] = {"activation", "activation_params"};
  ATH_TRY(AttrMap attributes, ctx.Attributes(*conv, kOwn));
  Formula f(ctx);
  ValueId y = f("Conv", {ctx.In(0), ctx.In(1), ctx.In(2)}, std::move(attributes));
  if (ctx.Has(3)) y = f("Add", {y, ctx.In(3)});
  const std::vector<float> params = ctx.Floats("activation_params").value_or(std::vector<float>());
  return f.Give({Activate(f, ctx.String("activation", ""), y, params)});
}

Status MsFusedGemm(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  const OpDef* gemm = ctx.graph.catalog().Find("Gemm");
  if (gemm == nullptr) return Unsupported("there is no operator Gemm to decompose into");
  constexpr std::string_view kOwn[] = {"activation", "activation_alpha", "activation_beta",
                                       "activation_gamma"};
  ATH_TRY(AttrMap attributes, ctx.Attributes(*gemm, kOwn));
  Formula f(ctx);
  const ValueId y = f("Gemm", {ctx.In(0), ctx.In(1), ctx.In(2)}, std::move(attributes));
  std::vector<float> params;
  for (const std::string_view name : {"activation_alpha", "activation_beta"}) {
    if (ctx.Find(name) == nullptr) break;
    params.push_back(ctx.Float(name, 0));
  }
  return f.Give({Activate(f, ctx.String("activation", ""), y, params)});
}

namespace {

// One operand of FusedMatMul. trans_batch: the first dimension is the row dimension, the batch
// dimensions follow it.
ValueId Operand(NodeImport& ctx, Formula& f, std::size_t input, bool trans, bool trans_batch) {
  const ValueId x = ctx.In(input);
  if (!trans && !trans_batch) return x;
  const Type& type = ctx.InType(input);
  if (!type.HasRank()) {
    f.Fail(
        Unsupported("input {} has an unknown rank; a known one is needed to transpose it", input));
    return kNoValue;
  }
  // A vector has nothing to transpose.
  if (type.rank() < 2) return x;
  std::vector<std::int64_t> perm;
  for (std::int64_t i = 0; i < type.rank(); ++i) perm.push_back(i);
  const std::size_t row = perm.size() - 2;
  if (trans_batch) {
    perm.erase(perm.begin());
    perm.insert(perm.begin() + static_cast<std::ptrdiff_t>(row), 0);
  }
  if (trans) std::swap(perm[row], perm[row + 1]);
  return f.Transpose(x, perm);
}

}  // namespace

Status MsFusedMatMul(NodeImport& ctx) {
  ATH_RETURN_IF_ERROR(RequireInputs(ctx, 2));
  Formula f(ctx);
  const ValueId a = Operand(ctx, f, 0, ctx.Int("transA", 0) != 0, ctx.Int("transBatchA", 0) != 0);
  const ValueId b = Operand(ctx, f, 1, ctx.Int("transB", 0) != 0, ctx.Int("transBatchB", 0) != 0);
  const ValueId product = f("MatMul", {a, b});
  const float alpha = ctx.Float("alpha", 1.0F);
  if (alpha == 1.0F) return f.Give({product});
  return f.Give({f("Mul", {product, f.Scalar(alpha, ctx.InType(0).dtype)})});
}

}  // namespace athanor::onnx
