#include "kernels/elementwise/cast.h"

#include <algorithm>
#include <array>

#include "kernels/every_isa.h"

namespace athanor::kernels {
namespace {

constexpr std::array kTypes = {DType::kF32, DType::kI8,  DType::kU8,
                               DType::kI32, DType::kI64, DType::kBool};

constexpr std::int64_t kGrain = 16384;

std::optional<std::size_t> IndexOf(DType dtype) {
  const auto at = std::find(kTypes.begin(), kTypes.end(), dtype);
  if (at == kTypes.end()) return std::nullopt;
  return static_cast<std::size_t>(at - kTypes.begin());
}

// One conversion, or two with f32 between: what f16 holds, f32 holds, and what overflows the one
// rounds to infinity in the other.
struct State {
  CastFn first = nullptr, second = nullptr;
  std::int64_t count = 0;
  std::int64_t from_bytes = 1, to_bytes = 1;
};

bool SetFunctions(const KernelQuery& q, State& state) {
  const CastTable& table = Casts(q.isa);
  const DType from = q.in[0].dtype, to = q.out[0].dtype;
  if (from == DType::kF64 || to == DType::kF64) {  // f64 is for tables: f32 is all that meets it
    if (from == DType::kF32) state.first = table.float_to_double;
    if (to == DType::kF32) state.first = table.double_to_float;
    return state.first != nullptr;
  }
  const auto from_index = IndexOf(from == DType::kF16 ? DType::kF32 : from);
  const auto to_index = IndexOf(to == DType::kF16 ? DType::kF32 : to);
  if (!from_index || !to_index || (from == DType::kF16 && to == DType::kF16)) return false;
  const CastFn middle = table.cast[*from_index][*to_index];
  if (from == DType::kF16) {
    state.first = table.half_to_float;
    if (to != DType::kF32) state.second = middle;
  } else if (to == DType::kF16) {
    state.first = from == DType::kF32 ? table.float_to_half : middle;
    if (from != DType::kF32) state.second = table.float_to_half;
  } else {
    state.first = middle;
  }
  return true;
}

Fit Fits(const KernelQuery& q) {
  State state;
  if (SetFunctions(q, state)) return Fit::Yes();
  return Fit::No(fmt::format("not from {} to {}", Name(q.in[0].dtype), Name(q.out[0].dtype)));
}

double Cost(const KernelQuery& q) {
  return RooflineNs(q.isa, 2 * static_cast<double>(q.out[0].count()),
                    static_cast<double>(q.in[0].bytes() + q.out[0].bytes()));
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore&) {
  auto state = std::make_shared<State>();
  SetFunctions(q, *state);
  state->count = q.out[0].count();
  state->from_bytes = static_cast<std::int64_t>(ElementBytes(q.in[0].dtype));
  state->to_bytes = static_cast<std::int64_t>(ElementBytes(q.out[0].dtype));
  return Prepared{state, 0};
}

void Run(const KernelArgs& args) {
  constexpr std::int64_t kPiece = 512;
  const State& s = args.State<State>();
  if (s.second == nullptr) {
    CastElements(args, s.first, args.In<void>(0), s.from_bytes, args.Out<void>(0), s.to_bytes,
                 s.count);
    return;
  }
  Parallel(args, s.count, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    const std::byte* from = args.In<std::byte>(0);
    std::byte* to = args.Out<std::byte>(0);
    alignas(64) std::array<float, kPiece> floats;
    for (std::int64_t at = begin; at < end; at += kPiece) {
      const auto n = static_cast<std::size_t>(std::min(kPiece, end - at));
      s.first(from + at * s.from_bytes, floats.data(), n);
      s.second(floats.data(), to + at * s.to_bytes, n);
    }
  });
}

}  // namespace

const CastTable& Casts(Isa isa) {
  const CastTable* const tables[] = {&base::kCasts, &avx2::kCasts, &avx512::kCasts};
  return *tables[static_cast<std::size_t>(isa)];
}

void CastElements(const KernelArgs& args, CastFn cast, const void* from, std::int64_t from_bytes,
                  void* to, std::int64_t to_bytes, std::int64_t count) {
  Parallel(args, count, kGrain, [&](std::int64_t begin, std::int64_t end, int) {
    cast(static_cast<const std::byte*>(from) + begin * from_bytes,
         static_cast<std::byte*>(to) + begin * to_bytes, static_cast<std::size_t>(end - begin));
  });
}

std::vector<KernelDef> CastKernels() {
  std::vector<KernelDef> defs;
  AddForEveryIsa(defs, {.name = "Cast.elements",
                        .op = "Cast",
                        .fits = Fits,
                        .cost_ns = Cost,
                        .prepare = Prepare,
                        .run = Run});
  return defs;
}

}  // namespace athanor::kernels
