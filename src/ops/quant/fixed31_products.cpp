// Convolution and matrix product on integers: the sum of products is exact, plus the bias, times
// scale(x) * scale(w) / scale(y).
#include <algorithm>

#include "ops/nn/conv.h"
#include "ops/nn/nn.h"
#include "ops/nn/tile.h"
#include "ops/quant/fixed31.h"
#include "ops/quant/fixed31_scales.h"

namespace athanor::ops {
namespace {

// Sums wrap around instead of undefined overflow: 32 bits for 8-bit activations, 64 for 16-bit
// ones.
template <class Sum>
std::vector<Sum> AsSums(const std::vector<std::int32_t>& values) {
  return {values.begin(), values.end()};
}

// The bias of each output channel; 0 without one.
template <class Sum>
Result<std::vector<Sum>> Biases(const RefCtx& ctx, std::int64_t channels) {
  std::vector<Sum> biases(static_cast<std::size_t>(channels), 0);
  if (!ctx.Has(2)) return biases;
  const Tensor& tensor = ctx.In(2);
  if (tensor.dtype() != DType::kI32)
    return Unsupported("fixed31: the bias is {}; i32 is expected", Name(tensor.dtype()));
  if (tensor.count() != channels && tensor.count() != 1)
    return DataError("fixed31: the bias has {} values for {} channels", tensor.count(), channels);
  const auto data = ctx.Data<std::int32_t>(2);
  for (std::size_t c = 0; c < biases.size(); ++c)
    biases[c] = static_cast<Sum>(std::int64_t{data[data.size() == 1 ? 0 : c]});
  return biases;
}

// The inputs of kTile output positions, one row per weight of an output channel; 0 in the padding.
template <class Sum>
void GatherTile(const Sum* x, std::int64_t channels, std::int64_t plane,
                std::span<const std::int64_t> offsets, Sum* column) {
  for (std::int64_t c = 0; c < channels; ++c, x += plane) {
    for (const std::int64_t offset : offsets) *column++ = offset < 0 ? 0 : x[offset];
  }
}

template <class Sum>
struct Product {
  std::vector<Sum> x, w, bias;
  std::vector<fixed::Multiplier> multipliers;
  bool is_matrix = false;

  // The original rounds once in dense layers and twice in convolutions of 8-bit activations.
  std::int32_t Result(Sum acc, std::int64_t channel) const {
    const auto c = static_cast<std::size_t>(channel);
    if constexpr (sizeof(Sum) == 8) {
      return fixed::MultiplyWide(static_cast<std::int64_t>(acc + bias[c]), multipliers[c]);
    } else {
      const auto sum = static_cast<std::int32_t>(acc + bias[c]);
      return is_matrix ? fixed::MultiplyOnce(sum, multipliers[c])
                       : fixed::Multiply(sum, multipliers[c]);
    }
  }
};

template <class Sum>
void Convolve(const ConvGeometry& conv, const Product<Sum>& product, std::vector<std::int32_t>& y) {
  const std::int64_t taps = TapCount(conv.axes), in = InCount(conv.axes);
  const std::int64_t out = OutCount(conv.axes);
  const std::int64_t channels = conv.in_channels / conv.group, depth = channels * taps;
  const std::int64_t rows = conv.out_channels / conv.group;
  std::vector<Sum> column(static_cast<std::size_t>(depth * kTile));
  std::vector<std::int64_t> offsets;
  Sum acc[kTileRows][kTile];
  for (std::int64_t first = 0; first < out; first += kTile) {
    TapOffsets(conv.axes, first, kTile, offsets);
    const std::int64_t width = std::min(kTile, out - first);
    for (std::int64_t n = 0; n < conv.batch * conv.group; ++n) {
      GatherTile(product.x.data() + n * channels * in, channels, in, offsets, column.data());
      const std::int64_t base = n % conv.group * rows;
      for (std::int64_t m = 0; m < rows; m += kTileRows) {
        const std::int64_t count = std::min(kTileRows, rows - m);
        MultiplyTile(product.w.data() + (base + m) * depth, count, column.data(), depth, acc);
        for (std::int64_t r = 0; r < count; ++r) {
          std::int32_t* row = y.data() + (n * rows + m + r) * out + first;
          for (std::int64_t j = 0; j < width; ++j) row[j] = product.Result(acc[r][j], base + m + r);
        }
      }
    }
  }
}

template <class Sum>
Result<Product<Sum>> ReadProduct(const RefCtx& ctx, const Fixed31& q, std::int64_t channels,
                                 bool is_matrix) {
  Product<Sum> product;
  product.is_matrix = is_matrix;
  ATH_TRY(const std::vector<std::int32_t> x, q.Centred(0));
  ATH_TRY(const std::vector<std::int32_t> w, q.Centred(1));
  product.x = AsSums<Sum>(x);
  product.w = AsSums<Sum>(w);
  ATH_TRY(product.bias, Biases<Sum>(ctx, channels));
  product.multipliers = ProductMultipliers(q.spec(), channels, is_matrix);
  return product;
}

template <class Sum>
Status RunConv(RefCtx& ctx, Fixed31& q, const ConvGeometry& conv) {
  ATH_TRY(const Product<Sum> product, ReadProduct<Sum>(ctx, q, conv.out_channels, false));
  std::vector<std::int32_t> y(static_cast<std::size_t>(ctx.Out(0).count()));
  Convolve(conv, product, y);
  return q.Store(y);
}

struct MatrixAttrs {
  float alpha = 1, beta = 1;
  bool trans_a = false, trans_b = false;
  template <class V>
  void Visit(V& v) {
    v("alpha", alpha, "");
    v("beta", beta, "");
    v("transA", trans_a, "");
    v("transB", trans_b, "");
  }
};

}  // namespace

Status ConvFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 2, 1, true));
  if (!q.in(1).per_tensor() && q.in(1).axis != 0)
    return Unsupported("fixed31: weights have scales along axis {}; 0 is expected", q.in(1).axis);
  ATH_TRY(const ConvGeometry conv,
          ResolveConv(ctx.Attrs<ConvAttrs>(), ctx.In(0).dims(), ctx.In(1).dims()));
  if (ctx.Out(0).count() == 0) return {};
  if (conv.in_channels == 0) return DataError("a convolution over 0 input channels");
  const bool is_wide = q.out().dtype == DType::kI16;
  if (is_wide != (q.in(0).dtype == DType::kI16))
    return Unsupported("fixed31: a convolution from {} to {}", Name(q.in(0).dtype),
                       Name(q.out().dtype));
  return is_wide ? RunConv<std::uint64_t>(ctx, q, conv) : RunConv<std::uint32_t>(ctx, q, conv);
}

Status GemmFixed31(RefCtx& ctx) {
  ATH_TRY(Fixed31 q, Fixed31::Read(ctx, 2, 1));
  const auto attrs = ctx.Attrs<MatrixAttrs>();
  if (attrs.alpha != 1 || attrs.beta != 1 || attrs.trans_a || !attrs.trans_b)
    return Unsupported("fixed31: Gemm is implemented as x * transposed w + b");
  if (!q.in(1).per_tensor() && q.in(1).axis != 0)
    return Unsupported("fixed31: weights have scales along axis {}; 0 is expected", q.in(1).axis);
  const std::int64_t rows = ctx.Out(0).dim(0), columns = ctx.Out(0).dim(1);
  const std::int64_t depth = ctx.In(0).dim(1);
  ATH_TRY(const auto product, ReadProduct<std::uint32_t>(ctx, q, columns, true));
  std::vector<std::int32_t> y(static_cast<std::size_t>(ctx.Out(0).count()));
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::uint32_t* x = product.x.data() + i * depth;
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::uint32_t* w = product.w.data() + j * depth;
      std::uint32_t acc = 0;
      for (std::int64_t k = 0; k < depth; ++k) acc += x[k] * w[k];
      y[static_cast<std::size_t>(i * columns + j)] = product.Result(acc, j);
    }
  }
  return q.Store(y);
}

}  // namespace athanor::ops
