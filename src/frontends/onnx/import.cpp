#include "frontends/onnx/import.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "core/text.h"
#include "frontends/onnx/node_import.h"
#include "ops/catalog.h"

namespace athanor::onnx {
namespace {

constexpr std::size_t kMaxProblems = 100;
constexpr int kMaxDepth = 32;  // of sub-graphs

// "ai.onnx" is an alias of the empty domain.
std::string_view Canonical(std::string_view domain) { return domain == "ai.onnx" ? "" : domain; }

std::string Place(const NodeProto& node) {
  const std::string_view name = !node.name.empty()    ? std::string_view(node.name)
                                : node.output.empty() ? std::string_view("?")
                                                      : std::string_view(node.output[0]);
  return fmt::format("node \"{}\" ({})", name, node.op_type);
}

// The names visible while one graph is read. A name that is found outside becomes a captured input.
struct Scope {
  Graph* graph = nullptr;
  Scope* parent = nullptr;
  std::unordered_map<std::string, ValueId> values = {};
  std::set<std::string> poisoned = {};     // outputs of nodes that failed
  std::vector<std::string> captures = {};  // names taken from the parent, in order
};

class Importer {
 public:
  Importer(const ModelProto& model, TensorSource source)
      : model_(model), source_(std::move(source)) {
    for (const OperatorSetId& set : model.opset_import)
      versions_[std::string(Canonical(set.domain))] = set.version;
    // Files before IR version 3 do not name an operator set: they mean the first.
    if (versions_.empty()) versions_[""] = 1;
  }

  Result<Graph> Run() {
    FindUnknownOperators(*model_.graph, 0);
    Graph graph(ops::Standard(), model_.graph->name.empty() ? "main" : model_.graph->name);
    Scope scope = {.graph = &graph};
    if (problems_.empty()) ReadGraph(*model_.graph, scope, 0);
    if (!problems_.empty()) return Status::All(std::move(problems_));
    return graph;
  }

 private:
  void Problem(Status status) {
    if (problems_.size() < kMaxProblems) problems_.push_back(std::move(status));
  }

  std::int64_t Version(std::string_view domain) const {
    const auto found = versions_.find(std::string(Canonical(domain)));
    return found == versions_.end() ? 1 : found->second;
  }

  void FindUnknownOperators(const GraphProto& graph, int depth) {
    for (const NodeProto& node : graph.node) {
      const std::string_view domain = Canonical(node.domain);
      if (FindRow(domain, node.op_type, Version(domain)) == nullptr) Problem(UnknownOperator(node));
      for (const AttributeProto& attribute : node.attribute) {
        if (attribute.g && depth < kMaxDepth) FindUnknownOperators(*attribute.g, depth + 1);
      }
    }
  }

  Status UnknownOperator(const NodeProto& node) const {
    std::vector<std::string> known;
    for (const Row& row : Table()) {
      if (row.domain == Canonical(node.domain)) known.emplace_back(row.onnx);
    }
    const bool exists = std::find(known.begin(), known.end(), node.op_type) != known.end();
    const std::string domain = node.domain.empty() ? "ai.onnx" : node.domain;
    Status status =
        exists ? Error(ErrorCode::kUnknownOperator, "{}.{} is not defined in operator set {}",
                       domain, node.op_type, Version(node.domain))
               : Error(ErrorCode::kUnknownOperator, "there is no operator {}.{}{}", domain,
                       node.op_type, DidYouMean(node.op_type, known));
    return std::move(status).In(Place(node));
  }

  void ReadGraph(const GraphProto& proto, Scope& scope, int depth) {
    ReadInitializers(proto, scope);
    for (const ValueInfoProto& input : proto.input) {
      // An initialiser of the same name is a default value: it is taken as the constant.
      if (scope.values.count(input.name) != 0) continue;
      if (!input.type) {
        Problem(InvalidModel("input \"{}\" has no type", input.name));
        continue;
      }
      Result<Type> type = ReadType(*input.type);
      if (!type.ok()) {
        Problem(std::move(type).status().In(fmt::format("input \"{}\"", input.name)));
        continue;
      }
      Define(scope, input.name, scope.graph->AddInput(input.name, *std::move(type)));
    }
    for (const NodeProto* node : SortedNodes(proto)) ReadNode(*node, scope, depth);
    for (const ValueInfoProto& output : proto.output) {
      const std::optional<ValueId> value = Lookup(scope, output.name);
      if (value) {
        scope.graph->AddOutput(output.name, *value);
      } else if (scope.poisoned.count(output.name) == 0) {
        Problem(InvalidModel("output \"{}\" is never defined", output.name));
      }
    }
  }

  void ReadInitializers(const GraphProto& proto, Scope& scope) {
    for (const TensorProto& initializer : proto.initializer)
      AddInitializer(scope, initializer.name, ReadTensor(initializer, source_));
    for (const SparseTensorProto& sparse : proto.sparse_initializer)
      AddInitializer(scope, sparse.values.name, ReadSparseTensor(sparse, source_));
  }

  void AddInitializer(Scope& scope, const std::string& name, Result<Tensor> tensor) {
    if (!tensor.ok()) {
      scope.poisoned.insert(name);
      return Problem(std::move(tensor).status().In(fmt::format("initializer \"{}\"", name)));
    }
    Define(scope, name, scope.graph->AddConstant(*std::move(tensor), name));
  }

  void Define(Scope& scope, const std::string& name, ValueId value) {
    if (!scope.values.emplace(name, value).second)
      Problem(InvalidModel("the name \"{}\" is defined twice", name));
  }

  std::optional<ValueId> Lookup(Scope& scope, const std::string& name) {
    const auto found = scope.values.find(name);
    if (found != scope.values.end()) return found->second;
    if (scope.parent == nullptr || scope.poisoned.count(name) != 0) return std::nullopt;
    const std::optional<ValueId> outer = Lookup(*scope.parent, name);
    if (!outer) return std::nullopt;
    const Value& value = scope.parent->graph->value(*outer);
    ValueId here = kNoValue;
    if (value.constant) {
      here = scope.graph->AddConstant(*value.constant, name);
    } else {
      here = scope.graph->AddInput(name, value.type);
      scope.captures.push_back(name);
    }
    scope.values.emplace(name, here);
    return here;
  }

  // Most files list nodes in order; some do not.
  std::vector<const NodeProto*> SortedNodes(const GraphProto& proto) {
    std::unordered_map<std::string_view, std::size_t> producer;
    for (std::size_t i = 0; i < proto.node.size(); ++i) {
      for (const std::string& output : proto.node[i].output) producer.emplace(output, i);
    }
    std::vector<int> state(proto.node.size(), 0);  // 0 new, 1 open, 2 done
    std::vector<const NodeProto*> sorted;
    std::vector<std::pair<std::size_t, std::size_t>> stack;
    for (std::size_t root = 0; root < proto.node.size(); ++root) {
      if (state[root] != 0) continue;
      stack.emplace_back(root, 0);
      state[root] = 1;
      while (!stack.empty()) {
        auto& [at, next] = stack.back();
        const NodeProto& node = proto.node[at];
        if (next == node.input.size()) {
          state[at] = 2;
          sorted.push_back(&node);
          stack.pop_back();
          continue;
        }
        const auto found = producer.find(node.input[next++]);
        if (found == producer.end() || node.input[next - 1].empty() || state[found->second] == 2)
          continue;
        if (state[found->second] == 1) {
          Problem(InvalidModel("the graph has a cycle through \"{}\"", node.input[next - 1])
                      .In(Place(node)));
          continue;
        }
        state[found->second] = 1;
        stack.emplace_back(found->second, 0);
      }
    }
    return sorted;
  }

  void Poison(Scope& scope, const NodeProto& node) {
    for (const std::string& output : node.output) scope.poisoned.insert(output);
  }

  bool IsPoisoned(const Scope& scope, const std::string& name) const {
    for (const Scope* s = &scope; s != nullptr; s = s->parent) {
      if (s->poisoned.count(name) != 0) return true;
    }
    return false;
  }

  void ReadNode(const NodeProto& node, Scope& scope, int depth) {
    std::vector<ValueId> inputs;
    for (const std::string& name : node.input) {
      if (name.empty()) {
        inputs.push_back(kNoValue);
        continue;
      }
      const std::optional<ValueId> value = Lookup(scope, name);
      if (!value) {
        // A consequence of an earlier problem is not reported again.
        if (!IsPoisoned(scope, name))
          Problem(InvalidModel("input \"{}\" is never defined", name).In(Place(node)));
        return Poison(scope, node);
      }
      inputs.push_back(*value);
    }
    while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
    const Row* row = FindRow(Canonical(node.domain), node.op_type, Version(node.domain));
    NodeImport ctx(*scope.graph, node, Version(node.domain), std::move(inputs), source_);
    Status status = ReadBodies(node, scope, depth, ctx);
    if (status.ok()) status = row->make(ctx);
    if (status.ok() && ctx.outputs.size() < ctx.num_outputs()) {
      status = InvalidModel("{} outputs are named; the operator gives {}", ctx.num_outputs(),
                            ctx.outputs.size());
    }
    if (!status.ok()) {
      // The graph has already named the node when its own checks failed.
      Problem(status.where().empty() ? std::move(status).In(Place(node)) : std::move(status));
      return Poison(scope, node);
    }
    for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
      if (node.output[i].empty()) continue;
      if (scope.graph->value(ctx.outputs[i]).name.empty())
        scope.graph->SetName(ctx.outputs[i], node.output[i]);
      Define(scope, node.output[i], ctx.outputs[i]);
    }
  }

  // Sub-graphs of a node. Each captures what it needs from `scope`; all end with the same captured
  // inputs.
  Status ReadBodies(const NodeProto& node, Scope& scope, int depth, NodeImport& ctx) {
    if (depth >= kMaxDepth)
      return Error(ErrorCode::kResource, "sub-graphs are nested more than {} deep", kMaxDepth);
    const OpDef* op = scope.graph->catalog().Find(node.op_type);
    if (op == nullptr || op->bodies.empty()) return {};
    std::vector<Scope> inner;
    std::vector<std::string> captured;
    for (const std::string& name : op->bodies) {
      const AttributeProto* attribute = ctx.Find(name);
      if (attribute == nullptr || !attribute->g)
        return InvalidModel("sub-graph \"{}\" is missing", name);
      ctx.bodies.push_back(std::make_unique<Graph>(scope.graph->catalog(), name));
      inner.push_back({.graph = ctx.bodies.back().get(), .parent = &scope});
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

  void AlignCaptures(Scope& body, const std::vector<std::string>& captured) {
    std::vector<ValueId> order = body.graph->inputs();
    order.resize(order.size() - body.captures.size());
    for (const std::string& name : captured) {
      const std::optional<ValueId> value = Lookup(body, name);
      order.push_back(*value);
    }
    body.graph->ReorderInputs(std::move(order));
  }

  const ModelProto& model_;
  const TensorSource source_;
  std::map<std::string, std::int64_t> versions_;
  std::vector<Status> problems_;
};

}  // namespace

Result<Graph> Import(protobuf::Bytes bytes, std::shared_ptr<const void> owner,
                     const ImportOptions& options) {
  ATH_TRY(const ModelProto model, protobuf::Parse<ModelProto>(bytes, "ONNX model"));
  if (!model.graph) return InvalidModel("the ONNX model has no graph");
  ATH_TRY(Graph graph, Importer(model, {std::move(owner), options.folder}).Run());
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace athanor::onnx
