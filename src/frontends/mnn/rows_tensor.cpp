// Constants, sizes, types, and operators that pick, scatter and make elements.
#include "frontends/mnn/op_import.h"

namespace athanor::mnn {
namespace {

// The graph has numbers of 32 bits where the file has.
Status Constant(OpImport& ctx) {
  ATH_TRY(const auto* blob, Given(ctx.op.main_as_Blob()));
  ATH_TRY(Tensor tensor, ctx.net.weights.Constant(*blob));
  return ctx.Give(ctx.graph.AddConstant(std::move(tensor), ctx.name));
}

Result<DType> DTypeOf(schema::DataType type) {
  constexpr std::pair<schema::DataType, DType> kTypes[] = {
      {schema::DataType_FLOAT, DType::kF32}, {schema::DataType_DOUBLE, DType::kF32},
      {schema::DataType_HALF, DType::kF32},  {schema::DataType_INT32, DType::kI32},
      {schema::DataType_INT64, DType::kI32}, {schema::DataType_UINT8, DType::kU8},
      {schema::DataType_INT8, DType::kI8},   {schema::DataType_BOOL, DType::kBool},
  };
  for (const auto& [from, to] : kTypes) {
    if (from == type) return to;
  }
  return Unsupported("element type {} is not read", schema::EnumNameDataType(type));
}

Status Cast(OpImport& ctx) {
  ATH_TRY(const auto* layer, Given(ctx.op.main_as_CastParam()));
  ATH_TRY(const DType to, DTypeOf(layer->to()));
  if (to == DType::kBool) return ctx.Give(ctx.FromTruth(ctx.As(ctx.In(), to)));
  if (ctx.InType().dtype == to) return ctx.Give(ctx.Op("Identity", {ctx.In()}));
  return ctx.Give(ctx.Op("Cast", {ctx.In()}, {{"to", to}}));
}

Status CastLike(OpImport& ctx) {
  return ctx.Give(ctx.Op("Cast", {ctx.In()}, {{"to", ctx.InType(1).dtype}}));
}

// In networks from TensorFlow the sizes are those of an NHWC tensor, whatever the data's format.
Status Shape(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_ShapeParam();
  AttrMap attributes;
  if (layer != nullptr && layer->has_start()) attributes.Set("start", std::int64_t{layer->start()});
  if (layer != nullptr && layer->has_end()) attributes.Set("end", std::int64_t{layer->end()});
  ValueId shape = ctx.Op("Shape", {ctx.In()}, std::move(attributes));
  const Type& input = ctx.InType();
  if (ctx.op.format() == schema::Format_NHWC && ctx.FormatOf() == schema::Format_NC4HW4 &&
      input.HasRank() && input.rank() == 4 && layer == nullptr)
    shape = ctx.Op("Gather", {shape, ctx.Ints({0, 2, 3, 1})});
  return ctx.Give(ctx.As(shape, DType::kI32));
}

Status Size(OpImport& ctx) { return ctx.Give(ctx.As(ctx.Op("Size", {ctx.In()}), DType::kI32)); }

Status Rank(OpImport& ctx) {
  ATH_TRY(const std::int64_t rank, ctx.Rank());
  return ctx.Give(ctx.graph.AddConstant(Tensor::Scalar(static_cast<std::int32_t>(rank))));
}

Status Gather(OpImport& ctx) {
  std::int64_t axis = 0;
  if (ctx.Has(2)) {
    ATH_TRY(axis, ctx.KnownInt(2));
  } else if (const auto* layer = ctx.op.main_as_Gather(); layer != nullptr) {
    axis = layer->axis();
  } else if (const auto* said = ctx.op.main_as_Axis(); said != nullptr) {
    axis = said->axis();
  }
  return ctx.Give(ctx.Op("Gather", {ctx.In(0), ctx.In(1)}, {{"axis", axis}}));
}

Status GatherNd(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_Axis();
  return ctx.Give(ctx.Op("GatherND", {ctx.In(0), ctx.As(ctx.In(1), DType::kI64)},
                         {{"batch_dims", std::int64_t{layer == nullptr ? 0 : layer->axis()}}}));
}

Status GatherElements(OpImport& ctx) {
  std::int64_t axis = 0;
  if (ctx.Has(2)) {
    ATH_TRY(axis, ctx.KnownInt(2));
  } else if (const auto* layer = ctx.op.main_as_Axis(); layer != nullptr) {
    axis = layer->axis();
  }
  return ctx.Give(ctx.Op("GatherElements", {ctx.In(0), ctx.In(1)}, {{"axis", axis}}));
}

// How a scattered element meets the one that is there: a number of BinaryOp.
Result<std::string> ScatterReduction(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_BinaryOp();
  if (layer == nullptr) return std::string("none");
  if (layer->type() == schema::Binary_ADD) return std::string("add");
  if (layer->type() == schema::Binary_MUL) return std::string("mul");
  if (static_cast<int>(layer->type()) < 0) return std::string("none");
  return Unsupported("scattering with arithmetic {} is not read", static_cast<int>(layer->type()));
}

// Inputs: places, elements, the shape of the result, and where given what is there before.
Status ScatterNd(OpImport& ctx) {
  ATH_TRY(const std::string reduction, ScatterReduction(ctx));
  const ValueId places = ctx.As(ctx.In(0), DType::kI64);
  ValueId data = kNoValue;
  if (ctx.Has(3)) {
    data = ctx.In(3);
  } else {
    data = ctx.Op("Expand", {ctx.Number(0, ctx.In(1)), ctx.AsInts(2)});
  }
  const std::string how = ctx.Has(3) ? reduction : "add";
  return ctx.Give(ctx.Op("ScatterND", {data, places, ctx.In(1)}, {{"reduction", how}}));
}

// Inputs: data, places, elements, axis
Status ScatterElements(OpImport& ctx) {
  ATH_TRY(const std::string reduction, ScatterReduction(ctx));
  std::int64_t axis = 0;
  if (ctx.Has(3)) {
    ATH_TRY(axis, ctx.KnownInt(3));
  }
  return ctx.Give(ctx.Op("ScatterElements", {ctx.In(0), ctx.In(1), ctx.In(2)},
                         {{"axis", axis}, {"reduction", reduction}}));
}

Status Fill(OpImport& ctx) {
  return ctx.Give(ctx.Op("Expand", {ctx.AsScalar(ctx.In(1)), ctx.AsInts(0)}));
}

Status ZerosLike(OpImport& ctx) {
  const ValueId shape = ctx.Op("Shape", {ctx.In()});
  return ctx.Give(ctx.Op("Expand", {ctx.Number(0, ctx.In()), shape}));
}

Status Range(OpImport& ctx) {
  std::vector<ValueId> in;
  for (const ValueId input : ctx.inputs) in.push_back(ctx.AsScalar(input));
  return ctx.Give(ctx.Op("Range", in));
}

Status Select(OpImport& ctx) {
  const ValueId otherwise = ctx.As(ctx.In(2), ctx.InType(1).dtype);
  return ctx.Give(ctx.Op("Where", {ctx.AsTruth(0), ctx.In(1), otherwise}));
}

// The places of elements that are not 0, one to a row.
Status Where(OpImport& ctx) {
  const ValueId places = ctx.Op("NonZero", {ctx.In()});
  return ctx.Give(ctx.As(ctx.Transpose(places, {1, 0}), DType::kI32));
}

Status TopK(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_TopKV2();
  std::int64_t axis = -1;
  if (ctx.Has(2)) {
    ATH_TRY(axis, ctx.KnownInt(2));
  }
  const AttrMap attributes = {
      {"axis", axis}, {"largest", std::int64_t{layer == nullptr || layer->largest() ? 1 : 0}}};
  ctx.outputs = ctx.Ops("TopK", {ctx.In(), ctx.AsInts(1)}, 2, attributes);
  ctx.outputs[1] = ctx.As(ctx.outputs[1], DType::kI32);
  return ctx.problem();
}

Status OneHot(OpImport& ctx) {
  const auto* layer = ctx.op.main_as_OneHotParam();
  const ValueId values = ctx.Join({ctx.Reshape(ctx.In(3), {1}), ctx.Reshape(ctx.In(2), {1})}, 0);
  return ctx.Give(ctx.Op("OneHot", {ctx.In(0), ctx.AsScalar(ctx.In(1)), values},
                         {{"axis", std::int64_t{layer == nullptr ? -1 : layer->axis()}}}));
}

// Inputs: boxes [n, 4], scores [n], how many at most, the overlap and where given the score they
// may have. Gives the places of the boxes that stay.
Status NonMaxSuppression(OpImport& ctx) {
  std::vector<ValueId> in = {ctx.Op("Unsqueeze", {ctx.In(0), ctx.Ints({0})}),
                             ctx.Op("Unsqueeze", {ctx.In(1), ctx.Ints({0, 1})}), ctx.AsInts(2)};
  for (std::size_t i = 3; i < ctx.inputs.size(); ++i) in.push_back(ctx.In(i));
  const ValueId rows = ctx.Op("NonMaxSuppression", in);
  const ValueId places = ctx.Op("Squeeze", {ctx.Slice(rows, 1, 2, 3), ctx.Ints({1})});
  return ctx.Give(ctx.As(places, DType::kI32));
}

Status EyeLike(OpImport& ctx) {
  std::int64_t shift = 0;
  if (ctx.Has(1)) {
    ATH_TRY(shift, ctx.KnownInt(1));
  }
  return ctx.Give(ctx.Op("EyeLike", {ctx.In()}, {{"k", shift}}));
}

}  // namespace

// clang-format off
std::vector<Row> TensorRows() {
  return {
      {schema::OpType_Cast, 1, 1, Cast},
      {schema::OpType_Const, 0, 0, Constant},
      {schema::OpType_Fill, 2, 2, Fill},
      {schema::OpType_Gather, 2, 3, Gather},
      {schema::OpType_GatherV2, 2, 3, Gather},
      {schema::OpType_NonMaxSuppressionV2, 3, 5, NonMaxSuppression},
      {schema::OpType_Range, 3, 3, Range},
      {schema::OpType_Rank, 1, 1, Rank},
      {schema::OpType_Shape, 1, 1, Shape},
      {schema::OpType_Size, 1, 1, Size},
      {schema::OpType_CastLike, 2, 2, CastLike},
      {schema::OpType_TopKV2, 2, 3, TopK},
      {schema::OpType_Where, 1, 1, Where},
      {schema::OpType_GatherND, 2, 2, GatherNd},
      {schema::OpType_ScatterNd, 3, 4, ScatterNd},
      {schema::OpType_OneHot, 4, 4, OneHot},
      {schema::OpType_EyeLike, 1, 2, EyeLike},
      {schema::OpType_ScatterElements, 3, 4, ScatterElements},
      {schema::OpType_GatherElements, 2, 3, GatherElements},
      {schema::OpType_Select, 3, 3, Select},
      {schema::OpType_ZerosLike, 1, 1, ZerosLike},
      {schema::OpType_TrainableParam, 0, 0, Constant},
  };
}
// clang-format on

}  // namespace athanor::mnn
