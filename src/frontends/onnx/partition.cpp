#include "frontends/onnx/partition.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "core/text.h"
#include "frontends/onnx/node_export.h"
#include "frontends/onnx/node_order.h"
#include "frontends/onnx/operator_check.h"

namespace athanor::onnx {
namespace {

// The same file as the schema's messages, with the parts as they stand in it.
struct RawGraph {
  std::vector<Bytes> node;
  std::string name;
  std::vector<Bytes> initializer, input, output, value_info, sparse_initializer;
  template <class V>
  void Fields(V& v) {
    v(1, node), v(2, name), v(5, initializer), v(11, input), v(12, output), v(13, value_info),
        v(15, sparse_initializer);
  }
};
struct RawModel {
  std::int64_t ir_version = 0;
  std::string producer_name, producer_version;
  std::optional<RawGraph> graph;
  std::vector<Bytes> opset_import, functions;
  template <class V>
  void Fields(V& v) {
    v(1, ir_version), v(2, producer_name), v(3, producer_version), v(7, graph), v(8, opset_import),
        v(25, functions);
  }
};

// What exporters write beside a node: NodeProto.metadata_props.
struct NodeNotes {
  std::vector<StringEntry> metadata;
  template <class V>
  void Fields(V& v) {
    v(9, metadata);
  }
};

// The last line of the user's own in a stack trace, as PyTorch's exporter writes it.
std::string SourceLine(Bytes node) {
  const Result<NodeNotes> notes = protobuf::Parse<NodeNotes>(node, "node");
  if (!notes.ok()) return "";
  for (const StringEntry& entry : notes->metadata) {
    if (!entry.key.ends_with("stack_trace")) continue;
    const std::size_t at = entry.value.rfind("File \"");
    if (at != std::string::npos) return entry.value.substr(at, entry.value.find('\n', at) - at);
  }
  return "";
}

std::string FullName(const NodeProto& node) {
  const std::string_view domain = Canonical(node.domain);
  return fmt::format("{}.{}", domain.empty() ? "ai.onnx" : domain, node.op_type);
}

// A value that costs nothing to make again wherever it is read.
bool IsConstant(const NodeProto& node) {
  return node.op_type == "Constant" && Canonical(node.domain).empty() && node.input.empty();
}

class Partitioner {
 public:
  // `max_bytes`: of all stages together, which a hostile file could make many of.
  Partitioner(const ModelProto& model, const RawModel& raw, const ImportOptions& options,
              std::size_t max_bytes)
      : max_bytes_(max_bytes),
        model_(model),
        graph_(*model.graph),
        raw_(raw),
        functions_(model),
        options_(options),
        unread_(graph_.node.size()) {
    for (const NodeProto& node : graph_.node) places_.push_back(Place(node));
    for (const ValueInfoProto& input : graph_.input) input_names_.insert(input.name);
    for (const ValueInfoProto& output : graph_.output) output_names_.insert(output.name);
  }

  Result<Partition> Run() {
    ATH_RETURN_IF_ERROR(IndexNames());
    for (std::size_t i = 0; i < graph_.node.size(); ++i) CheckNode(i);
    for (int round = 0;; ++round) {
      SetLevels();
      ATH_TRY(const bool complete, MakeStages(round >= kMostRounds));
      if (complete) break;
    }
    result_.nodes = graph_.node.size();
    for (std::size_t i = 0; i < unread_.size(); ++i) {
      if (unread_[i]) result_.unread.push_back(*unread_[i]);
    }
    for (const ValueInfoProto& input : graph_.input) {
      if (initializers_.count(input.name) == 0) result_.inputs.push_back(input.name);
    }
    for (const ValueInfoProto& output : graph_.output) {
      result_.outputs.push_back(output.name);
      const auto producer = producer_.find(output.name);
      const bool constant =
          producer != producer_.end() && IsConstant(graph_.node[producer->second]);
      if (constant || initializers_.count(output.name) > 0 || sparse_.count(output.name) > 0)
        return Unsupported("output \"{}\" is a constant, which no stage gives", output.name);
    }
    return std::move(result_);
  }

 private:
  using Names = std::set<std::string>;

  // ---- what is where

  Status IndexNames() {
    for (std::size_t i = 0; i < graph_.node.size(); ++i) {
      for (const std::string& output : graph_.node[i].output) {
        if (!output.empty()) producer_.emplace(output, i);
      }
      const std::vector<std::string_view> names = NamesUsed(graph_.node[i]);
      reads_.emplace_back(names.begin(), names.end());
      for (const std::string& name : reads_.back()) readers_[name].push_back(i);
    }
    for (std::size_t i = 0; i < graph_.initializer.size(); ++i)
      initializers_.emplace(graph_.initializer[i].name, i);
    for (std::size_t i = 0; i < graph_.sparse_initializer.size(); ++i)
      sparse_.emplace(graph_.sparse_initializer[i].values.name, i);
    for (const auto& [list, raw] : {std::pair(&graph_.value_info, &raw_.graph->value_info),
                                    std::pair(&graph_.input, &raw_.graph->input),
                                    std::pair(&graph_.output, &raw_.graph->output)}) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        const ValueInfoProto& info = (*list)[i];
        if (info.type) declared_[info.name] = (*raw)[i];
      }
    }
    Status cycle;
    const auto on_cycle = [&](const NodeProto& node, std::string_view input) {
      cycle = InvalidModel("the graph has a cycle through \"{}\"", input).In(Place(node));
    };
    for (const NodeProto* node : SortedNodes(graph_.node, on_cycle))
      order_.push_back(static_cast<std::size_t>(node - graph_.node.data()));
    return cycle;
  }

  // ---- who is to blame

  void CheckNode(std::size_t index) {
    const FunctionTable::Entry* function = functions_.Find(graph_.node[index]);
    const auto known = of_functions_.find(function);
    if (known != of_functions_.end()) {
      if (!known->second.ok()) Blame(index, known->second);
      return;
    }
    GraphProto alone;
    alone.node.push_back(graph_.node[index]);
    std::vector<Status> problems = CheckOperators(alone, functions_);
    const Status problem = problems.empty() ? Status() : std::move(problems.front());
    if (function != nullptr) of_functions_.emplace(function, problem);
    if (!problem.ok()) Blame(index, problem);
  }

  void Blame(std::size_t index, const Status& status) {
    const NodeProto& node = graph_.node[index];
    unread_[index] = {.place = places_[index],
                      .op = FullName(node),
                      .reason = status.message(),
                      .fix = status.fix(),
                      .source = SourceLine(raw_.graph->node[index]),
                      .tried = Tried(node)};
    if (unread_[index]->reason.empty()) unread_[index]->reason = "it cannot be read";
  }

  std::string Tried(const NodeProto& node) const {
    const bool is_function = functions_.Find(node) != nullptr;
    if (is_function) return "the function of the model that defines it, which is not read either";
    return fmt::format("{} functions of the model, operators of {}", model_.functions.size(),
                       FullName(node).substr(0, FullName(node).rfind('.')));
  }

  // The nodes that a failed import names. False when it names none that was not known.
  bool BlameAll(const Status& failed, const std::vector<std::size_t>& nodes) {
    std::vector<Status> all = {failed};
    all.insert(all.end(), failed.others().begin(), failed.others().end());
    bool found = false;
    for (const Status& status : all) {
      for (const std::size_t index : nodes) {
        if (unread_[index] || !status.where().starts_with(places_[index])) continue;
        Blame(index, status);
        found = true;
      }
    }
    return found;
  }

  // ---- stages

  // Even levels are read, odd ones are not; a node comes as early as its inputs allow.
  void SetLevels() {
    level_.assign(graph_.node.size(), 0);
    stages_.clear();
    for (const std::size_t index : order_) {
      std::size_t level = unread_[index] ? 1 : 0;
      for (const std::string& name : reads_[index]) {
        const auto made = producer_.find(name);
        if (made == producer_.end() || IsConstant(graph_.node[made->second])) continue;
        const std::size_t before = level_[made->second];
        if (before > level) level = before + (before % 2 == level % 2 ? 0 : 1);
      }
      level_[index] = level;
      if (stages_.size() <= level) stages_.resize(level + 1);
      if (!IsConstant(graph_.node[index])) stages_[level].push_back(index);
    }
  }

  // False when a stage that should be read was not: its nodes have been blamed, all of them when
  // it is not worth while to find out more.
  Result<bool> MakeStages(bool blame_all) {
    result_ = {};
    types_.clear();
    std::size_t bytes = 0;
    for (std::size_t level = 0; level < stages_.size(); ++level) {
      const std::vector<std::size_t>& nodes = stages_[level];
      if (nodes.empty()) continue;
      Stage stage = MakeStage(nodes);
      bytes += stage.onnx->size();
      if (bytes > max_bytes_)
        return Error(ErrorCode::kResource, "the stages take too much memory for the file's size");
      if (level % 2 == 0) {
        Result<Graph> graph = Import(*stage.onnx, stage.onnx, options_);
        if (!graph.ok() && blame_all) {
          for (const std::size_t index : nodes) Blame(index, graph.status());
          return false;
        }
        if (!graph.ok()) {
          if (BlameAll(graph.status(), nodes)) return false;
          return std::move(graph).status();
        }
        KeepTypes(*graph);
        stage.graph = *std::move(graph);
      }
      result_.stages.push_back(std::move(stage));
    }
    return true;
  }

  void KeepTypes(const Graph& graph) {
    for (const GraphOutput& output : graph.outputs())
      types_.insert_or_assign(output.name, graph.value(output.value).type);
  }

  Stage MakeStage(const std::vector<std::size_t>& nodes) {
    Stage stage;
    Names made, used;
    for (const std::size_t index : nodes) {
      const NodeProto& node = graph_.node[index];
      ++stage.operators[FullName(node)];
      made.insert(node.output.begin(), node.output.end());
      used.insert(reads_[index].begin(), reads_[index].end());
    }
    RawModel file = {.ir_version = raw_.ir_version,
                     .producer_name = raw_.producer_name,
                     .producer_version = raw_.producer_version,
                     .graph = RawGraph(),
                     .opset_import = raw_.opset_import,
                     .functions = raw_.functions};
    RawGraph& graph = *file.graph;
    graph.name = raw_.graph->name;
    std::vector<std::vector<std::uint8_t>> ports;  // what is written here and not in the file
    ports.reserve(used.size() + made.size());      // their bytes are pointed to
    for (const std::string& name : used) {
      if (name.empty() || made.count(name) > 0) continue;
      AddUse(name, stage, graph, ports);
    }
    for (const std::size_t index : nodes) graph.node.push_back(raw_.graph->node[index]);
    for (const std::string& name : made) {
      if (!IsWanted(name, level_[nodes.front()])) continue;
      stage.outputs.push_back(name);
      graph.output.push_back(Declared(name, ports, false));
    }
    stage.onnx = std::make_shared<const std::vector<std::uint8_t>>(protobuf::Serialize(file));
    return stage;
  }

  // A weight, a constant, or an input of the stage.
  void AddUse(const std::string& name, Stage& stage, RawGraph& graph,
              std::vector<std::vector<std::uint8_t>>& ports) {
    if (const auto weight = initializers_.find(name); weight != initializers_.end()) {
      graph.initializer.push_back(raw_.graph->initializer[weight->second]);
      return;
    }
    if (const auto weight = sparse_.find(name); weight != sparse_.end()) {
      graph.sparse_initializer.push_back(raw_.graph->sparse_initializer[weight->second]);
      return;
    }
    const auto producer = producer_.find(name);
    if (producer != producer_.end() && IsConstant(graph_.node[producer->second])) {
      graph.node.push_back(raw_.graph->node[producer->second]);
      return;
    }
    if (input_names_.count(name) == 0 && producer == producer_.end())
      return;  // the import says that it is missing
    stage.inputs.push_back(name);
    graph.input.push_back(Declared(name, ports, true));
  }

  // Read by another stage, or an output of the model.
  bool IsWanted(const std::string& name, std::size_t level) const {
    if (name.empty()) return false;
    if (output_names_.count(name) > 0) return true;
    const auto readers = readers_.find(name);
    return readers != readers_.end() &&
           std::any_of(readers->second.begin(), readers->second.end(),
                       [&](std::size_t reader) { return level_[reader] != level; });
  }

  // What the file says about a value, else what an earlier stage gave, else a guess.
  Bytes Declared(const std::string& name, std::vector<std::vector<std::uint8_t>>& ports,
                 bool needs_type) {
    if (const auto declared = declared_.find(name); declared != declared_.end())
      return declared->second;
    ValueInfoProto info = {.name = name, .type = {}};
    if (const auto type = types_.find(name); type != types_.end()) {
      info.type = MakeType(type->second);
    } else if (needs_type) {
      info.type = MakeType(Type::TensorOfUnknownRank(DType::kF32));
      result_.assumed.push_back(name);
    }
    ports.push_back(protobuf::Serialize(info));
    return ports.back();
  }

  // Real models have a handful of nodes that are not read.
  static constexpr int kMostRounds = 64;

  const std::size_t max_bytes_;
  const ModelProto& model_;
  const GraphProto& graph_;
  const RawModel& raw_;
  const FunctionTable functions_;
  const ImportOptions& options_;
  std::vector<std::optional<UnreadNode>> unread_;  // of each node
  std::unordered_map<std::string, std::size_t> producer_, initializers_, sparse_;
  std::unordered_map<std::string, std::vector<std::size_t>> readers_;
  std::vector<std::vector<std::string>> reads_;  // of each node
  std::unordered_map<std::string, Bytes> declared_;
  std::map<std::string, Type> types_;                                     // that stages gave
  std::unordered_map<const FunctionTable::Entry*, Status> of_functions_;  // why they are not read
  std::vector<std::string> places_;                                       // of each node
  Names input_names_, output_names_;
  std::vector<std::size_t> order_, level_;
  std::vector<std::vector<std::size_t>> stages_;  // the nodes of each level, in order
  Partition result_;
};

}  // namespace

Result<Partition> PartitionModel(Bytes bytes, const ImportOptions& options) {
  ATH_TRY(const ModelProto model, protobuf::Parse<ModelProto>(bytes, "ONNX model"));
  ATH_TRY(const RawModel raw, protobuf::Parse<RawModel>(bytes, "ONNX model"));
  if (!model.graph) return InvalidModel("the ONNX model has no graph");
  constexpr std::size_t kFloor = std::size_t{16} << 20, kPerByte = 32;
  return Partitioner(model, raw, options, kFloor + kPerByte * bytes.size()).Run();
}

bool MayBePartitioned(Bytes bytes) {
  const Result<RawModel> raw = protobuf::Parse<RawModel>(bytes, "ONNX model");
  return raw.ok() && raw->graph && raw->ir_version > 0;
}

}  // namespace athanor::onnx
