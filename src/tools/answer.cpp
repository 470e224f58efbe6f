#include "tools/answer.h"

#include <chrono>

#include "tools/console.h"

namespace athanor::tools {
namespace {

std::string BoxText(const std::vector<Box>& boxes, const ResultOptions& results) {
  if (boxes.empty()) return "no boxes above the threshold\n";
  Table table({"class", ">score", ">x1", ">y1", ">x2", ">y2"});
  for (const Box& box : boxes) {
    const std::string label =
        box.label < results.labels.size() ? results.labels[box.label] : std::to_string(box.label);
    table.Add({label, fmt::format("{:.3f}", box.score), fmt::format("{:.4g}", box.x1),
               fmt::format("{:.4g}", box.y1), fmt::format("{:.4g}", box.x2),
               fmt::format("{:.4g}", box.y2)});
  }
  return table.ToString();
}

nlohmann::json BoxesJson(const std::vector<Box>& boxes) {
  nlohmann::json list = nlohmann::json::array();
  for (const Box& box : boxes) {
    list.push_back(
        {{"class", box.label}, {"score", box.score}, {"box", {box.x1, box.y1, box.x2, box.y2}}});
  }
  return list;
}

}  // namespace

Result<Answer> RunOne(Session& session, InputSet set, double deadline_ms) {
  using Clock = std::chrono::steady_clock;
  // Planning and packing weights, which the first run of a shape does, is not the time of an
  // answer. A device without plans has nothing to prepare; what is wrong, Run says.
  std::vector<Type> types;
  for (const Datum& datum : set.values) types.push_back(Type::Of(datum));
  [[maybe_unused]] const bool prepared = session.PlanFor(types).ok();
  const auto start = Clock::now();
  athanor::RunOptions options;
  if (deadline_ms > 0) {
    options.asked = start;
    options.deadline = start + std::chrono::duration_cast<Clock::duration>(
                                   std::chrono::duration<double, std::milli>(deadline_ms));
  }
  ATH_TRY(std::vector<Datum> outputs, session.Run(std::move(set.values), options));
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  return Answer{std::move(set.name), std::move(outputs), ms};
}

std::vector<NamedOutput> Tensors(const Graph& graph, const Answer& answer) {
  std::vector<NamedOutput> tensors;
  for (std::size_t i = 0; i < answer.outputs.size(); ++i) {
    if (answer.outputs[i].IsTensor())
      tensors.push_back({graph.outputs()[i].name, answer.outputs[i].tensor()});
  }
  return tensors;
}

nlohmann::json AnswerJson(const Graph& graph, const Answer& answer, const AnswerOptions& options) {
  nlohmann::json json = {{"input", answer.name}, {"ms", answer.ms}};
  json["outputs"] = nlohmann::json::array();
  for (std::size_t i = 0; i < answer.outputs.size(); ++i)
    json["outputs"].push_back(
        OutputJson(graph.outputs()[i].name, answer.outputs[i], options.results));
  if (options.boxes) {
    const auto boxes = FindBoxes(Tensors(graph, answer), *options.boxes);
    json["boxes"] = boxes.ok() ? BoxesJson(*boxes) : nlohmann::json();
    if (!boxes.ok()) json["no_boxes"] = boxes.status().message();
  }
  return json;
}

std::string AnswerText(const Graph& graph, const Answer& answer, const AnswerOptions& options) {
  std::string text = fmt::format("{}  {:.2f} ms\n", answer.name, answer.ms);
  if (options.boxes) {
    const auto boxes = FindBoxes(Tensors(graph, answer), *options.boxes);
    if (boxes.ok()) return text + BoxText(*boxes, options.results);
    text += fmt::format("no boxes: {}\n", boxes.status().message());
    if (!boxes.status().fix().empty()) text += fmt::format("  fix: {}\n", boxes.status().fix());
  }
  for (std::size_t i = 0; i < answer.outputs.size(); ++i)
    text += OutputText(graph.outputs()[i].name, answer.outputs[i], options.results);
  return text;
}

}  // namespace athanor::tools
