#include "kernels/int8/lookup.h"

#include <algorithm>

#include "ir/graph.h"
#include "kernels/every_isa.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels {
namespace int8 {
namespace {

const LookupTable& Lookups(Isa isa) {
  const LookupTable* const tables[] = {&base::kLookups, &avx2::kLookups, &avx512::kLookups};
  return *tables[static_cast<std::size_t>(isa)];
}

bool HasPermutes() {
  static const bool has = Cpu().avx512 && __builtin_cpu_supports("avx512vbmi");
  return has;
}

std::span<const EpilogueStep> TablesOf(const KernelQuery& q) {
  return std::span(q.epilogue).subspan(HasCurve(q) ? 1 : 0);
}

}  // namespace

std::optional<std::size_t> OnlyInput(const KernelQuery& q) {
  std::optional<std::size_t> input;
  for (std::size_t i = 0; i < q.own_inputs; ++i) {
    if (!q.in[i].given()) continue;
    if (q.in[i].constant == nullptr) {
      if (input) return std::nullopt;
      input = i;
    } else if (q.in[i].count() != 1) {
      return std::nullopt;
    }
  }
  return input;
}

namespace {

// The operator's own reference on all 256 integers.
Result<Tensor> AllResults(const KernelQuery& q, std::size_t input) {
  std::vector<std::uint8_t> all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  const Tensor bytes = Tensor::FromVector<std::uint8_t>({256}, all);
  Node node = {.op = q.op,
               .name = {},
               .inputs = {},
               .outputs = {ValueId{0}},
               .attributes = *q.attributes,
               .bodies = {}};
  std::vector<Datum> inputs;
  for (std::size_t i = 0; i < q.own_inputs; ++i) {
    node.inputs.push_back(q.in[i].given() ? ValueId{0} : kNoValue);
    if (i == input) {
      inputs.emplace_back(Tensor::View(q.in[i].dtype, {256}, bytes.raw(), bytes.owner()));
    } else {
      inputs.push_back(q.in[i].given() ? Datum(*q.in[i].constant) : Datum());
    }
  }
  ATH_TRY(std::vector<Datum> outputs, EvaluateNode(node, inputs));
  if (outputs[0].tensor().count() != 256)
    return Error(ErrorCode::kInternal, "{} is not element-wise", q.op->name);
  return std::move(outputs[0].tensor());
}

Fit FitsLookup(const KernelQuery& q) {
  const std::optional<std::size_t> input = OnlyInput(q);
  if (!input) return Fit::No("more than one tensor is computed by the model");
  if (q.out.size() != 1 || !IsByteTensor(q.in[*input], q.quant->inputs[*input]) ||
      !IsByteTensor(q.out[0], q.quant->outputs[0]))
    return Fit::No("8-bit tensors with one scale only");
  if (q.in[*input].block != q.out[0].block) return Fit::No("both sides do not lie alike");
  if (q.in[*input].count() != q.out[0].count()) return Fit::No("the tensor is repeated");
  if (q.quant->fixed31() && q.op->fixed31 == nullptr) return Fit::No("arithmetic \"float\" only");
  return TakesTables(q);
}

// ---- kernels

constexpr std::string_view kFunctions[] = {
    "Abs",      "Add",  "Clip",        "Div",       "Elu",      "Erf",
    "Exp",      "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu",
    "Log",      "Max",  "Min",         "Mish",      "Mul",      "Neg",
    "PRelu",    "Pow",  "Reciprocal",  "Relu",      "Sigmoid",  "Softplus",
    "Softsign", "Sqrt", "Sub",         "Swish",     "Tanh"};

struct LookupState {
  std::size_t input = 0;
  std::int64_t count = 0;
  AfterBytes function;
};

double CostLookup(const KernelQuery& q) {
  return 200 + LookupNs(q.isa, static_cast<double>(q.out[0].stored()));
}

Result<Prepared> PrepareLookup(const KernelQuery& q, PackStore&) {
  auto s = std::make_shared<LookupState>();
  s->input = *OnlyInput(q);
  s->count = q.out[0].stored();
  ATH_TRY(const Tensor results, AllResults(q, s->input));
  s->function = AfterBytes::From(q, q.isa, results);
  return Prepared{s, 0};
}

void RunLookup(const KernelArgs& args) {
  const LookupState& s = args.State<LookupState>();
  const auto* x = args.In<std::uint8_t>(s.input);
  auto* y = args.Out<std::uint8_t>(0);
  Parallel(args, s.count, 32 * 1024, [&](std::int64_t begin, std::int64_t end, int) {
    s.function(x + begin, end - begin, y + begin);
  });
}

}  // namespace

std::optional<Tensor> ResultsOfBytes(const KernelQuery& q, std::size_t through) {
  const bool known =
      std::find(std::begin(kFunctions), std::end(kFunctions), q.op->name) != std::end(kFunctions);
  if (!known || q.quant == nullptr || OnlyInput(q) != through || !FitsLookup(q).yes())
    return std::nullopt;
  Result<Tensor> results = AllResults(q, through);
  return results.ok() ? std::optional(*std::move(results)) : std::nullopt;
}

EpilogueStep AsTableStep(const KernelQuery& node, std::size_t operand) {
  return {.spread = EpilogueStep::Spread::kScalar,  // of no place in the result
          .op = node.op->name,
          .operand = static_cast<int>(operand)};
}

Fit TakesTables(const KernelQuery& q) {
  for (const EpilogueStep& step : TablesOf(q)) {
    const PortInfo* const table =
        step.operand < 0 ? nullptr : &q.in[static_cast<std::size_t>(step.operand)];
    if (step.kind != EpilogueStep::Kind::kUnary || table == nullptr || table->constant == nullptr ||
        ElementBytes(table->dtype) != 1 || table->count() != 256)
      return Fit::No(fmt::format("{} has no table of 256 results", step.op));
  }
  return Fit::Yes();
}

Lookup LookupOf(Isa isa) {
  const LookupTable& table = Lookups(isa);
  return table.permute != nullptr && HasPermutes() ? table.permute : table.shuffle;
}

double LookupNs(Isa isa, double bytes) {
  constexpr double kPerNs[] = {2.5, 5, 8}, kPermutesPerNs = 40;
  const bool permutes = isa == Isa::kAvx512 && HasPermutes();
  return bytes / (permutes ? kPermutesPerNs : kPerNs[static_cast<std::size_t>(isa)]);
}

AfterBytes AfterBytes::From(const KernelQuery& q, Isa isa, const Tensor& results) {
  AfterBytes after;
  after.run_ = LookupOf(isa);
  std::uint8_t* const all = after.table_.results;
  std::copy_n(static_cast<const std::uint8_t*>(results.raw()), 256, all);
  for (const EpilogueStep& step : TablesOf(q)) {
    const Tensor& next = *q.in[static_cast<std::size_t>(step.operand)].constant;
    const auto* const bytes = static_cast<const std::uint8_t*>(next.raw());
    std::transform(all, all + 256, all, [bytes](std::uint8_t x) { return bytes[x]; });
  }
  for (std::size_t i = 0; i < 256; ++i) {
    const bool first = i % 128 < 16;  // row of its half
    after.table_.rows[i] = static_cast<std::uint8_t>(all[i] ^ (first ? 0 : all[i - 16]));
  }
  return after;
}

AfterBytes AfterBytes::From(const KernelQuery& q, Isa isa) {
  if (TablesOf(q).empty()) return {};
  std::vector<std::uint8_t> same(256);
  for (std::size_t i = 0; i < same.size(); ++i) same[i] = static_cast<std::uint8_t>(i);
  return From(q, isa, Tensor::FromVector<std::uint8_t>({256}, same));
}

double AfterBytes::Ns(const KernelQuery& q, Isa isa) {
  constexpr double kCurvePerNs[] = {0.4, 1, 8};
  const auto bytes = static_cast<double>(q.out[0].stored());
  const double curve = HasCurve(q) ? bytes / kCurvePerNs[static_cast<std::size_t>(isa)] : 0;
  return curve + (TablesOf(q).empty() ? 0 : LookupNs(isa, bytes));
}

}  // namespace int8

std::vector<KernelDef> Int8LookupKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : int8::kFunctions) {
    KernelDef def = {.name = fmt::format("{}.i8.lookup", op),
                     .op = std::string(op),
                     .in_place = true,
                     .takes_epilogue = true,
                     .quantized = true,
                     .fits = int8::FitsLookup,
                     .cost_ns = int8::CostLookup,
                     .prepare = int8::PrepareLookup,
                     .run = int8::RunLookup};
    AddForEveryIsa(defs, def);
    def.name += ".blocked";
    def.blocked = true;
    AddForEveryIsa(defs, std::move(def));
  }
  return defs;
}

}  // namespace athanor::kernels
