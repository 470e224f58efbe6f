#include "kernels/through_f32.h"

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/elementwise/cast.h"

namespace athanor::kernels {
namespace {

constexpr std::size_t kMostPorts = 24;
// Constants whose values decide whether a kernel fits: bounds, scales, shapes.
constexpr std::int64_t kSmall = 4096;

bool IsHalf(const PortInfo& port) { return port.dtype == DType::kF16; }

struct Conversion {
  std::size_t port = 0;
  std::int64_t count = 0;
  std::int64_t offset = 0;  // in scratch memory
};

struct State {
  const KernelDef* inner = nullptr;
  const CastTable* casts = nullptr;
  Prepared prepared;
  std::vector<Conversion> inputs, outputs;
  std::vector<Tensor> constants;  // widened once, kept for as long as the state
  std::vector<std::pair<std::size_t, const void*>> known;  // inputs that are constants
  std::size_t num_inputs = 0, num_outputs = 0;
};

std::int64_t Aligned(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }

Fit Fits(const KernelQuery& q) {
  ATH_CHECK(q.def != nullptr, "kernels are asked through KernelQuery::To or Candidates");
  if (q.in.size() > kMostPorts || q.out.size() > kMostPorts) return Fit::No("too many operands");
  std::vector<Tensor> constants;
  std::optional<KernelQuery> wide = WidenedQuery(q, kSmall, constants);
  if (!wide) return Fit::No("no f16 tensor");
  wide->def = q.def->inner;
  return wide->def->fits(*wide);
}

double Cost(const KernelQuery& q) {
  std::vector<Tensor> constants;
  KernelQuery wide = *WidenedQuery(q, kSmall, constants);
  wide.def = q.def->inner;
  double bytes = 0;
  for (const PortInfo& port : q.in) bytes += 3 * static_cast<double>(port.bytes());
  for (const PortInfo& port : q.out) bytes += 3 * static_cast<double>(port.bytes());
  return wide.def->cost_ns(wide) + RooflineNs(q.isa, 0, bytes);
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  auto state = std::make_shared<State>();
  KernelQuery wide = *WidenedQuery(q, std::numeric_limits<std::int64_t>::max(), state->constants);
  wide.def = q.def->inner;
  state->inner = q.def->inner;
  state->casts = &Casts(q.isa);
  state->num_inputs = q.in.size();
  state->num_outputs = q.out.size();
  ATH_TRY(state->prepared, state->inner->prepare(wide, store));
  std::int64_t bytes = Aligned(state->prepared.scratch_bytes);
  const auto convert = [&](const PortInfo& port, std::size_t i, std::vector<Conversion>& list) {
    list.push_back({i, port.count(), bytes});
    bytes += Aligned(port.count() * 4);
  };
  for (std::size_t i = 0; i < q.in.size(); ++i) {
    if (!IsHalf(q.in[i])) continue;
    if (wide.in[i].constant != nullptr) {
      state->known.emplace_back(i, wide.in[i].constant->raw());
    } else {
      convert(q.in[i], i, state->inputs);
    }
  }
  for (std::size_t i = 0; i < q.out.size(); ++i) {
    if (IsHalf(q.out[i])) convert(q.out[i], i, state->outputs);
  }
  return Prepared{state, bytes};
}

void Run(const KernelArgs& args) {
  const State& s = args.State<State>();
  std::array<const void*, kMostPorts> in = {};
  std::array<void*, kMostPorts> out = {};
  std::copy(args.in.begin(), args.in.end(), in.begin());
  std::copy(args.out.begin(), args.out.end(), out.begin());
  for (const auto& [port, data] : s.known) in[port] = data;
  for (const Conversion& input : s.inputs) {
    std::byte* wide = args.scratch + input.offset;
    CastElements(args, s.casts->half_to_float, args.in[input.port], 2, wide, 4, input.count);
    in[input.port] = wide;
  }
  for (const Conversion& output : s.outputs) out[output.port] = args.scratch + output.offset;
  KernelArgs inner = args;
  inner.in = std::span(in).first(s.num_inputs);
  inner.out = std::span(out).first(s.num_outputs);
  inner.state = s.prepared.state.get();
  s.inner->run(inner);
  for (const Conversion& output : s.outputs) {
    CastElements(args, s.casts->float_to_half, out[output.port], 4, args.out[output.port], 2,
                 output.count);
  }
}

Result<Tensor> Widened(const Tensor& half) {
  ATH_TRY(Tensor wide, Tensor::Allocate(DType::kF32, half.dims()));
  Casts(Isa::kBase)
      .half_to_float(half.raw(), wide.mutable_raw(), static_cast<std::size_t>(half.count()));
  return wide;
}

}  // namespace

std::optional<KernelQuery> WidenedQuery(const KernelQuery& query, std::int64_t most,
                                        std::vector<Tensor>& constants) {
  const auto any = [](const std::vector<PortInfo>& ports) {
    return std::any_of(ports.begin(), ports.end(), IsHalf);
  };
  if (!any(query.in) && !any(query.out)) return std::nullopt;
  KernelQuery wide = query;
  constants.reserve(query.in.size());
  for (PortInfo& port : wide.in) {
    if (!IsHalf(port)) continue;
    port.dtype = DType::kF32;
    if (port.constant == nullptr || port.count() > most) continue;
    Result<Tensor> value = Widened(*port.constant);
    if (value.ok()) constants.push_back(*std::move(value));
    port.constant = value.ok() ? &constants.back() : nullptr;
  }
  for (PortInfo& port : wide.out) {
    if (IsHalf(port)) port.dtype = DType::kF32;
  }
  return wide;
}

std::vector<KernelDef> ThroughF32Kernels(const std::vector<KernelDef>& all) {
  std::vector<KernelDef> defs;
  for (const KernelDef& def : all) {
    if (def.view || def.quantized || def.blocked || def.op == "Cast") continue;
    defs.push_back({.name = "f16 through " + def.name,
                    .op = def.op,
                    .isa = def.isa,
                    .takes_epilogue = def.takes_epilogue,
                    .inner = &def,
                    .fits = Fits,
                    .cost_ns = Cost,
                    .most = def.most,
                    .prepare = Prepare,
                    .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
