#include "frontends/tflite/export.h"

#include <algorithm>
#include <unordered_set>

#include "core/file.h"
#include "frontends/tflite/op_export.h"

namespace athanor::tflite {
namespace {

class Exporter {
 public:
  explicit Exporter(const Graph& graph) : graph_(graph), file_(graph) {}

  Result<std::vector<std::uint8_t>> Run(std::uint64_t most_inside) {
    std::vector<Status> problems;
    for (const ValueId id : graph_.inputs()) {
      const Value& value = graph_.value(id);
      Status status = CheckType(value.type);
      if (!status.ok()) {
        problems.push_back(std::move(status).In(fmt::format("input \"{}\"", value.name)));
      } else {
        file_.AddInput(id);
      }
    }
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Node& node = graph_.node(order[i]);
      Status status = CheckNode(node);
      if (status.ok()) status = AddNode(order[i]);
      if (status.ok()) continue;
      problems.push_back(std::move(status).In(PlaceOf(graph_, order, i)));
      for (const ValueId output : node.outputs) {
        if (output != kNoValue && CheckType(graph_.value(output).type).ok())
          file_.NewTensor(output, Axes::kPlain);
      }
    }
    if (!problems.empty()) return Status::All(std::move(problems));
    for (const GraphOutput& output : graph_.outputs()) file_.AddOutput(output);
    return file_.Bytes(most_inside);
  }

 private:
  static Status CheckType(const Type& type) {
    if (!type.IsTensor()) return Unsupported("{} is no tensor", type.ToString());
    if (!type.HasRank()) return Unsupported("the rank of {} is not known", type.ToString());
    return CheckWritten(type.dtype);
  }

  Status CheckNode(const Node& node) const {
    if (ExportRowOf(*node.op) == nullptr)
      return Unsupported("no operator of TFLite is written for it");
    for (const auto* values : {&node.inputs, &node.outputs}) {
      for (const ValueId id : *values) {
        if (id != kNoValue) ATH_RETURN_IF_ERROR(CheckType(graph_.value(id).type));
      }
    }
    return {};
  }

  Status AddNode(NodeId id) {
    if (done_.count(id) != 0) return {};
    const Node& node = graph_.node(id);
    const ExportRow& row = *ExportRowOf(*node.op);
    OpExport ctx(file_, node);
    if (row.fuses) FuseActivation(ctx);
    if (row.integers != Integers::kNever) FuseIntegers(ctx, row);
    Status status = row.make(ctx);
    if (status.ok()) return status;
    // So that the nodes behind it are looked at too.
    for (const ValueId result : ctx.results) {
      if (result != kNoValue) file_.NewTensor(result, Axes::kPlain);
    }
    return status;
  }

  // The only node that reads a value; kNoNode when others do, or the value is an output.
  NodeId OnlyUser(ValueId id) const {
    if (id == kNoValue || graph_.num_uses(id) != 1) return kNoNode;
    const Value& value = graph_.value(id);
    return value.users.empty() ? kNoNode : value.users[0];
  }

  std::optional<schema::Activation> ActivationOf(const Node& node) const {
    if (node.op->name == "Relu") return schema::Activation_RELU;
    if (node.op->name != "Clip") return std::nullopt;
    const NodeView view(graph_, node);
    const Result<float> low = view.ConstantFloat(1, -std::numeric_limits<float>::infinity());
    const Result<float> high = view.ConstantFloat(2, std::numeric_limits<float>::infinity());
    if (!low.ok() || !high.ok()) return std::nullopt;
    if (*low == 0 && *high == 6) return schema::Activation_RELU6;
    if (*low == -1 && *high == 1) return schema::Activation_RELU_N1_TO_1;
    if (*low == 0 && *high == std::numeric_limits<float>::infinity())
      return schema::Activation_RELU;
    return std::nullopt;
  }

  void FuseActivation(OpExport& ctx) {
    if (ctx.results.size() != 1 || ctx.OutType().dtype != DType::kF32) return;
    const NodeId user = OnlyUser(ctx.results[0]);
    if (user == kNoNode) return;
    const auto activation = ActivationOf(graph_.node(user));
    if (!activation || graph_.node(user).inputs[0] != ctx.results[0]) return;
    ctx.activation = *activation;
    ctx.results = graph_.node(user).outputs;
    done_.insert(user);
  }

  // Q(op(DQ(x), ...)): the operator computes on the integers themselves.
  void FuseIntegers(OpExport& ctx, const ExportRow& row) {
    const std::size_t count =
        row.integer_inputs == 0 ? ctx.num_inputs() : std::min(row.integer_inputs, ctx.num_inputs());
    std::vector<ValueId> integers;
    for (std::size_t i = 0; i < count; ++i) {
      const auto from = file_.stored.find(ctx.node.inputs[i]);
      if (from == file_.stored.end()) return;
      integers.push_back(from->second);
    }
    const std::vector<ValueId> floats = ctx.results;
    std::vector<NodeId> quantisers;
    for (ValueId& result : ctx.results) {
      const NodeId user = OnlyUser(result);
      if (user == kNoNode || graph_.node(user).op->name != "QuantizeLinear")
        return Undo(ctx, floats);
      result = graph_.node(user).outputs[0];
      if (!file_.ScaleOf(result)) return Undo(ctx, floats);
      quantisers.push_back(user);
      integers.push_back(result);
    }
    const auto same = [&](ValueId id) {
      return file_.ScaleOf(id) == file_.ScaleOf(integers[0]) &&
             graph_.value(id).type.dtype == graph_.value(integers[0]).type.dtype;
    };
    ctx.on_integers = true;
    if ((row.integers == Integers::kOneScale &&
         !std::all_of(integers.begin(), integers.end(), same)) ||
        (row.fits != nullptr && !row.fits(ctx)))
      return Undo(ctx, floats);
    done_.insert(quantisers.begin(), quantisers.end());
  }

  static void Undo(OpExport& ctx, const std::vector<ValueId>& floats) {
    ctx.results = floats;
    ctx.on_integers = false;
  }

  const Graph& graph_;
  FileExport file_;
  std::unordered_set<NodeId> done_;  // nodes that are part of an operator before them
};

}  // namespace

Result<std::vector<std::uint8_t>> ExportTflite(const Graph& graph, std::uint64_t most_inside) {
  return Exporter(graph).Run(most_inside);
}

Status SaveTflite(const Graph& graph, const std::string& path) {
  ATH_TRY(const std::vector<std::uint8_t> file, ExportTflite(graph));
  return WriteFileAtomically(path, file);
}

}  // namespace athanor::tflite
