// The table of all rows, and a call of one of them.
#include <algorithm>
#include <iterator>

#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/pytorch/foreign.h"
#include "frontends/pytorch/op_import.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;

std::vector<TableRow> SortedRows() {
  std::vector<TableRow> rows;
  for (auto* topic : {ActivationRows, CreateRows, ElementwiseRows, IndexRows, LayerRows,
                      ProductRows, RecurrentRows, ReduceRows, SampleRows, ShapeRows}) {
    for (const Row& row : topic()) rows.push_back({row, ParseSchema(row.schema)});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const TableRow& a, const TableRow& b) {
    return a.schema.name < b.schema.name;
  });
  return rows;
}

std::string Describe(const Value& value) {
  if (!value.IsSequence()) return std::string(NameOf(value.kind));
  if (value.items->values.empty()) return "an empty list";
  return fmt::format("{} of {}", NameOf(value.kind), NameOf(value.items->values[0].kind));
}

Status NoOverload(std::string_view op, const Arguments& arguments) {
  std::vector<std::string> given, taken;
  for (const Value& value : arguments.positional) given.push_back(Describe(value));
  for (const auto& [name, value] : arguments.named)
    given.push_back(fmt::format("{}: {}", name, Describe(value)));
  for (const TableRow& row : FindRows(op)) taken.emplace_back(row.row.schema);
  return Unsupported("its arguments ({}) are not read; these are: {}", Join(given, ", "),
                     Join(taken, "; "));
}

// "add_" works in place like "add"; "__and__" does not.
std::string_view OutOfPlace(std::string_view op) {
  if (!op.ends_with('_') || op.ends_with("__")) return "";
  op.remove_suffix(1);
  return op;
}

// Gives the tensors of a result the memory of `cell`.
void Share(Value& result, const TensorCell& cell) {
  if (result.IsSequence()) {
    for (Value& item : result.items->values) Share(item, cell);
  }
  if (!result.Is(Kind::kTensor) || result.tensor == &cell) return;
  result.tensor->aliases = cell.aliases;
  result.tensor->seen_writes = cell.aliases->writes;
}

const TensorCell* FirstTensor(const Arguments& arguments) {
  const Value* first = nullptr;
  if (!arguments.positional.empty()) first = &arguments.positional[0];
  if (first == nullptr && !arguments.named.empty()) first = &arguments.named[0].second;
  return first != nullptr && first->Is(Kind::kTensor) ? first->tensor : nullptr;
}

}  // namespace

const std::vector<TableRow>& Table() {
  static const std::vector<TableRow> rows = SortedRows();
  return rows;
}

std::span<const TableRow> FindRows(std::string_view name) {
  const auto before = [](const TableRow& row, std::string_view wanted) {
    return row.schema.name < wanted;
  };
  const auto begin = std::lower_bound(Table().begin(), Table().end(), name, before);
  auto end = begin;
  while (end != Table().end() && end->schema.name == name) ++end;
  return {begin, end};
}

bool IsOperator(std::string_view name) {
  return !FindRows(name).empty() || !FindRows(OutOfPlace(name)).empty();
}

Result<ValueId> Operators::Read(Graph& graph, TensorCell& cell) {
  if (cell.seen_writes != cell.aliases->writes)
    return Unsupported(
               "a tensor is used after another one that shares its memory was changed in place")
        .Fix("copy it before: x.clone()");
  if (cell.id == kNoValue) {
    if (!cell.constant) return Unsupported("a tensor has no value");
    cell.id = graph.AddConstant(*std::move(cell.constant), cell.name);
    cell.constant.reset();
  }
  return cell.id;
}

Result<Value> Operators::Call(std::string_view op, const Arguments& arguments,
                              const std::string& name) {
  const std::span<const TableRow> rows = FindRows(op);
  if (rows.empty()) {
    if (!FindRows(OutOfPlace(op)).empty()) return CallInPlace(op, arguments, name);
    if (IsForeignCall(op)) return CallForeign(graph_, heap_, op, arguments, name);
    std::vector<std::string> known;
    for (const TableRow& row : Table()) known.emplace_back(row.schema.name);
    Status unknown = Error(ErrorCode::kUnknownOperator, "operator {} is not read{}",
                           QualifiedName(op), DidYouMean(op, known));
    if (op.find('.') != std::string_view::npos)
      return std::move(unknown).Fix(ForeignFix("pytorch", QualifiedName(op)));
    return std::move(unknown).Fix(
        "export it to ONNX with PyTorch: torch.onnx.export(model, (input,), 'model.onnx')");
  }
  for (const TableRow& row : rows) {
    std::optional<std::vector<Value>> values = Match(row.schema, arguments, heap_);
    if (!values) continue;
    OpImport call(graph_, heap_, row.row, row.schema, *std::move(values), name);
    Value result = row.row.make(call);
    if (!call.ok()) return call.problem();
    const TensorCell* first = FirstTensor(arguments);
    if (row.row.view && first != nullptr) Share(result, *first);
    return result;
  }
  return NoOverload(op, arguments);
}

Result<Value> Operators::CallInPlace(std::string_view op, const Arguments& arguments,
                                     const std::string& name) {
  ATH_TRY(const Value result, Call(OutOfPlace(op), arguments, name));
  const TensorCell* first = FirstTensor(arguments);
  if (first == nullptr || !result.Is(Kind::kTensor))
    return Unsupported("it changes no tensor in place");
  auto& cell = const_cast<TensorCell&>(*first);
  ATH_TRY(const ValueId old, Read(graph_, cell));
  ATH_TRY(ValueId value, Read(graph_, *result.tensor));
  // The memory keeps its element type.
  const DType dtype = graph_.value(old).type.dtype;
  if (graph_.value(value).type.dtype != dtype) {
    ATH_TRY(value, graph_.Add("Cast", {value}, {{"to", dtype}}, name));
  }
  ATH_RETURN_IF_ERROR(Write(cell, value, name));
  return Value{.kind = Kind::kTensor, .tensor = &cell};
}

// A slice of another tensor that is still as it was hands the change on to it.
Status Operators::Write(TensorCell& cell, ValueId value, const std::string& name) {
  TensorCell* base = cell.base;
  if (base != nullptr && base->seen_writes == base->aliases->writes && base->id != kNoValue) {
    const Type& type = graph_.value(value).type;
    const Type& whole = graph_.value(base->id).type;
    const std::int64_t length =
        !cell.keeps_dim ? 1
        : type.HasRank() && cell.dim < type.rank() && type.dim(cell.dim).IsConst()
            ? type.dim(cell.dim).value()
            : -1;
    if (length >= 0 && whole.HasRank()) {
      const bool is_all =
          cell.keeps_dim && cell.dim < whole.rank() && whole.dim(cell.dim).Is(length);
      const auto ints = [&](std::int64_t n) {
        return graph_.AddConstant(Tensor::FromVector<std::int64_t>({1}, {n}));
      };
      const auto part = [&](std::int64_t begin, std::int64_t end) {
        return graph_.Add("Slice", {base->id, ints(begin), ints(end), ints(cell.dim)}, {}, name);
      };
      ValueId changed = value;
      if (!cell.keeps_dim) {
        ATH_TRY(changed, graph_.Add("Unsqueeze", {value, ints(cell.dim)}, {}, name));
      }
      if (!is_all) {
        ATH_TRY(const ValueId before, part(0, cell.begin));
        ATH_TRY(const ValueId after, part(cell.begin + length, INT64_MAX));
        ATH_TRY(changed,
                graph_.Add("Concat", {before, changed, after}, {{"axis", cell.dim}}, name));
      }
      ATH_RETURN_IF_ERROR(Write(*base, changed, name));
      cell.id = value;
      cell.seen_writes = cell.aliases->writes;
      return {};
    }
  }
  cell.id = value;
  cell.seen_writes = ++cell.aliases->writes;
  return {};
}

}  // namespace athanor::pytorch
