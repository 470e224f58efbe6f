// Functions of one number whose results are bytes: of a byte, alone or behind an operator whose
// result they take while it is in cache; of a real number, where a product makes it of bytes.
#pragma once

#include "kernels/int8/curve.h"
#include "kernels/int8/lookup_table.h"
#include "kernels/kernel.h"

namespace athanor::kernels::int8 {

// The only input that is no constant; nothing when there are several, or a constant that is not one
// number.
std::optional<std::size_t> OnlyInput(const KernelQuery& q);

// The 256 results of a node that turns each byte of its input `through` into another: nothing where
// it does more, or its tensors have several scales.
std::optional<Tensor> ResultsOfBytes(const KernelQuery& q, std::size_t through);

// The epilogues of kernels on bytes are such nodes: a step's operand is the constant with its
// results.
EpilogueStep AsTableStep(const KernelQuery& node, std::size_t operand);
// Before them there may be a function of real numbers, which the operator itself gives then.
Fit TakesTables(const KernelQuery& q);

// ---- functions of real numbers, see curve.h

// Whether there are kernels of `product` that end with `function`.
bool MayEndWith(const OpDef& product, const OpDef& function);
// A node that turns real numbers, its input `through`, into bytes: the constant that is the operand
// of a step, and how much a word is. Nothing where the function has no such form.
struct CurveStep {
  Tensor operand;
  float word = 1;
};
std::optional<CurveStep> CurveOf(const KernelQuery& q, std::size_t through);
EpilogueStep AsCurveStep(const KernelQuery& node, std::size_t operand, float word);
bool HasCurve(const KernelQuery& q);
// Of a query that has one.
Curve CurveOf(const KernelQuery& q);

// The fastest function of an instruction set on this machine.
Lookup LookupOf(Isa isa);
// Time of so many bytes on one core.
double LookupNs(Isa isa, double bytes);

// What follows on finished bytes: a table, or nothing.
class AfterBytes {
 public:
  AfterBytes() = default;
  // All tables of the epilogue as one.
  static AfterBytes From(const KernelQuery& q, Isa isa);
  // The same after the function that `results` gives.
  static AfterBytes From(const KernelQuery& q, Isa isa, const Tensor& results);
  static double Ns(const KernelQuery& q, Isa isa);

  // In place.
  void operator()(std::uint8_t* y, std::int64_t n) const {
    if (run_ != nullptr) run_(y, static_cast<std::size_t>(n), table_, y);
  }
  // Of one that has a table.
  void operator()(const std::uint8_t* x, std::int64_t n, std::uint8_t* y) const {
    run_(x, static_cast<std::size_t>(n), table_, y);
  }

 private:
  Lookup run_ = nullptr;
  ByteTable table_;
};

}  // namespace athanor::kernels::int8
