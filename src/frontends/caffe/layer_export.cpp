#include "frontends/caffe/layer_export.h"

#include <algorithm>

#include "core/text.h"
#include "frontends/caffe/layer_import.h"
#include "frontends/row_table.h"

namespace athanor::caffe {

const std::vector<Dialect>& Dialects() {
  static const std::vector<Dialect> dialects = {
      {"any", {"*"}, "round_mode"},
      {"bvlc", {}, "round_mode"},
      {"deeplab", {"Interp"}},
      {"faster-rcnn", {"ROIPooling"}},
      {"opencv", {"Interp", "Permute", "ReLU6", "ROIPooling"}, "ceil_mode"},
      {"segnet", {"Upsample"}},
      {"shufflenet", {"Permute"}},
      {"ssd", {"Permute"}},
      {"yolo", {"Permute", "Upsample"}},
  };
  return dialects;
}

std::string FileExport::Unique(std::string_view wish, std::map<std::string, int>& names) {
  std::string name(wish.empty() ? "blob" : wish);
  const int taken = ++names[name];
  return taken == 1 ? name : Unique(fmt::format("{}_{}", name, taken), names);
}

Result<Dims> LayerExport::DimsOf(const Type& type) {
  Dims dims;
  for (std::int64_t axis = 0; type.HasRank() && axis < type.rank(); ++axis) {
    const Dim& dim = type.dim(axis);
    if (!dim.IsConst() && axis > 0)
      return Unsupported("{} has sizes that are not known", type.ToString())
          .Fix("--set-dim gives symbols a size");
    dims.push_back(dim.IsConst() ? dim.value() : 1);
  }
  if (!type.HasRank()) return Unsupported("a shape is not known");
  return dims;
}

Result<std::int64_t> LayerExport::Axis(std::int64_t axis) const {
  const Type& type = InType();
  if (!type.HasRank()) return Unsupported("the input's shape is not known");
  return axis < 0 ? axis + type.rank() : axis;
}

Result<Message*> LayerExport::Add(std::string_view type, std::vector<std::string> bottoms) {
  const Row* row = FindRow(type);
  const std::vector<std::string_view>& more = file.dialect.layers;
  const auto has = [&](std::string_view name) {
    return std::find(more.begin(), more.end(), name) != more.end();
  };
  const bool original = row != nullptr && row->origin == "BVLC";
  if (!original && !has("*") && !has(type)) {
    std::vector<std::string> others;
    for (const Dialect& dialect : Dialects()) {
      const auto& layers = dialect.layers;
      if (std::find(layers.begin(), layers.end(), type) != layers.end())
        others.emplace_back(dialect.name);
    }
    others.emplace_back("any");
    return Unsupported("it needs the layer {}, which the dialect {} lacks", type, file.dialect.name)
        .Fix(fmt::format("--dialect {}", Join(others, " or ")));
  }
  Message& layer = file.net.AddChild("layer");
  layer.String("name", file.LayerName(node.name.empty() ? node.op->name : node.name));
  layer.String("type", type);
  for (const std::string& bottom : bottoms) layer.String("bottom", bottom);
  return &layer;
}

Result<Message*> LayerExport::Emit(std::string_view type, std::vector<std::string> bottoms) {
  ATH_TRY(Message* const layer, Add(type, std::move(bottoms)));
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    std::string& name = file.blobs[output];
    if (name.empty()) name = file.UniqueName(graph.value(output).name);
    layer->String("top", name);
  }
  return layer;
}

Result<Message*> LayerExport::Make(std::string_view type, std::vector<std::string> bottoms,
                                   std::vector<std::string>& tops, std::size_t count) {
  ATH_TRY(Message* const layer, Add(type, std::move(bottoms)));
  for (std::size_t i = 0; i < count; ++i) {
    tops.push_back(file.UniqueName(layer->Text("name") + "_out"));
    layer->String("top", tops.back());
  }
  return layer;
}

namespace {

void SetPower(Message& layer, float power, float scale, float shift) {
  Message& param = layer.AddChild("power_param");
  if (power != 1) param.Number("power", power);
  if (scale != 1) param.Number("scale", scale);
  if (shift != 0) param.Number("shift", shift);
}

}  // namespace

Result<std::string> LayerExport::MakePower(const std::string& bottom, float power, float scale,
                                           float shift) {
  std::vector<std::string> tops;
  ATH_TRY(Message* const layer, Make("Power", {bottom}, tops));
  SetPower(*layer, power, scale, shift);
  return tops[0];
}

Status LayerExport::EmitPower(const std::string& bottom, float power, float scale, float shift) {
  ATH_TRY(Message* const layer, Emit("Power", {bottom}));
  SetPower(*layer, power, scale, shift);
  return {};
}

Result<std::string> LayerExport::MakeReshape(const std::string& bottom, const Dims& dims) {
  std::vector<std::string> tops;
  ATH_TRY(Message* const layer, Make("Reshape", {bottom}, tops));
  Message& shape = layer->AddChild("reshape_param").AddChild("shape");
  for (const std::int64_t dim : dims) shape.Number("dim", static_cast<double>(dim));
  return tops[0];
}

void LayerExport::AddBlob(Message& layer, const Tensor& tensor) {
  const Tensor& kept = file.Keep(tensor);
  Message& blob = layer.AddChild("blobs");
  Message& shape = blob.AddChild("shape");
  for (const std::int64_t dim : kept.dims()) shape.Number("dim", static_cast<double>(dim));
  FieldValue& data = blob.Add("data");
  data.kind = FieldValue::Kind::kFloats;
  data.packed = {static_cast<const std::uint8_t*>(kept.raw()), kept.bytes()};
}

const std::vector<ExportRow>& ExportTable() {
  static const std::vector<ExportRow> table =
      SortedRows({MathExportRows, NnExportRows, TensorExportRows}, &ExportRow::op);
  return table;
}

const ExportRow* FindExportRow(std::string_view op) {
  return FindSorted(ExportTable(), &ExportRow::op, op);
}

}  // namespace athanor::caffe
