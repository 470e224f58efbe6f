// Parts of tensors: slices with masks, mirrored borders, blocks.
#include <algorithm>
#include <limits>

#include "frontends/tensorflow/op_import.h"

namespace athanor::tensorflow {
namespace {

constexpr std::int64_t kFarEnd = std::numeric_limits<std::int64_t>::max();

Status SliceOf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  const Result<Ints> begin = ctx.KnownInts(1), size = ctx.KnownInts(2);
  if (!begin.ok() || !size.ok()) {
    // A size of -1 cannot be told from the others while running, so it is looked for now.
    ATH_TRY(const ValueId first, ctx.AsI64(1));
    ATH_TRY(const ValueId sizes, ctx.AsI64(2));
    const auto& known = ctx.graph.value(sizes).ints;
    const bool has_rest = size.ok() && std::count(size->begin(), size->end(), -1) > 0;
    if (has_rest || (!size.ok() && !known))
      return Unsupported("a Slice is read whose begin or size is constant, or follows from sizes");
    ATH_TRY(const ValueId end, ctx.Add("Add", {first, sizes}));
    return ctx.Give(ctx.Add("Slice", {ctx.In(0), first, end}));
  }
  if (begin->size() != size->size())
    return InvalidModel("{} starts and {} sizes are given", begin->size(), size->size());
  Ints end;
  for (std::size_t i = 0; i < begin->size(); ++i) {
    if ((*begin)[i] < 0 || (*size)[i] < -1)
      return InvalidModel("a slice from {} of size {}", (*begin)[i], (*size)[i]);
    end.push_back((*size)[i] == -1 ? kFarEnd : (*begin)[i] + (*size)[i]);
  }
  if (begin->empty()) return ctx.Give(ctx.In(0));
  return ctx.Give(ctx.Add("Slice", {ctx.In(0), ctx.Constants(*begin), ctx.Constants(end)}));
}

// One entry of x[a:b:c, ..., i, newaxis], on axis `axis` of the input.
struct Entry {
  std::size_t at = 0;  // its place in begin, end and strides
  std::int64_t axis = 0;
  bool is_index = false;
};

struct StridedSpec {
  std::vector<Entry> entries;  // slices and indices
  Ints new_axes;               // in the result before indices take theirs away
  Ints indexed;                // axes, in the same counting, that indices take away
};

bool IsSet(std::int64_t mask, std::size_t i) {
  return ((static_cast<std::uint64_t>(mask) >> i) & 1U) != 0;
}

Result<StridedSpec> ReadSpec(const OpImport& ctx, std::size_t count) {
  if (count > 32) return InvalidModel("{} entries of a slice", count);
  const std::int64_t ellipsis = ctx.Int("ellipsis_mask", 0), inserted = ctx.Int("new_axis_mask", 0);
  const std::int64_t shrink = ctx.Int("shrink_axis_mask", 0);
  std::int64_t consumed = 0;
  for (std::size_t i = 0; i < count; ++i) consumed += !IsSet(ellipsis, i) && !IsSet(inserted, i);
  StridedSpec spec;
  std::int64_t axis = 0, result_axis = 0;
  bool seen = false;
  for (std::size_t i = 0; i < count; ++i) {
    if (IsSet(ellipsis, i)) {
      ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
      if (seen || rank < consumed) return InvalidModel("{} entries for rank {}", consumed, rank);
      seen = true;
      axis += rank - consumed;
      result_axis += rank - consumed;
    } else if (IsSet(inserted, i)) {
      spec.new_axes.push_back(result_axis++);
    } else {
      const bool is_index = IsSet(shrink, i);
      if (is_index) spec.indexed.push_back(result_axis);
      spec.entries.push_back({i, axis++, is_index});
      ++result_axis;
    }
  }
  return spec;
}

Result<ValueId> CutKnown(OpImport& ctx, const StridedSpec& spec, const Ints& begin, const Ints& end,
                         const Ints& strides) {
  Ints starts, ends, axes, steps;
  for (const Entry& entry : spec.entries) {
    const std::int64_t first = begin[entry.at];
    const bool forward = strides[entry.at] > 0;
    if (strides[entry.at] == 0) return InvalidModel("a stride is 0");
    axes.push_back(entry.axis);
    if (entry.is_index) {
      starts.push_back(first);
      ends.push_back(first == -1 ? kFarEnd : first + 1);
      steps.push_back(1);
      continue;
    }
    const bool from_start = IsSet(ctx.Int("begin_mask", 0), entry.at);
    const bool to_end = IsSet(ctx.Int("end_mask", 0), entry.at);
    starts.push_back(!from_start ? first : forward ? 0 : kFarEnd);
    ends.push_back(!to_end ? end[entry.at] : forward ? kFarEnd : -kFarEnd);
    steps.push_back(strides[entry.at]);
  }
  if (axes.empty()) return ctx.In(0);
  return ctx.Add("Slice", {ctx.In(0), ctx.Constants(starts), ctx.Constants(ends),
                           ctx.Constants(axes), ctx.Constants(steps)});
}

// Positions that are computed while running: one axis after the other.
Result<ValueId> CutComputed(OpImport& ctx, const StridedSpec& spec, const Ints& strides) {
  ATH_TRY(const ValueId begin, ctx.AsI64(1));
  ATH_TRY(const ValueId end, ctx.AsI64(2));
  ValueId x = ctx.In(0);
  for (const Entry& entry : spec.entries) {
    const auto number = static_cast<std::int64_t>(entry.at);
    const auto of = [&](ValueId list) {
      return ctx.Add("Slice", {list, ctx.Constants({number}), ctx.Constants({number + 1})});
    };
    ATH_TRY(ValueId start, of(begin));
    if (entry.is_index) {
      ATH_TRY(x, ctx.Add("Gather", {x, start}, {{"axis", entry.axis}}));
      continue;
    }
    const std::int64_t step = strides[entry.at];
    if (step == 0) return InvalidModel("a stride is 0");
    ATH_TRY(ValueId stop, of(end));
    if (IsSet(ctx.Int("begin_mask", 0), entry.at)) start = ctx.Constants({step > 0 ? 0 : kFarEnd});
    if (IsSet(ctx.Int("end_mask", 0), entry.at))
      stop = ctx.Constants({step > 0 ? kFarEnd : -kFarEnd});
    ATH_TRY(x,
            ctx.Add("Slice", {x, start, stop, ctx.Constants({entry.axis}), ctx.Constants({step})}));
  }
  return x;
}

Status StridedSliceOf(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(4));
  ATH_TRY(const Ints strides, ctx.KnownInts(3));
  ATH_TRY(StridedSpec spec, ReadSpec(ctx, strides.size()));
  const Result<Ints> begin = ctx.KnownInts(1), end = ctx.KnownInts(2);
  ValueId x = kNoValue;
  if (begin.ok() && end.ok()) {
    if (begin->size() != strides.size() || end->size() != strides.size())
      return InvalidModel("{} starts, {} ends and {} strides", begin->size(), end->size(),
                          strides.size());
    ATH_TRY(x, CutKnown(ctx, spec, *begin, *end, strides));
  } else {
    ATH_TRY(x, CutComputed(ctx, spec, strides));
  }
  if (!spec.new_axes.empty()) {
    ATH_TRY(x, ctx.Add("Unsqueeze", {x, ctx.Constants(spec.new_axes)}));
  }
  if (!spec.indexed.empty()) {
    ATH_TRY(x, ctx.Add("Squeeze", {x, ctx.Constants(spec.indexed)}));
  }
  return ctx.Give(x);
}

// Rows [before, after] in the file, all befores and then all afters in the graph.
Result<ValueId> PadAmounts(OpImport& ctx, std::size_t i) {
  ATH_TRY(const ValueId rows, ctx.AsI64(i));
  ATH_TRY(const ValueId columns, ctx.Add("Transpose", {rows}, {{"perm", Ints{1, 0}}}));
  return ctx.Add("Reshape", {columns, ctx.Constants({-1})});
}

Status Pad(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const ValueId amounts, PadAmounts(ctx, 1));
  std::vector<ValueId> inputs = {ctx.In(0), amounts};
  if (ctx.Has(2)) {
    ATH_TRY(const ValueId value, ctx.Add("Reshape", {ctx.In(2), ctx.Constants({})}));
    inputs.push_back(value);
  }
  return ctx.Give(ctx.Add("Pad", inputs));
}

// SYMMETRIC repeats the border, which the graph's Pad cannot: the ends are mirrored as slices.
Result<ValueId> PadSymmetric(OpImport& ctx, const Ints& rows) {
  ValueId x = ctx.In(0);
  for (std::size_t axis = 0; 2 * axis + 1 < rows.size(); ++axis) {
    const std::int64_t before = rows[2 * axis], after = rows[2 * axis + 1];
    if (before < 0 || after < 0) return InvalidModel("an amount of padding is negative");
    const auto mirrored = [&](std::int64_t from, std::int64_t to) {
      return ctx.Add("Slice",
                     {x, ctx.Constants({from}), ctx.Constants({to}),
                      ctx.Constants({static_cast<std::int64_t>(axis)}), ctx.Constants({-1})});
    };
    std::vector<ValueId> parts;
    if (before > 0) {
      ATH_TRY(const ValueId part, mirrored(before - 1, -kFarEnd));
      parts.push_back(part);
    }
    parts.push_back(x);
    if (after > 0) {
      ATH_TRY(const ValueId part, mirrored(kFarEnd, -1 - after));
      parts.push_back(part);
    }
    if (parts.size() == 1) continue;
    ATH_TRY(x, ctx.Add("Concat", parts, {{"axis", static_cast<std::int64_t>(axis)}}));
  }
  return x;
}

Status MirrorPad(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  if (ctx.String("mode") == "SYMMETRIC") {
    ATH_TRY(const Ints rows, ctx.KnownInts(1));
    return ctx.Give(PadSymmetric(ctx, rows));
  }
  ATH_TRY(const ValueId amounts, PadAmounts(ctx, 1));
  return ctx.Give(ctx.Add("Pad", {ctx.In(0), amounts}, {{"mode", std::string("reflect")}}));
}

// What SpaceToBatchND and its inverse are given: blocks, and a row of padding or crops per block.
struct Blocks {
  Ints sizes;
  ValueId shape = kNoValue;  // of the input, i64
  ValueId rows = kNoValue;   // [m, 2], i64
  std::int64_t rank = 0;
  std::int64_t count = 0;  // of blocked axes
};

Result<Blocks> ReadBlocks(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  Blocks blocks;
  ATH_TRY(blocks.sizes, ctx.KnownInts(1));
  ATH_TRY(blocks.rank, ctx.RankOf(0));
  blocks.count = static_cast<std::int64_t>(blocks.sizes.size());
  if (blocks.count < 1 || blocks.count + 1 > blocks.rank)
    return InvalidModel("{} block sizes for rank {}", blocks.count, blocks.rank);
  for (const std::int64_t size : blocks.sizes) {
    if (size < 1 || size > 1 << 16) return InvalidModel("blocks of {}", ToString(blocks.sizes));
  }
  ATH_TRY(blocks.rows, ctx.AsI64(2));
  return blocks;
}

// Column `c` of the rows as a list.
Result<ValueId> Column(OpImport& ctx, const Blocks& blocks, std::int64_t c) {
  ATH_TRY(const ValueId column, ctx.Add("Slice", {blocks.rows, ctx.Constants({c}),
                                                  ctx.Constants({c + 1}), ctx.Constants({1})}));
  return ctx.Add("Reshape", {column, ctx.Constants({-1})});
}

Result<ValueId> Joined(OpImport& ctx, std::vector<ValueId> lists) {
  return ctx.Add("Concat", lists, {{"axis", std::int64_t{0}}});
}

Result<ValueId> SizesFrom(OpImport& ctx, ValueId x, std::int64_t start, std::int64_t end) {
  return ctx.Add("Shape", {x}, {{"start", start}, {"end", end}});
}

// [n, s..., rest] -> [b... * n, s / b..., rest] after padding.
Status SpaceToBatch(OpImport& ctx) {
  ATH_TRY(const Blocks blocks, ReadBlocks(ctx));
  const std::int64_t m = blocks.count;
  const Ints none(static_cast<std::size_t>(blocks.rank - 1 - m), 0);
  ATH_TRY(const ValueId before, Column(ctx, blocks, 0));
  ATH_TRY(const ValueId after, Column(ctx, blocks, 1));
  ATH_TRY(const ValueId pads, Joined(ctx, {ctx.Constants({0}), before, ctx.Constants(none),
                                           ctx.Constants({0}), after, ctx.Constants(none)}));
  ATH_TRY(ValueId x, ctx.Add("Pad", {ctx.In(0), pads}));
  ATH_TRY(const ValueId spatial, SizesFrom(ctx, x, 1, m + 1));
  ATH_TRY(const ValueId parts, ctx.Add("Div", {spatial, ctx.Constants(blocks.sizes)}));
  ATH_TRY(const ValueId rest, SizesFrom(ctx, x, m + 1, blocks.rank));
  std::vector<ValueId> split = {ctx.Constants({-1})};
  Ints perm;
  for (std::int64_t i = 0; i < m; ++i) {
    ATH_TRY(const ValueId part,
            ctx.Add("Slice", {parts, ctx.Constants({i}), ctx.Constants({i + 1})}));
    split.push_back(part);
    split.push_back(ctx.Constants({blocks.sizes[static_cast<std::size_t>(i)]}));
    perm.push_back(2 * i + 2);
  }
  perm.push_back(0);
  for (std::int64_t i = 0; i < m; ++i) perm.push_back(2 * i + 1);
  for (std::int64_t i = m + 1; i < blocks.rank; ++i) perm.push_back(i + m);
  split.push_back(rest);
  ATH_TRY(const ValueId shape, Joined(ctx, std::move(split)));
  ATH_TRY(x, ctx.Add("Reshape", {x, shape}));
  ATH_TRY(x, ctx.Permuted(x, perm));
  ATH_TRY(const ValueId result, Joined(ctx, {ctx.Constants({-1}), parts, rest}));
  return ctx.Give(ctx.Add("Reshape", {x, result}));
}

// The inverse, with crops instead of padding.
Status BatchToSpace(OpImport& ctx) {
  ATH_TRY(const Blocks blocks, ReadBlocks(ctx));
  const std::int64_t m = blocks.count;
  ATH_TRY(const ValueId spatial, SizesFrom(ctx, ctx.In(0), 1, m + 1));
  ATH_TRY(const ValueId rest, SizesFrom(ctx, ctx.In(0), m + 1, blocks.rank));
  ATH_TRY(const ValueId shape,
          Joined(ctx, {ctx.Constants(blocks.sizes), ctx.Constants({-1}), spatial, rest}));
  ATH_TRY(ValueId x, ctx.Add("Reshape", {ctx.In(0), shape}));
  Ints perm = {m};
  for (std::int64_t i = 0; i < m; ++i) {
    perm.push_back(m + 1 + i);
    perm.push_back(i);
  }
  for (std::int64_t i = m + 1; i < blocks.rank; ++i) perm.push_back(i + m);
  ATH_TRY(x, ctx.Permuted(x, perm));
  ATH_TRY(const ValueId sizes, ctx.Add("Mul", {spatial, ctx.Constants(blocks.sizes)}));
  ATH_TRY(const ValueId whole, Joined(ctx, {ctx.Constants({-1}), sizes, rest}));
  ATH_TRY(x, ctx.Add("Reshape", {x, whole}));
  ATH_TRY(const ValueId first, Column(ctx, blocks, 0));
  ATH_TRY(const ValueId crops, Column(ctx, blocks, 1));
  ATH_TRY(const ValueId last, ctx.Add("Sub", {sizes, crops}));
  Ints axes;
  for (std::int64_t i = 0; i < m; ++i) axes.push_back(i + 1);
  return ctx.Give(ctx.Add("Slice", {x, first, last, ctx.Constants(axes)}));
}

Status BlocksAndDepth(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  const std::string format = ctx.String("data_format", "NHWC");
  if (format != "NHWC" && format != "NCHW")
    return Unsupported("data format {} is not read; NHWC and NCHW are", format);
  const bool moves = format == "NHWC";
  ATH_TRY(const ValueId x, ctx.Permuted(ctx.In(0), moves ? kToNchw : Ints{}));
  ATH_TRY(const ValueId y, ctx.Add(ctx.row.as, {x}, {{"blocksize", ctx.Int("block_size", 0)}}));
  return ctx.Give(ctx.Permuted(y, moves ? kToNhwc : Ints{}));
}

Status Reverse(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(2));
  ATH_TRY(const Ints axes, ctx.KnownInts(1));
  if (axes.empty()) return ctx.Give(ctx.In(0));
  const auto all = [&](std::int64_t value) { return ctx.Constants(Ints(axes.size(), value)); };
  return ctx.Give(
      ctx.Add("Slice", {ctx.In(0), all(kFarEnd), all(-kFarEnd), ctx.Constants(axes), all(-1)}));
}

// The last `shift` elements move to the front, axis by axis.
Status Roll(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(3));
  ATH_TRY(const Ints shifts, ctx.KnownInts(1));
  ATH_TRY(const Ints axes, ctx.KnownInts(2));
  if (shifts.size() != axes.size())
    return InvalidModel("{} shifts of {} axes", shifts.size(), axes.size());
  ATH_TRY(const std::int64_t rank, ctx.RankOf(0));
  ValueId x = ctx.In(0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return InvalidModel("axis {} of rank {}", axes[i], rank);
    const Dim& size = ctx.TypeOf(x).dim(axis);
    if (!size.IsConst()) return Unsupported("the size along axis {} must be known", axis);
    if (size.value() == 0) continue;
    const std::int64_t shift = ((shifts[i] % size.value()) + size.value()) % size.value();
    if (shift == 0) continue;
    const auto part = [&](std::int64_t from, std::int64_t to) {
      return ctx.Add("Slice",
                     {x, ctx.Constants({from}), ctx.Constants({to}), ctx.Constants({axis})});
    };
    ATH_TRY(const ValueId tail, part(size.value() - shift, kFarEnd));
    ATH_TRY(const ValueId head, part(0, size.value() - shift));
    ATH_TRY(x, ctx.Add("Concat", {tail, head}, {{"axis", axis}}));
  }
  return ctx.Give(x);
}

}  // namespace

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> SliceRows() {
  return {
      {.op = "BatchToSpaceND", .make = BatchToSpace},
      {.op = "DepthToSpace", .make = BlocksAndDepth, .as = "DepthToSpace"},
      {.op = "MirrorPad", .make = MirrorPad},
      {.op = "Pad", .make = Pad},
      {.op = "PadV2", .make = Pad},
      {.op = "ReverseV2", .make = Reverse},
      {.op = "Roll", .make = Roll},
      {.op = "Slice", .make = SliceOf},
      {.op = "SpaceToBatchND", .make = SpaceToBatch},
      {.op = "SpaceToDepth", .make = BlocksAndDepth, .as = "SpaceToDepth"},
      {.op = "StridedSlice", .make = StridedSliceOf},
  };
}
// clang-format on

}  // namespace athanor::tensorflow
