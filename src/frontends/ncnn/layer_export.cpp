#include "frontends/ncnn/layer_export.h"

#include <cctype>

#include "frontends/row_table.h"

namespace athanor::ncnn {

std::string FileExport::UniqueName(std::string_view wish) {
  std::string name(wish.empty() ? "blob" : wish);
  for (char& c : name) {
    const bool plain = std::isgraph(static_cast<unsigned char>(c)) != 0 && c != '=' && c != ',';
    if (!plain) c = '_';
  }
  int& taken = names_[name];
  if (taken++ == 0) return name;
  return UniqueName(fmt::format("{}_{}", name, taken));
}

Param Int(std::int64_t value) { return {.values = {static_cast<double>(value)}}; }

Param Real(float value) { return {.real = true, .values = {value}}; }

Param Ints(const std::vector<std::int64_t>& values) {
  Param param = {.list = true};
  for (const std::int64_t value : values) param.values.push_back(static_cast<double>(value));
  return param;
}

Result<std::int64_t> LayerExport::BlobRank(std::size_t i) const {
  const Type& type = InType(i);
  if (!type.HasRank() || type.rank() < 2 || type.rank() > 5)
    return Unsupported("input {} is {}; a batch and 1 to 4 axes are expected", i, type.ToString());
  return type.rank() - 1;
}

Result<std::int64_t> LayerExport::BlobAxis(std::int64_t axis, std::size_t i) const {
  ATH_TRY(const std::int64_t rank, BlobRank(i));
  const std::int64_t from_front = axis < 0 ? axis + rank + 1 : axis;
  if (from_front < 1 || from_front > rank)
    return Unsupported("it works along axis {}, which is the batch", axis);
  return from_front - 1;
}

Layer& LayerExport::Add(std::string_view type, std::vector<std::string> bottoms, Params params) {
  Layer& layer = file.layers.emplace_back();
  layer.type = type;
  layer.name = file.UniqueName(node.name.empty() ? node.op->name : node.name);
  layer.bottoms = std::move(bottoms);
  layer.params = std::move(params);
  return layer;
}

void LayerExport::Emit(std::string_view type, std::vector<std::string> bottoms, Params params) {
  Layer& layer = Add(type, std::move(bottoms), std::move(params));
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    std::string& name = file.blobs[output];
    if (name.empty()) name = file.UniqueName(graph.value(output).name);
    layer.tops.push_back(name);
  }
}

std::string LayerExport::Make(std::string_view type, std::vector<std::string> bottoms,
                              Params params) {
  Layer& layer = Add(type, std::move(bottoms), std::move(params));
  layer.tops.push_back(file.UniqueName(layer.name + "_out"));
  return layer.tops[0];
}

const ExportRow* FindExportRow(std::string_view op) {
  static const std::vector<ExportRow> table =
      SortedRows({MathExportRows, NnExportRows, TensorExportRows}, &ExportRow::op);
  return FindSorted(table, &ExportRow::op, op);
}

}  // namespace athanor::ncnn
