// What a row of the operator table sees of one TFLite operator: its inputs as values of the graph,
// its options, and the graph to add nodes to.
//
// TFLite keeps pictures as NHWC and numbers as integers with a scale; the graph computes on real
// numbers, NCHW. A row asks for the form it wants (Stored, Real, with or without a permutation)
// and gives its result in that form; transposing and Quantize/DequantizeLinear happen here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontends/tflite/tflite_generated.h"
#include "ir/graph.h"

namespace athanor::tflite {

using Ints = std::vector<std::int64_t>;

// How the integers of a tensor stand for real numbers: (q - zero_point) * scale. One scale, or one
// per index of `axis`.
struct Quantization {
  std::vector<float> scales;  // none: the tensor is not quantised
  Ints zero_points;           // as many as scales
  std::int64_t axis = 0;

  explicit operator bool() const { return !scales.empty(); }
  friend bool operator==(const Quantization&, const Quantization&) = default;
};

// A tensor as the file describes it.
struct TensorInfo {
  std::string name;
  DType dtype = DType::kUndefined;
  Shape shape;
  Quantization quantization;
  bool is_variable = false;
};

// NHWC -> NCHW and back, as permutations of Transpose.
inline const Ints kToNchw = {0, 3, 1, 2};
inline const Ints kToNhwc = {0, 2, 3, 1};

// The elements with their axes in another order.
Result<Tensor> TransposedTensor(const Tensor& tensor, const Ints& perm);

// The other graphs of the file, for operators that run them.
class Subgraphs {
 public:
  virtual ~Subgraphs() = default;
  virtual Result<std::vector<Type>> InputTypes(std::int32_t index) = 0;
  // Adds what graph `index` computes from these inputs; gives its outputs.
  virtual Result<std::vector<ValueId>> Inline(std::int32_t index, Graph& graph,
                                              const std::vector<ValueId>& inputs) = 0;
};

// What operators keep from one run to the next.
class States {
 public:
  virtual ~States() = default;
  virtual bool AreInputs() const = 0;  // else they are 0 when a run begins
  // What stands for zeros.
  struct Zero {
    DType dtype = DType::kUndefined;
    Dims dims;
    std::uint8_t byte = 0;  // all bytes are this one
  };
  // A state as it is when a run begins: an input of the graph, or `zero`. Each name is asked for
  // once.
  virtual Result<ValueId> Begin(Graph& graph, const std::string& name, const Zero& zero) = 0;
  // As it is when the run ends.
  virtual Status End(Graph& graph, const std::string& name, ValueId value) = 0;
};

class OpImport {
 public:
  struct Port {
    ValueId value = kNoValue;          // kNoValue: omitted, or a variable
    const TensorInfo* info = nullptr;  // nullptr: omitted
    std::string state = {};            // name of a variable
  };
  OpImport(Graph& graph, const schema::Operator& op, std::string name, std::vector<Port> inputs,
           std::vector<const TensorInfo*> outputs)
      : graph(graph),
        op(op),
        outputs(outputs.size(), kNoValue),
        name_(std::move(name)),
        inputs_(std::move(inputs)),
        output_infos_(std::move(outputs)) {}

  Graph& graph;
  const schema::Operator& op;
  Subgraphs* subgraphs = nullptr;
  States* states = nullptr;
  std::string file_op = {};      // what the file calls it, of an operator that a plug-in reads
  std::vector<ValueId> outputs;  // filled by the row, in the form of the file
  std::vector<const TensorInfo*> intermediates = {};  // how the operator rounds within itself

  const std::string& name() const { return name_; }
  std::size_t num_inputs() const { return inputs_.size(); }
  std::size_t num_outputs() const { return output_infos_.size(); }
  bool Has(std::size_t i) const { return i < inputs_.size() && inputs_[i].value != kNoValue; }
  bool IsVariable(std::size_t i) const {
    return i < inputs_.size() && inputs_[i].info != nullptr && inputs_[i].info->is_variable;
  }
  // Only when Has(i).
  const TensorInfo& In(std::size_t i) const { return *inputs_[i].info; }
  const TensorInfo& Out(std::size_t o) const { return *output_infos_[o]; }
  const TensorInfo* Intermediate(std::size_t n) const {
    return n < intermediates.size() ? intermediates[n] : nullptr;
  }
  const Type& InType(std::size_t i) const { return graph.value(inputs_[i].value).type; }
  // Fails when an input the operator cannot do without is missing, or has no known rank.
  Status Expect(std::size_t num_inputs, std::size_t num_outputs = 1) const;
  Result<std::int64_t> RankOf(std::size_t i) const;
  bool IsQuantized() const;  // any input or output has a scale

  // The integers of input i, which must be known when the model is read.
  Result<Ints> KnownInts(std::size_t i) const;
  const Tensor* Constant(std::size_t i) const { return graph.Constant(inputs_[i].value); }

  // The variable that is input i, when the run begins and, told once, when it ends.
  Result<ValueId> BeginState(std::size_t i, DType dtype, const Dims& dims);
  Status EndState(std::size_t i, ValueId value);
  // The same for states that stand in no tensor of the file; `what` tells those of one operator
  // apart.
  Result<ValueId> BeginOwnState(DType dtype, const Dims& dims, std::string_view what = "state");
  Status EndOwnState(ValueId value, std::string_view what = "state");

  // Input i as it stands in the file.
  ValueId Stored(std::size_t i) const { return inputs_[i].value; }
  // Input i as real numbers.
  Result<ValueId> Real(std::size_t i, const Ints& perm = {});
  // A value moved out of input i, which has one scale, as real numbers.
  Result<ValueId> RealOf(ValueId moved, std::size_t i);
  // The axes of a stored value in another order; a constant stays one.
  Result<ValueId> Permuted(ValueId value, const Ints& perm);

  // Output o is these real numbers: they are quantised when the file says so. `perm` undoes the
  // permutation with which the inputs were asked for.
  Status Give(Result<ValueId> real, schema::Activation activation = schema::Activation_NONE,
              const Ints& perm = {}, std::size_t o = 0);
  // Output o is this value as it stands, but for the activation and the permutation.
  Status GiveStored(Result<ValueId> value, schema::Activation activation = schema::Activation_NONE,
                    const Ints& perm = {}, std::size_t o = 0);
  // Real numbers as integers of a tensor's scale.
  Result<ValueId> Quantized(ValueId real, const TensorInfo& info);
  // For operators that only move elements: input i and output o must have the same scale.
  Status ExpectSameScale(std::size_t i, std::size_t o = 0) const;

  ValueId Constants(const Ints& values);  // i64[n]
  ValueId Number(float value, DType dtype = DType::kF32);
  Result<ValueId> Add(std::string_view name, Operands node_inputs, AttrMap attributes = {});
  Result<std::vector<ValueId>> AddMany(std::string_view name, Operands node_inputs,
                                       AttrMap attributes, std::size_t count);

 private:
  Result<ValueId> Begin(const std::string& state, DType dtype, const Dims& dims, std::uint8_t byte);
  Result<ValueId> Dequantized(ValueId value, const Quantization& quantization, std::int64_t axis);
  Result<ValueId> Activated(ValueId value, schema::Activation activation, const TensorInfo& info);
  Result<ValueId> Narrowed(ValueId value);
  Status CheckArithmetic(ValueId real, const TensorInfo& info) const;

  std::string name_;
  std::vector<Port> inputs_;
  std::vector<const TensorInfo*> output_infos_;
};

// The operator's own options; an error where the file has none of this kind.
template <class T>
Result<const T*> OptionsOf(const OpImport& ctx) {
  const T* options = ctx.op.builtin_options_as<T>();
  if (options == nullptr) return InvalidModel("its options are missing");
  return options;
}

struct Row {
  schema::BuiltinOperator code = schema::BuiltinOperator_ADD;
  Status (*make)(OpImport&) = nullptr;
};

// The rows by topic, alphabetical within each.
std::vector<Row> ControlRows();
std::vector<Row> IndexRows();
std::vector<Row> NnRows();
std::vector<Row> MathRows();
std::vector<Row> RecurrentRows();
std::vector<Row> SvdfRows();
std::vector<Row> TensorRows();

// Every TFLite operator that can be read, by number.
const std::vector<Row>& Table();
const Row* FindRow(schema::BuiltinOperator code);

// Custom operators, known by their names.
struct CustomRow {
  std::string_view name;
  Status (*make)(OpImport&) = nullptr;
};
std::vector<CustomRow> SignalRows();
std::vector<CustomRow> SignalFrameRows();
const std::vector<CustomRow>& CustomTable();

schema::BuiltinOperator CodeOf(const schema::OperatorCode& code);
// How to read an operator; nullptr when it is not.
using MakeFunction = Status (*)(OpImport&);
MakeFunction FindMake(const schema::OperatorCode& code);
// What a plug-in knows an operator by: the name of a custom or of a builtin one.
std::string ForeignName(const schema::OperatorCode& code);
Status ReadForeignOperator(OpImport& ctx);  // foreign.cpp

}  // namespace athanor::tflite
