// An element-wise operator is its own first epilogue step: what convolutions can do to their
// results, these kernels do to a tensor.
#include "kernels/elementwise/blocked.h"

#include <algorithm>

#include "kernels/divide.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/cost.h"
#include "kernels/elementwise/unary.h"
#include "kernels/epilogue.h"
#include "kernels/every_isa.h"
#include "kernels/list.h"

namespace athanor::kernels {
namespace {

struct State {
  EpilogueProgram program;
  std::size_t through = 0;  // the input that the steps begin with
  std::int64_t lanes = 0, positions = 0;
  std::int64_t channels = 0, blocks = 0, planes = 0;
};

// The operator as a step, and which input it goes through.
std::optional<std::pair<EpilogueStep, std::size_t>> OwnStep(const KernelQuery& q) {
  for (std::size_t through = 0; through < std::min<std::size_t>(2, q.own_inputs); ++through) {
    if (q.in[through].block == 0) continue;
    if (auto step = AsEpilogue(q, through)) return std::pair(*step, through);
  }
  return std::nullopt;
}

Fit Fits(const KernelQuery& q) {
  if (q.out[0].dtype != DType::kF32) return Fit::No("f32 only");
  const auto own = OwnStep(q);
  if (!own) return Fit::No("an operand is broadcast another way");
  if (own->first.operand >= 0) {
    const auto operand = static_cast<std::size_t>(own->first.operand);
    const bool same = own->first.spread == EpilogueStep::Spread::kSame;
    if (own->first.spread == EpilogueStep::Spread::kPerLast)
      return Fit::No("an operand is broadcast another way");
    if (same != (q.in[operand].block != 0)) return Fit::No("an operand has another layout");
  }
  return AcceptsEpilogue(q, true, false);
}

double Cost(const KernelQuery& q) { return ElementwiseNs(q, EpilogueFlops(OwnStep(q)->first)); }

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  const auto own = OwnStep(q);
  KernelQuery all = q;
  all.epilogue.insert(all.epilogue.begin(), own->first);
  state->program = EpilogueProgram::InOrder(all);
  state->through = own->second;
  state->lanes = q.out[0].block;
  state->channels = q.out[0].dims[1];
  state->blocks = (state->channels + state->lanes - 1) / state->lanes;
  state->planes = q.out[0].dims[0] * state->blocks;
  state->positions = q.out[0].dims[2] * q.out[0].dims[3];
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  constexpr std::int64_t kGrain = 16384;
  const State& s = args.State<State>();
  // Pieces stay in the first cache from one step to the next.
  const std::int64_t piece = std::min(s.positions, kEpiloguePiece / s.lanes);
  const std::int64_t pieces = CeilDivide(s.positions, piece);
  Parallel(args, s.planes * pieces, std::max<std::int64_t>(1, kGrain / (piece * s.lanes)),
           [&](std::int64_t begin, std::int64_t end, int) {
             for (std::int64_t i = begin; i < end; ++i) {
               const std::int64_t plane = i / pieces, first = i % pieces * piece;
               const std::int64_t at = (plane * s.positions + first) * s.lanes;
               s.program.ApplyBlock(args, args.In(s.through) + at, args.Out(0) + at,
                                    std::min(piece, s.positions - first), s.lanes, at,
                                    plane % s.blocks * s.lanes, s.channels);
             }
           });
}

}  // namespace

std::vector<KernelDef> BlockedElementwiseKernels() {
  std::vector<std::string> ops;
  for (const std::vector<KernelDef>& some : {BinaryKernels(), UnaryKernels()}) {
    for (const KernelDef& def : some) {
      if (ops.empty() || ops.back() != def.op) ops.push_back(def.op);
    }
  }
  std::vector<KernelDef> defs;
  for (const std::string& op : ops) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32.blocked", op),
                          .op = op,
                          .in_place = true,
                          .takes_epilogue = true,
                          .blocked = true,
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
