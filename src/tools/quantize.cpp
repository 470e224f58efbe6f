// athanor quantize MODEL --calib DIR -o OUT.ath: 8-bit weights and activations,
// and what they cost.
#include "quant/quantize.h"

#include <chrono>
#include <filesystem>
#include <limits>
#include <numeric>

#include "core/text.h"
#include "frontends/load.h"
#include "frontends/save.h"
#include "io/npy.h"
#include "passes/pipeline.h"
#include "runtime/session.h"
#include "tools/classify.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/fit_type.h"
#include "tools/inputs.h"
#include "tools/open_model.h"
#include "tools/progress.h"
#include "verify/compare.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Options {
  ModelOptions model;
  ClassifyOptions classify;
  std::string calib, out, method = "minmax", max_drop, data, labels;
  std::int64_t samples = 128, limit = 0;
  double tail = 1e-4;
  int threads = 0;
  bool keep_bias = false;
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

// ---- samples

constexpr std::string_view kLabels = "labels";  // the array of an archive that is no input

// One sample per index, from a folder (one file each) or from the rows of an
// archive's arrays.
class Samples {
 public:
  // `most`: no more than so many are used, spread evenly over those there are.
  static Result<Samples> Open(const Graph& graph, const std::string& name, const ImageFlags& image,
                              std::int64_t most) {
    Samples samples(graph, name, image, most);
    const fs::path path(name);
    std::error_code error;
    if (fs::is_directory(path, error)) {
      InputOptions input;
      input.sources = {name};
      input.image = image;
      ATH_TRY(InputPlan plan, InputPlan::Make(graph, input));
      samples.available_ = plan.size();
      samples.plan_.emplace(std::move(plan));
    } else if (path.extension() == ".npz") {
      ATH_RETURN_IF_ERROR(samples.OpenArchive());
    } else {
      return Error(ErrorCode::kUsage,
                   "{}: a folder of pictures or arrays, or an .npz file, is expected", name);
    }
    if (samples.available_ == 0)
      return Error(ErrorCode::kInvalidInput, "{}: there are no samples", name);
    return samples;
  }

  std::size_t count() const { return std::min(available_, most_); }
  Result<std::vector<Datum>> Read(std::size_t i) const {
    const std::size_t at = i * available_ / count();
    if (plan_) {
      ATH_TRY(InputSet set, plan_->Read(at));
      return std::move(set.values);
    }
    std::vector<Datum> values;
    for (std::size_t input = 0; input < rows_.size(); ++input) {
      ATH_TRY(Tensor row, RowOf(input, static_cast<std::int64_t>(at)));
      values.emplace_back(std::move(row));
    }
    return values;
  }

 private:
  Samples(const Graph& graph, const std::string& name, const ImageFlags& image, std::int64_t most)
      : graph_(&graph), name_(name), image_(image), most_(static_cast<std::size_t>(most)) {}

  Status OpenArchive() {
    ATH_TRY(io::NamedTensors arrays, io::ReadNpz(name_));
    std::erase_if(arrays, [](const auto& array) { return array.first == kLabels; });
    for (const ValueId id : graph_->inputs()) {
      const std::string& name = graph_->value(id).name;
      const Tensor* found = nullptr;
      for (const auto& [given, tensor] : arrays) {
        if (given == name || (arrays.size() == 1 && graph_->inputs().size() == 1)) found = &tensor;
      }
      if (found == nullptr) {
        std::vector<std::string> names;
        for (const auto& [given, tensor] : arrays) names.push_back(given);
        return Error(ErrorCode::kUnknownName, "{}: there is no array \"{}\"{}; it has: {}", name_,
                     name, DidYouMean(name, names), Join(names, ", "));
      }
      if (found->rank() == 0)
        return Error(ErrorCode::kInvalidInput, "{}: array \"{}\" has no first axis of samples",
                     name_, name);
      const auto count = static_cast<std::size_t>(found->dim(0));
      if (!rows_.empty() && count != available_)
        return Error(ErrorCode::kInvalidInput, "{}: the arrays have {} and {} samples", name_,
                     available_, count);
      available_ = count;
      rows_.push_back(*found);
    }
    return {};
  }

  // Row `at` of an array, as the input wants it; bytes for a real input are
  // pixels.
  Result<Tensor> RowOf(std::size_t input, std::int64_t at) const {
    const Tensor& all = rows_[input];
    const Type& type = graph_->value(graph_->inputs()[input]).type;
    Dims dims = all.dims();
    dims[0] = 1;
    if (type.shape) {
      Dims wanted;
      for (const Dim& dim : *type.shape) wanted.push_back(dim.IsConst() ? dim.value() : 1);
      const auto product = [](const Dims& d) {
        return std::accumulate(d.begin(), d.end(), std::int64_t{1}, std::multiplies<>());
      };
      if (product(wanted) == product(dims)) dims = wanted;
    }
    const std::size_t bytes = all.bytes() / static_cast<std::size_t>(all.dim(0));
    const auto* from =
        static_cast<const std::byte*>(all.raw()) + static_cast<std::size_t>(at) * bytes;
    const Tensor row = Tensor::View(all.dtype(), dims, from, all.owner());
    if (row.dtype() != DType::kU8 || type.dtype != DType::kF32) return FitType(row, type);
    return Normalize(row, type);
  }

  Result<Tensor> Normalize(const Tensor& pixels, const Type& type) const {
    ATH_TRY(const io::Preprocess steps, ToPreprocess(image_));
    const std::size_t axis =
        type.shape && type.shape->size() == 4 && !type.shape->back().Is(3) ? 1 : 3;
    std::int64_t inner = 1, channels = 1;
    if (pixels.rank() == 4) {
      channels = pixels.dim(static_cast<std::int64_t>(axis));
      for (std::size_t i = axis + 1; i < 4; ++i) inner *= pixels.dim(static_cast<std::int64_t>(i));
    }
    const auto pick = [](const std::vector<double>& values, std::int64_t channel,
                         double otherwise) {
      if (values.empty()) return otherwise;
      return values.size() == 1 ? values[0]
                                : values[static_cast<std::size_t>(channel) % values.size()];
    };
    ATH_TRY(Tensor real, Tensor::Allocate(DType::kF32, pixels.dims()));
    const auto in = pixels.Data<std::uint8_t>();
    const auto out = real.MutableData<float>();
    for (std::size_t i = 0; i < in.size(); ++i) {
      const std::int64_t channel = static_cast<std::int64_t>(i) / inner % channels;
      out[i] =
          static_cast<float>((in[i] - pick(steps.mean, channel, 0)) / pick(steps.std, channel, 1));
    }
    return real;
  }

  const Graph* graph_;
  std::string name_;
  ImageFlags image_;
  std::size_t most_;
  std::size_t available_ = 0;
  std::optional<InputPlan> plan_;
  std::vector<Tensor> rows_;  // one array per input
};

// ---- what it costs

struct Form {
  std::unique_ptr<Session> session;
  double milliseconds = 0;  // median of one inference
  std::uint64_t bytes = 0;  // of the file
  ClassifyScore score;
};

Result<Form> MakeForm(const Graph& graph, const Options& options) {
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

// What accuracy is measured on: pictures in a folder, or the rows of an
// archive.
struct LabelledSet {
  std::vector<LabelledPicture> rows;
  std::optional<Samples> archive;
};

Result<LabelledSet> OpenLabelled(const Graph& graph, const Options& options) {
  LabelledSet set;
  if (!options.labels.empty()) {
    ATH_TRY(set.rows, ReadLabelled(options.data, options.labels));
    std::erase_if(set.rows, [](const LabelledPicture& row) { return row.path.empty(); });
  } else {
    ATH_TRY(Samples archive, Samples::Open(graph, options.data, options.classify.image,
                                           std::numeric_limits<std::int64_t>::max()));
    ATH_TRY(const io::NamedTensors arrays, io::ReadNpz(options.data));
    const auto found = std::find_if(arrays.begin(), arrays.end(),
                                    [](const auto& array) { return array.first == kLabels; });
    if (found == arrays.end())
      return Error(ErrorCode::kInvalidInput, "{}: there is no array \"labels\"", options.data)
          .Fix("--labels FILE.csv when --data is a folder of pictures");
    ATH_TRY(const std::vector<std::int64_t> labels, ToInts(found->second));
    if (labels.size() != archive.count())
      return Error(ErrorCode::kInvalidInput, "{}: {} samples and {} labels", options.data,
                   archive.count(), labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i)
      set.rows.push_back({fmt::format("row {}", i), "", labels[i]});
    set.archive.emplace(std::move(archive));
  }
  if (options.limit > 0 && std::ssize(set.rows) > options.limit)
    set.rows.resize(static_cast<std::size_t>(options.limit));
  if (set.rows.empty())
    return Error(ErrorCode::kInvalidInput, "none of the files named in {} is in {} or its parent",
                 options.labels, options.data);
  return set;
}

Result<Tensor> ScoresOf(Session& session, std::size_t output, const LabelledSet& set,
                        std::size_t row, const ImageFlags& image) {
  if (!set.archive) return ClassScores(session, output, set.rows[row], image);
  ATH_TRY(std::vector<Datum> inputs, set.archive->Read(row));
  ATH_TRY(std::vector<Datum> outputs, session.Run(std::move(inputs)));
  if (!outputs[output].IsTensor())
    return Error(ErrorCode::kInvalidInput, "the output is no tensor");
  return std::move(outputs[output].tensor());
}

// Both forms on the labelled set; gives how often they name the same class.
Result<std::int64_t> Evaluate(const Options& options, const Common& common, Form& before,
                              Form& after) {
  const Graph& graph = before.session->graph();
  if (graph.inputs().size() != 1)
    return Error(ErrorCode::kInvalidInput, "accuracy needs a model with one input, this has {}",
                 graph.inputs().size());
  ATH_TRY(const LabelledSet set, OpenLabelled(graph, options));
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

Result<Graph> Quantized(const Options& options, const Common& common, const Graph& graph,
                        const Samples& samples, quant::QuantizeReport& report) {
  constexpr std::pair<std::string_view, quant::RangeMethod> kMethods[] = {
      {"minmax", quant::RangeMethod::kMinMax},
      {"mse", quant::RangeMethod::kMse},
      {"percentile", quant::RangeMethod::kPercentile}};
  quant::QuantizeOptions how;
  how.correct_bias = !options.keep_bias;
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

Status Gate(const Options& options, const Form& before, const Form& after) {
  if (options.max_drop.empty()) return {};
  ATH_TRY(const double most, ParseDrop(options.max_drop));
  const double drop = Share(before.score.top1 - after.score.top1, before.score.n);
  if (drop <= most) return {};
  return Error(ErrorCode::kAccuracy, "top1 drops by {:.2f} %; {:.2f} % is allowed", 100 * drop,
               100 * most)
      .Fix("--method percentile, more samples, or samples nearer to the data");
}

Status Run(const Options& options, const Common& common) {
  if (!options.max_drop.empty()) {
    ATH_RETURN_IF_ERROR(ParseDrop(options.max_drop).status());
    if (options.data.empty())
      return Error(ErrorCode::kUsage, "--max-drop needs --data to measure accuracy");
  }
  const bool archive = fs::path(options.data).extension() == ".npz";
  if (!options.data.empty() && archive == !options.labels.empty())
    return Error(ErrorCode::kUsage,
                 "--data is a folder with --labels, or an "
                 ".npz that holds the labels itself");
  if (options.data.empty() && !options.labels.empty())
    return Error(ErrorCode::kUsage, "--labels needs --data");
  ATH_TRY(Graph graph, OpenModel(options.model));
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
  ATH_TRY(const std::vector<Datum> first, samples.Read(0));
  ATH_RETURN_IF_ERROR(TimeForms(before, after, first));
  nlohmann::json document = {{"model", options.model.path},
                             {"out", options.out},
                             {"method", options.method},
                             {"samples", samples.count()},
                             {"quantized_nodes", report.quantized},
                             {"nodes", report.nodes},
                             {"always_zero", report.constant},
                             {"dead_channels", report.dead_channels}};
  document["float_products"] = nlohmann::json::array();
  for (const quant::Skipped& s : report.skipped)
    document["float_products"].push_back({{"node", s.node}, {"op", s.op}, {"reason", s.reason}});
  if (!options.data.empty()) {
    ATH_TRY(const std::int64_t agree, Evaluate(options, common, before, after));
    document["agreement"] = Share(agree, before.score.n);
    document["n"] = before.score.n;
  }
  SayWhatStays(common, report);
  Table table({"", ">KiB", ">ms", ">top1", ">top5"});
  table.Add(FormRow("float", before));
  table.Add(FormRow("int8", after));
  PrintText(common, table.ToString());
  Say(common, "{:.2f} x smaller, {:.2f} x as fast",
      static_cast<double>(before.bytes) / static_cast<double>(after.bytes),
      before.milliseconds / after.milliseconds);
  if (before.score.n > 0)
    Say(common, "the same class on {:.2f} % of {} pictures",
        100 * document["agreement"].get<double>(), before.score.n);
  Say(common, "wrote {}", options.out);
  const Status gate = Gate(options, before, after);
  document["float"] = FormJson(before);
  document["int8"] = FormJson(after);
  document["pass"] = gate.ok();
  PrintJson(common, std::move(document));
  ATH_RETURN_IF_ERROR(gate);
  Next(common, fmt::format("athanor explain {}", ShellWord(options.out)));
  return {};
}

}  // namespace

std::function<Status()> QuantizeModel(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  AddModelOptions(app, options->model);
  app.add_option("--calib", options->calib,
                 "samples: a folder of pictures or arrays, or an .npz with one "
                 "row per sample")
      ->required();
  app.add_option("--out,-o", options->out, "the file to write; its ending says the format")
      ->required();
  app.add_option("--samples", options->samples, "how many samples to use at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--method", options->method, "ranges of activations: minmax, mse or percentile")
      ->check(CLI::IsMember({"minmax", "mse", "percentile"}))
      ->capture_default_str();
  app.add_option("--tail", options->tail, "percentile: the share cut off at each end")
      ->check(CLI::Range(0.0, 0.1))
      ->capture_default_str();
  app.add_flag("--keep-bias", options->keep_bias,
               "do not take back in the bias what rounding the weights adds to "
               "the mean");
  app.add_option("--data", options->data,
                 "to measure accuracy: a folder of pictures, or an .npz with "
                 "an array labels");
  app.add_option("--labels", options->labels, "a table with columns filename, class");
  app.add_option("--label-offset", options->classify.label_offset,
                 "added to every class of the labels");
  app.add_option("--output", options->classify.output, "the output with the scores");
  app.add_option("--limit", options->limit, "stop after this many labelled pictures")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-drop", options->max_drop,
                 "exit with 3 when top1 drops by more than this: 1% or 0.01");
  app.add_option("--threads", options->threads, "0: one per core")->check(CLI::Range(0, 1024));
  AddImageOptions(app, options->classify.image);
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
