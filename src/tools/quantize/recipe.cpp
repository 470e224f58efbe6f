#include "tools/quantize/recipe.h"

#include <algorithm>

#include "core/text.h"
#include "quant/layer_errors.h"
#include "quant/probabilities.h"
#include "tools/console.h"

namespace athanor::tools {
namespace {

constexpr double kSureDecibels = 60;  // outputs this near have nothing to win
constexpr double kByChance = 0.9;     // of the least error so far: less is better, this is luck

enum class When : std::uint8_t { kAlways, kPerTensor, kNormalized };

struct Row {
  std::string_view method, correct;
  When when = When::kAlways;
};

// Cheap ones first: of those that are equally good the first is taken. Every way that is tried
// where nothing is asked for is among them.
constexpr Row kRows[] = {
    {"minmax", "gptq,bias"},
    {"auto", "gptq,bias"},
    {"minmax", "spread,gptq,bias"},
    {"auto", "spread,gptq,bias"},
    {"auto", "gptq,bias,empirical"},
    {"minmax", "spread,gptq,bias,empirical"},
    {"auto", "spread,gptq,bias,empirical"},
    {"minmax", "equalize,gptq,bias", When::kPerTensor},
    {"auto", "equalize,gptq,bias,empirical", When::kPerTensor},
    {"minmax", "smooth,gptq,bias", When::kNormalized},
};

bool Normalizes(const Graph& graph) {
  const Result<std::vector<NodeId>> order = graph.Order();
  return order.ok() && std::any_of(order->begin(), order->end(), [&](NodeId id) {
           return graph.node(id).op->name == "LayerNormalization";
         });
}

std::vector<QuantizeRequest> RequestsFor(const Graph& plain, const QuantizeRequest& request) {
  const bool normalizes = Normalizes(plain);
  const bool free = request.method == QuantizeRequest().method;
  std::vector<QuantizeRequest> requests;
  for (const Row& row : kRows) {
    if (row.when == When::kPerTensor && !request.per_tensor) continue;
    if (row.when == When::kNormalized && !normalizes) continue;
    QuantizeRequest one = request;
    one.save_table.clear();
    if (free) one.method = row.method;
    one.correct = row.correct;
    const bool known = std::any_of(requests.begin(), requests.end(), [&](const auto& other) {
      return other.method == one.method && other.correct == one.correct;
    });
    if (!known) requests.push_back(std::move(one));
  }
  return requests;
}

// One row of numbers for each sample. Places of a picture that hold something are rare, and what is
// cut off from the range of a tensor are rare values: there the error of all places says little.
bool AnswersInRows(const Graph& graph) {
  return std::ranges::all_of(graph.outputs(), [&](const GraphOutput& output) {
    const Type& type = graph.value(output.value).type;
    if (!type.HasRank()) return false;
    const auto many = [](const Dim& dim) { return !dim.Is(1); };
    const bool has_batch = !type.shape->empty() && !type.shape->front().IsConst();
    return std::ranges::count_if(*type.shape, many) <= (has_batch ? 2 : 1);
  });
}

void SayKept(const QuantizeRequest& request, const Common& common) {
  Note(common, "kept --method {} --correct {}", request.method, request.correct);
}

// Ranges by `auto`, `spread` or both where they bring outputs nearer that are near already. Each
// counts by itself, and before it becomes probabilities.
Result<Maker> BringNearer(Maker maker, const Graph& plain, const Graph& original,
                          SampleCache& samples, std::size_t count, QuantizeRequest& request,
                          const Common& common) {
  if (!request.table.empty() || !AnswersInRows(plain)) return maker;
  const auto outputs_of = [&](const Graph& graph) {
    return quant::Outputs::Of(quant::BeforeProbabilities(graph), std::min(count, kNearSamples),
                              samples.source(), request.threads);
  };
  ATH_TRY(const quant::Outputs real, outputs_of(plain));
  const auto error_of = [&](const Maker& one) -> Result<double> {
    ATH_TRY(const quant::Quantized made, one.Make({}));
    ATH_TRY(const quant::Outputs small, outputs_of(made.graph));
    return real.ErrorOfEach(small) / static_cast<double>(plain.outputs().size());
  };
  ATH_TRY(const double before, error_of(maker));
  if (quant::Sqnr(1, before) >= kSureDecibels) return maker;
  const bool free_method = request.method == QuantizeRequest().method;
  const QuantizeRequest asked = request;
  double least = before;
  bool some = false;
  for (const bool spread : {false, true}) {
    for (const std::string_view method : {std::string_view(asked.method), quant::kAuto}) {
      const bool other_method = method != asked.method;
      if ((!spread && !other_method) || (other_method && !free_method)) continue;
      QuantizeRequest one = asked;
      one.save_table.clear();
      one.method = method;
      one.corrections.spread = spread;
      if (spread) one.correct = "spread," + one.correct;
      ATH_TRY(Maker other, Maker::Prepare(plain, original, samples, count, one, common));
      if (spread && other.prepared().equalized.spread == 0) break;
      ATH_TRY(const double after, error_of(other));
      Note(common, "tried --method {} --correct {}: outputs within {} instead of {}", one.method,
           one.correct, Decibels(quant::Sqnr(1, after)), Decibels(quant::Sqnr(1, before)));
      some = true;
      // Finer steps are as good as wider ranges at the same error, another form of the network is
      // not.
      if (after >= (spread ? kByChance * least : least)) continue;
      least = after;
      one.save_table = asked.save_table;
      request = std::move(one);
      maker = std::move(other);
    }
  }
  if (some) SayKept(request, common);
  if (least < before) ATH_RETURN_IF_ERROR(SaveRanges(request, common, maker.prepared()));
  return maker;
}

}  // namespace

namespace {

// Ranges, weights and biases are fitted to the samples they are calibrated on: others tell how near
// a recipe comes.
class Jury {
 public:
  // Where there are few samples, each quarter judges what was calibrated on the others.
  static Result<Jury> Of(const Graph& plain, SampleCache& samples, std::size_t count, int threads) {
    Jury jury(samples, threads, plain.outputs().size());
    const auto judge = [&](std::size_t from, std::size_t to) {
      Trial trial;
      for (std::size_t i = 0; i < count; ++i)
        (i >= from && i < to ? trial.judged : trial.seen).push_back(i);
      if (trial.seen.empty()) trial.seen = trial.judged;
      jury.trials_.push_back(std::move(trial));
    };
    const std::size_t parts = std::min(kParts, count);
    if (count >= 2 * kJudges) {
      judge(count - kJudges, count);
    } else {
      for (std::size_t i = 0; i < parts; ++i) judge(i * count / parts, (i + 1) * count / parts);
    }
    for (const Trial& trial : jury.trials_) {
      ATH_TRY(quant::Outputs real, jury.Answers(plain, trial.judged));
      jury.real_.push_back(std::move(real));
    }
    return jury;
  }

  Result<double> ErrorOf(const Graph& plain, const Graph& original, const QuantizeRequest& request,
                         const Common& common) const {
    double error = 0;
    for (std::size_t i = 0; i < trials_.size(); ++i) {
      SampleCache seen(trials_[i].seen.size(), From(trials_[i].seen));
      ATH_TRY(const Maker maker,
              Maker::Prepare(plain, original, seen, seen.count(), request, common));
      ATH_TRY(const quant::Quantized made, maker.Make({}));
      ATH_TRY(const quant::Outputs small, Answers(made.graph, trials_[i].judged));
      error += real_[i].ErrorOfEach(small);
    }
    return error / static_cast<double>(trials_.size() * outputs_);
  }

 private:
  static constexpr std::size_t kJudges = 32, kParts = 4;
  using Rows = std::vector<std::size_t>;
  struct Trial {
    Rows seen = {}, judged = {};
  };
  Jury(SampleCache& samples, int threads, std::size_t outputs)
      : samples_(&samples), threads_(threads), outputs_(outputs) {}

  // `rows` outlive what is given.
  quant::SampleSource From(const Rows& rows) const {
    return [samples = samples_, &rows](std::size_t i) { return samples->Read(rows[i]); };
  }
  // Each output counts as much, before it becomes probabilities, as where nothing is asked for.
  Result<quant::Outputs> Answers(const Graph& graph, const Rows& rows) const {
    return quant::Outputs::Of(quant::BeforeProbabilities(graph), rows.size(), From(rows), threads_);
  }

  SampleCache* samples_;
  int threads_;
  std::size_t outputs_;
  std::vector<Trial> trials_ = {};
  std::vector<quant::Outputs> real_ = {};
};

}  // namespace

Result<BestRecipe> TryRecipes(const Graph& plain, const Graph& original, SampleCache& samples,
                              std::size_t count, const QuantizeRequest& request,
                              const Common& common) {
  ATH_TRY(const Jury jury, Jury::Of(plain, samples, count, request.threads));
  std::optional<QuantizeRequest> best;
  double least = 0;
  std::vector<TriedRecipe> tried;
  for (QuantizeRequest& one : RequestsFor(plain, request)) {
    ATH_TRY(one.corrections, ParseCorrections(one.correct));
    ATH_TRY(const double error, jury.ErrorOf(plain, original, one, common));
    tried.push_back({one.method, one.correct, quant::Sqnr(1, error)});
    Note(common, "tried --method {} --correct {}: outputs within {:.2f} dB", one.method,
         one.correct, tried.back().sqnr);
    if (best && error >= least) continue;
    least = error;
    best = std::move(one);
  }
  ATH_TRY(Maker maker, Maker::Prepare(plain, original, samples, count, *best, common));
  return BestRecipe{.maker = std::move(maker),
                    .method = best->method,
                    .correct = best->correct,
                    .tried = std::move(tried)};
}

Result<Maker> PrepareAsAsked(const Graph& plain, const Graph& original, SampleCache& samples,
                             std::size_t count, QuantizeRequest& request, const Common& common) {
  ATH_TRY(Maker maker, Maker::Prepare(plain, original, samples, count, request, common));
  if (!request.free_corrections) return maker;
  const std::size_t few = std::min(count, kNearSamples);
  const int threads = request.threads;
  ATH_TRY(const quant::Outputs real, quant::Outputs::Of(plain, few, samples.source(), threads));
  const auto decibels = [&](const Maker& one) -> Result<double> {
    ATH_TRY(const quant::Quantized made, one.Make({}));
    ATH_TRY(const quant::Outputs small,
            quant::Outputs::Of(made.graph, few, samples.source(), threads));
    return quant::Sqnr(1, real.ErrorOf(small));
  };
  ATH_TRY(const double before, decibels(maker));
  if (before >= kNearDecibels)
    return BringNearer(std::move(maker), plain, original, samples, count, request, common);
  double nearest = before;
  bool some = false;
  const bool free_method = request.method == QuantizeRequest().method;
  const QuantizeRequest asked = request;
  for (const std::string_view method : {std::string_view(asked.method), quant::kAuto}) {
    if (method != asked.method && !free_method) continue;
    QuantizeRequest one = asked;
    one.save_table.clear();
    one.method = method;
    one.corrections.spread = true;
    one.correct = "spread," + one.correct;
    ATH_TRY(Maker other, Maker::Prepare(plain, original, samples, count, one, common));
    if (other.prepared().equalized.spread == 0) break;
    ATH_TRY(const double after, decibels(other));
    Note(common, "tried --method {} --correct {}: outputs within {} instead of {}", one.method,
         one.correct, Decibels(after), Decibels(before));
    some = true;
    if (after <= nearest) continue;
    nearest = after;
    one.save_table = asked.save_table;
    request = std::move(one);
    maker = std::move(other);
  }
  if (some) SayKept(request, common);
  if (nearest > before) ATH_RETURN_IF_ERROR(SaveRanges(request, common, maker.prepared()));
  return maker;
}

}  // namespace athanor::tools
