// Winograd's convolution on bytes: 3 by 3, stride 1, on channels in blocks; exact, see ADR 0068.
//
// A thread takes a run of tiles through three steps while they stay in its second-level cache:
// their transforms, a matrix product over the channels for each of their (m + 2)^2 points, and, of
// two blocks of channels at a time, back to bytes. Where there are more weights than tiles, threads
// share the blocks of channels instead and each transforms all tiles.
#include <algorithm>
#include <cstring>

#include "kernels/conv/spatial.h"
#include "kernels/conv/winograd_fit.h"
#include "kernels/divide.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"
#include "kernels/int8/winograd_i8_table.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

struct WinogradI8State {
  const WinogradI8Table* table = nullptr;
  WinogradI8Transform transform;
  std::int64_t m = 0, side = 0, points = 0;  // outputs and inputs along a tile, inputs of a tile
  Spatial2d spatial;
  RequantPlan requant;
  std::uint8_t flip = 0, outside = 0;  // of stored bytes; what the padding would be stored as
  std::int64_t in_blocks = 0, out_blocks = 0, panels = 0;  // panels: of two blocks of the result
  std::int64_t steps = 0;                                  // pairs of channels
  std::int64_t tiles_x = 0, tiles_y = 0;
  std::int64_t runs = 1, shares = 1;  // of the tiles; of the panels
  std::int64_t together = 0;          // tiles of the longest run
  AfterBytes after;
  std::shared_ptr<const void> weights;  // [panel][point][step][vector][lane][2] words

  std::int64_t lanes() const { return static_cast<std::int64_t>(table->lanes); }
  std::int64_t tiles() const { return spatial.conv.batch * tiles_x * tiles_y; }
  std::int64_t Vectors(std::int64_t panel) const {
    return std::min<std::int64_t>(2, out_blocks - 2 * panel);
  }
  // Words of a tile's point; and between points of a run: an odd number of cache lines, so that
  // the points of one tile fall into all sets of a cache. Likewise for the sums.
  std::int64_t TileWords() const { return CeilDivide(in_blocks, 2) * 2 * lanes(); }
  std::int64_t WordStride() const { return (together * TileWords() + 31) / 32 * 32 + 32; }
  std::int64_t SumStride() const { return (together * 2 * lanes() + 15) / 16 * 16 + 16; }
  std::int64_t InputBytes() const { return points * WordStride() * 2; }
  std::int64_t ScratchBytes() const { return InputBytes() + points * SumStride() * 4; }
};

// Where a tile lies: its first output.
struct TilePlace {
  std::int64_t image = 0, top = 0, left = 0;
};

TilePlace PlaceOf(const WinogradI8State& s, std::int64_t tile) {
  const std::int64_t in_image = tile % (s.tiles_x * s.tiles_y);
  return {tile / (s.tiles_x * s.tiles_y), in_image / s.tiles_x * s.m, in_image % s.tiles_x * s.m};
}

constexpr std::int64_t kCacheBytes = 256 << 10;  // of transformed tiles and their sums

// What windows of 3 by 3 are multiplied by from both sides, without the fractions; and by how many
// bits the sums are larger than the result's at most.
template <int kM>
struct WinogradI8Weights;
template <>
struct WinogradI8Weights<2> {
  static constexpr int kRows[4][3] = {{1, 0, 0}, {1, 1, 1}, {1, -1, 1}, {0, 0, 1}};
  static constexpr int kBits = 2;
};
template <>
struct WinogradI8Weights<4> {
  static constexpr int kRows[6][3] = {{1, 0, 0}, {-1, -1, -1}, {-1, 1, -1},
                                      {1, 2, 4}, {1, -2, 4},   {0, 0, 1}};
  static constexpr int kBits = 6;
};

// The largest sum of products that bytes can give.
std::int64_t LargestSum(const KernelQuery& q) {
  const QuantPort& w = q.quant->inputs[1];
  const auto* bytes = static_cast<const std::uint8_t*>(q.in[1].constant->raw());
  // Of i8 with the top bit turned and of u8: all bytes are unsigned then.
  const std::uint8_t turn = q.in[1].dtype == DType::kI8 ? kTopBit : 0;
  const std::int64_t channels = q.in[1].dims[0], length = q.in[1].count() / channels;
  std::int64_t largest = 0;
  for (std::int64_t c = 0; c < channels; ++c, bytes += length) {
    const std::size_t scale = w.per_tensor() ? 0 : static_cast<std::size_t>(c);
    const int zero = static_cast<int>(w.zeros[scale]) + turn;
    std::int64_t positive = 0, negative = 0;
    for (std::int64_t i = 0; i < length; ++i) {
      const int weight = (bytes[i] ^ turn) - zero;
      positive += std::max(weight, 0);
      negative -= std::min(weight, 0);
    }
    largest = std::max({largest, 255 * positive, 255 * negative});
  }
  return largest;
}

template <int kM>
void PackWinogradI8(const WinogradI8State& s, const std::vector<std::int16_t>& w,
                    std::int16_t* to) {
  constexpr auto& kRows = WinogradI8Weights<kM>::kRows;
  const std::int64_t in = s.spatial.conv.in_channels;
  std::fill_n(to, s.points * s.steps * s.out_blocks * s.lanes() * 2, std::int16_t{0});
  for (std::int64_t out = 0; out < s.spatial.conv.out_channels; ++out) {
    const std::int64_t panel = out / (2 * s.lanes()), width = s.Vectors(panel) * s.lanes();
    std::int16_t* const column =
        to + panel * 2 * s.lanes() * s.points * s.steps * 2 + out % (2 * s.lanes()) * 2;
    for (std::int64_t c = 0; c < in; ++c) {
      const std::int16_t* const g = w.data() + (out * in + c) * 9;
      int between[kM + 2][3];
      for (std::int64_t i = 0; i < kM + 2; ++i) {
        for (std::int64_t j = 0; j < 3; ++j)
          between[i][j] = kRows[i][0] * g[j] + kRows[i][1] * g[3 + j] + kRows[i][2] * g[6 + j];
      }
      for (std::int64_t p = 0; p < s.points; ++p) {
        const auto& row = between[p / s.side];
        const auto& by = kRows[p % s.side];
        // 49 * 255 at most.
        column[(p * s.steps + c / 2) * width * 2 + c % 2] =
            static_cast<std::int16_t>(row[0] * by[0] + row[1] * by[1] + row[2] * by[2]);
      }
    }
  }
}

// Transforms two blocks of the input from `block` on, of tile `tile` into place `index` of a run.
void TransformBytes(const WinogradI8State& s, const std::uint8_t* x, std::int64_t tile,
                    std::int64_t block, std::int64_t index, std::int16_t* inputs) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  const TilePlace place = PlaceOf(s, tile);
  const std::int64_t top = place.top - h.pad_begin, left = place.left - w.pad_begin;
  const std::int64_t row = w.in * s.lanes();
  const std::uint8_t* planes[2] = {x + (place.image * s.in_blocks + block) * h.in * row};
  planes[1] = block + 1 < s.in_blocks ? planes[0] + h.in * row : planes[0];
  std::int16_t* const to = inputs + index * s.TileWords() + block * s.lanes();
  const auto stride = static_cast<std::size_t>(s.WordStride());
  if (top >= 0 && left >= 0 && top + s.side <= h.in && left + s.side <= w.in) {
    const std::int64_t at = top * row + left * s.lanes();
    s.transform.input(planes[0] + at, planes[1] + at, static_cast<std::size_t>(row), s.flip, to,
                      stride);
    return;
  }
  // The tile leaves the input: what is there is copied between zero points.
  constexpr std::int64_t kMost = 6 * 6 * 16;
  alignas(64) std::uint8_t whole[2][kMost];
  const std::int64_t first = std::max<std::int64_t>(0, left);
  const std::int64_t last = std::min(w.in, left + s.side);
  for (std::size_t b = 0; b < 2; ++b) {
    std::fill_n(whole[b], kMost, s.outside);
    for (std::int64_t i = std::max<std::int64_t>(0, -top); i < std::min(s.side, h.in - top); ++i) {
      if (first >= last) break;
      std::memcpy(whole[b] + (i * s.side + first - left) * s.lanes(),
                  planes[b] + (top + i) * row + first * s.lanes(),
                  static_cast<std::size_t>((last - first) * s.lanes()));
    }
  }
  s.transform.input(whole[0], whole[1], static_cast<std::size_t>(s.side * s.lanes()), s.flip, to,
                    stride);
}

// All points of one panel, of `count` tiles.
void MultiplyWords(const WinogradI8State& s, std::int64_t panel, std::int64_t count,
                   const std::int16_t* inputs, std::int32_t* sums) {
  const std::int64_t vectors = s.Vectors(panel), words = s.steps * vectors * s.lanes() * 2;
  const auto* w = static_cast<const std::int16_t*>(s.weights.get()) +
                  panel * 2 * s.lanes() * s.points * s.steps * 2;
  // Of equal heights: a low product takes nearly as long, waiting for weights.
  const std::int64_t parts = CeilDivide(count, static_cast<std::int64_t>(s.table->rows));
  for (std::int64_t point = 0; point < s.points; ++point, w += words) {
    for (std::int64_t i = 0; i < parts; ++i) {
      const std::int64_t first = i * count / parts, rows = (i + 1) * count / parts - first;
      s.table->product[vectors - 1][rows](
          static_cast<std::size_t>(s.steps),
          inputs + point * s.WordStride() + first * s.TileWords(),
          static_cast<std::size_t>(s.TileWords()), w,
          sums + point * s.SumStride() + first * vectors * s.lanes());
    }
  }
}

// Gives one panel of a run its place in the result.
void TransformSums(const WinogradI8State& s, std::int64_t first, std::int64_t count,
                   std::int64_t panel, const std::int32_t* sums, std::uint8_t* y) {
  const ops::WindowAxis &h = s.spatial.h, &w = s.spatial.w;
  const std::int64_t row = w.out * s.lanes(), vectors = s.Vectors(panel);
  const Requant how = s.requant.how();
  TilePlace begin = PlaceOf(s, first);  // of those that lie side by side
  for (std::int64_t i = 0; i < count; ++i, sums += vectors * s.lanes()) {
    const TilePlace place = PlaceOf(s, first + i);
    if (place.left == 0) begin = place;
    const std::int64_t rows = std::min(s.m, h.out - place.top);
    const std::int64_t cols = std::min(s.m, w.out - place.left);
    const bool last = i + 1 == count || place.left + s.m >= w.out;
    for (std::int64_t v = 0; v < vectors; ++v) {
      const std::int64_t block = 2 * panel + v;
      std::uint8_t* const plane =
          y + ((place.image * s.out_blocks + block) * h.out + place.top) * row;
      s.transform.output({.products = sums + v * s.lanes(),
                          .stride = static_cast<std::size_t>(s.SumStride()),
                          .channel = static_cast<std::size_t>(block * s.lanes()),
                          .y = plane + place.left * s.lanes(),
                          .row = static_cast<std::size_t>(row),
                          .rows = static_cast<std::size_t>(rows),
                          .cols = static_cast<std::size_t>(cols)},
                         how);
      for (std::int64_t r = 0; last && r < rows; ++r)
        s.after(plane + r * row + begin.left * s.lanes(),
                (place.left + cols - begin.left) * s.lanes());
    }
  }
}

// Whole tiles of products in a run.
template <int kM>
std::int64_t TilesTogether(std::int64_t in_channels, std::int64_t lanes, std::int64_t rows) {
  const std::int64_t per_tile = (kM + 2) * (kM + 2) * (2 * in_channels + 8 * lanes);
  return std::max<std::int64_t>(1, kCacheBytes / per_tile / rows) * rows;
}

template <int kM>
void CutRuns(WinogradI8State& s, std::int64_t threads) {
  const ops::ConvGeometry& conv = s.spatial.conv;
  const std::int64_t most =
      TilesTogether<kM>(conv.in_channels, s.lanes(), static_cast<std::int64_t>(s.table->rows));
  s.runs = CeilDivide(s.tiles(), most);
  const bool more_weights = conv.out_channels > s.tiles();
  if (more_weights) s.shares = std::min(s.panels, threads);
  if (!more_weights) s.runs = std::min(s.tiles(), CeilDivide(s.runs, threads) * threads);
  s.together = CeilDivide(s.tiles(), s.runs);
}

template <int kM>
struct WinogradI8 {
  static constexpr bool kTakesTables = true;

  static Fit Fits(const KernelQuery& q) {
    Fit fit = FitsWeights(q, 0);
    if (fit.yes()) fit = FitsWinogradWindow(q);
    if (!fit.yes()) return fit;
    if (q.in[0].block == 0 || q.out[0].block == 0) return Fit::No("needs channels in blocks");
    const std::int64_t products = q.in[1].count() / q.in[1].dims[0];
    if (products > MostProducts(q))
      return Fit::No(fmt::format("sums of more than {} products", MostProducts(q)));
    constexpr std::int64_t kMost = INT32_MAX >> WinogradI8Weights<kM>::kBits;
    if (products * 255 * 255 > kMost && LargestSum(q) > kMost)
      return Fit::No(fmt::format("a result may be larger than {}", kMost));
    return Fit::Yes();
  }

  // Fitted to measured times, of each variant in the units of its ProductsNs. Words are multiplied
  // half as fast as bytes where there are dot products; sums of few tiles wait for weights.
  static double Cost(const KernelQuery& q, Variant variant) {
    struct Rates {
      double product, forward, back;  // of the definition's multiply-adds; of a transformed element
    };
    constexpr Rates kRates[] = {{0.6, 8, 10}, {0.6, 8, 10}, {0.79, 5, 8}, {1.25, 8, 21}};
    constexpr double kPoints = (kM + 2) * (kM + 2), kWaiting = 1.3;
    const Spatial2d spatial = *Spatial2d::From(q);
    const auto tiles = static_cast<double>(spatial.conv.batch * CeilDivide(spatial.h.out, kM) *
                                           CeilDivide(spatial.w.out, kM));
    const Rates& rates = kRates[static_cast<std::size_t>(variant)];
    const double in = Channels(q.in[0]), out = Channels(q.out[0]);
    return ProductsNs(variant, kPoints * (in * out * (rates.product * tiles + kWaiting) +
                                          tiles * (rates.forward * in + rates.back * out)));
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore& store, Variant variant) {
    auto s = std::make_shared<WinogradI8State>();
    s->table = &Tables(variant);
    s->transform = s->table->transforms[kM / 2 - 1];
    s->after = AfterBytes::From(q, IsaOf(variant));
    s->m = kM;
    s->side = kM + 2;
    s->points = s->side * s->side;
    s->spatial = *Spatial2d::From(q);
    s->flip = FlipOf(q.quant->inputs[0]);
    s->outside = static_cast<std::uint8_t>(FlippedZero(q.quant->inputs[0]) ^ s->flip);
    const ops::ConvGeometry& conv = s->spatial.conv;
    s->in_blocks = CeilDivide(conv.in_channels, s->lanes());
    s->out_blocks = CeilDivide(conv.out_channels, s->lanes());
    s->panels = CeilDivide(s->out_blocks, 2);
    s->steps = CeilDivide(conv.in_channels, 2);
    s->tiles_y = CeilDivide(s->spatial.h.out, kM);
    s->tiles_x = CeilDivide(s->spatial.w.out, kM);
    CutRuns<kM>(*s, q.threads);
    const std::vector<std::int16_t> weights = CentredWeights(q, 0);
    ATH_TRY(s->requant, RequantPlan::ForWeights(q, SumsOfRows(weights, conv.out_channels)));
    const std::int64_t bytes = s->points * s->steps * s->out_blocks * s->lanes() * 4;
    ATH_TRY(s->weights, store.Get(*q.in[1].constant,
                                  fmt::format("winograd i8 {} {} {}", kM, s->lanes(),
                                              ToString(q.quant->inputs[1].zeros)),
                                  bytes, [&](void* to) {
                                    PackWinogradI8<kM>(*s, weights, static_cast<std::int16_t*>(to));
                                  }));
    return Prepared{s, q.threads * s->ScratchBytes()};
  }

  static void Run(const KernelArgs& args) {
    const WinogradI8State& s = args.State<WinogradI8State>();
    Parallel(args, s.runs * s.shares, 1, [&](std::int64_t begin, std::int64_t end, int thread) {
      std::byte* const scratch = args.scratch + thread * s.ScratchBytes();
      auto* const inputs = reinterpret_cast<std::int16_t*>(scratch);
      auto* const sums = reinterpret_cast<std::int32_t*>(scratch + s.InputBytes());
      std::int64_t ready = -1;  // the run whose tiles are transformed
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t run = i / s.shares, share = i % s.shares;
        const std::int64_t first = run * s.tiles() / s.runs;
        const std::int64_t count = (run + 1) * s.tiles() / s.runs - first;
        for (std::int64_t at = 0; run != ready && at < count; ++at) {
          for (std::int64_t block = 0; block < s.in_blocks; block += 2)
            TransformBytes(s, args.In<std::uint8_t>(0), first + at, block, at, inputs);
        }
        ready = run;
        for (std::int64_t panel = share * s.panels / s.shares;
             panel < (share + 1) * s.panels / s.shares; ++panel) {
          MultiplyWords(s, panel, count, inputs, sums);
          TransformSums(s, first, count, panel, sums, args.Out<std::uint8_t>(0));
        }
      }
    });
  }

  static std::int64_t MoreBytes(const KernelQuery& q) {
    const std::int64_t windows =
        q.in[1].dims[1] * CeilDivide(q.in[1].dims[0], q.out[0].block) * q.out[0].block;
    return (kM + 2) * (kM + 2) * 2 * windows - q.in[1].count();
  }

 private:
  // Those of the last block that do not exist take their time too.
  static double Channels(const PortInfo& port) {
    return static_cast<double>(CeilDivide(port.dims[1], port.block) * port.block);
  }
  static const WinogradI8Table& Tables(Variant variant) {
    const WinogradI8Table* const tables[] = {&int8::base::kWinogradI8, &int8::avx2::kWinogradI8,
                                             &int8::avx512::kWinogradI8, &int8::vnni::kWinogradI8};
    return *tables[static_cast<std::size_t>(variant)];
  }
};

template <int kM, Variant... kVariants>
void AddWinogradI8(std::vector<KernelDef>& defs) {
  for (KernelDef def :
       {DefineOne<WinogradI8<kM>, kVariants>("Conv", fmt::format(".winograd{}", kM))...}) {
    def.blocked = true;
    def.more_bytes = WinogradI8<kM>::MoreBytes;
    defs.push_back(std::move(def));
  }
}

}  // namespace

// Where there are dot products of bytes, F(2, 3) saves as many products as those of words cost
// more.
std::vector<KernelDef> Int8WinogradKernels() {
  std::vector<KernelDef> defs;
  AddWinogradI8<2, Variant::kBase, Variant::kAvx2, Variant::kAvx512>(defs);
  AddWinogradI8<4, Variant::kBase, Variant::kAvx2, Variant::kAvx512, Variant::kVnni>(defs);
  return defs;
}

}  // namespace athanor::kernels
