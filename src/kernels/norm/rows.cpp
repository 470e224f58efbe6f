#include "kernels/norm/rows.h"

#include <algorithm>

#include "kernels/every_isa.h"

namespace athanor::kernels {
namespace {

struct State {
  const RowTable* table = nullptr;
  std::int64_t rows = 0, length = 0;
  float epsilon = 0;
  bool centered = false;
};

// Elements from `axis` on.
std::int64_t Length(const KernelQuery& q) {
  std::int64_t length = 1;
  for (std::int64_t i = q.Axis(); i < q.in[0].rank(); ++i)
    length *= q.in[0].dims[static_cast<std::size_t>(i)];
  return length;
}

double Cost(const KernelQuery& q) {
  const double count = static_cast<double>(q.out[0].count());
  return RooflineNs(q.isa, 20 * count, 8 * count);
}

// Many small rows share a thread.
std::int64_t Grain(std::int64_t length) {
  return std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(1, length));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->table = &Rows(q.isa);
  state->length = Length(q);
  state->rows = q.in[0].count() / state->length;
  state->epsilon = q.Float("epsilon");
  state->centered = q.op->name == "LayerNormalization";
  return Prepared{state, 0};
}

Fit FitsNorm(const KernelQuery& q) {
  for (std::size_t i = 0; i < q.own_inputs; ++i) {
    if (!q.Has(i)) continue;
    if (q.in[i].dtype != DType::kF32) return Fit::No("f32 only");
    if (i > 0 && q.in[i].count() != Length(q))
      return Fit::No("scale and bias do not have one value per element");
  }
  for (std::size_t i = 1; i < q.out.size(); ++i) {
    if (q.out[i].given()) return Fit::No("does not give the statistics");
  }
  return Fit::Yes();
}

void RunNorm(const KernelArgs& args) {
  const State& s = args.State<State>();
  Parallel(args, s.rows, Grain(s.length), [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      s.table->normalize(args.In(0) + i * s.length, args.In(1), args.In(2),
                         args.Out(0) + i * s.length, static_cast<std::size_t>(s.length), s.epsilon,
                         s.centered);
    }
  });
}

}  // namespace

const RowTable& Rows(Isa isa) {
  const RowTable* const tables[] = {&base::kRows, &avx2::kRows, &avx512::kRows};
  return *tables[static_cast<std::size_t>(isa)];
}

std::vector<KernelDef> RowKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"LayerNormalization", "RMSNormalization"}) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32", op),
                          .op = std::string(op),
                          .fits = FitsNorm,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = RunNorm});
  }
  return defs;
}

}  // namespace athanor::kernels
