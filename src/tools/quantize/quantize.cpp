// athanor quantize MODEL --calib DIR -o OUT.ath: 8-bit weights and activations,
// and what they cost.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include "core/text.h"
#include "frontends/ath/ath.h"
#include "frontends/load.h"
#include "frontends/save.h"
#include "passes/pipeline.h"
#include "quant/layer_errors.h"
#include "quant/recurrent_weights.h"
#include "quant/stored_weights.h"
#include "quant/weight_only.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/dump_ir.h"
#include "tools/output_file.h"
#include "tools/quantize/float_model.h"
#include "tools/quantize/recipe.h"
#include "tools/quantize/report.h"
#include "tools/quantize/task.h"
#include "tools/quantize/teach.h"
#include "tools/quantize/unused_options.h"
#include "tools/quantize/weights_alone.h"
#include "tools/quantize/worth.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kSmallModel = std::uint64_t{4} << 20;  // bytes of float weights
constexpr std::size_t kFewSamples = 16;  // below this ranges are a matter of luck
constexpr std::size_t kFewRows = 20;     // below this a drop of accuracy is

std::string Counted(std::size_t count, const char* what, const char* many = nullptr) {
  if (count != 1 && many != nullptr) return fmt::format("{} {}", count, many);
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
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

std::string Percent(std::int64_t part, std::int64_t all) {
  return fmt::format("{:.2f} %", 100 * static_cast<double>(part) / static_cast<double>(all));
}

std::vector<std::string> FormRow(const char* name, const Form& form, bool labelled) {
  std::vector<std::string> row = {name,
                                  fmt::format("{:.1f}", static_cast<double>(form.bytes) / 1024),
                                  fmt::format("{:.3f}", form.milliseconds)};
  const bool known = labelled && form.verdict;
  row.push_back(known ? Percent(form.verdict->score.top1, form.verdict->score.n) : "-");
  row.push_back(known ? Percent(form.verdict->score.top5, form.verdict->score.n) : "-");
  return row;
}

void PrintForms(const Common& common, const QuantizeFindings& findings) {
  Table table({"", ">KiB", ">ms", ">top1", ">top5"});
  table.Add(FormRow("float", findings.before, findings.labelled));
  table.Add(FormRow(FormLabel(findings).c_str(), findings.after, findings.labelled));
  PrintText(common, table.ToString());
  Say(common, "{:.2f} x smaller, {:.2f} x as fast",
      static_cast<double>(findings.before.bytes) / static_cast<double>(findings.after.bytes),
      findings.before.milliseconds / findings.after.milliseconds);
  if (findings.rows == 0) return;
  const Verdict& verdict = *findings.after.verdict;
  if (findings.has_classes)
    Say(common, "the same class on {} of {} {}", Percent(verdict.same_class, findings.rows),
        findings.rows, findings.labelled ? "pictures" : "samples");
  if (!findings.labelled && !findings.has_classes)
    Say(common, "{:.2f} % of the energy of the outputs is the same on {} samples",
        100 * verdict.value, findings.rows);
  if (!findings.labelled) return;
  const Paired paired = ComparePaired(findings.before.verdict->right, verdict.right);
  Say(common,
      "right in float alone: {}, on integers alone: {}; by chance with p = {:.3f} (McNemar)",
      paired.only_first, paired.only_second, paired.p);
}

// Levels and bits of each product, the largest first.
void PrintFitted(const Common& common, const quant::FitSizeReport& report) {
  constexpr std::size_t kMostRows = 12;
  std::vector<const quant::FittedProduct*> largest;
  for (const quant::FittedProduct& one : report.products) largest.push_back(&one);
  std::ranges::stable_sort(largest,
                           [](const auto* a, const auto* b) { return a->bytes > b->bytes; });
  Table table({"product", ">weights", ">levels", ">bits each", ">KiB"});
  for (std::size_t i = 0; i < std::min(kMostRows, largest.size()); ++i) {
    const quant::FittedProduct& one = *largest[i];
    const double bits = 8 * static_cast<double>(one.bytes) / static_cast<double>(one.weights);
    table.Add({one.name, std::to_string(one.weights), std::to_string(one.levels),
               fmt::format("{:.2f}", bits),
               fmt::format("{:.1f}", static_cast<double>(one.bytes) / 1024)});
  }
  PrintText(common, table.ToString());
  if (largest.size() > kMostRows)
    Say(common, "and {}", Counted(largest.size() - kMostRows, "smaller product"));
  if (report.tuned)
    Say(common, "trained: the error of the outputs went from {:.4f} to {:.4f}",
        report.tuned->before, report.tuned->after);
}

// With --activations float.
void SayWeights(const Common& common, const QuantizeRequest& request,
                const quant::WeightOnlyReport& report) {
  if (!report.products.empty())
    Say(common, "the weights of {} have {} bits, {} share a scale",
        Counted(report.products.size(), "product"), request.weight_bits(), request.group);
  if (!report.others.empty())
    Say(common, "the weights of {} have 8 bits, those of an output channel share a scale",
        Counted(report.others.size(), "product"));
  if (request.corrections.awq)
    Say(common, "the inputs of {} are divided by factors", Counted(report.scaled, "product"));
}

void SayRecurrent(const Common& common, const QuantizeFindings& findings) {
  if (findings.recurrent > 0)
    Say(common, "{} of recurrent nodes have 8 bits in the file",
        Counted(findings.recurrent, "matrix", "matrices"));
}

void SayInFloat(const Common& common, const std::vector<quant::Skipped>& skipped) {
  for (const quant::Skipped& one : skipped)
    Say(common, "  float: \"{}\" ({}): {}", one.node, one.op, one.reason);
}

void SayDynamic(const Common& common, const QuantizeFindings& findings) {
  const quant::DynamicReport& report = findings.dynamic;
  Say(common, "{} multipl{} bytes, with scales from the data of each run",
      Counted(report.products.size(), "matrix product"), report.products.size() == 1 ? "ies" : "y");
  if (report.stored > 0)
    Say(common, "{} compute{} in float, with weights of 8 bits in the file",
        Counted(report.stored, "convolution"), report.stored == 1 ? "s" : "");
  SayRecurrent(common, findings);
  SayInFloat(common, report.skipped);
  if (findings.decibels)
    Say(common, "outputs within {} of float (more is nearer)", Decibels(*findings.decibels));
}

void SayWhatStays(const Common& common, const QuantizeRequest& request,
                  const QuantizeFindings& findings) {
  if (request.fits_size()) {
    PrintFitted(common, findings.fitted);
    return SayInFloat(common, findings.fitted.skipped);
  }
  if (request.halves()) {
    Say(common, "{} hold {}", Counted(findings.halves.stored, "tensor"), request.weights);
    for (const std::string& name : findings.halves.kept)
      Say(common, "  f32: {}: its numbers are too large or too small for {}", Quote(name),
          request.weights);
    return;
  }
  if (request.dynamic()) return SayDynamic(common, findings);
  if (findings.prepared == nullptr) return SayWeights(common, request, findings.weights_only);
  const Choice& choice = *findings.choice;
  const quant::QuantizeReport& report = choice.made.report;
  if (!findings.tried.empty())
    Say(common, "--method {} --correct {} came nearest of {} ways", request.method, request.correct,
        findings.tried.size());
  if (choice.weights_alone)
    Say(common,
        "activations stay in float: 8 bits of them leave a part of the outputs within {}, {:g} or "
        "more are wanted\nthe weights of {} have 8 bits: outputs within {}; integers for "
        "activations "
        "all the same: --activations 8",
        Decibels(findings.far), kFarDecibels, Counted(choice.in_float, "product"),
        Decibels(*choice.decibels));
  else
    Say(common, "{} of {} nodes compute on integers", report.quantized, report.nodes);
  if (choice.spared && !choice.weights_alone)
    Say(common,
        "{} with {:.1f} % of the operations compute{} in float: outputs within {} instead of {} "
        "(more is nearer)",
        Counted(choice.in_float, "product"), 100 * choice.spared->work,
        choice.in_float == 1 ? "s" : "", Decibels(choice.spared->after),
        Decibels(choice.spared->before));
  SayRecurrent(common, findings);
  SayInFloat(common, report.skipped);
  if (!report.constant.empty())
    Note(common, "note: always 0 on the samples: {}", Join(report.constant, ", "));
  for (const quant::DeadChannels& dead : report.dead)
    Note(common, "note: {} output channels of \"{}\" have no weights but 0", dead.channels.size(),
         dead.node);
  const quant::EqualizeReport& equalized = findings.prepared->equalized;
  if (request.corrections.equalize)
    Say(common, "{} pairs of products equalised, {} Clips became Relu, {} high biases absorbed",
        equalized.pairs, equalized.clips, equalized.absorbed);
  if (request.corrections.spread) Say(common, "{} channels spread", equalized.spread);
  if (request.corrections.smooth) Say(common, "{} normalisations smoothed", equalized.smoothed);
}

// Everything that one run of the verb holds.
class Quantizing {
 public:
  Quantizing(const QuantizeRequest& request, const Common& common, Graph graph)
      : request_(request), common_(common), graph_(std::move(graph)), plain_(graph_.Clone()) {
    findings_.request = &request_;
    findings_.line = &common.given;
  }

  Status Run() {
    ATH_RETURN_IF_ERROR(quant::ExpandStoredWeights(plain_));
    ATH_RETURN_IF_ERROR(passes::Optimize(plain_).status());
    ATH_RETURN_IF_ERROR(CheckModel());
    ATH_RETURN_IF_ERROR(OpenSamples());
    ATH_TRY(const Graph small, request_.climbs           ? Climb()
                               : request_.halves()       ? MakeHalf()
                               : request_.dynamic()      ? MakeDynamic()
                               : request_.fits_size()    ? MakeFitted()
                               : request_.weights_only() ? MakeWeights()
                                                         : MakeIntegers());
    if (!kept_.empty()) Note(common_, "kept {}", kept_);
    // What cannot be had is not written.
    const bool met = choice_ == nullptr || choice_->met;
    if (!met) return NotMet();
    ATH_RETURN_IF_ERROR(SaveModel(small, request_.out, {.compress = Compresses()}));
    ATH_RETURN_IF_ERROR(Measure());
    ATH_RETURN_IF_ERROR(Explain(small));
    SayWhatStays(common_, request_, findings_);
    if (choice_ != nullptr) SayWorth(common_, request_, *choice_);
    PrintForms(common_, findings_);
    SayIfSlower(common_, request_, choice_.get(), findings_.before.milliseconds,
                findings_.after.milliseconds);
    if (!request_.report.empty()) ATH_RETURN_IF_ERROR(WriteReport(findings_, request_.report));
    SayIfFar();
    SayAdvice();
    Say(common_, "wrote {}{}", request_.out,
        request_.report.empty() ? "" : " and " + request_.report);
    const Status gate = Gate();
    findings_.pass = gate.ok();
    PrintJson(common_, FindingsJson(findings_));
    ATH_RETURN_IF_ERROR(gate);
    Next(common_, fmt::format("athanor explain {}", ShellWord(request_.out)));
    return {};
  }

 private:
  // In a small model names, scales and gaps weigh as much as the weights, and decoding takes no
  // time; weights of large ones are rather mapped.
  bool Compresses() const { return request_.fits_size() || WeightBytes(plain_) < kSmallModel; }

  Status CheckModel() const {
    ATH_RETURN_IF_ERROR(quant::CheckWeights(plain_));
    // Any constant may lie in 16 bits; see StoreInHalf.
    if (request_.halves()) return quant::CheckFloat(plain_);
    ATH_TRY(const quant::Candidates candidates, quant::FindCandidates(plain_));
    return quant::CheckQuantizable(plain_, candidates);
  }

  Status OpenSamples() {
    if (!request_.calib.empty()) {
      ATH_TRY(Samples samples,
              Samples::Open(graph_, request_.calib, request_.classify.image, request_.samples));
      files_ = std::make_unique<Samples>(std::move(samples));
      NoteRawPictures(common_, files_->RawPictureInputs());
      count_ = files_->count();
    }
    samples_ = std::make_unique<SampleCache>(
        count_, [this](std::size_t i) { return files_->ReadFinite(i); });
    if (!request_.data.empty() || request_.drop) {
      ATH_TRY(Judge judge, Judge::Open(graph_, request_, common_, *samples_, count_));
      judge_ = std::make_unique<Judge>(std::move(judge));
      if (request_.drop) NoteFewRows();
    }
    ATH_RETURN_IF_ERROR(CheckPictureOptions(
        common_.given, request_,
        (files_ && files_->ReadPixels()) || (judge_ && judge_->reads_pictures())));
    findings_.samples = count_;
    findings_.task = TaskOf(plain_);
    if (count_ > 0 && count_ < kFewSamples)
      Note(common_, "note: {} samples are few: ranges may be too narrow; 100 or more are usual",
           count_);
    return {};
  }

  // One row of a few is more than most drops that are asked for.
  void NoteFewRows() const {
    if (judge_->rows() >= kFewRows) return;
    Note(common_, "warning: --max-drop is judged on {}: means little; {}",
         Counted(judge_->rows(), "sample"),
         request_.data.empty() ? "a quarter of --calib is kept for it, --data says on what else"
                               : "--data with 100 or more is usual");
  }

  Result<Graph> MakeIntegers() {
    const QuantizeRequest asked = request_;
    if (request_.tries_recipes()) {
      ATH_RETURN_IF_ERROR(PrepareBest());
    } else {
      ATH_TRY(Maker maker, PrepareAsAsked(plain_, graph_, *samples_, count_, request_, common_));
      maker_ = std::make_unique<Maker>(std::move(maker));
    }
    ATH_TRY(Choice choice, ChooseProducts(*maker_, request_, common_, judge_.get()));
    choice_ = std::make_unique<Choice>(std::move(choice));
    if (asked.may_keep_activations() && choice_->farthest && *choice_->farthest < kFarDecibels)
      ATH_RETURN_IF_ERROR(KeepActivations(asked));
    findings_.prepared = &maker_->prepared();
    findings_.choice = choice_.get();
    if (choice_->met)
      ATH_RETURN_IF_ERROR(WeighProducts(*maker_, request_, common_, judge_.get(), *choice_));
    if (request_.arithmetic == "float" && choice_->met) ATH_RETURN_IF_ERROR(StoreRecurrent());
    return choice_->made.graph.Clone();
  }

  // Where activations of 8 bits are too coarse and those of floats are not: weights alone, rounded
  // for the network as it is, since what helps bytes of activations costs weights some accuracy.
  Status KeepActivations(QuantizeRequest asked) {
    asked.correct = kUsualCorrections;
    ATH_TRY(asked.corrections, ParseCorrections(asked.correct));
    ATH_TRY(Maker maker, Maker::Prepare(plain_, graph_, *samples_, count_, asked, common_));
    ATH_TRY(Choice choice, ChooseWeightsAlone(maker, asked, *choice_));
    Note(common_, "weights alone on 8 bits: outputs within {} instead of {}",
         Decibels(*choice.decibels), Decibels(*choice_->decibels));
    if (*choice.farthest < kFarDecibels) return {};
    findings_.far = *choice_->farthest;
    request_ = std::move(asked);
    *maker_ = std::move(maker);
    *choice_ = std::move(choice);
    return {};
  }

  // Weights of recurrent nodes take no room as floats where 8 bits do.
  Status StoreRecurrent() {
    ATH_TRY(quant::RecurrentWeights small, quant::StoreRecurrentWeights(choice_->made.graph));
    if (small.stored == 0) return {};
    ATH_TRY(const bool near, IsAsNear(small.graph));
    if (!near) {
      Note(common_, "note: weights of recurrent nodes stay in float: 8 bits cost too much");
      return {};
    }
    choice_->made.graph = std::move(small.graph);
    findings_.recurrent = small.stored;
    return {};
  }

  // Within the allowed drop; without one, hardly farther from float than what was chosen.
  Result<bool> IsAsNear(const Graph& made) {
    constexpr double kHardly = 1;  // dB
    if (request_.drop) {
      ATH_TRY(const Verdict verdict, judge_->Rate(made));
      return judge_->real().value - verdict.value <= *request_.drop + 1e-12;
    }
    const auto decibels = [&](const Graph& graph) -> Result<double> {
      ATH_TRY(const double error, quant::OutputError(plain_, graph, std::min(kNearSamples, count_),
                                                     samples_->source(), request_.threads));
      return quant::Sqnr(1, error);
    };
    ATH_TRY(const double after, decibels(made));
    if (after >= kNearDecibels) return true;
    ATH_TRY(const double before, decibels(choice_->made.graph));
    return after >= before - kHardly;
  }

  // From here on as if the best recipe had been asked for.
  Status PrepareBest() {
    ATH_TRY(BestRecipe best, TryRecipes(plain_, graph_, *samples_, count_, request_, common_));
    request_.method = best.method;
    request_.correct = best.correct;
    ATH_TRY(request_.corrections, ParseCorrections(request_.correct));
    findings_.tried = std::move(best.tried);
    maker_ = std::make_unique<Maker>(std::move(best.maker));
    return SaveRanges(request_, common_, maker_->prepared());
  }

  Result<Graph> MakeDynamic() {
    const quant::WeightForm form = {.per_tensor = request_.per_tensor,
                                    .asymmetric = request_.zeros_of_weights()};
    ATH_TRY(const Graph made, quant::QuantizeDynamically(plain_, form, findings_.dynamic));
    ATH_TRY(quant::RecurrentWeights small, quant::StoreRecurrentWeights(made));
    findings_.recurrent = small.stored;
    if (count_ > 0) {
      ATH_TRY(const double error,
              quant::OutputError(plain_, small.graph, std::min(kNearSamples, count_),
                                 samples_->source(), request_.threads));
      findings_.decibels = quant::Sqnr(1, error);
    }
    return std::move(small.graph);
  }

  Result<Graph> MakeWeights() {
    quant::WeightOnlyReport report;
    ATH_TRY(Graph small,
            QuantizeWeightsAlone(plain_, *samples_, count_, request_, common_, report));
    findings_.weights_only = std::move(report);
    return small;
  }

  Result<Graph> MakeHalf() {
    return quant::StoreInHalf(plain_, request_.weights == "f16" ? DType::kF16 : DType::kBF16,
                              findings_.halves);
  }

  // One rung of --auto: what the file takes, and whether it is within the allowed drop.
  Result<bool> Meets(const std::string& name, const Graph& made) {
    ATH_TRY(const std::vector<std::uint8_t> file, ath::Write(made, {.compress = Compresses()}));
    ATH_TRY(const Verdict verdict, judge_->Rate(made));
    const double drop = judge_->real().value - verdict.value;
    const bool met = drop <= *request_.drop + 1e-12;
    findings_.rungs.push_back({name, file.size(), verdict.value, met});
    if (met) kept_ = name;
    Note(common_, "tried {}: {:.1f} KiB, a drop of {:.2f} %{}", name,
         static_cast<double>(file.size()) / 1024, 100 * drop + 0.0, met ? "" : ": too much");
    return met;
  }

  // As far as the allowed drop lets it: 16 bits, 8 bits, then smaller and smaller files.
  Result<Graph> Climb() {
    const QuantizeRequest asked = request_;
    request_.weights = "f16";
    ATH_TRY(Graph best, MakeHalf());
    ATH_TRY(bool met, Meets("f16", best));
    if (!met)
      return Error(ErrorCode::kAccuracy, "even weights of 16 bits drop by more than {:g} %",
                   100 * *request_.drop);
    const QuantizeRequest half = request_;
    request_ = asked;
    ATH_TRY(Graph integers, MakeIntegers());
    ATH_TRY(const bool integers_met, Meets("int8", integers));
    if (!integers_met || !choice_->met) {
      request_ = half;
      Forget();
      return best;
    }
    best = std::move(integers);
    return ClimbSizes(std::move(best));
  }

  // Only .ath files have coded weights.
  Result<Graph> ClimbSizes(Graph best) {
    constexpr double kRatios[] = {5, 6, 8, 10, 12, 16};
    if (!request_.out.ends_with(".ath")) return best;
    for (const double ratio : kRatios) {
      const QuantizeRequest before = request_;
      const quant::FitSizeReport report = findings_.fitted;
      request_.target_ratio = ratio;
      request_.correct = kFittedCorrections;
      ATH_TRY(request_.corrections, ParseCorrections(request_.correct));
      Result<Graph> made = MakeFitted();
      const bool fits = made.ok();
      if (!fits && made.status().code() != ErrorCode::kAccuracy) return made;
      bool met = false;
      if (fits) {
        ATH_TRY(met, Meets(fmt::format("{:g} x smaller", ratio), *made));
      }
      if (!fits) {
        findings_.rungs.push_back(
            {.name = fmt::format("{:g} x smaller", ratio), .reason = made.status().message()});
        Note(common_, "tried {:g} x smaller: {}", ratio, made.status().message());
      }
      if (!met) {
        request_ = before;
        findings_.fitted = report;
        break;
      }
      best = *std::move(made);
      Forget();
    }
    return best;
  }

  // What integers for activations left behind, when something else is written.
  void Forget() {
    choice_.reset();
    maker_.reset();
    findings_.prepared = nullptr;
    findings_.choice = nullptr;
    findings_.recurrent = 0;
  }

  Result<Graph> MakeFitted() {
    const double bytes = static_cast<double>(WeightBytes(plain_)) / request_.target_ratio;
    ATH_TRY(const quant::Candidates candidates, quant::FindCandidates(plain_));
    Progress progress(common_, "products", std::ssize(candidates.nodes));
    const auto size_of = [](const Graph& graph) -> Result<std::uint64_t> {
      ATH_TRY(const std::vector<std::uint8_t> file, ath::Write(graph, {.compress = true}));
      return file.size();
    };
    quant::FitSizeOptions options = {.bytes = static_cast<std::uint64_t>(bytes),
                                     .make_up = request_.corrections.gptq,
                                     .refit = request_.corrections.refit,
                                     .bias = request_.corrections.empirical,
                                     .threads = request_.threads,
                                     .after_product = [&progress] { progress.Advance(); },
                                     .size_of = size_of};
    const quant::SampleSource source = samples_->source();
    options.tune.epochs = request_.tune;
    std::optional<Progress> training;
    if (request_.tune > 0) {
      options.teacher_of = TeachBy(plain_, count_, source, request_.threads);
      options.tune.after_change = [&](double) {
        progress.Finish();
        if (!training)
          training.emplace(common_, "train",
                           static_cast<std::int64_t>(quant::CountChanges(count_, options.tune)));
        training->Advance();
      };
    }
    return quant::FitSize(plain_, count_, source, options, findings_.fitted);
  }

  // What was written is what is measured.
  Status Measure() {
    ATH_TRY(const Graph written, LoadModel(request_.out));
    ATH_TRY(findings_.before.session,
            Session::Create(graph_.Clone(), {.threads = request_.threads}));
    ATH_TRY(findings_.after.session,
            Session::Create(written.Clone(), {.threads = request_.threads}));
    std::error_code error;
    findings_.before.bytes = WeightBytes(plain_);
    for (const std::string& file : SavedFiles(request_.out))
      findings_.after.bytes += fs::file_size(file, error);
    ATH_TRY(const std::vector<Datum> first, FirstInputs());
    ATH_RETURN_IF_ERROR(TimeForms(findings_.before, findings_.after, first));
    if (judge_ == nullptr) return {};
    ATH_TRY(findings_.after.verdict, judge_->Rate(written));
    Judged();
    return {};
  }

  // Random ones where there are no samples.
  Result<std::vector<Datum>> FirstInputs() {
    if (count_ > 0) return samples_->Read(0);
    InputOptions random;
    random.sources = {"random"};
    ATH_TRY(const InputPlan plan, InputPlan::Make(graph_, random));
    ATH_TRY(InputSet set, plan.Read(0));
    return std::move(set.values);
  }

  void Judged() {
    findings_.before.verdict = judge_->real();
    findings_.labelled = judge_->labelled();
    findings_.has_classes = judge_->has_classes();
    findings_.rows = static_cast<std::int64_t>(judge_->rows());
    findings_.evaluations = judge_->evaluations();
  }

  // What else there is where integers alone, and a few products in float, are not enough.
  void SayIfFar() const {
    if (choice_ == nullptr || !choice_->farthest || *choice_->farthest >= kFarDecibels) return;
    constexpr double kMoreShare = 0.3;
    Say(common_,
        "a part of the outputs is within {} only, {:g} or more are wanted: {}--max-drop 0.3%",
        Decibels(*choice_->farthest), kFarDecibels,
        request_.share_in_float() < kMoreShare ? fmt::format("--float-share {:g} or ", kMoreShare)
                                               : "");
  }

  // Where 8 bits of activations are not what is usual, nobody asked for them and they cost
  // something.
  void SayAdvice() const {
    const std::string advice = AdviceFor(TaskOf(plain_));
    if (choice_ == nullptr || request_.drop || advice.empty()) return;
    if (choice_->decibels && *choice_->decibels >= kNearDecibels) return;
    Note(common_, "note: {}", advice);
  }

  // What only a report shows, because it takes runs of its own.
  Status Explain(const Graph& small) {
    if (request_.report.empty()) return {};
    ATH_TRY(findings_.stored_before, StoredIn(plain_));
    ATH_TRY(findings_.stored, StoredIn(small));
    if (maker_ == nullptr) return ExplainWeights(small);
    const std::size_t few = std::min(count_, kFewSamples);
    const Graph& real = maker_->prepared().graph;
    const auto pairs =
        choice_->weights_alone ? SameResults(real, small) : choice_->made.report.pairs;
    ATH_TRY(findings_.layers,
            quant::MeasureLayers(real, small, pairs, few, samples_->source(), request_.threads));
    if (request_.correct == "none") return {};
    std::set<NodeId> in_float;
    for (std::size_t i = 0; i < choice_->in_float; ++i) in_float.insert(choice_->ranked[i].node);
    in_float.insert(choice_->worth.returned.begin(), choice_->worth.returned.end());
    ATH_TRY(findings_.ablation,
            Ablate(plain_, graph_, *samples_, count_, request_, common_, in_float, judge_.get()));
    return {};
  }

  // Where activations are real everywhere.
  Status ExplainWeights(const Graph& small) {
    const std::size_t few = std::min(count_, kFewSamples);
    if (few > 0) {
      ATH_TRY(findings_.layers, quant::MeasureLayers(plain_, small, SameResults(plain_, small), few,
                                                     samples_->source(), request_.threads));
    }
    if (request_.fits_size() || request_.halves() || request_.correct == "none") return {};
    ATH_TRY(findings_.ablation,
            AblateWeights(plain_, *samples_, count_, request_, common_, judge_.get()));
    return {};
  }

  // The asked drop against what was written; chosen products may judge other rounding only.
  Status Gate() const {
    if (!request_.drop) return {};
    const double drop = findings_.before.verdict->value - findings_.after.verdict->value;
    if (drop <= *request_.drop + 1e-12) return {};
    return Missed(drop);
  }

  Status Missed(double drop) const {
    return Error(ErrorCode::kAccuracy, "{} drops by {:.2f} %; {:.2f} % is allowed",
                 judge_->labelled() ? "top1" : "agreement", 100 * drop, 100 * *request_.drop)
        .Fix("--correct auto, or samples nearer to the data");
  }

  Status NotMet() {
    Judged();
    findings_.pass = false;
    const Choice::Trial& last = choice_->trials.back();
    nlohmann::json document = {{"model", request_.model.path},
                               {"pass", false},
                               {"evaluations", judge_->evaluations()},
                               {"in_float", last.in_float},
                               {"products", choice_->ranked.size()}};
    PrintJson(common_, std::move(document));
    Say(common_,
        "even with {} of {} products in float the allowed drop is not met; nothing written",
        choice_->in_float, choice_->ranked.size());
    return Missed(judge_->real().value - last.value);
  }

  QuantizeRequest request_;
  const Common& common_;
  Graph graph_, plain_;
  std::unique_ptr<Samples> files_;
  std::unique_ptr<SampleCache> samples_;
  std::size_t count_ = 0;  // of calibration
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<Maker> maker_;
  std::unique_ptr<Choice> choice_;
  std::string kept_ = {};  // of what --auto tried
  QuantizeFindings findings_;
};

Status Run(QuantizeRequest& request, const Common& common) {
  ATH_RETURN_IF_ERROR(CheckUnused(common.given, request));
  ATH_RETURN_IF_ERROR(CheckRequest(request));
  ATH_TRY(Graph graph, OpenFloatModel(request));
  ATH_RETURN_IF_ERROR(CheckReportName(request.report));
  ATH_RETURN_IF_ERROR(CheckOutput(request.save_table, "--save-table"));
  ATH_RETURN_IF_ERROR(DumpIr(common, request.dump, graph));
  return Quantizing(request, common, std::move(graph)).Run();
}

}  // namespace

std::function<Status()> QuantizeModel(Arguments app, const Common& common) {
  auto request = std::make_shared<QuantizeRequest>();
  AddQuantizeOptions(app, *request);
  return [request, &common] { return Run(*request, common); };
}

}  // namespace athanor::tools
