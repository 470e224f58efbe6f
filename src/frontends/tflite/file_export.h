// A TFLite file in the making: its tensors, operators and weights.
//
// The graph computes on pictures as NCHW, TFLite as NHWC. A value may stand in the file with its
// axes as the graph has them, or with the channels last, or both ways: who needs it asks for the
// one or the other, and a TRANSPOSE is added once where that is missing.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "frontends/tflite/op_import.h"

namespace athanor::tflite {

// The order of a tensor's axes: as in the graph, or with axis 1 behind all others.
enum class Axes : std::uint8_t { kPlain, kLast };

using TensorIndex = std::int32_t;
inline constexpr TensorIndex kNoTensor = -1;

Type PermutedType(const Type& type, const Ints& perm);

// Options as the file keeps them, of any kind.
template <class T>
schema::BuiltinOptionsUnion With(T options) {
  schema::BuiltinOptionsUnion any;
  any.Set(std::move(options));
  return any;
}

class FileExport {
 public:
  using Options = schema::BuiltinOptionsUnion;

  // Finds the scales of integer values. The graph outlives this.
  explicit FileExport(const Graph& graph);

  const Graph& graph;
  // Real numbers that so far are only the integers they are dequantised from.
  std::unordered_map<ValueId, ValueId> stored;

  TensorIndex AddTensor(std::string_view name, const Type& type, const Quantization& scale = {});
  // A state that begins with 0.
  TensorIndex Variable(std::string_view name, const Type& type);
  TensorIndex Constant(const Tensor& tensor, std::string_view name, const Quantization& scale = {});
  void AddOperator(schema::BuiltinOperator code, std::vector<TensorIndex> inputs,
                   std::vector<TensorIndex> outputs, const Options& options = {});
  // A custom operator, which is known by its name.
  void AddCustom(std::string_view name, std::vector<std::uint8_t> options,
                 std::vector<TensorIndex> inputs, std::vector<TensorIndex> outputs);
  const Type& TypeOf(TensorIndex tensor) const { return Slot(tensor).type; }
  const Quantization& ScaleOf(TensorIndex tensor) const { return Slot(tensor).scale; }

  // A value of the graph in one order of axes.
  TensorIndex Get(ValueId id, Axes axes);
  // Whether it stands there already, or costs nothing.
  bool Has(ValueId id, Axes axes) const;
  // The number or numbers that a value always is, dequantised where they are integers.
  std::optional<Tensor> ConstantOf(ValueId id) const;
  // A constant of fewer axes as one that broadcasts against `rank` axes with channels last.
  TensorIndex Extended(ValueId id, std::int64_t rank);
  // `to` is the same as `from`.
  void Alias(ValueId from, ValueId to);
  void Hold(ValueId id, Axes axes, TensorIndex tensor);
  // A new tensor for a value whose operator is about to be added.
  TensorIndex NewTensor(ValueId id, Axes axes);
  TensorIndex Permuted(TensorIndex tensor, const Ints& perm);

  // How the integers of a value stand for numbers; none for others.
  const Quantization& ScaleOf(ValueId id) const;
  // Whether bytes are written as i8 where the graph has u8: legacy networks keep theirs.
  bool bytes_are_signed() const { return bytes_are_signed_; }

  // Inputs and outputs of the file, in the graph's order, by the graph's names.
  void AddInput(ValueId id);
  void AddOutput(const GraphOutput& output);

  // Weights of more than `most_inside` bytes stand behind the flatbuffer.
  Result<std::vector<std::uint8_t>> Bytes(std::uint64_t most_inside) const;

 private:
  struct TensorSlot {
    std::string name;
    Type type;
    Quantization scale;
    std::uint32_t buffer = 0;  // 0: no weights
    bool is_variable = false;
  };
  struct OperatorSlot {
    std::uint32_t code = 0;
    std::vector<TensorIndex> inputs, outputs;
    Options options;
    std::vector<std::uint8_t> custom_options = {};
  };
  struct Code {
    schema::BuiltinOperator builtin;
    int version = 1;
    std::string custom = "";
    friend bool operator==(const Code&, const Code&) = default;
  };
  struct Held {
    TensorIndex plain = kNoTensor, last = kNoTensor;
  };
  const TensorSlot& Slot(TensorIndex tensor) const {
    return tensors_[static_cast<std::size_t>(tensor)];
  }
  static flatbuffers::Offset<schema::Tensor> BuildTensor(flatbuffers::FlatBufferBuilder& builder,
                                                         const TensorSlot& slot);
  flatbuffers::DetachedBuffer Build(std::optional<std::uint64_t> outside, std::size_t size) const;
  std::string UniqueName(std::string_view wish);
  void FindScales();
  bool FindSigns() const;
  TensorIndex Made(ValueId id, Axes axes);
  std::uint32_t IndexOf(const Code& code);
  TensorIndex GraphConstant(ValueId id, Tensor tensor, Axes axes);
  // Bytes with the sign that the file's have.
  std::pair<Type, Quantization> InFile(Type type, const Quantization& scale) const;

  bool bytes_are_signed_ = true;
  std::unordered_map<ValueId, Quantization> scales_;
  std::unordered_map<ValueId, Held> held_;
  std::map<std::string, int> names_;
  std::vector<TensorSlot> tensors_;
  std::vector<OperatorSlot> operators_;
  std::vector<Code> codes_;
  std::vector<Tensor> weights_;  // of buffers 1 and up
  std::vector<TensorIndex> inputs_, outputs_;
};

// Fails for element types that TFLite has not.
Status CheckWritten(DType dtype);

// The scale and zero point of a QuantizeLinear or DequantizeLinear, when they are constants.
Quantization ScaleOfNode(const Graph& graph, const Node& node);

// The operators that only move elements: what they read and give has one scale.
bool OnlyMoves(std::string_view op);

}  // namespace athanor::tflite
