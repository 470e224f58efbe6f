// Operators that move, pick, make and convert elements, as layers of OpenVINO.
#include <algorithm>
#include <limits>

#include "frontends/openvino/element_type.h"
#include "frontends/openvino/layer_export.h"

namespace athanor::openvino {
namespace {

Status Cast(LayerExport& ctx) {
  return ctx.Emit("Convert", 1, {ctx.In()},
                  {{"destination_type", std::string(ElementTypeOf(ctx.OutType().dtype))}});
}

Status Concat(LayerExport& ctx) {
  std::vector<Port> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) inputs.push_back(ctx.In(i));
  return ctx.Emit("Concat", 1, std::move(inputs), {{"axis", Print(ctx.Int("axis", 0))}});
}

Status ConstantOfShape(LayerExport& ctx) {
  const Tensor value = ctx.Attribute<Tensor>("value", Tensor::FromVector<float>({1}, {0}));
  const Port number = ctx.file.Constant(value.Reshaped({}), ctx.node.name + "/value");
  return ctx.Emit("Broadcast", 3, {number, ctx.In()}, {{"mode", "numpy"}});
}

Status DepthToSpace(LayerExport& ctx) {
  const bool columns = ctx.Attribute<std::string>("mode", "DCR") == "CRD";
  return ctx.Emit("DepthToSpace", 1, {ctx.In()},
                  {{"mode", columns ? "depth_first" : "blocks_first"},
                   {"block_size", Print(ctx.Int("blocksize", 1))}});
}

Status SpaceToDepth(LayerExport& ctx) {
  return ctx.Emit("SpaceToDepth", 1, {ctx.In()},
                  {{"mode", "blocks_first"}, {"block_size", Print(ctx.Int("blocksize", 1))}});
}

// For inference: what it drops is nothing.
Status Dropout(LayerExport& ctx) {
  if (ctx.Wants(1)) return Unsupported("its mask is not written");
  return ctx.Give(ctx.In());
}

Status Identity(LayerExport& ctx) { return ctx.Give(ctx.In()); }

Status Expand(LayerExport& ctx) {
  return ctx.Emit("Broadcast", 3, {ctx.In(0), ctx.In(1)}, {{"mode", "bidirectional"}});
}

// A shape with at most one size that is not known.
Status Flatten(LayerExport& ctx) {
  if (!ctx.OutType().HasRank()) return Unsupported("the rank of its input is not known");
  Ints shape;
  int open = 0;
  for (const Dim& dim : *ctx.OutType().shape) {
    shape.push_back(dim.IsConst() ? dim.value() : -1);
    open += dim.IsConst() ? 0 : 1;
  }
  // With two of them the first is the input's first, if that is what stands alone.
  if (open == 2 && ctx.Int("axis", 1) != 1) return Unsupported("two sizes are not known");
  if (open == 2) shape[0] = 0;
  return ctx.Emit("Reshape", 1, {ctx.In(), ctx.IntsConstant(shape)},
                  {{"special_zero", Print(open == 2)}});
}

Status Reshape(LayerExport& ctx) {
  return ctx.Emit("Reshape", 1, {ctx.In(0), ctx.In(1)},
                  {{"special_zero", Print(ctx.Int("allowzero", 0) == 0)}});
}

std::function<Status(LayerExport&)> WithAxes(std::string_view type) {
  return [type](LayerExport& ctx) {
    std::vector<Port> inputs = {ctx.In()};
    if (ctx.Has(1)) inputs.push_back(ctx.In(1));
    return ctx.Emit(type, 1, std::move(inputs));
  };
}

Status Transpose(LayerExport& ctx) {
  const Ints perm = ctx.Attribute<Ints>("perm", {});
  return ctx.Emit("Transpose", 1, {ctx.In(), ctx.IntsConstant(perm)});
}

Status Gather(LayerExport& ctx) {
  const Port axis = ctx.IntConstant(ctx.Int("axis", 0));
  return ctx.Emit("Gather", 8, {ctx.In(0), ctx.In(1), axis}, {{"batch_dims", "0"}});
}

Status GatherElements(LayerExport& ctx) {
  return ctx.Emit("GatherElements", 6, {ctx.In(0), ctx.In(1)},
                  {{"axis", Print(ctx.Int("axis", 0))}});
}

Status GatherNd(LayerExport& ctx) {
  return ctx.Emit("GatherND", 8, {ctx.In(0), ctx.In(1)},
                  {{"batch_dims", Print(ctx.Int("batch_dims", 0))}});
}

Result<std::string> ReductionOf(const LayerExport& ctx) {
  const auto how = ctx.Attribute<std::string>("reduction", "none");
  if (how == "add") return std::string("sum");
  if (how == "mul") return std::string("prod");
  return how;
}

Status ScatterNd(LayerExport& ctx) {
  ATH_TRY(const std::string how, ReductionOf(ctx));
  return ctx.Emit("ScatterNDUpdate", 15, {ctx.In(0), ctx.In(1), ctx.In(2)}, {{"reduction", how}});
}

Status ScatterElements(LayerExport& ctx) {
  ATH_TRY(const std::string how, ReductionOf(ctx));
  const Port axis = ctx.IntConstant(ctx.Int("axis", 0));
  return ctx.Emit("ScatterElementsUpdate", 12, {ctx.In(0), ctx.In(1), ctx.In(2), axis},
                  {{"reduction", how}, {"use_init_val", "true"}});
}

Status OneHot(LayerExport& ctx) {
  ATH_TRY(const Ints depth, ctx.ConstantInts(1, "depth"));
  const Tensor* values = ctx.Constant(2);
  if (values == nullptr || values->count() != 2 || depth.size() != 1)
    return Unsupported("depth and values must be constants");
  ATH_TRY(const std::vector<double> numbers, ToDoubles(*values));
  ATH_TRY(const Port on, ctx.Number(numbers[1], 2));
  ATH_TRY(const Port off, ctx.Number(numbers[0], 2));
  return ctx.Emit("OneHot", 1, {ctx.In(0), ctx.IntConstant(depth[0]), on, off},
                  {{"axis", Print(ctx.Int("axis", -1))}});
}

Status Pad(LayerExport& ctx) {
  const auto mode = ctx.Attribute<std::string>("mode", "constant");
  if (mode == "wrap")
    return Unsupported("mode wrap is not written; constant, reflect and edge are");
  ATH_TRY(const Ints pads, ctx.ConstantInts(1, "pads"));
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  Ints axes;
  if (ctx.Has(3)) {
    ATH_TRY(axes, ctx.ConstantInts(3, "axes"));
  } else {
    for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  Ints begins(static_cast<std::size_t>(rank), 0), ends = begins;
  for (std::size_t i = 0; i < axes.size() && i + axes.size() < pads.size(); ++i) {
    ATH_TRY(const std::int64_t axis, ctx.Axis(axes[i]));
    begins[static_cast<std::size_t>(axis)] = pads[i];
    ends[static_cast<std::size_t>(axis)] = pads[i + axes.size()];
  }
  std::vector<Port> inputs = {ctx.In(), ctx.IntsConstant(begins), ctx.IntsConstant(ends)};
  if (mode == "constant" && ctx.Has(2)) inputs.push_back(ctx.Shaped(2, {}));
  return ctx.Emit("Pad", 12, std::move(inputs), {{"pad_mode", mode}});
}

Status Range(LayerExport& ctx) {
  return ctx.Emit("Range", 4, {ctx.In(0), ctx.In(1), ctx.In(2)},
                  {{"output_type", std::string(ElementTypeOf(ctx.OutType().dtype))}});
}

Status Shape(LayerExport& ctx) {
  const Port shape = ctx.Make("ShapeOf", 3, {ctx.In()}, {{"output_type", "i64"}},
                              Type::TensorOfUnknownRank(DType::kI64));
  const std::int64_t start = ctx.Int("start", 0);
  const std::int64_t end = ctx.Int("end", std::numeric_limits<std::int64_t>::max());
  return ctx.Emit("Slice", 8,
                  {shape, ctx.IntsConstant({start}), ctx.IntsConstant({end}), ctx.IntsConstant({1}),
                   ctx.IntsConstant({0})});
}

Status Size(LayerExport& ctx) {
  const Port shape = ctx.Make("ShapeOf", 3, {ctx.In()}, {{"output_type", "i64"}},
                              Type::TensorOfUnknownRank(DType::kI64));
  return ctx.Emit("ReduceProd", 1, {shape, ctx.IntsConstant({0})}, {{"keep_dims", "false"}});
}

Status Slice(LayerExport& ctx) {
  const Type& starts = ctx.InType(1);
  if (!starts.HasRank() || starts.rank() != 1 || !starts.dim(0).IsConst())
    return Unsupported("how many axes are sliced is not known");
  const Ints ones(static_cast<std::size_t>(starts.dim(0).value()), 1);
  std::vector<Port> inputs = {ctx.In(0), ctx.In(1), ctx.In(2),
                              ctx.Has(4) ? ctx.In(4) : ctx.IntsConstant(ones)};
  if (ctx.Has(3)) inputs.push_back(ctx.In(3));
  return ctx.Emit("Slice", 8, std::move(inputs));
}

Status Split(LayerExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int("axis", 0)));
  for (std::size_t o = 0; o < ctx.node.outputs.size(); ++o) {
    if (!ctx.Wants(o)) return Unsupported("a part that nobody wants is not written");
  }
  if (ctx.Has(1))
    return ctx.Emit("VariadicSplit", 1, {ctx.In(0), ctx.IntConstant(axis), ctx.In(1)});
  Ints lengths;
  for (std::size_t o = 0; o < ctx.node.outputs.size(); ++o) {
    const Type& type = ctx.OutType(o);
    if (!type.HasRank() || !type.dim(axis).IsConst())
      return ctx.Emit("Split", 1, {ctx.In(0), ctx.IntConstant(axis)},
                      {{"num_splits", std::to_string(ctx.node.outputs.size())}});
    lengths.push_back(type.dim(axis).value());
  }
  return ctx.Emit("VariadicSplit", 1,
                  {ctx.In(0), ctx.IntConstant(axis), ctx.IntsConstant(lengths)});
}

Status Tile(LayerExport& ctx) { return ctx.Emit("Tile", 1, {ctx.In(0), ctx.In(1)}); }

Status TopK(LayerExport& ctx) {
  if (!ctx.Wants(0)) return Unsupported("indices without values are not written");
  return ctx.Emit("TopK", 11, {ctx.In(0), ctx.Shaped(1, {})},
                  {{"axis", Print(ctx.Int("axis", -1))},
                   {"mode", ctx.Int("largest", 1) != 0 ? "max" : "min"},
                   {"sort", "value"},
                   {"index_element_type", "i64"},
                   {"stable", "true"}});
}

}  // namespace

// clang-format off
std::vector<ExportRow> TensorExportRows() {
  return {
      {"Cast", Cast},
      {"Concat", Concat},
      {"ConstantOfShape", ConstantOfShape},
      {"DepthToSpace", DepthToSpace},
      {"Dropout", Dropout},
      {"Expand", Expand},
      {"Flatten", Flatten},
      {"Gather", Gather},
      {"GatherElements", GatherElements},
      {"GatherND", GatherNd},
      {"Identity", Identity},
      {"OneHot", OneHot},
      {"Pad", Pad},
      {"Range", Range},
      {"Reshape", Reshape},
      {"ScatterElements", ScatterElements},
      {"ScatterND", ScatterNd},
      {"Shape", Shape},
      {"Size", Size},
      {"Slice", Slice},
      {"SpaceToDepth", SpaceToDepth},
      {"Split", Split},
      {"Squeeze", WithAxes("Squeeze")},
      {"Tile", Tile},
      {"TopK", TopK},
      {"Transpose", Transpose},
      {"Unsqueeze", WithAxes("Unsqueeze")},
  };
}
// clang-format on

}  // namespace athanor::openvino
