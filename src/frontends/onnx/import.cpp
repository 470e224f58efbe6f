#include "frontends/onnx/import.h"

#include "frontends/onnx/graph_import.h"
#include "frontends/onnx/operator_check.h"

namespace athanor::onnx {
namespace {

std::vector<Status> CheckModel(const ModelProto& model, const FunctionTable& functions) {
  std::vector<Status> problems;
  // A newer IR version is read: what it adds beyond the fields we know does not change the graph.
  if (model.ir_version <= 0) {
    problems.push_back(
        Error(ErrorCode::kCorruptFile, "there is no IR version: not an ONNX model, or damaged"));
  }
  for (const OperatorSetId& set : model.opset_import) {
    if (set.version >= 1) continue;
    problems.push_back(InvalidModel("operator set \"{}\" has version {}; versions start at 1",
                                    set.domain, set.version));
  }
  for (const std::string& name : functions.duplicates())
    problems.push_back(InvalidModel("function \"{}\" is defined twice", name));
  return problems;
}

}  // namespace

Result<Graph> Import(protobuf::Bytes bytes, std::shared_ptr<const void> owner,
                     const ImportOptions& options) {
  ATH_TRY(const ModelProto model, protobuf::Parse<ModelProto>(bytes, "ONNX model"));
  if (!model.graph) return InvalidModel("the ONNX model has no graph");
  const FunctionTable functions(model);
  std::vector<Status> problems = CheckModel(model, functions);
  std::vector<Status> unknown = CheckOperators(*model.graph, functions);
  problems.insert(problems.end(), unknown.begin(), unknown.end());
  if (!problems.empty()) return Status::All(std::move(problems));
  const TensorSource source = {.owner = std::move(owner), .folder = options.folder};
  ATH_TRY(Graph graph, GraphImport(functions, source).Run(*model.graph));
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace athanor::onnx
