#include "ir/graph.h"

#include <algorithm>

#include "core/text.h"

namespace athanor {
namespace {

std::size_t Index(ValueId id) { return static_cast<std::size_t>(id); }
std::size_t Index(NodeId id) { return static_cast<std::size_t>(id); }

void EraseOne(std::vector<NodeId>& users, NodeId id) {
  const auto found = std::find(users.begin(), users.end(), id);
  if (found != users.end()) users.erase(found);
}

std::string Place(const OpDef& op, const std::string& name) {
  return name.empty() ? std::string(op.name) : fmt::format("node \"{}\" ({})", name, op.name);
}

Status CheckPortList(const char* what, const std::vector<Port>& ports, std::size_t given,
                     std::size_t& required) {
  const bool variadic = !ports.empty() && ports.back().flag == kVariadicPort;
  required = 0;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].flag == kRequiredPort) required = i + 1;
    if (ports[i].flag == kVariadicPort && ports[i].min_count > 0)
      required = i + static_cast<std::size_t>(ports[i].min_count);
  }
  if (given < required || (!variadic && given > ports.size())) {
    return InvalidModel("{} {}s are given; {} {} expected", given, what, required,
                        variadic                   ? "or more are"
                        : ports.size() == required ? "are"
                                                   : fmt::format("to {} are", ports.size()));
  }
  return {};
}

}  // namespace

Graph Graph::Clone() const {
  Graph copy(*catalog_, name_);
  copy.values_ = values_;
  copy.inputs_ = inputs_;
  copy.outputs_ = outputs_;
  copy.live_nodes_ = live_nodes_;
  for (const Node& node : nodes_) {
    Node twin = {node.op, node.name, node.inputs, node.outputs, node.attributes, {}, node.captures};
    for (const auto& body : node.bodies)
      twin.bodies.push_back(std::make_unique<Graph>(body->Clone()));
    copy.nodes_.push_back(std::move(twin));
  }
  return copy;
}

ValueId Graph::AddInput(std::string name, Type type, std::optional<Shape> ints) {
  const auto id = static_cast<ValueId>(values_.size());
  values_.push_back({.name = std::move(name),
                     .type = std::move(type),
                     .constant = {},
                     .ints = std::move(ints),
                     .users = {}});
  inputs_.push_back(id);
  return id;
}

ValueId Graph::AddConstant(Tensor tensor, std::string name) {
  const auto id = static_cast<ValueId>(values_.size());
  Type type = Type::Of(tensor);
  values_.push_back({.name = std::move(name),
                     .type = std::move(type),
                     .constant = std::move(tensor),
                     .ints = {},
                     .users = {}});
  return id;
}

void Graph::AddOutput(std::string name, ValueId value) {
  outputs_.push_back({std::move(name), value});
  ++values_[Index(value)].output_uses;
}

Status Graph::CheckPorts(const OpDef& op, const NewNode& node) {
  std::size_t required = 0;
  const std::size_t own = node.inputs.size() - static_cast<std::size_t>(node.captures);
  // A body's input has a type; what is omitted has none to give it.
  for (std::size_t i = own; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == kNoValue)
      return InvalidModel("captured value {} is omitted; only inputs of the operator may be",
                          i - own);
  }
  ATH_RETURN_IF_ERROR(CheckPortList("input", op.inputs, own, required));
  for (std::size_t i = 0; i < own; ++i) {
    if (node.inputs[i] != kNoValue) continue;
    const Port& port = op.inputs[std::min(i, op.inputs.size() - 1)];
    // Operators of any number of inputs look at all that there are.
    if (port.flag != kOptionalPort) return InvalidModel("input {} ({}) is required", i, port.name);
  }
  ATH_RETURN_IF_ERROR(CheckPortList("output", op.outputs, node.num_outputs, required));
  if (node.bodies.size() != op.bodies.size()) {
    return InvalidModel("{} sub-graphs are given; {} are expected", node.bodies.size(),
                        op.bodies.size());
  }
  return {};
}

Result<InferCtx> Graph::Infer(const OpDef& op, std::span<const ValueId> inputs,
                              const AttrMap& attributes,
                              const std::vector<std::unique_ptr<Graph>>& bodies,
                              std::size_t num_outputs, int captures) const {
  std::vector<InferCtx::Input> known;
  for (const ValueId input : inputs) {
    if (input == kNoValue) {
      known.emplace_back();
      continue;
    }
    const Value& v = value(input);
    known.push_back({&v.type, v.constant ? &*v.constant : nullptr, v.ints ? &*v.ints : nullptr});
  }
  std::vector<Graph*> body_pointers;
  for (const auto& body : bodies) body_pointers.push_back(body.get());
  InferCtx ctx(std::move(known), attributes, std::move(body_pointers), num_outputs,
               static_cast<std::size_t>(captures));
  ATH_RETURN_IF_ERROR(athanor::Infer(op, ctx));
  return ctx;
}

Result<NodeId> Graph::AddNode(NewNode node) {
  ATH_TRY(const OpDef* const op, catalog_->Lookup(node.op));
  const std::string place = Place(*op, node.name);
  Status ports = CheckPorts(*op, node);
  if (!ports.ok()) return std::move(ports).In(place);
  Status attributes = CheckAttributes(op->attributes, node.attributes);
  if (!attributes.ok()) return std::move(attributes).In(place);

  Result<InferCtx> ctx =
      Infer(*op, node.inputs, node.attributes, node.bodies, node.num_outputs, node.captures);
  if (!ctx.ok()) return std::move(ctx).status().In(place);

  const auto id = static_cast<NodeId>(nodes_.size());
  std::vector<ValueId> outputs;
  for (std::size_t i = 0; i < node.num_outputs; ++i) {
    if (i < node.omitted_outputs.size() && node.omitted_outputs[i]) {
      outputs.push_back(kNoValue);
      continue;
    }
    outputs.push_back(static_cast<ValueId>(values_.size()));
    std::string name = i < node.output_names.size() ? node.output_names[i] : "";
    values_.push_back({.name = std::move(name),
                       .type = std::move(ctx->out[i]),
                       .producer = id,
                       .constant = {},
                       .ints = std::move(ctx->out_ints[i]),
                       .users = {}});
  }
  for (const ValueId input : node.inputs) {
    if (input != kNoValue) values_[Index(input)].users.push_back(id);
  }
  nodes_.push_back({op, std::move(node.name), std::move(node.inputs), std::move(outputs),
                    std::move(node.attributes), std::move(node.bodies), node.captures});
  ++live_nodes_;
  return id;
}

Result<ValueId> Graph::Add(std::string_view op, Operands inputs, AttrMap attributes,
                           std::string name) {
  ATH_TRY(const NodeId id, AddNode({.op = op,
                                    .inputs = inputs.ToVector(),
                                    .attributes = std::move(attributes),
                                    .name = std::move(name)}));
  return node(id).outputs[0];
}

const Tensor* Graph::Constant(ValueId id) const {
  if (id == kNoValue || !value(id).constant) return nullptr;
  return &*value(id).constant;
}

std::optional<ValueId> Graph::FindInput(std::string_view name) const {
  for (const ValueId input : inputs_) {
    if (value(input).name == name) return input;
  }
  return std::nullopt;
}

Result<std::vector<NodeId>> Graph::Order() const {
  // Depth-first over producers with an explicit stack: deep graphs must not exhaust the call stack.
  enum class State : std::uint8_t { kNew, kOpen, kDone };
  std::vector<State> state(nodes_.size(), State::kNew);
  std::vector<NodeId> order;
  order.reserve(live_nodes_);
  std::vector<std::pair<NodeId, std::size_t>> stack;
  for (std::size_t root = 0; root < nodes_.size(); ++root) {
    if (nodes_[root].op == nullptr || state[root] != State::kNew) continue;
    stack.emplace_back(static_cast<NodeId>(root), 0);
    state[root] = State::kOpen;
    while (!stack.empty()) {
      auto& [id, next] = stack.back();
      const Node& n = node(id);
      if (next == n.inputs.size()) {
        state[Index(id)] = State::kDone;
        order.push_back(id);
        stack.pop_back();
        continue;
      }
      const ValueId input = n.inputs[next++];
      if (input == kNoValue) continue;
      const NodeId producer = value(input).producer;
      if (producer == kNoNode || state[Index(producer)] == State::kDone) continue;
      if (state[Index(producer)] == State::kOpen) {
        return InvalidModel("{} depends on its own output",
                            Place(*node(producer).op, node(producer).name));
      }
      state[Index(producer)] = State::kOpen;
      stack.emplace_back(producer, 0);
    }
  }
  return order;
}

void Graph::ReplaceUses(ValueId from, ValueId to) {
  if (from == to) return;
  Value& old = values_[Index(from)];
  Value& now = values_[Index(to)];
  for (auto use = old.users.begin(); use != old.users.end();) {
    // A node that has the value many times is listed as often, mostly in a row.
    const auto next =
        std::find_if(use, old.users.end(), [&](NodeId other) { return other != *use; });
    auto left = next - use;
    for (ValueId& input : nodes_[Index(*use)].inputs) {
      if (left == 0) break;
      if (input == from) input = to, --left;
    }
    now.users.insert(now.users.end(), use, next);
    use = next;
  }
  old.users.clear();
  for (GraphOutput& output : outputs_) {
    if (old.output_uses == 0) break;
    if (output.value != from) continue;
    output.value = to;
    --old.output_uses;
    ++now.output_uses;
  }
}

void Graph::SetInput(NodeId id, std::size_t index, ValueId to) {
  ValueId& input = nodes_[Index(id)].inputs[index];
  if (input != kNoValue) EraseOne(values_[Index(input)].users, id);
  input = to;
  if (to != kNoValue) values_[Index(to)].users.push_back(id);
}

Status Graph::RefineType(ValueId id, const Type& claim) {
  Type& known = values_[Index(id)].type;
  if (known.kind != claim.kind || (known.IsTensor() && known.dtype != claim.dtype)) {
    return InvalidModel("value \"{}\" is declared {} but is {}", value(id).name, claim.ToString(),
                        known.ToString());
  }
  if (!claim.shape) return {};
  if (!known.shape) {
    known.shape = claim.shape;
    return {};
  }
  if (known.shape->size() != claim.shape->size()) {
    return InvalidModel("value \"{}\" is declared {} but is {}", value(id).name, claim.ToString(),
                        known.ToString());
  }
  for (std::size_t i = 0; i < known.shape->size(); ++i) {
    Dim& dim = (*known.shape)[i];
    const Dim& said = (*claim.shape)[i];
    if (dim.IsConst() && said.IsConst() && !(dim == said)) {
      return InvalidModel("value \"{}\" is declared {} but is {}", value(id).name, claim.ToString(),
                          known.ToString());
    }
    if (dim.IsUnknown() || (!dim.IsConst() && said.IsConst())) dim = said.IsUnknown() ? dim : said;
  }
  return {};
}

void Graph::EraseCapture(NodeId id, std::size_t index) {
  Node& node = nodes_[Index(id)];
  ATH_CHECK(index >= node.own_inputs().size() && index < node.inputs.size(), "it is a capture");
  if (node.inputs[index] != kNoValue) EraseOne(values_[Index(node.inputs[index])].users, id);
  node.inputs.erase(node.inputs.begin() + static_cast<std::ptrdiff_t>(index));
  --node.captures;
}

void Graph::EraseNode(NodeId id) {
  Node& dead = nodes_[Index(id)];
  for (const ValueId input : dead.inputs) {
    if (input != kNoValue) EraseOne(values_[Index(input)].users, id);
  }
  for (const ValueId output : dead.outputs) {
    if (output == kNoValue) continue;
    ATH_CHECK(num_uses(output) == 0, "the caller has replaced all uses");
    values_[Index(output)].producer = kNoNode;
  }
  dead = Node{};
  --live_nodes_;
}

void Graph::ReleaseUnusedConstants() {
  for (Value& value : values_) {
    if (value.constant && value.users.empty() && value.output_uses == 0) value.constant.reset();
  }
}

void Graph::EraseInput(ValueId id) {
  ATH_CHECK(num_uses(id) == 0, "the caller has replaced all uses");
  std::erase(inputs_, id);
}

// Captured inputs of a body have the types of what they capture.
Status Graph::InferBodies(Node& n) {
  const auto captures = static_cast<std::size_t>(n.captures);
  for (const std::unique_ptr<Graph>& body : n.bodies) {
    for (std::size_t i = 0; i < captures; ++i) {
      const ValueId outer = n.inputs[n.inputs.size() - captures + i];
      const ValueId inner = body->inputs_[body->inputs_.size() - captures + i];
      body->values_[Index(inner)].type = value(outer).type;
      body->values_[Index(inner)].ints = value(outer).ints;
    }
    if (body->InferTypes().ok()) continue;
    // A branch that is not taken need not fit the shapes at hand: it keeps what holds for any.
    for (std::size_t i = body->inputs_.size() - captures; i < body->inputs_.size(); ++i) {
      Value& captured = body->values_[Index(body->inputs_[i])];
      captured.type.shape.reset();
      captured.ints.reset();
    }
    ATH_RETURN_IF_ERROR(body->InferTypes());
  }
  return {};
}

Status Graph::InferTypes() {
  ATH_TRY(const std::vector<NodeId> order, Order());
  for (const NodeId id : order) {
    Node& n = nodes_[Index(id)];
    Status bodies = InferBodies(n);
    if (!bodies.ok()) return std::move(bodies).In(Place(*n.op, n.name));
    Result<InferCtx> ctx =
        Infer(*n.op, n.inputs, n.attributes, n.bodies, n.outputs.size(), n.captures);
    if (!ctx.ok()) return std::move(ctx).status().In(Place(*n.op, n.name));
    for (std::size_t i = 0; i < n.outputs.size(); ++i) {
      if (n.outputs[i] == kNoValue) continue;
      Value& out = values_[Index(n.outputs[i])];
      out.type = std::move(ctx->out[i]);
      out.ints = std::move(ctx->out_ints[i]);
    }
  }
  return {};
}

}  // namespace athanor
