#include "runtime/hetero_session.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/memory.h"
#include "plan/min_cut.h"
#include "runtime/cpu_session.h"
#include "runtime/own_memory.h"

namespace athanor {
namespace {

// A device that would have to borrow the reference's code, when there is any other.
constexpr double kLastResortNs = 1e8;

// The same nodes with symbols counted as 1, so that costs can be asked for.
Graph WithSizes(const Graph& graph) {
  Graph sized = graph.Clone();
  for (const ValueId id : sized.inputs()) {
    const Type& type = sized.value(id).type;
    if (!type.HasRank()) continue;
    Shape shape = *type.shape;
    for (Dim& dim : shape) dim = dim.IsConst() ? dim : Dim(1);
    sized.SetInputType(id, Type::Tensor(type.dtype, std::move(shape)));
  }
  // Sizes that do not fit 1 stay unknown, and kernels are then taken to fit.
  return sized.InferTypes().ok() ? std::move(sized) : graph.Clone();
}

// What it takes to hand a value to another device.
double TransferNs(const Value& value) {
  constexpr double kAnyNs = 2000, kBytesPerNs = 10;
  const std::optional<Dims> dims = value.type.StaticDims();
  if (!value.type.IsTensor() || value.type.dtype == DType::kString || !dims) return kAnyNs;
  const Result<std::int64_t> bytes = TensorBytes(value.type.dtype, *dims);
  return kAnyNs + (bytes.ok() ? static_cast<double>(*bytes) / kBytesPerNs : 0);
}

// Labels by alpha-expansion (Y. Boykov, O. Veksler, R. Zabih, Fast Approximate Energy Minimization
// via Graph Cuts, PAMI 2001): each move offers one device to all nodes and is a minimum cut. For
// two devices the first move is exact.
class Assignment {
 public:
  Assignment(const Graph& graph, const std::vector<NodeId>& order,
             const std::vector<Device>& devices)
      : devices_(devices.size()), labels_(order.size(), 0) {
    std::map<NodeId, std::size_t> index;
    for (const NodeId id : order) {
      std::vector<double>& costs = costs_.emplace_back();
      for (const Device& device : devices)
        costs.push_back(device.CostNs(graph, id).value_or(kLastResortNs));
      index[id] = costs_.size() - 1;
      for (const ValueId input :
           std::set(graph.node(id).inputs.begin(), graph.node(id).inputs.end())) {
        if (input == kNoValue || graph.value(input).producer == kNoNode) continue;
        edges_.push_back({index.at(graph.value(input).producer), costs_.size() - 1,
                          TransferNs(graph.value(input))});
      }
    }
  }

  std::vector<std::size_t> Solve() {
    constexpr int kMostRounds = 4;
    for (int round = 0; round < kMostRounds; ++round) {
      bool changed = false;
      for (std::size_t device = round == 0 ? 1 : 0; device < devices_; ++device)
        changed = Offer(device) || changed;
      if (!changed || devices_ == 2) break;
    }
    return labels_;
  }

 private:
  struct Edge {
    std::size_t from = 0, to = 0;
    double cost = 0;  // when the two are apart
  };

  // True for the label of a node means that it takes the device.
  bool Offer(std::size_t device) {
    plan::MinCut cut;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      cut.AddNode();
      cut.AddOwnCost(i, costs_[i][labels_[i]], costs_[i][device]);
    }
    for (const Edge& edge : edges_) {
      const std::size_t a = labels_[edge.from], b = labels_[edge.to];
      const double stay = a != b ? edge.cost : 0, first = device != b ? edge.cost : 0,
                   second = device != a ? edge.cost : 0;
      // cost(x, y) as own costs of x and y, and one when x stays and y goes.
      AddSigned(cut, edge.from, first - stay);
      AddSigned(cut, edge.to, -first);
      cut.AddPairCost(edge.from, edge.to, first + second - stay);
    }
    const std::vector<bool> takes = cut.Solve();
    bool changed = false;
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      if (!takes[i] || labels_[i] == device) continue;
      labels_[i] = device;
      changed = true;
    }
    return changed;
  }

  static void AddSigned(plan::MinCut& cut, std::size_t node, double if_true) {
    cut.AddOwnCost(node, std::max(0.0, -if_true), std::max(0.0, if_true));
  }

  std::size_t devices_;
  std::vector<std::vector<double>> costs_;  // of each node on each device
  std::vector<Edge> edges_;
  std::vector<std::size_t> labels_;
};

// Runs of nodes on one device, so that each run needs only what earlier ones give, as few as a walk
// that stays on a device while it can leaves.
std::vector<std::vector<NodeId>> Segments(const Graph& graph, const std::vector<NodeId>& order,
                                          const std::vector<std::size_t>& device_of) {
  std::vector<bool> done(graph.node_capacity(), false);
  const auto is_ready = [&](NodeId id) {
    return std::ranges::all_of(graph.node(id).inputs, [&](ValueId input) {
      const NodeId producer = input == kNoValue ? kNoNode : graph.value(input).producer;
      return producer == kNoNode || done[static_cast<std::size_t>(producer)];
    });
  };
  std::vector<std::vector<NodeId>> segments;
  for (std::size_t taken = 0; taken < order.size(); taken += segments.back().size()) {
    std::vector<NodeId> segment;
    std::size_t device = 0;
    for (const NodeId id : order) {
      const auto at = static_cast<std::size_t>(id);
      if (done[at]) continue;
      if (segment.empty()) device = device_of[at];  // the first one left is ready
      if (device_of[at] != device || !is_ready(id)) continue;
      done[at] = true;
      segment.push_back(id);
    }
    segments.push_back(std::move(segment));
  }
  return segments;
}

// The nodes as a graph of their own.
class Extract {
 public:
  explicit Extract(const Graph& whole) : whole_(whole), part_(whole.catalog(), whole.name()) {}

  Status Make(const std::vector<NodeId>& nodes) {
    const std::set<NodeId> inside(nodes.begin(), nodes.end());
    for (const NodeId id : nodes) ATH_RETURN_IF_ERROR(Add(whole_.node(id)));
    for (const NodeId id : nodes) {
      for (const ValueId output : whole_.node(id).outputs) {
        if (output == kNoValue) continue;
        const Value& value = whole_.value(output);
        const bool leaves =
            value.output_uses > 0 ||
            std::ranges::any_of(value.users, [&](NodeId user) { return !inside.contains(user); });
        if (!leaves) continue;
        part_.AddOutput(value.name, twin_.at(output));
        outputs.push_back(output);
      }
    }
    return {};
  }

  Graph TakeGraph() { return std::move(part_); }

  std::vector<ValueId> inputs, outputs;  // of the whole graph

 private:
  ValueId Twin(ValueId id) {
    if (id == kNoValue) return kNoValue;
    const auto found = twin_.find(id);
    if (found != twin_.end()) return found->second;
    const Value& value = whole_.value(id);
    if (const Tensor* constant = whole_.Constant(id))
      return twin_[id] = part_.AddConstant(*constant, value.name);
    inputs.push_back(id);
    return twin_[id] = part_.AddInput(value.name, value.type, value.ints);
  }

  Status Add(const Node& node) {
    Graph::NewNode made = {.op = node.op->name,
                           .attributes = node.attributes,
                           .num_outputs = node.outputs.size(),
                           .captures = node.captures,
                           .name = node.name};
    for (const ValueId input : node.inputs) made.inputs.push_back(Twin(input));
    for (const ValueId output : node.outputs) {
      made.omitted_outputs.push_back(output == kNoValue);
      made.output_names.push_back(output == kNoValue ? "" : whole_.value(output).name);
    }
    for (const auto& body : node.bodies)
      made.bodies.push_back(std::make_unique<Graph>(body->Clone()));
    ATH_TRY(const NodeId id, part_.AddNode(std::move(made)));
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      twin_[node.outputs[i]] = part_.node(id).outputs[i];
      // What the file said and inference cannot see.
      ATH_RETURN_IF_ERROR(
          part_.RefineType(part_.node(id).outputs[i], whole_.value(node.outputs[i]).type));
    }
    return {};
  }

  const Graph& whole_;
  Graph part_;
  std::map<ValueId, ValueId> twin_;
};

}  // namespace

Result<std::vector<std::size_t>> AssignDevices(const Graph& graph,
                                               const std::vector<Device>& devices) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  const Graph sized = WithSizes(graph);
  const std::vector<std::size_t> labels = Assignment(sized, order, devices).Solve();
  std::vector<std::size_t> device_of(graph.node_capacity(), 0);
  for (std::size_t i = 0; i < order.size(); ++i)
    device_of[static_cast<std::size_t>(order[i])] = labels[i];
  return device_of;
}

Result<std::unique_ptr<Session>> HeteroSession::Create(Graph graph, std::string_view names,
                                                       const SessionOptions& options) {
  // The passes have run over the whole graph by then.
  SessionOptions of_parts = options;
  of_parts.optimize = false;
  of_parts.shared = {};  // parts are different graphs
  ATH_TRY(const std::vector<Device> devices, Device::FindAll(names, of_parts));
  GraphOptions of_whole = GraphOptionsOf(graph, options);
  of_whole.widen = of_whole.widen && std::ranges::any_of(devices, [](const Device& device) {
                     return device.precision() == Precision::kBf16;
                   });
  ATH_TRY(Graph split, GraphForPlans(graph, of_whole));
  std::unique_ptr<HeteroSession> session(new HeteroSession(std::move(graph), std::move(split)));
  ATH_TRY(const std::vector<NodeId> order, session->split_.Order());
  ATH_TRY(const std::vector<std::size_t> device_of, AssignDevices(session->split_, devices));
  for (const Device& device : devices) session->parts_.push_back({device.name(), 0, 0});
  for (const std::vector<NodeId>& nodes : Segments(session->split_, order, device_of)) {
    const std::size_t device = device_of[static_cast<std::size_t>(nodes.front())];
    ATH_RETURN_IF_ERROR(session->AddSegment(devices[device], device, nodes));
  }
  session->FindLastUses();
  return std::unique_ptr<Session>(std::move(session));
}

Status HeteroSession::AddSegment(const Device& device, std::size_t index,
                                 const std::vector<NodeId>& nodes) {
  Extract extract(split_);
  ATH_RETURN_IF_ERROR(extract.Make(nodes));
  Segment segment;
  segment.inputs = std::move(extract.inputs);
  segment.outputs = std::move(extract.outputs);
  ATH_TRY(segment.session, device.Open(extract.TakeGraph()));
  streams_ = segments_.empty() ? segment.session->Streams()
                               : std::min(streams_, segment.session->Streams());
  parts_[index].nodes += std::ssize(nodes);
  segments_.push_back(std::move(segment));
  return {};
}

void HeteroSession::FindLastUses() {
  std::set<ValueId> needed;
  for (const GraphOutput& output : split_.outputs()) needed.insert(output.value);
  for (std::size_t i = segments_.size(); i-- > 0;) {
    for (const ValueId input : segments_[i].inputs) {
      if (needed.insert(input).second) segments_[i].last.push_back(input);
    }
  }
}

Result<std::vector<Datum>> HeteroSession::Run(std::vector<Datum> inputs,
                                              const RunOptions& options) {
  ATH_RETURN_IF_ERROR(CheckInputs(graph_, inputs));
  const RunOptions from_now = options.FromNow();
  ++runs_;
  std::vector<Datum> values(split_.value_capacity());
  const auto at = [&](ValueId id) -> Datum& { return values[static_cast<std::size_t>(id)]; };
  for (std::size_t i = 0; i < inputs.size(); ++i) at(split_.inputs()[i]) = std::move(inputs[i]);
  for (const Segment& segment : segments_) {
    std::vector<Datum> given;
    for (const ValueId input : segment.inputs) given.push_back(at(input));
    ATH_TRY(std::vector<Datum> made, segment.session->Run(std::move(given), from_now));
    for (std::size_t i = 0; i < made.size(); ++i) at(segment.outputs[i]) = std::move(made[i]);
    for (const ValueId input : segment.last) at(input) = Datum();
  }
  std::vector<Datum> outputs;
  for (const GraphOutput& output : split_.outputs()) {
    const Tensor* constant = split_.Constant(output.value);
    outputs.push_back(constant != nullptr ? Datum(*constant) : at(output.value));
    if (constant != nullptr) {  // the caller may write to it
      ATH_TRY(outputs.back(), Copy(outputs.back()));
    }
  }
  return outputs;
}

std::vector<Session::Part> HeteroSession::Parts() const {
  std::vector<Part> parts = parts_;
  for (Part& part : parts) part.runs = part.nodes > 0 ? runs_.load() : 0;
  return parts;
}

}  // namespace athanor
