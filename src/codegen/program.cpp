#include "codegen/program.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <set>

#include "codegen/arena.h"
#include "codegen/boundary.h"
#include "codegen/files.h"
#include "codegen/writer.h"
#include "core/checked.h"
#include "core/text.h"
#include "passes/pipeline.h"

namespace athanor::codegen {
namespace {

const Row* FindRow(std::string_view op) {
  for (const Row& row : Rows()) {
    if (row.op == op) return &row;
  }
  return nullptr;
}

std::int64_t Bytes(const Graph& graph, ValueId id) {
  return *CheckedCount(*graph.value(id).type.StaticDims());
}

bool IsByte(DType dtype) { return dtype == DType::kI8 || dtype == DType::kU8; }

// Whether a node computes on real numbers, or on integers with multipliers that are.
bool IsReal(const Graph& graph, const Node& node) {
  if (HasQuantSpec(node.attributes)) return !ReadQuantSpec(node.attributes)->fixed31();
  return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    return id != kNoValue && IsFloat(graph.value(id).type.dtype);
  });
}

// Every value of a node is i8 or u8 of a known shape.
Status CheckNode(const Graph& graph, const Node& node, const Row& row) {
  const auto problem = [&](Status status) {
    return std::move(status).In(fmt::format("node \"{}\" ({})", node.name, node.op->name));
  };
  if (node.outputs.size() != 1 || node.outputs[0] == kNoValue)
    return problem(Unsupported("one output is written"));
  const Type& type = graph.value(node.outputs[0]).type;
  if (!type.StaticDims())
    return problem(
        Unsupported("the shape {} is not known; --set-dim gives numbers", type.ToString()));
  if (!IsByte(type.dtype))
    return problem(Unsupported("the result is {}; i8 and u8 are written", Name(type.dtype)));
  const bool moves = row.alias || node.op->name == "Transpose" || node.op->name == "MaxPool";
  if (!moves && !HasQuantSpec(node.attributes))
    return problem(Unsupported("its scales are not known; Q/DQ pairs around it are expected"));
  return {};
}

// What is the same of many nodes is said once.
struct Gaps {
  std::size_t real = 0;                     // nodes that compute on real numbers
  std::map<std::string, int> without_form;  // nodes, by operator
};

void ReportGaps(const Gaps& gaps, std::size_t nodes, std::vector<Status>& problems) {
  if (gaps.real > 0) {
    problems.push_back(
        Unsupported("{} of {} operators compute on real numbers; an int8 network of arithmetic "
                    "fixed31 is written",
                    gaps.real, nodes)
            .Fix("athanor quantize MODEL --calib DATA.npz --arithmetic fixed31 makes one, of a "
                 "network that is not quantised yet"));
  }
  if (gaps.without_form.empty()) return;
  std::vector<std::string> names, known;
  for (const auto& [op, count] : gaps.without_form)
    names.push_back(count == 1 ? op : fmt::format("{} ({} nodes)", op, count));
  for (const Row& row : Rows()) known.emplace_back(row.op);
  problems.push_back(Unsupported(
      "there is no C99 form of {}{}; {} have one", Join(names, ", "),
      gaps.real > 0 ? ", some of which quantising may join to others" : "", Join(known, ", ")));
}

Status CheckGraph(const Graph& graph, const std::vector<NodeId>& order) {
  std::vector<Status> problems, of_nodes;
  Gaps gaps;
  for (const NodeId id : order) {
    const Node& node = graph.node(id);
    const Row* row = FindRow(node.op->name);
    const bool real = IsReal(graph, node);
    gaps.real += real ? 1 : 0;
    if (row == nullptr) ++gaps.without_form[node.op->name];
    if (real || row == nullptr) continue;
    Status status = CheckNode(graph, node, *row);
    if (!status.ok()) of_nodes.push_back(std::move(status));
  }
  ReportGaps(gaps, order.size(), problems);
  std::move(of_nodes.begin(), of_nodes.end(), std::back_inserter(problems));
  const auto check_edge = [&](ValueId id, std::string_view what) {
    const Value& value = graph.value(id);
    if (gaps.real > 0 && IsFloat(value.type.dtype)) return;  // has been said
    if (!IsByte(value.type.dtype) || !value.type.StaticDims())
      problems.push_back(Unsupported("{} \"{}\" is {}; i8 and u8 of a known shape are written",
                                     what, value.name, value.type.ToString()));
  };
  for (const ValueId id : graph.inputs()) check_edge(id, "input");
  for (const GraphOutput& output : graph.outputs()) check_edge(output.value, "output");
  return Status::All(std::move(problems));
}

class Generator {
 public:
  Generator(Graph graph, const Options& options) : graph_(std::move(graph)), options_(options) {}

  Result<Program> Run() {
    ATH_TRY(source_.edges, MakeInteger(graph_));
    MakeSigned(source_.edges);
    const Graph as_given = graph_.Clone();  // what the self-test's answers come from
    ATH_RETURN_IF_ERROR(passes::Optimize(graph_, {}).status());
    ATH_TRY(order_, graph_.Order());
    ATH_RETURN_IF_ERROR(CheckGraph(graph_, order_));
    NameEdges();
    PlaceValues();
    ATH_RETURN_IF_ERROR(WriteNodes());
    CopyOutputs();
    Program program = {.files = {},
                       .buffers = source_.buffers,
                       .arena_bytes = source_.arena_bytes,
                       .arena_bound = LowerBound(source_.buffers),
                       .constant_bytes = source_.constant_bytes,
                       .operations = source_.operations};
    ATH_RETURN_IF_ERROR(CheckLimits(program));
    ATH_TRY(program.files, WriteFiles(as_given, options_, source_, program));
    return program;
  }

 private:
  void MakeSigned(Edges& edges) const {
    for (std::size_t i = 0; i < edges.inputs.size(); ++i) {
      if (graph_.value(graph_.inputs()[i]).type.dtype == DType::kU8)
        edges.inputs[i].zero -= kUnsignedShift;
    }
    for (std::size_t i = 0; i < edges.outputs.size(); ++i) {
      if (graph_.value(graph_.outputs()[i].value).type.dtype == DType::kU8)
        edges.outputs[i].zero -= kUnsignedShift;
    }
  }

  // The value whose memory this one has: reshaping moves nothing.
  ValueId Root(ValueId id) const {
    for (;;) {
      const NodeId producer = graph_.value(id).producer;
      if (producer == kNoNode || !FindRow(graph_.node(producer).op->name)->alias) return id;
      id = graph_.node(producer).inputs[0];
    }
  }

  void NameEdges() {
    for (const ValueId id : graph_.inputs())
      source_.inputs.push_back({ParameterName(graph_.value(id).name, "input"), Bytes(graph_, id)});
    for (const GraphOutput& output : graph_.outputs())
      source_.outputs.push_back(
          {ParameterName(output.name, "output"), Bytes(graph_, output.value)});
    MakeUnique();
    for (std::size_t i = 0; i < source_.inputs.size(); ++i)
      expression_[graph_.inputs()[i]] = source_.inputs[i].name;
    // A result that nobody reads again goes straight to the caller.
    for (std::size_t i = 0; i < source_.outputs.size(); ++i) {
      const ValueId root = Root(graph_.outputs()[i].value);
      const Value& value = graph_.value(root);
      const bool only_output =
          value.producer != kNoNode && ReadersOf(root) == 0 && OutputsOf(root) == 1;
      if (only_output) expression_[root] = source_.outputs[i].name;
    }
  }

  // Names of parameters differ, and not in case only: macros are named after them.
  void MakeUnique() {
    std::set<std::string> taken;
    std::map<std::string, int> last;
    for (std::vector<Edge>* edges : {&source_.inputs, &source_.outputs}) {
      for (Edge& edge : *edges) {
        const std::string wish = edge.name;
        int& number = last.try_emplace(Upper(wish), 1).first->second;
        while (!taken.insert(Upper(edge.name)).second)
          edge.name = fmt::format("{}_{}", wish, ++number);
      }
    }
  }

  std::size_t ReadersOf(ValueId root) const {
    std::size_t readers = 0;
    for (const NodeId id : order_) {
      if (FindRow(graph_.node(id).op->name)->alias) continue;
      for (const ValueId input : graph_.node(id).inputs)
        readers += input != kNoValue && Root(input) == root ? 1 : 0;
    }
    return readers;
  }
  std::size_t OutputsOf(ValueId root) const {
    return static_cast<std::size_t>(
        std::count_if(graph_.outputs().begin(), graph_.outputs().end(),
                      [&](const GraphOutput& output) { return Root(output.value) == root; }));
  }

  void PlaceValues() {
    std::map<ValueId, std::size_t> at;
    for (std::size_t step = 0; step < order_.size(); ++step) {
      const Node& node = graph_.node(order_[step]);
      if (!FindRow(node.op->name)->alias && !expression_.contains(node.outputs[0])) {
        at[node.outputs[0]] = source_.buffers.size();
        const int now = static_cast<int>(step);
        source_.buffers.push_back({.name = node.name.empty() ? node.op->name : node.name,
                                   .bytes = Bytes(graph_, node.outputs[0]),
                                   .first = now,
                                   .last = now});
      }
      for (const ValueId input : node.inputs) {
        const auto found = input == kNoValue ? at.end() : at.find(Root(input));
        if (found != at.end()) source_.buffers[found->second].last = static_cast<int>(step);
      }
    }
    for (const GraphOutput& output : graph_.outputs()) {
      const auto found = at.find(Root(output.value));
      if (found != at.end()) source_.buffers[found->second].last = static_cast<int>(order_.size());
    }
    source_.steps = order_.size();
    source_.arena_bytes = PlaceBuffers(source_.buffers);
    for (const auto& [id, index] : at)
      expression_[id] = fmt::format("arena + {}", source_.buffers[index].offset);
  }

  Status WriteNodes() {
    int index = 0;
    for (const NodeId id : order_) {
      const Node& node = graph_.node(id);
      const Row& row = *FindRow(node.op->name);
      if (row.alias) continue;
      ++index;
      std::vector<std::string> in;
      // Omitted inputs and constants have no place in memory.
      for (const ValueId input : node.inputs) {
        const bool computed = input != kNoValue && graph_.Constant(input) == nullptr;
        in.push_back(computed ? expression_[Root(input)] : std::string());
      }
      NodeWriter writer(graph_, id, index, std::move(in), expression_[node.outputs[0]]);
      Status status = row.write(writer);
      if (!status.ok()) {
        return std::move(status).In(fmt::format("node \"{}\" ({})", node.name, node.op->name));
      }
      source_.constants += writer.constants();
      source_.calls += fmt::format("  /* {}: {} */\n", CommentText(node.name), node.op->name);
      source_.calls += writer.code();
      source_.headers.insert(writer.headers().begin(), writer.headers().end());
      source_.constant_bytes += writer.constant_bytes();
      source_.operations += OperationsOf(node);
    }
    return {};
  }

  std::int64_t OperationsOf(const Node& node) const {
    std::vector<const Type*> in;
    for (const ValueId input : node.inputs)
      in.push_back(input == kNoValue ? nullptr : &graph_.value(input).type);
    const Type out = graph_.value(node.outputs[0]).type;
    const Dim count =
        Flops(*node.op, {.in = in, .out = std::span(&out, 1), .attributes = node.attributes});
    return count.IsConst() ? count.value() : 0;
  }

  void CopyOutputs() {
    for (std::size_t i = 0; i < source_.outputs.size(); ++i) {
      const std::string& from = expression_[Root(graph_.outputs()[i].value)];
      const Edge& to = source_.outputs[i];
      if (from == to.name) continue;
      source_.calls += fmt::format("  for (size_t i = 0; i < {}; ++i) {}[i] = ({})[i];\n", to.bytes,
                                   to.name, from);
    }
  }

  Status CheckLimits(const Program& program) const {
    if (options_.max_ram > 0 && program.arena_bytes > options_.max_ram) {
      return Error(ErrorCode::kResource,
                   "activations need {} bytes of memory (no plan needs less than {}); {} are given",
                   program.arena_bytes, program.arena_bound, options_.max_ram);
    }
    if (options_.max_flash > 0 && program.constant_bytes > options_.max_flash) {
      return Error(ErrorCode::kResource,
                   "constants need {} bytes of flash, code not counted; {} are given",
                   program.constant_bytes, options_.max_flash);
    }
    return {};
  }

  Graph graph_;
  const Options& options_;
  std::vector<NodeId> order_;
  Source source_;
  std::map<ValueId, std::string> expression_;  // of roots
};

}  // namespace

Result<Program> Generate(Graph graph, const Options& options) {
  if (CName(options.name, "") != options.name || options.name.empty())
    return Error(ErrorCode::kUsage, "\"{}\" is not a name in C", options.name);
  return Generator(std::move(graph), options).Run();
}

}  // namespace athanor::codegen
