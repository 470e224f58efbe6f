#include "ops/nn/nn.h"
#include "ops/nn/window.h"

namespace athanor::ops {
namespace {

struct Col2ImAttrs {
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads;
  std::vector<std::int64_t> strides;
  template <class V>
  void Visit(V& v) {
    v("dilations", dilations, "distance between elements of a block per axis; empty: 1");
    v("pads", pads, "padding of the image, first all begins, then all ends; empty: 0");
    v("strides", strides, "step between blocks per axis; empty: 1");
  }
};

// Blocks slide over the image as a window does: `in` is the image, `out` counts the blocks.
Result<std::vector<WindowAxis>> Blocks(const Col2ImAttrs& attrs,
                                       std::span<const std::int64_t> image,
                                       std::span<const std::int64_t> block) {
  if (image.empty() || image.size() != block.size())
    return InvalidModel("image_shape {} and block_shape {} differ in length", ToString(image),
                        ToString(block));
  ATH_TRY(const WindowSpec spec,
          MakeWindow(block, attrs.strides, attrs.dilations, attrs.pads, "NOTSET"));
  return ResolveWindow(spec, image);
}

Status InferCol2im(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectFloat(ctx, 0));
  ATH_RETURN_IF_ERROR(ctx.ExpectRank(0, 3));
  const Type& x = ctx.In(0);
  for (const std::size_t i : {1, 2}) {
    ATH_RETURN_IF_ERROR(ctx.ExpectRank(i, 1));
    if (ctx.InDType(i) != DType::kI64) return InvalidModel("input {} must be i64", i);
  }
  const auto image = ctx.ConstInts(1), block = ctx.ConstInts(2);
  ctx.out[0] = Type::TensorOfUnknownRank(x.dtype);
  if (!image || !block) return {};
  ATH_TRY(const std::vector<WindowAxis> axes, Blocks(ctx.Attrs<Col2ImAttrs>(), *image, *block));
  Dim taps = 1, blocks = 1;
  for (const WindowAxis& axis : axes) {
    taps = taps * Dim(axis.kernel);
    blocks = blocks * Dim(axis.out);
  }
  if (!taps.IsConst() || !blocks.IsConst()) return InvalidModel("the blocks are too large");
  Shape out(2);
  if (x.HasRank()) {
    if (x.dim(1).IsConst() && x.dim(1).value() % taps.value() != 0)
      return InvalidModel("{} rows do not hold blocks of {} elements", x.dim(1).value(),
                          taps.value());
    ATH_RETURN_IF_ERROR(ExpectDim(ctx, 0, 2, blocks));
    out = {x.dim(0), FloorDiv(x.dim(1), taps)};
  }
  out.insert(out.end(), image->begin(), image->end());
  ctx.out[0] = Type::Tensor(x.dtype, std::move(out));
  return {};
}

Status Col2imReference(RefCtx& ctx) {
  const auto image = ctx.Data<std::int64_t>(1), block = ctx.Data<std::int64_t>(2);
  ATH_TRY(const std::vector<WindowAxis> axes, Blocks(ctx.Attrs<Col2ImAttrs>(), image, block));
  if (ctx.Out(0).count() == 0) return {};
  const std::int64_t taps = TapCount(axes), blocks = OutCount(axes), size = InCount(axes);
  const std::int64_t planes = ctx.Out(0).count() / size;
  return Dispatch(FloatTypes{}, ctx.In(0).dtype(), [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    const T* x = ctx.Data<T>(0).data();
    std::vector<ComputeType<T>> sums(static_cast<std::size_t>(planes * size));
    std::vector<std::int64_t> offsets;
    for (std::int64_t at = 0; at < blocks; ++at) {
      TapOffsets(axes, at, 1, offsets);
      for (std::int64_t p = 0; p < planes; ++p) {
        for (std::int64_t tap = 0; tap < taps; ++tap) {
          const std::int64_t to = offsets[static_cast<std::size_t>(tap)];
          if (to < 0) continue;
          sums[static_cast<std::size_t>(p * size + to)] +=
              static_cast<ComputeType<T>>(x[(p * taps + tap) * blocks + at]);
        }
      }
    }
    return WriteAs(ctx.Out(0), sums);
  });
}

}  // namespace

OpDef Col2Im() {
  return {
      .name = "Col2Im",
      .summary =
          "Puts blocks, laid out as columns, back into an image; where they overlap they "
          "are added.",
      .inputs = {{"x", "[n, c * block elements, blocks], floating point"},
                 {"image_shape", "i64[k], spatial size of the result"},
                 {"block_shape", "i64[k]"}},
      .outputs = {{"y", "[n, c, image...]"}},
      .attributes = Describe<Col2ImAttrs>(),
      .infer = InferCol2im,
      .reference = Col2imReference,
  };
}

}  // namespace athanor::ops
