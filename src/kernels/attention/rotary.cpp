// RotaryEmbedding: pairs of values of each head turned by an angle that depends on the position.
#include <algorithm>
#include <cstring>

#include "kernels/attention/attention.h"
#include "kernels/attention/rows_table.h"
#include "kernels/every_isa.h"

namespace athanor::kernels {
namespace {

struct State {
  const AttentionTable* table = nullptr;
  std::int64_t batch = 0, length = 0, heads = 0, size = 0, half = 0, positions = 0;
  bool heads_last = false;  // [batch, length, heads, size]
  bool interleaved = false;
};

Fit Fits(const KernelQuery& q) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (q.in[i].dtype != DType::kF32) return Fit::No("f32 only");
  }
  if (q.in[1].dims != q.in[2].dims) return Fit::No("caches of different shapes");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 3 * static_cast<double>(q.in[0].count()),
                    2 * static_cast<double>(q.in[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  State& s = *state;
  const Dims& dims = q.in[0].dims;
  s.table = &AttentionRows(q.isa);
  s.heads_last = dims.size() == 3;
  s.batch = dims[0];
  s.length = s.heads_last ? dims[1] : dims[2];
  s.heads = s.heads_last ? q.Int("num_heads") : dims[1];
  s.size = s.heads_last ? dims[2] / s.heads : dims[3];
  const std::int64_t rotated = q.Int("rotary_embedding_dim");
  s.half = (rotated == 0 ? s.size : rotated) / 2;
  s.positions = q.Has(3) ? q.in[1].dims[0] : s.batch * s.length;
  s.interleaved = q.Int("interleaved") != 0;
  return Prepared{state, 0};
}

void TurnRow(const State& s, const float* x, const float* cosine, const float* sine, float* y) {
  if (!s.interleaved) {
    s.table->rotate(x, x + s.half, cosine, sine, y, y + s.half, static_cast<std::size_t>(s.half));
  } else {
    for (std::int64_t i = 0; i < s.half; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1];
      y[2 * i] = cosine[i] * a - sine[i] * b;
      y[2 * i + 1] = sine[i] * a + cosine[i] * b;
    }
  }
  std::memcpy(y + 2 * s.half, x + 2 * s.half, static_cast<std::size_t>(s.size - 2 * s.half) * 4);
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  const auto* ids = args.In<std::int64_t>(3);
  Parallel(args, s.batch * s.heads * s.length, std::max<std::int64_t>(1, 8192 / s.size),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t n = begin; n < end; ++n) {
               const std::int64_t b = n / (s.heads * s.length);
               const std::int64_t place = s.heads_last ? n / s.heads % s.length : n % s.length;
               std::int64_t row = b * s.length + place;
               if (ids != nullptr) row = ids[row];
               if (row < 0 || row >= s.positions) {
                 args.data_error->store("a position is outside the cache",
                                        std::memory_order_relaxed);
                 return;
               }
               TurnRow(s, args.In(0) + n * s.size, args.In(1) + row * s.half,
                       args.In(2) + row * s.half, args.Out(0) + n * s.size);
             }
           });
}

}  // namespace

std::vector<KernelDef> RotaryKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "RotaryEmbedding.f32",
                        .op = "RotaryEmbedding",
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
