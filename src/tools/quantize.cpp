// athanor quantize MODEL --calib DIR -o OUT.ath: 8-bit weights and activations,
// and what they cost.
#include "quant/quantize.h"

#include <chrono>
#include <filesystem>

#include "core/text.h"
#include "frontends/load.h"
#include "frontends/save.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/progress.h"
#include "tools/samples.h"
#include "verify/compare.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct QuantizeOptions {
  ModelOptions model;
  ClassifyOptions classify;
  std::string calib, out, method = "minmax", max_drop, data, labels;
  std::int64_t samples = 128, limit = 0;
  double tail = 1e-4;
  int threads = 0;
  bool keep_bias = false;
  std::string arithmetic = "float";
};

// "1%" or "0.01".
Result<double> ParseDrop(std::string text) {
  const bool percent = text.ends_with('%');
  if (percent) text.pop_back();
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= 0) || value > 100)
    return Error(ErrorCode::kUsage, "--max-drop: a share such as 1% or 0.01 is expected");
  return percent ? value / 100 : value;
}

// ---- what it costs

struct Form {
  std::unique_ptr<Session> session;
  double milliseconds = 0;  // median of one inference
  std::uint64_t bytes = 0;  // of the file
  ClassifyScore score;
};

Result<Form> MakeForm(const Graph& graph, const QuantizeOptions& options) {
  Form form;
  ATH_TRY(form.session, Session::Create(graph.Clone(), {.threads = options.threads}));
  return form;
}

// The two forms in turn, so that a slower second of the machine meets both.
Status TimeForms(Form& before, Form& after, const std::vector<Datum>& inputs) {
  constexpr auto kLongest = std::chrono::seconds(2);
  constexpr std::size_t kMost = 100;
  std::vector<double> times[2];
  Form* const forms[] = {&before, &after};
  for (Form* form : forms) ATH_RETURN_IF_ERROR(form->session->Run(inputs).status());
  const auto begin = Clock::now();
  while (times[0].size() < 3 || (times[0].size() < kMost && Clock::now() - begin < kLongest)) {
    for (std::size_t i = 0; i < 2; ++i) {
      const auto start = Clock::now();
      ATH_RETURN_IF_ERROR(forms[i]->session->Run(inputs).status());
      times[i].push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    std::nth_element(times[i].begin(), times[i].begin() + std::ssize(times[i]) / 2, times[i].end());
    forms[i]->milliseconds = times[i][times[i].size() / 2];
  }
  return {};
}

std::size_t Best(const Tensor& scores) {
  const Result<std::vector<double>> values = ToDoubles(scores);
  if (!values.ok() || values->empty()) return 0;
  return static_cast<std::size_t>(std::max_element(values->begin(), values->end()) -
                                  values->begin());
}

// Both forms on the labelled set; gives how often they name the same class.
Result<std::int64_t> Evaluate(const QuantizeOptions& options, const Common& common, Form& before,
                              Form& after) {
  const Graph& graph = before.session->graph();
  if (graph.inputs().size() != 1)
    return Error(ErrorCode::kInvalidInput, "accuracy needs a model with one input, this has {}",
                 graph.inputs().size());
  ATH_TRY(const LabelledSet set,
          OpenLabelled(graph, options.data, options.labels, options.classify.image, options.limit));
  ATH_TRY(const std::size_t output, ScoreOutput(graph, options.classify.output));
  std::int64_t agree = 0;
  Progress progress(common, "accuracy", std::ssize(set.rows));
  for (std::size_t row = 0; row < set.rows.size(); ++row) {
    progress.Advance();
    const LabelledPicture& picture = set.rows[row];
    std::size_t best[2] = {};
    Form* const forms[] = {&before, &after};
    for (std::size_t i = 0; i < 2; ++i) {
      Result<Tensor> scores =
          ScoresOf(*forms[i]->session, output, set, row, options.classify.image);
      if (!scores.ok()) return std::move(scores).status().In(picture.file);
      best[i] = Best(*scores);
      Status added = AddToScore(picture, *scores, options.classify.label_offset, forms[i]->score);
      if (!added.ok()) return std::move(added).In(picture.file);
    }
    agree += best[0] == best[1] ? 1 : 0;
  }
  return agree;
}

double Share(std::int64_t part, std::int64_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

nlohmann::json FormJson(const Form& form) {
  nlohmann::json json = {{"bytes", form.bytes}, {"median_ms", form.milliseconds}};
  if (form.score.n > 0) {
    json["top1"] = Share(form.score.top1, form.score.n);
    json["top5"] = Share(form.score.top5, form.score.n);
  }
  return json;
}

std::vector<std::string> FormRow(const char* name, const Form& form) {
  const auto share = [&](std::int64_t hits) {
    return form.score.n == 0 ? std::string("-")
                             : fmt::format("{:.2f} %", 100 * Share(hits, form.score.n));
  };
  return {name, fmt::format("{:.1f}", static_cast<double>(form.bytes) / 1024),
          fmt::format("{:.3f}", form.milliseconds), share(form.score.top1), share(form.score.top5)};
}

// Weights of the float graph as they would lie in a file of ours.
std::uint64_t WeightBytes(const Graph& graph) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < graph.value_capacity(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const Tensor* constant = graph.Constant(id);
    if (constant != nullptr && graph.num_uses(id) > 0) bytes += constant->bytes();
  }
  return bytes;
}

void SayWhatStays(const Common& common, const quant::QuantizeReport& report) {
  Say(common, "{} of {} nodes compute on integers", report.quantized, report.nodes);
  for (const quant::Skipped& skipped : report.skipped)
    Say(common, "  float: \"{}\" ({}): {}", skipped.node, skipped.op, skipped.reason);
  if (!report.constant.empty())
    Note(common, "note: always 0 on the samples: {}", Join(report.constant, ", "));
  if (report.dead_channels > 0)
    Note(common, "note: {} output channels have no weights but 0", report.dead_channels);
}

Result<Graph> Quantized(const QuantizeOptions& options, const Common& common, const Graph& graph,
                        const Samples& samples, quant::QuantizeReport& report) {
  constexpr std::pair<std::string_view, quant::RangeMethod> kMethods[] = {
      {"minmax", quant::RangeMethod::kMinMax},
      {"mse", quant::RangeMethod::kMse},
      {"percentile", quant::RangeMethod::kPercentile}};
  quant::QuantizeOptions how;
  how.correct_bias = !options.keep_bias;
  how.arithmetic = options.arithmetic;
  for (const auto& [name, method] : kMethods) {
    if (name == options.method) how.ranges.method = method;
  }
  Progress progress(
      common, "calibrate",
      static_cast<std::int64_t>(samples.count()) * quant::RunsPerSample(how.ranges.method));
  how.ranges.tail = options.tail;
  how.ranges.threads = options.threads;
  how.ranges.after_sample = [&progress] { progress.Advance(); };
  return quant::QuantizeGraph(
      graph, samples.count(), [&samples](std::size_t i) { return samples.Read(i); }, how, report);
}

Status Gate(const QuantizeOptions& options, const Form& before, const Form& after) {
  if (options.max_drop.empty()) return {};
  ATH_TRY(const double most, ParseDrop(options.max_drop));
  const double drop = Share(before.score.top1 - after.score.top1, before.score.n);
  if (drop <= most) return {};
  return Error(ErrorCode::kAccuracy, "top1 drops by {:.2f} %; {:.2f} % is allowed", 100 * drop,
               100 * most)
      .Fix("--method percentile, more samples, or samples nearer to the data");
}

Status CheckOptions(const QuantizeOptions& options) {
  if (!options.max_drop.empty()) {
    ATH_RETURN_IF_ERROR(ParseDrop(options.max_drop).status());
    if (options.data.empty())
      return Error(ErrorCode::kUsage, "--max-drop needs --data to measure accuracy");
  }
  if (!options.data.empty())
    ATH_RETURN_IF_ERROR(CheckLabelledOptions(options.data, options.labels));
  if (options.data.empty() && !options.labels.empty())
    return Error(ErrorCode::kUsage, "--labels needs --data");
  return {};
}

nlohmann::json ReportJson(const QuantizeOptions& options, std::size_t samples,
                          const quant::QuantizeReport& report) {
  nlohmann::json stays = nlohmann::json::array();
  for (const quant::Skipped& s : report.skipped)
    stays.push_back({{"node", s.node}, {"op", s.op}, {"reason", s.reason}});
  return {{"model", options.model.path},
          {"out", options.out},
          {"method", options.method},
          {"samples", samples},
          {"quantized_nodes", report.quantized},
          {"nodes", report.nodes},
          {"float_products", std::move(stays)},
          {"always_zero", report.constant},
          {"dead_channels", report.dead_channels}};
}

void PrintForms(const Common& common, const Form& before, const Form& after, std::int64_t agree) {
  Table table({"", ">KiB", ">ms", ">top1", ">top5"});
  table.Add(FormRow("float", before));
  table.Add(FormRow("int8", after));
  PrintText(common, table.ToString());
  Say(common, "{:.2f} x smaller, {:.2f} x as fast",
      static_cast<double>(before.bytes) / static_cast<double>(after.bytes),
      before.milliseconds / after.milliseconds);
  if (before.score.n > 0)
    Say(common, "the same class on {:.2f} % of {} pictures", 100 * Share(agree, before.score.n),
        before.score.n);
}

// Time, size and, where labels are given, accuracy of the model before and after.
Status Measure(const QuantizeOptions& options, const Common& common, const Samples& samples,
               Form& before, Form& after, nlohmann::json& document) {
  ATH_TRY(const std::vector<Datum> first, samples.Read(0));
  ATH_RETURN_IF_ERROR(TimeForms(before, after, first));
  std::int64_t agree = 0;
  if (!options.data.empty()) {
    ATH_TRY(agree, Evaluate(options, common, before, after));
    document["agreement"] = Share(agree, before.score.n);
    document["n"] = before.score.n;
  }
  PrintForms(common, before, after, agree);
  document["float"] = FormJson(before);
  document["int8"] = FormJson(after);
  return {};
}

Status Run(const QuantizeOptions& options, const Common& common) {
  ATH_RETURN_IF_ERROR(CheckOptions(options));
  ATH_RETURN_IF_ERROR(CheckModelOutput(options.out));
  ATH_TRY(const Graph graph, OpenModel(options.model));
  ATH_TRY(const Samples samples,
          Samples::Open(graph, options.calib, options.classify.image, options.samples));
  Graph plain = graph.Clone();
  ATH_RETURN_IF_ERROR(passes::Optimize(plain).status());
  quant::QuantizeReport report;
  ATH_TRY(const Graph small, Quantized(options, common, plain, samples, report));
  ATH_RETURN_IF_ERROR(SaveModel(small, options.out));
  // What was written is what is measured.
  ATH_TRY(const Graph written, LoadModel(options.out));
  ATH_TRY(Form before, MakeForm(graph, options));
  ATH_TRY(Form after, MakeForm(written, options));
  std::error_code error;
  before.bytes = WeightBytes(plain);
  after.bytes = fs::file_size(options.out, error);
  SayWhatStays(common, report);
  nlohmann::json document = ReportJson(options, samples.count(), report);
  ATH_RETURN_IF_ERROR(Measure(options, common, samples, before, after, document));
  Say(common, "wrote {}", options.out);
  const Status gate = Gate(options, before, after);
  document["pass"] = gate.ok();
  PrintJson(common, std::move(document));
  ATH_RETURN_IF_ERROR(gate);
  Next(common, fmt::format("athanor explain {}", ShellWord(options.out)));
  return {};
}

}  // namespace

std::function<Status()> QuantizeModel(Arguments app, const Common& common) {
  auto options = std::make_shared<QuantizeOptions>();
  AddModelOptions(app, options->model);
  app.Option("--calib", options->calib,
             "samples: a folder of pictures or arrays, or an .npz with one "
             "row per sample")
      .Required();
  app.Option("--out,-o", options->out, "the file to write; its ending says the format").Required();
  app.Option("--samples", options->samples, "how many samples to use at most")
      .Range(1, 1 << 20)
      .ShowDefault();
  app.Option("--method", options->method, "ranges of activations: minmax, mse or percentile")
      .OneOf({"minmax", "mse", "percentile"})
      .ShowDefault();
  app.Option("--tail", options->tail, "percentile: the share cut off at each end")
      .Range(0.0, 0.1)
      .ShowDefault();
  app.Option("--arithmetic", options->arithmetic,
             "float, or fixed31: integers only, for `athanor codegen`")
      .OneOf({"float", "fixed31"})
      .ShowDefault();
  app.Flag("--keep-bias", options->keep_bias,
           "do not take back in the bias what rounding the weights adds to "
           "the mean");
  app.Option("--data", options->data,
             "to measure accuracy: a folder of pictures, or an .npz with "
             "an array labels");
  app.Option("--labels", options->labels, "a table with columns filename, class");
  app.Option("--label-offset", options->classify.label_offset,
             "added to every class of the labels");
  app.Option("--output", options->classify.output, "the output with the scores");
  app.Option("--limit", options->limit, "stop after this many labelled pictures").NonNegative();
  app.Option("--max-drop", options->max_drop,
             "exit with 3 when top1 drops by more than this: 1% or 0.01");
  app.Threads(options->threads);
  AddImageOptions(app, options->classify.image);
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
