#include "quant/fit_size.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "quant/decide.h"
#include "quant/parts.h"
#include "quant/reconstruct.h"
#include "quant/shared_weights.h"

namespace athanor::quant {
namespace {

// From about 1 bit a weight to 8, in steps of a quarter of a bit.
constexpr int kFinenesses = 29;
double FinenessOf(std::size_t way) { return std::exp2(static_cast<double>(way) / 4 - 1.5); }
constexpr double kProbe = 3;  // the fineness that tells how noise reaches the outputs
// Refitted and trained weights take a little more or less than those that are merely rounded.
constexpr double kRoomForRefit = 0.997, kRoomForTraining = 0.99;
constexpr int kTries = 12;  // until a file fits

// How many levels integers take, zero in the middle.
int LevelsOf(std::span<const std::int8_t> integers) {
  int most = 0;
  for (const std::int8_t q : integers) most = std::max(most, std::abs(static_cast<int>(q)));
  return 2 * most + 1;
}

template <class T>
std::vector<const T*> Pointers(const std::vector<T>& values) {
  std::vector<const T*> pointers;
  for (const T& value : values) pointers.push_back(&value);
  return pointers;
}

// Finds the graph that fits.
class Fitter {
 public:
  Fitter(const Graph& graph, std::size_t count, const SampleSource& source,
         const FitSizeOptions& options, FitSizeReport& report)
      : graph_(graph),
        count_(count),
        source_(source),
        options_(options),
        report_(report),
        pool_(options.threads) {}

  Result<Graph> Run() {
    ATH_TRY(const Candidates candidates, FindCandidates(graph_));
    report_.skipped = candidates.skipped;
    ATH_TRY(const auto grams, CollectGrams(graph_, candidates, nullptr, count_, source_,
                                           {.threads = options_.threads}));
    ATH_TRY(products_, ReadProducts(graph_, candidates, grams, options_.bias, options_.damping));
    ATH_RETURN_IF_ERROR(ListWays());
    // What the products may take: the file less all else, which only writing it tells.
    std::uint64_t room = options_.bytes;
    const bool in_order = options_.refit || options_.bias || options_.teacher_of;
    const double share = options_.teacher_of ? kRoomForTraining : in_order ? kRoomForRefit : 1;
    const auto first = static_cast<std::uint64_t>(static_cast<double>(options_.bytes) * share);
    for (int tries = 0; tries < kTries; ++tries) {
      const auto chosen = Choose(room);
      if (!chosen) break;
      ATH_TRY(Graph small, Make(*chosen, false));
      std::uint64_t most = first;
      if (in_order && report_.bytes <= most) {
        ATH_TRY(small, Make(*chosen, true));
        most = options_.bytes;
      }
      if (report_.bytes <= most) return small;
      // Sizes come in steps: a byte less may be the same choice again, and so more and more is
      // taken.
      const std::uint64_t over = report_.bytes - most + (room >> (kTries - tries));
      if (over >= room) break;
      room -= over;
    }
    return Error(ErrorCode::kAccuracy, "the file cannot be made to fit {} bytes", options_.bytes)
        .Fix("a smaller --target-ratio: what is no weight of a product keeps its size");
  }

 private:
  // Products that read the same weights are stored in one way, and once.
  std::optional<std::vector<std::size_t>> Choose(std::uint64_t room) const {
    const std::vector<std::size_t> first = FirstReaders(graph_, products_);
    std::vector<std::vector<StoreForm>> items = ways_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (first[i] == i) continue;
      for (std::size_t way = 0; way < items[i].size(); ++way)
        items[first[i]][way].noise += items[i][way].noise;
      items[i] = {StoreForm()};
    }
    auto chosen = ChooseStorage(items, room);
    for (std::size_t i = 0; chosen && i < items.size(); ++i) (*chosen)[i] = (*chosen)[first[i]];
    return chosen;
  }

  // The sizes and the noise of each product on each number of levels.
  Status ListWays() {
    ATH_TRY(const std::vector<double> sensitivities, Sensitivities());
    for (std::size_t i = 0; i < products_.size(); ++i) {
      std::vector<StoreForm>& of_product = ways_.emplace_back();
      for (std::size_t way = 0; way < kFinenesses; ++way) {
        const CodedWeights coded = Code(products_[i], HowTo(FinenessOf(way), false), pool_);
        of_product.push_back({sensitivities[i] * coded.error, BytesOf(i, coded)});
      }
    }
    return {};
  }

  // noise at the outputs, and at what they are joined from / noise in the sums of each product.
  Result<std::vector<double>> Sensitivities() {
    const std::size_t samples = std::min(count_, options_.few);
    const Graph parts = SeparateParts(graph_);
    ATH_TRY(const Outputs real, Outputs::Of(parts, samples, source_, options_.threads, false));
    std::vector<double> result;
    for (const CodedProduct& product : products_) {
      // Rounded as they will be, so that what later weights make up for is known of each product;
      // divided by the error that is told for each way, where none does.
      const CodedWeights alone = Code(product, HowTo(kProbe, options_.make_up), pool_);
      const double error = Code(product, HowTo(kProbe, false), pool_).error;
      Graph small = parts.Clone();
      ATH_RETURN_IF_ERROR(UseRounded(small, product, alone));
      ATH_TRY(const Outputs outputs, Outputs::Of(small, samples, source_, options_.threads, false));
      result.push_back(error > 0 ? real.ErrorOfEach(outputs) / error : 0);
      if (options_.after_product) options_.after_product();
    }
    return result;
  }

  CodeOptions HowTo(double fineness, bool make_up) const {
    return {.fineness = fineness,
            .evenness = options_.evenness,
            .make_up = make_up,
            .trellis = !options_.teacher_of,  // training would leave it
            .thrift = options_.thrift};
  }

  std::uint64_t BytesOf(std::size_t product, const CodedWeights& coded) const {
    return CodedBytes(coded.integers, products_[product].matrix.columns());
  }

  Result<Graph> Make(const std::vector<std::size_t>& chosen, bool in_order) {
    std::vector<double> fineness;
    for (const std::size_t way : chosen) fineness.push_back(FinenessOf(way));
    std::vector<CodedWeights> coded;
    if (in_order) {
      ATH_TRY(coded, Reconstruct(graph_, products_, fineness, count_, source_,
                                 {.refit = options_.refit,
                                  .bias = options_.bias,
                                  .code = HowTo(0, options_.make_up),
                                  .damping = options_.damping,
                                  .threads = options_.threads,
                                  .after_product = options_.after_product}));
      if (options_.teacher_of) {
        ATH_TRY(report_.tuned,
                Tune(graph_, products_, count_, options_.teacher_of, options_.tune, coded));
      }
    } else {
      for (std::size_t i = 0; i < products_.size(); ++i)
        coded.push_back(Code(products_[i], HowTo(fineness[i], options_.make_up), pool_));
    }
    report_.products.clear();
    const std::vector<std::size_t> first = FirstReaders(graph_, products_);
    for (std::size_t i = 0; i < products_.size(); ++i) {
      const NodeId node = products_[i].candidate.node;
      report_.products.push_back({.node = node,
                                  .name = NameOf(graph_, node),
                                  .levels = LevelsOf(coded[i].integers),
                                  .bytes = first[i] < i ? 0 : BytesOf(i, coded[i]),
                                  .noise = ways_[i][chosen[i]].noise,
                                  .weights = std::ssize(products_[i].rows)});
    }
    ATH_TRY(Graph small, StoreCoded(graph_, Pointers(products_), Pointers(coded)));
    ATH_TRY(report_.bytes, options_.size_of(small));
    return small;
  }

  const Graph& graph_;
  std::size_t count_;
  const SampleSource& source_;
  const FitSizeOptions& options_;
  FitSizeReport& report_;
  ThreadPool pool_;
  std::vector<CodedProduct> products_;
  std::vector<std::vector<StoreForm>> ways_;
};

}  // namespace

std::optional<std::vector<std::size_t>> ChooseStorage(
    const std::vector<std::vector<StoreForm>>& items, std::uint64_t bytes) {
  constexpr std::uint64_t kSteps = 16384;
  const std::uint64_t unit = std::max<std::uint64_t>(1, bytes / kSteps);
  const auto room = static_cast<std::size_t>(bytes / unit);
  constexpr double kNever = std::numeric_limits<double>::infinity();
  // least[s]: of the items so far in s units at most; chosen[i][s]: what item i does there.
  std::vector<double> least(room + 1, 0.0), next(room + 1);
  std::vector<std::vector<std::uint8_t>> chosen;
  for (const std::vector<StoreForm>& ways : items) {
    std::fill(next.begin(), next.end(), kNever);
    std::vector<std::uint8_t>& way_at = chosen.emplace_back(room + 1, 0);
    for (std::size_t way = 0; way < ways.size(); ++way) {
      const auto units = static_cast<std::size_t>((ways[way].bytes + unit - 1) / unit);
      for (std::size_t s = units; s <= room; ++s) {
        const double noise = least[s - units] + ways[way].noise;
        if (noise >= next[s]) continue;
        next[s] = noise;
        way_at[s] = static_cast<std::uint8_t>(way);
      }
    }
    std::swap(least, next);
  }
  if (least[room] == kNever) return std::nullopt;
  std::vector<std::size_t> result(items.size());
  std::size_t left = room;
  for (std::size_t i = items.size(); i-- > 0;) {
    result[i] = chosen[i][left];
    left -= static_cast<std::size_t>((items[i][result[i]].bytes + unit - 1) / unit);
  }
  return result;
}

Result<Graph> FitSize(const Graph& graph, std::size_t count, const SampleSource& source,
                      const FitSizeOptions& options, FitSizeReport& report) {
  return Fitter(graph, count, source, options, report).Run();
}

}  // namespace athanor::quant
