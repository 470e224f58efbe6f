#include "tools/quantize/choose.h"

#include <algorithm>
#include <cmath>

#include "core/file.h"
#include "plan/plan.h"
#include "quant/layer_errors.h"
#include "quant/parts.h"
#include "quant/table.h"
#include "tools/console.h"
#include "tools/quantize/weights_alone.h"

namespace athanor::tools {
namespace {

// What is left of the error when twice as many products are in float, at most.
constexpr double kWorthIt = 0.75;
constexpr std::size_t kFewest = 4;  // samples that tell which products these may be

Status UseTable(const QuantizeRequest& request, const Common& common, quant::Prepared& prepared) {
  if (request.table.empty()) return {};
  ATH_TRY(const quant::Candidates candidates, quant::FindCandidates(prepared.graph));
  ATH_TRY(const std::string text, ReadTextFile(request.table));
  Result<quant::CalibrationTable> table = quant::ParseTable(text);
  if (!table.ok()) return std::move(table).status().In(request.table);
  Result<std::size_t> used =
      quant::ApplyTable(*table, prepared.graph, candidates, prepared.calibration);
  if (!used.ok()) return std::move(used).status().In(request.table);
  Say(common, "{} of {} ranges from {}", *used, prepared.calibration.size(), request.table);
  return {};
}

// What the cost model says of one run.
Result<double> EstimatedTime(const Graph& graph, const std::vector<Datum>& inputs, int threads) {
  ATH_TRY(const auto session, Session::Create(graph.Clone(), {.threads = threads}));
  ATH_TRY(const Profile profile, session->RunProfiled(inputs));
  double ns = 0;
  for (const Step& step : profile.plan->steps) {
    const auto& choices = step.notes.choices;
    ns += choices.empty() || !choices[0].fits ? 0 : choices[0].cost_ns;
  }
  return ns / kNsPerMs;
}

// The share of the products' operations that integers do, whatever ranked the products.
double IntegerShare(const Graph& graph, const std::vector<quant::RankedProduct>& ranked,
                    std::size_t in_float) {
  double all = 0, integers = 0;
  for (std::size_t i = 0; i < ranked.size(); ++i) {
    const double work = quant::SavedWork(graph, ranked[i].node);
    all += work;
    integers += i < in_float ? 0 : work;
  }
  return all > 0 ? integers / all : 1;
}

std::set<NodeId> FirstOf(const std::vector<quant::RankedProduct>& ranked, std::size_t count) {
  std::set<NodeId> nodes;
  for (std::size_t i = 0; i < count; ++i) nodes.insert(ranked[i].node);
  return nodes;
}

class Chooser {
 public:
  // `judge`: only KeepDrop asks it.
  Chooser(const Maker& maker, const QuantizeRequest& request, const Common& common, Judge* judge)
      : maker_(maker), request_(request), common_(common), judge_(judge) {}

  // As few products in float as the allowed drop asks for.
  Result<Choice> KeepDrop() {
    ATH_TRY(const bool all, Try(0));
    if (all) return std::move(choice_);
    ATH_RETURN_IF_ERROR(Rank(std::min(kNearSamples, maker_.count())));
    const auto passes = [this](std::size_t count) { return Try(count); };
    const std::size_t most = MostInFloat();
    ATH_TRY(const auto found, quant::SmallestPrefix(most, passes));
    choice_.met = found.has_value();
    choice_.in_float = found.value_or(most);
    ATH_TRY(choice_.made, maker_.Make(FirstOf(choice_.ranked, choice_.in_float)));
    if (choice_.met) {
      Note(common_, "kept {} product{} in float", choice_.in_float,
           choice_.in_float == 1 ? "" : "s");
      ATH_RETURN_IF_ERROR(StoreWeights());
    }
    for (Choice::Trial& trial : choice_.trials) trial.saved = ShareOnIntegers(trial.in_float);
    return std::move(choice_);
  }

  // A few products in float where they take enough off the error of the outputs and have hardly any
  // work.
  Result<Choice> SpareFew() {
    ATH_TRY(choice_.made, maker_.Make({}));
    const std::size_t few = std::min(kNearSamples, maker_.count());
    const auto outputs_of = [&](const Graph& graph) {
      return quant::Outputs::Of(graph, few, maker_.source(), request_.threads);
    };
    ATH_TRY(const quant::Outputs real, outputs_of(maker_.prepared().graph));
    ATH_TRY(const quant::Outputs whole, outputs_of(choice_.made.graph));
    const double error = real.ErrorOf(whole);
    choice_.decibels = quant::Sqnr(1, error);
    if (*choice_.decibels >= kNearDecibels) return std::move(choice_);
    ATH_RETURN_IF_ERROR(Rank(std::min(kFewest, few)));
    // A few that matter, not many that cost little: every change between bytes and floats takes
    // time too.
    std::ranges::stable_sort(choice_.ranked,
                             [](const auto& a, const auto& b) { return a.error > b.error; });
    const std::size_t cheap = quant::PutCheapFirst(choice_.ranked, request_.share_in_float());
    const std::size_t most = std::min(cheap, MostInFloat());
    double least = error;
    for (std::size_t count = most > 0 ? 1 : 0, last = 0;
         count > last && *choice_.decibels < kNearDecibels;
         last = count, count = std::min(2 * count, most)) {
      ATH_TRY(quant::Quantized made, maker_.Make(FirstOf(choice_.ranked, count), true));
      ATH_TRY(const quant::Outputs outputs, outputs_of(made.graph));
      const double left = real.ErrorOf(outputs);
      const Choice::Spared spared = {.work = 1 - ShareOnIntegers(count),
                                     .before = quant::Sqnr(1, error),
                                     .after = quant::Sqnr(1, left)};
      Note(common_, "tried {} product{} in float, {:.1f} % of the operations: outputs within {}",
           count, count == 1 ? "" : "s", 100 * spared.work, Decibels(spared.after));
      // From the products that were worth it so far.
      const double doublings =
          choice_.in_float == 0
              ? 1 + std::log2(static_cast<double>(count))
              : std::log2(static_cast<double>(count) / static_cast<double>(choice_.in_float));
      if (left > std::pow(kWorthIt, doublings) * least) continue;
      least = left;
      choice_.spared = spared;
      choice_.decibels = spared.after;
      choice_.made = std::move(made);
      choice_.in_float = count;
      choice_.stored = true;
    }
    if (most > 0) SayKept();
    return std::move(choice_);
  }

 private:
  // At least one product on integers, else nothing was quantised.
  std::size_t MostInFloat() const { return choice_.ranked.size() - 1; }

  double ShareOnIntegers(std::size_t in_float) const {
    return IntegerShare(maker_.prepared().graph, choice_.ranked, in_float);
  }

  // Products in float take no more room than the others where the drop allows that too.
  Status StoreWeights() {
    if (request_.arithmetic != "float") return {};
    ATH_TRY(quant::Quantized made, maker_.Make(FirstOf(choice_.ranked, choice_.in_float), true));
    ATH_TRY(const Verdict verdict, judge_->Rate(made.graph));
    if (!Allowed(verdict)) return {};
    choice_.made = std::move(made);
    choice_.stored = true;
    return {};
  }

  void SayKept() const {
    if (!choice_.spared)
      return Note(common_, "kept none of them in float: too little error goes for what they cost");
    Note(common_, "kept {} product{} in float: outputs within {} instead of {}", choice_.in_float,
         choice_.in_float == 1 ? "" : "s", Decibels(choice_.spared->after),
         Decibels(choice_.spared->before));
  }

  // Rounded off: shares of whole rows shall not fail by the last bit.
  bool Allowed(const Verdict& verdict) const {
    return judge_->real().value - verdict.value <= *request_.drop + 1e-12;
  }

  Result<bool> Try(std::size_t in_float) {
    ATH_TRY(quant::Quantized made, maker_.Make(FirstOf(choice_.ranked, in_float)));
    ATH_TRY(const Verdict verdict, judge_->Rate(made.graph));
    choice_.trials.push_back({.in_float = in_float, .value = verdict.value, .saved = 1});
    if (!request_.report.empty()) {
      ATH_TRY(const std::vector<Datum> first, maker_.source()(0));
      ATH_TRY(choice_.trials.back().milliseconds,
              EstimatedTime(made.graph, first, request_.threads));
    }
    if (in_float > 0)
      Note(common_, "tried {} product{} in float: {:.2f} %", in_float, in_float == 1 ? "" : "s",
           100 * verdict.value);
    if (in_float == 0) choice_.made = std::move(made);
    return Allowed(verdict);
  }

  Status TimeAll(const quant::Candidates& candidates) {
    std::vector<NodeId> products;
    for (const quant::Candidate& one : candidates.nodes) {
      if (one.weights) products.push_back(one.node);
    }
    ATH_TRY(const std::vector<Datum> first, maker_.source()(0));
    ATH_TRY(const quant::TimedProducts timed,
            quant::TimeProducts(maker_.prepared().graph, choice_.made.graph, products, first,
                                request_.threads, quant::TimedBy::kMeasurement));
    for (std::size_t i = 0; i < products.size(); ++i) {
      if (timed.products[i].known) choice_.times.emplace(products[i], timed.products[i]);
    }
    return {};
  }

  Status Rank(std::size_t samples) {
    const Graph& graph = maker_.prepared().graph;
    ATH_TRY(const quant::Candidates candidates, quant::FindCandidates(graph));
    if (request_.measured) ATH_RETURN_IF_ERROR(TimeAll(candidates));
    const auto saved = [&](NodeId id) {
      const auto times = choice_.times.find(id);
      if (times == choice_.times.end()) return quant::SavedWork(graph, id);
      // What saves nothing is the first to go back.
      return std::max(1.0, times->second.real - times->second.integers);
    };
    const auto products = std::count_if(candidates.nodes.begin(), candidates.nodes.end(),
                                        [](const auto& c) { return c.weights.has_value(); });
    Progress progress(common_, "rank products", products);
    ATH_TRY(choice_.ranked,
            quant::RankProducts(graph, maker_.prepared().calibration, maker_.options(), samples,
                                maker_.source(), saved, [&progress] { progress.Advance(); }));
    return {};
  }

  const Maker& maker_;
  const QuantizeRequest& request_;
  const Common& common_;
  Judge* judge_;
  Choice choice_ = {.made = {.graph = Graph(maker_.prepared().graph.catalog())}};
};

// A row for no correction, then one for each that is asked for, added to those before it.
template <class AddRow>
Status ForEachCorrection(const QuantizeRequest& request, QuantizeRequest& so_far, AddRow add) {
  so_far.corrections = {};
  ATH_RETURN_IF_ERROR(add("no correction"));
  for (const quant::Correction& one : quant::AllCorrections()) {
    if (!(request.corrections.*one.on)) continue;
    so_far.corrections.*one.on = true;
    ATH_RETURN_IF_ERROR(add("+ " + std::string(one.name)));
  }
  return {};
}

// How near the outputs are, and what the judge says of them.
Result<AblationRow> RateRow(std::string name, const Graph& plain, const Graph& made,
                            SampleCache& samples, std::size_t count, int threads, Judge* judge) {
  ATH_TRY(const double error, quant::OutputError(plain, made, std::min(kNearSamples, count),
                                                 samples.source(), threads));
  AblationRow row = {.name = std::move(name), .sqnr = quant::Sqnr(1, error)};
  if (judge != nullptr) {
    ATH_TRY(const Verdict verdict, judge->Rate(made));
    row.value = verdict.value;
  }
  return row;
}

}  // namespace

Maker::Maker(const QuantizeRequest& request, quant::Prepared prepared, quant::SampleSource source,
             std::size_t count)
    : corrections_(request.corrections),
      prepared_(std::make_unique<quant::Prepared>(std::move(prepared))),
      source_(std::move(source)),
      count_(count),
      options_(HowToQuantize(request)) {
  quant::UseRounding(*prepared_, corrections_, options_);
}

Result<Maker> Maker::Prepare(const Graph& plain, const Graph& original, SampleCache& samples,
                             std::size_t count, const QuantizeRequest& request,
                             const Common& common) {
  quant::RangeOptions ranges = HowToQuantize(request).ranges;
  Progress progress(common, "calibrate",
                    static_cast<std::int64_t>(count) * quant::RunsPerSample(ranges));
  ranges.after_sample = [&progress] { progress.Advance(); };
  ATH_TRY(quant::Prepared prepared,
          quant::Prepare(plain, original, count, samples.source(), request.corrections, ranges));
  progress.Finish();
  ATH_RETURN_IF_ERROR(UseTable(request, common, prepared));
  ATH_RETURN_IF_ERROR(SaveRanges(request, common, prepared));
  return Maker(request, std::move(prepared), samples.source(), count);
}

Result<quant::Quantized> Maker::Make(std::set<NodeId> in_float, bool store) const {
  quant::QuantizeOptions options = options_;
  options.in_float = std::move(in_float);
  options.store_in_float = store;
  return quant::QuantizePrepared(*prepared_, count_, source_, corrections_, std::move(options));
}

Status SaveRanges(const QuantizeRequest& request, const Common& common,
                  const quant::Prepared& prepared) {
  if (request.save_table.empty()) return {};
  ATH_TRY(const quant::Candidates candidates, quant::FindCandidates(prepared.graph));
  ATH_TRY(const std::string text,
          request.save_table.ends_with(".cache")
              ? quant::FormatCache(prepared.graph, prepared.calibration)
              : quant::FormatNcnnTable(prepared.graph, candidates, prepared.calibration));
  ATH_RETURN_IF_ERROR(WriteFileAtomically(request.save_table, std::string_view(text)));
  Say(common, "wrote {}", request.save_table);
  return {};
}

std::string Decibels(double sqnr) {
  // The sum makes a negative 0 a positive one.
  return fmt::format("{:.1f} dB", std::round(10 * sqnr) / 10 + 0.0);
}

Result<Choice> ChooseProducts(const Maker& maker, const QuantizeRequest& request,
                              const Common& common, Judge* judge) {
  Chooser chooser(maker, request, common, judge);
  if (request.drop) return chooser.KeepDrop();
  if (request.share_in_float() == 0) {
    ATH_TRY(quant::Quantized made, maker.Make({}));
    return Choice{.made = std::move(made)};
  }
  ATH_TRY(Choice choice, chooser.SpareFew());
  ATH_TRY(choice.farthest, Farthest(maker, choice.made, request.threads));
  return choice;
}

Result<double> Farthest(const Maker& maker, const quant::Quantized& made, int threads) {
  const Graph& plain = maker.prepared().graph;
  const std::vector<ValueId> parts = quant::PartsOfOutputs(plain);
  const auto outputs_of = [&](const Graph& graph, const std::map<ValueId, ValueId>& pairs) {
    return quant::Outputs::OfParts(graph, parts, pairs, std::min(kNearSamples, maker.count()),
                                   maker.source(), threads);
  };
  ATH_TRY(const quant::Outputs real, outputs_of(plain, {}));
  ATH_TRY(const quant::Outputs small, outputs_of(made.graph, made.report.pairs));
  return quant::Sqnr(1, real.FarthestError(small));
}

Result<Choice> ChooseWeightsAlone(const Maker& maker, const QuantizeRequest& request,
                                  const Choice& coarse) {
  const Graph& plain = maker.prepared().graph;
  ATH_TRY(const quant::Candidates candidates, quant::FindCandidates(plain));
  Choice choice = {
      .made = {.graph = Graph(plain.catalog())}, .stored = true, .weights_alone = true};
  std::set<NodeId> products;
  for (const quant::Candidate& c : candidates.nodes) {
    if (!c.weights) continue;
    products.insert(c.node);
    choice.ranked.push_back({.node = c.node, .name = quant::NameOf(plain, c.node)});
  }
  choice.in_float = products.size();
  ATH_TRY(choice.made, maker.Make(std::move(products), true));
  std::erase_if(choice.made.report.skipped, [&](const quant::Skipped& skipped) {
    return std::ranges::any_of(choice.ranked, [&](const auto& r) { return r.node == skipped.id; });
  });
  const std::size_t few = std::min(kNearSamples, maker.count());
  ATH_TRY(const double error,
          quant::OutputError(plain, choice.made.graph, few, maker.source(), request.threads));
  choice.decibels = quant::Sqnr(1, error);
  ATH_TRY(choice.farthest, Farthest(maker, choice.made, request.threads));
  choice.spared = {.work = 1,
                   .before = coarse.spared ? coarse.spared->before : *coarse.decibels,
                   .after = *choice.decibels};
  return choice;
}

Result<std::vector<AblationRow>> Ablate(const Graph& plain, const Graph& original,
                                        SampleCache& samples, std::size_t count,
                                        const QuantizeRequest& request, const Common& common,
                                        const std::set<NodeId>& in_float, Judge* judge) {
  QuantizeRequest so_far = request;
  so_far.table.clear();
  so_far.save_table.clear();
  std::vector<AblationRow> rows;
  const auto add = [&](std::string name) -> Status {
    ATH_TRY(const Maker maker, Maker::Prepare(plain, original, samples, count, so_far, common));
    ATH_TRY(const quant::Quantized made, maker.Make(in_float));
    ATH_TRY(AblationRow row,
            RateRow(std::move(name), plain, made.graph, samples, count, request.threads, judge));
    rows.push_back(std::move(row));
    return {};
  };
  ATH_RETURN_IF_ERROR(ForEachCorrection(request, so_far, add));
  return rows;
}

Result<std::vector<AblationRow>> AblateWeights(const Graph& plain, SampleCache& samples,
                                               std::size_t count, const QuantizeRequest& request,
                                               const Common& common, Judge* judge) {
  QuantizeRequest so_far = request;
  std::vector<AblationRow> rows;
  const auto add = [&](std::string name) -> Status {
    quant::WeightOnlyReport report;
    ATH_TRY(const Graph made, QuantizeWeightsAlone(plain, samples, count, so_far, common, report));
    ATH_TRY(AblationRow row,
            RateRow(std::move(name), plain, made, samples, count, request.threads, judge));
    rows.push_back(std::move(row));
    return {};
  };
  ATH_RETURN_IF_ERROR(ForEachCorrection(request, so_far, add));
  return rows;
}

}  // namespace athanor::tools
