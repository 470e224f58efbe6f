// Operators that no row reads and something of a plug-in does (docs/plugins.md).
#include "frontends/foreign.h"

#include "frontends/foreign_values.h"
#include "frontends/mxnet/import.h"
#include "frontends/mxnet/op_import.h"

namespace athanor::mxnet {
namespace {

constexpr std::string_view kCustom = "Custom", kKind = "op_type";

void ReadForeignOperator(OpImport& ctx) {
  const std::string name = ForeignName(ctx.node);
  std::vector<NamedText> texts;
  for (const auto& [key, text] : ctx.node.attributes) {
    // "__shape__" and the like are notes of MXNet's own.
    const bool is_note = key.starts_with("__") || (ctx.node.op == kCustom && key == kKind);
    if (!is_note && text != "None") texts.emplace_back(key, text);
  }
  ForeignNode node = {.graph = ctx.graph,
                      .op = name,
                      .name = ctx.node.name,
                      .inputs = ctx.All(),
                      .attributes = TextAttributes("mxnet", name, texts),
                      .num_outputs = ctx.OutputsRead()};
  if (!ctx.ok()) return;
  Status status = ReadForeign("mxnet", node);
  if (status.ok()) {
    ctx.outputs = std::move(node.outputs);
  } else {
    ctx.Fail(std::move(status));
  }
}

}  // namespace

std::string ForeignName(const Node& node) {
  const std::string* kind = node.op == kCustom ? node.Find(kKind) : nullptr;
  return kind == nullptr ? node.op : *kind;
}

const Row* RowOf(const Node& node) {
  static const Row foreign = {.names = "", .make = ReadForeignOperator, .least = 0, .most = -1};
  if (const Row* row = FindRow(node.op)) return row;
  return IsForeign("mxnet", ForeignName(node)) ? &foreign : nullptr;
}

bool Reads(std::string_view op) { return FindRow(op) != nullptr; }

}  // namespace athanor::mxnet
