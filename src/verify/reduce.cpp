#include "verify/reduce.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "ir/evaluate.h"
#include "verify/layout.h"
#include "verify/random_inputs.h"

namespace athanor {
namespace {

// Lengths and axes: a graph whose shapes depend on an input is another graph.
constexpr std::int64_t kShortList = 64;

bool IsShortList(const Datum& datum) {
  return datum.IsTensor() && IsInteger(datum.tensor().dtype()) && datum.tensor().rank() <= 1 &&
         datum.tensor().count() <= kShortList;
}

// What the values of a graph are on its inputs; those of nodes behind a failure are missing.
std::map<ValueId, Datum> ValuesOf(const Candidate& candidate) {
  std::map<ValueId, Datum> values;
  const Graph& graph = candidate.graph;
  for (std::size_t i = 0; i < graph.inputs().size(); ++i)
    values[graph.inputs()[i]] = candidate.inputs[i];
  EvaluateOptions options;
  options.observer = [&](const Graph& inner, NodeId id, std::span<const Datum> outputs) {
    if (&inner != &graph) return;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (graph.node(id).outputs[i] != kNoValue) values[graph.node(id).outputs[i]] = outputs[i];
    }
  };
  const auto ignored = Evaluate(graph, candidate.inputs, options);
  (void)ignored;
  return values;
}

// How a graph is written anew.
struct Changes {
  const std::set<NodeId>* keep = nullptr;  // nullptr: every node
  bool cut_to_constants = false;           // what kept nodes read of others; else inputs
  // Of the values of inputs and constants.
  std::function<Result<Tensor>(const Tensor&)> input = {}, constant = {};
  std::size_t only_input = SIZE_MAX;  // `input` is for this one alone
  std::size_t skip_output = SIZE_MAX;
  bool numbers_only = false;  // inputs have the sizes at hand instead of symbols
};

// Writes the part of a graph that is kept as a graph of its own.
class Writer {
 public:
  Writer(const Candidate& from, const std::map<ValueId, Datum>& values, const Changes& changes)
      : from_(from.graph),
        given_(from.inputs),
        values_(values),
        changes_(changes),
        made_{Graph(from.graph.catalog(), from.graph.name()), {}} {}

  Result<Candidate> Run() {
    ATH_TRY(const std::vector<NodeId> order, from_.Order());
    // Inputs first, in their order, where something that is kept reads them.
    for (std::size_t i = 0; i < from_.inputs().size(); ++i) {
      if (IsRead(from_.inputs()[i])) ATH_RETURN_IF_ERROR(AddOldInput(i));
    }
    for (const NodeId id : order) {
      if (IsKept(id)) ATH_RETURN_IF_ERROR(AddNode(id));
    }
    ATH_RETURN_IF_ERROR(AddOutputs(order));
    ATH_RETURN_IF_ERROR(made_.graph.InferTypes());  // bodies see what they capture
    ATH_RETURN_IF_ERROR(Verify(made_.graph));
    return std::move(made_);
  }

 private:
  bool IsKept(NodeId id) const { return changes_.keep == nullptr || changes_.keep->count(id) > 0; }
  bool IsRead(ValueId id) const {
    const std::vector<NodeId>& users = from_.value(id).users;
    return std::any_of(users.begin(), users.end(), [&](NodeId user) { return IsKept(user); });
  }

  Status AddOldInput(std::size_t index) {
    const ValueId id = from_.inputs()[index];
    const bool is_meant = changes_.only_input == SIZE_MAX || changes_.only_input == index;
    if (changes_.numbers_only) return AddInput(id, given_[index], Type::Of(given_[index]));
    if (!is_meant || !changes_.input || !given_[index].IsTensor())
      return AddInput(id, given_[index], from_.value(id).type);
    ATH_TRY(const Tensor changed, changes_.input(given_[index].tensor()));
    const bool is_same = changed.dims() == given_[index].tensor().dims();
    return AddInput(id, changed, is_same ? from_.value(id).type : Type::Of(changed));
  }

  Status AddInput(ValueId id, const Datum& datum, Type type) {
    std::string name = from_.value(id).name;
    if (name.empty()) name = fmt::format("cut{}", static_cast<std::uint32_t>(id));
    ids_[id] = made_.graph.AddInput(std::move(name), std::move(type));
    made_.inputs.push_back(datum);
    return {};
  }

  Status AddConstant(ValueId id, const Tensor& tensor) {
    Tensor value = tensor;
    if (changes_.constant) {
      ATH_TRY(value, changes_.constant(tensor));
    }
    ids_[id] = made_.graph.AddConstant(std::move(value), from_.value(id).name);
    return {};
  }

  // A value that a node which is left out would give.
  Status AddCut(ValueId id) {
    Datum datum;
    const auto known = values_.find(id);
    if (known != values_.end()) {
      datum = known->second;
    } else {
      ATH_TRY(datum, RandomTensor(from_.value(id).type, static_cast<std::uint64_t>(id)));
    }
    const bool constant = changes_.cut_to_constants || IsShortList(datum);
    if (constant && datum.IsTensor()) return AddConstant(id, datum.tensor());
    return AddInput(id, datum, Type::Of(datum));
  }

  Result<ValueId> Mapped(ValueId id) {
    if (id == kNoValue) return kNoValue;
    if (ids_.count(id) == 0) {
      const Tensor* const constant = from_.Constant(id);
      ATH_RETURN_IF_ERROR(constant != nullptr ? AddConstant(id, *constant) : AddCut(id));
    }
    return ids_[id];
  }

  Status AddNode(NodeId id) {
    const Node& node = from_.node(id);
    Graph::NewNode twin = {.op = node.op->name,
                           .attributes = node.attributes,
                           .num_outputs = node.outputs.size(),
                           .captures = node.captures,
                           .name = node.name};
    for (const ValueId input : node.inputs) {
      ATH_TRY(const ValueId mapped, Mapped(input));
      twin.inputs.push_back(mapped);
    }
    for (const ValueId output : node.outputs) {
      twin.omitted_outputs.push_back(output == kNoValue);
      twin.output_names.push_back(output == kNoValue ? "" : from_.value(output).name);
    }
    for (const auto& body : node.bodies)
      twin.bodies.push_back(std::make_unique<Graph>(body->Clone()));
    ATH_TRY(const NodeId made, made_.graph.AddNode(std::move(twin)));
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) ids_[node.outputs[i]] = made_.graph.node(made).outputs[i];
    }
    return {};
  }

  // Those of the graph that are still made, and what nobody reads any more.
  Status AddOutputs(const std::vector<NodeId>& order) {
    std::set<ValueId> added;
    for (std::size_t i = 0; i < from_.outputs().size(); ++i) {
      const GraphOutput& output = from_.outputs()[i];
      const NodeId producer = from_.value(output.value).producer;
      if (i == changes_.skip_output || producer == kNoNode || !IsKept(producer)) continue;
      made_.graph.AddOutput(output.name, ids_[output.value]);
      added.insert(output.value);
    }
    for (const NodeId id : order) {
      if (!IsKept(id)) continue;
      for (const ValueId output : from_.node(id).outputs) {
        if (output == kNoValue || IsRead(output) || !added.insert(output).second) continue;
        std::string name = from_.value(output).name;
        if (name.empty()) name = fmt::format("out{}", static_cast<std::uint32_t>(output));
        made_.graph.AddOutput(std::move(name), ids_[output]);
      }
    }
    if (made_.graph.outputs().empty())
      return Error(ErrorCode::kInvalidInput, "nothing is left that could be asked for");
    return {};
  }

  const Graph& from_;
  const std::vector<Datum>& given_;
  const std::map<ValueId, Datum>& values_;
  const Changes& changes_;
  Candidate made_;
  std::map<ValueId, ValueId> ids_;
};

// The corner of a tensor where every index is smallest: `dims` is nowhere longer than it.
Result<Tensor> Corner(const Tensor& tensor, const Dims& dims) {
  return Gathered(tensor, dims, RowMajorStrides(tensor.dims()));
}

// The first `to` along every axis that is `from` long; of a list of lengths, the entries `from`.
Result<Tensor> Shortened(const Tensor& tensor, std::int64_t from, std::int64_t to) {
  Dims dims = tensor.dims();
  std::replace(dims.begin(), dims.end(), from, to);
  ATH_TRY(Tensor result, Corner(tensor, dims));
  if (result.dtype() == DType::kI64 && IsShortList(result) && result.rank() == 1) {
    const auto values = result.MutableData<std::int64_t>();
    std::replace(values.begin(), values.end(), from, to);
  }
  return result;
}

// All elements zero, or one where the type has a one.
Result<Tensor> Filled(const Tensor& tensor, bool ones) {
  ATH_TRY(Tensor result, Tensor::Allocate(tensor.dtype(), tensor.dims()));
  std::memset(result.mutable_raw(), 0, result.bytes());
  if (!ones) return result;
  if (tensor.dtype() != DType::kF32)
    return Error(ErrorCode::kInvalidInput, "only floats are filled with ones");
  const auto values = result.MutableData<float>();
  std::fill(values.begin(), values.end(), 1.0F);
  return result;
}

class Reducer {
 public:
  Reducer(Candidate original, const FaultTest& fails, const ReduceOptions& options)
      : fails_(fails), options_(options), now_(std::move(original)) {}

  Result<Reduced> Run() {
    ++tests_;
    ATH_TRY(const bool at_all, fails_(now_));
    if (!at_all) return Error(ErrorCode::kInvalidInput, "the model as it is shows no such fault");
    ATH_RETURN_IF_ERROR(Try({.numbers_only = true}).status());
    constexpr int kMostRounds = 8;
    for (int round = 0; round < kMostRounds; ++round) {
      const std::size_t before = accepted_;
      for (const auto step : {&Reducer::LeaveNodesOut, &Reducer::LeaveOutputsOut,
                              &Reducer::PassNodesBy, &Reducer::Shorten, &Reducer::FillConstants}) {
        ATH_RETURN_IF_ERROR((this->*step)());
      }
      if (accepted_ == before || stopped_) break;
    }
    return Reduced{std::move(now_), tests_, stopped_};
  }

 private:
  // Takes the candidate when it fails as well.
  Result<bool> Try(Result<Candidate> candidate) {
    if (!candidate.ok()) return false;  // it is no graph
    if (options_.stop && options_.stop()) stopped_ = true;
    if (stopped_) return false;
    ++tests_;
    ATH_TRY(const bool failing, fails_(*candidate));
    if (options_.stop && options_.stop()) stopped_ = true;  // a test that was cut off says nothing
    if (!failing || stopped_) return false;
    now_ = *std::move(candidate);
    ++accepted_;
    if (options_.smaller) ATH_RETURN_IF_ERROR(options_.smaller(now_));
    return true;
  }
  Result<bool> Try(const Changes& changes) { return Try(Writer(now_, kNoValues, changes).Run()); }

  // The smallest list of nodes, one at the least, with which it still fails. All parts are taken
  // of the graph that the phase started with.
  Status LeaveNodesOut() {
    const Candidate whole = {now_.graph.Clone(), now_.inputs};
    const std::map<ValueId, Datum> values = ValuesOf(whole);
    ATH_TRY(std::vector<NodeId> list, whole.graph.Order());
    bool constants = false;  // what did last
    const auto try_list = [&](const std::vector<NodeId>& nodes) -> Result<bool> {
      const std::set<NodeId> keep(nodes.begin(), nodes.end());
      for (const bool to_constants : {constants, !constants}) {
        ATH_TRY(
            const bool failing,
            Try(Writer(whole, values, {.keep = &keep, .cut_to_constants = to_constants}).Run()));
        if (!failing) continue;
        constants = to_constants;
        return true;
      }
      return false;
    };
    for (std::size_t parts = 2; list.size() > 1 && !stopped_;) {
      ATH_TRY(const bool shorter, TryParts(list, parts, try_list));
      if (shorter) continue;
      if (parts >= list.size()) break;
      parts = std::min(2 * parts, list.size());
    }
    return {};
  }

  using TryList = std::function<Result<bool>(const std::vector<NodeId>&)>;

  // Each of `parts` parts alone, then all but each.
  static Result<bool> TryParts(std::vector<NodeId>& list, std::size_t& parts,
                               const TryList& try_list) {
    const auto bound = [&](std::size_t i) {
      return list.begin() + static_cast<std::ptrdiff_t>(list.size() * i / parts);
    };
    for (std::size_t i = 0; i < parts; ++i) {
      std::vector<NodeId> part(bound(i), bound(i + 1));
      ATH_TRY(const bool failing, try_list(part));
      if (!failing) continue;
      list = std::move(part);
      parts = 2;
      return true;
    }
    for (std::size_t i = 0; i < parts && parts > 2; ++i) {
      std::vector<NodeId> others(list.begin(), bound(i));
      others.insert(others.end(), bound(i + 1), list.end());
      ATH_TRY(const bool failing, try_list(others));
      if (!failing) continue;
      list = std::move(others);
      parts = std::max<std::size_t>(parts - 1, 2);
      return true;
    }
    return false;
  }

  Status LeaveOutputsOut() {
    for (std::size_t i = now_.graph.outputs().size(); i-- > 0;) {
      const ValueId value = now_.graph.outputs()[i].value;
      if (now_.graph.value(value).users.empty()) continue;
      ATH_RETURN_IF_ERROR(Try({.skip_output = i}).status());
    }
    return {};
  }

  // A node whose output has the type of one of its inputs goes, and the input takes its place.
  Status PassNodesBy() {
    ATH_TRY(const std::vector<NodeId> order, now_.graph.Order());
    for (std::size_t n = 0; n < order.size() && now_.graph.num_nodes() > 1; ++n) {
      ATH_TRY(const std::vector<NodeId> now, now_.graph.Order());
      if (n >= now.size()) break;
      const Node& node = now_.graph.node(now[n]);
      for (const ValueId input : node.inputs) {
        const ValueId output = node.outputs.empty() ? kNoValue : node.outputs[0];
        if (input == kNoValue || output == kNoValue || now_.graph.Constant(input) != nullptr)
          continue;
        const Value &given = now_.graph.value(input), &made = now_.graph.value(output);
        if (!(given.type == made.type) || made.users.empty()) continue;
        Candidate shorter = {now_.graph.Clone(), now_.inputs};
        shorter.graph.ReplaceUses(output, input);
        std::set<NodeId> keep(now.begin(), now.end());
        keep.erase(now[n]);
        ATH_TRY(const bool failing, Try(Writer(shorter, kNoValues, {.keep = &keep}).Run()));
        if (!failing) continue;
        --n;  // the next has its place
        break;
      }
    }
    return {};
  }

  // Every length that occurs, the largest first.
  std::vector<std::int64_t> Lengths() const {
    std::set<std::int64_t, std::greater<>> lengths;
    const auto add = [&](const Dims& dims) {
      for (const std::int64_t dim : dims) {
        if (dim > 1) lengths.insert(dim);
      }
    };
    for (const Datum& input : now_.inputs) {
      if (input.IsTensor()) add(input.tensor().dims());
    }
    for (std::size_t i = 0; i < now_.graph.value_capacity(); ++i) {
      const auto id = static_cast<ValueId>(i);
      const Tensor* constant = now_.graph.Constant(id);
      if (constant != nullptr && now_.graph.num_uses(id) > 0) add(constant->dims());
    }
    return {lengths.begin(), lengths.end()};
  }

  static std::vector<std::int64_t> Shorter(std::int64_t length) {
    std::vector<std::int64_t> shorter;
    for (const std::int64_t to : {std::int64_t{1}, std::int64_t{2}, length / 4, length / 2}) {
      if (to >= 1 && to < length && (shorter.empty() || to > shorter.back())) shorter.push_back(to);
    }
    return shorter;
  }

  Status Shorten() {
    for (const std::int64_t from : Lengths()) {
      for (const std::int64_t to : Shorter(from)) {
        const auto change = [&](const Tensor& tensor) { return Shortened(tensor, from, to); };
        ATH_TRY(const bool failing, Try({.input = change, .constant = change}));
        if (failing) break;
      }
    }
    for (std::size_t i = 0; i < now_.inputs.size(); ++i) {
      if (!now_.inputs[i].IsTensor()) continue;
      for (std::size_t axis = 0; axis < now_.inputs[i].tensor().dims().size(); ++axis)
        ATH_RETURN_IF_ERROR(ShortenAxis(i, axis));
    }
    return {};
  }

  Status ShortenAxis(std::size_t input, std::size_t axis) {
    const std::int64_t from = now_.inputs[input].tensor().dims()[axis];
    for (const std::int64_t to : Shorter(from)) {
      const auto change = [&](const Tensor& tensor) {
        Dims dims = tensor.dims();
        dims[axis] = to;
        return Corner(tensor, dims);
      };
      ATH_TRY(const bool failing, Try({.input = change, .only_input = input}));
      if (failing) break;
    }
    return {};
  }

  Status FillConstants() {
    std::vector<const void*> tried;  // constants that stay as they are
    for (;;) {
      const Tensor* largest = nullptr;
      for (std::size_t i = 0; i < now_.graph.value_capacity(); ++i) {
        const auto id = static_cast<ValueId>(i);
        const Tensor* constant = now_.graph.Constant(id);
        const bool is_new = constant != nullptr && now_.graph.num_uses(id) > 0 &&
                            constant->count() > 1 && IsFloat(constant->dtype()) &&
                            std::find(tried.begin(), tried.end(), constant->raw()) == tried.end();
        if (is_new && (largest == nullptr || constant->count() > largest->count()))
          largest = constant;
      }
      if (largest == nullptr || stopped_) return {};
      const Tensor tensor = *largest;
      tried.push_back(tensor.raw());
      for (const bool ones : {false, true}) {
        const Result<Tensor> filled = Filled(tensor, ones);
        if (!filled.ok()) continue;
        if (filled->SameAs(tensor)) break;
        const auto change = [&](const Tensor& one) -> Result<Tensor> {
          return one.raw() == tensor.raw() ? *filled : one;
        };
        ATH_TRY(const bool failing, Try({.constant = change}));
        if (!failing) continue;
        tried.push_back(filled->raw());
        kept_alive_.push_back(*filled);
        break;
      }
      kept_alive_.push_back(tensor);
    }
  }

  inline static const std::map<ValueId, Datum> kNoValues = {};

  const FaultTest& fails_;
  const ReduceOptions& options_;
  Candidate now_;
  std::size_t tests_ = 0, accepted_ = 0;
  bool stopped_ = false;
  std::vector<Tensor> kept_alive_;  // so that an address names one constant
};

}  // namespace

Result<Reduced> Reduce(Candidate original, const FaultTest& fails, const ReduceOptions& options) {
  return Reducer(std::move(original), fails, options).Run();
}

}  // namespace athanor
