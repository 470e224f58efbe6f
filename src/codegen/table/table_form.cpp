// The same model over columns of f64 and text, each answer a column of its own.
#include "codegen/table/tables.h"

namespace athanor::codegen {
namespace {

Result<ValueId> CastTo(Graph& graph, ValueId value, DType dtype) {
  if (graph.value(value).type.dtype == dtype) return value;
  return graph.Add("Cast", {value}, {{"to", dtype}});
}

ValueId Index(Graph& graph, std::int64_t at) {
  return graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {at}));
}

Status SplitInput(Graph& graph, ValueId input, std::vector<ValueId>& order) {
  const Type type = graph.value(input).type;
  const std::string name = graph.value(input).name;
  if (!type.HasRank() || type.rank() < 1 || type.rank() > 2 ||
      (type.rank() == 2 && !type.dim(1).IsConst()))
    return Unsupported("input \"{}\" is {}; columns or a matrix are expected", name,
                       type.ToString());
  const std::int64_t width = type.rank() == 2 ? type.dim(1).value() : 1;
  const bool text = type.dtype == DType::kString;
  const bool is_column = type.rank() == 2 && width == 1;
  if (is_column && (text || type.dtype == DType::kF64)) {
    order.push_back(input);
    return {};
  }
  std::vector<ValueId> columns;
  for (std::int64_t i = 0; i < width; ++i) {
    const auto at = static_cast<std::size_t>(i);
    order.push_back(
        graph.AddInput(ElementName(name, static_cast<std::size_t>(width), at),
                       Type::Tensor(text ? DType::kString : DType::kF64, {type.dim(0), 1})));
    ATH_TRY(const ValueId column, CastTo(graph, order.back(), type.dtype));
    columns.push_back(column);
  }
  ValueId all = columns[0];
  if (width > 1) {
    ATH_TRY(all, graph.Add("Concat", columns, {{"axis", std::int64_t{1}}}));
  }
  if (type.rank() == 1) {
    ATH_TRY(all, graph.Add("Squeeze", {all, Index(graph, 1)}));
  }
  graph.ReplaceUses(input, all);
  graph.EraseInput(input);
  return {};
}

// What the graph gives out as `from` becomes `to`; nodes that read `from` go on to do so.
void ReplaceOutput(Graph& graph, ValueId from, ValueId to) {
  graph.ReplaceUses(from, to);
  const std::vector<NodeId> users = graph.value(to).users;
  for (const NodeId user : users) {
    for (std::size_t i = 0; i < graph.node(user).inputs.size(); ++i) {
      if (graph.node(user).inputs[i] == to) graph.SetInput(user, i, from);
    }
  }
}

// The columns of an output: numbers in f64, integers and text as text. The first keeps its place.
Status SplitOutput(Graph& graph, const GraphOutput& output) {
  const Type type = graph.value(output.value).type;
  ValueId value = output.value;
  if (!type.HasRank() || type.rank() < 1 || type.rank() > 2 ||
      (type.rank() == 2 && !type.dim(1).IsConst()))
    return Unsupported("output \"{}\" is {}; columns are expected", output.name, type.ToString());
  if (type.rank() == 1) {
    ATH_TRY(value, graph.Add("Unsqueeze", {value, Index(graph, 1)}));
  }
  ATH_TRY(value, CastTo(graph, value, IsFloat(type.dtype) ? DType::kF64 : DType::kString));
  const auto width = static_cast<std::size_t>(type.rank() == 2 ? type.dim(1).value() : 1);
  ValueId first = value;
  for (std::size_t i = 0; i < width && width > 1; ++i) {
    ATH_TRY(const ValueId column,
            graph.Add("Gather", {value, Index(graph, static_cast<std::int64_t>(i))},
                      {{"axis", std::int64_t{1}}}));
    if (i == 0) {
      first = column;
    } else {
      graph.AddOutput(ElementName(output.name, width, i), column);
    }
  }
  if (first != output.value) ReplaceOutput(graph, output.value, first);
  return {};
}

}  // namespace

Result<Graph> TableForm(const Graph& graph) {
  Graph form = graph.Clone();
  std::vector<ValueId> order;
  const std::vector<ValueId> inputs = form.inputs();
  for (const ValueId input : inputs) ATH_RETURN_IF_ERROR(SplitInput(form, input, order));
  form.ReorderInputs(std::move(order));
  const std::vector<GraphOutput> outputs = form.outputs();
  for (const GraphOutput& output : outputs) ATH_RETURN_IF_ERROR(SplitOutput(form, output));
  return form;
}

}  // namespace athanor::codegen
