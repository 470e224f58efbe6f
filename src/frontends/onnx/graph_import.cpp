#include "frontends/onnx/graph_import.h"

#include <algorithm>

#include "core/text.h"
#include "frontends/onnx/map_inputs.h"
#include "frontends/onnx/node_order.h"
#include "frontends/onnx/operator_check.h"
#include "ops/catalog.h"

namespace athanor::onnx {
namespace {

constexpr int kMaxDepth = 32;  // of sub-graphs

void Poison(Scope& scope, const NodeProto& node) {
  for (const std::string& output : node.output) scope.poisoned.insert(output);
}

// What the file says, or for the input of a body that it says nothing about, what the node tells.
Result<Type> InputType(const ValueInfoProto& input, const Type& expected) {
  const bool said =
      input.type && (input.type->tensor || input.type->sequence || input.type->optional ||
                     input.type->map || input.type->sparse_tensor);
  if (said) return ReadType(*input.type);
  if (expected.kind != TypeKind::kAbsent) return expected;
  return InvalidModel("it has no type");
}

// What a node tells about the inputs of one of its bodies.
std::vector<Type> BodyInputs(const OpDef& op, std::size_t body, const NodeImport& ctx) {
  // An older form may have other attributes than the operator; then nothing is known.
  const Result<AttrMap> attributes = ctx.Attributes(op);
  if (op.body_inputs == nullptr || !attributes.ok()) return {};
  std::vector<InferCtx::Input> known;
  for (const ValueId input : ctx.inputs) {
    known.emplace_back();
    if (input == kNoValue) continue;
    const Value& value = ctx.graph.value(input);
    known.back() = {&value.type, ctx.graph.Constant(input), value.ints ? &*value.ints : nullptr};
  }
  return op.body_inputs(InferCtx(std::move(known), *attributes, {}, ctx.num_outputs()), body);
}

}  // namespace

Result<Graph> GraphImport::Run(const GraphProto& proto) {
  Graph graph(ops::Standard(), proto.name.empty() ? "main" : proto.name);
  Scope scope = {.graph = &graph, .versions = &functions_.model_versions()};
  ReadGraph(proto, scope, 0);
  if (!problems_.empty()) return Status::All(std::move(problems_));
  return graph;
}

void GraphImport::Problem(const Scope& scope, Status status) {
  for (const FunctionCall* call = scope.call; call != nullptr; call = call->caller)
    status = std::move(status).In(call->place);
  if (problems_.size() < kMaxProblems) problems_.push_back(std::move(status));
}

void GraphImport::ReadGraph(const GraphProto& proto, Scope& scope, int depth) {
  for (const ValueInfoProto& info : proto.value_info) scope.declared.emplace(info.name, &info);
  ReadInitializers(proto, scope);
  ReadInputs(proto, scope);
  ReadNodes(proto.node, scope, depth);
  ReadOutputs(proto, scope);
}

void GraphImport::ReadInitializers(const GraphProto& proto, Scope& scope) {
  for (const TensorProto& initializer : proto.initializer)
    AddInitializer(scope, initializer.name, ReadTensor(initializer, source_));
  for (const SparseTensorProto& sparse : proto.sparse_initializer)
    AddInitializer(scope, sparse.values.name, ReadSparseTensor(sparse, source_));
}

void GraphImport::AddInitializer(Scope& scope, const std::string& name, Result<Tensor> tensor) {
  if (!tensor.ok()) {
    scope.poisoned.insert(name);
    return Problem(scope, std::move(tensor).status().In(fmt::format("initializer \"{}\"", name)));
  }
  Define(scope, name, scope.graph->AddConstant(*std::move(tensor), name));
}

void GraphImport::ReadInputs(const GraphProto& proto, Scope& scope) {
  for (std::size_t i = 0; i < proto.input.size(); ++i) {
    const ValueInfoProto& input = proto.input[i];
    // An initialiser of the same name is a default value: it is taken as the constant.
    const auto initializer = scope.values.find(input.name);
    if (initializer != scope.values.end() && scope.graph->Constant(initializer->second) != nullptr)
      continue;
    if (scope.poisoned.count(input.name) != 0) continue;
    if (input.type && input.type->map) {
      Result<ValueId> columns = AddMapInput(*scope.graph, proto, input);
      if (columns.ok()) {
        Define(scope, input.name, *columns);
      } else {
        Problem(scope, std::move(columns).status().In(fmt::format("input \"{}\"", input.name)));
        scope.poisoned.insert(input.name);
      }
      continue;
    }
    Result<Type> type =
        InputType(input, i < scope.expected_inputs.size() ? scope.expected_inputs[i] : Type());
    if (!type.ok()) {
      Problem(scope, std::move(type).status().In(fmt::format("input \"{}\"", input.name)));
      scope.poisoned.insert(input.name);
      continue;
    }
    Define(scope, input.name, scope.graph->AddInput(input.name, *std::move(type)));
  }
}

void GraphImport::ReadNodes(const std::vector<NodeProto>& nodes, Scope& scope, int depth) {
  const auto on_cycle = [&](const NodeProto& node, std::string_view input) {
    Problem(scope, InvalidModel("the graph has a cycle through \"{}\"", input).In(Place(node)));
    Poison(scope, node);
  };
  for (const NodeProto* node : SortedNodes(nodes, on_cycle)) ReadNode(*node, scope, depth);
}

void GraphImport::ReadOutputs(const GraphProto& proto, Scope& scope) {
  for (const ValueInfoProto& output : proto.output) {
    const std::optional<ValueId> value = Lookup(scope, output.name);
    if (!value || *value == kNoValue) {
      if (!IsPoisoned(scope, output.name)) {
        Problem(scope, InvalidModel("output \"{}\" is never defined{}", output.name,
                                    SuggestName(scope, output.name)));
      }
      continue;
    }
    scope.declared[output.name] = &output;
    RefineDeclared(scope, output.name, *value);
    const Type& known = scope.graph->value(*value).type;
    const Result<Type> claim = output.type ? ReadType(*output.type) : Result<Type>(known);
    const bool tensors = claim.ok() && claim->IsTensor() && known.IsTensor();
    if (tensors && claim->dtype != known.dtype) {
      Problem(scope, InvalidModel("output \"{}\" is declared {} but is {}", output.name,
                                  claim->ToString(), known.ToString()));
    }
    scope.graph->AddOutput(output.name, *value);
  }
}

std::optional<std::vector<ValueId>> GraphImport::ReadUses(const NodeProto& node, Scope& scope) {
  std::vector<ValueId> inputs;
  bool complete = true;
  for (const std::string& name : node.input) {
    const std::optional<ValueId> value = name.empty() ? kNoValue : Lookup(scope, name);
    if (value) {
      inputs.push_back(*value);
      continue;
    }
    complete = false;
    // A consequence of an earlier problem is not reported again.
    if (IsPoisoned(scope, name)) continue;
    Problem(scope, InvalidModel("input \"{}\" is never defined{}", name, SuggestName(scope, name))
                       .In(Place(node)));
  }
  if (!complete) return std::nullopt;
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  return inputs;
}

void GraphImport::ReadNode(const NodeProto& node, Scope& scope, int depth) {
  // After so many the rest only repeats; it must not cost time.
  if (problems_.size() >= kMaxProblems) return;
  std::optional<std::vector<ValueId>> inputs = ReadUses(node, scope);
  if (!inputs) return Poison(scope, node);
  if (++nodes_read_ > kMaxNodes) {
    if (nodes_read_ == kMaxNodes + 1) {
      Problem(scope, Error(ErrorCode::kResource, "the model has more than {} nodes", kMaxNodes));
    }
    return Poison(scope, node);
  }
  if (scope.call == nullptr && HasReferences(node)) {
    Problem(
        scope,
        InvalidModel("an attribute refers to one of a function, outside of any").In(Place(node)));
    return Poison(scope, node);
  }
  std::optional<NodeProto> resolved;
  if (HasReferences(node)) resolved = ResolveReferences(node, *scope.call);
  const NodeProto& actual = resolved ? *resolved : node;
  if (const FunctionTable::Entry* function = functions_.Find(actual)) {
    ReadCall(*function, actual, *inputs, scope, depth);
  } else {
    ReadOperator(actual, *std::move(inputs), scope, depth);
  }
}

void GraphImport::ReadOperator(const NodeProto& node, std::vector<ValueId> inputs, Scope& scope,
                               int depth) {
  const std::int64_t version = scope.versions->Find(node.domain).value_or(1);
  const Row* row = FindRow(Canonical(node.domain), node.op_type, version);
  NodeImport ctx(*scope.graph, node, version, std::move(inputs), source_);
  const std::size_t before = problems_.size();
  Status status = row != nullptr ? ReadBodies(node, *row, scope, depth, ctx)
                                 : Unsupported("the operator is not known here");
  if (status.ok()) status = row->make(ctx);
  if (status.ok()) status = ctx.attribute_problem();
  if (status.ok() && ctx.outputs.size() < ctx.num_outputs()) {
    status = InvalidModel("{} outputs are named; the operator gives {}", ctx.num_outputs(),
                          ctx.outputs.size());
  }
  // What went wrong inside a sub-graph is reported already.
  if (problems_.size() != before) return Poison(scope, node);
  if (!status.ok()) {
    // The graph has already named the node when its own checks failed.
    const bool placed = !node.name.empty() && status.where().find(node.name) != std::string::npos;
    Problem(scope, placed ? std::move(status) : std::move(status).In(Place(node)));
    return Poison(scope, node);
  }
  DefineOutputs(node, ctx.outputs, scope);
}

// The nodes of a function are read in place of the call, with the formal names bound to the actual
// values.
void GraphImport::ReadCall(const FunctionTable::Entry& function, const NodeProto& node,
                           const std::vector<ValueId>& inputs, Scope& scope, int depth) {
  const FunctionCall call = BindCall(function, scope.call, node);
  const FunctionProto& proto = *function.proto;
  // CheckOperators looks into each function once, from wherever it is first called.
  if (call.depth > kMaxCallDepth) {
    Problem(scope, Error(ErrorCode::kResource, "functions call each other more than {} deep",
                         kMaxCallDepth)
                       .In(Place(node)));
    return Poison(scope, node);
  }
  if (inputs.size() > proto.input.size() || node.output.size() > proto.output.size()) {
    Problem(scope, InvalidModel(
                       "function \"{}\" takes {} inputs and gives {} outputs; {} and {} are named",
                       proto.name, proto.input.size(), proto.output.size(), inputs.size(),
                       node.output.size())
                       .In(Place(node)));
    return Poison(scope, node);
  }
  Scope inner = {.graph = scope.graph, .versions = &function.versions, .call = &call};
  for (std::size_t i = 0; i < proto.input.size(); ++i)
    inner.values.emplace(proto.input[i], i < inputs.size() ? inputs[i] : kNoValue);
  const std::size_t before = problems_.size();
  ReadNodes(proto.node, inner, depth);
  if (problems_.size() != before) return Poison(scope, node);
  std::vector<ValueId> outputs;
  for (std::size_t i = 0; i < node.output.size(); ++i) {
    const std::optional<ValueId> value = Lookup(inner, proto.output[i]);
    if (!value && !node.output[i].empty()) {
      Problem(inner,
              InvalidModel("output \"{}\" of the function is never defined", proto.output[i]));
      return Poison(scope, node);
    }
    outputs.push_back(value.value_or(kNoValue));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool made_inside = outputs[i] != kNoValue &&
                             scope.graph->value(outputs[i]).producer != kNoNode &&
                             std::find(inputs.begin(), inputs.end(), outputs[i]) == inputs.end();
    if (made_inside && !node.output[i].empty()) scope.graph->SetName(outputs[i], node.output[i]);
  }
  DefineOutputs(node, outputs, scope);
}

// Sub-graphs of a node. Each captures what it needs from `scope`; all end with the same captured
// inputs.
Status GraphImport::ReadBodies(const NodeProto& node, const Row& row, Scope& scope, int depth,
                               NodeImport& ctx) {
  // An operator of a plug-in has none, whatever the name.
  const bool is_own = !row.onnx.empty() || !row.domain.empty();
  const OpDef* op = is_own ? scope.graph->catalog().Find(node.op_type) : nullptr;
  if (op == nullptr || op->bodies.empty()) return {};
  if (depth >= kMaxDepth)
    return Error(ErrorCode::kResource, "sub-graphs are nested more than {} deep", kMaxDepth);
  std::vector<Scope> inner;
  std::vector<std::string> captured;
  for (const std::string& name : op->bodies) {
    const AttributeProto* attribute = ctx.Find(name);
    const bool given = attribute != nullptr && attribute->g;
    if (!given && (attribute != nullptr || !row.optional_bodies))
      return InvalidModel("sub-graph \"{}\" is missing", name);
    ctx.bodies.push_back(std::make_unique<Graph>(scope.graph->catalog(), name));
    inner.push_back({.graph = ctx.bodies.back().get(),
                     .parent = &scope,
                     .versions = scope.versions,
                     .call = scope.call});
    inner.back().expected_inputs = BodyInputs(*op, inner.size() - 1, ctx);
    if (!given) {
      for (Type& type : inner.back().expected_inputs) {
        const ValueId input = inner.back().graph->AddInput("", std::move(type));
        inner.back().graph->AddOutput("", input);
      }
      continue;
    }
    const std::size_t before = problems_.size();
    ReadGraph(*attribute->g, inner.back(), depth + 1);
    if (problems_.size() != before)
      return Error(ErrorCode::kInvalidModel, "sub-graph \"{}\" cannot be read", name);
    for (const std::string& capture : inner.back().captures) {
      if (std::find(captured.begin(), captured.end(), capture) == captured.end())
        captured.push_back(capture);
    }
  }
  for (Scope& body : inner) AlignCaptures(body, captured);
  for (const std::string& name : captured) ctx.captures.push_back(*Lookup(scope, name));
  return {};
}

void GraphImport::Define(Scope& scope, const std::string& name, ValueId value) {
  if (scope.values.emplace(name, value).second) return;
  Problem(scope, InvalidModel("the name \"{}\" is defined twice", name));
}

void GraphImport::DefineOutputs(const NodeProto& node, const std::vector<ValueId>& values,
                                Scope& scope) {
  for (std::size_t i = 0; i < node.output.size() && i < values.size(); ++i) {
    const std::string& name = node.output[i];
    if (name.empty()) continue;
    if (values[i] == kNoValue) {
      Problem(scope,
              InvalidModel("output {} (\"{}\") is not given by this form of the operator", i, name)
                  .In(Place(node)));
      scope.poisoned.insert(name);
      continue;
    }
    if (scope.graph->value(values[i]).name.empty()) scope.graph->SetName(values[i], name);
    RefineDeclared(scope, name, values[i]);
    if (!scope.values.emplace(name, values[i]).second) {
      Problem(scope, InvalidModel("the name \"{}\" is defined twice", name).In(Place(node)));
    }
  }
}

// What the file says about a value fills in what inference left open. It never overrides: people
// edit inputs and leave the recorded shapes as they were.
void GraphImport::RefineDeclared(Scope& scope, const std::string& name, ValueId value) {
  const auto declared = scope.declared.find(name);
  if (declared == scope.declared.end() || !declared->second->type) return;
  Result<Type> claim = ReadType(*declared->second->type);
  if (!claim.ok()) return;
  const Type& known = scope.graph->value(value).type;
  if (scope.graph->value(value).producer == kNoNode || !known.IsTensor() || !claim->HasRank())
    return;
  if (known.HasRank()) {
    if (known.rank() != claim->rank()) return;
    for (std::size_t i = 0; i < claim->shape->size(); ++i) {
      if (!(*known.shape)[i].IsUnknown()) (*claim->shape)[i] = (*known.shape)[i];
    }
  }
  // A claim of another element type is refused; for outputs that is reported where they are read.
  (void)scope.graph->RefineType(value, *claim).ok();
}

}  // namespace athanor::onnx
