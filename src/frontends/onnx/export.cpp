#include "frontends/onnx/export.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <unordered_map>

#include "core/file.h"
#include "frontends/node_view.h"
#include "frontends/onnx/export_integer.h"
#include "frontends/onnx/forms.h"
#include "frontends/onnx/node_export.h"
#include "frontends/onnx/node_import.h"
#include "frontends/onnx/tensor.h"

namespace athanor::onnx {
namespace {

constexpr std::string_view kOwnDomain = "athanor";
constexpr std::int64_t kUsualOpset = 21;

// The IR version that came with each operator set. Version 4 is the first that lets weights be no
// inputs.
std::int64_t IrVersion(std::int64_t opset) {
  constexpr std::pair<std::int64_t, std::int64_t> kSince[] = {
      {28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10},
      {19, 9},  {15, 8},  {12, 7},  {11, 6},  {10, 5}};
  for (const auto& [since, version] : kSince) {
    if (opset >= since) return version;
  }
  return 4;
}

const ExportRow* FindExportRow(std::string_view op, std::int64_t opset) {
  static const std::vector<ExportRow> rows = [] {
    std::vector<ExportRow> all = ConvertedRows();
    for (ExportRow& row : DecomposedRows()) all.push_back(std::move(row));
    for (ExportRow& row : AttentionRows()) all.push_back(std::move(row));
    return all;
  }();
  // Of several rows for one operator the one for the oldest sets that still covers this one.
  const ExportRow* best = nullptr;
  for (const ExportRow& row : rows) {
    if (row.op == op && opset < row.below && (best == nullptr || row.below < best->below))
      best = &row;
  }
  return best;
}

// True when ai.onnx has the operator with these attributes in its newest form.
bool IsStandard(const Node& node) {
  const Form* newest = FindForm(node.op->name, kNewestOpset);
  if (newest == nullptr) return false;
  return std::all_of(node.attributes.begin(), node.attributes.end(),
                     [&](const auto& item) { return HasAttribute(*newest, item.first); });
}

// "" when the node can be written in this form, else why not.
std::string WhyNot(const Graph& graph, const Node& node, const Form& form) {
  for (const auto& [name, value] : node.attributes) {
    if (!HasAttribute(form, name))
      return fmt::format("attribute \"{}\" does not exist there", name);
  }
  std::size_t given = node.own_inputs().size();
  while (given > 0 && node.own_inputs()[given - 1] == kNoValue) --given;
  if (form.max_inputs >= 0 && given > static_cast<std::size_t>(form.max_inputs))
    return fmt::format("it has at most {} inputs there", form.max_inputs);
  if (given < static_cast<std::size_t>(form.min_inputs))
    return fmt::format("it needs {} inputs there", form.min_inputs);
  if (form.max_outputs >= 0 && node.outputs.size() > static_cast<std::size_t>(form.max_outputs))
    return fmt::format("it has at most {} outputs there", form.max_outputs);
  const bool tensor =
      given > 0 && node.inputs[0] != kNoValue && graph.value(node.inputs[0]).type.IsTensor();
  if (form.types != 0 && tensor) {
    const DType dtype = graph.value(node.inputs[0]).type.dtype;
    if ((form.types >> OnnxFromDType(dtype) & 1U) == 0)
      return fmt::format("it does not take {} there", Name(dtype));
  }
  return "";
}

// Writes one graph; names of values are unique over the whole file.
class GraphExport {
 public:
  GraphExport(FileExport& file, const Graph& graph) : file_(file), graph_(graph) {}

  // `captured`: the outer names of the last inputs.
  GraphProto Run(const std::vector<std::string>& captured, bool outermost) {
    GraphProto proto;
    proto.name = graph_.name();
    NameInputs(proto, captured, outermost);
    NameOutputs(captured.size(), outermost);
    Result<std::vector<NodeId>> order = graph_.Order();
    if (!order.ok()) {
      file_.problems.push_back(order.status());
      return proto;
    }
    order_ = *std::move(order);
    for (at_ = 0; at_ < order_.size(); ++at_) WriteNode(graph_.node(order_[at_]), proto);
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) WriteOutput(i, proto);
    return proto;
  }

 private:
  void NameInputs(GraphProto& proto, const std::vector<std::string>& captured, bool outermost) {
    const std::size_t own = graph_.inputs().size() - captured.size();
    for (std::size_t i = 0; i < graph_.inputs().size(); ++i) {
      const ValueId input = graph_.inputs()[i];
      if (i >= own) {
        names_[input] = captured[i - own];
        continue;
      }
      const Value& value = graph_.value(input);
      if (outermost && !value.name.empty() && file_.ReserveName(value.name)) {
        names_[input] = value.name;
      } else {
        names_[input] = file_.UniqueName(value.name.empty() ? "input" : value.name);
      }
      proto.input.push_back({.name = names_[input], .type = MakeType(value.type)});
    }
  }

  // The names of outputs are part of the model: they are taken before any other value's.
  void NameOutputs(std::size_t captures, bool outermost) {
    const std::size_t own_inputs = graph_.inputs().size() - captures;
    for (const GraphOutput& output : graph_.outputs()) {
      const auto named = names_.find(output.value);
      const bool own_input =
          std::find(graph_.inputs().begin(),
                    graph_.inputs().begin() + static_cast<std::ptrdiff_t>(own_inputs),
                    output.value) !=
          graph_.inputs().begin() + static_cast<std::ptrdiff_t>(own_inputs);
      if (outermost && own_input && named->second == output.name) {
        output_names_.push_back(output.name);  // an input passed through under its own name
        continue;
      }
      std::string name = output.name;
      if (!outermost || name.empty() || !file_.ReserveName(name))
        name = file_.UniqueName(name.empty() ? "output" : name);
      if (graph_.value(output.value).producer != kNoNode && named == names_.end())
        names_[output.value] = name;
      output_names_.push_back(std::move(name));
    }
  }

  void WriteOutput(std::size_t i, GraphProto& proto) {
    const GraphOutput& output = graph_.outputs()[i];
    const std::string& name = output_names_[i];
    if (NameOf(output.value) != name) {
      NodeProto& copy = proto.node.emplace_back();
      copy.op_type = "Identity";
      copy.input = {NameOf(output.value)};
      copy.output = {name};
    }
    proto.output.push_back({.name = name, .type = MakeType(graph_.value(output.value).type)});
  }

  const std::string& NameOf(ValueId id) {
    const auto found = names_.find(id);
    if (found != names_.end()) return found->second;
    const Value& value = graph_.value(id);
    if (value.constant) return file_.ConstantName(*value.constant, value.name);
    return names_[id] = file_.UniqueName(value.name);
  }

  void WriteNode(const Node& node, GraphProto& proto) {
    std::vector<std::string> inputs, outputs, captured;
    for (const ValueId input : node.own_inputs())
      inputs.push_back(input == kNoValue ? "" : NameOf(input));
    for (const ValueId input : std::span(node.inputs).subspan(inputs.size()))
      captured.push_back(NameOf(input));
    for (const ValueId output : node.outputs)
      outputs.push_back(output == kNoValue ? "" : NameOf(output));
    NodeExport ctx(file_, graph_, node, std::move(inputs), std::move(outputs), proto.node);
    if (WriteForIntegers(ctx)) return;
    const std::size_t before = proto.node.size();
    const ExportRow* row = FindExportRow(node.op->name, file_.opset);
    if (row != nullptr && IsStandard(node)) {
      Status status = row->make(ctx);
      if (!status.ok()) {
        proto.node.resize(before);
        Problem(std::move(status).In(Place()), row->below);
      }
      return;
    }
    WriteSame(ctx, captured);
  }

  // False when the node is no part of a product of integers.
  bool WriteForIntegers(NodeExport& ctx) {
    if (file_.opset < kIntegerOpset) return false;
    if (OnlyIntegerProductsRead(graph_, ctx.node)) return true;
    const std::optional<IntegerProduct> product = IntegerProductOf(graph_, ctx.node);
    if (!product) return false;
    const auto name = [this](ValueId id) { return id == kNoValue ? std::string() : NameOf(id); };
    WriteIntegerProduct(ctx, {name(product->x), name(product->x_scale), name(product->x_zero),
                              name(product->w), name(product->w_scale), name(product->w_zero)});
    return true;
  }

  void Problem(Status status, std::int64_t opset_that_would_do) {
    file_.opset_that_would_do = std::max(file_.opset_that_would_do, opset_that_would_do);
    file_.problems.push_back(std::move(status));
  }

  // The domain of an operator that ai.onnx lacks, and its version.
  static std::pair<std::string, std::int64_t> DomainOf(const Node& node) {
    constexpr std::int64_t kNewestMl = 5, kUsualMl = 3;
    const std::pair<std::string, std::int64_t> own = {std::string(kOwnDomain), 1};
    if (node.op->custom != nullptr) return {node.op->name.substr(0, node.op->name.rfind("::")), 1};
    // Known to ai.onnx, but with attributes that are our own.
    if (FindForm(node.op->name, kNewestOpset) != nullptr) return own;
    if (FindRow("ai.onnx.ml", node.op->name, kUsualMl) != nullptr) return {"ai.onnx.ml", kUsualMl};
    if (FindRow("ai.onnx.ml", node.op->name, kNewestMl) != nullptr)
      return {"ai.onnx.ml", kNewestMl};
    if (FindRow("com.microsoft", node.op->name, 1) != nullptr) return {"com.microsoft", 1};
    return own;
  }

  void WriteSame(NodeExport& ctx, const std::vector<std::string>& captured) {
    const Node& node = ctx.node;
    std::string domain;
    if (IsStandard(node)) {
      const Form* form = FindForm(node.op->name, file_.opset);
      const std::string why =
          form == nullptr ? "it does not exist there" : WhyNot(graph_, node, *form);
      if (!why.empty()) return Refuse(node, why);
    } else {
      const auto [name, version] = DomainOf(node);
      domain = name;
      file_.domains[domain] = std::max(file_.domains[domain], version);
      if (domain == kOwnDomain) file_.own.insert(node.op->name);
    }
    std::vector<AttributeProto> bodies;
    for (std::size_t i = 0; i < node.bodies.size(); ++i) {
      AttributeProto& body = bodies.emplace_back();
      body.name = node.op->bodies[i];
      body.type = static_cast<std::int32_t>(AttributeType::kGraph);
      body.g =
          std::make_shared<GraphProto>(GraphExport(file_, *node.bodies[i]).Run(captured, false));
    }
    // Of an operator of a plug-in, "my::Roll", the domain stands apart.
    const std::string& name = node.op->name;
    NodeProto& made =
        ctx.Emit(node.op->custom != nullptr ? name.substr(name.rfind("::") + 2) : name, ctx.inputs,
                 ctx.outputs);
    made.domain = domain;
    CopyAttributes(ctx, made);
    std::move(bodies.begin(), bodies.end(), std::back_inserter(made.attribute));
  }

  std::string Place() const { return PlaceOf(graph_, order_, at_); }

  void Refuse(const Node& node, const std::string& why) {
    std::int64_t would_do = 0;
    for (const Form& form : FormsOf(node.op->name)) {
      if (would_do == 0 && form.since > file_.opset && WhyNot(graph_, node, form).empty())
        would_do = form.since;
    }
    const std::string hint =
        would_do != 0 ? fmt::format("; operator set {} has it", would_do) : std::string();
    Problem(Unsupported("cannot be written in operator set {}: {}{}", file_.opset, why, hint)
                .In(Place()),
            would_do);
  }

  FileExport& file_;
  const Graph& graph_;
  std::unordered_map<ValueId, std::string> names_;
  std::vector<std::string> output_names_;
  std::vector<NodeId> order_;
  std::size_t at_ = 0;  // the node that is written, in this order
};

Status CheckOpset(std::int64_t opset) {
  if (opset >= kOldestOpset && opset <= kNewestOpset) return {};
  return Error(ErrorCode::kUsage, "operator set {} is not written; {} to {} are", opset,
               kOldestOpset, kNewestOpset)
      .Fix(fmt::format("--opset {}", opset < kOldestOpset ? kOldestOpset : kNewestOpset));
}

// Everything but the weights.
Result<ModelProto> MakeModel(const Graph& graph, FileExport& file) {
  ModelProto model;
  model.ir_version = IrVersion(file.opset);
  model.producer_name = "athanor";
  model.graph = GraphExport(file, graph).Run({}, true);
  model.opset_import.push_back({"", file.opset});
  for (const auto& [domain, version] : file.domains)
    model.opset_import.push_back({domain, version});
  if (file.problems.empty()) return model;
  Status all = Status::All(std::move(file.problems));
  if (file.opset_that_would_do == 0) return all;
  return std::move(all).Fix(fmt::format("write operator set {}", file.opset_that_would_do));
}

// `opset` 0: the usual one, or the oldest after it that has all operators.
Result<ModelProto> MakeModel(const Graph& graph, std::int64_t opset,
                             std::unique_ptr<FileExport>& file) {
  const std::int64_t first = opset == 0 ? kUsualOpset : opset;
  ATH_RETURN_IF_ERROR(CheckOpset(first));
  file = std::make_unique<FileExport>(first);
  Result<ModelProto> model = MakeModel(graph, *file);
  const std::int64_t newer = file->opset_that_would_do;
  if (model.ok() || opset != 0 || newer <= first) return model;
  file = std::make_unique<FileExport>(newer);
  return MakeModel(graph, *file);
}

std::int64_t WeightBytes(const FileExport& file) {
  std::int64_t total = 0;
  for (const auto& initializer : file.initializers)
    total += static_cast<std::int64_t>(initializer.tensor.bytes());
  return total;
}

void AddInline(ModelProto& model, FileExport& file) {
  for (const auto& initializer : file.initializers) {
    TensorProto& proto =
        model.graph->initializer.emplace_back(MakeTensor(file, initializer.tensor));
    proto.name = initializer.name;
  }
}

// Writes large weights one after the other, aligned so that a reader can map them.
Status WriteExternal(ModelProto& model, FileExport& file, const std::string& path) {
  constexpr std::size_t kAlignment = 4096, kSmall = 1024;
  ATH_TRY(PartialFile partial, PartialFile::For(path));
  const std::string location = std::filesystem::path(path).filename().string();
  std::ofstream out(partial.name(), std::ios::binary | std::ios::trunc);
  std::uint64_t offset = 0;
  for (const auto& initializer : file.initializers) {
    TensorProto& proto =
        model.graph->initializer.emplace_back(MakeTensor(file, initializer.tensor));
    proto.name = initializer.name;
    if (!proto.raw_data || proto.raw_data->size() < kSmall) continue;
    const std::uint64_t start = (offset + kAlignment - 1) / kAlignment * kAlignment;
    out.seekp(static_cast<std::streamoff>(start));
    out.write(reinterpret_cast<const char*>(proto.raw_data->data()),
              static_cast<std::streamsize>(proto.raw_data->size()));
    offset = start + proto.raw_data->size();
    proto.external_data = {{"location", location},
                           {"offset", std::to_string(start)},
                           {"length", std::to_string(proto.raw_data->size())}};
    proto.data_location = 1;
    proto.raw_data.reset();
  }
  out.close();
  if (!out) return Error(ErrorCode::kFileWrite, "{}: cannot be written", path);
  return partial.Commit();
}

}  // namespace

Result<std::vector<std::uint8_t>> ExportOnnx(const Graph& graph, const ExportOptions& options) {
  std::unique_ptr<FileExport> owner;
  ATH_TRY(ModelProto model, MakeModel(graph, options.opset, owner));
  FileExport& file = *owner;
  if (WeightBytes(file) > options.external_above) {
    return Error(ErrorCode::kResource, "the weights take {} bytes; in one ONNX file {} have room",
                 WeightBytes(file), options.external_above)
        .Fix("save to a path: the weights then go into a second file");
  }
  AddInline(model, file);
  return protobuf::Serialize(model);
}

std::set<std::string> OwnOperators(const Graph& graph, const ExportOptions& options) {
  std::unique_ptr<FileExport> file;
  const bool made = MakeModel(graph, options.opset, file).ok();
  return made ? file->own : std::set<std::string>();
}

Status SaveOnnx(const Graph& graph, const std::string& path, const ExportOptions& options) {
  std::unique_ptr<FileExport> owner;
  ATH_TRY(ModelProto model, MakeModel(graph, options.opset, owner));
  FileExport& file = *owner;
  if (WeightBytes(file) > options.external_above) {
    ATH_RETURN_IF_ERROR(WriteExternal(model, file, path + ".data"));
  } else {
    AddInline(model, file);
  }
  return WriteFileAtomically(path, protobuf::Serialize(model));
}

}  // namespace athanor::onnx
