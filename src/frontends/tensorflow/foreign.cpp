// Operators that no row reads and something of a plug-in does (docs/plugins.md).
#include "frontends/foreign.h"

#include <algorithm>

#include "frontends/tensorflow/graph_import.h"
#include "frontends/tensorflow/import.h"

namespace athanor::tensorflow {
namespace {

std::optional<AttrValue> ListAsAttribute(const ListValue& list) {
  if (!list.i.empty()) return AttrValue(list.i);
  if (!list.f.empty()) return AttrValue(list.f);
  if (!list.s.empty()) return AttrValue(list.s);
  return std::nullopt;
}

// Nothing of what no attribute can hold: functions, lists of types and of shapes.
Result<std::optional<AttrValue>> AsAttribute(const AttrProto& attr, const GraphImport& import) {
  using Value = std::optional<AttrValue>;
  if (attr.i) return Value(*attr.i);
  if (attr.f) return Value(*attr.f);
  if (attr.b) return Value(std::int64_t{*attr.b});
  if (attr.s) return Value(*attr.s);
  if (attr.list) return ListAsAttribute(*attr.list);
  if (attr.tensor) {
    ATH_TRY(Tensor tensor, import.Constant(*attr.tensor));
    return Value(std::move(tensor));
  }
  if (attr.shape && !attr.shape->unknown_rank) {
    Ints sizes;
    for (const DimProto& dim : attr.shape->dim) sizes.push_back(dim.size);
    return Value(std::move(sizes));
  }
  if (attr.type == 0) return Value();
  ATH_TRY(const DType dtype, DTypeOf(attr.type));
  return Value(dtype);
}

// Every node says which types it has, and how many tensors a list of them is: an operator of a
// plug-in need not have attributes for what its inputs say.
bool FollowsFromInputs(const OpDef& op, std::string_view name, const AttrProto& attr) {
  const bool has = std::any_of(op.attributes.begin(), op.attributes.end(),
                               [&](const AttrSpec& spec) { return spec.name == name; });
  return !has && (attr.type != 0 || name == "N");
}

Status ReadForeignOperator(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(ctx.num_inputs()));
  const std::string name = ForeignName(ctx.node.op);
  const OpDef* const op = ForeignOp("tensorflow", name);
  ForeignNode node = {.graph = ctx.graph,
                      .op = name,
                      .name = ctx.node.name,
                      .inputs = {},
                      .attributes = {},
                      .num_outputs = op == nullptr ? ctx.outputs_read : op->outputs.size()};
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) node.inputs.push_back(ctx.In(i));
  for (const AttrEntry& entry : ctx.node.attr) {
    // "_output_shapes" and the like are notes of TensorFlow's own.
    if (entry.value == nullptr || entry.key.starts_with('_')) continue;
    if (op != nullptr && FollowsFromInputs(*op, entry.key, *entry.value)) continue;
    Result<std::optional<AttrValue>> value = AsAttribute(*entry.value, ctx.import);
    if (!value.ok())
      return std::move(value).status().In(fmt::format("attribute \"{}\"", entry.key));
    if (*value) node.attributes.Set(entry.key, *std::move(*value));
  }
  ATH_RETURN_IF_ERROR(ReadForeign("tensorflow", node));
  for (const ValueId output : node.outputs) ctx.Push(output);
  return {};
}

}  // namespace

std::string ForeignName(std::string_view op) {
  std::string name(op);
  const std::size_t end = name.find('>');
  if (end != std::string::npos) name.replace(end, 1, "::");
  return name;
}

const Row* FindForeignRow(std::string_view op) {
  static const Row foreign = {.op = "", .make = ReadForeignOperator};
  return IsForeign("tensorflow", ForeignName(op)) ? &foreign : nullptr;
}

bool Reads(std::string_view op) { return FindRow(op) != nullptr; }

}  // namespace athanor::tensorflow
