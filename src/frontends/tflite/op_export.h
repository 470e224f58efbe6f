// What a row of the export table sees of one node: its inputs as tensors of the file, the fused
// activation that follows it, and the file to add operators to.
#pragma once

#include <span>

#include "frontends/node_view.h"
#include "frontends/tflite/file_export.h"

namespace athanor::tflite {

// The operators that formulas are made of.
inline constexpr schema::BuiltinOperator kAddOp = schema::BuiltinOperator_ADD,
                                         kSubOp = schema::BuiltinOperator_SUB,
                                         kMulOp = schema::BuiltinOperator_MUL,
                                         kDivOp = schema::BuiltinOperator_DIV,
                                         kMeanOp = schema::BuiltinOperator_MEAN,
                                         kLogisticOp = schema::BuiltinOperator_LOGISTIC,
                                         kTanhOp = schema::BuiltinOperator_TANH;

class OpExport : public NodeView {
 public:
  using Options = FileExport::Options;

  OpExport(FileExport& file, const Node& node)
      : NodeView(file.graph, node), file(file), results(node.outputs) {}

  FileExport& file;
  std::vector<ValueId> results;  // what the operator gives: behind the activation and the integers
  schema::Activation activation = schema::Activation_NONE;
  bool on_integers = false;  // between DequantizeLinear and QuantizeLinear, which it replaces

  std::size_t num_inputs() const { return node.inputs.size(); }
  std::int64_t Int(std::string_view name, std::int64_t otherwise) const {
    return NodeView::Attribute<std::int64_t>(name, otherwise);
  }
  float Float(std::string_view name, float otherwise) const {
    return NodeView::Attribute<float>(name, otherwise);
  }
  std::int64_t Rank(std::size_t i = 0) const { return InType(i).rank(); }
  // From the front, and within the rank of input i.
  Result<std::int64_t> Axis(std::int64_t axis, std::size_t i = 0) const;

  // Input i as the operator reads it: the integers, when it computes on them.
  ValueId Source(std::size_t i) const;
  TensorIndex In(std::size_t i = 0, Axes axes = Axes::kPlain) { return file.Get(Source(i), axes); }
  // A shape, axes or indices as 32-bit integers.
  TensorIndex Ints32(std::size_t i);
  static std::vector<std::int32_t> Narrow(const Ints& values);
  TensorIndex IntsConstant(const Ints& values);  // i32[n]
  TensorIndex IntConstant(std::int64_t value);   // i32
  TensorIndex Number(double value, DType dtype = DType::kF32);
  TensorIndex Floats(const Dims& dims, const std::vector<float>& values);
  // One value per channel, such that it broadcasts against the last axis or against axis 1.
  Result<TensorIndex> PerChannel(std::size_t i, std::int64_t rank, Axes axes);
  // Where channels (axis 1) come cheaper: the order in which input i stands already.
  Axes Cheapest(std::size_t i = 0) const;

  // An axis of the graph in that order.
  static std::int64_t At(std::int64_t axis, std::int64_t rank, Axes axes);
  // A list with one entry per axis in that order.
  static Ints Ordered(const Ints& list, Axes axes);

  // A result in between: of its own type, or that of result 0.
  TensorIndex Make(schema::BuiltinOperator code, std::vector<TensorIndex> inputs, const Type& type,
                   const Options& options = {});
  TensorIndex MakeLike(TensorIndex like, schema::BuiltinOperator code,
                       std::vector<TensorIndex> inputs, const Options& options = {}) {
    return Make(code, std::move(inputs), Type(file.TypeOf(like)), options);
  }
  // With numbers as operands of an element-wise operator of two inputs.
  TensorIndex Binary(schema::BuiltinOperator code, TensorIndex a, TensorIndex b);
  // `axes` are those of the tensor as it stands, from the front.
  TensorIndex Reduced(schema::BuiltinOperator code, TensorIndex x, const Ints& axes, bool keep);
  // Under another shape; -1 for one size that is not known.
  TensorIndex Shaped(TensorIndex tensor, const Type& type);
  // The shape of `type` for a tensor that becomes it: of sizes that are not known, all but one must
  // be those of an axis it has.
  // One alone is -1 where `implied`: RESHAPE knows what is left.
  Result<TensorIndex> ShapeOf(TensorIndex from, const Type& type, bool implied = true);
  // The size of an axis, i32, and the numbers from 0 to before it.
  TensorIndex SizeOf(TensorIndex tensor, std::int64_t axis);
  TensorIndex Counting(TensorIndex tensor, std::int64_t axis);
  // The operator that makes this node's results.
  Status Emit(schema::BuiltinOperator code, std::vector<TensorIndex> inputs,
              const Options& options = {}, Axes axes = Axes::kPlain);
  // Result 0 is this tensor, after the activation.
  Status Give(TensorIndex tensor, Axes axes = Axes::kPlain);
  TensorIndex Activated(TensorIndex tensor);

  // The inputs of an element-wise operator in one order of axes: channels last when one of them
  // stands there only and the others can follow.
  struct Aligned {
    Axes axes = Axes::kPlain;
    std::vector<TensorIndex> tensors;
  };
  Aligned Align(std::span<const std::size_t> inputs);
  Aligned Align(std::size_t count);  // the first ones
};

// Those of ADD, SUB, MUL and DIV; none for others.
FileExport::Options ArithmeticOptions(schema::BuiltinOperator code, schema::Activation activation);

// How a node computes on integers when its inputs are dequantised and its results quantised.
enum class Integers : std::uint8_t {
  kNever,
  kAnyScale,
  kOneScale,  // inputs and results must have the same
};

struct ExportRow {
  std::string_view op;
  std::function<Status(OpExport&)> make;
  bool fuses = false;  // an activation behind it
  Integers integers = Integers::kNever;
  // Of the inputs, how many must be integers then; 0: all.
  std::size_t integer_inputs = 0;
  // What else must hold; `ctx.on_integers` and the results are set.
  bool (*fits)(const OpExport& ctx) = nullptr;
};

// The rows by topic, alphabetical within each.
std::vector<ExportRow> NnExportRows();
std::vector<ExportRow> NormExportRows();
std::vector<ExportRow> MathExportRows();
std::vector<ExportRow> RecurrentExportRows();
std::vector<ExportRow> ReduceExportRows();
std::vector<ExportRow> TensorExportRows();
const std::vector<ExportRow>& ExportTable();
const ExportRow* FindExportRow(std::string_view op);
// The row, or what writes an operator of a plug-in as a custom one; nullptr when neither does.
const ExportRow* ExportRowOf(const OpDef& op);

}  // namespace athanor::tflite
