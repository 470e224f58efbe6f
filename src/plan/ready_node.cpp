#include "plan/ready_node.h"

#include <algorithm>

#include "core/memory.h"

namespace athanor {
namespace {

using kernels::KernelQuery;
using kernels::PortInfo;

constexpr std::int64_t kSmallValue = 64;

bool IsPlain(const Datum& input) {
  return input.IsTensor() && input.tensor().dtype() != DType::kString && input.tensor().count() > 0;
}

bool CanBecomeReady(const Node& node) {
  return node.bodies.empty() && !HasQuantSpec(node.attributes);
}

// The types of the outputs for the inputs at hand.
Result<std::vector<Type>> OutputTypes(const Node& node, std::span<const Datum> inputs) {
  std::vector<Type> types(inputs.size());
  std::vector<InferCtx::Input> known(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue) continue;
    types[i] = Type::Of(inputs[i]);
    known[i] = {&types[i], &inputs[i].tensor(), nullptr};
  }
  InferCtx ctx(std::move(known), node.attributes, {}, node.outputs.size());
  ATH_RETURN_IF_ERROR(Infer(*node.op, ctx));
  return std::move(ctx.out);
}

// Gives false when a shape stays open that no kernel can bound.
bool DescribeOutputs(const Node& node, const std::vector<Type>& types, KernelQuery& query,
                     std::vector<ReadyNode::Output>& outputs) {
  const std::optional<std::int64_t> most = kernels::MostFound(query);
  for (std::size_t i = 0; i < types.size(); ++i) {
    ReadyNode::Output output;
    if (node.outputs[i] != kNoValue) {
      if (!types[i].HasRank() || types[i].dtype == DType::kString) return false;
      output.dtype = types[i].dtype;
      for (const Dim& dim : *types[i].shape) {
        const bool open = !dim.IsConst();
        if (open && (!most || output.open_axis >= 0)) return false;
        if (open) output.open_axis = std::ssize(output.dims);
        output.dims.push_back(open ? *most : dim.value());
      }
      if (!TensorBytes(output.dtype, output.dims).ok()) return false;
    }
    const PortInfo port = {.dtype = output.dtype, .dims = output.dims};
    if (port.given() && port.count() == 0) return false;
    query.out.push_back(port);
    outputs.push_back(std::move(output));
  }
  return true;
}

}  // namespace

bool ValueMatters(const Node& node, const Datum& input) {
  return !node.op->Has(kElementwise) && input.IsTensor() && input.tensor().count() <= kSmallValue &&
         input.tensor().dtype() != DType::kString;
}

bool MayBecomeReady(const Plan& plan, const Step& step) {
  const Node& node = plan.graph.node(step.nodes.back());
  if (step.kernel != nullptr || !CanBecomeReady(node) || !kernels::AnyKernel(*node.op))
    return false;
  bool known_later = false;
  for (const std::vector<Place>& places : {step.in, step.out}) {
    for (const Place& place : places) {
      if (place.storage < 0) continue;
      if (place.dtype == DType::kString || place.dtype == DType::kUndefined) return false;
      known_later = known_later || place.open;
    }
  }
  return known_later || std::any_of(step.in.begin(), step.in.end(), [&](const Place& place) {
           if (place.storage < 0 || node.op->Has(kElementwise)) return false;
           const Storage& storage = plan.storages[static_cast<std::size_t>(place.storage)];
           const PortInfo port = {.dtype = place.dtype, .dims = place.dims};
           return storage.where != Storage::Where::kConstant && port.count() <= kSmallValue;
         });
}

Result<ReadyNode> MakeReady(const Node& node, std::span<const Datum> inputs,
                            std::span<const Tensor* const> constants, const PlanOptions& options,
                            kernels::PackStore& store) {
  ReadyNode ready;
  if (!CanBecomeReady(node)) return ready;
  KernelQuery query = {.op = node.op,
                       .attributes = &node.attributes,
                       .threads = options.threads,
                       .precision = options.precision,
                       .selector = options.selector,
                       .rates = options.rates,
                       .memory_price = options.memory_price};
  ready.known.reserve(inputs.size());  // the query points into it
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    PortInfo port;
    if (node.inputs[i] != kNoValue) {
      if (!IsPlain(inputs[i])) return ready;
      port = {.dtype = inputs[i].tensor().dtype(), .dims = inputs[i].tensor().dims()};
      port.constant = constants[i];
      if (port.constant == nullptr && ValueMatters(node, inputs[i])) {
        ATH_TRY(Tensor copy, inputs[i].tensor().Clone());
        ready.known.push_back(std::move(copy));
        port.constant = &ready.known.back();
      }
    }
    query.in.push_back(std::move(port));
  }
  query.own_inputs = query.in.size();
  ATH_TRY(const std::vector<Type> types, OutputTypes(node, inputs));
  if (!DescribeOutputs(node, types, query, ready.outputs)) return ready;
  const std::vector<kernels::Candidate> candidates = kernels::Candidates(query, options.isa);
  if (candidates.empty() || !candidates[0].fit.yes()) return ready;
  ready.kernel = candidates[0].def;
  if (!ready.kernel->view) {
    ATH_TRY(ready.prepared, ready.kernel->prepare(query.To(*ready.kernel), store));
  } else if (ready.kernel->view_at != nullptr) {
    for (std::size_t i = 0; i < ready.outputs.size(); ++i)
      ready.outputs[i].view_at = ready.kernel->view_at(query, i);
  }
  return ready;
}

}  // namespace athanor
