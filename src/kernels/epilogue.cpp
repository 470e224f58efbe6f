#include "kernels/epilogue.h"

#include <algorithm>
#include <limits>

#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/unary.h"

namespace athanor::kernels {
namespace {

using Spread = EpilogueStep::Spread;

bool IsSum(const EpilogueStep& step, Spread spread, Isa isa) {
  return step.kind == EpilogueStep::Kind::kBinary && step.spread == spread &&
         BinaryFunction(step, isa) == Binary(isa).add;
}

std::vector<EpilogueProgram::Step> MakeSteps(std::span<const EpilogueStep> rest, Isa isa) {
  std::vector<EpilogueProgram::Step> steps;
  for (const EpilogueStep& step : rest) {
    EpilogueProgram::Step made;
    if (step.kind == EpilogueStep::Kind::kUnary) {
      made.unary = UnaryFunction(step, isa);
      made.params[0] = step.params[0];
      made.params[1] = step.params[1];
    } else {
      made.binary = BinaryFunction(step, isa);
      made.spread = step.spread;
      made.operand = static_cast<std::size_t>(step.operand);
    }
    steps.push_back(made);
  }
  return steps;
}

// The operand of one block of channels is repeated so often that the function has a loop to run.
void ApplyPerChannel(const EpilogueProgram::Step& step, const float* operand, std::int64_t own,
                     const float* x, float* y, std::int64_t n, std::int64_t lanes) {
  constexpr std::int64_t kPiece = 512;
  float repeated[kPiece] = {};
  for (std::int64_t at = 0; at < std::min(n, kPiece); at += lanes)
    std::copy_n(operand, own, repeated + at);
  for (std::int64_t at = 0; at < n; at += kPiece) {
    const auto count = static_cast<std::size_t>(std::min(kPiece, n - at));
    step.binary(x + at, 1, repeated, 1, y + at, count);
  }
}

}  // namespace

EpilogueProgram EpilogueProgram::From(const KernelQuery& query, bool column_bias) {
  EpilogueProgram program;
  std::span<const EpilogueStep> rest = query.epilogue;
  if (column_bias && !rest.empty() && IsSum(rest[0], Spread::kPerLast, query.isa)) {
    program.column_bias = static_cast<std::size_t>(rest[0].operand);
    rest = rest.subspan(1);
  }
  if (!rest.empty() && IsSum(rest[0], Spread::kSame, query.isa)) {
    program.residual = static_cast<std::size_t>(rest[0].operand);
    rest = rest.subspan(1);
  }
  if (!rest.empty() && (rest[0].op == "Relu" || rest[0].op == "Clip")) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    program.clamp = true;
    program.low = rest[0].op == "Clip" ? rest[0].params[0] : 0.0F;
    program.high = rest[0].op == "Clip" ? rest[0].params[1] : kInfinity;
    rest = rest.subspan(1);
  }
  program.steps = MakeSteps(rest, query.isa);
  return program;
}

EpilogueProgram EpilogueProgram::InOrder(const KernelQuery& query) {
  EpilogueProgram program;
  program.steps = MakeSteps(query.epilogue, query.isa);
  return program;
}

void EpilogueProgram::Apply(const KernelArgs& args, float* row, std::int64_t n, std::int64_t offset,
                            std::int64_t channel, std::int64_t column) const {
  for (const Step& step : steps) {
    if (step.unary != nullptr) {
      step.unary(row, row, static_cast<std::size_t>(n), step.params);
      continue;
    }
    std::int64_t at = 0;
    if (step.spread == Spread::kSame) at = offset;
    if (step.spread == Spread::kPerChannel) at = channel;
    if (step.spread == Spread::kPerLast) at = column;
    const std::size_t stride =
        step.spread == Spread::kSame || step.spread == Spread::kPerLast ? 1 : 0;
    step.binary(row, 1, args.In(step.operand) + at, stride, row, static_cast<std::size_t>(n));
  }
}

void EpilogueProgram::ApplyBlock(const KernelArgs& args, const float* x, float* y,
                                 std::int64_t positions, std::int64_t lanes, std::int64_t offset,
                                 std::int64_t channel, std::int64_t channels) const {
  const std::int64_t n = positions * lanes;
  for (const Step& step : steps) {
    if (step.unary != nullptr) {
      step.unary(x, y, static_cast<std::size_t>(n), step.params);
    } else if (step.spread == Spread::kPerChannel) {
      ApplyPerChannel(step, args.In(step.operand) + channel, std::min(lanes, channels - channel), x,
                      y, n, lanes);
    } else {
      const bool same = step.spread == Spread::kSame;
      step.binary(x, 1, args.In(step.operand) + (same ? offset : 0), same ? 1 : 0, y,
                  static_cast<std::size_t>(n));
    }
    x = y;
  }
}

double EpilogueFlops(const EpilogueStep& step) {
  return step.kind == EpilogueStep::Kind::kUnary ? UnaryFlops(step) : 1;
}

Fit AcceptsEpilogue(const KernelQuery& query, bool per_channel, bool per_last) {
  for (const EpilogueStep& step : query.epilogue) {
    const bool fits = step.kind == EpilogueStep::Kind::kUnary || step.spread == Spread::kSame ||
                      step.spread == Spread::kScalar ||
                      (step.spread == Spread::kPerChannel && per_channel) ||
                      (step.spread == Spread::kPerLast && per_last);
    if (!fits) return Fit::No(fmt::format("the operand of {} is broadcast another way", step.op));
  }
  return Fit::Yes();
}

}  // namespace athanor::kernels
