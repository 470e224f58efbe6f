#include "kernels/elementwise/binary.h"

#include <algorithm>

#include "kernels/broadcast.h"
#include "kernels/elementwise/cost.h"
#include "kernels/epilogue.h"
#include "kernels/every_isa.h"

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
  BroadcastLoop loop;
  EpilogueProgram epilogue;
};

Fit Fits(const KernelQuery& q) {
  if (q.own_inputs != 2) return Fit::No("two operands only");
  if (q.in[0].dtype != DType::kF32 || q.in[1].dtype != DType::kF32) return Fit::No("f32 only");
  const Fit loop = FitsBroadcast(q, 2);
  return loop.yes() ? AcceptsEpilogue(q, false, false) : loop;
}

double Cost(const KernelQuery& q) { return ElementwiseNs(q, 1); }

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->function = Binary(q.isa).*(Find(q.op->name)->function);
  const Dims operands[] = {q.in[0].dims, q.in[1].dims};
  state->loop = BroadcastLoop(q.out[0].dims, operands);
  state->epilogue = EpilogueProgram::InOrder(q);
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  const std::size_t a_step = s.loop.step(0), b_step = s.loop.step(1);
  const auto call = [&](const BroadcastLoop::Offsets& at, std::int64_t out, std::int64_t n) {
    // Without an epilogue one call; else pieces that stay in the first cache.
    const std::int64_t piece = s.epilogue.steps.empty() ? n : kEpiloguePiece;
    for (std::int64_t i = 0; i < n; i += piece) {
      const std::int64_t m = std::min(piece, n - i);
      float* row = args.Out(0) + out + i;
      s.function(args.In(0) + at[0] + i * static_cast<std::int64_t>(a_step), a_step,
                 args.In(1) + at[1] + i * static_cast<std::int64_t>(b_step), b_step, row,
                 static_cast<std::size_t>(m));
      s.epilogue.Apply(args, row, m, out + i, 0, 0);
    }
  };
  s.loop.Run(args, kElementGrain, call);
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
