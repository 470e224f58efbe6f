#include "kernels/elementwise/binary.h"

#include <algorithm>

#include "kernels/epilogue.h"
#include "kernels/every_isa.h"
#include "kernels/strides.h"

namespace athanor::kernels {
namespace {

struct Row {
  std::string_view op;
  BinaryF32 BinaryTable::*function;
};

constexpr Row kRows[] = {
    {"Add", &BinaryTable::add}, {"Div", &BinaryTable::div}, {"Max", &BinaryTable::max},
    {"Min", &BinaryTable::min}, {"Mul", &BinaryTable::mul}, {"PRelu", &BinaryTable::prelu},
    {"Sub", &BinaryTable::sub}, {"Sum", &BinaryTable::add},
};

const Row* Find(std::string_view op) {
  for (const Row& row : kRows) {
    if (row.op == op) return &row;
  }
  return nullptr;
}

struct State {
  BinaryF32 function = nullptr;
  // Dimensions after neighbours that broadcast alike were merged; the last one is the inner loop.
  Dims dims;
  Dims a_strides, b_strides;
  std::int64_t outer = 1;
  EpilogueProgram epilogue;
};

Fit Fits(const KernelQuery& q) {
  if (q.own_inputs != 2) return Fit::No("two operands only");
  if (q.in[0].dtype != DType::kF32 || q.in[1].dtype != DType::kF32) return Fit::No("f32 only");
  return AcceptsEpilogue(q, false, false);
}

double Cost(const KernelQuery& q) {
  double flops = 1;
  for (const EpilogueStep& step : q.epilogue) flops += EpilogueFlops(step);
  double bytes = static_cast<double>(q.out[0].bytes());
  for (const PortInfo& in : q.in) bytes += static_cast<double>(in.bytes());
  return RooflineNs(q.isa, static_cast<double>(q.out[0].count()) * flops, bytes);
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->function = Binary(q.isa).*(Find(q.op->name)->function);
  state->dims = q.out[0].dims;
  state->a_strides = BroadcastStrides(q.in[0].dims, state->dims);
  state->b_strides = BroadcastStrides(q.in[1].dims, state->dims);
  Dims* const strides[] = {&state->a_strides, &state->b_strides};
  MergeDims(state->dims, strides);
  for (std::size_t i = 0; i + 1 < state->dims.size(); ++i) state->outer *= state->dims[i];
  state->epilogue = EpilogueProgram::InOrder(q);
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  constexpr std::int64_t kGrain = 16384;
  const State& s = args.State<State>();
  const std::int64_t inner = s.dims.back();
  if (inner == 0) return;
  const auto a_step = static_cast<std::size_t>(s.a_strides.back());
  const auto b_step = static_cast<std::size_t>(s.b_strides.back());
  const auto call = [&](std::int64_t a, std::int64_t b, std::int64_t y, std::int64_t n) {
    // Without an epilogue one call; else pieces that stay in the first cache.
    const std::int64_t piece = s.epilogue.steps.empty() ? n : kEpiloguePiece;
    for (std::int64_t at = 0; at < n; at += piece) {
      const std::int64_t m = std::min(piece, n - at);
      float* row = args.Out(0) + y + at;
      s.function(args.In(0) + a + at * s.a_strides.back(), a_step,
                 args.In(1) + b + at * s.b_strides.back(), b_step, row,
                 static_cast<std::size_t>(m));
      s.epilogue.Apply(args, row, m, y + at, 0, 0);
    }
  };
  if (s.outer == 1) {
    Parallel(args, inner, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
      call(begin * s.a_strides.back(), begin * s.b_strides.back(), begin, end - begin);
    });
    return;
  }
  const std::int64_t grain = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(1, inner));
  Parallel(args, s.outer, grain, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t rest = i, a = 0, b = 0;
      for (std::size_t axis = s.dims.size() - 1; axis-- > 0;) {
        const std::int64_t at = rest % s.dims[axis];
        rest /= s.dims[axis];
        a += at * s.a_strides[axis];
        b += at * s.b_strides[axis];
      }
      call(a, b, i * inner, inner);
    }
  });
}

// How `operand` lies over a result of shape `out`, when it is one of the simple ways.
std::optional<EpilogueStep::Spread> SpreadOf(const Dims& operand, const Dims& out) {
  using Spread = EpilogueStep::Spread;
  if (operand == out) return Spread::kSame;
  std::size_t axis = out.size();  // the only dimension of the operand that is not 1
  for (std::size_t i = 0; i < operand.size(); ++i) {
    if (operand[i] == 1) continue;
    if (axis != out.size()) return std::nullopt;
    axis = out.size() - operand.size() + i;
  }
  if (axis == out.size()) return Spread::kScalar;
  if (axis + 1 == out.size()) return Spread::kPerLast;
  if (axis == 1) return Spread::kPerChannel;
  return std::nullopt;
}

}  // namespace

const BinaryTable& Binary(Isa isa) {
  const BinaryTable* const tables[] = {&base::kBinary, &avx2::kBinary, &avx512::kBinary};
  return *tables[static_cast<std::size_t>(isa)];
}

std::optional<EpilogueStep> BinaryEpilogue(const KernelQuery& q, std::size_t through) {
  const Row* row = Find(q.op->name);
  if (row == nullptr || !Fits(q).yes() || q.in[through].dims != q.out[0].dims) return std::nullopt;
  const bool commutes = row->function == &BinaryTable::add || row->function == &BinaryTable::mul;
  if (through != 0 && !commutes) return std::nullopt;
  const auto spread = SpreadOf(q.in[1 - through].dims, q.out[0].dims);
  if (!spread) return std::nullopt;
  return EpilogueStep{.kind = EpilogueStep::Kind::kBinary,
                      .spread = *spread,
                      .op = q.op->name,
                      .function = static_cast<int>(row - kRows),
                      .operand = static_cast<int>(1 - through)};
}

BinaryF32 BinaryFunction(const EpilogueStep& step, Isa isa) {
  return Binary(isa).*(kRows[static_cast<std::size_t>(step.function)].function);
}

std::vector<KernelDef> BinaryKernels() {
  std::vector<KernelDef> defs;
  for (const Row& row : kRows) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32", row.op),
                          .op = std::string(row.op),
                          .in_place = true,
                          .takes_epilogue = true,
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
