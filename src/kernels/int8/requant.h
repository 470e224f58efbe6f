// What kernels on 8-bit tensors have in common: which instruction set, which tensors they take, and
// how their sums become integers again.
#pragma once

#include "kernels/int8/blend_table.h"
#include "kernels/int8/lookup.h"
#include "kernels/int8/max_table.h"
#include "kernels/int8/table.h"
#include "kernels/kernel.h"
#include "ops/quant/fixed_point.h"

namespace athanor::kernels::int8 {

// The variants of a kernel: three instruction sets, and AVX-512 with 8-bit dot products.
enum class Variant : std::uint8_t { kBase, kAvx2, kAvx512, kVnni };
std::string_view Name(Variant variant);
Isa IsaOf(Variant variant);
Fit OnThisMachine(Variant variant);
const MatrixTable& Matrices(Variant variant);
const PlaneTable& Planes(Variant variant);
const LaneTable& Lanes(Variant variant);
const MaxTable& Maxima(Variant variant);
const BlendTable& Blends(Variant variant);
// Time of so many multiply-adds on one core, and of so many of the simpler steps that conversions
// and the windows of single channels take.
double ProductsNs(Variant variant, double products);
double StepsNs(Variant variant, double steps);

// One KernelDef per variant of a struct with static Fits(query), Cost(query, variant),
// Prepare(query, store, variant) and Run(args). One with kTakesTables ends with the tables of its
// epilogue.
template <class K>
concept EndsWithTables = K::kTakesTables;
template <class K, Variant kVariant>
KernelDef DefineOne(std::string_view op, std::string_view how) {
  return {.name = fmt::format("{}.i8{}.{}", op, how, Name(kVariant)),
          .op = std::string(op),
          .isa = IsaOf(kVariant),
          .takes_epilogue = EndsWithTables<K>,
          .quantized = true,
          .fits =
              [](const KernelQuery& q) {
                Fit machine = OnThisMachine(kVariant);
                if (!machine.yes()) return machine;
                if constexpr (EndsWithTables<K>) {
                  Fit tables = TakesTables(q);
                  if (!tables.yes()) return tables;
                }
                return K::Fits(q);
              },
          .cost_ns =
              [](const KernelQuery& q) {
                double ns = K::Cost(q, kVariant);
                if constexpr (EndsWithTables<K>) ns += AfterBytes::Ns(q, IsaOf(kVariant));
                return ns;
              },
          .prepare = [](const KernelQuery& q,
                        PackStore& store) { return K::Prepare(q, store, kVariant); },
          .run = K::Run};
}
template <class K>
std::vector<KernelDef> DefineAll(std::string_view op, std::string_view how) {
  return {DefineOne<K, Variant::kBase>(op, how), DefineOne<K, Variant::kAvx2>(op, how),
          DefineOne<K, Variant::kAvx512>(op, how), DefineOne<K, Variant::kVnni>(op, how)};
}
// The same on channels in blocks.
template <class K>
std::vector<KernelDef> DefineAllBlocked(std::string_view op, std::string_view how) {
  std::vector<KernelDef> defs = DefineAll<K>(op, how);
  for (KernelDef& def : defs) def.blocked = true;
  return defs;
}

// A tensor of 8 bits with one scale.
bool IsByteTensor(const PortInfo& port, const QuantPort& quant);
// The result is one, perhaps by a curve.
bool GivesBytes(const KernelQuery& q);
inline constexpr std::uint8_t kTopBit = 0x80;
inline std::uint8_t FlipOf(const QuantPort& port) { return port.dtype == DType::kI8 ? kTopBit : 0; }
// The zero point after flipping.
inline std::int32_t FlippedZero(const QuantPort& port) {
  return static_cast<std::int32_t>(port.zeros[0]) + FlipOf(port);
}

// Constant weights of 8 bits, one scale or one per index of `axis`; bias constant, one per channel.
// The reason when something does not fit.
Fit FitsWeights(const KernelQuery& q, std::int64_t axis);
// The same without a zero point; u8 with 128 counts as such.
Fit FitsSignedWeights(const KernelQuery& q, std::int64_t axis);
// The weights without their zero points, which belong to the indices of `axis`.
std::vector<std::int16_t> CentredWeights(const KernelQuery& q, std::int64_t axis);
// More products could overflow a sum of 32 bits.
std::int64_t MostProducts(const KernelQuery& q);
// So many passes over the data take centred weights as elements of `element_bytes`; the part of a
// weight that a pass takes.
std::int64_t PassesFor(const std::vector<std::int16_t>& weights, std::size_t element_bytes);
std::int16_t PartOf(std::int16_t weight, std::int64_t pass, std::size_t element_bytes);

// The sum of each of `channels` equal parts.
std::vector<std::int64_t> SumsOfRows(const std::vector<std::int16_t>& weights,
                                     std::int64_t channels);

// A group of elements for a lane, in the memory of `to`.
void WriteGroup(const std::int16_t* weights, std::size_t element_bytes, std::uint8_t* to);
// A flipped zero point in each element of a group.
std::uint32_t GroupOf(std::uint8_t zero, std::size_t element_bytes);

// Owns what a Requant points to. Arrays are padded to whole tiles.
class RequantPlan {
 public:
  RequantPlan() = default;
  // `weight_sums`: of each channel, over its weights. The bias is input 2.
  // `matrix`: not a convolution; TFLite rounds the two differently.
  static Result<RequantPlan> ForWeights(const KernelQuery& q,
                                        const std::vector<std::int64_t>& weight_sums,
                                        bool matrix = false);
  // All sums are multiplied by `ratio` of their scale and the output's; `offset` is added first.
  static RequantPlan ForSums(const QuantSpec& spec, double ratio, std::int32_t offset);
  // Sums of `count` elements become means.
  static RequantPlan ForMeans(const QuantSpec& spec, std::int64_t count);
  Requant how() const;

 private:
  void SetOutput(const QuantSpec& spec);
  void AddChannel(double multiplier, std::int32_t offset, bool fixed31);
  void AddChannel(ops::fixed::Multiplier multiplier, std::int32_t offset);
  void Pad();

  std::vector<std::int32_t> offsets_, mantissas_, shifts_;
  std::vector<float> factors_;
  std::shared_ptr<const Curve> curve_;
  std::int32_t zero_ = 0, low_ = 0, high_ = 255;
  bool once_ = false;
};

}  // namespace athanor::kernels::int8
