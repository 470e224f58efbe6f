#include "frontends/ncnn/export.h"

#include <cmath>
#include <map>
#include <span>

#include "core/file.h"
#include "core/text.h"
#include "frontends/ncnn/import.h"
#include "frontends/ncnn/layer_export.h"
#include "frontends/output_names.h"

namespace athanor::ncnn {
namespace {

Status CheckInput(const Value& value) {
  const Type& type = value.type;
  if (!type.HasRank() || type.rank() < 2 || type.rank() > 5 || type.dtype != DType::kF32) {
    return Unsupported("input \"{}\" is {}; ncnn reads f32 with a batch and 1 to 4 axes",
                       value.name, type.ToString());
  }
  if (type.dim(0).IsConst() && !type.dim(0).Is(1)) {
    return Unsupported("input \"{}\" is {}; ncnn has no batch, so its size must be 1 or open",
                       value.name, type.ToString());
  }
  return {};
}

void AddInput(FileExport& file, ValueId id) {
  const Value& value = file.graph.value(id);
  Layer& layer = file.layers.emplace_back();
  layer.type = "Input";
  layer.name = file.blobs.at(id);
  layer.tops = {layer.name};
  const Type& type = value.type;
  constexpr int kIds[][4] = {{0}, {1, 0}, {2, 1, 0}, {2, 11, 1, 0}};
  for (std::int64_t axis = 1; axis < type.rank(); ++axis) {
    if (!type.dim(axis).IsConst()) {
      layer.params.clear();  // a shape is given whole or not at all
      return;
    }
    layer.params[kIds[type.rank() - 2][axis - 1]] = Int(type.dim(axis).value());
  }
}

// No reader takes "inf" for a number.
Status CheckNumbers(std::span<const Layer> layers) {
  for (const Layer& layer : layers) {
    for (const auto& [id, param] : layer.params) {
      for (const double value : param.values) {
        if (!std::isfinite(value))
          return Unsupported("parameter {} of {} would be {}; ncnn's files hold finite numbers", id,
                             layer.type, value);
      }
    }
  }
  return {};
}

Status AddNode(FileExport& file, const Node& node) {
  const ExportRow* row = ExportRowOf(*node.op);
  if (row == nullptr) return Unsupported("ncnn has no layer for it, or none that is written");
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    const Type& type = file.graph.value(output).type;
    if (type.dtype != DType::kF32)
      return Error(ErrorCode::kUnsupportedType, "it gives {}; ncnn knows f32", Name(type.dtype));
    if (!type.HasRank() || type.rank() < 2 || type.rank() > 5)
      return Unsupported("it gives {}; ncnn knows a batch and 1 to 4 axes", type.ToString());
  }
  const std::size_t before = file.layers.size();
  LayerExport ctx(file, node);
  ATH_RETURN_IF_ERROR(row->make(ctx));
  return CheckNumbers(std::span(file.layers).subspan(before));
}

// In ncnn a blob has one reader: what has more goes through a Split.
void InsertSplits(FileExport& file) {
  std::map<std::string, std::size_t> readers;
  for (const Layer& layer : file.layers) {
    for (const std::string& blob : layer.bottoms) ++readers[blob];
  }
  for (const GraphOutput& output : file.graph.outputs()) ++readers[file.blobs.at(output.value)];
  std::map<std::string, std::vector<std::string>> shares;  // the first one is the last to go
  std::vector<Layer> layers;
  for (Layer& layer : file.layers) {
    for (std::string& blob : layer.bottoms) {
      const auto found = shares.find(blob);
      if (found == shares.end()) continue;
      blob = found->second.back();
      found->second.pop_back();
    }
    std::vector<Layer> splits;
    for (std::string& top : layer.tops) {
      if (readers[top] < 2) continue;
      Layer& split = splits.emplace_back();
      split.type = "Split";
      split.name = file.UniqueName("split_" + top);
      split.tops = {top};  // an output keeps its name
      while (split.tops.size() < readers[top])
        split.tops.push_back(file.UniqueName(fmt::format("{}_part", top)));
      shares[top] = split.tops;
      split.bottoms = {file.UniqueName(top + "_whole")};
      top = split.bottoms[0];
    }
    layers.push_back(std::move(layer));
    std::move(splits.begin(), splits.end(), std::back_inserter(layers));
  }
  file.layers = std::move(layers);
}

}  // namespace

Result<NcnnFiles> ExportNcnn(const Graph& graph) {
  FileExport file(graph);
  std::vector<Status> problems;
  for (const ValueId id : graph.inputs()) {
    Status status = CheckInput(graph.value(id));
    if (!status.ok()) problems.push_back(std::move(status));
    file.blobs[id] = file.UniqueName(graph.value(id).name);
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  ATH_RETURN_IF_ERROR(
      NameOutputs(graph, file.blobs, [&](std::string_view wish) { return file.UniqueName(wish); }));
  for (const ValueId id : graph.inputs()) AddInput(file, id);
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Node& node = graph.node(order[i]);
    Status status = AddNode(file, node);
    if (status.ok()) continue;
    problems.push_back(std::move(status).In(PlaceOf(graph, order, i)));
    // So that the nodes behind it are looked at too.
    for (const ValueId output : node.outputs) {
      if (output != kNoValue && file.blobs[output].empty()) file.blobs[output] = "?";
    }
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  InsertSplits(file);
  return NcnnFiles{PrintParam(file.layers), file.weights.bytes()};
}

Status SaveNcnn(const Graph& graph, const std::string& path) {
  ATH_TRY(const NcnnFiles files, ExportNcnn(graph));
  ATH_RETURN_IF_ERROR(WriteFileAtomically(WeightsPath(path), files.bin));
  return WriteFileAtomically(path, std::string_view(files.param));
}

}  // namespace athanor::ncnn
