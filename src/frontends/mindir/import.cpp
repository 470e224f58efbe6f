#include "frontends/mindir/import.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "frontends/mindir/op_import.h"
#include "frontends/tensorflow/tensor.h"
#include "frontends/unread_kinds.h"
#include "ops/catalog.h"

namespace athanor::mindir {
namespace {

constexpr std::size_t kMaxProblems = 100, kMostParts = 10000;
constexpr std::string_view kReference = "REF::";

std::string_view TextOf(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// "1_construct:x" -> "x"
std::string ShortName(const std::string& name) { return name.substr(name.rfind(':') + 1); }

class Importer {
 public:
  Importer(const ModelProto& model, std::shared_ptr<const void> owner)
      : model_(model), owner_(std::move(owner)), graph_(ops::Standard(), "mindir") {
    for (const PrimitiveProto& primitive : model.primitives)
      primitives_[primitive.name] = &primitive;
  }

  Result<Graph> Run() {
    if (!model_.functions.empty())
      return Unsupported("networks with functions (control flow) are not read");
    ATH_RETURN_IF_ERROR(CheckOperators());
    for (const ValueInfoProto& input : model_.graph.input) {
      Status status = AddInput(input);
      if (!status.ok()) return std::move(status).In(Place("input", input.name));
    }
    for (const TensorProto& parameter : model_.graph.parameter) {
      Status status = AddParameter(parameter);
      if (!status.ok()) return std::move(status).In(Place("parameter", parameter.name));
    }
    for (const NodeProto& node : model_.graph.node) {
      if (problems_.size() >= kMaxProblems) break;
      AddNode(node);
    }
    ATH_RETURN_IF_ERROR(Status::All(std::move(problems_)));
    ATH_RETURN_IF_ERROR(AddOutputs());
    graph_.ReleaseUnusedConstants();
    ATH_RETURN_IF_ERROR(Verify(graph_));
    return std::move(graph_);
  }

 private:
  static std::string Place(std::string_view what, const std::string& name) {
    return fmt::format("{} {}", what, Quote(ShortName(name).substr(0, 100)));
  }

  std::string OpOf(const NodeProto& node) const {
    if (!node.op_type.starts_with(kReference)) return node.op_type;
    const PrimitiveProto* primitive = PrimitiveOf(node);
    return primitive == nullptr ? node.op_type : primitive->op_type;
  }
  const PrimitiveProto* PrimitiveOf(const NodeProto& node) const {
    if (!node.op_type.starts_with(kReference)) return nullptr;
    const auto found = primitives_.find(node.op_type.substr(kReference.size()));
    return found == primitives_.end() ? nullptr : found->second;
  }

  // What passes values on or groups them, and says in which order nodes run.
  static bool IsWiring(std::string_view op) {
    static constexpr std::string_view kOps[] = {"Constant",  "Depend",       "Load",
                                                "MakeTuple", "TupleGetItem", "UpdateState"};
    return std::find(std::begin(kOps), std::end(kOps), op) != std::end(kOps);
  }

  Status CheckOperators() const {
    UnreadKinds unread;
    for (const NodeProto& node : model_.graph.node) {
      const std::string op = OpOf(node);
      if (!IsWiring(op) && FindRow(op) == nullptr) unread.Add(op);
    }
    return unread.Problems("operator", Names(), [](const std::string&) {
      return "export it as ONNX: mindspore.export(net, x, file_format='ONNX')";
    });
  }

  Status AddInput(const ValueInfoProto& input) {
    if (input.tensor.size() != 1) return Unsupported("it is no tensor");
    const DType dtype = DTypeOf(input.tensor[0].data_type);
    if (dtype == DType::kUndefined)
      return Error(ErrorCode::kUnsupportedType, "element type {} is not read",
                   input.tensor[0].data_type);
    const std::string name = ShortName(input.name);
    Shape shape;
    for (const std::int64_t size : input.tensor[0].dims) {
      if (size > kLargestSize) return InvalidModel("a size is {}", size);
      shape.push_back(size < 0 ? Dim::Symbol(fmt::format("{}_{}", name, shape.size())) : Dim(size));
    }
    return Define(input.name, {Item::Kind::kTensor,
                               graph_.AddInput(name, Type::Tensor(dtype, std::move(shape)))});
  }

  Result<Tensor> ReadTensor(const TensorProto& proto) const {
    const DType dtype = DTypeOf(proto.data_type);
    if (dtype == DType::kUndefined)
      return Error(ErrorCode::kUnsupportedType, "element type {} is not read", proto.data_type);
    if (!proto.external.empty())
      return Unsupported("parameters in files of their own are not read")
          .Fix("export a network below 1 GiB, whose file holds its parameters");
    return tensorflow::ViewOrCopy(dtype, proto.dims, proto.raw, owner_);
  }

  Status AddParameter(const TensorProto& parameter) {
    ATH_TRY(Tensor tensor, ReadTensor(parameter));
    return Define(
        parameter.name,
        {Item::Kind::kTensor, graph_.AddConstant(std::move(tensor), ShortName(parameter.name))});
  }

  Status Define(const std::string& name, Item item) {
    if (items_.emplace(name, std::move(item)).second) return {};
    return InvalidModel("two values have this name");
  }

  void AddNode(const NodeProto& node) {
    const auto is_lost = [&](const std::string& name) { return lost_.count(name) != 0; };
    const bool waits = std::any_of(node.input.begin(), node.input.end(), is_lost);
    Status status;
    if (!waits) status = AddOne(node);
    if (!waits && status.ok()) return;
    lost_.insert(node.output.begin(), node.output.end());
    if (waits) return;
    problems_.push_back(std::move(status).In(
        fmt::format("node {} ({})", Quote(node.name.substr(0, 100)), OpOf(node))));
  }

  Status AddOne(const NodeProto& node) {
    if (node.output.size() != 1) return InvalidModel("it has {} outputs", node.output.size());
    std::vector<Item> inputs;
    for (const std::string& name : node.input) {
      const auto found = items_.find(name);
      if (found == items_.end())
        return InvalidModel("it reads {}, which nothing before it makes",
                            Quote(ShortName(name).substr(0, 100)));
      inputs.push_back(found->second);
    }
    const std::string op = OpOf(node);
    if (IsWiring(op)) {
      ATH_TRY(Item item, Wired(node, op, inputs));
      return Define(node.output[0], std::move(item));
    }
    const Row& row = *FindRow(op);
    if (std::ssize(inputs) < row.least)
      return InvalidModel("{} inputs are given; {} are wanted", inputs.size(), row.least);
    OpImport ctx(graph_, node, row, PrimitiveOf(node), std::move(inputs));
    row.make(ctx);
    ATH_RETURN_IF_ERROR(ctx.problem());
    return Define(node.output[0], std::move(ctx.result));
  }

  Result<Item> Wired(const NodeProto& node, std::string_view op, const std::vector<Item>& inputs) {
    if (op == "UpdateState") return Item{};
    if (op == "Constant") return ConstantOf(node);
    if (op == "MakeTuple") {
      // A tuple holds copies of its parts: tuples of tuples must not grow without bound.
      std::size_t parts = 1;
      for (const Item& input : inputs) parts += input.parts;
      if (parts > kMostParts) return Unsupported("a tuple of more than {} parts", kMostParts);
      return Item{Item::Kind::kTuple, kNoValue, 0, 0, {}, inputs, parts};
    }
    if (inputs.empty()) return InvalidModel("it has no inputs");
    if (op != "TupleGetItem") return inputs[0];
    const auto count = std::ssize(inputs[0].items);
    if (inputs.size() != 2 || inputs[1].kind != Item::Kind::kInt || inputs[1].whole < 0 ||
        inputs[1].whole >= count)
      return Unsupported("a part of a tuple of {} is not read", count);
    return inputs[0].items[static_cast<std::size_t>(inputs[1].whole)];
  }

  Result<Item> ConstantOf(const NodeProto& node) {
    if (node.attribute.size() != 1) return InvalidModel("it has {} values", node.attribute.size());
    const AttributeProto& value = node.attribute[0];
    const TensorProto* tensor = !value.tensor.empty()    ? &value.tensor[0]
                                : !value.tensors.empty() ? &value.tensors[0]
                                                         : nullptr;
    if (tensor == nullptr) return ItemOf(value);
    ATH_TRY(Tensor read, ReadTensor(*tensor));
    return Item{Item::Kind::kTensor, graph_.AddConstant(std::move(read))};
  }

  Status AddOutputs() {
    std::vector<ValueId> values;
    for (const ValueInfoProto& output : model_.graph.output) {
      const auto found = items_.find(output.name);
      if (found == items_.end())
        return InvalidModel("nothing makes it").In(Place("output", output.name));
      ATH_RETURN_IF_ERROR(Collect(found->second, values));
    }
    if (values.empty()) return InvalidModel("the network gives no results");
    for (std::size_t i = 0; i < values.size(); ++i)
      graph_.AddOutput(values.size() == 1 ? "output" : fmt::format("output_{}", i), values[i]);
    return {};
  }

  // Tensors of tuples, in order.
  static Status Collect(const Item& item, std::vector<ValueId>& values) {
    if (item.kind == Item::Kind::kTuple) {
      for (const Item& part : item.items) ATH_RETURN_IF_ERROR(Collect(part, values));
      return {};
    }
    if (item.kind != Item::Kind::kTensor) return Unsupported("an output is no tensor");
    values.push_back(item.value);
    return {};
  }

  const ModelProto& model_;
  std::shared_ptr<const void> owner_;
  Graph graph_;
  std::map<std::string, const PrimitiveProto*, std::less<>> primitives_;
  std::map<std::string, Item, std::less<>> items_;
  std::set<std::string, std::less<>> lost_;  // outputs of nodes with a problem, and what reads them
  std::vector<Status> problems_;
};

}  // namespace

// The version of the form, then who wrote it.
bool IsMindir(Bytes bytes) {
  constexpr std::uint64_t kVersion = 0x0A, kProducer = 0x12;
  protobuf::Cursor cursor(bytes);
  if (cursor.Varint() != kVersion) return false;
  cursor.LengthDelimited();
  return cursor.Varint() == kProducer && TextOf(cursor.LengthDelimited()) == "MindSpore" &&
         !cursor.failed();
}

Result<Graph> Import(Bytes bytes, std::shared_ptr<const void> owner) {
  ATH_TRY(const ModelProto model, protobuf::Parse<ModelProto>(bytes, "MindIR model"));
  return Importer(model, std::move(owner)).Run();
}

}  // namespace athanor::mindir
