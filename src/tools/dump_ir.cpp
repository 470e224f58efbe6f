#include "tools/dump_ir.h"

#include "ir/text.h"
#include "passes/pipeline.h"

namespace athanor::tools {
namespace {

constexpr std::string_view kAfter = "after:";

}  // namespace

void AddDumpOption(Arguments app, std::string& option) {
  app.Option("--dump-ir", option, "after:STAGE prints the graph at that point");
}

Result<std::string> DumpStage(const std::string& option) {
  if (option.empty()) return std::string();
  if (!option.starts_with(kAfter) || option.size() == kAfter.size())
    return Error(ErrorCode::kUsage,
                 "--dump-ir {}: after:STAGE is expected, for example after:import", option);
  return option.substr(kAfter.size());
}

void PrintGraph(const Common& common, const Graph& graph) {
  PrintText(common, athanor::PrintText(graph, {.constants = ConstantText::kElide}));
}

Status DumpIr(const Common& common, const std::string& option, const Graph& graph) {
  ATH_TRY(const std::string stage, DumpStage(option));
  if (stage.empty()) return {};
  Graph changed = graph.Clone();
  if (stage != "import") ATH_RETURN_IF_ERROR(passes::Optimize(changed, {.until = stage}).status());
  PrintGraph(common, changed);
  return {};
}

}  // namespace athanor::tools
