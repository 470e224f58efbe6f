#include <algorithm>

#include "ir/graph.h"
#include "kernels/every_isa.h"
#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"
#include "ops/quant/fixed31_scales.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

// ---- two tensors of one shape

struct BinaryState {
  Binary run = nullptr;
  BinaryHow how;
  std::int64_t count = 0;
};

Binary FunctionOf(const KernelQuery& q, Variant variant) {
  const PlaneTable& table = int8::Planes(variant);
  return q.op->name == "Add" ? table.add : q.op->name == "Sub" ? table.sub : table.mul;
}

void SetFixed31(const KernelQuery& q, BinaryHow& how) {
  const float a = q.quant->inputs[0].scales[0], b = q.quant->inputs[1].scales[0];
  const float y = q.quant->outputs[0].scales[0];
  how.fixed31 = true;
  ops::SumMultipliers m;
  if (q.op->name == "Mul") {
    m.y = ops::MultiplierOfProduct(a, b, y);
  } else {
    m = ops::MultipliersOfSum(a, b, y);
    how.spare_bits = ops::kSumSpareBits;
  }
  const ops::fixed::Multiplier all[] = {m.a, m.b, m.y};
  for (std::size_t i = 0; i < 3; ++i) {
    how.mantissa[i] = all[i].value;
    how.shift[i] = all[i].shift;
  }
}

struct BinaryI8 {
  static Fit Fits(const KernelQuery& q) {
    const QuantSpec& spec = *q.quant;
    for (std::size_t i = 0; i < 2; ++i) {
      if (!IsByteTensor(q.in[i], spec.inputs[i]))
        return Fit::No("8-bit tensors with one scale only");
    }
    if (!IsByteTensor(q.out[0], spec.outputs[0]))
      return Fit::No("8-bit tensors with one scale only");
    if (q.in[0].dims != q.in[1].dims) return Fit::No("two tensors of one shape only");
    if (q.in[0].block != q.in[1].block) return Fit::No("an operand has another layout");
    return Fit::Yes();
  }
  static double Cost(const KernelQuery& q, Variant variant) {
    return ProductsNs(variant, 16 * static_cast<double>(q.out[0].stored()));
  }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    auto s = std::make_shared<BinaryState>();
    const QuantSpec& spec = *q.quant;
    s->run = FunctionOf(q, variant);
    s->count = q.out[0].stored();
    for (std::size_t i = 0; i < 2; ++i) {
      s->how.flip[i] = FlipOf(spec.inputs[i]);
      s->how.zero[i] = FlippedZero(spec.inputs[i]);
      s->how.scale[i] = spec.inputs[i].scales[0];
    }
    const IntRange range = *QuantRange(spec.outputs[0].dtype);
    s->how.out_scale = spec.outputs[0].scales[0];
    s->how.out_zero = static_cast<std::int32_t>(spec.outputs[0].zeros[0]);
    s->how.low = static_cast<std::int32_t>(spec.clamp ? spec.clamp->low : range.low);
    s->how.high = static_cast<std::int32_t>(spec.clamp ? spec.clamp->high : range.high);
    if (spec.fixed31()) SetFixed31(q, s->how);
    return Prepared{s, 0};
  }
  static void Run(const KernelArgs& args) {
    const BinaryState& s = args.State<BinaryState>();
    Parallel(args, s.count, 16 * 1024, [&](std::int64_t begin, std::int64_t end, int) {
      s.run(args.In<std::uint8_t>(0) + begin, args.In<std::uint8_t>(1) + begin,
            static_cast<std::size_t>(end - begin), s.how, args.Out<std::uint8_t>(0) + begin);
    });
  }
};

// ---- one tensor: 256 results

struct LookupState {
  std::size_t input = 0;
  std::int64_t count = 0;
  std::uint8_t table[256] = {};
};

// The only input that is no constant; nothing when there are several, or a constant that is not one
// number.
std::optional<std::size_t> LookupInput(const KernelQuery& q) {
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
  const std::optional<std::size_t> input = LookupInput(q);
  if (!input) return Fit::No("more than one tensor is computed by the model");
  if (q.out.size() != 1 || !IsByteTensor(q.in[*input], q.quant->inputs[*input]) ||
      !IsByteTensor(q.out[0], q.quant->outputs[0]))
    return Fit::No("8-bit tensors with one scale only");
  if (q.in[*input].block != q.out[0].block) return Fit::No("both sides do not lie alike");
  if (q.in[*input].count() != q.out[0].count()) return Fit::No("the tensor is repeated");
  if (q.quant->fixed31() && q.op->fixed31 == nullptr) return Fit::No("arithmetic \"float\" only");
  return Fit::Yes();
}

double CostLookup(const KernelQuery& q) { return 200 + static_cast<double>(q.out[0].stored()); }

Result<Prepared> PrepareLookup(const KernelQuery& q, PackStore&) {
  auto s = std::make_shared<LookupState>();
  s->input = *LookupInput(q);
  s->count = q.out[0].stored();
  ATH_TRY(const Tensor results, AllResults(q, s->input));
  std::copy_n(static_cast<const std::uint8_t*>(results.raw()), 256, s->table);
  return Prepared{s, 0};
}

void RunLookup(const KernelArgs& args) {
  const LookupState& s = args.State<LookupState>();
  const auto* x = args.In<std::uint8_t>(s.input);
  auto* y = args.Out<std::uint8_t>(0);
  Parallel(args, s.count, 16 * 1024, [&](std::int64_t begin, std::int64_t end, int) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = s.table[x[i]];
  });
}

}  // namespace

std::vector<KernelDef> Int8BinaryKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"Add", "Mul", "Sub"}) {
    for (KernelDef& def : DefineAll<BinaryI8>(op, "")) defs.push_back(std::move(def));
    for (KernelDef& def : DefineAllBlocked<BinaryI8>(op, ".blocked"))
      defs.push_back(std::move(def));
  }
  return defs;
}

std::vector<KernelDef> Int8LookupKernels() {
  constexpr std::string_view kOps[] = {
      "Abs",      "Add",  "Clip",        "Div",       "Elu",      "Erf",
      "Exp",      "Gelu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu",
      "Log",      "Max",  "Min",         "Mish",      "Mul",      "Neg",
      "PRelu",    "Pow",  "Reciprocal",  "Relu",      "Sigmoid",  "Softplus",
      "Softsign", "Sqrt", "Sub",         "Swish",     "Tanh"};
  std::vector<KernelDef> defs;
  for (const std::string_view op : kOps) {
    defs.push_back({.name = fmt::format("{}.i8.lookup", op),
                    .op = std::string(op),
                    .in_place = true,
                    .quantized = true,
                    .fits = FitsLookup,
                    .cost_ns = CostLookup,
                    .prepare = PrepareLookup,
                    .run = RunLookup});
    KernelDef blocked = defs.back();
    blocked.name += ".blocked";
    blocked.blocked = true;
    AddForEveryIsa(defs, std::move(blocked));
  }
  return defs;
}

}  // namespace athanor::kernels
