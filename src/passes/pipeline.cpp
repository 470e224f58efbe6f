#include "passes/pipeline.h"

#include <algorithm>

#include "core/text.h"
#include "passes/clean.h"
#include "passes/fold.h"
#include "passes/rules/rules.h"
#include "passes/structure.h"

namespace athanor::passes {
namespace {

Result<int> Fold(Graph& graph) { return FoldConstants(graph); }

// All values but those of sub-graphs.
std::vector<Graph*> WithBodies(Graph& graph) {
  std::vector<Graph*> graphs = {&graph};
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    for (std::size_t n = 0; n < graphs[i]->node_capacity(); ++n) {
      const auto id = static_cast<NodeId>(n);
      for (std::size_t b = 0; b < graphs[i]->node(id).bodies.size(); ++b)
        graphs.push_back(&graphs[i]->body(id, b));
    }
  }
  return graphs;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The rules of a pass up to and including `last`; all when it is not among them.
std::span<const Rule> RulesUntil(const Pass& pass, const std::string& last) {
  const auto found = std::find_if(pass.rules.begin(), pass.rules.end(),
                                  [&](const Rule& rule) { return rule.name == last; });
  if (found == pass.rules.end()) return pass.rules;
  return std::span(pass.rules).first(static_cast<std::size_t>(found - pass.rules.begin()) + 1);
}

bool IsNamed(const Pass& pass, const std::string& name) {
  return pass.name == name || std::any_of(pass.rules.begin(), pass.rules.end(),
                                          [&](const Rule& rule) { return rule.name == name; });
}

Result<Counts> RunPass(const Pass& pass, Graph& graph, const PassOptions& options) {
  Counts fired;
  // Bodies are collected first: a pass may inline one, which then is no longer visited.
  std::vector<Graph*> graphs = WithBodies(graph);
  for (auto at = graphs.rbegin(); at != graphs.rend(); ++at) {
    if (pass.run) {
      ATH_TRY(const int count, pass.run(**at));
      if (count > 0) fired[pass.name] += count;
      continue;
    }
    ATH_TRY(const Counts counts,
            Rewrite(**at, RulesUntil(pass, options.until), {.disabled = options.disable}));
    for (const auto& [rule, count] : counts) fired[rule] += count;
  }
  return fired;
}

Status CheckNames(const PassOptions& options) {
  std::vector<std::string> names, passes;
  for (const Pass& pass : Pipeline()) {
    passes.push_back(pass.name);
    names.push_back(pass.name);
    for (const Rule& rule : pass.rules) names.push_back(rule.name);
  }
  std::vector<std::string> given = options.disable;
  if (!options.until.empty()) given.push_back(options.until);
  for (const std::string& name : given) {
    if (!Contains(names, name))
      return Error(ErrorCode::kUnknownName, "there is no pass or rule \"{}\"{}", name,
                   DidYouMean(name, names))
          .Fix("the passes, in order: " + Join(passes, ", "));
  }
  return {};
}

}  // namespace

const std::vector<Pass>& Pipeline() {
  static const std::vector<Pass> passes = {
      {.name = "dead-code", .summary = "nodes nobody uses go", .run = EraseDeadNodes},
      // Before constants are folded: bytes would be integers of 32 bits.
      {.name = "integers",
       .summary = "products of integers that become real numbers are products of real numbers",
       .rules = IntegerRules()},
      {.name = "captured-constants",
       .summary = "constants move into the sub-graphs that use them",
       .run = MoveConstantsIntoBodies},
      {.name = "known-branches",
       .summary = "an If with a known condition becomes its branch",
       .run = InlineKnownBranches},
      {.name = "fold-shapes",
       .summary = "integers that follow from shapes become constants",
       .run = FoldShapes},
      {.name = "merge-equal-shapes",
       .summary = "integers that follow from shapes in the same way are computed once",
       .run = MergeEqualShapes},
      {.name = "fold-constants", .summary = "nodes on constants become constants", .run = Fold},
      {.name = "shapes", .summary = "arithmetic on shapes gets shorter", .rules = ShapeRules()},
      {.name = "identities", .summary = "nodes that change nothing go", .rules = IdentityRules()},
      {.name = "movement",
       .summary = "chains of Transpose, Reshape and the like become one node or none",
       .rules = MovementRules()},
      {.name = "merge-equal",
       .summary = "what is computed twice is computed once",
       .run = MergeEqualNodes},
      // Composites first: folding their constants into weights would hide them.
      {.name = "activations",
       .summary = "Gelu, HardSwish, Mish and others get their names back",
       .rules = ActivationRules()},
      {.name = "normalizations",
       .summary = "LayerNormalization and RMSNormalization get their names back",
       .rules = NormalizationRules()},
      {.name = "attention", .summary = "Attention gets its name back", .rules = AttentionRules()},
      {.name = "fold-linear",
       .summary = "scales and shifts move into weights and biases",
       .rules = LinearRules()},
      {.name = "convolutions",
       .summary = "padding moves into convolutions, parallel ones become one",
       .rules = ConvolutionRules()},
      {.name = "strides",
       .summary = "the stride of a 1x1 convolution moves up to where the work is",
       .run = PullStridesUp},
      {.name = "slices",
       .summary = "places that a Slice leaves out are not computed",
       .run = ComputeOnlyWhatIsRead},
      {.name = "merge-siblings",
       .summary = "products of one value become one product and a Split",
       .run = MergeSiblings},
      {.name = "tidy", .summary = "nodes nobody uses any more go", .run = EraseDeadNodes},
  };
  return passes;
}

Result<PassReport> Optimize(Graph& graph, const PassOptions& options) {
  ATH_RETURN_IF_ERROR(CheckNames(options));
  PassReport report;
  report.nodes_before = graph.num_nodes();
  bool changed = true;
  bool stopped = false;
  while (changed && !stopped && report.rounds < options.max_rounds) {
    changed = false;
    ++report.rounds;
    for (const Pass& pass : Pipeline()) {
      if (Contains(options.disable, pass.name)) continue;
      Result<Counts> fired = RunPass(pass, graph, options);
      if (!fired.ok()) return std::move(fired).status().In("pass " + pass.name);
      changed |= !fired->empty();
      if (!fired->empty()) report.runs.push_back({pass.name, *fired, graph.num_nodes()});
      if (options.verify) {
        Status valid = Verify(graph);
        if (!valid.ok()) return std::move(valid).In("after pass " + pass.name);
      }
      stopped = !options.until.empty() && IsNamed(pass, options.until);
      if (stopped) break;
    }
  }
  report.nodes_after = graph.num_nodes();
  return report;
}

Counts PassReport::Fired() const {
  Counts all;
  for (const PassRun& run : runs) {
    for (const auto& [rule, count] : run.fired) all[rule] += count;
  }
  return all;
}

std::string PassReport::ToString() const {
  std::string text =
      fmt::format("{} nodes -> {} in {} rounds\n", nodes_before, nodes_after, rounds);
  for (const PassRun& run : runs) {
    text += fmt::format("  {:<20} {:>6} nodes left:", run.pass, run.nodes);
    for (const auto& [rule, count] : run.fired) text += fmt::format(" {} x{}", rule, count);
    text += '\n';
  }
  return text;
}

}  // namespace athanor::passes
