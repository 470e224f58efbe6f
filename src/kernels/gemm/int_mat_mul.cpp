// MatMul and Gemm of integers: row by row of the result, each a sum of rows of the second factor.
#include <algorithm>

#include "kernels/broadcast.h"
#include "kernels/every_isa.h"
#include "kernels/gemm/int_table.h"
#include "kernels/gemm/mat_mul.h"
#include "kernels/move/elements.h"
#include "kernels/wrapping.h"
#include "ops/math/number.h"

namespace athanor::kernels {
namespace {

struct State {
  IntRow row = nullptr;
  std::int64_t m = 1, n = 1, k = 1, element = 1;
  std::vector<std::int64_t> a, b;  // where each product of the batch begins, in elements
};

IntRow RowFor(const KernelQuery& q) {
  const IntGemmTable* const tables[] = {&base::kIntGemm, &avx2::kIntGemm, &avx512::kIntGemm};
  const IntGemmTable& table = *tables[static_cast<std::size_t>(q.isa)];
  switch (q.in[0].dtype) {
    case DType::kI8:
      return table.i8;
    case DType::kU8:
      return table.u8;
    case DType::kI32:
      return table.i32;
    case DType::kI64:
      return table.i64;
    default:
      return nullptr;
  }
}

Fit Fits(const KernelQuery& q) {
  return RowFor(q) != nullptr ? Fit::Yes() : Fit::No("integers only");
}

double Cost(const KernelQuery& q) {
  const double k = static_cast<double>(q.in[0].dims.back());
  return RooflineNs(q.isa, 4 * k * static_cast<double>(q.out[0].count()),
                    static_cast<double>(q.in[0].bytes() + q.in[1].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  Dims a = q.in[0].dims, b = q.in[1].dims, batch = q.out[0].dims;
  if (b.size() > 1) batch.pop_back();
  if (a.size() > 1) batch.pop_back();
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  state->row = RowFor(q);
  state->element = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  state->m = a[a.size() - 2];
  state->k = a.back();
  state->n = b.back();
  Walk of_a, of_b;
  const Dims strides_a = BroadcastStrides(Dims(a.begin(), a.end() - 2), batch),
             strides_b = BroadcastStrides(Dims(b.begin(), b.end() - 2), batch);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    of_a.Add(batch[i], strides_a[i]);
    of_b.Add(batch[i], strides_b[i]);
  }
  for (std::int64_t i = 0; i < of_a.count; ++i) {
    state->a.push_back(of_a.Offset(i) * state->m * state->k);
    state->b.push_back(of_b.Offset(i) * state->k * state->n);
  }
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  Parallel(args, std::ssize(s.a) * s.m, std::max<std::int64_t>(1, 32768 / (s.k * s.n)),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t i = begin; i < end; ++i) {
               const auto product = static_cast<std::size_t>(i / s.m);
               s.row(args.In<std::byte>(0) + (s.a[product] + i % s.m * s.k) * s.element,
                     args.In<std::byte>(1) + s.b[product] * s.element,
                     static_cast<std::size_t>(s.k), static_cast<std::size_t>(s.n),
                     args.Out<std::byte>(0) + i * s.n * s.element);
             }
           });
}

// ---- Gemm: alpha a b + beta c, the factors transposed or not.

struct GemmState {
  void (*run)(const KernelArgs& args, const GemmState& state) = nullptr;
  IntRow row = nullptr;
  std::int64_t m = 0, n = 0, k = 0;
  bool turn_a = false, turn_b = false;
  float alpha = 1, beta = 1;
  std::int64_t c_down = 0, c_across = 0;  // strides of c; no meaning without it
};

using GemmTypes = TypeList<std::int32_t, std::int64_t>;

// As the operator says: wrapped around when there are no factors, cut off when there are.
template <class T>
T Combine(const GemmState& s, T product, T c) {
  if (s.alpha == 1 && s.beta == 1) return WrapAdd(product, c);
  return ops::SaturateCast<T>(static_cast<double>(s.alpha) * static_cast<double>(product) +
                              static_cast<double>(s.beta) * static_cast<double>(c));
}

// In scratch memory: b the right way round, then a row of a for each thread.
template <class T>
void RunGemm(const KernelArgs& args, const GemmState& s) {
  const T *a = args.In<T>(0), *b = args.In<T>(1), *c = args.In<T>(2);
  T* const turned = reinterpret_cast<T*>(args.scratch);
  T* const rows = turned + (s.turn_b ? s.n * s.k : 0);
  if (s.turn_b) {
    Parallel(args, s.k, 16, [&](std::int64_t begin, std::int64_t end, int) {
      TransposeBlock(b + begin, s.k, turned + begin * s.n, s.n, end - begin, s.n);
    });
    b = turned;
  }
  const std::int64_t work = std::max<std::int64_t>(1, s.k * s.n);
  Parallel(args, s.m, std::max<std::int64_t>(1, 32768 / work),
           [&](std::int64_t begin, std::int64_t end, int thread) {
             for (std::int64_t i = begin; i < end; ++i) {
               const T* row = a + i * s.k;
               if (s.turn_a) {
                 T* const own = rows + thread * s.k;
                 CopyRow(a + i, s.m, own, 1, s.k);
                 row = own;
               }
               T* const y = args.Out<T>(0) + i * s.n;
               s.row(row, b, static_cast<std::size_t>(s.k), static_cast<std::size_t>(s.n), y);
               for (std::int64_t j = 0; j < s.n; ++j)
                 y[j] = Combine(s, y[j], c == nullptr ? T(0) : c[i * s.c_down + j * s.c_across]);
             }
           });
}

Fit FitsGemm(const KernelQuery& q) {
  return IsOneOf(GemmTypes{}, q.in[0].dtype) ? Fit::Yes() : Fit::No("i32 and i64 only");
}

Result<Prepared> PrepareGemm(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<GemmState>();
  GemmState& s = *state;
  s.row = RowFor(q);
  s.turn_a = q.Int("transA") != 0;
  s.turn_b = q.Int("transB") != 0;
  s.m = q.out[0].dims[0];
  s.n = q.out[0].dims[1];
  s.k = q.in[0].dims[s.turn_a ? 0 : 1];
  s.alpha = q.Float("alpha");
  s.beta = q.Float("beta");
  if (q.Has(2)) {
    const Dims strides = BroadcastStrides(q.in[2].dims, q.out[0].dims);
    s.c_down = strides[0];
    s.c_across = strides[1];
  }
  ATH_RETURN_IF_ERROR(Dispatch(GemmTypes{}, q.in[0].dtype, [&](auto tag) -> Status {
    s.run = RunGemm<typename decltype(tag)::Type>;
    return {};
  }));
  const auto element = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  return Prepared{state, ((s.turn_b ? s.n * s.k : 0) + q.threads * s.k) * element};
}

void RunGemmOf(const KernelArgs& args) {
  const GemmState& s = args.State<GemmState>();
  s.run(args, s);
}

double CostGemm(const KernelQuery& q) {
  const double k = static_cast<double>(q.in[0].count()) /
                   static_cast<double>(std::max<std::int64_t>(1, q.out[0].dims[0]));
  return RooflineNs(q.isa, 4 * k * static_cast<double>(q.out[0].count()),
                    static_cast<double>(q.in[0].bytes() + 2 * q.in[1].bytes()));
}

}  // namespace

std::vector<KernelDef> IntMatMulKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "MatMul.integers",
                        .op = "MatMul",
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  AddForEveryIsa(defs, {.name = "Gemm.integers",
                        .op = "Gemm",
                        .fits = FitsGemm,
                        .cost_ns = CostGemm,
                        .prepare = PrepareGemm,
                        .run = RunGemmOf});
  return defs;
}

}  // namespace athanor::kernels
