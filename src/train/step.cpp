#include "train/step.h"

#include <algorithm>

#include "train/backward.h"

namespace athanor::train {
namespace {

// BatchNormalization keeps its statistics in inputs 3 and 4.
constexpr std::size_t kMeanInput = 3, kVarianceInput = 4;

class StepBuilder {
 public:
  StepBuilder(const Graph& model, const StepOptions& options)
      : graph_(model.Clone()), options_(options) {}

  Result<TrainingStep> Run() && {
    ATH_TRY(const Optimizer* const optimizer, FindOptimizer(options_.optimizer));
    ATH_RETURN_IF_ERROR(FixBatch());
    const ValueId scores = graph_.outputs()[0].value;
    ATH_RETURN_IF_ERROR(AddDataInputs(scores));
    ATH_RETURN_IF_ERROR(TrainNormalizations());
    const std::vector<ValueId> weights = TakeOutWeights();
    ATH_TRY(const ValueId loss, graph_.Add("SoftmaxCrossEntropyLoss",
                                           {graph_.outputs()[0].value, labels_}, {}, "loss"));
    ATH_TRY(const std::vector<ValueId> derivatives, AddBackward(graph_, loss, weights));
    return Finish(*optimizer, loss, weights, derivatives);
  }

 private:
  Status FixBatch() {
    if (graph_.inputs().size() != 1 || graph_.outputs().size() != 1) {
      return Unsupported("the model has {} inputs and {} outputs; one of each is trained",
                         graph_.inputs().size(), graph_.outputs().size());
    }
    const ValueId input = graph_.inputs()[0];
    Type type = graph_.value(input).type;
    if (!type.HasRank() || type.rank() < 1 || type.dtype != DType::kF32)
      return Unsupported("input {}: f32 with a batch dimension is trained", type.ToString());
    if (type.dim(0).IsConst() && type.dim(0).value() != options_.batch)
      return Unsupported("the model takes batches of {} only", type.dim(0).value());
    (*type.shape)[0] = options_.batch;
    graph_.SetInputType(input, std::move(type));
    return graph_.InferTypes();
  }

  Status AddDataInputs(ValueId scores) {
    const Type& type = graph_.value(scores).type;
    if (!type.HasRank() || type.rank() != 2 || type.dtype != DType::kF32)
      return Unsupported("the output is {}; f32[batch, classes] is trained", type.ToString());
    const auto scalar = [&](const char* name) {
      return graph_.AddInput(name, Type::Tensor(DType::kF32, {}));
    };
    labels_ = graph_.AddInput("labels", Type::Tensor(DType::kI64, {options_.batch}));
    rates_.learning_rate = scalar("learning_rate");
    rates_.first_correction = scalar("first_correction");
    rates_.second_correction = scalar("second_correction");
    return {};
  }

  // A constant of the model becomes an input of the step, and part of the state.
  ValueId TakeOut(ValueId constant) {
    const Value value = graph_.value(constant);
    const ValueId input = graph_.AddInput(value.name, value.type);
    graph_.ReplaceUses(constant, input);
    state_.push_back({value.name, constant, *value.constant});
    state_inputs_.push_back(input);
    return input;
  }

  // Normalise with the statistics of the batch, and follow them in the running ones.
  Status TrainNormalizations() {
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    for (const NodeId id : order) {
      if (graph_.node(id).op->name != "BatchNormalization") continue;
      const Node& node = graph_.node(id);
      Graph::NewNode trained = {.op = node.op->name,
                                .inputs = node.inputs,
                                .attributes = node.attributes,
                                .num_outputs = 3,
                                .name = node.name};
      trained.attributes.Set("training_mode", std::int64_t{1});
      const ValueId before = node.outputs[0];
      for (const std::size_t i : {kMeanInput, kVarianceInput}) {
        if (graph_.Constant(trained.inputs[i]) == nullptr)
          return Unsupported("node \"{}\": statistics that are computed", node.name);
      }
      ATH_TRY(const NodeId made, graph_.AddNode(std::move(trained)));
      const std::vector<ValueId> outputs = graph_.node(made).outputs;
      graph_.ReplaceUses(before, outputs[0]);
      graph_.EraseNode(id);
      for (const std::size_t i : {kMeanInput, kVarianceInput}) {
        statistics_.push_back(graph_.node(made).inputs[i]);
        new_statistics_.push_back(outputs[i - 2]);
      }
    }
    return {};
  }

  bool IsStatistic(ValueId id) const {
    return std::find(statistics_.begin(), statistics_.end(), id) != statistics_.end();
  }

  std::vector<ValueId> TakeOutWeights() {
    std::vector<ValueId> weights;
    const std::size_t count = graph_.value_capacity();
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = static_cast<ValueId>(i);
      const Tensor* constant = graph_.Constant(id);
      if (constant == nullptr || constant->dtype() != DType::kF32 || constant->rank() == 0 ||
          graph_.num_uses(id) == 0 || IsStatistic(id))
        continue;
      weights.push_back(TakeOut(id));
    }
    num_weights_ = weights.size();
    return weights;
  }

  Status AddUpdates(const Optimizer& optimizer, const std::vector<ValueId>& weights,
                    const std::vector<ValueId>& derivatives, std::vector<ValueId>& next) {
    const ValueId decay =
        options_.weight_decay == 0
            ? kNoValue
            : graph_.AddConstant(Tensor::Scalar(static_cast<float>(options_.weight_decay)));
    std::vector<ValueId> next_memory;
    std::vector<StateEntry> memory_state;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (derivatives[i] == kNoValue) {  // no influence on the loss: stays
        next.push_back(weights[i]);
        continue;
      }
      std::vector<ValueId> memory;
      const Tensor& start = state_[i].start;
      for (int m = 0; m < optimizer.memories; ++m) {
        ATH_TRY(Tensor zeros, Tensor::Allocate(start.dtype(), start.dims()));
        std::fill_n(zeros.MutableData<float>().begin(), zeros.count(), 0.0F);
        const std::string name = fmt::format("{}.{}{}", state_[i].name, optimizer.name, m);
        memory.push_back(graph_.AddInput(name, graph_.value(weights[i]).type));
        memory_state.push_back({name, kNoValue, std::move(zeros)});
      }
      Rates rates = rates_;
      rates.decay = start.rank() >= 2 ? decay : kNoValue;
      ATH_TRY(Update update, optimizer.update(graph_, rates, weights[i], derivatives[i], memory));
      next.push_back(update.weight);
      next_memory.insert(next_memory.end(), update.memory.begin(), update.memory.end());
      memory_inputs_.insert(memory_inputs_.end(), memory.begin(), memory.end());
    }
    for (const ValueId constant : statistics_) TakeOut(constant);
    next.insert(next.end(), new_statistics_.begin(), new_statistics_.end());
    next.insert(next.end(), next_memory.begin(), next_memory.end());
    std::move(memory_state.begin(), memory_state.end(), std::back_inserter(state_));
    return {};
  }

  // The scores are the model's own output, so they come first.
  Result<TrainingStep> Finish(const Optimizer& optimizer, ValueId loss,
                              const std::vector<ValueId>& weights,
                              const std::vector<ValueId>& derivatives) {
    std::vector<ValueId> next;
    ATH_RETURN_IF_ERROR(AddUpdates(optimizer, weights, derivatives, next));
    // Weights and statistics before the optimiser's memory, as the state has them.
    std::vector<ValueId> inputs = {graph_.inputs()[0], labels_, rates_.learning_rate,
                                   rates_.first_correction, rates_.second_correction};
    inputs.insert(inputs.end(), state_inputs_.begin(), state_inputs_.end());
    inputs.insert(inputs.end(), memory_inputs_.begin(), memory_inputs_.end());
    graph_.ReorderInputs(std::move(inputs));
    graph_.AddOutput("loss", loss);
    for (std::size_t i = 0; i < next.size(); ++i) graph_.AddOutput(state_[i].name, next[i]);
    ATH_RETURN_IF_ERROR(Verify(graph_));
    return TrainingStep{std::move(graph_), std::move(state_), num_weights_};
  }

  Graph graph_;
  const StepOptions& options_;
  ValueId labels_ = kNoValue;
  Rates rates_;
  std::vector<StateEntry> state_;
  std::vector<ValueId> state_inputs_, memory_inputs_;
  std::vector<ValueId> statistics_, new_statistics_;  // constants, and what follows them
  std::size_t num_weights_ = 0;
};

}  // namespace

Result<TrainingStep> BuildStep(const Graph& model, const StepOptions& options) {
  return StepBuilder(model, options).Run();
}

}  // namespace athanor::train
