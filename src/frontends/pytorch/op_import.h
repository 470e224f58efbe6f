// What a row of the operator table sees of one call: its arguments by name, and the graph to add
// to.
//
// The first problem is kept and what follows does nothing, so that rows read as formulas: a row may
// use whatever it is given, and Call reports the problem when the row has ended.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "frontends/pytorch/schema.h"
#include "frontends/pytorch/value.h"

namespace athanor::pytorch {

class OpImport;

struct Row {
  const char* schema = nullptr;  // the signature; see schema.h
  Value (*make)(OpImport&) = nullptr;
  const char* op = "";  // the graph's operator, for rows that share `make`
  bool view = false;    // the results share the memory of the first argument
};

class OpImport {
 public:
  OpImport(Graph& graph, Heap& heap, const Row& row, const Schema& schema,
           std::vector<Value> arguments, std::string name)
      : graph(graph),
        heap(heap),
        row(row),
        schema_(schema),
        arguments_(std::move(arguments)),
        name_(std::move(name)) {}

  Graph& graph;
  Heap& heap;
  const Row& row;

  // ---- problems
  bool ok() const { return problem_.ok(); }
  const Status& problem() const { return problem_; }
  void Fail(Status status);  // keeps the first
  // Fails unless the condition holds.
  template <class... Args>
  bool Expect(bool condition, fmt::format_string<Args...> format, Args&&... args) {
    if (!condition) Fail(Unsupported(format, std::forward<Args>(args)...));
    return condition && ok();
  }

  // ---- arguments. After a problem: none, 0, "", empty.
  const Value& Arg(std::string_view name) const;
  bool Has(std::string_view name) const { return !Arg(name).IsNone(); }
  ValueId Tensor(std::string_view name);  // kNoValue for None
  std::vector<ValueId> Tensors(std::string_view name);
  std::int64_t Int(std::string_view name);
  double Real(std::string_view name);
  bool Flag(std::string_view name) const { return Arg(name).integer != 0; }
  std::string Text(std::string_view name) const;
  // A list of ints known now; one int becomes `count` of it (when count is not 0), none stays none.
  Ints IntList(std::string_view name, std::size_t count = 0);
  // Ints of which some may be known only while running.
  std::vector<Value> Sizes(std::string_view name) const;
  // An axis, counted from the front.
  std::int64_t Axis(std::string_view name, std::int64_t rank);
  Ints Axes(std::string_view name, std::int64_t rank);  // None or empty: all
  std::int64_t NormalAxis(std::int64_t axis, std::int64_t rank);
  // A number or a tensor as a tensor of `dtype`.
  ValueId Operand(std::string_view name, DType dtype);
  // The `dtype` argument, or what stands instead of None.
  DType TypeOr(std::string_view name, DType otherwise);

  // ---- tensors
  ValueId Use(const Value& tensor);  // the value of a tensor variable
  const Type& TypeOf(ValueId x) const;
  DType DTypeOf(ValueId x) const { return TypeOf(x).dtype; }
  std::int64_t Rank(ValueId x);                       // fails when it is not known
  Dim DimOf(ValueId x, std::int64_t axis);            // unknown after a problem
  std::int64_t Static(ValueId x, std::int64_t axis);  // fails when it is not known
  // The type of an operation on both (PyTorch's promotion: tensors with axes win over tensors
  // without, these over numbers, unless of a lower kind: bool, integer, floating point).
  DType Promoted(std::string_view a, std::string_view b);

  // ---- building
  ValueId Add(std::string_view op, Operands inputs, AttrMap attributes = {});
  std::vector<ValueId> AddMany(std::string_view op, Operands inputs, std::size_t count,
                               AttrMap attributes = {});
  ValueId Constant(athanor::Tensor tensor);
  ValueId Number(double value, DType dtype);  // a scalar
  ValueId IntConstants(const Ints& values);   // i64[n]
  ValueId Cast(ValueId x, DType dtype);
  ValueId Permute(ValueId x, const Ints& perm);
  ValueId SwapAxes(ValueId x, std::int64_t a, std::int64_t b);
  ValueId Reshape(ValueId x, const Ints& shape);
  ValueId Squeeze(ValueId x, const Ints& axes);
  ValueId Unsqueeze(ValueId x, const Ints& axes);
  ValueId Slice(ValueId x, std::int64_t axis, std::int64_t begin, std::int64_t end,
                std::int64_t step = 1);
  ValueId ShapeOf(ValueId x) { return Add("Shape", {x}); }  // i64[rank]
  ValueId SizeOf(ValueId x, std::int64_t axis);             // i64[1]
  ValueId Shape(const std::vector<Value>& sizes);           // i64[n]
  Value SizeValue(ValueId x, std::int64_t axis);            // a number where known, else a symbol
  ValueId Reduce(std::string_view op, ValueId x, const Ints& axes, bool keep);

  // ---- results
  Value Give(ValueId x) { return heap.NewTensor(x); }
  Value GiveList(const std::vector<ValueId>& xs);
  Value GiveTuple(const std::vector<ValueId>& xs);
  // The first argument itself.
  Value GiveSame() const { return arguments_.empty() ? Value() : arguments_[0]; }

 private:
  const Schema& schema_;
  std::vector<Value> arguments_;
  std::string name_;
  Status problem_;
};

// What PyTorch promises of a call: finds the row, runs it, follows memory that results share.
class Operators {
 public:
  Operators(Graph& graph, Heap& heap) : graph_(graph), heap_(heap) {}
  // `op`: "conv2d", or "add_" for one that works in place. `name`: of the nodes.
  Result<Value> Call(std::string_view op, const Arguments& arguments, const std::string& name);
  // Fails for a tensor that was changed through another one that shares its memory.
  static Result<ValueId> Read(Graph& graph, TensorCell& cell);

 private:
  Result<Value> CallInPlace(std::string_view op, const Arguments& arguments,
                            const std::string& name);
  Status Write(TensorCell& cell, ValueId value, const std::string& name);

  Graph& graph_;
  Heap& heap_;
};

// The rows by topic, alphabetical within each.
std::vector<Row> ActivationRows();
std::vector<Row> ElementwiseRows();
std::vector<Row> CreateRows();
std::vector<Row> IndexRows();
std::vector<Row> LayerRows();
std::vector<Row> ReduceRows();
std::vector<Row> RecurrentRows();
std::vector<Row> ShapeRows();
std::vector<Row> SampleRows();
std::vector<Row> ProductRows();

struct TableRow {
  Row row;
  Schema schema;
};
// Every operator that can be read, by name; overloads in the order of their rows.
const std::vector<TableRow>& Table();
std::span<const TableRow> FindRows(std::string_view name);
// Whether Call takes it: a row, or one that a row does in place.
bool IsOperator(std::string_view name);

}  // namespace athanor::pytorch
