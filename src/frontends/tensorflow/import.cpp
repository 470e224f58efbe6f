#include "frontends/tensorflow/import.h"

#include <algorithm>
#include <optional>

#include "core/text.h"
#include "frontends/tensorflow/bundle.h"
#include "frontends/tensorflow/graph_import.h"
#include "frontends/tensorflow/raise.h"
#include "frontends/tensorflow/variables.h"
#include "ops/catalog.h"

namespace athanor::tensorflow {
namespace {

using protobuf::Cursor;

constexpr std::size_t kMaxEnds = 4096;  // inputs and outputs of a model

struct End {
  std::string name;
  Place place;
  Type type = {};  // of an input
};

// What is read of a file: where values come in, and which go out.
struct Model {
  std::shared_ptr<const GraphDef> graph;
  Flow flow;
  std::vector<End> inputs, outputs;
};

void SortByPlace(std::vector<End>& ends) {
  std::sort(ends.begin(), ends.end(), [](const End& a, const End& b) {
    return std::pair(a.place.step, a.place.output) < std::pair(b.place.step, b.place.output);
  });
}

Result<Graph> ReadModel(const Model& model, Library& library, VariableReader variables,
                        const std::shared_ptr<const void>& owner) {
  if (model.inputs.size() > kMaxEnds || model.outputs.size() > kMaxEnds)
    return Error(ErrorCode::kResource, "the model has {} inputs and {} outputs",
                 model.inputs.size(), model.outputs.size());
  Graph graph(ops::Standard());
  GraphImport import(library, std::move(variables), owner);
  GraphImport::Feeds feeds;
  std::vector<Place> wanted;
  for (const End& end : model.outputs) wanted.push_back(end.place);
  for (const End& end : model.inputs) feeds.push_back({end.place, Port{}});
  ATH_RETURN_IF_ERROR(import.CheckOperators(model.flow, wanted, feeds));
  for (std::size_t i = 0; i < feeds.size(); ++i)
    feeds[i].second.value = graph.AddInput(model.inputs[i].name, model.inputs[i].type);
  Scope scope = {&graph, 0};
  Result<std::vector<Port>> results = import.Read(model.flow, wanted, {}, feeds, scope);
  ATH_RETURN_IF_ERROR(import.Problems());
  ATH_TRY(const std::vector<Port> ports, std::move(results));
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (!ports[i].IsTensor()) continue;  // statistics of training, handles
    graph.AddOutput(model.outputs[i].name, ports[i].value);
    if (graph.value(ports[i].value).producer != kNoNode)
      graph.SetName(ports[i].value, model.outputs[i].name);
  }
  if (graph.outputs().empty()) return InvalidModel("none of its results is a tensor");
  graph.ReleaseUnusedConstants();
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

// What a Placeholder says of its shape. Before version 24 no sizes meant an unknown rank.
Result<Type> PlaceholderType(const NodeDef& node, std::int32_t producer) {
  constexpr std::int32_t kScalarsSince = 24;
  const AttrProto* dtype = FindAttr(node, "dtype");
  const AttrProto* shape = FindAttr(node, "shape");
  const AttrProto* inferred = FindAttr(node, "_output_shapes");
  ShapeProto unknown;
  unknown.unknown_rank = true;
  const ShapeProto* known = &unknown;
  if (inferred != nullptr && inferred->list && inferred->list->shape.size() == 1)
    known = &inferred->list->shape[0];
  if (shape != nullptr && shape->shape && (producer >= kScalarsSince || !shape->shape->dim.empty()))
    known = shape->shape.get();
  return TypeOf(dtype == nullptr ? 0 : dtype->type, *known, node.name);
}

// Steps for their effect alone: what saves, restores, checks and reports.
bool IsHousekeeping(std::string_view op) {
  static constexpr std::string_view kOps[] = {"Assert",
                                              "Assign",
                                              "AssignVariableOp",
                                              "Const",
                                              "NoOp",
                                              "Placeholder",
                                              "Print",
                                              "PrintV2",
                                              "SaveV2",
                                              "VarIsInitializedOp",
                                              "VarHandleOp",
                                              "MergeV2Checkpoints"};
  return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps) ||
         op.ends_with("Summary");
}

std::size_t OutputCount(const NodeDef& node) {
  std::size_t count = 1;
  if (const Row* row = FindRow(node.op)) count = std::max(count, row->outputs.size());
  for (const std::string_view attr : {"num", "num_split"}) {
    const AttrProto* value = FindAttr(node, attr);
    if (value != nullptr && value->i.value_or(0) > 1)
      count = std::min(static_cast<std::size_t>(*value->i), kMaxEnds);
  }
  return count;
}

bool IsOfSwitch(const Flow& flow, std::size_t step) {
  const Place from = BehindIdentities(flow, {static_cast<std::int32_t>(step), 0});
  return !from.IsArgument() && flow.steps[static_cast<std::size_t>(from.step)].node->op == "Switch";
}

// The outputs of a graph without signatures: what no other step takes. The two sides of a condition
// are taken by name only, so that what stands on them waits.
std::vector<End> FindSinks(const Flow& flow) {
  std::vector<bool> is_used(flow.steps.size(), false);
  for (const Step& step : flow.steps) {
    for (const Place& input : step.inputs) is_used[static_cast<std::size_t>(input.step)] = true;
  }
  std::vector<End> sinks;
  for (std::size_t i = 0; i < flow.steps.size(); ++i) {
    const NodeDef& node = *flow.steps[i].node;
    if (is_used[i] || IsHousekeeping(node.op) || IsOfSwitch(flow, i)) continue;
    for (std::size_t output = 0; output < OutputCount(node); ++output)
      sinks.push_back({output == 0 ? node.name : fmt::format("{}:{}", node.name, output),
                       {static_cast<std::int32_t>(i), output}});
  }
  return sinks;
}

// The Placeholders that the outputs need. One with a default is an input only where there is no
// other: it is how graphs that can also train are told that they do not.
Result<std::vector<End>> FindPlaceholders(const Model& model) {
  std::vector<Place> wanted;
  for (const End& end : model.outputs) wanted.push_back(end.place);
  ATH_TRY(const std::vector<std::int32_t> order,
          OrderFor(model.flow, wanted, [](const Place&) { return false; }));
  for (const std::string_view op : {"Placeholder", "PlaceholderWithDefault"}) {
    std::vector<End> inputs;
    for (const std::int32_t step : order) {
      const NodeDef& node = *model.flow.steps[static_cast<std::size_t>(step)].node;
      if (node.op != op) continue;
      Result<Type> type = PlaceholderType(node, model.graph->versions.producer);
      if (!type.ok()) return std::move(type).status().In(PlaceName(node));
      inputs.push_back({node.name, {step, 0}, *std::move(type)});
    }
    SortByPlace(inputs);
    if (!inputs.empty()) return inputs;
  }
  return std::vector<End>{};
}

Result<Graph> ImportGraphDef(Bytes bytes, const std::shared_ptr<const void>& owner) {
  ATH_TRY(GraphDef parsed, protobuf::Parse<GraphDef>(bytes, "TensorFlow graph"));
  Model model = {std::make_shared<const GraphDef>(std::move(parsed)), {}, {}, {}};
  ATH_TRY(model.flow, FlowOfGraph(model.graph));
  model.outputs = FindSinks(model.flow);
  ATH_RETURN_IF_ERROR(RaiseControlFlow(model.flow));
  if (model.outputs.empty()) return InvalidModel("the graph has no outputs");
  ATH_TRY(model.inputs, FindPlaceholders(model));
  Library library(model.graph);
  const auto no_variables = [](const std::string& name) -> Result<Tensor> {
    return Unsupported("the value of variable {} is not in a graph file", Quote(name))
        .Fix("save the model as a SavedModel folder, or freeze it");
  };
  return ReadModel(model, library, no_variables, owner);
}

const MetaGraph* ChooseGraph(const SavedModel& saved) {
  for (const MetaGraph& meta : saved.meta_graphs) {
    const auto& tags = meta.info.tags;
    if (std::find(tags.begin(), tags.end(), "serve") != tags.end()) return &meta;
  }
  return saved.meta_graphs.empty() ? nullptr : &saved.meta_graphs[0];
}

// "serving_default", or the first by name that is not TensorFlow's own.
const MapEntry<SignatureDef>* ChooseSignature(const MetaGraph& meta) {
  const MapEntry<SignatureDef>* chosen = nullptr;
  for (const auto& entry : meta.signatures) {
    if (entry.key == "serving_default") return &entry;
    if (entry.key.starts_with("__") || entry.value.outputs.empty()) continue;
    if (chosen == nullptr || entry.key < chosen->key) chosen = &entry;
  }
  return chosen;
}

Status ReadSignature(const MapEntry<SignatureDef>& signature, Model& model) {
  for (const auto& [key, info] : signature.value.inputs) {
    ATH_TRY(const Place place, FindPlace(model.flow, info.name));
    Result<Type> type = TypeOf(info.dtype, info.shape, key);
    if (!type.ok()) return std::move(type).status().In(fmt::format("input {}", Quote(key)));
    model.inputs.push_back({key, place, *std::move(type)});
  }
  for (const auto& [key, info] : signature.value.outputs) {
    ATH_TRY(const Place place, FindPlace(model.flow, info.name));
    model.outputs.push_back({key, place});
  }
  SortByPlace(model.inputs);
  SortByPlace(model.outputs);
  if (model.outputs.empty()) return InvalidModel("signature {} has no outputs", signature.key);
  return {};
}

// The variables of a folder, opened when the first is wanted: a model may have none.
class FolderVariables {
 public:
  FolderVariables(std::string prefix, std::map<std::string, std::string> keys)
      : prefix_(std::move(prefix)), keys_(std::move(keys)) {}

  Result<Tensor> Read(const std::string& name) {
    if (!bundle_) {
      ATH_TRY(bundle_, Bundle::Open(prefix_));
    }
    const auto key = keys_.find(name);
    Result<Tensor> tensor = bundle_->Find(key == keys_.end() ? name : key->second);
    if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("variable {}", Quote(name)));
    return tensor;
  }

 private:
  std::string prefix_;
  std::map<std::string, std::string> keys_;
  std::optional<Bundle> bundle_;
};

Result<Graph> ImportSavedModel(Bytes bytes, const std::shared_ptr<const void>& owner,
                               const std::string& folder) {
  ATH_TRY(SavedModel parsed, protobuf::Parse<SavedModel>(bytes, "SavedModel"));
  const auto saved = std::make_shared<const SavedModel>(std::move(parsed));
  if (saved->schema_version != 1)
    return Unsupported("schema version {} is not read; 1 is", saved->schema_version);
  const MetaGraph* meta = ChooseGraph(*saved);
  if (meta == nullptr) return InvalidModel("there is no graph in the file");
  Model model = {std::shared_ptr<const GraphDef>(saved, &meta->graph), {}, {}, {}};
  ATH_TRY(model.flow, FlowOfGraph(model.graph));
  Library library(model.graph);
  using Keys = std::map<std::string, std::string>;
  ATH_TRY(Keys keys, RestoredKeys(model.flow, library, meta->saver.restore_op));
  ATH_RETURN_IF_ERROR(RaiseControlFlow(model.flow));
  const MapEntry<SignatureDef>* signature = ChooseSignature(*meta);
  if (signature == nullptr)
    return InvalidModel("the model has no signature that says what goes in and comes out")
        .Fix(
            "tf.saved_model.save(model, folder, "
            "signatures=model.__call__.get_concrete_function(...))");
  Status status = ReadSignature(*signature, model);
  if (!status.ok()) return std::move(status).In(fmt::format("signature {}", Quote(signature->key)));
  FolderVariables variables(folder + "/variables/variables", std::move(keys));
  return ReadModel(
      model, library, [&](const std::string& name) { return variables.Read(name); }, owner);
}

constexpr std::uint64_t kField1 = 0x0A, kField2 = 0x12;

bool IsSavedModel(Bytes bytes) {
  constexpr std::uint64_t kVersion = 0x08;
  Cursor cursor(bytes);
  if (cursor.Varint() != kVersion || cursor.Varint() != 1 || cursor.Varint() != kField2)
    return false;
  cursor.Varint();
  return cursor.Varint() == kField1 && !cursor.failed();
}

bool IsGraphDef(Bytes bytes) {
  Cursor cursor(bytes);
  if (cursor.Varint() != kField1) return false;
  Cursor node(cursor.LengthDelimited());
  if (cursor.failed() || node.Varint() != kField1) return false;
  node.LengthDelimited();
  return node.Varint() == kField2 && !node.failed();
}

}  // namespace

bool IsTensorflow(Bytes bytes) { return IsSavedModel(bytes) || IsGraphDef(bytes); }

Result<Graph> Import(Bytes bytes, std::shared_ptr<const void> owner, const std::string& folder) {
  if (IsSavedModel(bytes)) return ImportSavedModel(bytes, owner, folder);
  return ImportGraphDef(bytes, owner);
}

}  // namespace athanor::tensorflow
