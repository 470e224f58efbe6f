#include "kernels/int8/dynamic_product.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/epilogue.h"
#include "kernels/int8/packed_columns.h"
#include "kernels/int8/real_table.h"

namespace athanor::kernels {
namespace int8 {
namespace {

const RealTable& Reals(Variant variant) {
  const RealTable* const tables[] = {&base::kRealTable, &avx2::kRealTable, &avx512::kRealTable,
                                     &vnni::kRealTable};
  return *tables[static_cast<std::size_t>(variant)];
}

}  // namespace
}  // namespace int8

namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

enum Input : std::size_t { kX, kXScale, kXZero, kW, kWScale, kWZero };

bool IsBytes(const PortInfo& port) { return port.dtype == DType::kI8 || port.dtype == DType::kU8; }

// Element i of a tensor of bytes.
int ByteAt(const Tensor& tensor, std::size_t i) {
  const auto byte = static_cast<const std::uint8_t*>(tensor.raw())[i];
  return tensor.dtype() == DType::kI8 ? static_cast<std::int8_t>(byte) : byte;
}

struct State : PackedColumns {
  const RealTable* reals = nullptr;
  EpilogueProgram epilogue;
  std::vector<std::int32_t> sums;  // of the weights of each column
  std::vector<float> scales;       // of each column

  // Of what each run computes of the scales and zero points, for every column.
  std::int64_t ColumnBytes() const { return CeilDivide(n * 4, 64) * 64; }
};

// The weight matrix with one row per column of the product, less its zero points.
std::vector<std::int16_t> ColumnsOf(const KernelQuery& q, std::int64_t n, std::int64_t k) {
  const Tensor& w = *q.in[kW].constant;
  const Tensor* zero = q.Has(kWZero) ? q.in[kWZero].constant : nullptr;
  const bool turned = q.Int("transB") != 0;
  std::vector<std::int16_t> columns(static_cast<std::size_t>(n * k));
  for (std::int64_t j = 0; j < n; ++j) {
    const int less =
        zero == nullptr ? 0 : ByteAt(*zero, zero->count() == 1 ? 0 : static_cast<std::size_t>(j));
    for (std::int64_t i = 0; i < k; ++i) {
      const auto at = static_cast<std::size_t>(turned ? j * k + i : i * n + j);
      columns[static_cast<std::size_t>(j * k + i)] =
          static_cast<std::int16_t>(ByteAt(w, at) - less);
    }
  }
  return columns;
}

struct DynamicProduct {
  static Fit Fits(const KernelQuery& q) {
    if (!IsBytes(q.in[kX]) || !IsBytes(q.in[kW])) return Fit::No("bytes only");
    if (q.in[kXScale].count() != 1) return Fit::No("x has more than one scale");
    for (const std::size_t i : {kW, kWScale, kWZero}) {
      if (q.Has(i) && q.in[i].constant == nullptr)
        return Fit::No("weights that the model computes");
    }
    const std::int64_t n = q.out[0].dims.back(), k = q.in[kX].dims.back();
    if (k == 0 || n == 0) return Fit::No("nothing to sum");
    if (q.in[kWScale].count() != 1 && q.in[kWScale].count() != n)
      return Fit::No("one scale, or one per column");
    const bool centred = !q.Has(kWZero) && q.in[kW].dtype == DType::kI8;
    const std::int64_t most = centred ? 65'000 : 32'000;
    if (k > most) return Fit::No(fmt::format("sums of more than {} products", most));
    return AcceptsEpilogue(q, false, true);
  }

  static double Cost(const KernelQuery& q, Variant variant) {
    return ProductsNs(
        variant, static_cast<double>(q.out[0].count()) * static_cast<double>(q.in[kX].dims.back()));
  }

  static Result<Prepared> Prepare(const KernelQuery& q, PackStore& store, Variant variant) {
    auto s = std::make_shared<State>();
    s->table = &Lanes(variant);
    s->reals = &Reals(variant);
    s->epilogue = EpilogueProgram::From(q, /*column_bias=*/true);
    s->k = q.in[kX].dims.back();
    s->n = q.out[0].dims.back();
    s->m = q.out[0].count() / s->n;
    const auto bytes = static_cast<std::int64_t>(s->table->element_bytes);
    s->row = CeilDivide(s->k * bytes, 4) * 4;
    s->tiles = CeilDivide(s->m, static_cast<std::int64_t>(s->table->rows));
    s->panels = CeilDivide(s->n, 2 * s->lanes());
    s->flip = q.in[kX].dtype == DType::kI8 ? kTopBit : 0;
    s->direct = bytes == 1 && s->k % 4 == 0 && s->flip == 0;
    const std::vector<std::int16_t> columns = ColumnsOf(q, s->n, s->k);
    for (std::int64_t pass = 0; pass < PassesFor(columns, s->table->element_bytes); ++pass) {
      for (std::int64_t at = 0; at < s->row; at += 4)
        s->offsets.push_back(static_cast<std::uint32_t>(at));
    }
    for (const std::int64_t sum : SumsOfRows(columns, s->n))
      s->sums.push_back(static_cast<std::int32_t>(sum));
    const auto scales = q.in[kWScale].constant->Data<float>();
    for (std::size_t j = 0; j < s->sums.size(); ++j)
      s->scales.push_back(scales[scales.size() == 1 ? 0 : j]);
    ATH_TRY(s->weights,
            store.Get(*q.in[kW].constant, RecipeOf(q, variant), s->panels * s->PanelBytes(),
                      [&](void* to) { s->Pack(columns, static_cast<std::uint8_t*>(to)); }));
    return Prepared{s, 2 * s->ColumnBytes() + (s->direct ? 0 : s->m * s->row)};
  }

  static std::string RecipeOf(const KernelQuery& q, Variant variant) {
    std::string zeros;
    if (q.Has(kWZero)) {
      const Tensor& zero = *q.in[kWZero].constant;
      zeros.assign(static_cast<const char*>(zero.raw()), static_cast<std::size_t>(zero.bytes()));
    }
    return fmt::format("dynamic i8 {} {} {}", Name(variant), q.Int("transB") != 0, zeros);
  }

  static void RunTile(const KernelArgs& args, const State& s, std::int64_t tile, std::int64_t panel,
                      const std::uint8_t* x) {
    alignas(64) std::int32_t sums[PackedColumns::kMostSums];
    const auto [first, rows, column, width, stride] = s.Multiply(tile, panel, x, sums);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const EpilogueProgram& end = s.epilogue;
    RealFinish how = {
        .offset = reinterpret_cast<const std::int32_t*>(args.scratch) + column,
        .scale = reinterpret_cast<const float*>(args.scratch + s.ColumnBytes()) + column,
        .bias = end.column_bias != 0 ? args.In(end.column_bias) + column : nullptr,
        .low = end.clamp ? end.low : -kInfinity,
        .high = end.clamp ? end.high : kInfinity};
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t at = (first + row) * s.n + column;
      how.residual = end.residual != 0 ? args.In(end.residual) + at : nullptr;
      float* const y = args.Out(0) + at;
      s.reals->finish(sums + row * stride, static_cast<std::size_t>(width), how, y);
      if (!end.steps.empty()) end.Apply(args, y, width, at, 0, column);
    }
  }

  // The zero point of x times the sums of the weights, and the scales of the products.
  static void SetColumns(const KernelArgs& args, const State& s) {
    const auto* zero = args.In<std::uint8_t>(kXZero);
    const int flipped = (zero == nullptr ? 0 : *zero) ^ s.flip;
    auto* const offset = reinterpret_cast<std::int32_t*>(args.scratch);
    auto* const scale = reinterpret_cast<float*>(args.scratch + s.ColumnBytes());
    const float of_x = *args.In(kXScale);
    for (std::size_t j = 0; j < s.sums.size(); ++j) {
      offset[j] = flipped * s.sums[j];
      scale[j] = of_x * s.scales[j];
    }
  }

  static void Run(const KernelArgs& args) {
    const State& s = args.State<State>();
    SetColumns(args, s);
    const auto* x = args.In<std::uint8_t>(kX);
    if (!s.direct) {
      auto* const staged = reinterpret_cast<std::uint8_t*>(args.scratch + 2 * s.ColumnBytes());
      Parallel(args, s.m, 16, [&](std::int64_t begin, std::int64_t end, int) {
        for (std::int64_t row = begin; row < end; ++row)
          s.StageRow(x + row * s.k, staged + row * s.row);
      });
      x = staged;
    }
    Parallel(args, s.panels * s.tiles, 1, [&](std::int64_t begin, std::int64_t end, int) {
      for (std::int64_t i = begin; i < end; ++i) RunTile(args, s, i % s.tiles, i / s.tiles, x);
    });
  }
};

}  // namespace

std::vector<KernelDef> DynamicProductKernels() {
  std::vector<KernelDef> defs = DefineAll<DynamicProduct>("DynamicMatMul", "");
  for (KernelDef& def : defs) {
    def.quantized = false;  // no scales in attributes
    def.takes_epilogue = true;
  }
  return defs;
}

}  // namespace athanor::kernels
