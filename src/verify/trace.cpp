#include "verify/trace.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/memory.h"
#include "core/text.h"
#include "runtime/own_memory.h"

namespace athanor {
namespace {

// Where elements lie is the planner's business: a value is the same before and after it.
constexpr std::string_view kLayoutOnly = "Reorder";

std::int64_t BytesOf(const Datum& datum) {
  if (datum.IsTensor()) return static_cast<std::int64_t>(datum.tensor().bytes());
  std::int64_t bytes = 0;
  if (datum.IsSequence()) {
    for (const Datum& item : datum.items()) bytes += BytesOf(item);
  }
  return bytes;
}

std::string PortName(const Node& node, std::size_t index) {
  const std::vector<Port>& ports = node.op->inputs;
  if (index >= node.own_inputs().size()) return "captured";
  if (index < ports.size() && ports[index].flag != kVariadicPort) return ports[index].name;
  return fmt::format("{}{}", ports.empty() ? "" : ports.back().name, index);
}

// Collects the values of the graph that was told about last: nodes of a body come before the node
// that the body belongs to.
class Recorder {
 public:
  explicit Recorder(const TraceOptions& options) : options_(options) {
    left_ = options.max_bytes > 0 ? options.max_bytes : PhysicalMemory() / 2;
  }

  void Observe(const Graph& graph, NodeId id, std::span<const Datum> outputs) {
    OfGraph& of_graph = graphs_[&graph];
    last_ = &graph;
    const Node& node = graph.node(id);
    for (std::size_t i = 0; i < outputs.size() && i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue || outputs[i].IsAbsent()) continue;
      if (node.op->name == kLayoutOnly) {
        const auto source = of_graph.index.find(node.inputs[0]);
        if (source != of_graph.index.end()) {
          of_graph.index[node.outputs[i]] = source->second;
          continue;
        }
      }
      Add(of_graph, graph, id, node.outputs[i], outputs[i]);
    }
  }

  Status problem;

  // The values of the outermost graph.
  Trace Take(std::vector<Datum> outputs) {
    Trace trace;
    if (last_ == nullptr) return trace;
    OfGraph& top = graphs_[last_];
    trace.values = std::move(top.values);
    for (std::size_t i = 0; i < outputs.size() && i < last_->outputs().size(); ++i) {
      const GraphOutput& output = last_->outputs()[i];
      const auto found = top.index.find(output.value);
      trace.outputs.push_back({.name = output.name,
                               .datum = std::move(outputs[i]),
                               .value = found == top.index.end()
                                            ? std::nullopt
                                            : std::optional<std::size_t>(found->second)});
    }
    return trace;
  }

 private:
  struct OfGraph {
    std::vector<TracedValue> values;
    std::map<ValueId, std::size_t> index;
  };

  void Add(OfGraph& of_graph, const Graph& graph, NodeId id, ValueId output, const Datum& datum) {
    const auto [at, is_new] = of_graph.index.emplace(output, of_graph.values.size());
    if (is_new) of_graph.values.push_back(Describe(of_graph, graph, id, output));
    TracedValue& value = of_graph.values[at->second];
    value.datum = datum;
    if (options_.seen) options_.seen(value);
    if (!options_.keep) {
      value.datum = Datum();
      return;
    }
    if (is_new) left_ -= BytesOf(datum);
    Result<Datum> copy = left_ < 0 ? TooMuch() : Copy(datum);
    if (!copy.ok() && problem.ok()) problem = copy.status();
    value.datum = copy.ok() ? *std::move(copy) : Datum();
  }

  static Result<Datum> TooMuch() {
    return Error(ErrorCode::kResource, "the values inside the model take more than half the memory")
        .Fix("--set-dim gives open dimensions, such as the batch, a smaller size");
  }

  // What the node, and those that ran with it as one, computed the value from.
  static TracedValue Describe(const OfGraph& of_graph, const Graph& graph, NodeId id,
                              ValueId output) {
    const Node& node = graph.node(id);
    TracedValue value = {.name = graph.value(output).name, .node = node.name};
    if (value.name.empty()) value.name = node.name;
    if (value.name.empty()) value.name = fmt::format("#{}", of_graph.values.size());
    std::vector<std::string> ops;
    std::vector<TracedInput> constants;
    std::set<ValueId> seen;
    Walk(of_graph, graph, id, seen, ops, value.inputs, constants);
    value.op = Join(ops, " + ");
    std::move(constants.begin(), constants.end(), std::back_inserter(value.inputs));
    return value;
  }

  static void Walk(const OfGraph& of_graph, const Graph& graph, NodeId id, std::set<ValueId>& seen,
                   std::vector<std::string>& ops, std::vector<TracedInput>& inputs,
                   std::vector<TracedInput>& constants) {
    // Nodes that run as one are few; what is not observed for another reason ends here.
    constexpr std::size_t kMostNodes = 32;
    const Node& node = graph.node(id);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (input == kNoValue || !seen.insert(input).second) continue;
      const Value& given = graph.value(input);
      TracedInput traced = {
          .name = given.name, .port = PortName(node, i), .value = {}, .constant = given.constant};
      const auto known = of_graph.index.find(input);
      if (known != of_graph.index.end()) traced.value = known->second;
      if (traced.constant) {
        constants.push_back(std::move(traced));
      } else if (traced.value || given.producer == kNoNode || ops.size() >= kMostNodes) {
        inputs.push_back(std::move(traced));
      } else {
        Walk(of_graph, graph, given.producer, seen, ops, inputs, constants);
      }
    }
    if (node.op->name != kLayoutOnly) ops.push_back(node.op->name);
  }

  const TraceOptions& options_;
  std::map<const Graph*, OfGraph> graphs_;
  const Graph* last_ = nullptr;
  std::int64_t left_ = 0;
};

}  // namespace

Result<Trace> RunTraced(Graph graph, std::vector<Datum> inputs, TraceOptions options) {
  Recorder recorder(options);
  SessionOptions session_options = options.session;
  session_options.observer = [&](const Graph& inner, NodeId id, std::span<const Datum> outputs) {
    recorder.Observe(inner, id, outputs);
  };
  ATH_TRY(const std::unique_ptr<Session> session,
          Session::Create(std::move(graph), session_options));
  ATH_TRY(std::vector<Datum> outputs, session->Run(std::move(inputs)));
  ATH_RETURN_IF_ERROR(recorder.problem);
  // Before the session goes: the recorder looks at its graph.
  return recorder.Take(std::move(outputs));
}

}  // namespace athanor
