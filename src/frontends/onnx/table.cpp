// The operator table: the rows of all topics, and how one is found.
#include <algorithm>
#include <iterator>
#include <limits>
#include <tuple>

#include "frontends/foreign.h"
#include "frontends/onnx/functions.h"
#include "frontends/onnx/import.h"
#include "frontends/onnx/node_import.h"
#include "ops/catalog.h"

namespace athanor::onnx {
namespace {

auto Key(const Row& row) { return std::tie(row.domain, row.onnx, row.since); }

std::vector<Row> SortedRows() {
  std::vector<Row> rows;
  for (auto* topic : {MathRows, TensorRows, NnRows, QuantRows, MlRows, MicrosoftRows, SignalRows}) {
    std::vector<Row> more = topic();
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return Key(a) < Key(b); });
  return rows;
}

// The attributes in the kinds that the file says they have; sub-graphs are left out.
Result<AttrMap> DeclaredAttributes(const NodeImport& ctx) {
  constexpr std::pair<AttributeType, AttrKind> kKinds[] = {
      {AttributeType::kFloat, AttrKind::kFloat},     {AttributeType::kInt, AttrKind::kInt},
      {AttributeType::kString, AttrKind::kString},   {AttributeType::kTensor, AttrKind::kTensor},
      {AttributeType::kFloats, AttrKind::kFloats},   {AttributeType::kInts, AttrKind::kInts},
      {AttributeType::kStrings, AttrKind::kStrings}, {AttributeType::kTypeProto, AttrKind::kType}};
  OpDef declared;
  std::vector<std::string_view> except;
  for (const AttributeProto& attribute : ctx.node.attribute) {
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& known) {
      return known.first == static_cast<AttributeType>(attribute.type);
    });
    if (kind == std::end(kKinds)) {
      except.push_back(attribute.name);
    } else {
      declared.attributes.push_back({.name = attribute.name, .kind = kind->second, .doc = ""});
    }
  }
  return ctx.Attributes(declared, except);
}

// What a plug-in reads: by a converter, else as its operator of the same name.
Status ReadByPlugin(NodeImport& ctx) {
  const std::string op = QualifiedName(ctx.node.domain, ctx.node.op_type);
  if (FindConverter("onnx", op) == nullptr) {
    ATH_TRY(const OpDef* const custom, ctx.graph.catalog().Lookup(op));
    ATH_TRY(AttrMap attributes, ctx.Attributes(*custom));
    return ctx.AddSame(op, std::move(attributes));
  }
  ATH_TRY(AttrMap attributes, DeclaredAttributes(ctx));
  ForeignNode node = {.graph = ctx.graph,
                      .op = op,
                      .name = ctx.node.name,
                      .inputs = ctx.inputs,
                      .attributes = std::move(attributes),
                      .num_outputs = ctx.num_outputs()};
  ATH_RETURN_IF_ERROR(ReadForeign("onnx", node));
  ctx.outputs = std::move(node.outputs);
  return {};
}

const Row* FindOwnRow(std::string_view domain, std::string_view op, std::int64_t version) {
  // What the exporter writes for operators that ONNX lacks: every operator under its own name.
  static const Row own = {.domain = "athanor", .make = Same()};
  if (domain == own.domain) return ops::Standard().Find(op) != nullptr ? &own : nullptr;
  const std::vector<Row>& rows = Table();
  // The first row beyond the wanted version; the one before it is the newest that is not.
  auto at = std::upper_bound(rows.begin(), rows.end(), std::tie(domain, op, version),
                             [](const auto& key, const Row& row) { return key < Key(row); });
  if (at == rows.begin()) return nullptr;
  --at;
  return at->domain == domain && at->onnx == op ? &*at : nullptr;
}

}  // namespace

const std::vector<Row>& Table() {
  static const std::vector<Row> rows = SortedRows();
  return rows;
}

std::string QualifiedName(std::string_view domain, std::string_view op) {
  return fmt::format("{}::{}", domain.empty() ? "ai.onnx" : domain, op);
}

const Row* FindRow(std::string_view domain, std::string_view op, std::int64_t version) {
  static const Row plugin = {.make = ReadByPlugin};
  if (const Row* row = FindOwnRow(domain, op, version)) return row;
  return IsForeign("onnx", QualifiedName(domain, op)) ? &plugin : nullptr;
}

bool Reads(std::string_view op) {
  const std::size_t end = op.rfind("::");
  if (end == std::string_view::npos) return false;
  const std::string_view domain = Canonical(op.substr(0, end));
  return FindOwnRow(domain, op.substr(end + 2), std::numeric_limits<std::int64_t>::max()) !=
         nullptr;
}

}  // namespace athanor::onnx
