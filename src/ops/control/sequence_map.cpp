#include "ops/control/body.h"

namespace athanor::ops {
namespace {

// Node inputs: a sequence, more sequences (mapped together) or tensors (the same for all),
// captured.
std::vector<Type> MapBodyInputs(const InferCtx& ctx, std::size_t) {
  std::vector<Type> types;
  for (std::size_t i = 0; i + ctx.num_captures() < ctx.num_inputs(); ++i) {
    if (!ctx.Has(i)) {
      types.emplace_back();
    } else {
      types.push_back(ctx.In(i).kind == TypeKind::kSequence ? *ctx.In(i).element : ctx.In(i));
    }
  }
  return types;
}

Status InferSequenceMap(InferCtx& ctx) {
  const Graph& body = *ctx.bodies()[0];
  if (ctx.In(0).kind != TypeKind::kSequence)
    return InvalidModel("input 0: a sequence is expected, {} is given", ctx.In(0).ToString());
  ATH_RETURN_IF_ERROR(ExpectBody(body, ctx.num_inputs(), body.outputs().size()));
  if (ctx.num_outputs() > body.outputs().size())
    return InvalidModel("{} outputs; the body gives {}", ctx.num_outputs(), body.outputs().size());
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i)
    ctx.out[i] = Type::Sequence(OutputType(body, i));
  return {};
}

Status SequenceMapReference(RefCtx& ctx) {
  if (!ctx.InDatum(0).IsSequence()) return DataError("input 0: a sequence is expected");
  const std::size_t count = ctx.InDatum(0).items().size();
  const std::size_t own = ctx.num_inputs() - ctx.num_captures();
  std::vector<std::vector<Datum>> mapped(ctx.num_outputs());
  for (std::size_t item = 0; item < count; ++item) {
    std::vector<Datum> inputs;
    for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
      const Datum& input = ctx.InDatum(i);
      const bool each = i < own && input.IsSequence();
      if (each && input.items().size() != count)
        return DataError("sequences of {} and {} values", count, input.items().size());
      inputs.push_back(each ? input.items()[item] : input);
    }
    ATH_TRY(std::vector<Datum> results, ctx.RunBody(0, std::move(inputs)));
    for (std::size_t i = 0; i < mapped.size(); ++i) mapped[i].push_back(std::move(results[i]));
  }
  for (std::size_t i = 0; i < mapped.size(); ++i)
    ctx.out[i] = Datum::Sequence(std::move(mapped[i]));
  return {};
}

}  // namespace

OpDef SequenceMap() {
  return {
      .name = "SequenceMap",
      .summary = "Runs a sub-graph on each value of a sequence.",
      .inputs = {{"input_sequence", "a sequence"},
                 {"additional_inputs",
                  "sequences of the same length, mapped together; tensors are given to every run",
                  kVariadicPort, 0}},
      .outputs = {{"out_sequence", "a sequence per output of the sub-graph", kVariadicPort}},
      .bodies = {"body"},
      .traits = kPure | kAnyKind | kDataDependent,
      .infer = InferSequenceMap,
      .body_inputs = MapBodyInputs,
      .reference = SequenceMapReference,
      .flops = [](const CostCtx&) { return Dim::Unknown(); },
  };
}

}  // namespace athanor::ops
