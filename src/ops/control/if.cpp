#include "ops/control/body.h"

namespace athanor::ops {
namespace {

// bodies: then, else. Inputs: the condition, then what the branches capture.
Status InferIf(InferCtx& ctx) {
  const Type& condition = ctx.In(0);
  if (!condition.IsTensor() || condition.dtype != DType::kBool)
    return InvalidModel("the condition must be one bool, {} is given", condition.ToString());
  const Graph &then_branch = *ctx.bodies()[0], &else_branch = *ctx.bodies()[1];
  for (const Graph* branch : ctx.bodies())
    ATH_RETURN_IF_ERROR(ExpectBody(*branch, ctx.num_captures(), ctx.bodies()[0]->outputs().size()));
  if (ctx.num_outputs() > then_branch.outputs().size())
    return InvalidModel("{} outputs; the branches give {}", ctx.num_outputs(),
                        then_branch.outputs().size());
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    if (const Tensor* known = ctx.Const(0); known != nullptr && known->count() == 1) {
      ctx.out[i] = OutputType(known->Data<bool>()[0] ? then_branch : else_branch, i);
    } else {
      ATH_TRY(ctx.out[i], Either(OutputType(then_branch, i), OutputType(else_branch, i)));
    }
  }
  return {};
}

Status IfReference(RefCtx& ctx) {
  ATH_TRY(const bool condition, ReadCondition(ctx.InDatum(0)));
  std::vector<Datum> captures;
  for (std::size_t i = 1; i < ctx.num_inputs(); ++i) captures.push_back(ctx.InDatum(i));
  ATH_TRY(std::vector<Datum> results, ctx.RunBody(condition ? 0 : 1, std::move(captures)));
  results.resize(ctx.num_outputs());
  ctx.out = std::move(results);
  return {};
}

}  // namespace

OpDef If() {
  return {
      .name = "If",
      .summary = "Runs one of two sub-graphs, as a condition says.",
      .inputs = {{"cond", "one bool"}},
      .outputs = {{"outputs", "the outputs of the branch that ran", kVariadicPort, 0}},
      .bodies = {"then_branch", "else_branch"},
      .traits = kPure | kDataDependent,
      .infer = InferIf,
      .reference = IfReference,
      .flops = [](const CostCtx&) { return Dim::Unknown(); },
  };
}

}  // namespace athanor::ops
