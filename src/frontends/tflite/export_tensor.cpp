// Operators that move, pick, make and convert elements, as operators of TFLite.
#include <algorithm>
#include <limits>
#include <numeric>

#include "core/checked.h"
#include "frontends/nhwc/window.h"
#include "frontends/tflite/op_export.h"

namespace athanor::tflite {
namespace {

using Code = schema::BuiltinOperator;
using MakeRow = std::function<Status(OpExport&)>;

Status WriteIdentity(OpExport& ctx) {
  if (ctx.node.outputs.size() > 1 && ctx.node.outputs[1] != kNoValue)
    return Unsupported("its mask is not written");
  ctx.file.Alias(ctx.Source(0), ctx.results[0]);
  return {};
}

// Reshape and its kin, by the shape that their result has.
Status WriteReshape(OpExport& ctx) {
  const TensorIndex x = ctx.In();
  Result<TensorIndex> shape = ctx.ShapeOf(x, ctx.OutType());
  // What follows from no shape is told while running.
  if (!shape.ok() && ctx.node.op->name == "Reshape" && ctx.Constant(1) == nullptr)
    shape = ctx.Ints32(1);
  ATH_TRY(const TensorIndex target, std::move(shape));
  return ctx.Emit(schema::BuiltinOperator_RESHAPE, {x, target});
}

Status WriteTranspose(OpExport& ctx) {
  const std::int64_t rank = ctx.Rank();
  Ints perm = ctx.Attribute<Ints>("perm", {});
  for (std::int64_t axis = rank - 1; perm.size() < static_cast<std::size_t>(rank); --axis)
    perm.push_back(axis);
  // Pictures change between the two orders in which they may stand anyway.
  const auto size = static_cast<std::size_t>(rank);
  if (size > 2 && perm == nhwc::ChannelsFirst(size)) {
    ctx.file.Hold(ctx.results[0], Axes::kLast, ctx.In(0, Axes::kPlain));
    return {};
  }
  if (size > 2 && perm == nhwc::ChannelsLast(size)) {
    ctx.file.Hold(ctx.results[0], Axes::kPlain, ctx.In(0, Axes::kLast));
    return {};
  }
  return ctx.Emit(schema::BuiltinOperator_TRANSPOSE, {ctx.In(), ctx.IntsConstant(perm)});
}

Status WriteConcat(OpExport& ctx) {
  if (ctx.num_inputs() == 1) return WriteIdentity(ctx);
  const OpExport::Aligned in = ctx.Align(ctx.num_inputs());
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int("axis", 0)));
  schema::ConcatenationOptionsT options;
  options.axis = static_cast<std::int32_t>(OpExport::At(axis, ctx.Rank(), in.axes));
  return ctx.Emit(schema::BuiltinOperator_CONCATENATION, in.tensors, With(options), in.axes);
}

Status WriteSplit(OpExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int("axis", 0)));
  const Axes axes = ctx.Cheapest();
  const TensorIndex x = ctx.In(0, axes);
  const TensorIndex at = ctx.IntConstant(OpExport::At(axis, ctx.Rank(), axes));
  Ints lengths;
  for (std::size_t o = 0; o < ctx.results.size(); ++o) {
    const bool known = ctx.node.outputs[o] != kNoValue && ctx.OutType(o).dim(axis).IsConst();
    if (known) lengths.push_back(ctx.OutType(o).dim(axis).value());
  }
  if (lengths.size() != ctx.results.size())
    return Unsupported("all parts must be used, and their lengths known");
  const auto count = static_cast<std::int32_t>(lengths.size());
  if (std::adjacent_find(lengths.begin(), lengths.end(), std::not_equal_to<>()) == lengths.end()) {
    schema::SplitOptionsT options;
    options.num_splits = count;
    return ctx.Emit(schema::BuiltinOperator_SPLIT, {at, x}, With(options), axes);
  }
  schema::SplitVOptionsT options;
  options.num_splits = count;
  return ctx.Emit(schema::BuiltinOperator_SPLIT_V, {x, ctx.IntsConstant(lengths), at},
                  With(options), axes);
}

// Starts and ends of all axes from those of a few, which must follow each other.
Result<TensorIndex> Spread(OpExport& ctx, std::size_t i, const Ints& axes) {
  for (std::size_t n = 1; n < axes.size(); ++n) {
    if (axes[n] != axes[n - 1] + 1)
      return Unsupported("a slice from computed places is written of axes that follow each other");
  }
  const Ints before(static_cast<std::size_t>(axes[0]), 0);
  const Ints after(static_cast<std::size_t>(ctx.Rank() - axes.back() - 1), 0);
  std::vector<TensorIndex> parts;
  if (!before.empty()) parts.push_back(ctx.IntsConstant(before));
  parts.push_back(ctx.Ints32(i));
  if (!after.empty()) parts.push_back(ctx.IntsConstant(after));
  if (parts.size() == 1) return parts[0];
  return ctx.Make(schema::BuiltinOperator_CONCATENATION, parts,
                  Type::Tensor(DType::kI32, {ctx.Rank()}), With(schema::ConcatenationOptionsT()));
}

Status WriteSlice(OpExport& ctx) {
  const std::int64_t rank = ctx.Rank();
  const Type& given = ctx.InType(1);
  if (!given.dim(0).IsConst()) return Unsupported("how many axes are sliced is not known");
  Ints axes(static_cast<std::size_t>(given.dim(0).value()));
  std::iota(axes.begin(), axes.end(), 0);
  if (ctx.Has(3)) {
    ATH_TRY(axes, ctx.ConstantInts(3, "axes"));
  }
  Ints steps(axes.size(), 1);
  if (ctx.Has(4)) {
    ATH_TRY(steps, ctx.ConstantInts(4, "steps"));
  }
  const bool constant = ctx.Constant(1) != nullptr && ctx.Constant(2) != nullptr;
  const Axes order = constant ? ctx.Cheapest() : Axes::kPlain;
  Ints starts(static_cast<std::size_t>(rank), 0), ends = starts, all(starts.size(), 1);
  if (axes.empty() || axes.size() != steps.size()) return Unsupported("a slice of no axes");
  Ints given_starts(axes.size(), 0), given_ends(axes.size(), 0);
  if (constant) {
    ATH_TRY(given_starts, ctx.ConstantInts(1, "starts"));
    ATH_TRY(given_ends, ctx.ConstantInts(2, "ends"));
  }
  schema::StridedSliceOptionsT options;
  options.begin_mask = options.end_mask = (1 << rank) - 1;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ATH_TRY(axes[i], ctx.Axis(axes[i]));
    const auto at = static_cast<std::size_t>(axes[i]);
    starts[at] = given_starts[i];
    ends[at] = given_ends[i];
    all[at] = steps[i];
    const int bit = 1 << OpExport::At(axes[i], rank, order);
    options.begin_mask &= ~bit;
    options.end_mask &= ~bit;
  }
  TensorIndex begin = kNoTensor, end = kNoTensor;
  if (constant) {
    begin = ctx.IntsConstant(OpExport::Ordered(starts, order));
    end = ctx.IntsConstant(OpExport::Ordered(ends, order));
  } else {
    ATH_TRY(begin, Spread(ctx, 1, axes));
    ATH_TRY(end, Spread(ctx, 2, axes));
  }
  return ctx.Emit(schema::BuiltinOperator_STRIDED_SLICE,
                  {ctx.In(0, order), begin, end, ctx.IntsConstant(OpExport::Ordered(all, order))},
                  With(options), order);
}

struct Padding {
  Ints before, after;  // one per axis of the graph
};

Result<Padding> ReadPadding(const OpExport& ctx) {
  const std::int64_t rank = ctx.Rank();
  ATH_TRY(const Ints pads, ctx.ConstantInts(1, "pads"));
  Ints axes(static_cast<std::size_t>(rank));
  std::iota(axes.begin(), axes.end(), 0);
  if (ctx.Has(3)) {
    ATH_TRY(axes, ctx.ConstantInts(3, "axes"));
  }
  if (pads.size() != 2 * axes.size()) return InvalidModel("{} amounts of padding", pads.size());
  Padding padding = {Ints(static_cast<std::size_t>(rank), 0), Ints(static_cast<std::size_t>(rank))};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    ATH_TRY(const std::int64_t axis, ctx.Axis(axes[i]));
    if (pads[i] < 0 || pads[i + axes.size()] < 0)
      return Unsupported("padding of less than 0 is not written");
    padding.before[static_cast<std::size_t>(axis)] = pads[i];
    padding.after[static_cast<std::size_t>(axis)] = pads[i + axes.size()];
  }
  return padding;
}

// Rows, columns and so on by their numbers, axis after axis: of a border that repeats.
Status WriteRepeatingPad(OpExport& ctx, const Padding& padding, bool wraps) {
  const Axes order = ctx.Cheapest();
  TensorIndex x = ctx.In(0, order);
  for (std::int64_t axis = 0; axis < ctx.Rank(); ++axis) {
    const std::int64_t before = padding.before[static_cast<std::size_t>(axis)];
    const std::int64_t after = padding.after[static_cast<std::size_t>(axis)];
    if (before == 0 && after == 0) continue;
    const Dim& dim = ctx.InType().dim(axis);
    if (!dim.IsConst() || dim.Is(0)) return Unsupported("the size of axis {} must be known", axis);
    const std::int64_t size = dim.value();
    Ints places;
    for (std::int64_t i = -before; i < size + after; ++i)
      places.push_back(wraps ? (i % size + size) % size : std::clamp<std::int64_t>(i, 0, size - 1));
    schema::GatherOptionsT options;
    options.axis = static_cast<std::int32_t>(OpExport::At(axis, ctx.Rank(), order));
    Type type = ctx.file.TypeOf(x);
    (*type.shape)[static_cast<std::size_t>(options.axis)] = Dim(size + before + after);
    x = ctx.Make(schema::BuiltinOperator_GATHER, {x, ctx.IntsConstant(places)}, type,
                 With(options));
  }
  return ctx.Give(x, order);
}

// The number that fills the border: integers of a scale have one that stands for 0.
Result<std::optional<double>> FillOf(const OpExport& ctx) {
  double number = 0;
  if (ctx.Has(2)) {
    const Tensor* value = ctx.Constant(2);
    if (value == nullptr || value->count() != 1)
      return Unsupported("the value of padding must be a constant");
    ATH_TRY(const std::vector<double> numbers, ToDoubles(*value));
    number = numbers[0];
  }
  const Quantization& scale = ctx.file.ScaleOf(ctx.Source(0));
  if (scale && !ctx.on_integers && number != static_cast<double>(scale.zero_points[0]))
    return Unsupported("integers of a scale are padded with their zero point, not {}", number);
  return scale || number == 0 ? std::optional<double>() : std::optional<double>(number);
}

bool FitsPad(const OpExport& ctx) {
  return ctx.Attribute<std::string>("mode", "constant") == "constant" &&
         (!ctx.Has(2) || (ctx.Constant(2) != nullptr && ctx.ConstantFloat(2, 0).ok() &&
                          *ctx.ConstantFloat(2, 0) == 0));
}

Status WritePad(OpExport& ctx) {
  const auto mode = ctx.Attribute<std::string>("mode", "constant");
  ATH_TRY(const Padding padding, ReadPadding(ctx));
  if (mode == "edge" || mode == "wrap") return WriteRepeatingPad(ctx, padding, mode == "wrap");
  const Axes order = ctx.Cheapest();
  const Ints before = OpExport::Ordered(padding.before, order);
  const Ints after = OpExport::Ordered(padding.after, order);
  std::vector<std::int32_t> rows;
  for (std::size_t i = 0; i < before.size(); ++i) {
    rows.push_back(static_cast<std::int32_t>(before[i]));
    rows.push_back(static_cast<std::int32_t>(after[i]));
  }
  const TensorIndex amounts =
      ctx.file.Constant(Tensor::FromVector<std::int32_t>({ctx.Rank(), 2}, rows), "pads");
  const TensorIndex x = ctx.In(0, order);
  if (mode == "reflect") {
    schema::MirrorPadOptionsT options;
    options.mode = schema::MirrorPadMode_REFLECT;
    return ctx.Emit(schema::BuiltinOperator_MIRROR_PAD, {x, amounts}, With(options), order);
  }
  ATH_TRY(const std::optional<double> fill, FillOf(ctx));
  if (!fill) return ctx.Emit(schema::BuiltinOperator_PAD, {x, amounts}, {}, order);
  return ctx.Emit(schema::BuiltinOperator_PADV2,
                  {x, amounts, ctx.Number(*fill, ctx.InType().dtype)}, {}, order);
}

// Places from the front: those that a constant counts from the end too.
TensorIndex PlacesOf(OpExport& ctx, std::size_t i, const Dim& size) {
  const Tensor* constant = ctx.Constant(i);
  if (constant == nullptr) return ctx.In(i);
  const Result<Ints> values = ToInts(*constant);
  if (!values.ok()) return ctx.In(i);
  Ints places = *values;
  for (std::int64_t& place : places) {
    if (place < 0 && size.IsConst()) place += size.value();
  }
  return ctx.file.Constant(
      Tensor::FromVector<std::int32_t>(constant->dims(), OpExport::Narrow(places)), "places");
}

Status WriteGather(OpExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int("axis", 0)));
  const Axes order = ctx.InType(1).rank() == 1 ? ctx.Cheapest() : Axes::kPlain;
  const TensorIndex places = PlacesOf(ctx, 1, ctx.InType().dim(axis));
  schema::GatherOptionsT options;
  options.axis = static_cast<std::int32_t>(OpExport::At(axis, ctx.Rank(), order));
  return ctx.Emit(schema::BuiltinOperator_GATHER, {ctx.In(0, order), places}, With(options), order);
}

Status WriteGatherNd(OpExport& ctx) {
  if (ctx.Int("batch_dims", 0) != 0)
    return Unsupported("batch_dims of {} are not written; 0 is", ctx.Int("batch_dims", 0));
  return ctx.Emit(schema::BuiltinOperator_GATHER_ND, {ctx.In(0), ctx.In(1)});
}

// By coordinates: those of the other axes count, each along its own.
Status WriteGatherElements(OpExport& ctx) {
  ATH_TRY(const std::int64_t axis, ctx.Axis(ctx.Int("axis", 0)));
  const TensorIndex places =
      ctx.Constant(1) != nullptr ? PlacesOf(ctx, 1, ctx.InType().dim(axis)) : ctx.Ints32(1);
  const TensorIndex none = ctx.Binary(kMulOp, places, ctx.Number(0, DType::kI32));
  Type column = ctx.file.TypeOf(places);
  column.shape->emplace_back(1);
  ATH_TRY(const TensorIndex shape, ctx.ShapeOf(places, column));
  std::vector<TensorIndex> parts;
  for (std::int64_t a = 0; a < ctx.Rank(); ++a) {
    TensorIndex numbers = places;
    if (a != axis) {
      numbers = ctx.Counting(places, a);
      Type along = ctx.file.TypeOf(numbers);
      along.shape->resize(static_cast<std::size_t>(ctx.Rank() - a), Dim(1));
      numbers = ctx.Binary(kAddOp, none, ctx.Shaped(numbers, along));
    }
    parts.push_back(ctx.Make(schema::BuiltinOperator_RESHAPE, {numbers, shape}, column));
  }
  column.shape->back() = Dim(ctx.Rank());
  schema::ConcatenationOptionsT concat;
  concat.axis = -1;
  const TensorIndex where = parts.size() == 1 ? parts[0]
                                              : ctx.Make(schema::BuiltinOperator_CONCATENATION,
                                                         parts, column, With(concat));
  return ctx.Emit(schema::BuiltinOperator_GATHER_ND, {ctx.In(0), where});
}

// What SCATTER_ND, which begins with 0, puts somewhere; the data elsewhere.
Status WriteScatterNd(OpExport& ctx) {
  const auto how = ctx.Attribute<std::string>("reduction", "none");
  const std::optional<Dims> dims = ctx.InType().StaticDims();
  const std::optional<Dims> updates = ctx.InType(2).StaticDims();
  if (!dims || !updates) return Unsupported("the sizes of its data and updates must be known");
  const TensorIndex shape = ctx.IntsConstant(*dims), places = ctx.Ints32(1);
  const auto scatter = [&](TensorIndex values, const Type& type) {
    return ctx.Make(schema::BuiltinOperator_SCATTER_ND, {places, values, shape}, type);
  };
  const TensorIndex put = scatter(ctx.In(2), ctx.InType());
  if (how == "add")
    return ctx.Emit(schema::BuiltinOperator_ADD, {ctx.In(0), put},
                    ArithmeticOptions(schema::BuiltinOperator_ADD, schema::Activation_NONE));
  if (how != "none") return Unsupported("reduction {} is not written; none and add are", how);
  const std::vector<std::int32_t> ones(static_cast<std::size_t>(CheckedCount(*updates).value_or(0)),
                                       1);
  Type counts = ctx.InType();
  counts.dtype = DType::kI32;
  const TensorIndex hits =
      scatter(ctx.file.Constant(Tensor::FromVector(*updates, ones), "ones"), counts);
  const TensorIndex hit =
      ctx.Binary(schema::BuiltinOperator_GREATER, hits, ctx.Number(0, DType::kI32));
  return ctx.Emit(schema::BuiltinOperator_SELECT_V2, {hit, put, ctx.In(0)});
}

Status WriteExpand(OpExport& ctx) {
  const std::optional<Dims> dims = ctx.OutType().StaticDims();
  if (dims)
    return ctx.Emit(schema::BuiltinOperator_BROADCAST_TO, {ctx.In(0), ctx.IntsConstant(*dims)});
  // A size of 1 in the shape keeps that of the data: a product broadcasts both ways.
  const DType dtype = ctx.InType().dtype;
  if (dtype != DType::kF32 && dtype != DType::kI32 && dtype != DType::kI64)
    return Unsupported("{} to a shape that is not known is not written", Name(dtype));
  Type ones = ctx.OutType();
  const TensorIndex one = ctx.Number(1, dtype);
  const TensorIndex filled = ctx.Make(schema::BuiltinOperator_FILL, {ctx.Ints32(1), one}, ones);
  return ctx.Emit(schema::BuiltinOperator_MUL, {ctx.In(0), filled},
                  ArithmeticOptions(schema::BuiltinOperator_MUL, schema::Activation_NONE));
}

Status WriteTile(OpExport& ctx) {
  return ctx.Emit(schema::BuiltinOperator_TILE, {ctx.In(0), ctx.Ints32(1)});
}

Status WriteConstantOfShape(OpExport& ctx) {
  const Tensor value = ctx.Attribute<Tensor>("value", Tensor::FromVector<float>({1}, {0}));
  return ctx.Emit(schema::BuiltinOperator_FILL,
                  {ctx.Ints32(0), ctx.file.Constant(value.Reshaped({}), "value")});
}

Status WriteRange(OpExport& ctx) {
  std::vector<TensorIndex> inputs;
  for (std::size_t i = 0; i < 3; ++i) {
    Type scalar = ctx.InType(i);
    scalar.shape = Shape();
    inputs.push_back(ctx.Rank(i) == 0 ? ctx.In(i) : ctx.Shaped(ctx.In(i), scalar));
  }
  return ctx.Emit(schema::BuiltinOperator_RANGE, inputs);
}

FileExport::Options WideShape() {
  schema::ShapeOptionsT options;
  options.out_type = schema::TensorType_INT64;
  return With(options);
}

Status WriteShape(OpExport& ctx) {
  const std::int64_t rank = ctx.Rank();
  const auto within = [rank](std::int64_t place) {
    return std::clamp<std::int64_t>(place < 0 ? place + rank : place, 0, rank);
  };
  const std::int64_t start = within(ctx.Int("start", 0));
  const std::int64_t end = within(ctx.Int("end", rank));
  if (start == 0 && end == rank)
    return ctx.Emit(schema::BuiltinOperator_SHAPE, {ctx.In()}, WideShape());
  const TensorIndex shape = ctx.Make(schema::BuiltinOperator_SHAPE, {ctx.In()},
                                     Type::Tensor(DType::kI64, {rank}), WideShape());
  return ctx.Emit(schema::BuiltinOperator_SLICE,
                  {shape, ctx.IntsConstant({start}),
                   ctx.IntsConstant({std::max<std::int64_t>(end - start, 0)})});
}

Status WriteSize(OpExport& ctx) {
  const TensorIndex shape = ctx.Make(schema::BuiltinOperator_SHAPE, {ctx.In()},
                                     Type::Tensor(DType::kI64, {ctx.Rank()}), WideShape());
  return ctx.Emit(schema::BuiltinOperator_REDUCE_PROD, {shape, ctx.IntsConstant({0})},
                  With(schema::ReducerOptionsT()));
}

Status WriteOneHot(OpExport& ctx) {
  const Tensor* values = ctx.Constant(2);
  if (values == nullptr || values->count() != 2) return Unsupported("its values must be constants");
  ATH_TRY(const std::vector<double> numbers, ToDoubles(*values));
  const DType dtype = ctx.InType(2).dtype;
  schema::OneHotOptionsT options;
  options.axis = static_cast<std::int32_t>(ctx.Int("axis", -1));
  Type scalar = Type::Tensor(DType::kI32, {});
  return ctx.Emit(schema::BuiltinOperator_ONE_HOT,
                  {ctx.In(0), ctx.Shaped(ctx.Ints32(1), scalar), ctx.Number(numbers[1], dtype),
                   ctx.Number(numbers[0], dtype)},
                  With(options));
}

// Places one below the other in TFLite, side by side in the graph.
Status WriteNonZero(OpExport& ctx) {
  TensorIndex x = ctx.In();
  if (ctx.InType().dtype != DType::kBool)
    x = ctx.Binary(schema::BuiltinOperator_NOT_EQUAL, x, ctx.Number(0, ctx.InType().dtype));
  const TensorIndex places =
      ctx.Make(schema::BuiltinOperator_WHERE, {x},
               Type::Tensor(DType::kI64, {ctx.OutType().dim(1), Dim(ctx.Rank())}));
  return ctx.Emit(schema::BuiltinOperator_TRANSPOSE, {places, ctx.IntsConstant({1, 0})});
}

// The matrix times 1 above (or below) a diagonal and 0 elsewhere.
Status WriteTrilu(OpExport& ctx) {
  const std::int64_t rank = ctx.Rank();
  const Dim &rows = ctx.InType().dim(rank - 2), &columns = ctx.InType().dim(rank - 1);
  std::int64_t diagonal = 0;
  if (ctx.Has(1)) {
    ATH_TRY(const Ints given, ctx.ConstantInts(1, "diagonal"));
    diagonal = given.at(0);
  }
  if (!rows.IsConst() || !columns.IsConst()) return Unsupported("the matrix's sizes must be known");
  const bool upper = ctx.Int("upper", 1) != 0;
  std::vector<std::uint8_t> kept;
  for (std::int64_t r = 0; r < rows.value(); ++r) {
    for (std::int64_t c = 0; c < columns.value(); ++c)
      kept.push_back((upper ? c - r >= diagonal : c - r <= diagonal) ? 1 : 0);
  }
  ATH_TRY(Tensor mask, Tensor::Allocate(DType::kBool, {rows.value(), columns.value()}));
  std::copy(kept.begin(), kept.end(), static_cast<std::uint8_t*>(mask.mutable_raw()));
  return ctx.Emit(schema::BuiltinOperator_SELECT_V2,
                  {ctx.file.Constant(mask, "mask"), ctx.In(), ctx.Number(0, ctx.InType().dtype)});
}

Status WriteSpaceToDepth(OpExport& ctx) {
  schema::SpaceToDepthOptionsT options;
  options.block_size = static_cast<std::int32_t>(ctx.Int("blocksize", 1));
  return ctx.Emit(schema::BuiltinOperator_SPACE_TO_DEPTH, {ctx.In(0, Axes::kLast)}, With(options),
                  Axes::kLast);
}

// Mode CRD has the channels of a block in another order.
Status WriteDepthToSpace(OpExport& ctx) {
  const std::int64_t block = ctx.Int("blocksize", 1);
  TensorIndex x = ctx.In(0, Axes::kLast);
  if (ctx.Attribute<std::string>("mode", "DCR") == "CRD") {
    const Dim& depth = ctx.InType().dim(1);
    if (!depth.IsConst()) return Unsupported("the number of channels must be known");
    const std::int64_t square = block * block, channels = depth.value() / square;
    Ints order;
    for (std::int64_t part = 0; part < square; ++part) {
      for (std::int64_t c = 0; c < channels; ++c) order.push_back(c * square + part);
    }
    schema::GatherOptionsT gather;
    gather.axis = 3;
    const Quantization scale = ctx.file.ScaleOf(x);
    const TensorIndex moved =
        ctx.file.AddTensor(ctx.node.name + "/channels", Type(ctx.file.TypeOf(x)), scale);
    ctx.file.AddOperator(schema::BuiltinOperator_GATHER, {x, ctx.IntsConstant(order)}, {moved},
                         With(gather));
    x = moved;
  }
  schema::DepthToSpaceOptionsT options;
  options.block_size = static_cast<std::int32_t>(block);
  return ctx.Emit(schema::BuiltinOperator_DEPTH_TO_SPACE, {x}, With(options), Axes::kLast);
}

// A box without height or width overlaps nothing, not even itself, so that LiteRT chooses it again
// and again. Where a side is 0 it becomes the shortest that floats tell apart, and boxes at one
// place come to lie beside each other: still nothing overlaps.
TensorIndex SpreadFlatBoxes(OpExport& ctx, TensorIndex boxes, std::int64_t count) {
  const Type pairs = Type::Tensor(DType::kF32, {Dim(count), Dim(2)});
  const TensorIndex size = ctx.IntsConstant({count, 2});
  const auto half = [&](std::int64_t from) {
    return ctx.Make(schema::BuiltinOperator_SLICE, {boxes, ctx.IntsConstant({0, from}), size},
                    pairs);
  };
  const TensorIndex starts = half(0), ends = half(2);
  const TensorIndex same = ctx.Make(schema::BuiltinOperator_EQUAL, {starts, ends},
                                    Type::Tensor(DType::kBool, {Dim(count), Dim(2)}));
  const TensorIndex is_flat = ctx.Make(schema::BuiltinOperator_CAST, {same}, pairs);
  TensorIndex step = ctx.Make(schema::BuiltinOperator_ABS, {starts}, pairs);
  step = ctx.Binary(kMulOp, step, ctx.Number(1e-6));
  step = ctx.Binary(kAddOp, step, ctx.Number(1e-9));
  step = ctx.Binary(kMulOp, step, is_flat);
  const auto moved = [&](TensorIndex side, int by) {
    std::vector<float> places(static_cast<std::size_t>(count));
    std::iota(places.begin(), places.end(), static_cast<float>(by));
    return ctx.Binary(kAddOp, side, ctx.Binary(kMulOp, step, ctx.Floats({count, 1}, places)));
  };
  schema::ConcatenationOptionsT options;
  options.axis = 1;
  return ctx.Make(schema::BuiltinOperator_CONCATENATION, {moved(starts, 0), moved(ends, 1)},
                  Type::Tensor(DType::kF32, {Dim(count), Dim(4)}), With(options));
}

// Class by class: TFLite chooses among the boxes of one, and says how many it has chosen.
Status WriteNonMaxSuppression(OpExport& ctx) {
  const Dim &batch = ctx.InType(0).dim(0), &count = ctx.InType(0).dim(1);
  const Dim& classes = ctx.InType(1).dim(1);
  if (!batch.Is(1) || !classes.IsConst() || !count.IsConst() || classes.value() > 1024)
    return Unsupported("{} of {} is written for 1 picture and classes that are known",
                       ctx.InType(1).ToString(), ctx.InType(0).ToString())
        .Fix("--set-dim N=1");
  if (ctx.Int("center_point_box", 0) != 0)
    return Unsupported("boxes by center and size are not written; by two corners they are");
  ATH_TRY(const Ints most, ctx.ConstantInts(2, "number of boxes"));
  ATH_TRY(const float overlap, ctx.ConstantFloat(3, 0));
  ATH_TRY(const float least, ctx.ConstantFloat(4, std::numeric_limits<float>::lowest()));
  const std::int64_t chosen = std::min(most.at(0), count.value());
  const Type none = Type::Tensor(DType::kI32, {}), line = Type::Tensor(DType::kI32, {Dim()});
  const TensorIndex boxes = SpreadFlatBoxes(
      ctx, ctx.Shaped(ctx.In(0), Type::Tensor(DType::kF32, {count, Dim(4)})), count.value());
  const TensorIndex limit = ctx.IntConstant(chosen), zero = ctx.IntsConstant({0});
  const TensorIndex iou = ctx.Number(static_cast<double>(overlap));
  const TensorIndex score = ctx.Number(static_cast<double>(least));
  const TensorIndex scores = ctx.Shaped(ctx.In(1), Type::Tensor(DType::kF32, {classes, count}));
  std::vector<TensorIndex> rows;
  for (std::int64_t c = 0; c < classes.value(); ++c) {
    const TensorIndex row =
        ctx.Make(schema::BuiltinOperator_GATHER, {scores, ctx.IntConstant(c)},
                 Type::Tensor(DType::kF32, {count}), With(schema::GatherOptionsT()));
    const TensorIndex found =
        ctx.file.AddTensor(ctx.node.name + "/found", Type::Tensor(DType::kI32, {Dim(chosen)}));
    const TensorIndex number = ctx.file.AddTensor(ctx.node.name + "/number", none);
    ctx.file.AddOperator(schema::BuiltinOperator_NON_MAX_SUPPRESSION_V4,
                         {boxes, row, limit, iou, score}, {found, number});
    const TensorIndex size = ctx.Shaped(number, Type::Tensor(DType::kI32, {Dim(1)}));
    const TensorIndex places = ctx.Make(schema::BuiltinOperator_SLICE, {found, zero, size}, line);
    const TensorIndex first = ctx.Binary(kMulOp, places, ctx.Number(0, DType::kI32));
    const TensorIndex second = ctx.Binary(kAddOp, first, ctx.IntConstant(c));
    schema::PackOptionsT pack;
    pack.values_count = 3;
    pack.axis = 1;
    rows.push_back(ctx.Make(schema::BuiltinOperator_PACK, {first, second, places},
                            Type::Tensor(DType::kI32, {Dim(), Dim(3)}), With(pack)));
  }
  TensorIndex all = rows[0];
  if (rows.size() > 1)
    all =
        ctx.Make(schema::BuiltinOperator_CONCATENATION, rows,
                 Type::Tensor(DType::kI32, {Dim(), Dim(3)}), With(schema::ConcatenationOptionsT()));
  return ctx.Emit(schema::BuiltinOperator_CAST, {all});
}

Status WriteReverseSequence(OpExport& ctx) {
  schema::ReverseSequenceOptionsT options;
  options.seq_dim = static_cast<std::int32_t>(ctx.Int("time_axis", 0));
  options.batch_dim = static_cast<std::int32_t>(ctx.Int("batch_axis", 1));
  return ctx.Emit(schema::BuiltinOperator_REVERSE_SEQUENCE, {ctx.In(0), ctx.In(1)}, With(options));
}

}  // namespace

// clang-format off
std::vector<ExportRow> TensorExportRows() {
  constexpr Integers kMoves = Integers::kOneScale;
  return {
      {"Concat", WriteConcat, false, kMoves},
      {"ConstantOfShape", WriteConstantOfShape},
      {"DepthToSpace", WriteDepthToSpace, false, kMoves, 1},
      {"Dropout", WriteIdentity},
      {"Expand", WriteExpand, false, kMoves, 1},
      {"Flatten", WriteReshape, false, kMoves, 1},
      {"Gather", WriteGather, false, kMoves, 1},
      {"GatherElements", WriteGatherElements},
      {"GatherND", WriteGatherNd, false, kMoves, 1},
      {"Identity", WriteIdentity},
      {"NonMaxSuppression", WriteNonMaxSuppression},
      {"NonZero", WriteNonZero},
      {"OneHot", WriteOneHot},
      {"Pad", WritePad, false, kMoves, 1, FitsPad},
      {"Range", WriteRange},
      {"Reshape", WriteReshape, false, kMoves, 1},
      {"ReverseSequence", WriteReverseSequence},
      {"ScatterND", WriteScatterNd},
      {"Shape", WriteShape},
      {"Size", WriteSize},
      {"Slice", WriteSlice, false, kMoves, 1},
      {"SpaceToDepth", WriteSpaceToDepth, false, kMoves, 1},
      {"Split", WriteSplit, false, kMoves, 1},
      {"Squeeze", WriteReshape, false, kMoves, 1},
      {"Tile", WriteTile, false, kMoves, 1},
      {"Transpose", WriteTranspose, false, kMoves, 1},
      {"Trilu", WriteTrilu},
      {"Unsqueeze", WriteReshape, false, kMoves, 1},
  };
}
// clang-format on

}  // namespace athanor::tflite
