// Sequences: lists of values that grow and shrink while a model runs.
#include <algorithm>

#include "ops/broadcast.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

Status ExpectSequence(const InferCtx& ctx) {
  if (ctx.In(0).kind == TypeKind::kSequence) return {};
  return InvalidModel("input 0: a sequence is expected, {} is given", ctx.In(0).ToString());
}

Status ExpectItems(const RefCtx& ctx) {
  if (ctx.InDatum(0).IsSequence()) return {};
  return DataError("input 0: a sequence is expected, none is there");
}

// The type of both: what an absent (still unknown) type says nothing about is left to the other.
Result<Type> Join(const Type& a, const Type& b) {
  if (a.kind == TypeKind::kAbsent) return b;
  if (b.kind == TypeKind::kAbsent) return a;
  std::optional<Type> common = CommonType(a, b);
  if (!common)
    return InvalidModel("{} and {} cannot be in one sequence", a.ToString(), b.ToString());
  return *std::move(common);
}

// The position input, made non-negative. `size` is the number of allowed positions.
Result<std::size_t> Position(const RefCtx& ctx, std::size_t input, std::int64_t items,
                             std::int64_t size) {
  if (ctx.In(input).count() != 1)
    return DataError("a position has {} elements; 1 is expected", ctx.In(input).count());
  ATH_TRY(const std::vector<std::int64_t> given, ToInts(ctx.In(input)));
  if (given[0] < -items || given[0] >= size)
    return DataError("position {} is outside [{}, {}]", given[0], -items, size - 1);
  return static_cast<std::size_t>(given[0] < 0 ? given[0] + items : given[0]);
}

Status InferConstruct(InferCtx& ctx) {
  Type element;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    ATH_TRY(element, Join(element, ctx.In(i)));
  }
  ctx.out[0] = Type::Sequence(std::move(element));
  return {};
}

Status ConstructReference(RefCtx& ctx) {
  std::vector<Datum> items;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) items.push_back(ctx.InDatum(i));
  ctx.out[0] = Datum::Sequence(std::move(items));
  return {};
}

struct EmptyAttrs {
  DType dtype = DType::kF32;
  template <class V>
  void Visit(V& v) {
    v("dtype", dtype, "element type of the tensors that will be in it");
  }
};

Status InferEmpty(InferCtx& ctx) {
  ctx.out[0] = Type::Sequence(Type::TensorOfUnknownRank(ctx.Attrs<EmptyAttrs>().dtype));
  return {};
}

Status EmptyReference(RefCtx& ctx) {
  ctx.out[0] = Datum::Sequence({});
  return {};
}

Status InferAt(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectSequence(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ctx.out[0] = *ctx.In(0).element;
  return {};
}

Status AtReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectItems(ctx));
  const std::vector<Datum>& items = ctx.InDatum(0).items();
  const auto count = static_cast<std::int64_t>(items.size());
  ATH_TRY(const std::size_t at, Position(ctx, 1, count, count));
  ctx.out[0] = items[at];
  return {};
}

Status InferInsert(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectSequence(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 2));
  ATH_TRY(Type element, Join(*ctx.In(0).element, ctx.In(1)));
  ctx.out[0] = Type::Sequence(std::move(element));
  return {};
}

Status InsertReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectItems(ctx));
  std::vector<Datum> items = ctx.InDatum(0).items();
  std::size_t at = items.size();
  if (ctx.Has(2)) {
    const auto count = static_cast<std::int64_t>(items.size());
    ATH_TRY(at, Position(ctx, 2, count, count + 1));
  }
  items.insert(items.begin() + static_cast<std::ptrdiff_t>(at), ctx.InDatum(1));
  ctx.out[0] = Datum::Sequence(std::move(items));
  return {};
}

Status InferErase(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectSequence(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ctx.out[0] = ctx.In(0);
  return {};
}

Status EraseReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectItems(ctx));
  std::vector<Datum> items = ctx.InDatum(0).items();
  const auto count = static_cast<std::int64_t>(items.size());
  if (count == 0) return DataError("nothing can be erased from an empty sequence");
  std::size_t at = items.size() - 1;
  if (ctx.Has(1)) {
    ATH_TRY(at, Position(ctx, 1, count, count));
  }
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  ctx.out[0] = Datum::Sequence(std::move(items));
  return {};
}

Status InferLength(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectSequence(ctx));
  ctx.out[0] = Type::Tensor(DType::kI64, {});
  return {};
}

Status LengthReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectItems(ctx));
  ctx.out[0] = Tensor::Scalar(static_cast<std::int64_t>(ctx.InDatum(0).items().size()));
  return {};
}

struct SplitAttrs {
  std::int64_t axis = 0;
  bool keepdims = true;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "which axis is cut");
    v("keepdims", keepdims, "0: drop the axis of the parts; only without 'split'");
  }
};

Status InferSplit(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  const auto attrs = ctx.Attrs<SplitAttrs>();
  Type part = ctx.In(0);
  if (part.HasRank()) {
    ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, part.rank()));
    athanor::Shape& shape = *part.shape;
    shape[static_cast<std::size_t>(axis)] = ctx.Has(1) ? Dim::Unknown() : Dim(1);
    if (!ctx.Has(1) && !attrs.keepdims) shape.erase(shape.begin() + axis);
  }
  ctx.out[0] = Type::Sequence(std::move(part));
  return {};
}

// Sizes of the parts along the axis.
Result<std::vector<std::int64_t>> PartSizes(const RefCtx& ctx, std::int64_t size) {
  if (ctx.Has(1) && ctx.In(1).rank() > 0) {
    ATH_TRY(std::vector<std::int64_t> sizes, ToInts(ctx.In(1)));
    std::int64_t left = size;
    for (const std::int64_t part : sizes) {
      if (part < 0 || part > left) return DataError("a part of {} of the {} left", part, left);
      left -= part;
    }
    if (left != 0) return DataError("the parts leave {} of an axis of {}", left, size);
    return sizes;
  }
  std::int64_t chunk = 1;
  if (ctx.Has(1)) {
    ATH_TRY(const std::vector<std::int64_t> given, ToInts(ctx.In(1)));
    chunk = given[0];
  }
  if (chunk < 1) return DataError("parts of size {}", chunk);
  std::vector<std::int64_t> sizes;
  for (std::int64_t left = size; left > 0; left -= sizes.back())
    sizes.push_back(std::min(chunk, left));
  return sizes;
}

Status SplitReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<SplitAttrs>();
  const Tensor& input = ctx.In(0);
  ATH_TRY(const std::int64_t axis, NormalizeAxis(attrs.axis, input.rank()));
  ATH_TRY(const std::vector<std::int64_t> sizes, PartSizes(ctx, input.dim(axis)));
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t outer = CountOf(input.dims(), 0, at);
  const std::int64_t inner = CountOf(input.dims(), at + 1, input.dims().size());
  std::vector<Datum> parts;
  std::int64_t start = 0;
  for (const std::int64_t size : sizes) {
    Dims dims = input.dims();
    dims[at] = size;
    ATH_TRY(Tensor part, Tensor::Allocate(input.dtype(), dims));
    for (std::int64_t o = 0; o < outer; ++o) {
      CopyElements(input, (o * input.dim(axis) + start) * inner, part, o * size * inner,
                   size * inner);
    }
    start += size;
    dims.erase(dims.begin() + axis);
    const bool drop = !ctx.Has(1) && !attrs.keepdims;
    parts.emplace_back(drop ? part.Reshaped(std::move(dims)) : std::move(part));
  }
  ctx.out[0] = Datum::Sequence(std::move(parts));
  return {};
}

struct ConcatAttrs {
  std::int64_t axis = 0;
  bool new_axis = false;
  template <class V>
  void Visit(V& v) {
    v("axis", axis, "along which axis the tensors follow each other", kRequired);
    v("new_axis", new_axis, "1: the axis is a new one (stacking)");
  }
};

Status InferConcat(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectSequence(ctx));
  const auto attrs = ctx.Attrs<ConcatAttrs>();
  const Type& element = *ctx.In(0).element;
  if (element.kind != TypeKind::kAbsent && !element.IsTensor())
    return InvalidModel("a sequence of tensors is expected, {} is given", ctx.In(0).ToString());
  ctx.out[0] = Type::TensorOfUnknownRank(element.dtype);
  if (!element.HasRank()) return {};
  athanor::Shape shape = *element.shape;
  ATH_TRY(const std::int64_t axis,
          NormalizeAxis(attrs.axis, element.rank() + (attrs.new_axis ? 1 : 0)));
  if (attrs.new_axis) shape.insert(shape.begin() + axis, Dim());
  shape[static_cast<std::size_t>(axis)] = Dim::Unknown();
  ctx.out[0].shape = std::move(shape);
  return {};
}

Status ConcatReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectItems(ctx));
  const auto attrs = ctx.Attrs<ConcatAttrs>();
  const std::vector<Datum>& items = ctx.InDatum(0).items();
  if (items.empty()) return DataError("an empty sequence cannot be joined to a tensor");
  Dims dims = items[0].tensor().dims();
  ATH_TRY(const std::int64_t axis,
          NormalizeAxis(attrs.axis, items[0].tensor().rank() + (attrs.new_axis ? 1 : 0)));
  const auto at = static_cast<std::size_t>(axis);
  if (attrs.new_axis) dims.insert(dims.begin() + axis, 1);
  std::vector<Tensor> parts;
  std::int64_t total = 0;
  for (const Datum& item : items) {
    Dims own = item.tensor().dims();
    if (attrs.new_axis && own.size() + 1 == dims.size()) own.insert(own.begin() + axis, 1);
    const std::int64_t size = own.size() == dims.size() ? own[at] : 0;
    dims[at] = size;
    if (own != dims || item.tensor().dtype() != items[0].tensor().dtype()) {
      return DataError("{} and {} cannot be joined along axis {}", ToString(item.tensor().dims()),
                       ToString(items[0].tensor().dims()), axis);
    }
    total += size;
    parts.push_back(item.tensor().Reshaped(std::move(own)));
  }
  dims[at] = total;
  const std::int64_t outer = CountOf(dims, 0, at), inner = CountOf(dims, at + 1, dims.size());
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, parts[0].dtype(), std::move(dims)));
  std::int64_t start = 0;
  for (const Tensor& part : parts) {
    const std::int64_t run = part.dim(axis) * inner;
    for (std::int64_t o = 0; o < outer; ++o)
      CopyElements(part, o * run, ctx.Out(0), (o * total + start) * inner, run);
    start += part.dim(axis);
  }
  return {};
}

}  // namespace

OpDef ConcatFromSequence() {
  return {.name = "ConcatFromSequence",
          .summary = "Joins the tensors of a sequence along an axis, or stacks them on a new one.",
          .inputs = {{"input_sequence", "tensors of one element type"}},
          .outputs = {{"concat_result", "one tensor"}},
          .attributes = Describe<ConcatAttrs>(),
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferConcat,
          .reference = ConcatReference};
}

OpDef SequenceAt() {
  return {.name = "SequenceAt",
          .summary = "The value at a position of a sequence.",
          .inputs = {{"input_sequence", "a sequence"},
                     {"position", "i32 or i64 scalar; negative counts from the end"}},
          .outputs = {{"tensor", "the value there"}},
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferAt,
          .reference = AtReference};
}

OpDef SequenceConstruct() {
  return {.name = "SequenceConstruct",
          .summary = "A sequence of the inputs.",
          .inputs = {{"inputs", "tensors of one element type", kVariadicPort}},
          .outputs = {{"output_sequence", "a sequence"}},
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferConstruct,
          .reference = ConstructReference};
}

OpDef SequenceEmpty() {
  return {.name = "SequenceEmpty",
          .summary = "A sequence without values.",
          .outputs = {{"output", "a sequence"}},
          .attributes = Describe<EmptyAttrs>(),
          .traits = kPure | kDataMovement,
          .infer = InferEmpty,
          .reference = EmptyReference};
}

OpDef SequenceErase() {
  return {.name = "SequenceErase",
          .summary = "A sequence without the value at a position.",
          .inputs = {{"input_sequence", "a sequence"},
                     {"position", "i32 or i64 scalar; the last value when omitted", kOptionalPort}},
          .outputs = {{"output_sequence", "one value less"}},
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferErase,
          .reference = EraseReference};
}

OpDef SequenceInsert() {
  return {.name = "SequenceInsert",
          .summary = "A sequence with one more value before a position.",
          .inputs = {{"input_sequence", "a sequence"},
                     {"tensor", "the new value"},
                     {"position", "i32 or i64 scalar; the end when omitted", kOptionalPort}},
          .outputs = {{"output_sequence", "one value more"}},
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferInsert,
          .reference = InsertReference};
}

OpDef SequenceLength() {
  return {.name = "SequenceLength",
          .summary = "How many values a sequence has.",
          .inputs = {{"input_sequence", "a sequence"}},
          .outputs = {{"length", "i64 scalar"}},
          .traits = kPure | kDataMovement | kAnyKind | kDataDependent,
          .infer = InferLength,
          .reference = LengthReference};
}

OpDef SplitToSequence() {
  return {.name = "SplitToSequence",
          .summary = "Cuts a tensor along an axis into a sequence of parts.",
          .inputs = {{"input", "any type"},
                     {"split",
                      "i32 or i64: one size for all parts (scalar) or the size of each; 1 "
                      "when omitted",
                      kOptionalPort}},
          .outputs = {{"output_sequence", "the parts, in order"}},
          .attributes = Describe<SplitAttrs>(),
          .traits = kPure | kDataMovement,
          .infer = InferSplit,
          .reference = SplitReference};
}

}  // namespace athanor::ops
