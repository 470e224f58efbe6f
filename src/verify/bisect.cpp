#include "verify/bisect.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/text.h"
#include "verify/layout.h"
#include "verify/parity.h"

namespace athanor {
namespace {

constexpr std::size_t kNone = SIZE_MAX;

Dims WithoutOnes(const Dims& dims) {
  Dims sizes;
  std::copy_if(dims.begin(), dims.end(), std::back_inserter(sizes),
               [](std::int64_t size) { return size != 1; });
  return sizes;
}

// The same elements as doubles: precisions are compared with each other.
Result<Tensor> InDoubles(const Tensor& tensor) {
  ATH_TRY(const std::vector<double> values, ToDoubles(tensor));
  ATH_TRY(Tensor result, Tensor::Allocate(DType::kF64, tensor.dims()));
  std::copy(values.begin(), values.end(), result.MutableData<double>().begin());
  return result;
}

ValueError Judge(const Difference& difference, const BisectOptions& options) {
  ValueError error = {.rel_l2 = difference.rel_l2,
                      .max_abs = difference.max_abs,
                      .differs = false,
                      .reason = difference.reason,
                      .layout = ""};
  const bool comparable = difference.same_kind && std::isfinite(difference.max_abs);
  if (!comparable) error.rel_l2 = error.max_abs = INFINITY;
  error.differs = error.rel_l2 > options.rel_l2 && error.max_abs > options.atol;
  return error;
}

ValueError Unlike(std::string reason) {
  return {.rel_l2 = INFINITY,
          .max_abs = INFINITY,
          .differs = true,
          .reason = std::move(reason),
          .layout = ""};
}

ValueError ErrorOfTensors(const Tensor& actual, const Tensor& expected,
                          const BisectOptions& options) {
  const auto text = [](const Tensor& t) { return Type::Of(t).ToString(); };
  const Result<Tensor> a = InDoubles(actual), e = InDoubles(expected);
  if (!a.ok() || !e.ok())
    return Unlike(fmt::format("{} and {} cannot be compared", text(actual), text(expected)));
  const Tolerance tolerance = {.rtol = options.rel_l2, .atol = options.atol};
  std::optional<ValueError> best;
  const auto try_one = [&](const Tensor& one, const Axes& axes) {
    ValueError error = Judge(Compare(one, *e, tolerance), options);
    if (!axes.empty() && !IsIdentity(axes)) error.layout = LayoutText(axes);
    if (!best || error.rel_l2 < best->rel_l2) best = std::move(error);
  };
  const Shape wanted(expected.dims().begin(), expected.dims().end());
  for (const Axes& axes : LayoutsBetween(actual.dims(), wanted)) {
    if (best && !best->differs) break;
    const Result<Tensor> permuted = IsIdentity(axes) ? a : Permuted(*a, axes);
    if (permuted.ok()) try_one(*permuted, axes);
  }
  if (!best && WithoutOnes(actual.dims()) == WithoutOnes(expected.dims()))
    try_one(a->Reshaped(expected.dims()), {});
  if (!best) return Unlike(fmt::format("{}, expected {}", text(actual), text(expected)));
  // A difference that another order of axes does not explain is shown as it lies.
  if (best->differs) best->layout.clear();
  return *std::move(best);
}

}  // namespace

ValueError ErrorOf(const Datum& actual, const Datum& expected, const BisectOptions& options) {
  const auto is_text = [](const Datum& d) {
    return d.IsTensor() && d.tensor().dtype() == DType::kString;
  };
  if (actual.IsTensor() && expected.IsTensor() && !is_text(actual) && !is_text(expected))
    return ErrorOfTensors(actual.tensor(), expected.tensor(), options);
  const Difference difference =
      Compare(actual, expected, {.rtol = options.rel_l2, .atol = options.atol});
  if (!difference.pass && difference.rel_l2 == 0) return Unlike(difference.reason);
  return Judge(difference, options);
}

bool Bisection::differs() const {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const OutputError& output) { return output.error.differs; });
}

namespace {

// What a value was computed from, back to values that have a counterpart.
struct Cone {
  std::vector<TracedInput> inputs, constants;
  std::vector<std::string> ops;
};

void Collect(const Trace& trace, std::size_t index, const std::vector<std::size_t>& pair_of,
             std::set<std::size_t>& seen, Cone& cone) {
  for (const TracedInput& input : trace.values[index].inputs) {
    if (input.constant) {
      cone.constants.push_back(input);
      continue;
    }
    const bool matched = !input.value || pair_of[*input.value] != kNone;
    if (input.value && !seen.insert(*input.value).second) continue;
    if (matched)
      cone.inputs.push_back(input);
    else
      Collect(trace, *input.value, pair_of, seen, cone);
  }
  if (!trace.values[index].op.empty()) cone.ops.push_back(trace.values[index].op);
}

Cone ConeOf(const Trace& trace, std::size_t index, const std::vector<std::size_t>& pair_of) {
  Cone cone;
  std::set<std::size_t> seen = {index};
  Collect(trace, index, pair_of, seen, cone);
  return cone;
}

class Bisector {
 public:
  Bisector(const Trace& a, const Trace& b, const BisectOptions& options)
      : a_(a), b_(b), options_(options) {}

  Result<Bisection> Run() {
    ATH_TRY(const std::vector<AlignedPair> outputs, CompareOutputs());
    for (const AlignedPair& pair : Align(a_, b_, {.by_name = options_.by_name, .known = outputs})) {
      result_.pairs.push_back(
          {pair.a, pair.b, pair.by_name,
           ErrorOf(b_.values[pair.b].datum, a_.values[pair.a].datum, options_)});
    }
    // In the order of execution, which a recording does not know.
    std::sort(result_.pairs.begin(), result_.pairs.end(),
              [&](const ValuePair& x, const ValuePair& y) { return IndexIn(x) < IndexIn(y); });
    result_.only_a = a_.values.size() - result_.pairs.size();
    result_.only_b = b_.values.size() - result_.pairs.size();
    IndexPairs();
    if (b_.outputs.empty()) OutputsOfRecording();
    if (result_.differs()) FindSuspects();
    return std::move(result_);
  }

 private:
  // The pairs that the outputs make.
  Result<std::vector<AlignedPair>> CompareOutputs() {
    std::vector<AlignedPair> pairs;
    if (b_.outputs.empty()) return pairs;
    std::vector<NamedDatum> of_a, of_b;
    for (const TracedOutput& output : a_.outputs) of_a.push_back({output.name, output.datum});
    for (const TracedOutput& output : b_.outputs) of_b.push_back({output.name, output.datum});
    ATH_TRY(const std::vector<std::size_t> match, MatchOutputs(of_a, of_b));
    std::set<std::size_t> used_a, used_b;
    for (std::size_t i = 0; i < match.size(); ++i) {
      const TracedOutput &a = a_.outputs[i], &b = b_.outputs[match[i]];
      result_.outputs.push_back({a.name, ErrorOf(b.datum, a.datum, options_)});
      if (!a.value || !b.value) continue;
      const bool is_new = used_a.count(*a.value) == 0 && used_b.count(*b.value) == 0;
      used_a.insert(*a.value), used_b.insert(*b.value);
      if (is_new) pairs.push_back({*a.value, *b.value, a.name == b.name});
    }
    return pairs;
  }

  void OutputsOfRecording() {
    for (const TracedOutput& output : a_.outputs) {
      if (!output.value || pair_of_a_[*output.value] == kNone) continue;
      result_.outputs.push_back({output.name, result_.pairs[pair_of_a_[*output.value]].error});
    }
  }

  void IndexPairs() {
    pair_of_a_.assign(a_.values.size(), kNone);
    pair_of_b_.assign(b_.values.size(), kNone);
    for (std::size_t i = 0; i < result_.pairs.size(); ++i) {
      pair_of_a_[result_.pairs[i].a] = i;
      pair_of_b_[result_.pairs[i].b] = i;
    }
  }

  // A recording knows no nodes: then those of the first model say what came from what.
  bool by_a() const { return b_.outputs.empty(); }
  const Trace& nodes() const { return by_a() ? a_ : b_; }
  const std::vector<std::size_t>& pair_of() const { return by_a() ? pair_of_a_ : pair_of_b_; }
  std::size_t IndexIn(const ValuePair& pair) const { return by_a() ? pair.a : pair.b; }

  Cone ConeOfPair(std::size_t pair) const {
    return ConeOf(nodes(), IndexIn(result_.pairs[pair]), pair_of());
  }

  // Goes back from the outputs that differ through pairs that do: what differs elsewhere, such as
  // a value that one format keeps in another order, does no harm.
  void FindSuspects() {
    std::vector<std::size_t> open;
    std::set<std::size_t> seen;
    const auto reach = [&](std::size_t pair) {
      if (pair != kNone && result_.pairs[pair].error.differs && seen.insert(pair).second)
        open.push_back(pair);
    };
    for (const TracedOutput& output : nodes().outputs) {
      if (output.value) reach(pair_of()[*output.value]);
    }
    std::vector<std::size_t> found;
    while (!open.empty()) {
      const std::size_t pair = open.back();
      open.pop_back();
      bool inputs_agree = true;
      for (const TracedInput& input : ConeOfPair(pair).inputs) {
        if (!input.value) continue;
        const std::size_t before = pair_of()[*input.value];
        if (!result_.pairs[before].error.differs) continue;
        inputs_agree = false;
        reach(before);
      }
      if (inputs_agree) found.push_back(pair);
    }
    std::sort(found.begin(), found.end(), [&](std::size_t x, std::size_t y) {
      return IndexIn(result_.pairs[x]) < IndexIn(result_.pairs[y]);
    });
    for (const std::size_t pair : found) result_.suspects.push_back(Describe(pair));
  }

  Suspect Describe(std::size_t pair) const {
    const Cone cone = ConeOfPair(pair);
    Suspect suspect = {.pair = pair, .op = Join(cone.ops, ", "), .inputs = {}};
    for (const TracedInput& input : cone.inputs) {
      SuspectInput shown = {.name = input.name, .port = input.port, .type = ""};
      if (input.value) {
        shown.name = nodes().values[*input.value].name;
        shown.type = Type::Of(nodes().values[*input.value].datum).ToString();
        shown.error = result_.pairs[pair_of()[*input.value]].error;
      }
      suspect.inputs.push_back(std::move(shown));
    }
    AddConstants(pair, cone, suspect);
    return suspect;
  }

  // Constants of both sides belong together by position, where there are as many.
  void AddConstants(std::size_t pair, const Cone& cone, Suspect& suspect) const {
    const Cone other = by_a() ? Cone() : ConeOf(a_, result_.pairs[pair].a, pair_of_a_);
    for (std::size_t i = 0; i < cone.constants.size(); ++i) {
      const TracedInput& constant = cone.constants[i];
      SuspectInput shown = {.name = constant.name,
                            .port = constant.port,
                            .type = Type::Of(*constant.constant).ToString(),
                            .constant = true};
      if (other.constants.size() == cone.constants.size())
        shown.error = ErrorOf(*constant.constant, *other.constants[i].constant, options_);
      suspect.inputs.push_back(std::move(shown));
    }
  }

  const Trace& a_;
  const Trace& b_;
  const BisectOptions& options_;
  Bisection result_;
  std::vector<std::size_t> pair_of_a_, pair_of_b_;  // of each value; kNone without one
};

}  // namespace

Result<Bisection> Bisect(const Trace& a, const Trace& b, const BisectOptions& options) {
  return Bisector(a, b, options).Run();
}

}  // namespace athanor
