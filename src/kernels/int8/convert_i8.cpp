#include "kernels/int8/int8.h"
#include "kernels/int8/requant.h"

namespace athanor::kernels {
namespace {

using namespace int8;  // NOLINT(google-build-using-namespace)

// QuantizeLinear and DequantizeLinear that stand alone: at the borders of the quantised part.
struct State {
  bool quantize = false;
  Quantizer to_bytes = nullptr;
  decltype(PlaneTable::dequantize) to_reals = nullptr;
  std::int64_t count = 0;
  float scale = 1;
  std::int32_t zero = 0, low = 0, high = 255;
  std::uint8_t flip = 0;
};

struct ConvertI8 {
  static Fit Fits(const KernelQuery& q) {
    const bool quantize = q.op->name == "QuantizeLinear";
    const PortInfo &bytes = quantize ? q.out[0] : q.in[0], &real = quantize ? q.in[0] : q.out[0];
    if ((bytes.dtype != DType::kI8 && bytes.dtype != DType::kU8) || real.dtype != DType::kF32)
      return Fit::No("between f32 and 8 bits only");
    const PortInfo& scale = q.in[1];
    if (scale.constant == nullptr || scale.count() != 1 || scale.dtype != DType::kF32)
      return Fit::No("one scale known before running only");
    if (!(scale.constant->Data<float>()[0] > 0)) return Fit::No("positive scales only");
    if (q.Has(2) && (q.in[2].constant == nullptr || q.in[2].count() != 1))
      return Fit::No("one zero point known before running only");
    if (bytes.block != real.block) return Fit::No("both sides do not lie alike");
    if (quantize && q.attributes->Find("precision") != nullptr)
      return Fit::No("precision of f32 only");
    return Fit::Yes();
  }
  static double Cost(const KernelQuery& q, Variant variant) {
    const double steps = q.op->name == "QuantizeLinear" ? 16 : 8;
    return StepsNs(variant, steps * static_cast<double>(q.out[0].stored()));
  }
  static Result<Prepared> Prepare(const KernelQuery& q, PackStore&, Variant variant) {
    auto s = std::make_shared<State>();
    const PlaneTable& table = int8::Planes(variant);
    s->quantize = q.op->name == "QuantizeLinear";
    const bool fixed31 = s->quantize && q.Text("arithmetic") == "fixed31";
    s->to_bytes = fixed31 ? table.quantize_fixed31 : table.quantize;
    s->to_reals = table.dequantize;
    s->count = q.out[0].stored();
    s->scale = q.in[1].constant->Data<float>()[0];
    if (q.Has(2)) s->zero = static_cast<std::int32_t>((*q.ConstInts(2))[0]);
    const DType dtype = s->quantize ? q.out[0].dtype : q.in[0].dtype;
    const IntRange range = *QuantRange(dtype);
    s->low = static_cast<std::int32_t>(range.low);
    s->high = static_cast<std::int32_t>(range.high);
    if (!s->quantize && dtype == DType::kI8) {
      s->flip = kTopBit;
      s->zero += kTopBit;
    }
    return Prepared{s, 0};
  }
  static void Run(const KernelArgs& args) {
    const State& s = args.State<State>();
    Parallel(args, s.count, 16 * 1024, [&](std::int64_t begin, std::int64_t end, int) {
      const auto n = static_cast<std::size_t>(end - begin);
      if (s.quantize) {
        s.to_bytes(args.In(0) + begin, n, s.scale, s.zero, s.low, s.high,
                   args.Out<std::uint8_t>(0) + begin);
      } else {
        s.to_reals(args.In<std::uint8_t>(0) + begin, n, s.scale, s.zero, s.flip,
                   args.Out(0) + begin);
      }
    });
  }
};

}  // namespace

std::vector<KernelDef> Int8ConvertKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"QuantizeLinear", "DequantizeLinear"}) {
    for (KernelDef& def : DefineAll<ConvertI8>(op, "")) defs.push_back(std::move(def));
    for (KernelDef& def : DefineAllBlocked<ConvertI8>(op, ".blocked"))
      defs.push_back(std::move(def));
  }
  for (KernelDef& def : defs) def.quantized = false;  // the nodes themselves are ordinary ones
  return defs;
}

}  // namespace athanor::kernels
