#include "frontends/onnx/training_forms.h"

#include "frontends/onnx/formula.h"

namespace athanor::onnx {
namespace {

enum Input : std::size_t { kRate, kStep, kFirst };

// The inputs after rate and step are `kinds` lists of equal length, one after the other: tensors,
// gradients, states. This gives the length.
Result<std::size_t> CountTensors(const NodeImport& ctx, std::size_t kinds) {
  const std::size_t given = ctx.num_inputs() < kFirst ? 0 : ctx.num_inputs() - kFirst;
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.Has(i)) return InvalidModel("input {} is missing", i);
  }
  if (given == 0 || given % kinds != 0) {
    return InvalidModel("{} inputs; a rate, a step and {} lists of equal length are expected",
                        ctx.num_inputs(), kinds);
  }
  return given / kinds;
}

// What the steps of all optimisers share, for one tensor.
class Step {
 public:
  Step(NodeImport& ctx, Formula& f, std::size_t tensors, std::size_t index)
      : ctx_(ctx), f_(f), tensors_(tensors), index_(index) {}

  // 0: the tensor, 1: its gradient, 2 and more: its states.
  ValueId Of(std::size_t kind) const { return ctx_.In(kFirst + kind * tensors_ + index_); }
  DType dtype() const { return ctx_.graph.value(Of(0)).type.dtype; }
  ValueId Scaled(double by, ValueId x) { return f_("Mul", {f_.Scalar(by, dtype()), x}); }
  // The gradient, and that of norm_coefficient / 2 * |x|^2.
  ValueId Gradient() {
    return f_("Add", {Scaled(ctx_.Float("norm_coefficient", 0), Of(0)), Of(1)});
  }
  // x - rate * direction
  ValueId Moved(ValueId rate, ValueId direction) {
    return f_("Sub", {Of(0), f_("Mul", {f_.Cast(rate, dtype()), direction})});
  }

 private:
  NodeImport& ctx_;
  Formula& f_;
  std::size_t tensors_, index_;
};

// `first` from the second step on, before it `otherwise`.
ValueId AfterFirst(NodeImport& ctx, Formula& f, ValueId first, ValueId otherwise) {
  const ValueId begun = f("Greater", {ctx.In(kStep), f.Scalar(0, f.DTypeOf(ctx.In(kStep)))});
  return f("Where", {begun, first, otherwise});
}

}  // namespace

Status Adagrad(NodeImport& ctx) {
  ATH_TRY(const std::size_t tensors, CountTensors(ctx, 3));
  Formula f(ctx);
  const DType real = f.DTypeOf(ctx.In(kRate));
  const ValueId decay =
      f("Mul", {f.Cast(ctx.In(kStep), real), f.Scalar(ctx.Float("decay_factor", 0), real)});
  const ValueId rate = f("Div", {ctx.In(kRate), f("Add", {f.Scalar(1, real), decay})});
  std::vector<ValueId> outputs(2 * tensors, kNoValue);
  for (std::size_t i = 0; i < tensors; ++i) {
    Step step(ctx, f, tensors, i);
    const ValueId gradient = step.Gradient();
    const ValueId sum = f("Add", {step.Of(2), f("Mul", {gradient, gradient})});
    const ValueId root =
        f("Add", {f("Sqrt", {sum}), f.Scalar(ctx.Float("epsilon", 1e-6F), step.dtype())});
    outputs[i] = step.Moved(rate, f("Div", {gradient, root}));
    outputs[tensors + i] = sum;
  }
  return f.Give(std::move(outputs));
}

Status Adam(NodeImport& ctx) {
  ATH_TRY(const std::size_t tensors, CountTensors(ctx, 4));
  Formula f(ctx);
  const double alpha = ctx.Float("alpha", 0.9F), beta = ctx.Float("beta", 0.999F);
  const DType real = f.DTypeOf(ctx.In(kRate));
  // 1 - decay^step
  const auto left = [&](double decay) {
    const ValueId power = f("Pow", {f.Scalar(decay, real), f.Cast(ctx.In(kStep), real)});
    return f("Sub", {f.Scalar(1, real), power});
  };
  const ValueId corrected =
      f("Div", {f("Mul", {ctx.In(kRate), f("Sqrt", {left(beta)})}), left(alpha)});
  const ValueId rate = AfterFirst(ctx, f, corrected, ctx.In(kRate));
  std::vector<ValueId> outputs(3 * tensors, kNoValue);
  for (std::size_t i = 0; i < tensors; ++i) {
    Step step(ctx, f, tensors, i);
    const ValueId gradient = step.Gradient();
    const ValueId mean =
        f("Add", {step.Scaled(alpha, step.Of(2)), step.Scaled(1 - alpha, gradient)});
    const ValueId square = f("Add", {step.Scaled(beta, step.Of(3)),
                                     step.Scaled(1 - beta, f("Mul", {gradient, gradient}))});
    const ValueId root =
        f("Add", {f("Sqrt", {square}), f.Scalar(ctx.Float("epsilon", 1e-6F), step.dtype())});
    const ValueId moved = step.Moved(rate, f("Div", {mean, root}));
    outputs[i] = step.Scaled(1.0 - ctx.Float("norm_coefficient_post", 0), moved);
    outputs[tensors + i] = mean;
    outputs[2 * tensors + i] = square;
  }
  return f.Give(std::move(outputs));
}

Status Momentum(NodeImport& ctx) {
  ATH_TRY(const std::size_t tensors, CountTensors(ctx, 3));
  const std::string mode = ctx.String("mode", "");
  if (mode != "standard" && mode != "nesterov")
    return InvalidModel("mode is \"{}\"; standard or nesterov is expected", mode);
  for (const char* name : {"alpha", "beta", "norm_coefficient"}) {
    if (ctx.Find(name) == nullptr) return InvalidModel("attribute \"{}\" is missing", name);
  }
  Formula f(ctx);
  const double alpha = ctx.Float("alpha", 0);
  std::vector<ValueId> outputs(2 * tensors, kNoValue);
  for (std::size_t i = 0; i < tensors; ++i) {
    Step step(ctx, f, tensors, i);
    const ValueId gradient = step.Gradient();
    const ValueId beta =
        AfterFirst(ctx, f, f.Scalar(ctx.Float("beta", 0), step.dtype()), f.Scalar(1, step.dtype()));
    const ValueId momentum = f("Add", {step.Scaled(alpha, step.Of(2)), f("Mul", {beta, gradient})});
    outputs[i] = step.Moved(
        ctx.In(kRate),
        mode == "standard" ? momentum : f("Add", {gradient, step.Scaled(alpha, momentum)}));
    outputs[tensors + i] = momentum;
  }
  return f.Give(std::move(outputs));
}

}  // namespace athanor::onnx
