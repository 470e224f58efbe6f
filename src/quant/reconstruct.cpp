#include "quant/reconstruct.h"

#include <algorithm>
#include <cmath>

#include "passes/clean.h"
#include "quant/patches.h"
#include "quant/shared_weights.h"
#include "quant/unshrink.h"

namespace athanor::quant {
namespace {

constexpr std::size_t kMostColumns = 2304;                 // larger matrices take too long
constexpr std::size_t kMostValues = std::size_t{1} << 27;  // of float outputs that are kept

// What each product gives in the float graph, at places spread over the samples.
struct Targets {
  std::vector<std::optional<Patches>> patches;  // nothing: the product is left as it is
  std::vector<std::vector<float>> outputs;      // places * rows, in order of the samples
  std::size_t wanted = 0;                       // places per sample
};

std::size_t TakenOf(std::size_t places, std::size_t wanted) { return std::min(places, wanted); }

Result<Targets> CollectTargets(const Graph& graph, const std::vector<CodedProduct>& products,
                               std::size_t samples, const SampleSource& source,
                               const ReconstructOptions& options) {
  Targets targets;
  std::vector<Watch> watched;
  std::size_t rows = 1;
  for (const CodedProduct& product : products) {
    targets.patches.push_back(Patches::Of(graph, product.candidate));
    watched.push_back({graph.node(product.candidate.node).outputs[0]});
    rows += product.matrix.rows();
  }
  targets.outputs.resize(products.size());
  const std::size_t places = std::min(options.places, kMostValues / rows);
  targets.wanted = std::max<std::size_t>(1, (places + samples - 1) / samples);
  ATH_TRY(Watcher watcher, Watcher::Open(graph, watched, {.threads = options.threads}));
  std::vector<std::size_t> sample(products.size(), 0);
  std::vector<float> row;
  ATH_RETURN_IF_ERROR(watcher.ForEach(samples, source, [&](std::size_t i, const Tensor& y) {
    if (!targets.patches[i]) return Status();
    const Patches& patches = *targets.patches[i];
    const std::size_t all = patches.CountOutput(y), taken = TakenOf(all, targets.wanted);
    for (std::size_t k = 0; k < taken; ++k) {
      patches.CutOutput(y, SpreadPlace(k, taken, all, sample[i]), row);
      targets.outputs[i].insert(targets.outputs[i].end(), row.begin(), row.end());
    }
    ++sample[i];
    return Status();
  }));
  return targets;
}

// The part of a graph that makes a value, as far as its outputs allow.
Result<Graph> PartBefore(const Graph& graph, ValueId value) {
  Graph part = graph.Clone();
  std::vector<ValueId> ends;
  for (const GraphOutput& output : graph.outputs()) ends.push_back(output.value);
  for (const ValueId end : ends) {
    if (end != value && part.value(end).users.empty()) part.ReplaceUses(end, value);
  }
  ATH_RETURN_IF_ERROR(passes::EraseDeadNodes(part).status());
  return part;
}

struct ProductMoments {
  std::vector<GroupMoments> groups;
  std::vector<double> target;  // E[y], one per row
  std::vector<double> energy;  // E[y^2]
};

class MomentSums {
 public:
  MomentSums(const CodedProduct& product, const Patches& patches, const std::vector<float>& targets,
             std::size_t wanted)
      : patches_(patches), rows_(product.matrix.rows()), targets_(targets), wanted_(wanted) {
    const std::size_t columns = patches.columns();
    sums_.target.assign(rows_, 0.0);
    sums_.energy.assign(rows_, 0.0);
    for (std::size_t group = 0; group < patches.groups(); ++group) {
      sums_.groups.push_back({.gram = std::vector<double>(columns * columns, 0.0),
                              .cross = std::vector<double>(PerGroup() * columns, 0.0),
                              .mean = std::vector<double>(columns, 0.0)});
    }
  }

  void Add(const Tensor& x) {
    const std::size_t all = patches_.Count(x), taken = TakenOf(all, wanted_);
    for (std::size_t i = 0; i < taken && (places_ + 1) * rows_ <= targets_.size(); ++i) {
      const std::size_t place = SpreadPlace(i, taken, all, sample_);
      const std::span<const float> y = std::span(targets_).subspan(places_ * rows_, rows_);
      for (std::size_t row = 0; row < rows_; ++row) {
        const double value = y[row];
        sums_.target[row] += value;
        sums_.energy[row] += value * value;
      }
      for (std::size_t group = 0; group < sums_.groups.size(); ++group) {
        patches_.Cut(x, group, place, columns_);
        AddPlace(y.subspan(group * PerGroup(), PerGroup()), sums_.groups[group]);
      }
      ++places_;
    }
    ++sample_;
  }

  // Nothing when no place was seen.
  std::optional<ProductMoments> Means() && {
    if (places_ == 0) return std::nullopt;
    const double share = 1 / static_cast<double>(places_);
    const auto scale = [share](std::vector<double>& values) {
      for (double& value : values) value *= share;
    };
    scale(sums_.target);
    scale(sums_.energy);
    const std::size_t n = patches_.columns();
    for (GroupMoments& group : sums_.groups) {
      scale(group.gram);
      scale(group.cross);
      scale(group.mean);
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = i; j < n; ++j) group.gram[j * n + i] = group.gram[i * n + j];
      }
    }
    return std::move(sums_);
  }

 private:
  std::size_t PerGroup() const { return rows_ / patches_.groups(); }

  void AddPlace(std::span<const float> y, GroupMoments& group) {
    AddOuter(columns_, group.gram);
    for (std::size_t k = 0; k < columns_.size(); ++k) group.mean[k] += columns_[k];
    for (std::size_t row = 0; row < y.size(); ++row) {
      double* cross = group.cross.data() + row * columns_.size();
      const double value = y[row];
      for (std::size_t k = 0; k < columns_.size(); ++k) cross[k] += value * columns_[k];
    }
  }

  const Patches& patches_;
  std::size_t rows_;
  const std::vector<float>& targets_;
  std::size_t wanted_;
  std::size_t places_ = 0, sample_ = 0;
  std::vector<float> columns_;
  ProductMoments sums_;
};

double Inner(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

std::vector<double> Times(std::span<const double> row, const std::vector<double>& square) {
  const std::size_t n = row.size();
  std::vector<double> result(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) result[j] += row[i] * square[i * n + j];
  }
  return result;
}

std::vector<double> Integers(const CodedWeights& coded, std::size_t row, std::size_t columns) {
  const auto from = coded.integers.begin() + static_cast<std::ptrdiff_t>(row * columns);
  return {from, from + static_cast<std::ptrdiff_t>(columns)};
}

// Rounds one product and says what its weights and bias are then.
class Rebuilder {
 public:
  Rebuilder(const CodedProduct& product, const ProductMoments& moments,
            const ReconstructOptions& options)
      : product_{.candidate = product.candidate, .matrix = product.matrix, .rows = product.rows},
        moments_(moments),
        options_(options),
        biased_(options.bias && product.candidate.bias) {
    for (const GroupMoments& group : moments.groups) {
      squares_.push_back(biased_ ? Covariances(group.gram, group.mean) : group.gram);
      product_.rounding.emplace_back(group.mean.size(), &squares_.back(), options.damping);
    }
  }

  CodedWeights Run(const CodeOptions& how, ThreadPool& pool) {
    if (options_.refit) Refit(pool);
    if (biased_) SetMeans();
    CodedWeights coded = Code(product_, how, pool);
    if (options_.refit) FitScales(coded);
    CorrectBias(product_, coded);
    return coded;
  }
  // Integers and scales of the product that reads the same weights first.
  CodedWeights Take(CodedWeights coded) {
    if (biased_) SetMeans();
    coded.bias.reset();
    CorrectBias(product_, coded);
    return coded;
  }

 private:
  std::size_t PerGroup() const { return product_.matrix.rows() / moments_.groups.size(); }

  void Refit(ThreadPool& pool) {
    const std::size_t size = PerGroup() * product_.matrix.columns();
    pool.ParallelFor(std::ssize(moments_.groups), 1, [&](std::int64_t from, std::int64_t to) {
      for (auto group = static_cast<std::size_t>(from); group < static_cast<std::size_t>(to);
           ++group) {
        const std::span<double> rows = std::span(product_.rows).subspan(group * size, size);
        const std::vector<double> fitted =
            RefitRows(rows, moments_.groups[group],
                      std::span(moments_.target).subspan(group * PerGroup(), PerGroup()), biased_,
                      options_.nearness);
        std::copy(fitted.begin(), fitted.end(), rows.begin());
      }
    });
  }

  // The bias with which the weights as they are now give the mean that is wanted.
  void SetMeans() {
    for (const GroupMoments& group : moments_.groups) product_.means.push_back(group.mean);
    product_.bias = moments_.target;
    for (std::size_t row = 0; row < product_.bias.size(); ++row)
      product_.bias[row] -= Inner(product_.Row(row), product_.means[row / PerGroup()]);
  }

  // Least squares answer noise with less of everything: the strongest outputs, which detections
  // are made of, shrink most. The scale that gives the row's sums the energy that they had costs
  // next to nothing: with a correlation of r the error is 2 - 2r instead of 1 - r^2.
  // `energy`: of the sums on a scale of 1.
  double KeepEnergy(double scale, double energy, std::size_t row) const {
    constexpr double kMostGrowth = 1.25;
    const double mean = biased_ ? moments_.target[row] : 0;
    const double wanted = moments_.energy[row] - mean * mean;
    if (!(scale > 0) || !(wanted > 0)) return scale;
    return std::clamp(std::sqrt(wanted / energy), scale, kMostGrowth * scale);
  }

  // Of the integers as they are, by least squares and with the energy that is wanted.
  void FitScales(CodedWeights& coded) const {
    constexpr double kMostChange = 1.5;
    const std::size_t columns = product_.matrix.columns();
    for (std::size_t row = 0; row < product_.matrix.rows(); ++row) {
      const std::vector<double> q = Integers(coded, row, columns);
      const std::vector<double> qc = Times(q, squares_[row / PerGroup()]);
      const double energy = Inner(qc, q), now = coded.Scale(row);
      if (!(energy > 0)) continue;
      const double best = KeepEnergy(Inner(qc, product_.Row(row)) / energy, energy, row);
      if (!(best > now / kMostChange && best < now * kMostChange)) continue;
      const double units = std::nearbyint(std::ldexp(best, -coded.exponent));
      coded.multiples[row] = static_cast<std::uint8_t>(std::clamp(units, 1.0, 255.0));
    }
  }

  CodedProduct product_;
  const ProductMoments& moments_;
  const ReconstructOptions& options_;
  bool biased_;
  std::vector<std::vector<double>> squares_;  // of each group
};

}  // namespace

Status UseRounded(Graph& graph, const CodedProduct& product, const CodedWeights& coded) {
  const Candidate& c = product.candidate;
  const WeightMatrix& matrix = product.matrix;
  const Dims dims = graph.Constant(graph.node(c.node).inputs[*c.weights])->dims();
  ATH_TRY(Tensor values, Tensor::Allocate(DType::kF32, dims));
  const auto out = values.MutableData<float>();
  for (std::size_t row = 0; row < matrix.rows(); ++row) {
    for (std::size_t k = 0; k < matrix.columns(); ++k) {
      out[matrix.At(row, k)] =
          coded.Scale(row) * static_cast<float>(coded.integers[row * matrix.columns() + k]);
    }
  }
  graph.SetInput(c.node, *c.weights, graph.AddConstant(std::move(values)));
  if (!coded.bias) return {};
  const std::vector<float> bias(coded.bias->begin(), coded.bias->end());
  graph.SetInput(c.node, *c.bias,
                 graph.AddConstant(Tensor::FromVector<float>({std::ssize(bias)}, bias)));
  return {};
}

std::vector<double> RefitRows(std::span<const double> w, const GroupMoments& moments,
                              std::span<const double> target, bool biased, double nearness) {
  const std::size_t columns = moments.mean.size();
  const std::vector<double> square =
      biased ? Covariances(moments.gram, moments.mean) : moments.gram;
  const RowRounding solver(columns, &square, nearness);
  std::vector<double> result(w.begin(), w.end());
  for (std::size_t row = 0; row < target.size(); ++row) {
    // What the old weights lack: (E[y xT] - w E[x xT]).
    std::vector<double> lack(
        moments.cross.begin() + static_cast<std::ptrdiff_t>(row * columns),
        moments.cross.begin() + static_cast<std::ptrdiff_t>((row + 1) * columns));
    const std::vector<double> given = Times(w.subspan(row * columns, columns), square);
    for (std::size_t k = 0; k < columns; ++k)
      lack[k] -= given[k] + (biased ? target[row] * moments.mean[k] : 0);
    const std::vector<double> change = solver.Solve(lack);
    for (std::size_t k = 0; k < columns; ++k) result[row * columns + k] += change[k];
  }
  return result;
}

Result<std::vector<CodedWeights>> Reconstruct(const Graph& graph,
                                              const std::vector<CodedProduct>& products,
                                              const std::vector<double>& fineness,
                                              std::size_t count, const SampleSource& source,
                                              const ReconstructOptions& options) {
  const std::size_t samples = std::min(count, options.samples);
  ATH_TRY(const Targets targets, CollectTargets(graph, products, samples, source, options));
  ThreadPool pool(options.threads);
  Graph now = graph.Clone();
  const std::vector<std::size_t> first = FirstReaders(graph, products);
  std::vector<CodedWeights> result;
  for (std::size_t i = 0; i < products.size(); ++i) {
    const CodedProduct& product = products[i];
    std::optional<ProductMoments> moments;
    if (targets.patches[i] && targets.patches[i]->columns() <= kMostColumns) {
      const ValueId data =
          now.node(product.candidate.node).inputs[product.candidate.activations[0]];
      ATH_TRY(const Graph part, PartBefore(now, data));
      ATH_TRY(Watcher watcher, Watcher::Open(part, {{data}}, {.threads = options.threads}));
      MomentSums sums(product, *targets.patches[i], targets.outputs[i], targets.wanted);
      ATH_RETURN_IF_ERROR(watcher.ForEach(samples, source, [&](std::size_t, const Tensor& x) {
        sums.Add(x);
        return Status();
      }));
      moments = std::move(sums).Means();
    }
    CodeOptions how = options.code;
    how.fineness = fineness[i];
    if (!moments)
      result.push_back(Code(product, how, pool));
    else if (first[i] < i)
      result.push_back(Rebuilder(product, *moments, options).Take(result[first[i]]));
    else
      result.push_back(Rebuilder(product, *moments, options).Run(how, pool));
    ATH_RETURN_IF_ERROR(UseRounded(now, product, result.back()));
    if (options.after_product) options.after_product();
  }
  if (options.refit) {
    ATH_RETURN_IF_ERROR(
        UnshrinkAnswers(graph, products, count, source, {.threads = options.threads}, now, result));
  }
  return result;
}

}  // namespace athanor::quant
