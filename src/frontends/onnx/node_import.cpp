#include "frontends/onnx/node_import.h"

#include <algorithm>

namespace athanor::onnx {
namespace {

std::string Text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<std::string> Texts(const std::vector<Bytes>& strings) {
  std::vector<std::string> texts;
  for (const Bytes bytes : strings) texts.push_back(Text(bytes));
  return texts;
}

// One attribute as the operator wants it.
Result<AttrValue> Convert(const AttributeProto& proto, AttrKind kind, const TensorSource& source) {
  const auto declared = static_cast<AttributeType>(proto.type);
  const bool list_of_other = (kind == AttrKind::kInts && declared != AttributeType::kInts) ||
                             (kind == AttrKind::kFloats && declared != AttributeType::kFloats) ||
                             (kind == AttrKind::kStrings && declared != AttributeType::kStrings);
  if (list_of_other && declared != AttributeType::kUndefined)
    return InvalidModel("attribute \"{}\" has the wrong kind; {} is expected", proto.name,
                        Name(kind));
  if (kind == AttrKind::kInt && proto.i) return AttrValue(*proto.i);
  if (kind == AttrKind::kFloat && proto.f) return AttrValue(*proto.f);
  if (kind == AttrKind::kString && proto.s) return AttrValue(Text(*proto.s));
  if (kind == AttrKind::kInts) return AttrValue(proto.ints);
  if (kind == AttrKind::kFloats) return AttrValue(proto.floats);
  if (kind == AttrKind::kStrings) return AttrValue(Texts(proto.strings));
  if (kind == AttrKind::kDType && proto.i) {
    const std::optional<DType> dtype = DTypeFromOnnx(static_cast<std::int32_t>(*proto.i));
    if (!dtype)
      return InvalidModel("attribute \"{}\": element type number {} is not known", proto.name,
                          *proto.i);
    return AttrValue(*dtype);
  }
  if (kind == AttrKind::kTensor && proto.t) {
    ATH_TRY(Tensor tensor, ReadTensor(*proto.t, source));
    return AttrValue(std::move(tensor));
  }
  if (kind == AttrKind::kType && proto.tp) {
    ATH_TRY(Type type, ReadType(*proto.tp));
    return AttrValue(std::move(type));
  }
  // Writers leave out fields that are zero.
  if (kind == AttrKind::kInt && declared == AttributeType::kInt) return AttrValue(std::int64_t{0});
  if (kind == AttrKind::kFloat && declared == AttributeType::kFloat) return AttrValue(0.0F);
  if (kind == AttrKind::kString && declared == AttributeType::kString)
    return AttrValue(std::string());
  return InvalidModel("attribute \"{}\" has the wrong kind; {} is expected", proto.name,
                      Name(kind));
}

}  // namespace

std::size_t NodeImport::num_outputs() const {
  std::size_t count = node.output.size();
  while (count > 0 && node.output[count - 1].empty()) --count;
  return count;
}

const AttributeProto* NodeImport::Find(std::string_view name) const {
  const auto found = std::find_if(node.attribute.begin(), node.attribute.end(),
                                  [&](const AttributeProto& a) { return a.name == name; });
  return found == node.attribute.end() ? nullptr : &*found;
}

const AttributeProto* NodeImport::FindKind(std::string_view name, AttributeType kind) const {
  constexpr std::string_view kKinds[] = {
      "",         "a float", "an int",           "a string",
      "a tensor", "a graph", "a list of floats", "a list of ints"};
  const AttributeProto* attribute = Find(name);
  if (attribute == nullptr) return nullptr;
  const auto declared = static_cast<AttributeType>(attribute->type);
  if (declared == kind || declared == AttributeType::kUndefined) return attribute;
  if (attribute_problem_.ok()) {
    attribute_problem_ = InvalidModel("attribute \"{}\" has the wrong kind; {} is expected", name,
                                      kKinds[static_cast<std::size_t>(kind)]);
  }
  return nullptr;
}

std::int64_t NodeImport::Int(std::string_view name, std::int64_t otherwise) const {
  const AttributeProto* attribute = FindKind(name, AttributeType::kInt);
  return attribute == nullptr ? otherwise : attribute->i.value_or(0);
}

float NodeImport::Float(std::string_view name, float otherwise) const {
  const AttributeProto* attribute = FindKind(name, AttributeType::kFloat);
  return attribute == nullptr ? otherwise : attribute->f.value_or(0);
}

std::string NodeImport::String(std::string_view name, std::string_view otherwise) const {
  const AttributeProto* attribute = FindKind(name, AttributeType::kString);
  if (attribute == nullptr) return std::string(otherwise);
  return attribute->s ? Text(*attribute->s) : "";
}

std::optional<std::vector<std::int64_t>> NodeImport::Ints(std::string_view name) const {
  const AttributeProto* attribute = FindKind(name, AttributeType::kInts);
  if (attribute == nullptr) return std::nullopt;
  return attribute->ints;
}

std::optional<std::vector<float>> NodeImport::Floats(std::string_view name) const {
  const AttributeProto* attribute = FindKind(name, AttributeType::kFloats);
  if (attribute == nullptr) return std::nullopt;
  return attribute->floats;
}

Result<AttrMap> NodeImport::Attributes(const OpDef& op,
                                       std::span<const std::string_view> except) const {
  AttrMap map;
  for (const AttributeProto& proto : node.attribute) {
    if (std::find(except.begin(), except.end(), proto.name) != except.end()) continue;
    if (std::find(op.bodies.begin(), op.bodies.end(), proto.name) != op.bodies.end()) continue;
    const auto spec = std::find_if(op.attributes.begin(), op.attributes.end(),
                                   [&](const AttrSpec& s) { return s.name == proto.name; });
    if (spec == op.attributes.end()) {
      return InvalidModel("{} has no attribute \"{}\" (operator set {})", node.op_type, proto.name,
                          opset);
    }
    ATH_TRY(AttrValue value, Convert(proto, spec->kind, source_));
    map.Set(proto.name, std::move(value));
  }
  return map;
}

ValueId NodeImport::ConstantInts(const std::vector<std::int64_t>& values) {
  return Constant(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
}

Result<ValueId> NodeImport::Add(std::string_view op, Operands node_inputs, AttrMap attributes) {
  return graph.Add(op, node_inputs, std::move(attributes), node.name);
}

Status NodeImport::AddSame(std::string_view op, AttrMap attributes) {
  std::vector<ValueId> all = inputs;
  all.insert(all.end(), captures.begin(), captures.end());
  std::vector<bool> omitted;
  std::vector<std::string> names(node.output.begin(),
                                 node.output.begin() + static_cast<std::ptrdiff_t>(num_outputs()));
  for (const std::string& name : names) omitted.push_back(name.empty());
  ATH_TRY(const NodeId id, graph.AddNode({.op = op,
                                          .inputs = std::move(all),
                                          .attributes = std::move(attributes),
                                          .num_outputs = num_outputs(),
                                          .omitted_outputs = std::move(omitted),
                                          .output_names = std::move(names),
                                          .bodies = std::move(bodies),
                                          .captures = static_cast<int>(captures.size()),
                                          .name = node.name}));
  outputs = graph.node(id).outputs;
  return {};
}

Status NodeImport::Give(Result<ValueId> value) {
  if (!value.ok()) return std::move(value).status();
  outputs = {*value};
  return {};
}

std::function<Status(NodeImport&)> Same(std::string_view ir, std::vector<std::string_view> except) {
  return [ir, except = std::move(except)](NodeImport& ctx) -> Status {
    const std::string_view name = ir.empty() ? std::string_view(ctx.node.op_type) : ir;
    const OpDef* op = ctx.graph.catalog().Find(name);
    if (op == nullptr)
      return Error(ErrorCode::kUnknownOperator,
                   "operator \"{}\" is in the table but not in the catalogue", name);
    ATH_TRY(AttrMap attributes, ctx.Attributes(*op, except));
    return ctx.AddSame(name, std::move(attributes));
  };
}

}  // namespace athanor::onnx
