#include "tools/quantize/options.h"

#include "core/number.h"
#include "core/text.h"
#include "tools/dump_ir.h"
#include "tools/output_file.h"
#include "tools/samples.h"

namespace athanor::tools {
namespace {

// "1%" or "0.01".
Result<double> ParseShare(const char* option, std::string text) {
  const bool percent = text.ends_with('%');
  if (percent) text.pop_back();
  const std::optional<double> value = ReadReal(text);
  const double most = percent ? 100 : 1;
  if (value && *value == 1 && !percent && std::string_view(option) == "--max-drop")
    return Error(ErrorCode::kUsage, "--max-drop 1 would allow any drop; 1% or 0.01 is expected")
        .Fix("--max-drop 1%, or 100% for any");
  if (value && *value >= 0 && *value <= most) return *value / most;
  Status refused = Error(ErrorCode::kUsage, "{} {}{}: a share such as 1% or 0.01 is expected",
                         option, text, percent ? "%" : "");
  // 5 stands for 5 % rather than for 500.
  const bool meant_percent = value && !percent && *value > 1 && *value <= 100;
  if (meant_percent) return std::move(refused).Fix(fmt::format("{} {}%", option, text));
  return refused;
}

std::string CorrectionHelp() {
  std::string help =
      "what is done about the error, separated by commas, or none, or auto, which tries some and "
      "--method auto too and keeps what brings the outputs nearest; gptq,bias by itself (with "
      "spread and --method auto where these bring outputs nearer that are far), with "
      "--activations float gptq,scales, with --target-ratio gptq,refit,empirical:";
  for (const quant::Correction& one : quant::AllCorrections())
    help += fmt::format("\n  {}: {}", one.name, one.summary);
  return help;
}

std::string MethodHelp() {
  std::string help = "how the range of each tensor is chosen:";
  for (const quant::Estimator& one : quant::Estimators())
    help += fmt::format("\n  {}: {}", one.name, one.summary);
  return help + "\n  auto: for each tensor the one that loses least on the samples";
}

void AddRangeOptions(Arguments app, QuantizeRequest& request) {
  app.Option("--method", request.method, MethodHelp())
      .OneOf({"minmax", "percentile", "average", "mse", "entropy", "aciq", "auto"})
      .ShowDefault();
  app.Option("--tail", request.tail, "percentile: the share cut off at each end")
      .Range(0.0, 0.1)
      .ShowDefault();
  app.Option("--ranges", request.ranges,
             "of activations; asymmetric: u8 from the smallest to the largest value, with a zero "
             "point; symmetric: i8 as far to both sides of 0, without one, as TensorRT wants it")
      .OneOf({"asymmetric", "symmetric"})
      .ShowDefault();
  app.Option("--weight-ranges", request.weight_ranges,
             "of weights; asymmetric: from the smallest to the largest weight with a zero point "
             "per output channel (--per-tensor: per product), at the price of a second or third "
             "pass over the data where processors multiply bytes")
      .OneOf({"asymmetric", "symmetric"})
      .ShowDefault();
}

void AddAccuracyOptions(Arguments app, QuantizeRequest& request) {
  app.Option("--data", request.data,
             "to measure what it costs: a folder, an .npz, .npy or .csv as --calib, with labels or "
             "without");
  app.Option("--labels", request.labels, "of a folder: a table with columns filename, class");
  app.Option("--label-offset", request.classify.label_offset, "added to every class of the labels");
  app.Option("--output", request.classify.output, "the output with the scores");
  app.Option("--limit", request.limit, "stop after this many rows of --data").NonNegative();
  app.Option("--agree", request.agree,
             "what counts where there are no labels: class (the same best class as the float "
             "model) or values (the energy of the outputs that is the same)")
      .OneOf({"class", "values"})
      .ShowDefault();
  app.Option("--max-drop", request.max_drop,
             "keep as few products in float as this drop of accuracy asks for, 1% or 0.01; exit "
             "with 3 when none can be quantised");
  app.Option("--float-share", request.share,
             "without --max-drop: products with at most this share of the operations, 15% or 0.15, "
             "compute in float where that brings outputs nearer; their weights stay on 8 "
             "bits; 15% when not given, 0 for none");
  app.Flag(
      "--measured", request.measured,
      "times decide, so the file may differ from run to run: products whose integers take longer "
      "on "
      "this processor return to float where the network is faster then; --max-drop ranks by them");
  app.Flag("--allow-overlap", request.allow_overlap,
           "go on when samples of --calib are also in --data");
}

Status CheckSamples(const QuantizeRequest& request) {
  if (!request.calib.empty() || request.halves() || request.dynamic()) return {};
  return Error(
             ErrorCode::kUsage,
             "--calib is required: samples of what the model will see, a folder, an .npz, an .npy "
             "or a .csv")
      .Fix("--calib FOLDER, or --activations dynamic or --weight-bits f16, which need none");
}

// Some formats have networks of floats only: to be told before the work.
Status CheckHoldsIntegers(const std::string& out) {
  for (const std::string_view ending : {".param", ".prototxt"}) {
    if (!out.ends_with(ending)) continue;
    return Error(ErrorCode::kUsage, "{}: files of this format cannot hold a quantised network", out)
        .Fix(ending == ".param"
                 ? "-o NAME.ath, .onnx or .tflite; --save-table NAME.table writes ranges for ncnn"
                 : "-o NAME.ath, .onnx or .tflite");
  }
  return {};
}

// Corrections that would be left unused.
Status CheckCorrections(const QuantizeRequest& request) {
  constexpr std::string_view kWeights[] = {"awq", "gptq", "scales"};
  constexpr std::string_view kFitted[] = {"empirical", "gptq", "refit"};
  constexpr std::string_view kElsewhere[] = {"awq", "refit", "scales"};
  const auto among = [](std::span<const std::string_view> names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  for (const quant::Correction& one : quant::AllCorrections()) {
    if (!(request.corrections.*one.on)) continue;
    const bool used = request.fits_size()      ? among(kFitted, one.name)
                      : request.weights_only() ? among(kWeights, one.name)
                                               : !among(kElsewhere, one.name);
    if (used && !request.halves()) continue;
    if (request.halves())
      return Error(ErrorCode::kUsage, "--correct does not go with --weight-bits {}",
                   request.weights);
    if (!request.weights_only())
      return Error(ErrorCode::kUsage, "--correct {} is for {}", one.name,
                   one.name == "refit" ? "--target-ratio" : "--activations float");
    return Error(ErrorCode::kUsage, "--correct {} does not go with {}; {} do", one.name,
                 request.fits_size() ? "--target-ratio" : "--activations float",
                 request.fits_size() ? "empirical, gptq and refit" : "awq, gptq and scales");
  }
  return {};
}

}  // namespace

Result<quant::Corrections> ParseCorrections(const std::string& text) {
  quant::Corrections result;
  if (text == "none") return result;
  std::vector<std::string> known;
  for (const quant::Correction& one : quant::AllCorrections()) known.emplace_back(one.name);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string name = text.substr(begin, end - begin);
    begin = end + 1;
    bool found = false;
    for (const quant::Correction& one : quant::AllCorrections()) {
      if (one.name != name) continue;
      result.*one.on = found = true;
    }
    if (!found)
      return Error(
          ErrorCode::kUnknownName,
          "--correct: there is no correction \"{}\"{}; none, auto or some of these are: {}", name,
          DidYouMean(name, known), Join(known, ", "));
  }
  return result;
}

void AddQuantizeOptions(Arguments app, QuantizeRequest& request) {
  AddModelOptions(app, request.model);
  AddAccessOptions(app, request.access);
  AddDumpOption(app, request.dump);
  app.Option("--calib", request.calib,
             "samples: a folder of pictures or arrays, or an .npz, .npy or .csv with one row per "
             "sample; not needed for --activations dynamic and --weight-bits f16");
  app.Option("--out,-o", request.out, "the file to write; its ending says the format").Required();
  app.Option("--samples", request.samples, "how many samples to use at most")
      .Range(1, 1 << 20)
      .ShowDefault();
  AddRangeOptions(app, request);
  app.Option("--correct", request.correct, CorrectionHelp());
  app.Option(
         "--weight-bits", request.weights,
         "bits of the weights; 4 leaves the first and the last product at 8; f16, bf16: half the "
         "file, read as f32, without samples")
      .OneOf({"8", "4", "f16", "bf16"})
      .ShowDefault();
  app.Option(
         "--activations", request.activations,
         "bits of the activations; dynamic: 8, with a scale from the data of each run, for matrix "
         "products, without samples; float: only weights become integers, those of matrix products "
         "of --weight-bits and in groups; auto: 8, or float where 8 bits leave a part of the "
         "outputs farther than 20 dB and nothing else was asked for")
      .OneOf({"auto", "8", "dynamic", "float"})
      .ShowDefault();
  app.Option("--group", request.group, "with --activations float: weights that share a scale")
      .Range(32, 128)
      .ShowDefault();
  app.Option("--target-ratio", request.target_ratio,
             "make the file this many times smaller than the float weights: integers on as few "
             "levels as each product bears, entropy coded; activations stay in float")
      .Range(1.0, 100.0);
  app.Option("--tune", request.tune,
             "with --target-ratio: train the rounded weights further, this many times over the "
             "samples, towards the outputs of the float model; no labels are needed")
      .Range(0, 1000)
      .ShowDefault();
  app.Flag("--auto", request.climbs,
           "weights of 16 bits, then 8 bits, then sizes that --target-ratio asks for, as long as "
           "--max-drop (1% when not given) is met: the smallest that meets it is written");
  app.Flag("--per-tensor", request.per_tensor, "one scale for all output channels of a product");
  app.Option("--table", request.table,
             "ranges from a TensorRT cache or an ncnn table, where it names them");
  app.Option("--save-table", request.save_table,
             "write the ranges: .cache (TensorRT) or .table (ncnn)");
  app.Option("--arithmetic", request.arithmetic,
             "float, or fixed31: integers only, for `athanor codegen`")
      .OneOf({"float", "fixed31"})
      .ShowDefault();
  AddAccuracyOptions(app, request);
  app.Option("--report", request.report,
             "write what was measured: a folder for report.html and report.json, or one .html or "
             ".json file");
  app.Threads(request.threads);
  AddImageOptions(app, request.classify.image);
}

Status CheckRequest(QuantizeRequest& request) {
  ATH_RETURN_IF_ERROR(CheckSamples(request));
  if (request.dynamic()) request.correct = "none";
  if (request.climbs && request.max_drop.empty()) request.max_drop = "1%";
  if (!request.share.empty()) {
    ATH_TRY(request.float_share, ParseShare("--float-share", request.share));
  }
  if (!request.max_drop.empty()) {
    ATH_TRY(request.drop, ParseShare("--max-drop", request.max_drop));
  }
  if (request.correct.empty()) {
    request.free_corrections = !request.weights_only() && request.table.empty();
    request.correct = request.halves()         ? "none"
                      : request.fits_size()    ? kFittedCorrections
                      : request.weights_only() ? "gptq,scales"
                                               : kUsualCorrections;
  }
  if (request.tries_recipes() && (request.weights_only() || !request.table.empty()))
    return Error(ErrorCode::kUsage,
                 "--correct auto chooses ranges: --activations float, --target-ratio and --table "
                 "do not go with it");
  if (!request.tries_recipes()) {
    ATH_TRY(request.corrections, ParseCorrections(request.correct));
  }
  ATH_RETURN_IF_ERROR(CheckCorrections(request));
  if (request.corrections.gptq && request.corrections.adaround)
    return Error(ErrorCode::kUsage,
                 "--correct: weights are rounded by gptq or by adaround, not both");
  if (request.fits_size() && !request.out.ends_with(".ath"))
    return Error(ErrorCode::kUsage, "--target-ratio: only .ath files have coded weights")
        .Fix("-o NAME.ath");
  if (request.weights_only() && (request.group & (request.group - 1)) != 0)
    return Error(ErrorCode::kUsage, "--group: 32, 64 or 128 is expected");
  ATH_RETURN_IF_ERROR(CheckOutput(request.save_table, "--save-table", {".cache", ".table"}));
  ATH_RETURN_IF_ERROR(CheckHoldsIntegers(request.out));
  return CheckModelOutput(request.out, request.model.path);
}

quant::QuantizeOptions HowToQuantize(const QuantizeRequest& request) {
  quant::QuantizeOptions how;
  how.weight_bits = request.weight_bits();
  how.per_tensor = request.per_tensor;
  how.zeros_of_weights = request.zeros_of_weights();
  how.arithmetic = request.arithmetic;
  how.ranges.method = request.method;
  how.ranges.tail = request.tail;
  how.ranges.symmetric = request.symmetric();
  how.ranges.apart = request.arithmetic != "float";
  how.ranges.threads = request.threads;
  how.ranges.histograms = !request.report.empty();
  return how;
}

quant::WeightOnlyOptions HowToQuantizeWeights(const QuantizeRequest& request) {
  return {.group = static_cast<std::size_t>(request.group),
          .bits = request.weight_bits(),
          .awq = request.corrections.awq,
          .gptq = request.corrections.gptq,
          .estimate_scales = request.corrections.scales,
          .threads = request.threads};
}

}  // namespace athanor::tools
