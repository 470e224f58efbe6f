// Pad and CenterCropPad.
#include <algorithm>

#include "core/checked.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

struct PadAttrs {
  std::string mode = "constant";
  template <class V>
  void Visit(V& v) {
    v("mode", mode,
      "what fills the border: constant, reflect (without the edge itself), edge or wrap");
  }
};

// The axes that are padded: all when the input is omitted. Nothing when they are not known yet.
Result<std::optional<std::vector<std::int64_t>>> PaddedAxes(const InferCtx& ctx,
                                                            std::int64_t rank) {
  if (!ctx.Has(3)) return std::optional(Counting(rank));
  const auto given = ctx.ConstInts(3);
  if (!given) return std::optional<std::vector<std::int64_t>>();
  ATH_TRY(std::vector<std::int64_t> axes, NormalizeAxes(*given, rank));
  return std::optional(std::move(axes));
}

Status InferPad(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectSameDType(0, 2));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 3));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(3, 1));
  const auto attrs = ctx.Attrs<PadAttrs>();
  if (attrs.mode != "constant" && attrs.mode != "reflect" && attrs.mode != "edge" &&
      attrs.mode != "wrap") {
    return InvalidModel("mode \"{}\": constant, reflect, edge or wrap is expected", attrs.mode);
  }
  const Type& data = ctx.In(0);
  ctx.out[0] = data;
  if (!data.HasRank()) return {};
  ATH_TRY(const auto axes, PaddedAxes(ctx, data.rank()));
  const std::optional<athanor::Shape> pads = ctx.Ints(1);
  if (!axes || !pads) {
    ctx.out[0].shape = athanor::Shape(data.shape->size());
    return {};
  }
  const std::size_t count = axes->size();
  if (pads->size() != 2 * count)
    return InvalidModel("{} pads are given; {} are expected", pads->size(), 2 * count);
  for (std::size_t i = 0; i < count; ++i) {
    const Dim &begin = (*pads)[i], &end = (*pads)[count + i];
    Dim& dim = (*ctx.out[0].shape)[static_cast<std::size_t>((*axes)[i])];
    const Dim padded = dim + begin + end;
    if (padded.IsUnknown() && dim.IsConst() && begin.IsConst() && end.IsConst())
      return Error(ErrorCode::kResource, "a padded size is too large");
    if (padded.IsConst() && padded.value() < 0)
      return InvalidModel("pads {} and {} remove more than the {} there are", begin.ToString(),
                          end.ToString(), dim.ToString());
    const bool from_nothing = dim.Is(0) && padded.IsConst() && padded.value() > 0;
    if (from_nothing && attrs.mode != "constant")
      return InvalidModel("an empty axis cannot be padded in mode {}", attrs.mode);
    dim = padded;
  }
  return {};
}

// Which element lies at position i, counted from the first element, of an endless continuation.
std::int64_t Continue(std::int64_t i, std::int64_t size, const std::string& mode) {
  if (i >= 0 && i < size) return i;
  if (mode == "constant") return -1;
  if (mode == "edge") return i < 0 ? 0 : size - 1;
  const auto modulo = [](std::int64_t a, std::int64_t n) { return (a % n + n) % n; };
  if (mode == "wrap") return modulo(i, size);
  if (size == 1) return 0;
  const std::int64_t period = 2 * (size - 1);
  const std::int64_t phase = modulo(i, period);
  return phase < size ? phase : period - phase;
}

// Constant padding fills everything first: the border is usually thin.
Status PadReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const auto attrs = ctx.Attrs<PadAttrs>();
  const Tensor& data = ctx.In(0);
  Tensor& out = ctx.Out(0);
  ATH_TRY(const std::vector<std::int64_t> pads, ToInts(ctx.In(1)));
  std::vector<std::int64_t> axes = Counting(data.rank());
  if (ctx.Has(3)) {
    ATH_TRY(axes, ToInts(ctx.In(3)));
    ATH_TRY(axes, NormalizeAxes(axes, data.rank()));
  }
  std::vector<Dims> maps;
  for (const std::int64_t size : data.dims()) maps.push_back(Counting(size));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Dims& map = maps[static_cast<std::size_t>(axes[i])];
    const std::int64_t size = data.dim(axes[i]);
    map.resize(static_cast<std::size_t>(out.dim(axes[i])));
    for (std::size_t o = 0; o < map.size(); ++o)
      map[o] = Continue(static_cast<std::int64_t>(o) - pads[i], size, attrs.mode);
  }
  if (attrs.mode == "constant") {
    if (ctx.Has(2) && ctx.In(2).count() != 1)
      return DataError("the constant has {} elements; 1 is expected", ctx.In(2).count());
    ctx.Has(2) ? FillElements(out, ctx.In(2)) : FillZero(out);
  }
  CopyMapped(data, maps, out);
  return {};
}

struct CenterCropPadAttrs {
  std::optional<std::vector<std::int64_t>> axes;
  template <class V>
  void Visit(V& v) {
    v("axes", axes, "the axes the shape speaks of; all when absent");
  }
};

Result<std::vector<std::int64_t>> CroppedAxes(const CenterCropPadAttrs& attrs, std::int64_t rank) {
  if (!attrs.axes) return Counting(rank);
  return NormalizeAxes(*attrs.axes, rank);
}

Status InferCenterCropPad(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  ATH_RETURN_IF_ERROR(ExpectIndices(ctx, 1));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(1, 1));
  const Type& data = ctx.In(0);
  ctx.out[0] = data;
  if (!data.HasRank()) return {};
  ATH_TRY(const auto axes, CroppedAxes(ctx.Attrs<CenterCropPadAttrs>(), data.rank()));
  const std::optional<athanor::Shape> target = ctx.Ints(1);
  if (target && target->size() != axes.size())
    return InvalidModel("{} sizes are given; {} are expected", target->size(), axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Dim size = target ? (*target)[i] : Dim::Unknown();
    if (size.IsConst() && size.value() < 0) return InvalidModel("a size is {}", size.value());
    (*ctx.out[0].shape)[static_cast<std::size_t>(axes[i])] = size;
  }
  return {};
}

Status CenterCropPadReference(RefCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectOutput(ctx));
  const Tensor& data = ctx.In(0);
  Tensor& out = ctx.Out(0);
  std::vector<Dims> maps;
  for (std::int64_t axis = 0; axis < data.rank(); ++axis) {
    const std::int64_t from = data.dim(axis), to = out.dim(axis);
    // Rounded down: the spare element of an odd difference lies at the end.
    const std::int64_t shift = from > to ? (from - to) / 2 : -((to - from) / 2);
    Dims map(static_cast<std::size_t>(to));
    for (std::size_t o = 0; o < map.size(); ++o) {
      const std::int64_t i = static_cast<std::int64_t>(o) + shift;
      map[o] = i >= 0 && i < from ? i : -1;
    }
    maps.push_back(std::move(map));
  }
  FillZero(out);
  CopyMapped(data, maps, out);
  return {};
}

}  // namespace

OpDef Pad() {
  return {
      .name = "Pad",
      .summary = "Adds a border, or with negative pads removes one.",
      .inputs = {{"data", "any type"},
                 {"pads", "i64 list: the begins of all axes, then the ends"},
                 {"constant_value", "one element; 0 when omitted", kOptionalPort},
                 {"axes", "i32 or i64 list: the axes the pads speak of; all when omitted",
                  kOptionalPort}},
      .outputs = {{"output", "each axis longer by its begin and end"}},
      .attributes = Describe<PadAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferPad,
      .reference = PadReference,
  };
}

OpDef CenterCropPad() {
  return {
      .name = "CenterCropPad",
      .summary = "Crops or zero-pads axes to given sizes, keeping the centre in the centre.",
      .inputs = {{"input_data", "any type"}, {"shape", "i64 list: the size of each of the axes"}},
      .outputs = {{"output_data", "the given sizes"}},
      .attributes = Describe<CenterCropPadAttrs>(),
      .traits = kPure | kDataMovement,
      .infer = InferCenterCropPad,
      .reference = CenterCropPadReference,
  };
}

}  // namespace athanor::ops
