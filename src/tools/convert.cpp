// athanor convert MODEL -o OUT: another format, with proof that the answers stay the same.
// athanor optimize MODEL: the portable passes, with the same proof.
#include <algorithm>
#include <filesystem>
#include <optional>

#include "codegen/table/tables.h"
#include "core/file.h"
#include "core/text.h"
#include "core/writing.h"
#include "frontends/load.h"
#include "frontends/save.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/difference_advice.h"
#include "tools/dump_ir.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/partition.h"
#include "tools/progress.h"
#include "verify/parity.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  ModelOptions model;
  InputOptions input;
  std::string out, device = "cpu", dump;
  std::vector<std::string> disable;
  SaveOptions save;
  Tolerance tolerance = {.rtol = 1e-4, .atol = 1e-4};
  bool no_check = false, partition = false;
};

// Formats with few operators of their own: what a network computes with more is made plain first.
constexpr std::string_view kPlainFormats[] = {".param", ".prototxt", ".tflite"};

bool WantsPlainGraph(const std::string& path) {
  const std::string ending = fs::path(path).extension().string();
  return std::find(std::begin(kPlainFormats), std::end(kPlainFormats), ending) !=
         std::end(kPlainFormats);
}

Status Save(const ConvertOptions& options, const Common& common, const Graph& graph) {
  SaveOptions save = options.save;
  save.compress = IsCompressedModel(options.model.path);
  ATH_RETURN_IF_ERROR(SaveModel(graph, options.out, save));
  const std::vector<std::string> own = OwnOperators(graph, options.out, options.save);
  if (!own.empty())
    Note(common,
         "warning: only athanor reads {}: ONNX cannot say {}, written in domain \"athanor\"",
         options.out, Join(own, ", "));
  return {};
}

// Inputs for the proof. Random ones have the sizes for open dimensions with which the shapes agree.
Result<InputSet> ProofInputs(const ConvertOptions& options, const Graph& original) {
  Graph sized = original.Clone();
  if (options.input.sources.empty()) {
    if (const auto sizes = FittingDims(original)) ATH_RETURN_IF_ERROR(SetDims(sized, *sizes));
  }
  ATH_TRY(const InputPlan plan, InputPlan::Make(sized, options.input));
  return plan.Read(0);
}

// Runs the original and what was written on the same inputs, without further passes. Nothing when
// not even the original takes the random inputs: then nothing can be said.
Result<std::optional<Parity>> Prove(const ConvertOptions& options, const Graph& original,
                                    Graph changed, const Common& common, Status& why_not) {
  const SessionOptions session = {.device = options.device, .optimize = false};
  ATH_TRY(const std::unique_ptr<Session> a, Session::Create(original.Clone(), session));
  ATH_TRY(const std::unique_ptr<Session> b, Session::Create(std::move(changed), session));
  Progress progress(common, "parity", 0);
  Result<InputSet> set = ProofInputs(options, original);
  if (!set.ok()) return std::move(set).status();
  Result<Parity> parity = CheckParity(*b, *a, set->values, options.tolerance);
  if (parity.ok()) return std::optional<Parity>(*std::move(parity));
  const Status original_runs = a->Run(std::move(set->values)).status();
  if (original_runs.ok() || !options.input.sources.empty()) return std::move(parity).status();
  why_not = WithDimFix(original_runs, original);
  return std::optional<Parity>();
}

Status Report(const ConvertOptions& options, const Common& common, const Parity& parity,
              nlohmann::json document) {
  double worst = 0;
  nlohmann::json outputs = nlohmann::json::array();
  for (const auto& [name, d] : parity.outputs) {
    worst = std::max(worst, d.max_abs);
    outputs.push_back({{"name", name},
                       {"max_abs", NumberJson(d.max_abs)},
                       {"rel_l2", NumberJson(d.rel_l2)},
                       {"cosine", NumberJson(d.cosine)}});
  }
  Say(common, "parity {} on {} inputs: largest difference {:.3g}",
      parity.pass ? Green(common, "holds") : Red(common, "FAILS"),
      options.input.sources.empty() ? "seeded random" : "the given", worst);
  if (parity.exchanged > 0)
    Say(common, "       {} objects with tied scores stand in another order", parity.exchanged);
  document["parity"] = {
      {"pass", parity.pass}, {"outputs", std::move(outputs)}, {"exchanged", parity.exchanged}};
  PrintJson(common, std::move(document));
  if (!parity.pass) {
    // The proof runs both as they are, without passes.
    const std::string bisect = fmt::format("bisect {} {} --passes off --passes-b off",
                                           ShellWord(options.model.path), ShellWord(options.out));
    return Error(ErrorCode::kAccuracy, "{} gives other answers than {}: {}", options.out,
                 options.model.path, parity.reason)
        .Fix(DifferenceAdvice(common, bisect, parity.outputs, options.tolerance));
  }
  // What is written has the inputs of what was read.
  std::string bench = "athanor bench " + ShellWord(options.out);
  for (const std::string& source : options.input.sources) bench += " --input " + ShellWord(source);
  Next(common, bench);
  return {};
}

Status Announce(const ConvertOptions& options, const Common& common, nlohmann::json& document) {
  std::error_code error;
  const auto bytes = fs::file_size(options.out, error);
  document["model"] = options.model.path;
  document["out"] = options.out;
  document["bytes"] = error ? 0 : bytes;
  const std::vector<std::string> files = SavedFiles(options.out, options.save);
  document["files"] = files;
  Say(common, "wrote {}", Join(files, " and "));
  return {};
}

// The file is written; only the proof is missing, and how to get it is said. No error.
Status SayUnchecked(const ConvertOptions& options, const Common& common, const Graph& original,
                    const Status& why_not, nlohmann::json document) {
  Note(common, "warning: parity is not checked, random inputs do not fit the model: {}: {}",
       why_not.where(), why_not.message());
  document["parity"] = {{"pass", nullptr}, {"not_checked", why_not.ToString()}};
  PrintJson(common, std::move(document));
  std::string more = OpenDims(original);
  if (more.empty()) {
    std::vector<std::string> inputs;
    for (const ValueId id : original.inputs()) {
      const std::string& name = original.value(id).name;
      inputs.push_back("--input " + ShellWord(name + "=" + name + ".npy"));
    }
    more = Join(inputs, " ");
  }
  Next(common, fmt::format("athanor compare {} {} {}", ShellWord(options.model.path),
                           ShellWord(options.out), more));
  return {};
}

// Reads back what was written: the proof covers the file, not only the graph in memory.
Status ProveFile(const ConvertOptions& options, const Common& common, const Graph& original,
                 nlohmann::json document) {
  ATH_RETURN_IF_ERROR(Announce(options, common, document));
  if (options.no_check) {
    PrintJson(common, std::move(document));
    return {};
  }
  Result<Graph> written = LoadModel(options.out);
  if (!written.ok()) {
    if (written.status().code() != ErrorCode::kUnknownFormat) return std::move(written).status();
    Note(common, "parity not checked: this format is written but not read");
    PrintJson(common, std::move(document));
    return {};
  }
  Status why_not;
  ATH_TRY(const std::optional<Parity> parity,
          Prove(options, original, *std::move(written), common, why_not));
  if (parity) return Report(options, common, *parity, std::move(document));
  return SayUnchecked(options, common, original, why_not, std::move(document));
}

Status WritePmml(const Graph& graph, const std::string& path) {
  ATH_TRY(const codegen::RowProgram program, codegen::RowProgramOf(graph.Clone()));
  ATH_TRY(const std::string text, codegen::TablePmml(program));
  return WriteFileAtomically(path, std::string_view(text));
}

// PMML speaks of columns: the proof is of the model in that form.
Status ConvertTable(const ConvertOptions& options, const Common& common, const Graph& graph) {
  ATH_RETURN_IF_ERROR(OfWriting(WritePmml(graph, options.out)));
  ATH_TRY(const Graph form, codegen::TableForm(graph));
  return ProveFile(options, common, form, nlohmann::json::object());
}

Status RunConvert(const ConvertOptions& options, const Common& common) {
  ATH_TRY(const std::string stage, DumpStage(options.dump));
  const bool pmml = fs::path(options.out).extension() == ".pmml";
  ATH_RETURN_IF_ERROR(pmml ? CheckOutputOf(options.out, options.model.path)
                           : CheckModelOutput(options.out, options.model.path, {"pmml"}));
  if (options.partition) return WriteStages(options.model, options.out, options.save, common);
  ATH_TRY(const Graph graph, OpenModel(options.model, SavedFiles(options.out, options.save)));
  if (!stage.empty() && stage != "import")
    return Error(ErrorCode::kUsage,
                 "convert has one stage: after:import; athanor optimize has more");
  if (!stage.empty()) PrintGraph(common, graph);
  if (pmml) return ConvertTable(options, common, graph);
  {
    Progress progress(common, "writing", 0);
    Graph plain = graph.Clone();
    if (WantsPlainGraph(options.out)) ATH_RETURN_IF_ERROR(passes::Optimize(plain, {}).status());
    ATH_RETURN_IF_ERROR(Save(options, common, plain));
  }
  return ProveFile(options, common, graph, nlohmann::json::object());
}

// In the current folder.
std::string DefaultOut(const std::string& model) {
  const std::string name = fs::path(model).stem().string();
  return (name.starts_with("zoo:") ? name.substr(4) : name) + ".optimized.ath";
}

Status RunOptimize(ConvertOptions options, const Common& common) {
  ATH_TRY(const std::string stage, DumpStage(options.dump));
  if (options.out.empty()) options.out = DefaultOut(options.model.path);
  if (stage.empty()) ATH_RETURN_IF_ERROR(CheckModelOutput(options.out, options.model.path));
  ATH_TRY(const Graph graph,
          OpenModel(options.model, stage.empty() ? SavedFiles(options.out, options.save)
                                                 : std::vector<std::string>()));
  Graph better = graph.Clone();
  if (stage == "import") {
    PrintGraph(common, graph);
    return {};
  }
  Progress progress(common, "optimize", 0);
  ATH_TRY(const passes::PassReport report,
          passes::Optimize(better, {.until = stage, .disable = options.disable}));
  progress.Finish();
  if (!stage.empty()) {
    PrintGraph(common, better);
    return {};
  }
  PrintText(common, report.ToString());
  ATH_RETURN_IF_ERROR(Save(options, common, better));
  return ProveFile(options, common, graph,
                   {{"nodes_before", report.nodes_before},
                    {"nodes_after", report.nodes_after},
                    {"rounds", report.rounds},
                    {"fired", report.Fired()}});
}

void AddOptions(Arguments app, ConvertOptions& options) {
  AddModelOptions(app, options.model);
  AddInputOptions(app, options.input, false);
  app.Option("--device", options.device, "on which parity is checked").ShowDefault();
  app.Option("--opset", options.save.opset,
             "of an ONNX file; by itself 21, or the oldest after it that has all operators")
      .Range(7, 100);
  app.Option("--dialect", options.save.dialect,
             "whose Caffe is to read a .prototxt: any, bvlc, deeplab, faster-rcnn, opencv, segnet, "
             "shufflenet, ssd, yolo")
      .ShowDefault();
  app.Option("--atol", options.tolerance.atol, "absolute tolerance").ShowDefault();
  app.Option("--rtol", options.tolerance.rtol, "relative tolerance").ShowDefault();
  app.Flag("--no-check", options.no_check,
           "leave the parity check out; where it fails, the exit code is 3");
  AddDumpOption(app, options.dump);
}

}  // namespace

std::function<Status()> Convert(Arguments app, const Common& common) {
  auto options = std::make_shared<ConvertOptions>();
  AddOptions(app, *options);
  app.Option("--out,-o", options->out, "the file to write; its ending says the format").Required();
  app.Flag("--partition", options->partition,
           "of an ONNX model that is read in parts only: write those, and the rest as ONNX for "
           "another engine");
  return [options, &common] { return RunConvert(*options, common); };
}

std::function<Status()> OptimizeModel(Arguments app, const Common& common) {
  auto options = std::make_shared<ConvertOptions>();
  AddOptions(app, *options);
  app.Option("--out,-o", options->out, "default: MODEL.optimized.ath in the current folder");
  app.Option("--disable", options->disable, "a pass or rule that stays out").Repeated();
  return [options, &common] { return RunOptimize(*options, common); };
}

}  // namespace athanor::tools
