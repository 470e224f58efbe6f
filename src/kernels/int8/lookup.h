// Functions of one byte: the operators that are one, alone or behind an operator whose result they
// take while it is in cache.
#pragma once

#include "kernels/int8/lookup_table.h"
#include "kernels/kernel.h"

namespace athanor::kernels::int8 {

// The 256 results of a node that turns each byte of its input `through` into another: nothing where
// it does more, or its tensors have several scales.
std::optional<Tensor> ResultsOfBytes(const KernelQuery& q, std::size_t through);

// The epilogues of kernels on bytes are such nodes: a step's operand is the constant with its
// results.
EpilogueStep AsTableStep(const KernelQuery& node, std::size_t operand);
Fit TakesTables(const KernelQuery& q);

// The fastest function of an instruction set on this machine.
Lookup LookupOf(Isa isa);
// Time of so many bytes on one core.
double LookupNs(Isa isa, double bytes);

// What follows on finished bytes: a table, or nothing.
class AfterBytes {
 public:
  AfterBytes() = default;
  // All steps of the epilogue as one table.
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
