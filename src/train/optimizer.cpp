#include "train/optimizer.h"

#include "core/text.h"

namespace athanor::train {
namespace {

// Formulas as calls; the first failure is kept, what follows it does nothing.
class Formula {
 public:
  explicit Formula(Graph& graph) : graph_(graph) {}

  ValueId Op(std::string_view op, Operands inputs) {
    if (!status_.ok()) return kNoValue;
    Result<ValueId> value = graph_.Add(op, inputs);
    if (value.ok()) return *value;
    status_ = std::move(value).status();
    return kNoValue;
  }
  ValueId Number(double value) {
    return graph_.AddConstant(Tensor::Scalar(static_cast<float>(value)));
  }
  ValueId Scaled(ValueId value, double factor) { return Op("Mul", {value, Number(factor)}); }
  const Status& status() const { return status_; }

 private:
  Graph& graph_;
  Status status_;
};

// The step, with the weight's own decay kept apart from the derivative: Loshchilov and Hutter,
// "Decoupled Weight Decay Regularization" (2019).
ValueId Stepped(Formula& f, const Rates& rates, ValueId weight, ValueId direction) {
  if (rates.decay != kNoValue)
    direction = f.Op("Add", {direction, f.Op("Mul", {weight, rates.decay})});
  return f.Op("Sub", {weight, f.Op("Mul", {direction, rates.learning_rate})});
}

// Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015), algorithm 1.
Result<Update> Adam(Graph& graph, const Rates& rates, ValueId weight, ValueId derivative,
                    const std::vector<ValueId>& memory) {
  Formula f(graph);
  const ValueId mean = f.Op("Add", {f.Scaled(memory[0], kBeta1), f.Scaled(derivative, 1 - kBeta1)});
  const ValueId square = f.Op("Mul", {derivative, derivative});
  const ValueId variance = f.Op("Add", {f.Scaled(memory[1], kBeta2), f.Scaled(square, 1 - kBeta2)});
  const ValueId deviation = f.Op("Sqrt", {f.Op("Mul", {variance, rates.second_correction})});
  const ValueId direction = f.Op("Div", {f.Op("Mul", {mean, rates.first_correction}),
                                         f.Op("Add", {deviation, f.Number(1e-8)})});
  const ValueId next = Stepped(f, rates, weight, direction);
  ATH_RETURN_IF_ERROR(Status(f.status()));
  return Update{next, {mean, variance}};
}

Result<Update> Sgd(Graph& graph, const Rates& rates, ValueId weight, ValueId derivative,
                   const std::vector<ValueId>& memory) {
  Formula f(graph);
  const ValueId velocity = f.Op("Add", {f.Scaled(memory[0], kMomentum), derivative});
  const ValueId next = Stepped(f, rates, weight, velocity);
  ATH_RETURN_IF_ERROR(Status(f.status()));
  return Update{next, {velocity}};
}

}  // namespace

const std::vector<Optimizer>& Optimizers() {
  static const std::vector<Optimizer> optimizers = {
      {"adam", "Adam with decoupled weight decay", 2, Adam},
      {"sgd", "stochastic gradient descent with momentum 0.9", 1, Sgd},
  };
  return optimizers;
}

Result<const Optimizer*> FindOptimizer(std::string_view name) {
  std::vector<std::string> names;
  for (const Optimizer& optimizer : Optimizers()) {
    if (optimizer.name == name) return &optimizer;
    names.emplace_back(optimizer.name);
  }
  return Error(ErrorCode::kUnknownName, "there is no optimizer \"{}\"{}; {} are", name,
               DidYouMean(std::string(name), names), Join(names, " and "));
}

}  // namespace athanor::train
