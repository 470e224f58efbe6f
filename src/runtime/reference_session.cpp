#include "runtime/reference_session.h"

#include "plan/plan.h"
#include "runtime/own_memory.h"

namespace athanor {

Result<std::unique_ptr<Session>> ReferenceSession::Create(Graph graph,
                                                          const SessionOptions& options) {
  if (options.precision == Precision::kBf16)
    return Unsupported("precision bf16: device reference computes in the model's own types")
        .Fix("device cpu, or precision f32");
  Graph lowered = graph.Clone();
  ATH_RETURN_IF_ERROR(LowerQuantized(lowered, false));
  return std::unique_ptr<Session>(
      new ReferenceSession(std::move(graph), std::move(lowered), options));
}

Result<std::vector<Datum>> ReferenceSession::Run(std::vector<Datum> inputs,
                                                 const RunOptions& options) {
  ATH_RETURN_IF_ERROR(CheckInputs(graph_, inputs));
  const RunOptions from_now = options.FromNow();
  ATH_TRY(std::vector<Datum> outputs,
          Evaluate(lowered_, std::move(inputs),
                   {.observer = observer_, .may_go_on = [&] { return from_now.MayGoOn(); }}));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool constant = lowered_.Constant(lowered_.outputs()[i].value) != nullptr;
    if (constant) {  // the caller may write to it
      ATH_TRY(outputs[i], Copy(outputs[i]));
    }
  }
  return outputs;
}

}  // namespace athanor
