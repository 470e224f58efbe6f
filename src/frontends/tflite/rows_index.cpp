// Operators by indices and segments, and the rarer ones that are made of several nodes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "frontends/tflite/op_import.h"

namespace athanor::tflite {
namespace {

Result<ValueId> AsType(OpImport& ctx, ValueId value, DType dtype) {
  if (ctx.graph.value(value).type.dtype == dtype) return value;
  return ctx.Add("Cast", {value}, {{"to", dtype}});
}

Result<ValueId> Wide(OpImport& ctx, std::size_t i) {
  return AsType(ctx, ctx.Stored(i), DType::kI64);
}

// One number of a tensor's own type.
Result<ValueId> NumberOf(OpImport& ctx, double value, DType dtype) {
  Tensor tensor;
  ATH_RETURN_IF_ERROR(Dispatch(NumericTypes(), dtype, [&]<class T>(TypeTag<T>) -> Status {
    tensor = Tensor::Scalar<T>(static_cast<T>(static_cast<float>(value)));
    return {};
  }));
  return ctx.graph.AddConstant(std::move(tensor));
}

// The largest k along the last axis, and where they stand as i32.
Status TopK(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2, 2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(ValueId count, Wide(ctx, 1));
  ATH_TRY(count, ctx.Add("Reshape", {count, ctx.Constants({1})}));
  ATH_TRY(const std::vector<ValueId> found,
          ctx.AddMany("TopK", {ctx.Stored(0), count}, {{"axis", std::int64_t{-1}}}, 2));
  ATH_RETURN_IF_ERROR(ctx.GiveStored(found[0]));
  return ctx.GiveStored(AsType(ctx, found[1], ctx.Out(1).dtype), schema::Activation_NONE, {}, 1);
}

// Indices below 0 mean none in TFLite, places from the end in the graph: they become too large.
Status OneHot(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(4));
  ATH_TRY(const auto* options, OptionsOf<schema::OneHotOptions>(ctx));
  ATH_TRY(const ValueId indices, Wide(ctx, 0));
  ATH_TRY(const ValueId depth, Wide(ctx, 1));
  ATH_TRY(const ValueId zero, NumberOf(ctx, 0, DType::kI64));
  ATH_TRY(const ValueId below, ctx.Add("Less", {indices, zero}));
  ATH_TRY(const ValueId safe, ctx.Add("Where", {below, depth, indices}));
  std::vector<ValueId> values;
  for (const std::size_t i : {3, 2}) {
    ATH_TRY(const ValueId value, ctx.Add("Reshape", {ctx.Stored(i), ctx.Constants({1})}));
    values.push_back(value);
  }
  ATH_TRY(const ValueId both, ctx.Add("Concat", values, {{"axis", std::int64_t{0}}}));
  return ctx.GiveStored(ctx.Add("OneHot", {safe, depth, both},
                                {{"axis", static_cast<std::int64_t>(options->axis())}}));
}

// Places one below the other in TFLite, side by side in the graph.
Status Where(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId places, ctx.Add("NonZero", {ctx.Stored(0)}));
  return ctx.GiveStored(ctx.Add("Transpose", {places}, {{"perm", Ints{1, 0}}}));
}

Status Reverse(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const Ints axes, ctx.KnownInts(1));
  constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();
  const Ints starts(axes.size(), kEnd), ends(axes.size(), -kEnd), steps(axes.size(), -1);
  return ctx.GiveStored(ctx.Add("Slice", {ctx.Stored(0), ctx.Constants(starts), ctx.Constants(ends),
                                          ctx.Constants(axes), ctx.Constants(steps)}));
}

Status ReverseSequence(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const auto* options, OptionsOf<schema::ReverseSequenceOptions>(ctx));
  const auto time = static_cast<std::int64_t>(options->seq_dim());
  const auto batch = static_cast<std::int64_t>(options->batch_dim());
  if (time < 0 || batch < 0 || time + batch != 1)
    return Unsupported("REVERSE_SEQUENCE along axis {} of batches {} is not read; 0 and 1 are",
                       time, batch);
  ATH_TRY(const ValueId lengths, Wide(ctx, 1));
  return ctx.GiveStored(ctx.Add("ReverseSequence", {ctx.Stored(0), lengths},
                                {{"time_axis", time}, {"batch_axis", batch}}));
}

// A tensor of one number, of a shape that is known or computed.
Result<ValueId> Filled(OpImport& ctx, double value, DType dtype, ValueId shape) {
  ATH_TRY(const ValueId number, NumberOf(ctx, value, dtype));
  return ctx.Add("Expand", {number, shape});
}

Status ScatterNd(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const ValueId indices, Wide(ctx, 0));
  ATH_TRY(const ValueId shape, Wide(ctx, 2));
  ATH_TRY(const ValueId zeros, Filled(ctx, 0, ctx.In(1).dtype, shape));
  return ctx.GiveStored(
      ctx.Add("ScatterND", {zeros, indices, ctx.Stored(1)}, {{"reduction", std::string("add")}}));
}

// Rows of one segment become one row; segments without rows are `start`.
Status AddSegments(OpImport& ctx, ValueId count, double start, std::string_view reduction) {
  ATH_TRY(const std::int64_t rank, ctx.RankOf(1));
  if (rank != 1) return Unsupported("segments of rank {} are not read; of rank 1 they are", rank);
  ATH_TRY(count, ctx.Add("Reshape", {count, ctx.Constants({1})}));
  ATH_TRY(const ValueId rest, ctx.Add("Shape", {ctx.Stored(0)}, {{"start", std::int64_t{1}}}));
  ATH_TRY(const ValueId shape, ctx.Add("Concat", {count, rest}, {{"axis", std::int64_t{0}}}));
  ATH_TRY(const ValueId base, Filled(ctx, start, ctx.In(0).dtype, shape));
  ATH_TRY(const ValueId ids, Wide(ctx, 1));
  ATH_TRY(const ValueId places, ctx.Add("Unsqueeze", {ids, ctx.Constants({1})}));
  return ctx.GiveStored(
      ctx.Add("ScatterND", {base, places, ctx.Stored(0)}, {{"reduction", std::string(reduction)}}));
}

Status Unsorted(OpImport& ctx, double start, std::string_view reduction) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  if (ctx.In(0).dtype != DType::kF32)
    return Unsupported("segments of {} are not read; of f32 they are", Name(ctx.In(0).dtype));
  ATH_TRY(const ValueId count, Wide(ctx, 2));
  return AddSegments(ctx, count, start, reduction);
}
constexpr double kLargestFloat = std::numeric_limits<float>::max();
Status UnsortedSum(OpImport& ctx) { return Unsorted(ctx, 0, "add"); }
Status UnsortedProd(OpImport& ctx) { return Unsorted(ctx, 1, "mul"); }
Status UnsortedMax(OpImport& ctx) { return Unsorted(ctx, -kLargestFloat, "max"); }
Status UnsortedMin(OpImport& ctx) { return Unsorted(ctx, kLargestFloat, "min"); }

// As many segments as the last id says.
Status SegmentSum(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId ids, Wide(ctx, 1));
  ATH_TRY(const ValueId last, ctx.Add("Gather", {ids, ctx.Constants({-1})}));
  ATH_TRY(const ValueId count, ctx.Add("Add", {last, ctx.Constants({1})}));
  return AddSegments(ctx, count, 0, "add");
}

// The update within the operand, moved back where it would reach beyond.
Status DynamicUpdateSlice(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(1));
  const auto whole = ctx.InType(0).StaticDims(), part = ctx.InType(1).StaticDims();
  if (!whole || !part || whole->size() != part->size() || whole->empty())
    return Unsupported("{} within {} is not read; known sizes are", ctx.InType(1).ToString(),
                       ctx.InType(0).ToString());
  Ints most;
  std::int64_t count = 1;
  for (std::size_t axis = 0; axis < whole->size(); ++axis) {
    most.push_back((*whole)[axis] - (*part)[axis]);
    if (most.back() < 0) return InvalidModel("the update is larger than what it updates");
    count *= std::max<std::int64_t>((*part)[axis], 1);
    if (count > 1 << 26) return Unsupported("an update of {}", ctx.InType(1).ToString());
  }
  ATH_TRY(const ValueId start, Wide(ctx, 2));
  ATH_TRY(ValueId safe, ctx.Add("Max", {start, ctx.Constants(Ints(most.size(), 0))}));
  ATH_TRY(safe, ctx.Add("Min", {safe, ctx.Constants(most)}));
  Ints places;
  Dims dims = *part;
  dims.push_back(static_cast<std::int64_t>(part->size()));
  const std::int64_t total =
      std::accumulate(part->begin(), part->end(), std::int64_t{1}, std::multiplies<>());
  for (std::int64_t i = 0; i < total; ++i) {
    std::int64_t inner = total, left = i;
    for (const std::int64_t size : *part) {
      inner /= size;
      places.push_back(left / inner);
      left %= inner;
    }
  }
  const ValueId grid = ctx.graph.AddConstant(Tensor::FromVector(dims, places));
  ATH_TRY(const ValueId where, ctx.Add("Add", {grid, safe}));
  return ctx.GiveStored(ctx.Add("ScatterND", {ctx.Stored(0), where, ctx.Stored(1)}));
}

Status ZerosLike(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId shape, ctx.Add("Shape", {ctx.Stored(0)}));
  return ctx.GiveStored(Filled(ctx, 0, ctx.In(0).dtype, shape));
}

Status Rank(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  return ctx.GiveStored(ctx.graph.AddConstant(Tensor::Scalar(static_cast<std::int32_t>(rank))));
}

// Any of the bits, or all: the largest of 0 and 1, or the smallest.
Status ReduceBits(OpImport& ctx, std::string_view name) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  const auto* options = ctx.op.builtin_options_as<schema::ReducerOptions>();
  ATH_TRY(const Ints axes, ctx.KnownInts(1));
  AttrMap attributes = {
      {"keepdims", std::int64_t{options != nullptr && options->keep_dims() ? 1 : 0}}};
  if (axes.empty()) attributes.Set("noop_with_empty_axes", std::int64_t{1});
  ATH_TRY(const ValueId bits, AsType(ctx, ctx.Stored(0), DType::kI32));
  ATH_TRY(const ValueId one, ctx.Add(name, {bits, ctx.Constants(axes)}, std::move(attributes)));
  return ctx.GiveStored(AsType(ctx, one, DType::kBool));
}
Status ReduceAny(OpImport& ctx) { return ReduceBits(ctx, "ReduceMax"); }
Status ReduceAll(OpImport& ctx) { return ReduceBits(ctx, "ReduceMin"); }

Status LocalResponse(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const auto* options, OptionsOf<schema::LocalResponseNormalizationOptions>(ctx));
  const std::int64_t radius = options->radius();
  if (radius < 0 || radius > 1 << 20) return InvalidModel("radius {}", radius);
  ATH_TRY(const ValueId x, ctx.Real(0, kToNchw));
  const std::int64_t size = 2 * radius + 1;
  return ctx.Give(ctx.Add("LRN", {x},
                          {{"size", size},
                           {"bias", options->bias()},
                           {"alpha", options->alpha() * static_cast<float>(size)},
                           {"beta", options->beta()}}),
                  schema::Activation_NONE, kToNhwc);
}

// The angle of a point from its two coordinates, by that of their quotient.
Status Atan2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  if (ctx.In(0).dtype != DType::kF32)
    return Unsupported("ATAN2 of {} is not read; of f32 it is", Name(ctx.In(0).dtype));
  const ValueId y = ctx.Stored(0), x = ctx.Stored(1), zero = ctx.Number(0);
  constexpr float kPi = 3.14159265358979F;
  ATH_TRY(const ValueId quotient, ctx.Add("Div", {y, x}));
  ATH_TRY(const ValueId angle, ctx.Add("Atan", {quotient}));
  ATH_TRY(const ValueId below, ctx.Add("Less", {y, zero}));
  ATH_TRY(const ValueId turn, ctx.Add("Where", {below, ctx.Number(-kPi), ctx.Number(kPi)}));
  ATH_TRY(const ValueId behind, ctx.Add("Less", {x, zero}));
  ATH_TRY(const ValueId turned, ctx.Add("Add", {angle, turn}));
  ATH_TRY(const ValueId whole, ctx.Add("Where", {behind, turned, angle}));
  // 0 by 0 is no angle of a quotient.
  ATH_TRY(const ValueId flat, ctx.Add("Equal", {y, zero}));
  ATH_TRY(const ValueId straight, ctx.Add("Where", {behind, ctx.Number(kPi), zero}));
  return ctx.GiveStored(ctx.Add("Where", {flat, straight, whole}));
}

Status BitwiseXor(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  const bool bits = ctx.In(0).dtype == DType::kBool;
  return ctx.GiveStored(ctx.Add(bits ? "Xor" : "BitwiseXor", {ctx.Stored(0), ctx.Stored(1)}));
}

// Boxes [n, 4] and scores [n]: the chosen, filled up with 0 to as many as may be, and their number.
Status AddSuppression(OpImport& ctx, bool with_scores) {
  const std::size_t outputs = with_scores ? 3 : 2;
  ATH_RETURN_IF_ERROR(ctx.Expect(with_scores ? 6 : 5, outputs));
  if (with_scores) {
    const Tensor* sigma = ctx.Constant(5);
    if (sigma == nullptr || sigma->count() != 1 || sigma->dtype() != DType::kF32 ||
        sigma->Data<float>()[0] != 0)
      return Unsupported("NON_MAX_SUPPRESSION_V5 that lowers scores is not read; a sigma of 0 is");
  }
  ATH_TRY(const ValueId boxes, ctx.Add("Unsqueeze", {ctx.Stored(0), ctx.Constants({0})}));
  ATH_TRY(const ValueId scores, ctx.Add("Unsqueeze", {ctx.Stored(1), ctx.Constants({0, 1})}));
  ATH_TRY(const Ints most, ctx.KnownInts(2));
  if (most.size() != 1 || most[0] < 0) return InvalidModel("at most {} boxes", ToString(most));
  ATH_TRY(const ValueId found, ctx.Add("NonMaxSuppression", {boxes, scores, ctx.Constants(most),
                                                             ctx.Stored(3), ctx.Stored(4)}));
  ATH_TRY(const ValueId places,
          ctx.Add("Gather", {found, ctx.Constants({2})}, {{"axis", std::int64_t{1}}}));
  ATH_TRY(const ValueId chosen, ctx.Add("Squeeze", {places, ctx.Constants({1})}));
  ATH_TRY(const ValueId count, ctx.Add("Shape", {chosen}));
  ATH_TRY(const ValueId left, ctx.Add("Sub", {ctx.Constants(most), count}));
  ATH_TRY(const ValueId pads,
          ctx.Add("Concat", {ctx.Constants({0}), left}, {{"axis", std::int64_t{0}}}));
  const auto filled = [&](ValueId list) -> Result<ValueId> {
    ATH_TRY(const ValueId padded, ctx.Add("Pad", {list, pads}));
    return ctx.Add("Reshape", {padded, ctx.Constants(most)});  // so that its size is known
  };
  ATH_TRY(const ValueId narrow, AsType(ctx, chosen, ctx.Out(0).dtype));
  ATH_RETURN_IF_ERROR(ctx.GiveStored(filled(narrow)));
  if (with_scores) {
    ATH_TRY(const ValueId best, ctx.Add("Gather", {ctx.Stored(1), chosen}));
    ATH_RETURN_IF_ERROR(ctx.GiveStored(filled(best), schema::Activation_NONE, {}, 1));
  }
  ATH_TRY(const ValueId number, AsType(ctx, count, ctx.Out(outputs - 1).dtype));
  ATH_TRY(const ValueId scalar, ctx.Add("Reshape", {number, ctx.Constants({})}));
  return ctx.GiveStored(scalar, schema::Activation_NONE, {}, outputs - 1);
}
Status SuppressionV4(OpImport& ctx) { return AddSuppression(ctx, false); }
Status SuppressionV5(OpImport& ctx) { return AddSuppression(ctx, true); }

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> IndexRows() {
  return {
      {.code = schema::BuiltinOperator_ATAN2, .make = Atan2},
      {.code = schema::BuiltinOperator_BITWISE_XOR, .make = BitwiseXor},
      {.code = schema::BuiltinOperator_DYNAMIC_UPDATE_SLICE, .make = DynamicUpdateSlice},
      {.code = schema::BuiltinOperator_LOCAL_RESPONSE_NORMALIZATION, .make = LocalResponse},
      {.code = schema::BuiltinOperator_NON_MAX_SUPPRESSION_V4, .make = SuppressionV4},
      {.code = schema::BuiltinOperator_NON_MAX_SUPPRESSION_V5, .make = SuppressionV5},
      {.code = schema::BuiltinOperator_ONE_HOT, .make = OneHot},
      {.code = schema::BuiltinOperator_RANK, .make = Rank},
      {.code = schema::BuiltinOperator_REDUCE_ALL, .make = ReduceAll},
      {.code = schema::BuiltinOperator_REDUCE_ANY, .make = ReduceAny},
      {.code = schema::BuiltinOperator_REVERSE_SEQUENCE, .make = ReverseSequence},
      {.code = schema::BuiltinOperator_REVERSE_V2, .make = Reverse},
      {.code = schema::BuiltinOperator_SCATTER_ND, .make = ScatterNd},
      {.code = schema::BuiltinOperator_SEGMENT_SUM, .make = SegmentSum},
      {.code = schema::BuiltinOperator_TOPK_V2, .make = TopK},
      {.code = schema::BuiltinOperator_UNSORTED_SEGMENT_MAX, .make = UnsortedMax},
      {.code = schema::BuiltinOperator_UNSORTED_SEGMENT_MIN, .make = UnsortedMin},
      {.code = schema::BuiltinOperator_UNSORTED_SEGMENT_PROD, .make = UnsortedProd},
      {.code = schema::BuiltinOperator_UNSORTED_SEGMENT_SUM, .make = UnsortedSum},
      {.code = schema::BuiltinOperator_WHERE, .make = Where},
      {.code = schema::BuiltinOperator_ZEROS_LIKE, .make = ZerosLike},
  };
}
// clang-format on

}  // namespace athanor::tflite
