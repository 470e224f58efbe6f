// What a kernel is: fast code for one operator under stated conditions.
//
// A kernel is asked whether it fits a node (`fits`, with a reason), what it would cost, and
// prepares at planning time all that depends on shapes, attributes and constants (`prepare`). `run`
// then only computes: it does not allocate, lock or fail; a data error (an index out of range) sets
// a flag.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "core/cpu.h"
#include "core/thread_pool.h"
#include "ir/quantized.h"
#include "kernels/precision.h"
#include "kernels/selector.h"

namespace athanor::kernels {

// One input or output as the planner knows it.
struct PortInfo {
  DType dtype = DType::kUndefined;  // kUndefined: omitted
  Dims dims = {};
  const Tensor* constant = nullptr;  // the value, when it is known at planning time
  std::int64_t block = 0;            // channels that lie together, see layout.h; 0: row-major

  bool given() const { return dtype != DType::kUndefined; }
  std::int64_t count() const;
  std::int64_t stored() const;  // elements in memory: a last block may not be full
  std::int64_t bytes() const;   // in memory
  std::int64_t rank() const { return static_cast<std::int64_t>(dims.size()); }
};

// Work done on the result while it is still in cache: an activation, or an operand combined.
struct EpilogueStep {
  enum class Kind : std::uint8_t { kUnary, kBinary };
  // How the operand of a binary step lies over the result.
  enum class Spread : std::uint8_t { kSame, kScalar, kPerChannel, kPerLast };
  Kind kind = Kind::kUnary;
  Spread spread = Spread::kSame;
  std::string op = {};       // of the graph: "Relu", "Add"
  int function = 0;          // which one, see elementwise/unary.h and binary.h
  float params[2] = {0, 0};  // of a unary function
  int operand = -1;          // of a binary one: index into KernelQuery::in
};

struct KernelDef;

struct KernelQuery {
  const OpDef* op = nullptr;
  const AttrMap* attributes = nullptr;
  std::vector<PortInfo> in = {};  // the operator's inputs, then operands of the epilogue
  std::size_t own_inputs = 0;     // how many of `in` are the operator's
  std::vector<PortInfo> out = {};
  std::vector<EpilogueStep> epilogue = {};
  const QuantSpec* quant = nullptr;  // how inputs and outputs are quantised; nullptr: not at all
  const KernelDef* def = nullptr;    // the kernel being asked
  Isa isa = Isa::kBase;              // its instruction set
  int threads = 1;
  bool strict = false;  // only sums of products, in any order: no algorithm that rounds more
  Precision precision = Precision::kF32;    // what products may be computed in
  Selector selector = Selector::kMeasured;  // who orders the candidates
  MachineRates rates = {};                  // for estimates
  // What a byte that packed constants take beyond the constants themselves counts for, in
  // nanoseconds of every run (ADR 0041).
  double memory_price = 0;

  // The same question to this kernel.
  KernelQuery To(const KernelDef& kernel) const;

  bool Has(std::size_t i) const { return i < own_inputs && in[i].given(); }
  // The channels of a block in the inputs or outputs that have their channels in blocks; 0: none.
  std::int64_t block() const;
  // The attribute, or the operator's default.
  float Float(std::string_view name) const;
  std::int64_t Int(std::string_view name) const;
  // The attribute "axis" of input 0, counted from its first.
  std::int64_t Axis() const;
  std::string Text(std::string_view name) const;
  std::vector<std::int64_t> Ints(std::string_view name) const;
  // The values of an integer input known at planning time.
  std::optional<std::vector<std::int64_t>> ConstInts(std::size_t input) const;
};

class Fit {
 public:
  static Fit Yes() { return Fit(true, ""); }
  static Fit No(std::string reason) { return Fit(false, std::move(reason)); }
  bool yes() const { return yes_; }
  const std::string& reason() const { return reason_; }

 private:
  Fit(bool yes, std::string reason) : yes_(yes), reason_(std::move(reason)) {}
  bool yes_;
  std::string reason_;
};

// Constants rearranged for kernels, shared between the plans of a session. Thread-safe.
class PackStore {
 public:
  PackStore();
  ~PackStore();
  // The buffer made earlier from `source` (its memory, seen in its shape) by the same recipe, or a
  // new one that `fill` writes. The recipe tells apart all that `fill` depends on besides.
  // 64-byte aligned.
  Result<std::shared_ptr<const void>> Get(const Tensor& source, std::string recipe,
                                          std::int64_t bytes,
                                          const std::function<void(void*)>& fill);

  struct Packed {
    Tensor source;  // keeps the address from being used again by another constant
    std::string recipe;
    std::shared_ptr<const void> buffer;
    std::int64_t bytes = 0;
  };
  // All there are. Their recipes also say in which shape the source was seen.
  std::vector<Packed> All() const;
  // One that another store gave, of the same bytes and the same recipe. Get makes a buffer anew
  // where it expects another size.
  void Put(Packed packed);
  // Of the buffers that were filled here.
  std::int64_t bytes() const;

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

struct Prepared {
  std::shared_ptr<const void> state = {};  // what `run` needs to know
  std::int64_t scratch_bytes = 0;
};

struct KernelArgs {
  std::span<const void* const> in;  // as KernelQuery::in; nullptr: omitted
  std::span<void* const> out;
  const void* state = nullptr;
  std::byte* scratch = nullptr;  // 64-byte aligned
  ThreadPool* pool = nullptr;
  std::atomic<const char*>* data_error = nullptr;  // takes a string literal
  std::int64_t* found = nullptr;                   // of a kernel with KernelDef::most

  template <class S>
  const S& State() const {
    return *static_cast<const S*>(state);
  }
  template <class T = float>
  const T* In(std::size_t i) const {
    return i < in.size() ? static_cast<const T*>(in[i]) : nullptr;
  }
  template <class T = float>
  T* Out(std::size_t i) const {
    return static_cast<T*>(out[i]);
  }
};

struct KernelDef {
  std::string name = {};  // "Relu.f32.avx512"
  std::string op = {};
  Isa isa = Isa::kBase;
  bool view = false;  // the outputs are input 0, or parts of it, under other shapes: nothing runs
  // Of a view: where an output begins in input 0, in bytes. nullptr: at its begin.
  std::int64_t (*view_at)(const KernelQuery&, std::size_t output) = nullptr;
  // Output 0 is its own inputs one behind the other. Those that were written there do not move.
  bool joins = false;
  // Output 0 may take the memory of an own input of the same bytes. Not that of an operand of the
  // epilogue, which is read after the output was written.
  bool in_place = false;
  bool takes_epilogue = false;
  const KernelDef* inner = nullptr;  // the kernel that does the work between conversions
  bool quantized = false;  // computes on quantised tensors (KernelQuery::quant) and nothing else
  bool blocked = false;    // computes on channels in blocks (layout.h) and nothing else
  Fit (*fits)(const KernelQuery&) = nullptr;
  double (*cost_ns)(const KernelQuery&) = nullptr;
  // Its place in the order of Selector::kRule, lower first. nullptr: 1.
  int (*rule)(const KernelQuery&) = nullptr;
  // What its packed constants take beyond the constants themselves. nullptr: little.
  std::int64_t (*more_bytes)(const KernelQuery&) = nullptr;
  // The size of a result that depends on data, at most. The outputs have memory for so many slices;
  // `run` writes those it finds, densely, and their number to KernelArgs::found.
  std::int64_t (*most)(const KernelQuery&) = nullptr;
  Result<Prepared> (*prepare)(const KernelQuery&, PackStore&) = nullptr;
  void (*run)(const KernelArgs&) = nullptr;
};

// Calls body(begin, end, thread) without allocating; see ThreadPool::ParallelFor.
template <class F>
void Parallel(const KernelArgs& args, std::int64_t count, std::int64_t grain, const F& body) {
  args.pool->ParallelForIndexed(count, grain, std::cref(body));
}

// Rough time of work bound by arithmetic or by memory, whichever is longer, on one core.
double RooflineNs(Isa isa, double flops, double bytes);

}  // namespace athanor::kernels
