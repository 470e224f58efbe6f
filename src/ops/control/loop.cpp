#include "ops/control/body.h"

namespace athanor::ops {
namespace {

// Node inputs:   trip count, condition, state..., captured...
// Body inputs:   iteration,  condition, state..., captured...
// Body outputs:  condition, state..., one value per stacked output...
// Node outputs:  state..., stacked outputs...
constexpr std::size_t kFirstState = 2;

std::vector<Type> LoopBodyInputs(const InferCtx& ctx, std::size_t) {
  std::vector<Type> types = {Type::Tensor(DType::kI64, {}), Type::Tensor(DType::kBool, {})};
  for (std::size_t i = kFirstState; i + ctx.num_captures() < ctx.num_inputs(); ++i)
    types.push_back(ctx.Has(i) ? WithoutShape(ctx.In(i)) : Type());
  return types;
}

// How often it runs at most, as far as is known now.
Dim TripCount(const InferCtx& ctx) {
  const Tensor* condition = ctx.Const(1);
  if (condition != nullptr && condition->dtype() == DType::kBool && condition->count() == 1 &&
      !condition->Data<bool>()[0])
    return 0;
  const std::optional<athanor::Shape> count = ctx.Ints(0);
  if (count && count->size() == 1 && (*count)[0].IsConst() && (*count)[0].value() <= 0) return 0;
  return Dim::Unknown();
}

Status InferLoop(InferCtx& ctx) {
  if (ctx.num_inputs() < kFirstState + ctx.num_captures())
    return InvalidModel("a trip count and a condition (or two omitted inputs) are expected");
  const Graph& body = *ctx.bodies()[0];
  const std::size_t states = ctx.num_inputs() - ctx.num_captures() - kFirstState;
  if (body.outputs().size() < 1 + states)
    return InvalidModel("the body gives {} values; a condition and {} states are expected",
                        body.outputs().size(), states);
  ATH_RETURN_IF_ERROR(ExpectBody(body, ctx.num_inputs(), body.outputs().size()));
  if (ctx.num_outputs() + 1 > body.outputs().size())
    return InvalidModel("{} outputs; the body gives {}", ctx.num_outputs(),
                        body.outputs().size() - 1);
  const Dim count = TripCount(ctx);
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    const Type& given = OutputType(body, i + 1);
    if (i >= states) {
      ATH_TRY(ctx.out[i], StackedType(given, 0, count));
      continue;
    }
    if (!ctx.Has(kFirstState + i)) return InvalidModel("state {} has no initial value", i);
    const Type& initial = ctx.In(kFirstState + i);
    // The body has seen the state as the type of its input; only what holds there, before and after
    // is certain.
    const Type& seen = body.value(body.inputs()[kFirstState + i]).type;
    // A body that gives what its optional state holds: full from the first iteration on.
    const bool fills = initial.kind == TypeKind::kOptional && given.kind != TypeKind::kOptional;
    ATH_TRY(Type common, Either(fills ? *initial.element : initial, given));
    ATH_TRY(ctx.out[i], seen.kind == common.kind ? Either(common, seen) : common);
    if (count.Is(0)) ctx.out[i] = fills ? *initial.element : initial;
  }
  return {};
}

Status LoopReference(RefCtx& ctx) {
  const std::size_t states = ctx.num_inputs() - ctx.num_captures() - kFirstState;
  std::int64_t trips = kMaxIterations + 1;
  bool go_on = true;
  if (ctx.Has(0)) {
    ATH_TRY(const std::vector<std::int64_t> given, ToInts(ctx.In(0)));
    if (given.size() != 1) return DataError("the trip count has {} elements", given.size());
    trips = given[0];
  }
  if (ctx.Has(1)) {
    ATH_TRY(go_on, ReadCondition(ctx.InDatum(1)));
  }
  std::vector<Datum> values;
  for (std::size_t i = kFirstState; i < ctx.num_inputs(); ++i) values.push_back(ctx.InDatum(i));
  std::vector<Stack> stacks(ctx.num_outputs() > states ? ctx.num_outputs() - states : 0, Stack(0));
  for (std::int64_t trip = 0; trip < trips && go_on; ++trip) {
    if (trip == kMaxIterations)
      return Error(ErrorCode::kResource, "a loop did not end after {} iterations", kMaxIterations);
    std::vector<Datum> inputs = {Tensor::Scalar(trip), Tensor::Scalar(go_on)};
    inputs.insert(inputs.end(), values.begin(), values.end());
    ATH_TRY(std::vector<Datum> results, ctx.RunBody(0, std::move(inputs)));
    ATH_TRY(go_on, ReadCondition(results[0]));
    for (std::size_t i = 0; i < states; ++i) values[i] = std::move(results[1 + i]);
    for (std::size_t i = 0; i < stacks.size(); ++i)
      ATH_RETURN_IF_ERROR(stacks[i].Push(results[1 + states + i]));
  }
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    if (i < states) {
      ctx.out[i] = values[i];
    } else if (!stacks[i - states].empty()) {
      ATH_TRY(ctx.out[i], stacks[i - states].Join());
    } else if (!ctx.out[i].IsTensor()) {
      return DataError("output {} has no iterations and no known shape", i);
    }
  }
  return {};
}

}  // namespace

OpDef Loop() {
  return {
      .name = "Loop",
      .summary =
          "Runs a sub-graph again and again: up to a trip count, and as long as the condition it "
          "gives is true. State goes from one iteration to the next; other results are stacked. "
          "More than 2^24 iterations are an error.",
      .inputs = {{"M", "i64: the trip count; unlimited when omitted", kOptionalPort},
                 {"cond", "bool: whether to start; true when omitted", kOptionalPort},
                 {"v_initial", "the state before the first iteration", kVariadicPort, 0}},
      .outputs = {{"v_final_and_scan_outputs",
                   "the state after the last iteration, then the stacked results", kVariadicPort,
                   0}},
      .bodies = {"body"},
      .traits = kPure | kAnyKind | kDataDependent,
      .infer = InferLoop,
      .body_inputs = LoopBodyInputs,
      .reference = LoopReference,
      .flops = [](const CostCtx&) { return Dim::Unknown(); },
  };
}

}  // namespace athanor::ops
