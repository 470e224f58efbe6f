// Moving elements: shapes, slices, concatenation, padding, indices. Integers with a scale move as
// they are.
#include <algorithm>
#include <limits>
#include <numeric>

#include "frontends/split_lengths.h"
#include "frontends/tflite/op_import.h"
#include "frontends/tflite/tensor_type.h"

namespace athanor::tflite {
namespace {

// A shape, axes or the like in the type that the graph's operators take.
Result<ValueId> AsI64(OpImport& ctx, std::size_t i) {
  if (ctx.InType(i).dtype == DType::kI64) return ctx.Stored(i);
  if (const Tensor* constant = ctx.Constant(i)) {
    ATH_TRY(const Ints values, ToInts(*constant));
    return ctx.graph.AddConstant(Tensor::FromVector<std::int64_t>(constant->dims(), values));
  }
  return ctx.Add("Cast", {ctx.Stored(i)}, {{"to", DType::kI64}});
}

// The graph's operator on elements as they stand, with inputs 1 and up as i64.
Status Move(OpImport& ctx, std::string_view name, std::size_t num_inputs, AttrMap attributes = {}) {
  ATH_RETURN_IF_ERROR(ctx.Expect(num_inputs));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  std::vector<ValueId> inputs = {ctx.Stored(0)};
  for (std::size_t i = 1; i < num_inputs; ++i) {
    ATH_TRY(const ValueId value, AsI64(ctx, i));
    inputs.push_back(value);
  }
  return ctx.GiveStored(ctx.Add(name, inputs, std::move(attributes)));
}

// The shape is input 1, or an option, or that of the output.
Status Reshape(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const bool has_shape = ctx.Has(1) && !(ctx.Constant(1) != nullptr && ctx.InType(1).HasRank() &&
                                         ctx.InType(1).rank() != 1);
  if (has_shape) return Move(ctx, "Reshape", 2, {{"allowzero", std::int64_t{1}}});
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  const auto* options = ctx.op.builtin_options_as<schema::ReshapeOptions>();
  Ints shape;
  if (options != nullptr && options->new_shape() != nullptr) {
    shape.assign(options->new_shape()->begin(), options->new_shape()->end());
  } else {
    for (const Dim& dim : ctx.Out(0).shape) {
      if (!dim.IsConst()) return Unsupported("the shape of the result must be known");
      shape.push_back(dim.value());
    }
  }
  return ctx.GiveStored(
      ctx.Add("Reshape", {ctx.Stored(0), ctx.Constants(shape)}, {{"allowzero", std::int64_t{1}}}));
}

Status Squeeze(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  const auto* options = ctx.op.builtin_options_as<schema::SqueezeOptions>();
  std::vector<ValueId> inputs = {ctx.Stored(0)};
  if (options != nullptr && options->squeeze_dims() != nullptr &&
      options->squeeze_dims()->size() > 0)
    inputs.push_back(
        ctx.Constants({options->squeeze_dims()->begin(), options->squeeze_dims()->end()}));
  return ctx.GiveStored(ctx.Add("Squeeze", inputs));
}

Status ExpandDims(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const Ints axes, ctx.KnownInts(1));
  if (axes.size() != 1) return InvalidModel("one axis is expected, not {}", axes.size());
  return ctx.GiveStored(ctx.Add("Unsqueeze", {ctx.Stored(0), ctx.Constants(axes)}));
}

Status Transpose(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const Ints perm, ctx.KnownInts(1));
  return ctx.GiveStored(ctx.Permuted(ctx.Stored(0), perm));
}

// Rows [before, after] in the file, all befores and then all afters in the graph.
Result<Ints> PadAmounts(const OpImport& ctx, std::size_t i) {
  ATH_TRY(const Ints rows, ctx.KnownInts(i));
  Ints amounts(rows.size(), 0);
  if (rows.size() % 2 != 0)
    return InvalidModel("{} amounts of padding; pairs are expected", rows.size());
  const std::size_t rank = rows.size() / 2;
  for (std::size_t a = 0; a < rank; ++a) {
    amounts[a] = rows[2 * a];
    amounts[a + rank] = rows[2 * a + 1];
  }
  if (std::any_of(amounts.begin(), amounts.end(), [](std::int64_t n) { return n < 0; }))
    return InvalidModel("an amount of padding is negative");
  return amounts;
}

// The integer that stands for 0, or nothing where 0 stands for itself.
Result<ValueId> Zero(OpImport& ctx) {
  const Quantization& quantization = ctx.In(0).quantization;
  if (!quantization) return kNoValue;
  ATH_TRY(Tensor zero, Tensor::Allocate(ctx.In(0).dtype, {}));
  using Types = TypeList<std::int8_t, std::uint8_t, std::int16_t, std::int32_t>;
  ATH_RETURN_IF_ERROR(Dispatch(Types{}, zero.dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    zero.MutableData<T>()[0] = static_cast<T>(quantization.zero_points[0]);
    return {};
  }));
  return ctx.graph.AddConstant(std::move(zero));
}

Status Pad(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const Ints amounts, PadAmounts(ctx, 1));
  ATH_TRY(const ValueId zero, Zero(ctx));
  std::vector<ValueId> inputs = {ctx.Stored(0), ctx.Constants(amounts)};
  if (zero != kNoValue) inputs.push_back(zero);
  return ctx.GiveStored(ctx.Add("Pad", inputs));
}

Status PadV2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const Ints amounts, PadAmounts(ctx, 1));
  ATH_TRY(const ValueId value, ctx.Add("Reshape", {ctx.Stored(2), ctx.Constants({})}));  // a scalar
  return ctx.GiveStored(ctx.Add("Pad", {ctx.Stored(0), ctx.Constants(amounts), value}));
}

// SYMMETRIC repeats the border; the graph's Pad has no such mode.
Status MirrorPad(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const auto* options, OptionsOf<schema::MirrorPadOptions>(ctx));
  if (options->mode() != schema::MirrorPadMode_REFLECT)
    return Unsupported("MIRROR_PAD is read in mode REFLECT only");
  ATH_TRY(const Ints amounts, PadAmounts(ctx, 1));
  return ctx.GiveStored(
      ctx.Add("Pad", {ctx.Stored(0), ctx.Constants(amounts)}, {{"mode", std::string("reflect")}}));
}

// Inputs of the output's scale are joined as they are; others would be computed with.
Status Concatenation(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const auto* options, OptionsOf<schema::ConcatenationOptions>(ctx));
  bool same = options->activation() == schema::Activation_NONE;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.Has(i)) return InvalidModel("input {} is missing", i);
    same = same && ctx.In(i).quantization == ctx.Out(0).quantization;
  }
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    ATH_TRY(const ValueId value, same ? Result<ValueId>(ctx.Stored(i)) : ctx.Real(i));
    inputs.push_back(value);
  }
  Result<ValueId> all =
      ctx.Add("Concat", inputs, {{"axis", static_cast<std::int64_t>(options->axis())}});
  return same ? ctx.GiveStored(std::move(all)) : ctx.Give(std::move(all), options->activation());
}

Status Pack(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const auto* options, OptionsOf<schema::PackOptions>(ctx));
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.Has(i)) return InvalidModel("input {} is missing", i);
    ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(i));
    ATH_TRY(const ValueId value,
            ctx.Add("Unsqueeze", {ctx.Stored(i), ctx.Constants({options->axis()})}));
    inputs.push_back(value);
  }
  return ctx.GiveStored(
      ctx.Add("Concat", inputs, {{"axis", static_cast<std::int64_t>(options->axis())}}));
}

Status GiveParts(OpImport& ctx, std::size_t input, const std::vector<ValueId>& parts) {
  for (std::size_t o = 0; o < parts.size(); ++o) {
    ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(input, o));
    ATH_RETURN_IF_ERROR(ctx.GiveStored(parts[o], schema::Activation_NONE, {}, o));
  }
  return {};
}

Status Unpack(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const auto* options, OptionsOf<schema::UnpackOptions>(ctx));
  const std::size_t count = ctx.num_outputs();
  const auto axis = static_cast<std::int64_t>(options->axis());
  ATH_TRY(std::vector<ValueId> parts,
          ctx.AddMany("Split", {ctx.Stored(0)},
                      {{"axis", axis}, {"num_outputs", static_cast<std::int64_t>(count)}}, count));
  for (ValueId& part : parts) {
    ATH_TRY(part, ctx.Add("Squeeze", {part, ctx.Constants({axis})}));
  }
  return GiveParts(ctx, 0, parts);
}

Result<std::int64_t> KnownAxis(const OpImport& ctx, std::size_t i) {
  ATH_TRY(const Ints axes, ctx.KnownInts(i));
  if (axes.size() != 1) return InvalidModel("one axis is expected, not {}", axes.size());
  return axes[0];
}

Status Split(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const std::int64_t axis, KnownAxis(ctx, 0));
  const std::size_t count = ctx.num_outputs();
  ATH_TRY(const std::vector<ValueId> parts,
          ctx.AddMany("Split", {ctx.Stored(1)},
                      {{"axis", axis}, {"num_outputs", static_cast<std::int64_t>(count)}}, count));
  return GiveParts(ctx, 1, parts);
}

Status SplitV(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const std::int64_t axis, KnownAxis(ctx, 2));
  ATH_TRY(Ints sizes, ctx.KnownInts(1));
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  const std::int64_t at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank)
    return InvalidModel("axis {} is outside a tensor of rank {}", axis, rank);
  ATH_RETURN_IF_ERROR(CompleteLengths(sizes, ctx.InType(0).dim(at)));
  ATH_TRY(const std::vector<ValueId> parts,
          ctx.AddMany("Split", {ctx.Stored(0), ctx.Constants(sizes)}, {{"axis", axis}},
                      ctx.num_outputs()));
  return GiveParts(ctx, 0, parts);
}

constexpr std::int64_t kFarEnd = std::numeric_limits<std::int64_t>::max();

Status Slice(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  if (!ctx.KnownInts(1).ok() || !ctx.KnownInts(2).ok()) {
    const Result<Ints> sizes = ctx.KnownInts(2);
    if (sizes.ok() && std::count(sizes->begin(), sizes->end(), -1) > 0)
      return Unsupported("SLICE from computed places to the end is not read; of a size it is");
    ATH_TRY(const ValueId start, AsI64(ctx, 1));
    ATH_TRY(const ValueId length, AsI64(ctx, 2));
    ATH_TRY(const ValueId stop, ctx.Add("Add", {start, length}));
    return ctx.GiveStored(ctx.Add("Slice", {ctx.Stored(0), start, stop}));
  }
  ATH_TRY(const Ints begin, ctx.KnownInts(1));
  ATH_TRY(const Ints size, ctx.KnownInts(2));
  if (begin.size() != size.size())
    return InvalidModel("{} starts and {} sizes are given", begin.size(), size.size());
  Ints end, axes(begin.size());
  std::iota(axes.begin(), axes.end(), 0);
  for (std::size_t i = 0; i < begin.size(); ++i) {
    if (begin[i] < 0 || size[i] < -1 || size[i] > kFarEnd - begin[i])
      return InvalidModel("a slice from {} of size {}", begin[i], size[i]);
    end.push_back(size[i] == -1 ? kFarEnd : begin[i] + size[i]);
  }
  return ctx.GiveStored(ctx.Add(
      "Slice", {ctx.Stored(0), ctx.Constants(begin), ctx.Constants(end), ctx.Constants(axes)}));
}

// What x[begin:end:stride, ..., index, newaxis] says, one entry of the file at a time.
struct Strided {
  Ints starts, ends, axes, steps;  // of Slice
  Ints squeezed;                   // axes that an index takes away
};

Result<Strided> ReadStrided(const OpImport& ctx, const schema::StridedSliceOptions& options) {
  ATH_TRY(const Ints begin, ctx.KnownInts(1));
  ATH_TRY(const Ints end, ctx.KnownInts(2));
  ATH_TRY(const Ints strides, ctx.KnownInts(3));
  if (begin.size() != end.size() || begin.size() != strides.size() || begin.size() > 32)
    return InvalidModel("{} starts, {} ends and {} strides", begin.size(), end.size(),
                        strides.size());
  if (options.ellipsis_mask() != 0 || options.new_axis_mask() != 0)
    return Unsupported("STRIDED_SLICE with an ellipsis or new axes is not read");
  Strided result;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    const auto is_set = [&](std::int32_t mask) {
      return ((static_cast<std::uint32_t>(mask) >> i) & 1U) != 0;
    };
    const auto axis = static_cast<std::int64_t>(i);
    if (strides[i] == 0) return InvalidModel("the stride of axis {} is 0", i);
    result.axes.push_back(axis);
    if (is_set(options.shrink_axis_mask())) {
      result.squeezed.push_back(axis);
      result.starts.push_back(begin[i]);
      result.ends.push_back(begin[i] == -1 ? kFarEnd : begin[i] + 1);
      result.steps.push_back(1);
      continue;
    }
    const bool forward = strides[i] > 0;
    const std::int64_t stop = options.offset() ? begin[i] + end[i] : end[i];
    result.starts.push_back(!is_set(options.begin_mask()) ? begin[i] : forward ? 0 : kFarEnd);
    result.ends.push_back(!is_set(options.end_mask()) ? stop : forward ? kFarEnd : -kFarEnd);
    result.steps.push_back(strides[i]);
  }
  return result;
}

// One entry per axis, as constants or from a list that is computed; masked entries are `otherwise`.
Result<ValueId> Limits(OpImport& ctx, std::size_t i, std::int32_t mask, std::int64_t count,
                       std::int64_t otherwise) {
  ATH_TRY(const ValueId list, AsI64(ctx, i));
  std::vector<ValueId> parts;
  for (std::int64_t axis = 0; axis < count; ++axis) {
    if (((static_cast<std::uint32_t>(mask) >> axis) & 1U) != 0) {
      parts.push_back(ctx.Constants({otherwise}));
      continue;
    }
    ATH_TRY(const ValueId one, ctx.Add("Gather", {list, ctx.Constants({axis})}));
    parts.push_back(one);
  }
  return ctx.Add("Concat", parts, {{"axis", std::int64_t{0}}});
}

// Places that follow while running, one step after the other.
Status ComputedSlice(OpImport& ctx, const schema::StridedSliceOptions& options) {
  ATH_TRY(const Ints strides, ctx.KnownInts(3));
  if (strides != Ints(strides.size(), 1) || strides.empty() || strides.size() > 32 ||
      options.ellipsis_mask() != 0 || options.new_axis_mask() != 0 ||
      options.shrink_axis_mask() != 0 || options.offset())
    return Unsupported("STRIDED_SLICE from computed places is read with steps of 1 and all axes");
  const auto count = static_cast<std::int64_t>(strides.size());
  ATH_TRY(const ValueId starts, Limits(ctx, 1, options.begin_mask(), count, 0));
  ATH_TRY(const ValueId ends, Limits(ctx, 2, options.end_mask(), count, kFarEnd));
  return ctx.GiveStored(ctx.Add("Slice", {ctx.Stored(0), starts, ends}));
}

Status StridedSlice(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(4));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const auto* options, OptionsOf<schema::StridedSliceOptions>(ctx));
  if (!ctx.KnownInts(1).ok() || !ctx.KnownInts(2).ok()) return ComputedSlice(ctx, *options);
  ATH_TRY(const Strided slice, ReadStrided(ctx, *options));
  ATH_TRY(ValueId value,
          ctx.Add("Slice", {ctx.Stored(0), ctx.Constants(slice.starts), ctx.Constants(slice.ends),
                            ctx.Constants(slice.axes), ctx.Constants(slice.steps)}));
  if (!slice.squeezed.empty()) {
    ATH_TRY(value, ctx.Add("Squeeze", {value, ctx.Constants(slice.squeezed)}));
  }
  return ctx.GiveStored(value);
}

Status Gather(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  const auto* options = ctx.op.builtin_options_as<schema::GatherOptions>();
  if (options != nullptr && options->batch_dims() != 0)
    return Unsupported("GATHER with batch_dims {} is not read; 0 is", options->batch_dims());
  const std::int64_t axis = options == nullptr ? 0 : options->axis();
  return ctx.GiveStored(ctx.Add("Gather", {ctx.Stored(0), ctx.Stored(1)}, {{"axis", axis}}));
}

Status GatherNd(OpImport& ctx) { return Move(ctx, "GatherND", 2); }
Status Tile(OpImport& ctx) { return Move(ctx, "Tile", 2); }
Status BroadcastTo(OpImport& ctx) { return Move(ctx, "Expand", 2); }

Status Embedding(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  if (ctx.In(1).quantization) return Unsupported("a quantised table of embeddings is not read");
  return ctx.GiveStored(ctx.Add("Gather", {ctx.Stored(1), ctx.Stored(0)}));
}

Status ShapeOf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const ValueId shape, ctx.Add("Shape", {ctx.Stored(0)}));
  if (ctx.Out(0).dtype == DType::kI64) return ctx.GiveStored(shape);
  return ctx.GiveStored(ctx.Add("Cast", {shape}, {{"to", ctx.Out(0).dtype}}));
}

Status SelectBy(OpImport& ctx, ValueId condition) {
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(1));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(2));
  return ctx.GiveStored(ctx.Add("Where", {condition, ctx.Stored(1), ctx.Stored(2)}));
}

Status SelectV2(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  return SelectBy(ctx, ctx.Stored(0));
}

// A vector picks among rows, where SELECT_V2 would let it pick among the elements of each row.
Status Select(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  ATH_TRY(const std::int64_t data_rank, ctx.RankOf(1));
  ValueId condition = ctx.Stored(0);
  if (rank == 1 && data_rank > 1) {
    Ints axes;
    for (std::int64_t axis = 1; axis < data_rank; ++axis) axes.push_back(axis);
    ATH_TRY(condition, ctx.Add("Unsqueeze", {condition, ctx.Constants(axes)}));
  }
  return SelectBy(ctx, condition);
}

Status Fill(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId shape, AsI64(ctx, 0));
  return ctx.GiveStored(ctx.Add("Expand", {ctx.Stored(1), shape}));
}

Status Range(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  return ctx.GiveStored(ctx.Add("Range", {ctx.Stored(0), ctx.Stored(1), ctx.Stored(2)}));
}

Status BlocksAndDepth(OpImport& ctx, std::string_view name, std::int64_t block,
                      AttrMap attributes) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  attributes.Set("blocksize", block);
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.Stored(0), kToNchw));
  return ctx.GiveStored(ctx.Add(name, {x}, std::move(attributes)), schema::Activation_NONE,
                        kToNhwc);
}

Status DepthToSpace(OpImport& ctx) {
  ATH_TRY(const auto* options, OptionsOf<schema::DepthToSpaceOptions>(ctx));
  return BlocksAndDepth(ctx, "DepthToSpace", options->block_size(), {});
}

Status SpaceToDepth(OpImport& ctx) {
  ATH_TRY(const auto* options, OptionsOf<schema::SpaceToDepthOptions>(ctx));
  return BlocksAndDepth(ctx, "SpaceToDepth", options->block_size(), {});
}

// The size of a picture, and the block, of SPACE_TO_BATCH_ND and its inverse.
struct Blocks {
  std::int64_t height = 0, width = 0, channels = 0;
  std::int64_t block_height = 1, block_width = 1;
};

Result<Blocks> ReadBlocks(const OpImport& ctx) {
  const Type& type = ctx.InType(0);
  ATH_TRY(const Ints block, ctx.KnownInts(1));
  const bool is_picture = type.HasRank() && type.rank() == 4 && type.dim(1).IsConst() &&
                          type.dim(2).IsConst() && type.dim(3).IsConst();
  if (!is_picture || block.size() != 2)
    return Unsupported("blocks of {} in {} are not read; of 2 axes in a picture of known size are",
                       ToString(block), type.ToString());
  constexpr std::int64_t kLargest = 1 << 16;
  if (block[0] < 1 || block[1] < 1 || block[0] > kLargest || block[1] > kLargest)
    return InvalidModel("blocks of {}", ToString(block));
  if (std::max(type.dim(1).value(), type.dim(2).value()) > std::int64_t{1} << 40)
    return InvalidModel("a picture of {}", type.ToString());
  return Blocks{type.dim(1).value(), type.dim(2).value(), type.dim(3).value(), block[0], block[1]};
}

// [n, h, w, c] -> [bh * bw * n, h / bh, w / bw, c] after padding.
Status SpaceToBatch(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(Blocks b, ReadBlocks(ctx));
  ATH_TRY(const Ints amounts, PadAmounts(ctx, 2));
  if (amounts.size() != 4) return InvalidModel("padding of 2 axes is expected");
  b.height += amounts[0] + amounts[2];
  b.width += amounts[1] + amounts[3];
  if (b.height % b.block_height != 0 || b.width % b.block_width != 0)
    return InvalidModel("a padded picture of {} x {} has no whole number of blocks of {} x {}",
                        b.height, b.width, b.block_height, b.block_width);
  ATH_TRY(const ValueId zero, Zero(ctx));
  std::vector<ValueId> inputs = {
      ctx.Stored(0), ctx.Constants({0, amounts[0], amounts[1], 0, 0, amounts[2], amounts[3], 0})};
  if (zero != kNoValue) inputs.push_back(zero);
  const std::int64_t rows = b.height / b.block_height, columns = b.width / b.block_width;
  ATH_TRY(ValueId x, ctx.Add("Pad", inputs));
  ATH_TRY(x, ctx.Add("Reshape", {x, ctx.Constants({-1, rows, b.block_height, columns, b.block_width,
                                                   b.channels})}));
  ATH_TRY(x, ctx.Permuted(x, {2, 4, 0, 1, 3, 5}));
  return ctx.GiveStored(ctx.Add("Reshape", {x, ctx.Constants({-1, rows, columns, b.channels})}));
}

Status BatchToSpace(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameScale(0));
  ATH_TRY(const Blocks b, ReadBlocks(ctx));
  ATH_TRY(const Ints crops, PadAmounts(ctx, 2));
  if (crops.size() != 4) return InvalidModel("crops of 2 axes are expected");
  ATH_TRY(ValueId x,
          ctx.Add("Reshape", {ctx.Stored(0), ctx.Constants({b.block_height, b.block_width, -1,
                                                            b.height, b.width, b.channels})}));
  ATH_TRY(x, ctx.Permuted(x, {2, 3, 0, 4, 1, 5}));
  const std::int64_t height = b.height * b.block_height, width = b.width * b.block_width;
  ATH_TRY(x, ctx.Add("Reshape", {x, ctx.Constants({-1, height, width, b.channels})}));
  if (crops[0] + crops[2] > height || crops[1] + crops[3] > width)
    return InvalidModel("crops of {} from a picture of {} x {}", ToString(crops), height, width);
  return ctx.GiveStored(ctx.Add(
      "Slice", {x, ctx.Constants({crops[0], crops[1]}),
                ctx.Constants({height - crops[2], width - crops[3]}), ctx.Constants({1, 2})}));
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> TensorRows() {
  return {
      {.code = schema::BuiltinOperator_BATCH_TO_SPACE_ND, .make = BatchToSpace},
      {.code = schema::BuiltinOperator_BROADCAST_TO, .make = BroadcastTo},
      {.code = schema::BuiltinOperator_CONCATENATION, .make = Concatenation},
      {.code = schema::BuiltinOperator_DEPTH_TO_SPACE, .make = DepthToSpace},
      {.code = schema::BuiltinOperator_EMBEDDING_LOOKUP, .make = Embedding},
      {.code = schema::BuiltinOperator_EXPAND_DIMS, .make = ExpandDims},
      {.code = schema::BuiltinOperator_FILL, .make = Fill},
      {.code = schema::BuiltinOperator_GATHER, .make = Gather},
      {.code = schema::BuiltinOperator_GATHER_ND, .make = GatherNd},
      {.code = schema::BuiltinOperator_MIRROR_PAD, .make = MirrorPad},
      {.code = schema::BuiltinOperator_PACK, .make = Pack},
      {.code = schema::BuiltinOperator_PAD, .make = Pad},
      {.code = schema::BuiltinOperator_PADV2, .make = PadV2},
      {.code = schema::BuiltinOperator_RANGE, .make = Range},
      {.code = schema::BuiltinOperator_RESHAPE, .make = Reshape},
      {.code = schema::BuiltinOperator_SELECT, .make = Select},
      {.code = schema::BuiltinOperator_SELECT_V2, .make = SelectV2},
      {.code = schema::BuiltinOperator_SHAPE, .make = ShapeOf},
      {.code = schema::BuiltinOperator_SLICE, .make = Slice},
      {.code = schema::BuiltinOperator_SPACE_TO_BATCH_ND, .make = SpaceToBatch},
      {.code = schema::BuiltinOperator_SPACE_TO_DEPTH, .make = SpaceToDepth},
      {.code = schema::BuiltinOperator_SPLIT, .make = Split},
      {.code = schema::BuiltinOperator_SPLIT_V, .make = SplitV},
      {.code = schema::BuiltinOperator_SQUEEZE, .make = Squeeze},
      {.code = schema::BuiltinOperator_STRIDED_SLICE, .make = StridedSlice},
      {.code = schema::BuiltinOperator_TILE, .make = Tile},
      {.code = schema::BuiltinOperator_TRANSPOSE, .make = Transpose},
      {.code = schema::BuiltinOperator_UNPACK, .make = Unpack},
  };
}
// clang-format on

}  // namespace athanor::tflite
