#include <algorithm>

#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"
#include "ops/quant/fixed31_scales.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

struct BinaryState {
  Binary run = nullptr;
  BinaryHow how;
  std::int64_t count = 0;
  AfterBytes after;
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
  static constexpr bool kTakesTables = true;

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
    return StepsNs(variant, 16 * static_cast<double>(q.out[0].stored()));
  }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    auto s = std::make_shared<BinaryState>();
    const QuantSpec& spec = *q.quant;
    s->run = FunctionOf(q, variant);
    s->after = AfterBytes::From(q, IsaOf(variant));
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
      constexpr std::int64_t kPiece = 4096;  // stays in the first-level cache
      for (std::int64_t at = begin; at < end; at += kPiece) {
        const std::int64_t n = std::min(kPiece, end - at);
        std::uint8_t* const y = args.Out<std::uint8_t>(0) + at;
        s.run(args.In<std::uint8_t>(0) + at, args.In<std::uint8_t>(1) + at,
              static_cast<std::size_t>(n), s.how, y);
        s.after(y, n);
      }
    });
  }
};

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

}  // namespace athanor::kernels
