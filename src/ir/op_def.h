// What an operator is: its ports and attributes, what follows about types, and what it computes.
//
// An OpDef is written once, in src/ops, and never changes. Everything else (checks, printing,
// saving, documentation, reference execution, generic tests) follows from it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/datum.h"
#include "core/status.h"
#include "ir/attributes.h"
#include "ir/type.h"

namespace athanor {

class Graph;
class GradientCtx;  // ir/gradient.h

enum Trait : std::uint32_t {
  kPure = 1U << 0,          // same inputs, same outputs, no effects: may be folded, merged, removed
  kElementwise = 1U << 1,   // out[i] depends on in[i] only, after numpy broadcasting
  kCommutative = 1U << 2,   // f(a, b) == f(b, a)
  kDataMovement = 1U << 3,  // elements are copied, never changed
  kRandom = 1U << 4,        // draws random numbers: never folded or merged
  kAnyKind = 1U << 5,       // inputs may be sequences and optionals; otherwise only tensors
  kDataDependent = 1U << 6,  // the reference makes its outputs: their shape depends on data
};
using Traits = std::uint32_t;
constexpr Traits operator|(Trait a, Trait b) {
  return static_cast<Traits>(a) | static_cast<Traits>(b);
}

enum PortFlag : std::uint8_t { kRequiredPort, kOptionalPort, kVariadicPort };  // variadic only last

struct Port {
  std::string name;
  std::string doc;
  PortFlag flag = kRequiredPort;
  int min_count = 1;  // of a variadic port
};

// Given to `infer`: what is known about the inputs; takes what follows about the outputs.
class InferCtx {
 public:
  struct Input {
    const Type* type = nullptr;        // nullptr: omitted
    const Tensor* constant = nullptr;  // the value, when it is known now
    const Shape* ints = nullptr;  // the value of a small integer tensor as expressions, flattened
  };
  // What the inputs point to, and the attributes, outlive the context.
  InferCtx(std::vector<Input> inputs, const AttrMap& attributes, std::vector<Graph*> bodies,
           std::size_t num_outputs, std::size_t num_captures = 0)
      : out(num_outputs),
        out_ints(num_outputs),
        inputs_(std::move(inputs)),
        attributes_(&attributes),
        bodies_(std::move(bodies)),
        num_captures_(num_captures) {}

  std::size_t num_inputs() const { return inputs_.size(); }
  // How many inputs, at the end, are captured by the bodies.
  std::size_t num_captures() const { return num_captures_; }
  std::size_t num_outputs() const { return out.size(); }
  // False for an omitted optional input, also beyond the end.
  bool Has(std::size_t i) const { return i < inputs_.size() && inputs_[i].type != nullptr; }
  const Type& In(std::size_t i) const { return *inputs_[i].type; }
  DType InDType(std::size_t i) const { return inputs_[i].type->dtype; }
  // The value of an input when it is known, else nullptr.
  const Tensor* Const(std::size_t i) const { return Has(i) ? inputs_[i].constant : nullptr; }
  // The values of an integer input, as numbers or expressions; nothing when not known.
  std::optional<Shape> Ints(std::size_t i) const;
  // Like Ints, but only when all are numbers.
  std::optional<std::vector<std::int64_t>> ConstInts(std::size_t i) const;

  const AttrMap& attributes() const { return *attributes_; }
  template <class A>
  A Attrs() const {
    return ReadAttributes<A>(*attributes_);
  }
  std::span<Graph* const> bodies() const { return bodies_; }

  // Fails with "input 1 (w): rank 4 is expected, f32[3] is given" and the like; pass when unknown.
  Status ExpectRank(std::size_t input, std::int64_t rank) const;
  Status ExpectMinRank(std::size_t input, std::int64_t rank) const;
  Status ExpectSameDType(std::size_t a, std::size_t b) const;

  std::vector<Type> out;                       // one per output; must be filled unless omitted
  std::vector<std::optional<Shape>> out_ints;  // values of small integer outputs, when they follow

 private:
  std::vector<Input> inputs_;
  const AttrMap* attributes_;
  std::vector<Graph*> bodies_;
  std::size_t num_captures_;
};

// Given to `reference`. Outputs whose shape is known are allocated already; the others
// (data-dependent shapes) are made by the operator with Allocate or by assigning `out[i]`.
class RefCtx {
 public:
  RefCtx(std::span<const Datum> inputs, std::vector<Datum>& outputs, const AttrMap& attributes,
         std::function<Result<std::vector<Datum>>(std::size_t, std::vector<Datum>)> run_body,
         std::size_t num_captures = 0)
      : out(outputs),
        inputs_(inputs),
        attributes_(attributes),
        run_body_(std::move(run_body)),
        num_captures_(num_captures) {}

  std::size_t num_inputs() const { return inputs_.size(); }
  // How many inputs, at the end, are captured by the bodies.
  std::size_t num_captures() const { return num_captures_; }
  bool Has(std::size_t i) const { return i < inputs_.size() && !inputs_[i].IsAbsent(); }
  const Tensor& In(std::size_t i) const { return inputs_[i].tensor(); }
  const Datum& InDatum(std::size_t i) const { return inputs_[i]; }
  std::size_t num_outputs() const { return out.size(); }
  Tensor& Out(std::size_t i) { return out[i].tensor(); }
  Status Allocate(std::size_t i, DType dtype, Dims dims);

  template <class T>
  std::span<const T> Data(std::size_t i) const {
    return inputs_[i].tensor().Data<T>();
  }
  template <class T>
  std::span<T> OutData(std::size_t i) {
    return out[i].tensor().MutableData<T>();
  }
  const AttrMap& attributes() const { return attributes_; }
  template <class A>
  A Attrs() const {
    return ReadAttributes<A>(attributes_);
  }
  // Runs sub-graph `body` (in the order of OpDef::bodies).
  Result<std::vector<Datum>> RunBody(std::size_t body, std::vector<Datum> inputs) const {
    return run_body_(body, std::move(inputs));
  }

  std::vector<Datum>& out;

 private:
  std::span<const Datum> inputs_;
  const AttrMap& attributes_;
  std::function<Result<std::vector<Datum>>(std::size_t, std::vector<Datum>)> run_body_;
  std::size_t num_captures_;
};

// Given to `flops`: concrete or symbolic types of one node.
struct CostCtx {
  std::span<const Type* const> in;  // nullptr: omitted
  std::span<const Type> out;
  const AttrMap& attributes;
};

// What an operator that is not compiled in means: stands for `infer` and `reference` of its OpDef,
// which are nullptr then. Called from any number of threads at once.
class CustomOp {
 public:
  virtual ~CustomOp() = default;
  virtual Status Infer(InferCtx& ctx) const = 0;
  virtual Status Run(RefCtx& ctx) const = 0;
};

struct OpDef {
  std::string name = {};
  std::string summary = {};
  std::vector<Port> inputs = {};
  std::vector<Port> outputs = {};
  std::vector<AttrSpec> attributes = {};
  std::vector<std::string> bodies = {};  // names of sub-graphs: If has then_branch, else_branch
  Traits traits = kPure;
  // Types of the outputs from what is known about the inputs. Must accept unknown ranks and dims.
  Status (*infer)(InferCtx&) = nullptr;
  // What a body may expect of its own inputs (not the captured ones), from the inputs of the node.
  // Used where a file leaves the types of a body's inputs out. Only for operators with bodies.
  std::vector<Type> (*body_inputs)(const InferCtx&, std::size_t body) = nullptr;
  // The clearest possible implementation.
  Status (*reference)(RefCtx&) = nullptr;
  // On quantised inputs with `arithmetic = fixed31`: integers only, rounded by 31-bit multipliers.
  // Nothing: the operator has no such form.
  Status (*fixed31)(RefCtx&) = nullptr;
  // Adds the nodes that carry a derivative from the outputs to the inputs. Nothing: not trainable.
  Status (*gradient)(GradientCtx&) = nullptr;
  // Floating-point or integer operations of one execution, multiply-add as 2. Nothing: one per
  // output element, or none for data movement.
  Dim (*flops)(const CostCtx&) = nullptr;
  const CustomOp* custom = nullptr;  // lives as long as the catalogue

  bool CanRun() const { return reference != nullptr || custom != nullptr; }
  bool Has(Trait trait) const { return (traits & trait) != 0; }
};

// Runs the operator's inference. Inputs that are no tensors stop here unless it takes any kind.
Status Infer(const OpDef& op, InferCtx& ctx);

// Operations of one execution, as an expression over the symbols of the shapes.
Dim Flops(const OpDef& op, const CostCtx& ctx);

// All operators, by name: those it is made with, and custom ones that are added while it is used.
class Catalog {
 public:
  explicit Catalog(std::vector<OpDef> ops);
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;
  ~Catalog();

  const OpDef* Find(std::string_view name) const;
  // The same, or why not: with the nearest name, or that a plug-in can bring "my::Roll".
  Result<const OpDef*> Lookup(std::string_view name) const;
  // Adds a custom operator, whose `custom` becomes `code`, to what Find sees from now on, from any
  // thread. One of the same name that was added before is found no more, but lives on in the graphs
  // that have it. The name must be none of ops().
  const OpDef* AddCustom(OpDef op, std::unique_ptr<const CustomOp> code);
  // Those it was made with, alphabetical.
  const std::vector<OpDef>& ops() const { return ops_; }
  // Of all of them, custom ones last.
  std::vector<std::string> Names() const;

 private:
  struct Custom;  // a list that only grows, the latest first

  std::vector<OpDef> ops_;
  std::atomic<const Custom*> customs_ = nullptr;
};

}  // namespace athanor
