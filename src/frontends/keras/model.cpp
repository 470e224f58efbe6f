#include "frontends/keras/model.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/unread_kinds.h"

namespace athanor::keras {
namespace {

using Kind = Config::Kind;

constexpr int kMaxDepth = 16;              // of layers within layers
constexpr std::size_t kMaxCalls = 50'000;  // of layers in one model

std::string TextOf(const Config& value, std::string_view key) {
  const Config* member = value.Find(key);
  return member == nullptr ? "" : member->text;
}

const Config& ConfigOf(const Config& layer) {
  static const Config none = {.kind = Kind::kObject};
  const Config* config = layer.Find("config");
  return config == nullptr ? none : *config;
}

std::string NameOf(const Config& layer) {
  std::string name = TextOf(layer, "name");
  return name.empty() ? TextOf(ConfigOf(layer), "name") : name;
}

std::string PlaceOf(const Config& layer) {
  return fmt::format("layer {} ({})", Quote(NameOf(layer)), TextOf(layer, "class_name"));
}

// "MaxPooling2D" -> "max_pooling2d": where a capital starts a word of small letters, and between a
// small letter and a capital, stands a line.
std::string SnakeCase(std::string_view name) {
  const auto is_capital = [&](std::size_t i) {
    return i < name.size() && name[i] >= 'A' && name[i] <= 'Z';
  };
  const auto is_small = [&](std::size_t i) {
    return i < name.size() && name[i] >= 'a' && name[i] <= 'z';
  };
  std::string snake;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (i > 0 && is_capital(i) && (is_small(i + 1) || is_small(i - 1))) snake += '_';
    snake += is_capital(i) ? static_cast<char>(name[i] - 'A' + 'a') : name[i];
  }
  return snake;
}

// Operations such as `a + b` are no layers: they have no weights, nor a number among them.
bool IsLayer(const Config& layer) { return !TextOf(layer, "module").starts_with("keras.src.ops"); }

// The group of each layer in .keras: its class's name, numbered from the second on.
class Groups {
 public:
  std::string Next(const Config& layer) {
    const std::string name = SnakeCase(TextOf(layer, "class_name"));
    const int count = used_[name]++;
    return count == 0 ? name : fmt::format("{}_{}", name, count);
  }

 private:
  std::map<std::string, int> used_;
};

Weights WeightsOf(const Weights& model, Groups& groups, const Config& layer) {
  if (!IsLayer(layer)) return {};
  return model.Part(model.is_numbered() ? "layers/" + groups.Next(layer) : "", NameOf(layer));
}

// A batch size and sizes as a type; null is open.
Result<Type> InputType(const Config& config, const std::string& name) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"", DType::kF32},        {"float32", DType::kF32}, {"float16", DType::kF16},
      {"float64", DType::kF64}, {"int32", DType::kI32},   {"int64", DType::kI64},
      {"uint8", DType::kU8},    {"int8", DType::kI8},     {"bool", DType::kBool}};
  const Config* shape = config.Find("batch_shape");
  if (shape == nullptr) shape = config.Find("batch_input_shape");
  if (shape == nullptr) return InvalidModel("the input has no shape");
  Shape dims;
  std::vector<Config> items = shape->items;
  for (const double number : shape->numbers)
    items.push_back({.kind = Kind::kNumber, .number = number});
  if (items.size() > 16) return InvalidModel("the input has {} axes", items.size());
  for (std::size_t axis = 0; axis < items.size(); ++axis) {
    if (items[axis].kind != Kind::kNumber && items[axis].kind != Kind::kNull)
      return InvalidModel("a size of the input is no number");
    ATH_TRY(const Ints size, LayerImport::Integers(items[axis]));
    dims.push_back(size.size() == 1 ? Dim(size[0])
                                    : Dim::Symbol(fmt::format("{}_{}", name.substr(0, 100), axis)));
    if (size.size() == 1 && size[0] < 0) return InvalidModel("a size of {}", size[0]);
  }
  const std::string wanted = TextOf(config, "dtype");
  for (const auto& [text, dtype] : kTypes) {
    if (text == wanted) return Type::Tensor(dtype, std::move(dims));
  }
  return Unsupported("an input of {} is not read", Quote(wanted));
}

Status NotRead(const UnreadKinds& unread) {
  std::vector<std::string> known;
  for (const Row& row : Table()) known.emplace_back(row.layer);
  return unread.Problems("layer", known, [](const std::string& class_name) {
    return "export it to ONNX with Keras 3: model.export('model.onnx', format='onnx'); or " +
           ForeignFix("keras", ClassWithoutPackage(class_name));
  });
}

void FindUnread(const Config& model, UnreadKinds& unread, int depth) {
  const Config* layers = ConfigOf(model).Find("layers");
  if (layers == nullptr || depth > kMaxDepth) return;
  for (const Config& layer : layers->items) {
    const std::string class_name = TextOf(layer, "class_name");
    if (IsModel(class_name)) {
      FindUnread(layer, unread, depth + 1);
    } else if (class_name != "InputLayer" && FindRowOrForeign(class_name) == nullptr) {
      unread.Add(class_name, [&] { return PlaceOf(layer); });
    }
  }
}

// Every class of layers that is not read, before anything else is said.
Status CheckLayers(const Config& model) {
  UnreadKinds unread;
  FindUnread(model, unread, 0);
  return NotRead(unread);
}

struct CallOf {
  std::vector<Argument> arguments;
  const Config* keywords = nullptr;
};

Result<std::vector<ValueId>> AddCall(Graph& graph, const FileInfo& info, const Config& layer,
                                     Weights weights, CallOf call, int depth) {
  const std::string class_name = TextOf(layer, "class_name");
  if (depth > kMaxDepth)
    return Error(ErrorCode::kResource, "layers are nested more than {} deep", kMaxDepth);
  if (IsModel(class_name)) {
    std::vector<ValueId> inputs;
    for (const Argument& argument : call.arguments) {
      if (argument.value != kNoValue) inputs.push_back(argument.value);
    }
    if (inputs.empty()) return InvalidModel("a model is called without inputs");
    ATH_TRY(ModelEnds ends, AddModel(graph, info, layer, weights, std::move(inputs), depth + 1));
    return std::move(ends.outputs);
  }
  const Row* row = FindRowOrForeign(class_name);
  if (row == nullptr) {
    UnreadKinds unread;
    unread.Add(class_name);
    return NotRead(unread);
  }
  LayerImport ctx(graph, NameOf(layer), info, ConfigOf(layer), std::move(weights),
                  std::move(call.arguments), depth);
  ctx.class_name = class_name;
  ctx.row = row;
  ctx.call = call.keywords;
  ATH_RETURN_IF_ERROR(row->make(ctx));
  return std::move(ctx.outputs);
}

// Where a tensor comes from: the layer, which of its calls, which of its results.
struct Reference {
  std::string layer;
  std::size_t call = 0, output = 0;
  friend auto operator<=>(const Reference&, const Reference&) = default;
};

// ["name", 0, 0], perhaps with more behind it.
std::optional<Reference> AsReference(const Config& value) {
  if (value.items.size() < 3 || value.items[0].kind != Kind::kString) return std::nullopt;
  const Config &call = value.items[1], &output = value.items[2];
  constexpr double kLargest = 1e6;
  if (call.kind != Kind::kNumber || output.kind != Kind::kNumber || !(call.number >= 0) ||
      !(output.number >= 0) || call.number > kLargest || output.number > kLargest)
    return std::nullopt;
  return Reference{value.items[0].text, static_cast<std::size_t>(call.number),
                   static_cast<std::size_t>(output.number)};
}

struct Item {
  std::optional<Reference> from;
  double number = 0;
};

// Tensors and numbers of a call's arguments, in order, however they are nested.
void Collect(const Config& value, std::vector<Item>& items) {
  if (const auto reference = AsReference(value)) {
    items.push_back({reference});
    return;
  }
  if (value.kind == Kind::kObject) {
    if (TextOf(value, "class_name") == "__keras_tensor__") {
      const Config* history = ConfigOf(value).Find("keras_history");
      if (history != nullptr) Collect(*history, items);
      return;
    }
    for (const auto& [key, member] : value.members) Collect(member, items);
    return;
  }
  if (value.kind == Kind::kNumber) items.push_back({std::nullopt, value.number});
  for (const double number : value.numbers) items.push_back({std::nullopt, number});
  for (const Config& item : value.items) Collect(item, items);
}

struct Call {
  const Config* layer = nullptr;
  Weights weights;
  std::size_t number = 0;  // of the layer's calls
  std::vector<Item> items;
  const Config* keywords = nullptr;
};

class Functional {
 public:
  Functional(Graph& graph, const FileInfo& info, const Config& config, const Weights& weights,
             int depth)
      : graph_(graph), info_(info), config_(config), weights_(weights), depth_(depth) {}

  Result<ModelEnds> Run(std::vector<ValueId> inputs) {
    ATH_RETURN_IF_ERROR(ReadCalls());
    ATH_RETURN_IF_ERROR(SetInputs(std::move(inputs)));
    // In the order of the file nearly always; what is not ready waits for another round.
    while (!calls_.empty()) {
      std::vector<Call> waiting;
      for (Call& call : calls_) {
        if (IsReady(call)) {
          ATH_RETURN_IF_ERROR(Make(call));
        } else {
          waiting.push_back(std::move(call));
        }
      }
      if (waiting.size() == calls_.size())
        return InvalidModel("an input is never defined").In(PlaceOf(*waiting[0].layer));
      if (++rounds_ > kMaxRounds) return InvalidModel("its layers are in no order");
      calls_ = std::move(waiting);
    }
    return Outputs();
  }

 private:
  static constexpr int kMaxRounds = 1000;

  // Models as layers have a call of their own when they are made: Keras 2 counts later ones from 1,
  // Keras 3 does so only where a functional model is an end of the model around it.
  std::size_t FirstCall(const Config& layer) const {
    return info_.is_keras2 && IsModel(TextOf(layer, "class_name")) ? 1 : 0;
  }

  Status ReadCalls() {
    const Config* layers = config_.Find("layers");
    if (layers == nullptr) return InvalidModel("the model has no layers");
    Groups groups;
    for (const Config& layer : layers->items) {
      const Weights weights = WeightsOf(weights_, groups, layer);
      const Config* nodes = layer.Find("inbound_nodes");
      if (TextOf(layer, "class_name") == "InputLayer") input_layers_.push_back(&layer);
      if (nodes == nullptr) continue;
      const std::string kind = TextOf(layer, "class_name");
      if (!info_.is_keras2 && IsModel(kind) && kind != "Sequential")
        counted_from_1_.insert(NameOf(layer));
      std::size_t number = FirstCall(layer);
      for (const Config& node : nodes->items) {
        Call call = {&layer, weights, number++, {}, node.Find("kwargs")};
        Collect(node, call.items);
        calls_.push_back(std::move(call));
        if (calls_.size() > kMaxCalls)
          return Error(ErrorCode::kResource, "the model has more than {} calls", kMaxCalls);
      }
    }
    std::erase_if(
        calls_, [](const Call& call) { return TextOf(*call.layer, "class_name") == "InputLayer"; });
    return {};
  }

  std::vector<Reference> Ends(std::string_view key) const {
    std::vector<Item> items;
    const Config* ends = config_.Find(key);
    if (ends != nullptr) Collect(*ends, items);
    std::vector<Reference> references;
    for (const Item& item : items) {
      if (item.from) references.push_back(*item.from);
    }
    return references;
  }

  Status SetInputs(std::vector<ValueId> inputs) {
    const std::vector<Reference> wanted = Ends("input_layers");
    const bool makes = inputs.empty();
    if (!makes && inputs.size() != wanted.size())
      return InvalidModel("a model of {} inputs is called with {}", wanted.size(), inputs.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (makes) {
        const auto layer =
            std::find_if(input_layers_.begin(), input_layers_.end(),
                         [&](const Config* l) { return NameOf(*l) == wanted[i].layer; });
        if (layer == input_layers_.end())
          return InvalidModel("there is no input layer {}", Quote(wanted[i].layer));
        Result<Type> type = InputType(ConfigOf(**layer), wanted[i].layer);
        if (!type.ok()) return std::move(type).status().In(PlaceOf(**layer));
        inputs.push_back(graph_.AddInput(wanted[i].layer, *std::move(type)));
      }
      values_[wanted[i]] = inputs[i];
      ends_.input_names.push_back(wanted[i].layer);
    }
    return {};
  }

  bool IsReady(const Call& call) const {
    return std::all_of(call.items.begin(), call.items.end(), [&](const Item& item) {
      return !item.from || values_.count(*item.from) != 0;
    });
  }

  Status Make(const Call& call) {
    CallOf made = {{}, call.keywords};
    for (const Item& item : call.items)
      made.arguments.push_back(item.from ? Argument{values_[*item.from], 0}
                                         : Argument{kNoValue, item.number});
    Result<std::vector<ValueId>> results =
        AddCall(graph_, info_, *call.layer, call.weights, std::move(made), depth_);
    if (!results.ok()) return std::move(results).status().In(PlaceOf(*call.layer));
    for (std::size_t o = 0; o < results->size(); ++o)
      values_[{NameOf(*call.layer), call.number, o}] = (*results)[o];
    return {};
  }

  Result<ModelEnds> Outputs() {
    for (Reference reference : Ends("output_layers")) {
      if (reference.call > 0 && counted_from_1_.count(reference.layer) != 0) --reference.call;
      const auto value = values_.find(reference);
      if (value == values_.end())
        return InvalidModel("output {} is never defined", Quote(reference.layer));
      ends_.outputs.push_back(value->second);
      ends_.output_names.push_back(reference.layer);
    }
    if (ends_.outputs.empty()) return InvalidModel("the model has no outputs");
    return std::move(ends_);
  }

  Graph& graph_;
  const FileInfo& info_;
  const Config& config_;
  const Weights& weights_;
  int depth_, rounds_ = 0;
  std::vector<const Config*> input_layers_;
  std::vector<Call> calls_;
  std::map<Reference, ValueId> values_;
  std::set<std::string> counted_from_1_;  // layers whose calls are, among the model's outputs
  ModelEnds ends_;
};

// One layer after the other. The shape of the input is in the first, or beside them.
Result<ModelEnds> AddSequential(Graph& graph, const FileInfo& info, const Config& config,
                                const Weights& weights, std::vector<ValueId> inputs, int depth) {
  const Config* layers = config.Find("layers");
  if (layers == nullptr || layers->items.empty()) return InvalidModel("the model has no layers");
  if (inputs.size() > 1)
    return InvalidModel("a sequential model is called with {} inputs", inputs.size());
  ModelEnds ends;
  const Config& first = layers->items[0];
  if (inputs.empty()) {
    const std::string name = NameOf(first);
    Config shape = ConfigOf(first);
    const Config* built = config.Find("build_input_shape");
    if (shape.Find("batch_shape") == nullptr && shape.Find("batch_input_shape") == nullptr &&
        built != nullptr)
      shape = {.kind = Kind::kObject, .members = {{"batch_shape", *built}}};
    Result<Type> type = InputType(shape, name);
    if (!type.ok()) return std::move(type).status().In(PlaceOf(first));
    inputs.push_back(graph.AddInput(name, *std::move(type)));
    ends.input_names.push_back(name);
  }
  Groups groups;
  std::vector<ValueId> values = inputs;
  for (const Config& layer : layers->items) {
    if (TextOf(layer, "class_name") == "InputLayer") {
      // Keras does not count the input layer of a sequential model among its layers.
      continue;
    }
    CallOf call;
    for (const ValueId value : values) call.arguments.push_back({value, 0});
    Result<std::vector<ValueId>> results =
        AddCall(graph, info, layer, WeightsOf(weights, groups, layer), std::move(call), depth);
    if (!results.ok()) return std::move(results).status().In(PlaceOf(layer));
    values = *std::move(results);
    ends.output_names = {NameOf(layer)};
  }
  if (ends.output_names.empty()) return InvalidModel("the model has no layers");
  ends.output_names.resize(values.size(), ends.output_names[0]);
  ends.outputs = std::move(values);
  return ends;
}

}  // namespace

bool IsModel(std::string_view class_name) {
  return class_name == "Functional" || class_name == "Sequential" || class_name == "Model";
}

Result<std::vector<ValueId>> AddLayer(LayerImport& outer, const Config& layer,
                                      const Weights& weights, std::vector<ValueId> inputs) {
  CallOf call;
  for (const ValueId input : inputs) call.arguments.push_back({input, 0});
  Result<std::vector<ValueId>> results =
      AddCall(outer.graph, outer.info, layer, weights, std::move(call), outer.depth + 1);
  if (!results.ok()) return std::move(results).status().In(PlaceOf(layer));
  if (results->empty()) return InvalidModel("an inner layer gives nothing");
  return results;
}

Result<ModelEnds> AddModel(Graph& graph, const FileInfo& info, const Config& model,
                           const Weights& weights, std::vector<ValueId> inputs, int depth) {
  const std::string class_name = TextOf(model, "class_name");
  const Config& config = ConfigOf(model);
  if (depth == 0) ATH_RETURN_IF_ERROR(CheckLayers(model));
  if (class_name == "Sequential")
    return AddSequential(graph, info, config, weights, std::move(inputs), depth);
  if (!IsModel(class_name) || config.Find("layers") == nullptr)
    return Unsupported("a model of class {} is not read; sequential and functional models are",
                       Quote(class_name))
        .Fix("model.export('folder') writes a SavedModel folder, which is read");
  return Functional(graph, info, config, weights, depth).Run(std::move(inputs));
}

}  // namespace athanor::keras
