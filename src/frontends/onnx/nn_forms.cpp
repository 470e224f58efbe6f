#include "frontends/onnx/nn_forms.h"

#include "frontends/onnx/formula.h"

namespace athanor::onnx {

// Before version 9 `is_test` and `spatial`, before 14 no `training_mode` but more outputs.
Status BatchNormBefore14(NodeImport& ctx) {
  constexpr std::string_view kGone[] = {"is_test", "spatial", "consumed_inputs", "momentum"};
  const OpDef* op = ctx.graph.catalog().Find("BatchNormalization");
  ATH_TRY(AttrMap attributes, ctx.Attributes(*op, kGone));
  if (ctx.Int("spatial", 1) == 0 && ctx.Has(0) &&
      !(ctx.InType(0).HasRank() && ctx.InType(0).rank() == 2)) {
    return Unsupported("spatial = 0 is implemented for inputs of rank 2 only");
  }
  const std::size_t outputs = ctx.num_outputs();
  // With is_test the further outputs exist in the file but carry nothing new.
  if (ctx.inputs.size() == 5 && (outputs == 1 || ctx.Int("is_test", 0) != 0)) {
    ATH_TRY(const ValueId y, ctx.Add("BatchNormalization", ctx.inputs, std::move(attributes)));
    const ValueId all[] = {y, ctx.In(3), ctx.In(4), ctx.In(3), ctx.In(4)};
    ctx.outputs.assign(all, all + std::min<std::size_t>(outputs, 5));
    return {};
  }
  if (outputs > 3)
    return Unsupported("the outputs saved_mean and saved_var of operator set {} are not given",
                       ctx.opset);
  attributes.Set("training_mode", std::int64_t{1});
  attributes.Set("momentum", ctx.Float("momentum", 0.9F));
  return ctx.AddSame("BatchNormalization", std::move(attributes));
}

// Until version 11 the ratio was an attribute, and the operator meant inference: version 1 and 6
// could say is_test = 0, but files that are deployed carry it by default and do not mean it.
Status DropoutBefore12(NodeImport& ctx) {
  if (ctx.num_outputs() < 2) {
    return ctx.Give(ctx.Add("Dropout", {ctx.In(0)}));
  }
  std::vector<std::string> names(ctx.node.output.begin(), ctx.node.output.end());
  ATH_TRY(const NodeId id, ctx.graph.AddNode({.op = "Dropout",
                                              .inputs = {ctx.In(0)},
                                              .num_outputs = 2,
                                              .output_names = std::move(names),
                                              .name = ctx.node.name}));
  ctx.outputs = ctx.graph.node(id).outputs;
  if (ctx.opset >= 10) return {};
  // The mask had the element type of the data.
  ATH_TRY(ctx.outputs[1],
          ctx.Add("Cast", {ctx.outputs[1]}, {{"to", ctx.graph.value(ctx.outputs[0]).type.dtype}}));
  return {};
}

// Until version 19 the modes carried the number of axes in their names.
Status GridSampleBefore20(NodeImport& ctx) {
  ATH_TRY(AttrMap attributes, ctx.Attributes(*ctx.graph.catalog().Find("GridSample")));
  const std::string mode = ctx.String("mode", "bilinear");
  if (mode == "bilinear") attributes.Set("mode", std::string("linear"));
  if (mode == "bicubic") attributes.Set("mode", std::string("cubic"));
  return ctx.AddSame("GridSample", std::move(attributes));
}

// Before version 16 coordinates were never moved by half an element.
Status RoiAlignBefore16(NodeImport& ctx) {
  ATH_TRY(AttrMap attributes, ctx.Attributes(*ctx.graph.catalog().Find("RoiAlign")));
  attributes.Set("coordinate_transformation_mode", std::string("output_half_pixel"));
  return ctx.AddSame("RoiAlign", std::move(attributes));
}

// Swish(a) * b, without broadcasting.
Status SwiGlu(NodeImport& ctx) {
  if (ctx.num_inputs() != 2 || !ctx.Has(0) || !ctx.Has(1))
    return InvalidModel("two inputs are expected");
  const Type &a = ctx.InType(0), &b = ctx.InType(1);
  if (!CommonType(a, b) || (a.HasRank() && b.HasRank() && a.rank() != b.rank()))
    return InvalidModel("inputs of one type are expected, not {} and {}", a.ToString(),
                        b.ToString());
  for (std::int64_t i = 0; a.HasRank() && b.HasRank() && i < a.rank(); ++i) {
    if (a.dim(i).IsConst() && b.dim(i).IsConst() && !(a.dim(i) == b.dim(i)))
      return InvalidModel("inputs of one shape are expected, not {} and {}", a.ToString(),
                          b.ToString());
  }
  Formula f(ctx);
  const ValueId gate = f("Swish", {ctx.In(0)}, {{"alpha", ctx.Float("alpha", 1)}});
  return f.Give({f("Mul", {gate, ctx.In(1)})});
}

// Version 18 has one scale and bias per group, now there is one per channel.
Status GroupNormBefore21(NodeImport& ctx) {
  const OpDef* op = ctx.graph.catalog().Find("GroupNormalization");
  ATH_TRY(AttrMap attributes, ctx.Attributes(*op));
  const std::int64_t groups = ctx.Int("num_groups", 0);
  if (ctx.inputs.size() != 3 || !ctx.Has(0) || !ctx.Has(1) || !ctx.Has(2))
    return InvalidModel("three inputs are expected");
  const Type& x = ctx.InType(0);
  if (!x.HasRank() || x.rank() < 2 || !x.dim(1).IsConst())
    return Unsupported("the number of channels must be known in operator set {}", ctx.opset);
  const std::int64_t channels = x.dim(1).value();
  if (groups < 1 || channels % groups != 0)
    return InvalidModel("{} channels cannot be divided into {} groups", channels, groups);
  std::vector<ValueId> inputs = {ctx.In(0)};
  for (const std::size_t i : {1, 2}) {
    // [g] -> [g, 1] -> [g, c / g] -> [c]
    ATH_TRY(const ValueId column, ctx.Add("Reshape", {ctx.In(i), ctx.ConstantInts({groups, 1})}));
    ATH_TRY(const ValueId table,
            ctx.Add("Expand", {column, ctx.ConstantInts({groups, channels / groups})}));
    ATH_TRY(const ValueId all, ctx.Add("Reshape", {table, ctx.ConstantInts({-1})}));
    inputs.push_back(all);
  }
  return ctx.Give(ctx.Add("GroupNormalization", inputs, std::move(attributes)));
}

namespace {

// What the first versions meant: y = x[floor(i / scale)].
AttrMap FirstResize(const NodeImport& ctx) {
  std::string mode = ctx.String("mode", "nearest");
  if (mode == "bilinear" || mode == "trilinear") mode = "linear";
  return {{"mode", std::move(mode)},
          {"coordinate_transformation_mode", std::string("asymmetric")},
          {"nearest_mode", std::string("floor")}};
}

}  // namespace

Status ResizeBefore11(NodeImport& ctx) {
  if (!ctx.Has(0) || !ctx.Has(1)) return InvalidModel("two inputs are expected: x and scales");
  return ctx.Give(ctx.Add("Resize", {ctx.In(0), kNoValue, ctx.In(1)}, FirstResize(ctx)));
}

// Version 1 has a scale for height and width, version 7 a list.
Status UpsampleBefore9(NodeImport& ctx) {
  if (!ctx.Has(0)) return InvalidModel("one input is expected");
  std::vector<float> scales = ctx.Floats("scales").value_or(std::vector<float>());
  if (ctx.opset < 7) scales = {1, 1, ctx.Float("height_scale", 1), ctx.Float("width_scale", 1)};
  const auto count = static_cast<std::int64_t>(scales.size());
  const ValueId constant = ctx.Constant(Tensor::FromVector<float>({count}, scales));
  return ctx.Give(ctx.Add("Resize", {ctx.In(0), kNoValue, constant}, FirstResize(ctx)));
}

}  // namespace athanor::onnx
