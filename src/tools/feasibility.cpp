#include "tools/feasibility.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/file.h"
#include "core/text.h"
#include "plan/plan.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/plan_text.h"
#include "verify/random_inputs.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using onnx::Partition;
using onnx::UnreadNode;

// Nodes that one reason stops.
struct Cause {
  const UnreadNode* first = nullptr;
  std::vector<std::string> places = {};
};

// In the order of the first node of each.
std::vector<Cause> Causes(const std::vector<UnreadNode>& unread) {
  std::vector<Cause> causes;
  for (const UnreadNode& node : unread) {
    const auto same = std::find_if(causes.begin(), causes.end(), [&](const Cause& cause) {
      return cause.first->op == node.op && cause.first->reason == node.reason;
    });
    Cause& cause = same != causes.end() ? *same : causes.emplace_back();
    if (cause.first == nullptr) cause.first = &node;
    cause.places.push_back(node.place);
  }
  return causes;
}

// The problems of other formats, as nodes of a partition.
std::vector<UnreadNode> AsNodes(const Status& failed) {
  std::vector<Status> all = {failed};
  all.insert(all.end(), failed.others().begin(), failed.others().end());
  std::vector<UnreadNode> nodes;
  for (const Status& status : all) {
    nodes.push_back({.place = status.where(),
                     .op = "",
                     .reason = status.message(),
                     .fix = status.fix(),
                     .source = "",
                     .tried = ""});
  }
  return nodes;
}

nlohmann::json StagesJson(const Partition& partition) {
  nlohmann::json stages = nlohmann::json::array();
  for (const onnx::Stage& stage : partition.stages) {
    stages.push_back({{"here", stage.graph.has_value()}, {"operators", stage.operators}});
  }
  return stages;
}

// An error that only repeats what was reported keeps its code.
Status Because(const Status& failed, std::string message) {
  return {failed.code(), std::move(message)};
}

std::string Plural(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

Result<Partition> ReadPartition(const ModelOptions& model) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(model.path));
  if (!model.format.empty() && model.format != "onnx")
    return Unsupported("a model in format {} is not split; ONNX models are", model.format);
  if (!onnx::MayBePartitioned(file->bytes()))
    return Unsupported("{}: only ONNX models are split", model.path)
        .Fix("export it to ONNX with the framework that trained it");
  const std::string folder = fs::path(model.path).parent_path().string();
  return onnx::PartitionModel(file->bytes(), {.folder = folder.empty() ? "." : folder});
}

std::string UnreadText(const std::vector<UnreadNode>& unread) {
  std::string text;
  for (const Cause& cause : Causes(unread)) {
    const UnreadNode& node = *cause.first;
    text += fmt::format("{}{}x: {}\n", node.op.empty() ? "" : node.op + "  ", cause.places.size(),
                        node.reason);
    std::string places = cause.places[0];
    if (cause.places.size() > 1) places += fmt::format(" and {} more", cause.places.size() - 1);
    if (!places.empty()) text += "  where: " + places + "\n";
    if (!node.source.empty()) text += "  source: " + node.source + "\n";
    if (!node.tried.empty()) text += "  tried: " + node.tried + "\n";
    if (!node.fix.empty()) text += "  fix: " + node.fix + "\n";
  }
  return text;
}

nlohmann::json UnreadJson(const std::vector<UnreadNode>& unread) {
  nlohmann::json list = nlohmann::json::array();
  for (const Cause& cause : Causes(unread)) {
    list.push_back({{"op", cause.first->op},
                    {"count", cause.places.size()},
                    {"nodes", cause.places},
                    {"reason", cause.first->reason},
                    {"fix", cause.first->fix},
                    {"source", cause.first->source},
                    {"tried", cause.first->tried}});
  }
  return list;
}

std::string StagesText(const Partition& partition) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < partition.stages.size(); ++i) {
    const onnx::Stage& stage = partition.stages[i];
    std::size_t nodes = 0;
    std::vector<std::string> names;
    for (const auto& [name, count] : stage.operators) nodes += count, names.push_back(name);
    parts.push_back(
        fmt::format("stage {}: {} {}", i, Plural(nodes, "node"),
                    stage.graph ? "here" : "elsewhere (" + Shorten(Join(names, ", "), 60) + ")"));
  }
  return Join(parts, "\n");
}

Status ReportInfeasible(const ModelOptions& model, const Status& failed, const Common& common) {
  // Problems with the file itself are told as ever.
  const bool of_operators =
      failed.code() == ErrorCode::kUnknownOperator || failed.code() == ErrorCode::kUnsupported ||
      failed.code() == ErrorCode::kUnsupportedType || failed.code() == ErrorCode::kInvalidModel;
  if (!of_operators) return failed;
  const Result<Partition> partition = ReadPartition(model);
  const bool split = partition.ok() && !partition->unread.empty();
  const std::vector<UnreadNode> unread = split ? partition->unread : AsNodes(failed);
  PrintText(common, UnreadText(unread));
  std::string summary = fmt::format("{} cannot be read", Plural(unread.size(), "problem"));
  nlohmann::json document = {
      {"model", model.path}, {"feasible", false}, {"unread", UnreadJson(unread)}};
  if (split) {
    Say(common, "\n{}", StagesText(*partition));
    summary =
        fmt::format("{} of {} cannot be read", unread.size(), Plural(partition->nodes, "node"));
    document["nodes"] = partition->nodes;
    document["stages"] = StagesJson(*partition);
    Next(common, fmt::format("athanor convert {} -o split.ath --partition", ShellWord(model.path)));
  }
  PrintJson(common, std::move(document));
  return Because(failed, summary);
}

namespace {

// Steps that have no code of their own, by operator and reason.
nlohmann::json ReferenceSteps(const Plan& plan, const Common& common) {
  std::map<std::pair<std::string, std::string>, std::size_t> counts;
  for (const Step& step : plan.steps) {
    const StepText text = Describe(plan, step);
    if (!text.on_reference) continue;
    const std::string reason =
        step.notes.choices.empty() ? "no kernel is written for it" : step.notes.choices[0].reason;
    ++counts[{text.op, reason}];
  }
  nlohmann::json list = nlohmann::json::array();
  Table table({"operator", ">steps", "why its plain form runs"});
  for (const auto& [key, count] : counts) {
    table.Add({key.first, std::to_string(count), key.second});
    list.push_back({{"op", key.first}, {"count", count}, {"reason", key.second}});
  }
  if (!table.empty()) PrintText(common, table.ToString());
  return list;
}

std::int64_t NodesWithOpenShapes(const Graph& graph) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const auto id = static_cast<NodeId>(i);
    if (!graph.IsLive(id)) continue;
    const std::vector<ValueId>& outputs = graph.node(id).outputs;
    const bool open = std::any_of(outputs.begin(), outputs.end(), [&](ValueId output) {
      if (output == kNoValue) return false;
      const Type& type = graph.value(output).type;
      return !type.HasRank() || std::any_of(type.shape->begin(), type.shape->end(),
                                            [](const Dim& dim) { return dim.IsUnknown(); });
    });
    if (open) ++count;
  }
  return count;
}

}  // namespace

Status ReportFeasible(Graph graph, const std::string& device, const Common& common,
                      nlohmann::json& document) {
  const std::vector<std::string> symbols = InputSymbols(graph);
  const std::int64_t open_shapes = NodesWithOpenShapes(graph);
  const std::size_t nodes = graph.num_nodes();
  std::vector<Type> types;
  Result<std::vector<Datum>> inputs = RandomInputs(graph);
  if (inputs.ok()) {
    for (const Datum& input : *inputs) types.push_back(Type::Of(input));
  }
  nlohmann::json report = {
      {"nodes", nodes}, {"symbols", symbols}, {"nodes_of_open_shape", open_shapes}};
  Say(common, "read         {} of {}", nodes, Plural(nodes, "node"));
  if (open_shapes > 0)
    Say(common, "open shapes  {} of them give shapes that depend on data", open_shapes);
  if (inputs.ok() && device != "reference") {
    ATH_TRY(const std::unique_ptr<Session> session,
            Session::Create(std::move(graph), {.device = device}));
    Result<std::shared_ptr<const Plan>> plan = session->PlanFor(types);
    if (plan.ok()) {
      nlohmann::json list = ReferenceSteps(**plan, common);
      std::size_t plain = 0;
      for (const auto& row : list) plain += row["count"].get<std::size_t>();
      Say(common, "kernels      {} of {} on {}", (*plan)->steps.size() - plain,
          Plural((*plan)->steps.size(), "step"), device);
      report["steps"] = (*plan)->steps.size();
      report["on_reference"] = std::move(list);
    } else {
      report["no_plan"] = plan.status().ToString();
      Say(common, "kernels      not known: {}", plan.status().message());
    }
  }
  document["feasibility"] = std::move(report);
  return {};
}

}  // namespace athanor::tools
