#include "tools/run_inputs.h"

#include <fmt/core.h>

#include "core/text.h"
#include "plan/stages.h"
#include "tools/console.h"
#include "tools/open_model.h"

namespace athanor::tools {
namespace {

// Whether the shapes of all nodes agree when symbols have these sizes. `graph` has gone through the
// passes: what they fold tells more shapes than the file does.
Status Agree(const Graph& graph, const DimSizes& sizes) {
  Graph trial = graph.Clone();
  ATH_RETURN_IF_ERROR(SetDims(trial, sizes));
  std::vector<Type> types;
  for (const ValueId id : trial.inputs()) types.push_back(trial.value(id).type);
  return plan::BindShapes(trial, types);
}

// Powers of two for one symbol, the others at 1, within about a second for all trials together.
std::optional<DimSizes> SizesThatAgree(const Graph& graph, const DimSizes& ones) {
  constexpr std::int64_t kLargest = 4096;
  std::size_t nodes_left = 200'000;
  for (std::int64_t size = 2; size <= kLargest; size *= 2) {
    for (std::size_t i = 0; i < ones.size(); ++i) {
      if (graph.num_nodes() > nodes_left) return std::nullopt;
      nodes_left -= graph.num_nodes();
      DimSizes sizes = ones;
      sizes[i].second = size;
      if (Agree(graph, sizes).ok()) return sizes;
    }
  }
  return std::nullopt;
}

std::string Options(const DimSizes& sizes) {
  std::string text;
  for (const auto& [name, size] : sizes) {
    if (size != 1) text += fmt::format(" --set-dim {}={}", ShellWord(name), size);
  }
  return text;
}

}  // namespace

RunInputs InputsForRun(const Graph& graph) {
  for (const ValueId id : graph.inputs()) {
    const Value& input = graph.value(id);
    if (!input.type.HasRank()) return {fmt::format("--input {}=x.npy", ShellWord(input.name)), ""};
  }
  DimSizes ones;
  for (const std::string& symbol : InputSymbols(graph)) ones.emplace_back(symbol, 1);
  if (ones.empty()) return {"random", ""};
  Graph plain = graph.Clone();
  // What cannot be planned, `run` says better.
  if (!OptimizeForPlans(plain).ok()) return {"random", ""};
  const Status as_ones = Agree(plain, ones);
  if (as_ones.ok()) return {"random", ""};
  if (const auto sizes = SizesThatAgree(plain, ones))
    return {"random" + Options(*sizes), as_ones.message()};
  return {OpenInput(graph), as_ones.message()};
}

}  // namespace athanor::tools
