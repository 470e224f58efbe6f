#include "frontends/onnx/node_export.h"

#include <algorithm>
#include <cstring>

#include "frontends/onnx/forms.h"
#include "frontends/onnx/tensor.h"

namespace athanor::onnx {
namespace {

Bytes Store(FileExport& file, const std::string& text) {
  return file.storage.emplace_back(text.begin(), text.end());
}

AttributeProto& AddAttribute(NodeProto& node, std::string_view name, AttributeType type) {
  AttributeProto& attribute = node.attribute.emplace_back();
  attribute.name = name;
  attribute.type = static_cast<std::int32_t>(type);
  return attribute;
}

// `wish`, or with a number behind it when that is taken.
std::string Unique(std::unordered_set<std::string>& taken, const std::string& wish) {
  std::string name = wish;
  for (std::size_t n = 1; !taken.insert(name).second; ++n) name = fmt::format("{}_{}", wish, n);
  return name;
}

}  // namespace

std::string FileExport::UniqueName(std::string_view wish) {
  return Unique(names_, wish.empty() ? "v" : std::string(wish));
}

std::string FileExport::UniqueNodeName(const std::string& wish) {
  return wish.empty() ? "" : Unique(node_names_, wish);
}

const std::string& FileExport::ConstantName(const Tensor& tensor, std::string_view wish) {
  const std::string identity =
      fmt::format("{} {} {}", tensor.raw(), Name(tensor.dtype()), ToString(tensor.dims()));
  const auto [at, added] = constants_.try_emplace(identity);
  if (added) {
    at->second = UniqueName(wish.empty() ? "c" : wish);
    // Holding the tensor keeps its memory, and so its identity.
    initializers.push_back({at->second, tensor});
  }
  return at->second;
}

Result<std::vector<std::int64_t>> NodeExport::ConstantInts(std::size_t i) const {
  if (const Tensor* tensor = Constant(i)) return ToInts(*tensor);
  // Computed from shapes that are known.
  const std::optional<Shape>& ints = graph.value(node.inputs[i]).ints;
  std::vector<std::int64_t> values;
  for (const Dim& dim : ints.value_or(Shape{Dim::Unknown()})) {
    if (!dim.IsConst())
      return Unsupported("input {} ({}) is computed; a constant is needed there", i,
                         node.op->inputs[std::min(i, node.op->inputs.size() - 1)].name);
    values.push_back(dim.value());
  }
  return values;
}

Result<float> NodeExport::ConstantFloat(std::size_t i) const {
  const Tensor* tensor = Constant(i);
  if (tensor == nullptr || tensor->count() != 1)
    return Unsupported("input {} is computed; a constant number is needed there", i);
  ATH_TRY(const std::vector<double> values, ToDoubles(*tensor));
  return static_cast<float>(values[0]);
}

Result<std::int64_t> NodeExport::Rank(std::size_t i) const {
  if (!InType(i).HasRank()) return Unsupported("the rank of input {} must be known", i);
  return InType(i).rank();
}

NodeProto& NodeExport::Emit(std::string_view op, std::vector<std::string> in,
                            std::vector<std::string> out) {
  NodeProto& made = out_.emplace_back();
  made.op_type = op;
  made.input = std::move(in);
  made.output = std::move(out);
  while (!made.input.empty() && made.input.back().empty()) made.input.pop_back();
  while (!made.output.empty() && made.output.back().empty()) made.output.pop_back();
  made.name = file.UniqueNodeName(node.name);
  return made;
}

std::string NodeExport::Make(std::string_view op, std::vector<std::string> in) {
  std::string wish;
  for (const std::string& output : outputs) {
    if (wish.empty()) wish = output;
  }
  std::string name = file.UniqueName(fmt::format("{}_{}", wish, op));
  Emit(op, std::move(in), {name});
  return name;
}

std::string NodeExport::MakeFloats(const Dims& dims, const std::vector<float>& values) {
  Tensor tensor;
  const Status made = Dispatch(FloatTypes{}, InType(0).dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    std::vector<T> converted;
    for (const float value : values) converted.push_back(static_cast<T>(value));
    tensor = Tensor::FromVector<T>(dims, converted);
    return {};
  });
  if (!made.ok()) tensor = Tensor::FromVector<float>(dims, values);
  return file.ConstantName(tensor, "");
}

std::string NodeExport::Ints(const std::vector<std::int64_t>& values) {
  return file.ConstantName(
      Tensor::FromVector<std::int64_t>({static_cast<std::int64_t>(values.size())}, values), "");
}

std::string NodeExport::Reduce(std::string_view op, std::string in,
                               const std::vector<std::int64_t>& axes) {
  const Form* form = FindForm(op, opset());
  if (form != nullptr && HasAttribute(*form, "axes")) {
    std::string name = Make(op, {std::move(in)});
    SetInts(last(), "axes", axes);
    return name;
  }
  return Make(op, {std::move(in), Ints(axes)});
}

std::string CastTo(NodeExport& ctx, const std::string& value, DType dtype) {
  const std::string name = ctx.Make("Cast", {value});
  SetInt(ctx.last(), "to", OnnxFromDType(dtype));
  return name;
}

void SetInt(NodeProto& node, std::string_view name, std::int64_t value) {
  AddAttribute(node, name, AttributeType::kInt).i = value;
}

void SetFloat(NodeProto& node, std::string_view name, float value) {
  AddAttribute(node, name, AttributeType::kFloat).f = value;
}

void SetInts(NodeProto& node, std::string_view name, std::vector<std::int64_t> values) {
  AddAttribute(node, name, AttributeType::kInts).ints = std::move(values);
}

TensorProto MakeTensor(FileExport& file, const Tensor& tensor) {
  TensorProto proto;
  proto.dims = tensor.dims();
  proto.data_type = OnnxFromDType(tensor.dtype());
  if (tensor.dtype() == DType::kString) {
    for (const std::string& text : tensor.Data<std::string>())
      proto.string_data.push_back(Store(file, text));
  } else if (ElementBits(tensor.dtype()) < 8) {
    proto.raw_data = file.storage.emplace_back(PackBits(tensor));
  } else {
    proto.raw_data = Bytes(static_cast<const std::uint8_t*>(tensor.raw()), tensor.bytes());
  }
  return proto;
}

namespace {

// The name of a dimension that is one symbol, or the written expression.
std::string DimName(const Dim& dim) {
  std::vector<std::string> symbols;
  dim.CollectSymbols(symbols);
  return symbols.size() == 1 && dim == Dim::Symbol(symbols[0]) ? symbols[0] : dim.ToString();
}

}  // namespace

TypeProto MakeType(const Type& type) {
  TypeProto proto;
  if (type.kind == TypeKind::kSequence || type.kind == TypeKind::kOptional) {
    ElementTypeProto element;
    element.elem_type = std::make_shared<TypeProto>(MakeType(*type.element));
    (type.kind == TypeKind::kSequence ? proto.sequence : proto.optional) = std::move(element);
    return proto;
  }
  proto.tensor.emplace();
  proto.tensor->elem_type = OnnxFromDType(type.dtype);
  if (!type.shape) return proto;
  proto.tensor->shape.emplace();
  for (const Dim& dim : *type.shape) {
    DimProto& written = proto.tensor->shape->dim.emplace_back();
    if (dim.IsConst()) {
      written.value = dim.value();
    } else if (!dim.IsUnknown()) {
      written.symbol = DimName(dim);
    }
  }
  return proto;
}

AttributeProto MakeAttribute(FileExport& file, std::string_view name, const AttrValue& value) {
  struct Writer {
    FileExport& file;
    AttributeProto& to;
    AttributeType operator()(std::int64_t v) const { return to.i = v, AttributeType::kInt; }
    AttributeType operator()(float v) const { return to.f = v, AttributeType::kFloat; }
    AttributeType operator()(const std::string& v) const {
      return to.s = Store(file, v), AttributeType::kString;
    }
    AttributeType operator()(DType v) const { return to.i = OnnxFromDType(v), AttributeType::kInt; }
    AttributeType operator()(const std::vector<std::int64_t>& v) const {
      return to.ints = v, AttributeType::kInts;
    }
    AttributeType operator()(const std::vector<float>& v) const {
      return to.floats = v, AttributeType::kFloats;
    }
    AttributeType operator()(const std::vector<std::string>& v) const {
      for (const std::string& text : v) to.strings.push_back(Store(file, text));
      return AttributeType::kStrings;
    }
    AttributeType operator()(const Tensor& v) const {
      return to.t = MakeTensor(file, v), AttributeType::kTensor;
    }
    AttributeType operator()(const Type& v) const {
      return to.tp = MakeType(v), AttributeType::kTypeProto;
    }
  };
  AttributeProto attribute;
  attribute.name = name;
  attribute.type = static_cast<std::int32_t>(std::visit(Writer{file, attribute}, value));
  return attribute;
}

void CopyAttributes(NodeExport& ctx, NodeProto& to, std::span<const std::string_view> except) {
  const Form* form = ctx.node.op->custom == nullptr ? FindForm(to.op_type, ctx.opset()) : nullptr;
  for (const AttrSpec& spec : ctx.node.op->attributes) {
    if (std::find(except.begin(), except.end(), spec.name) != except.end()) continue;
    const AttrValue* value = ctx.node.attributes.Find(spec.name);
    // Defaults are left out, except where an older form's default was another.
    bool other_default = false;
    const bool known = form != nullptr && HasAttribute(*form, spec.name, &other_default);
    if (value == nullptr && known && other_default && spec.default_value)
      value = &*spec.default_value;
    if (value != nullptr) to.attribute.push_back(MakeAttribute(ctx.file, spec.name, *value));
  }
}

}  // namespace athanor::onnx
