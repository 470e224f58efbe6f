#include "quant/unshrink.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "quant/patches.h"
#include "quant/reconstruct.h"

namespace athanor::quant {
namespace {

constexpr std::size_t kLeastPlaces = 64;  // that tell a few percent from chance

// The products that some values are made of without another product between.
std::set<NodeId> NextProducts(const Graph& graph, const std::set<NodeId>& products,
                              std::vector<ValueId> open) {
  std::set<NodeId> next, seen;
  while (!open.empty()) {
    const NodeId maker = graph.value(open.back()).producer;
    open.pop_back();
    if (maker == kNoNode || !seen.insert(maker).second) continue;
    if (products.contains(maker)) {
      next.insert(maker);
      continue;
    }
    for (const ValueId input : graph.node(maker).inputs) {
      if (input != kNoValue) open.push_back(input);
    }
  }
  return next;
}

// Those that outputs are made of, and no other product.
std::set<NodeId> LastProducts(const Graph& graph, const std::vector<CodedProduct>& products) {
  std::set<NodeId> all;
  std::vector<ValueId> read, outputs;
  for (const CodedProduct& product : products) {
    const Candidate& c = product.candidate;
    all.insert(c.node);
    for (const std::size_t activation : c.activations)
      read.push_back(graph.node(c.node).inputs[activation]);
  }
  for (const GraphOutput& output : graph.outputs()) outputs.push_back(output.value);
  std::set<NodeId> last = NextProducts(graph, all, outputs);
  for (const NodeId followed : NextProducts(graph, all, read)) last.erase(followed);
  return last;
}

// Of one row: what it should give and what it gives.
struct RowSums {
  double y = 0, yy = 0, got = 0, both = 0;
};

// One product that is followed by none.
struct Answer {
  std::size_t product = 0;
  Patches patches;
  std::vector<RowSums> rows;
  std::size_t places = 0;

  void Add(const Tensor& wanted, const Tensor& got) {
    std::vector<float> y, is;
    for (std::size_t place = 0; place < patches.CountOutput(wanted); ++place, ++places) {
      patches.CutOutput(wanted, place, y);
      patches.CutOutput(got, place, is);
      for (std::size_t row = 0; row < rows.size(); ++row) {
        const double a = y[row], b = is[row];
        rows[row].y += a;
        rows[row].yy += a * a;
        rows[row].got += b;
        rows[row].both += a * b;
      }
    }
  }
};

// How many times as large the row's sums have to be around their mean.
double GrowthOf(const RowSums& sums, double places) {
  constexpr double kMost = 1.25;
  const double variance = sums.yy / places - sums.y / places * (sums.y / places);
  const double together = sums.both / places - sums.y / places * (sums.got / places);
  if (!(variance > 0) || !(together > 0)) return 1;
  return std::clamp(variance / together, 1.0, kMost);
}

// As fine multiples as there are, because what is corrected is a few percent.
void RefineScales(CodedWeights& coded, double growth) {
  constexpr int kMostMultiple = 255;
  int most = 1;
  for (const std::uint8_t multiple : coded.multiples) most = std::max<int>(most, multiple);
  while (2 * most * growth <= kMostMultiple) {
    for (std::uint8_t& multiple : coded.multiples)
      multiple = static_cast<std::uint8_t>(2 * multiple);
    most *= 2;
    --coded.exponent;
  }
}

void Apply(const Answer& answer, CodedWeights& coded) {
  const auto places = static_cast<double>(answer.places);
  std::vector<double> growth;
  for (const RowSums& sums : answer.rows) growth.push_back(GrowthOf(sums, places));
  RefineScales(coded, *std::ranges::max_element(growth));
  for (std::size_t row = 0; row < growth.size(); ++row) {
    std::uint8_t& multiple = coded.multiples[row];
    const double before = multiple;
    multiple =
        static_cast<std::uint8_t>(std::clamp(std::nearbyint(before * growth[row]), 1.0, 255.0));
    // The sums without the bias grow; their mean stays.
    double& bias = (*coded.bias)[row];
    bias = answer.rows[row].y / places - (answer.rows[row].got / places - bias) * multiple / before;
  }
}

}  // namespace

Status UnshrinkAnswers(const Graph& graph, const std::vector<CodedProduct>& products,
                       std::size_t count, const SampleSource& source,
                       const UnshrinkOptions& options, Graph& small,
                       std::vector<CodedWeights>& coded) {
  const std::set<NodeId> last = LastProducts(graph, products);
  std::vector<Answer> answers;
  std::vector<Watch> watched;
  for (std::size_t i = 0; i < products.size(); ++i) {
    const Candidate& c = products[i].candidate;
    std::optional<Patches> patches = Patches::Of(graph, c);
    const std::size_t rows = products[i].matrix.rows();
    if (!last.contains(c.node) || !patches || rows == 0) continue;
    answers.push_back(
        {.product = i, .patches = *std::move(patches), .rows = std::vector<RowSums>(rows)});
    watched.push_back({graph.node(c.node).outputs[0]});
  }
  if (answers.empty()) return {};
  const ObserveOptions observe = {.threads = options.threads};
  ATH_TRY(Watcher real, Watcher::Open(graph, watched, observe));
  ATH_TRY(Watcher rounded, Watcher::Open(small, watched, observe));
  const std::size_t samples = std::min(count, options.samples);
  for (std::size_t sample = count - samples; sample < count; ++sample) {
    const SampleSource one = [&](std::size_t) { return source(sample); };
    std::vector<Tensor> wanted(answers.size());
    ATH_RETURN_IF_ERROR(real.ForEach(1, one, [&](std::size_t i, const Tensor& y) {
      ATH_TRY(wanted[i], y.Clone());
      return Status();
    }));
    ATH_RETURN_IF_ERROR(rounded.ForEach(1, one, [&](std::size_t i, const Tensor& y) {
      answers[i].Add(wanted[i], y);
      return Status();
    }));
  }
  for (const Answer& answer : answers) {
    CodedWeights& changed = coded[answer.product];
    if (answer.places < kLeastPlaces || !changed.bias) continue;
    Apply(answer, changed);
    ATH_RETURN_IF_ERROR(UseRounded(small, products[answer.product], changed));
  }
  return {};
}

}  // namespace athanor::quant
