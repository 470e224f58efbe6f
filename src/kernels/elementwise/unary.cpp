#include "kernels/elementwise/unary.h"

#include <algorithm>
#include <limits>

#include "kernels/elementwise/cost.h"
#include "kernels/epilogue.h"
#include "kernels/every_isa.h"

namespace athanor::kernels {
namespace {

// How an operator of the graph is computed: which function, with which parameters.
struct Row {
  std::string_view op;
  UnaryF32 UnaryTable::*function;
  // Gives false when the parameters are not known at planning time.
  bool (*read)(const KernelQuery& q, float* params) = nullptr;
  double flops = 1;  // rough cost of one element
};

bool ReadAlpha(const KernelQuery& q, float* params) {
  params[0] = q.Float("alpha");
  return true;
}
bool ReadAlphaBeta(const KernelQuery& q, float* params) {
  params[0] = q.Float("alpha");
  params[1] = q.Float("beta");
  return true;
}
bool ReadAlphaGamma(const KernelQuery& q, float* params) {
  params[0] = q.Float("alpha");
  params[1] = q.Float("gamma");
  return true;
}
bool ReadBiasLambd(const KernelQuery& q, float* params) {
  params[0] = q.Float("bias");
  params[1] = q.Float("lambd");
  return true;
}
bool ReadClip(const KernelQuery& q, float* params) {
  params[0] = -std::numeric_limits<float>::infinity();
  params[1] = std::numeric_limits<float>::infinity();
  for (std::size_t i = 1; i <= 2; ++i) {
    if (!q.Has(i)) continue;
    const Tensor* bound = q.in[i].constant;
    if (bound == nullptr || bound->dtype() != DType::kF32 || bound->count() != 1) return false;
    params[i - 1] = bound->Data<float>()[0];
  }
  return true;
}
bool GeluIsExact(const KernelQuery& q, float*) { return q.Text("approximate") != "tanh"; }
bool GeluIsTanh(const KernelQuery& q, float*) { return q.Text("approximate") == "tanh"; }

constexpr Row kRows[] = {
    {"Abs", &UnaryTable::abs},
    {"Acos", &UnaryTable::acos, nullptr, 100},
    {"Acosh", &UnaryTable::acosh, nullptr, 100},
    {"Asin", &UnaryTable::asin, nullptr, 100},
    {"Asinh", &UnaryTable::asinh, nullptr, 100},
    {"Atan", &UnaryTable::atan, nullptr, 100},
    {"Atanh", &UnaryTable::atanh, nullptr, 100},
    {"Ceil", &UnaryTable::ceil},
    {"Celu", &UnaryTable::celu, ReadAlpha, 20},
    {"Clip", &UnaryTable::clip, ReadClip},
    {"Cos", &UnaryTable::cos, nullptr, 25},
    {"Cosh", &UnaryTable::cosh, nullptr, 100},
    {"Elu", &UnaryTable::elu, ReadAlpha, 20},
    {"Erf", &UnaryTable::erf, nullptr, 50},
    {"Exp", &UnaryTable::exp, nullptr, 15},
    {"Floor", &UnaryTable::floor},
    {"Gelu", &UnaryTable::gelu, GeluIsExact, 50},
    {"Gelu", &UnaryTable::gelu_tanh, GeluIsTanh, 30},
    {"HardSigmoid", &UnaryTable::hard_sigmoid, ReadAlphaBeta},
    {"HardSwish", &UnaryTable::hard_swish},
    {"LeakyRelu", &UnaryTable::leaky_relu, ReadAlpha},
    {"Log", &UnaryTable::log, nullptr, 20},
    {"Mish", &UnaryTable::mish, nullptr, 60},
    {"Neg", &UnaryTable::neg},
    {"Reciprocal", &UnaryTable::reciprocal, nullptr, 8},
    {"Relu", &UnaryTable::relu},
    {"Round", &UnaryTable::round},
    {"Selu", &UnaryTable::selu, ReadAlphaGamma, 20},
    {"Shrink", &UnaryTable::shrink, ReadBiasLambd},
    {"Sigmoid", &UnaryTable::sigmoid, nullptr, 25},
    {"Sign", &UnaryTable::sign},
    {"Sin", &UnaryTable::sin, nullptr, 25},
    {"Sinh", &UnaryTable::sinh, nullptr, 100},
    {"Softplus", &UnaryTable::softplus, nullptr, 35},
    {"Softsign", &UnaryTable::softsign, nullptr, 8},
    {"Sqrt", &UnaryTable::sqrt, nullptr, 8},
    {"Swish", &UnaryTable::silu, ReadAlpha, 25},
    {"Tan", &UnaryTable::tan, nullptr, 100},
    {"Tanh", &UnaryTable::tanh, nullptr, 25},
    {"ThresholdedRelu", &UnaryTable::thresholded_relu, ReadAlpha},
};

// The first row of the operator whose parameters can be read.
const Row* Find(const KernelQuery& q, float* params) {
  for (const Row& row : kRows) {
    if (row.op == q.op->name && (row.read == nullptr || row.read(q, params))) return &row;
  }
  return nullptr;
}

struct State {
  UnaryF32 function = nullptr;
  float params[2] = {0, 0};
  std::int64_t count = 0;
  EpilogueProgram epilogue;
};

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32) return Fit::No("f32 only");
  if (q.out[0].dims != q.in[0].dims) return Fit::No("the output has another shape");
  float params[2];
  if (Find(q, params) == nullptr) return Fit::No("its parameters are computed by the model");
  return AcceptsEpilogue(q, false, false);
}

double Cost(const KernelQuery& q) {
  float params[2];
  return ElementwiseNs(q, Find(q, params)->flops);
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  state->function = Unary(q.isa).*(Find(q, state->params)->function);
  state->count = q.out[0].count();
  state->epilogue = EpilogueProgram::InOrder(q);
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  constexpr std::int64_t kGrain = 16384;
  const State& s = args.State<State>();
  Parallel(args, s.count, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    // Without an epilogue one call; else pieces that stay in the first cache.
    const std::int64_t piece = s.epilogue.steps.empty() ? end - begin : kEpiloguePiece;
    for (std::int64_t at = begin; at < end; at += piece) {
      const std::int64_t n = std::min(piece, end - at);
      s.function(args.In(0) + at, args.Out(0) + at, static_cast<std::size_t>(n), s.params);
      s.epilogue.Apply(args, args.Out(0) + at, n, at, 0, 0);
    }
  });
}

}  // namespace

const UnaryTable& Unary(Isa isa) {
  const UnaryTable* const tables[] = {&base::kUnary, &avx2::kUnary, &avx512::kUnary};
  return *tables[static_cast<std::size_t>(isa)];
}

std::optional<EpilogueStep> UnaryEpilogue(const KernelQuery& q, std::size_t through) {
  EpilogueStep step = {.kind = EpilogueStep::Kind::kUnary, .op = q.op->name};
  if (through != 0 || !Fits(q).yes()) return std::nullopt;
  step.function = static_cast<int>(Find(q, step.params) - kRows);
  return step;
}

double UnaryFlops(const EpilogueStep& step) {
  return kRows[static_cast<std::size_t>(step.function)].flops;
}

UnaryF32 UnaryFunction(const EpilogueStep& step, Isa isa) {
  return Unary(isa).*(kRows[static_cast<std::size_t>(step.function)].function);
}

std::vector<KernelDef> UnaryKernels() {
  std::vector<KernelDef> defs;
  std::string_view last;
  for (const Row& row : kRows) {
    if (row.op == last) continue;
    last = row.op;
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
