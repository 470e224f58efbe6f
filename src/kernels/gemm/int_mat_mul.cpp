// MatMul of integers: row by row of the result, each a sum of rows of the second factor.
#include <algorithm>

#include "kernels/broadcast.h"
#include "kernels/every_isa.h"
#include "kernels/gemm/int_table.h"
#include "kernels/gemm/mat_mul.h"

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

}  // namespace

std::vector<KernelDef> IntMatMulKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "MatMul.integers",
                        .op = "MatMul",
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
