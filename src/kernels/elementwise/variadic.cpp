#include "kernels/elementwise/variadic.h"

#include <cstring>

#include "kernels/broadcast.h"
#include "kernels/elementwise/binary.h"
#include "kernels/elementwise/cost.h"
#include "kernels/elementwise/element.h"
#include "kernels/every_isa.h"

namespace athanor::kernels {
namespace {

struct Row {
  std::string_view op;
  BinaryF32 BinaryTable::*f32;
};
constexpr Row kRows[] = {{"Max", &BinaryTable::max},
                         {"Mean", &BinaryTable::add},
                         {"Min", &BinaryTable::min},
                         {"Sum", &BinaryTable::add}};

struct State {
  BroadcastLoop loop;
  BinaryF32 f32 = nullptr;
  ElementFn other = nullptr;  // for types that are not f32
  BinaryF32 multiply = nullptr;
  float factor = 1;  // of the result
  std::size_t operands = 0;
  std::int64_t element = 4;
};

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32 && ElementFunction(q.op->name, q.in[0].dtype, q.isa) == nullptr)
    return Fit::No(fmt::format("not for {}", Name(q.in[0].dtype)));
  return FitsBroadcast(q, q.own_inputs);
}

double Cost(const KernelQuery& q) {
  return 1.2 * ElementwiseNs(q, static_cast<double>(q.own_inputs));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  std::vector<Dims> shapes;
  for (std::size_t i = 0; i < q.own_inputs; ++i) shapes.push_back(q.in[i].dims);
  state->operands = q.own_inputs;
  state->loop = BroadcastLoop(q.out[0].dims, shapes);
  state->element = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  state->multiply = Binary(q.isa).mul;
  if (q.op->name == "Mean") state->factor = 1.0F / static_cast<float>(q.own_inputs);
  for (const Row& row : kRows) {
    if (row.op == q.op->name && q.in[0].dtype == DType::kF32) state->f32 = Binary(q.isa).*row.f32;
  }
  if (state->f32 == nullptr) state->other = ElementFunction(q.op->name, q.in[0].dtype, q.isa);
  return Prepared{state, 0};
}

// y = f(a, b) on one row.
void Combine(const State& s, const void* a, std::size_t a_step, const void* b, std::size_t b_step,
             void* y, std::size_t n) {
  if (s.f32 != nullptr) {
    s.f32(static_cast<const float*>(a), a_step, static_cast<const float*>(b), b_step,
          static_cast<float*>(y), n);
    return;
  }
  const void* const operands[] = {a, b};
  const std::size_t steps[] = {a_step, b_step};
  s.other(operands, steps, y, n);
}

void RunRow(const KernelArgs& args, const State& s, const BroadcastLoop::Offsets& at,
            std::int64_t out, std::int64_t n) {
  std::byte* y = args.Out<std::byte>(0) + out * s.element;
  const auto count = static_cast<std::size_t>(n);
  const auto row = [&](std::size_t i) { return args.In<std::byte>(i) + at[i] * s.element; };
  if (s.operands == 1) {
    std::memcpy(y, row(0), static_cast<std::size_t>(n * s.element));
    return;
  }
  Combine(s, row(0), s.loop.step(0), row(1), s.loop.step(1), y, count);
  for (std::size_t i = 2; i < s.operands; ++i) Combine(s, y, 1, row(i), s.loop.step(i), y, count);
  if (s.factor != 1) {
    auto* floats = reinterpret_cast<float*>(y);
    s.multiply(floats, 1, &s.factor, 0, floats, count);
  }
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  s.loop.Run(args, kElementGrain,
             [&](const BroadcastLoop::Offsets& at, std::int64_t out, std::int64_t n) {
               RunRow(args, s, at, out, n);
             });
}

}  // namespace

std::vector<KernelDef> VariadicKernels() {
  std::vector<KernelDef> defs;
  for (const Row& row : kRows) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.several", row.op),
                          .op = std::string(row.op),
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
