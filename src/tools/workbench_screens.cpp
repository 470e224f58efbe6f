#include "tools/workbench_screens.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "passes/pipeline.h"
#include "plan/plan.h"
#include "serve/json_tensor.h"
#include "tools/answer.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/fit_type.h"
#include "tools/graph_document.h"
#include "tools/machine_json.h"
#include "tools/memory_timeline.h"
#include "tools/model_facts.h"
#include "tools/plan_text.h"
#include "tools/profile/measure.h"
#include "tools/profile/text.h"
#include "tools/quantize/shown_report.h"
#include "tools/scratch_folder.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using workbench::Question;

std::string Finish(json document) {
  document["schema_version"] = kSchemaVersion;
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<std::int64_t> Number(const Question& question, std::string_view name, std::int64_t fallback,
                            std::int64_t most) {
  const std::string_view text = question.Value(name);
  if (text.empty()) return fallback;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > most) {
    return Error(ErrorCode::kUsage, "{}={}: a number from 0 to {} is expected", name,
                 Quote(text.substr(0, 40)), most);
  }
  return value;
}

// The model that all screens show. Used by one thread at a time.
class ModelScreens {
 public:
  static Result<std::shared_ptr<ModelScreens>> Open(const ShownModel& options);

  Result<std::string> Model(const Question& question) const;
  Result<std::string> DrawnGraph(const Question& question) const;
  Result<std::string> PlanSteps(const Question& question) const;
  Result<std::string> Times(const Question& question) const;
  Result<std::string> Passes(const Question& question) const;
  Result<std::string> Run(const Question& question) const;

 private:
  explicit ModelScreens(const ShownModel& options) : options_(options) {}
  // The plan for random inputs, symbols counted as 1.
  Result<std::shared_ptr<const Plan>> Planned() const;
  Result<InputSet> RandomInput() const;
  Result<InputSet> Given(const Question& question, const ScratchFolder& folder) const;
  Result<std::vector<Datum>> FromJson(const std::string& body) const;

  ShownModel options_;
  std::unique_ptr<Session> session_;
  mutable std::optional<MachinePeaks> peaks_;  // probed when they are first asked for
};

Result<std::shared_ptr<ModelScreens>> ModelScreens::Open(const ShownModel& options) {
  std::shared_ptr<ModelScreens> screens(new ModelScreens(options));
  ATH_TRY(Graph graph, OpenModel(options.model));
  ATH_TRY(screens->session_, Session::Create(std::move(graph), {.threads = options.threads}));
  return screens;
}

Result<InputSet> ModelScreens::RandomInput() const {
  ATH_TRY(const InputPlan plan, InputPlan::Make(session_->graph(), {}));
  return plan.Read(0);
}

Result<std::shared_ptr<const Plan>> ModelScreens::Planned() const {
  ATH_TRY(const InputSet set, RandomInput());
  std::vector<Type> types;
  for (const Datum& datum : set.values) types.push_back(Type::Of(datum));
  Result<std::shared_ptr<const Plan>> plan = session_->PlanFor(types);
  if (!plan.ok()) return WithDimFix(std::move(plan).status(), session_->graph());
  return plan;
}

Result<std::string> ModelScreens::Model(const Question&) const {
  const Graph& graph = session_->graph();
  ATH_TRY(const ModelFacts facts, FactsOf(graph));
  json document = FactsJson(graph, facts);
  const ImageFlags& image = options_.image;
  document["model"] = options_.model.path;
  // As the command line takes it again, --set-dim included.
  std::string word = ShellWord(options_.model.path);
  for (const std::string& dim : options_.model.set_dims) word += " --set-dim " + ShellWord(dim);
  document["command_word"] = word;
  document["version"] = ATHANOR_VERSION;
  document["labels"] = options_.labels.size();
  document["quantized"] = !options_.report.empty();
  document["image"] = {{"mean", image.mean},     {"std", image.std},   {"scale", image.scale},
                       {"layout", image.layout}, {"crop", image.crop}, {"resize", image.resize},
                       {"bgr", image.bgr}};
  json pictures = json::array();
  for (const ValueId id : graph.inputs()) {
    if (ImageInputOf(graph.value(id).type, image).ok()) pictures.push_back(graph.value(id).name);
  }
  document["picture_inputs"] = std::move(pictures);
  return Finish(std::move(document));
}

Result<std::string> ModelScreens::DrawnGraph(const Question& question) const {
  const std::string_view form = question.Value("form");
  if (form.empty() || form == "raw") {
    ATH_TRY(json document, GraphDocument(session_->graph()));
    return Finish(std::move(document));
  }
  if (form != "optimized") {
    return Error(ErrorCode::kUsage, "form={}: raw or optimized is expected",
                 Quote(form.substr(0, 40)));
  }
  ATH_TRY(const auto plan, Planned());
  ATH_TRY(json document, GraphDocument(plan->graph));
  return Finish(std::move(document));
}

Result<std::string> ModelScreens::PlanSteps(const Question&) const {
  ATH_TRY(const auto plan, Planned());
  const std::vector<std::int64_t> alive = TimelineOf(*plan).alive;
  json steps = json::array();
  for (std::size_t i = 0; i < plan->steps.size(); ++i) {
    json step = StepJson(*plan, plan->steps[i]);
    step["nodes"] = json::array();
    for (const NodeId id : plan->steps[i].nodes)
      step["nodes"].push_back(static_cast<std::uint32_t>(id));
    step["alive_bytes"] = alive[i];
    steps.push_back(std::move(step));
  }
  return Finish({{"steps", std::move(steps)},
                 {"arena_bytes", plan->arena_bytes},
                 {"lower_bound_bytes", plan->lower_bound_bytes}});
}

Result<std::string> ModelScreens::Times(const Question& question) const {
  ATH_TRY(const std::int64_t runs, Number(question, "runs", 5, 1000));
  ATH_TRY(const InputSet set, RandomInput());
  ProfileFindings findings;
  findings.model = options_.model.path;
  findings.device = "cpu";
  findings.runs = static_cast<int>(std::max<std::int64_t>(runs, 1));
  findings.peaks = peaks_;
  Status timed = TimeSteps(
      *session_, set.values, [] {}, findings);
  if (!timed.ok()) return WithDimFix(std::move(timed), session_->graph());
  peaks_ = findings.peaks;
  findings.advice = AdviceFor(findings, {});
  json floors = json::array(), times = json::array();
  for (const NodeTime& node : findings.nodes) {
    times.push_back(node.ms);
    floors.push_back(FloorJson(node.floor, node.ms));
  }
  return Finish({{"runs", runs},
                 {"steps_ms", std::move(times)},
                 {"total_ms", findings.total_ms},
                 {"floor_ms", findings.floor_ms()},
                 {"floors", std::move(floors)},
                 {"peak_position", findings.memory.peak_step},
                 {"machine", PeaksJson(*findings.peaks)},
                 {"advice", AdviceJson(findings)}});
}

Result<std::string> ModelScreens::Passes(const Question&) const {
  ATH_TRY(const auto plan, Planned());
  Graph plain = session_->graph().Clone();
  ATH_TRY(const passes::PassReport report, passes::Optimize(plain));
  ATH_TRY(const GraphFigures before, Measure(session_->graph()));
  ATH_TRY(const GraphFigures after, Measure(plain));
  json runs = json::array();
  for (const passes::PassRun& run : report.runs) {
    const auto pass =
        std::find_if(passes::Pipeline().begin(), passes::Pipeline().end(),
                     [&](const passes::Pass& candidate) { return candidate.name == run.pass; });
    runs.push_back({{"pass", run.pass},
                    {"summary", pass == passes::Pipeline().end() ? "" : pass->summary},
                    {"fired", run.fired},
                    {"nodes_left", run.nodes}});
  }
  const auto side = [](const GraphFigures& figures, std::size_t nodes) {
    return json{{"nodes", nodes},
                {"ops", figures.ops},
                {"flops", figures.flops},
                {"weight_bytes", figures.weight_bytes},
                {"peak_activation_bytes", figures.peak_activation_bytes}};
  };
  return Finish({{"rounds", report.rounds},
                 {"runs", std::move(runs)},
                 {"before", side(before, report.nodes_before)},
                 {"after", side(after, report.nodes_after)},
                 {"steps", plan->steps.size()},
                 {"fates", FatesJson(session_->graph(), plan->graph)}});
}

// The shape of nested arrays, from their first elements; how even they are is checked when they are
// read.
Result<Dims> ShapeOf(simdjson::dom::element data) {
  Dims dims;
  for (simdjson::dom::array array; data.get(array) == simdjson::SUCCESS;) {
    dims.push_back(static_cast<std::int64_t>(array.size()));
    if (array.size() == 0) break;
    data = array.at(0).value_unsafe();
  }
  return dims;
}

// {"input": [[1, 2]], ...}: every input by name. A row for an input that takes rows is enough.
Result<std::vector<Datum>> ModelScreens::FromJson(const std::string& body) const {
  simdjson::dom::parser parser;
  ATH_TRY(const simdjson::dom::element document, serve::ParseJson(parser, body));
  simdjson::dom::object object;
  if (document.get(object) != simdjson::SUCCESS) {
    return Error(ErrorCode::kInvalidInput,
                 "a JSON object is expected: {{\"INPUT\": [[...]], ...}}");
  }
  const Graph& graph = session_->graph();
  std::vector<std::pair<std::string, Datum>> named;
  for (const auto& [key, value] : object) {
    const std::string name(key);
    const std::optional<ValueId> input = graph.FindInput(name);
    const DType dtype = input ? graph.value(*input).type.dtype : DType::kF32;
    ATH_TRY(Dims dims, ShapeOf(value));
    if (input && graph.value(*input).type.HasRank() &&
        graph.value(*input).type.rank() == static_cast<std::int64_t>(dims.size()) + 1)
      dims.insert(dims.begin(), 1);
    Result<Tensor> tensor = serve::TensorFromJson(dtype, std::move(dims), value);
    if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("input {}", Quote(name)));
    named.emplace_back(name, *std::move(tensor));
  }
  return OrderInputs(graph, std::move(named));
}

// What the page sent, read as `athanor run` reads a file of that name.
Result<InputSet> ModelScreens::Given(const Question& question, const ScratchFolder& folder) const {
  const Graph& graph = session_->graph();
  InputOptions options;
  ATH_TRY(const std::int64_t seed, Number(question, "seed", 0, 1LL << 53));
  options.seed = static_cast<std::uint64_t>(seed);
  if (question.Value("kind") == "json") {
    ATH_TRY(std::vector<Datum> values, FromJson(*question.body));
    ATH_RETURN_IF_ERROR(CheckInputs(graph, values));
    return InputSet{"row", std::move(values)};
  }
  if (question.Value("kind") != "random") {
    options.image = options_.image;
    for (const auto& [name, field] :
         {std::pair{"mean", &ImageFlags::mean}, std::pair{"std", &ImageFlags::std},
          std::pair{"crop", &ImageFlags::crop}, std::pair{"resize", &ImageFlags::resize}}) {
      if (question.Has(name)) options.image.*field = question.Value(name);
    }
    if (question.Has("std")) options.image.scale.clear();
    if (question.Has("bgr")) options.image.bgr = question.Value("bgr") == "1";
    // Only the name's end matters: it says what kind of file it is.
    const std::string shown = fs::path(std::string(question.Value("name"))).filename().string();
    std::string extension = fs::path(shown).extension().string();
    std::erase_if(extension, [](unsigned char c) { return std::isalnum(c) == 0 && c != '.'; });
    const std::string path = (fs::path(folder.path()) / ("given" + extension)).string();
    ATH_RETURN_IF_ERROR(WriteFileAtomically(path, *question.body));
    const std::string input(question.Value("input"));
    options.sources = {input.empty() ? path : input + "=" + path};
    for (const ValueId id : graph.inputs()) {
      const std::string& name = graph.value(id).name;
      if (!input.empty() && name != input) options.sources.push_back(name + "=random");
    }
    ATH_TRY(const InputPlan plan, InputPlan::Make(graph, options));
    ATH_TRY(InputSet set, plan.Read(0));
    set.name = shown;
    return set;
  }
  ATH_TRY(const InputPlan plan, InputPlan::Make(graph, options));
  return plan.Read(0);
}

Result<std::string> ModelScreens::Run(const Question& question) const {
  ATH_TRY(const ScratchFolder folder, ScratchFolder::Make());
  ATH_TRY(InputSet set, Given(question, folder));
  const Graph& graph = session_->graph();
  Result<Answer> answer = RunOne(*session_, std::move(set));
  if (!answer.ok()) return WithDimFix(std::move(answer).status(), graph);
  AnswerOptions shown = {.results = {.labels = options_.labels, .top = 5}, .boxes = {}};
  if (question.Value("boxes") == "1") shown.boxes.emplace();
  json document = AnswerJson(graph, *answer, shown);
  document["text"] = AnswerText(graph, *answer, shown);
  return Finish(std::move(document));
}

}  // namespace

Result<std::vector<workbench::Screen>> MakeScreens(const ShownModel& options) {
  ATH_TRY(const std::shared_ptr<ModelScreens> screens, ModelScreens::Open(options));
  const auto screen = [&screens](const char* name, const char* method, const char* produces,
                                 Result<std::string> (ModelScreens::*answer)(const Question&)
                                     const) {
    return workbench::Screen{name, method, produces, [screens, answer](const Question& question) {
                               return (*screens.*answer)(question);
                             }};
  };
  std::vector<workbench::Screen> list = {
      screen("model", "GET", "inputs, outputs, figures", &ModelScreens::Model),
      screen("graph", "GET", "nodes and values; ?form=raw or ?form=optimized",
             &ModelScreens::DrawnGraph),
      screen("plan", "GET", "steps with their kernels and the candidates",
             &ModelScreens::PlanSteps),
      screen("profile", "GET", "measured milliseconds of each step, its floor, and advice; ?runs=N",
             &ModelScreens::Times),
      screen("passes", "GET", "the graph before and after optimisation", &ModelScreens::Passes),
      screen("run", "POST",
             "an answer for the body; ?kind=file&name=x.png&input=NAME, kind=json or kind=random",
             &ModelScreens::Run)};
  if (options.report.empty()) return list;
  ATH_TRY(std::string report, ReadQuantizeReport(options.report));
  list.push_back(
      {"quantized", "GET", "the report of athanor quantize",
       [report = std::move(report)](const Question&) -> Result<std::string> { return report; }});
  return list;
}

}  // namespace athanor::tools
