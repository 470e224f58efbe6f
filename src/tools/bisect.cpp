// athanor bisect A [B]: the first node whose output differs between two models, devices or
// precisions.
#include "verify/bisect.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/text.h"
#include "io/npy.h"
#include "tools/calibrated.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/dump_ir.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/progress.h"
#include "tools/tuning.h"
#include "verify/parity.h"

namespace athanor::tools {
namespace {

struct BisectVerb {
  ModelOptions a;
  std::string b;
  std::string dump;  // --dump-ir
  InputOptions input;
  std::string device, device_b, passes = "on", passes_b = "on", match = "name";
  std::string precision = "f32", precision_b;
  BisectOptions limits;
  int rows = 14;

  bool is_recording() const { return b.ends_with(".npz"); }
};

// One side of the comparison.
struct Side {
  std::string model, device;
  bool passes = true;
  std::string precision;

  bool operator==(const Side&) const = default;
  // Without the precision, which an error about it names itself.
  std::string Place() const {
    return fmt::format("{} on {}{}", std::filesystem::path(model).filename().string(), device,
                       passes || device == "reference" ? "" : " without passes");
  }
  std::string Text() const {
    return Place() + (precision == "f32" ? "" : ", precision " + precision);
  }
};

// With one model and nothing else said, its references are the measure of its kernels.
std::pair<Side, Side> SidesOf(const BisectVerb& options) {
  const auto other = [](const std::string& device) {
    return std::string(device == "reference" ? "cpu" : "reference");
  };
  const std::string precision_b =
      options.precision_b.empty() ? options.precision : options.precision_b;
  const bool devices_differ =
      options.b.empty() && options.passes == options.passes_b && options.precision == precision_b;
  std::string a = options.device, b = options.device_b;
  if (a.empty() && b.empty()) a = devices_differ ? "reference" : "cpu";
  if (a.empty()) a = devices_differ ? other(b) : b;
  if (b.empty()) b = devices_differ ? other(a) : a;
  return {
      {options.a.path, a, options.passes == "on", options.precision},
      {options.b.empty() ? options.a.path : options.b, b, options.passes_b == "on", precision_b}};
}

Result<Trace> Recording(const std::string& path) {
  ATH_TRY(const io::NamedTensors arrays, io::ReadNpz(path));
  Trace trace;
  for (const auto& [name, tensor] : arrays) trace.values.push_back({.name = name, .datum = tensor});
  return trace;
}

Result<Graph> OpenSide(const BisectVerb& options, const Side& side, const Common& common) {
  ModelOptions model = options.a;
  model.path = side.model;
  ATH_TRY(Graph graph, OpenModel(model));
  ATH_RETURN_IF_ERROR(DumpIr(common, options.dump, graph));
  return graph;
}

Result<Trace> TraceSide(Graph graph, const Side& side, std::vector<Datum> inputs) {
  Result<Trace> trace = RunTraced(std::move(graph), std::move(inputs),
                                  {.session = {.device = side.device,
                                               .optimize = side.passes,
                                               .precision = *PrecisionFromName(side.precision)}});
  if (!trace.ok()) return std::move(trace).status().In(side.Place());
  return trace;
}

struct BothTraces {
  Trace a, b;
};

Result<BothTraces> RunBoth(const BisectVerb& options, const Common& common, const Side& a,
                           const Side& b) {
  Progress progress(common, "bisect", 2);
  ATH_TRY(Graph graph, OpenSide(options, a, common));
  ATH_TRY(InputPlan plan, InputPlan::Make(graph, options.input));
  BothTraces both;
  InputSet set;
  if (options.is_recording()) {
    ATH_TRY(set, plan.Read(0));
    ATH_TRY(both.b, Recording(options.b));
  } else {
    ATH_TRY(Graph other, OpenSide(options, b, common));
    ATH_TRY(CalibratedInputs calibrated, CalibratedInputs::Of({graph, a.model}, {other, b.model}));
    calibrated.Draw(plan, common);
    ATH_TRY(set, plan.Read(0));
    ATH_RETURN_IF_ERROR(calibrated.Count(set.values));
    calibrated.Say(common);
    ATH_TRY(MatchedInputs matched, MatchInputs(other, graph, set.values));
    for (const LayoutChange& change : matched.changes) {
      Note(common, "input {}: {} in {}", Quote(change.name), LayoutText(change.axes), b.model);
    }
    for (const ScaleChange& change : matched.scaled)
      Note(common, "input {}: {} in {}", Quote(change.name), change.how, b.model);
    ATH_TRY(both.b, TraceSide(std::move(other), b, std::move(matched.values)));
  }
  progress.Advance();
  ATH_TRY(both.a, TraceSide(std::move(graph), a, std::move(set.values)));
  progress.Advance();
  return both;
}

std::string ErrorText(double value) {
  return std::isinf(value) ? "not comparable" : fmt::format("{:.2e}", value);
}

// A bar for errors of 1e-8 to 1, in steps of ten.
std::string ErrorBar(double error) {
  constexpr double kDecades = 8, kWidth = 24;
  if (error <= 0) return "";
  const double share = std::clamp((std::log10(error) + kDecades) / kDecades, 0.0, 1.0);
  return std::string(static_cast<std::size_t>(std::lround(share * kWidth)), '#');
}

// Which pairs are shown: a few before the first that differs, what follows, the last ones.
std::vector<std::size_t> ShownRows(const Bisection& found, std::size_t rows) {
  constexpr std::size_t kBefore = 2, kAtEnd = 3;
  const std::size_t count = found.pairs.size();
  std::size_t first = found.suspects.empty() ? 0 : found.suspects.front().pair;
  first -= std::min(first, kBefore);
  std::vector<std::size_t> shown;
  for (std::size_t i = first; i < count; ++i) {
    const bool fits = count - first <= rows || i < first + rows - kAtEnd || i + kAtEnd >= count;
    if (fits) shown.push_back(i);
  }
  return shown;
}

std::string SpreadText(const Common& common, const Bisection& found, const BothTraces& both,
                       std::size_t rows) {
  Table table({"value", "operator", ">rel L2", ">max abs", "1e-8 to 1"});
  std::size_t next = SIZE_MAX;
  for (const std::size_t i : ShownRows(found, rows)) {
    if (next != SIZE_MAX && i != next)
      table.Add({fmt::format("... {} more", i - next), "", "", "", ""});
    next = i + 1;
    const ValuePair& pair = found.pairs[i];
    const TracedValue &a = both.a.values[pair.a], &b = both.b.values[pair.b];
    const std::string names = pair.by_name || b.name == a.name
                                  ? Shorten(a.name, 40)
                                  : Shorten(a.name, 22) + " = " + Shorten(b.name, 22);
    const std::string mark = pair.error.differs ? Red(common, "DIFFERS") : "";
    table.Add({names, Shorten(b.op.empty() ? a.op : b.op, 28), ErrorText(pair.error.rel_l2),
               ErrorText(pair.error.max_abs),
               ErrorBar(pair.error.rel_l2) + (mark.empty() ? "" : " ") + mark});
  }
  return table.ToString();
}

std::string InputsText(const Suspect& suspect) {
  Table table({"from", "name", "type", ">rel L2", "verdict"});
  for (const SuspectInput& input : suspect.inputs) {
    const bool of_model = !input.constant && !input.error;
    table.Add({input.port, Shorten(input.name.empty() ? "(a constant)" : input.name, 40),
               input.type, input.error ? ErrorText(input.error->rel_l2) : "",
               of_model                      ? "input of the model: the same"
               : !input.error                ? "no counterpart"
               : input.error->differs        ? "DIFFERS"
               : input.error->layout.empty() ? "agrees"
                                             : "agrees, " + input.error->layout});
  }
  return table.ToString();
}

nlohmann::json ErrorJson(const ValueError& error) {
  return {{"rel_l2", NumberJson(error.rel_l2)},
          {"max_abs", NumberJson(error.max_abs)},
          {"differs", error.differs},
          {"reason", error.reason},
          {"layout", error.layout}};
}

nlohmann::json SuspectJson(const Suspect& suspect, const Bisection& found, const BothTraces& both) {
  const ValuePair& pair = found.pairs[suspect.pair];
  const TracedValue &a = both.a.values[pair.a], &b = both.b.values[pair.b];
  nlohmann::json inputs = nlohmann::json::array();
  for (const SuspectInput& input : suspect.inputs) {
    inputs.push_back({{"name", input.name},
                      {"port", input.port},
                      {"type", input.type},
                      {"constant", input.constant},
                      {"error", input.error ? ErrorJson(*input.error) : nlohmann::json()}});
  }
  nlohmann::json json = ErrorJson(pair.error);
  json["value"] = a.name;
  json["value_b"] = b.name;
  json["node"] = a.node;
  json["node_b"] = b.node;
  json["op"] = suspect.op;
  json["inputs"] = std::move(inputs);
  return json;
}

nlohmann::json ToJson(const Bisection& found, const BothTraces& both) {
  nlohmann::json values = nlohmann::json::array(), suspects = nlohmann::json::array(),
                 outputs = nlohmann::json::array();
  for (const ValuePair& pair : found.pairs) {
    nlohmann::json row = ErrorJson(pair.error);
    row["value"] = both.a.values[pair.a].name;
    row["value_b"] = both.b.values[pair.b].name;
    row["op"] = both.a.values[pair.a].op;
    row["by_name"] = pair.by_name;
    values.push_back(std::move(row));
  }
  for (const Suspect& suspect : found.suspects)
    suspects.push_back(SuspectJson(suspect, found, both));
  for (const OutputError& output : found.outputs) {
    nlohmann::json row = ErrorJson(output.error);
    row["name"] = output.name;
    outputs.push_back(std::move(row));
  }
  return {{"pass", !found.differs()},
          {"first", suspects.empty() ? nlohmann::json() : suspects[0]},
          {"suspects", std::move(suspects)},
          {"values", std::move(values)},
          {"outputs", std::move(outputs)},
          {"only_a", found.only_a},
          {"only_b", found.only_b}};
}

void PrintMatch(const Common& common, const Bisection& found, const Side& a, const Side& b) {
  const auto named = std::count_if(found.pairs.begin(), found.pairs.end(),
                                   [](const ValuePair& pair) { return pair.by_name; });
  Say(common, "A  {}", a.Text());
  Say(common, "B  {}", b.Text());
  Say(common,
      "{} values inside are compared: {} found by name, {} by position; {} of A and {} of B "
      "have no counterpart",
      found.pairs.size(), named, found.pairs.size() - static_cast<std::size_t>(named), found.only_a,
      found.only_b);
}

void PrintSuspects(const Common& common, const Bisection& found, const BothTraces& both) {
  const Suspect& first = found.suspects.front();
  const ValuePair& pair = found.pairs[first.pair];
  const TracedValue &a = both.a.values[pair.a], &b = both.b.values[pair.b];
  Say(common, "\nfirst difference: {} ({}){}", Red(common, Shorten(b.name, 60)), first.op,
      a.name == b.name ? "" : fmt::format(", {} in A", Shorten(a.name, 60)));
  Say(common, "rel L2 {}, max abs {}; {}\n", ErrorText(pair.error.rel_l2),
      ErrorText(pair.error.max_abs), pair.error.reason);
  PrintText(common, InputsText(first));
  if (found.suspects.size() < 2) return;
  std::string others;
  for (std::size_t i = 1; i < found.suspects.size() && i < 6; ++i)
    others += (i > 1 ? ", " : "") + both.b.values[found.pairs[found.suspects[i].pair].b].name;
  Say(common, "{} more differ{} although {} inputs agree: {}", found.suspects.size() - 1,
      found.suspects.size() == 2 ? "s" : "", found.suspects.size() == 2 ? "its" : "their",
      Shorten(others, 90));
}

// What to look at next.
std::string NextStep(const BisectVerb& options, const Side& a, const Side& b,
                     const Bisection& found, const BothTraces& both) {
  const std::string model = ShellWord(options.is_recording() ? a.model : b.model);
  if (!found.differs()) return "athanor bench " + model;
  if (a.model == b.model && a.device != b.device)
    return fmt::format("athanor reduce {} --differs -o small.ath", model);
  const std::string& name = found.suspects.empty()
                                ? found.outputs.front().name
                                : both.b.values[found.pairs[found.suspects[0].pair].b].name;
  return fmt::format("athanor run {} random --dump {} values{}", model, ShellWord(name),
                     b.precision == "f32" ? "" : " --precision " + b.precision);
}

Status Run(const BisectVerb& options, const Common& common) {
  if (std::isnan(options.limits.rel_l2) || std::isnan(options.limits.atol))
    return Error(ErrorCode::kUsage, "--tolerance and --atol: a number of 0 or more is expected");
  const auto [a, b] = SidesOf(options);
  if (a == b) {
    return Error(ErrorCode::kUsage, "both sides are the same: {}", a.Text())
        .Fix(
            fmt::format("athanor bisect {} --device reference --device-b cpu", ShellWord(a.model)));
  }
  for (const Side& side : {a, b}) {
    ATH_RETURN_IF_ERROR(
        CheckSidePrecision(side.device, side.precision,
                           fmt::format("athanor bisect {}{} --precision-b bf16", ShellWord(a.model),
                                       options.b.empty() ? "" : " " + ShellWord(options.b))));
  }
  ATH_TRY(const BothTraces both, RunBoth(options, common, a, b));
  BisectOptions limits = options.limits;
  limits.by_name = options.match == "name";
  ATH_TRY(const Bisection found, Bisect(both.a, both.b, limits));
  if (found.outputs.empty())
    return Error(ErrorCode::kInvalidInput, "{}: no output of the model is in it", options.b)
        .Fix("record the outputs under their names as well: docs/debug.md");
  PrintMatch(common, found, a, b);
  if (!found.suspects.empty()) PrintSuspects(common, found, both);
  PrintText(common, "\n" + SpreadText(common, found, both, static_cast<std::size_t>(options.rows)));
  PrintJson(common, ToJson(found, both));
  const std::string next = NextStep(options, a, b, found, both);
  if (!found.differs()) {
    Say(common, "{}: every output is within {:g} (rel L2)", Green(common, "same"), limits.rel_l2);
    Next(common, next);
    return {};
  }
  Next(common, next);
  return Error(ErrorCode::kAccuracy, "{} is not {}: the outputs differ by more than {:g} (rel L2)",
               b.Text(), a.Text(), limits.rel_l2);
}

}  // namespace

std::function<Status()> BisectModels(Arguments app, const Common& common) {
  auto options = std::make_shared<BisectVerb>();
  AddModelOptions(app, options->a);
  AddDumpOption(app, options->dump);
  app.Option("other", options->b,
             "the second model, or an .npz with values by their names that another engine gave; "
             "left out: the first on another device");
  AddInputOptions(app, options->input, false);
  app.Option("--device", options->device,
             "of the first model; default: cpu, and reference where there is one model");
  app.Option("--device-b", options->device_b, "of the second model; default: the same, or cpu");
  AddPrecisionOption(app, options->precision);
  AddOtherPrecisionOption(app, options->precision_b);
  app.Option("--passes", options->passes, "on or off: the portable passes on the first model")
      .OneOf({"on", "off"})
      .ShowDefault();
  app.Option("--passes-b", options->passes_b, "on or off: the portable passes on the second")
      .OneOf({"on", "off"})
      .ShowDefault();
  app.Option("--tolerance", options->limits.rel_l2, "a value may be off by, |a - b| / |a|")
      .Range(0.0, 1e300)
      .ShowDefault();
  app.Option("--atol", options->limits.atol, "elements this near never differ")
      .Range(0.0, 1e300)
      .ShowDefault();
  app.Option("--match", options->match, "values by name and then position, or by position alone")
      .OneOf({"name", "position"})
      .ShowDefault();
  app.Option("--rows", options->rows, "of the last table").Range(6, 100000).ShowDefault();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
