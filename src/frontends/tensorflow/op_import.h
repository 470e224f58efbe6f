// What a row of the operator table sees of one TensorFlow operator: its inputs as values of the
// graph, its attributes, and the graph to add nodes to.
//
// TensorFlow keeps pictures as NHWC unless `data_format` says otherwise; the graph computes on
// NCHW. A row asks for the form it wants and gives its result in the form of the file. Sizes and
// axes are known when a row needs them, because the builder computes what follows from constants.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontends/nhwc/builder.h"
#include "frontends/tensorflow/flow.h"
#include "frontends/tensorflow/tensor.h"
#include "ir/graph.h"

namespace athanor::tensorflow {

using nhwc::Ints;

// What flows along an edge of the file: a tensor, a variable, or a list of tensors.
struct Port {
  ValueId value = kNoValue;   // a tensor; of a list: its elements stacked along a new first axis
  std::string variable = {};  // not empty: a handle of this variable
  bool is_list = false;
  ValueId length = kNoValue;  // of a list that a loop is to fill: i64[1]
  ValueId item = kNoValue;    // what an iteration puts into it

  bool IsTensor() const { return value != kNoValue && !is_list; }
  bool IsUnfilledList() const { return is_list && value == kNoValue; }
};

class GraphImport;
class OpImport;
struct Scope;

struct Row {
  std::string_view op = "";
  Status (*make)(OpImport&) = nullptr;
  std::string_view as = "";               // the graph's operator, for rows of one kind
  std::vector<std::string> outputs = {};  // their names, where there is more than one
};

// NHWC -> NCHW and back, as permutations of Transpose.
inline const Ints kToNchw = {0, 3, 1, 2};
inline const Ints kToNhwc = {0, 2, 3, 1};

class OpImport : public nhwc::Builder {
 public:
  OpImport(GraphImport& import, Scope& scope, const Step& step, const Row& row,
           std::vector<Port> inputs);

  GraphImport& import;
  Scope& scope;
  const Step& step;
  const NodeDef& node;
  const Row& row;
  std::size_t outputs_read = 1;  // up to the last one that another step reads
  std::vector<Port> outputs;     // filled by the row

  std::size_t num_inputs() const { return inputs_.size(); }
  bool Has(std::size_t i) const { return i < inputs_.size() && inputs_[i].IsTensor(); }
  const Port& InPort(std::size_t i) const { return inputs_[i]; }
  const std::vector<Port>& ports() const { return inputs_; }
  ValueId In(std::size_t i) const { return inputs_[i].value; }
  const Type& InType(std::size_t i) const { return TypeOf(In(i)); }
  DType InDType(std::size_t i) const { return InType(i).dtype; }
  // Fails when there are fewer inputs, or one of them is no tensor.
  Status Expect(std::size_t num_inputs) const;
  Result<std::int64_t> RankOf(std::size_t i) const;

  // The integers of input i, which must be known when the model is read.
  Result<Ints> KnownInts(std::size_t i) const;
  Result<std::int64_t> KnownInt(std::size_t i) const;
  const Tensor* Constant(std::size_t i) const { return graph.Constant(In(i)); }

  // Attributes; one that is absent has its default.
  std::int64_t Int(std::string_view name, std::int64_t fallback) const;
  float Float(std::string_view name, float fallback) const;
  bool Bool(std::string_view name, bool fallback = false) const;
  std::string String(std::string_view name, std::string_view fallback = "") const;
  Ints IntList(std::string_view name) const;
  std::vector<std::string> StringList(std::string_view name) const;
  Result<DType> TypeAttr(std::string_view name) const;
  Result<DType> TypeAttr(std::string_view name, DType fallback) const;

  // Input i as i64, the type that shapes, axes and indices have in the graph.
  Result<ValueId> AsI64(std::size_t i);
  // A list of numbers from a scalar or a list, as i64.
  Result<ValueId> AsI64List(std::size_t i);

  void Push(ValueId value) { outputs.push_back({.value = value}); }
  Status Give(Result<ValueId> value);
  void PushNothing() { outputs.emplace_back(); }

 private:
  std::vector<Port> inputs_;
};

// The rows by topic, alphabetical within each.
std::vector<Row> ControlRows();
std::vector<Row> MathRows();
std::vector<Row> NnRows();
std::vector<Row> SliceRows();
std::vector<Row> TensorRows();

// Every TensorFlow operator that can be read, by name.
const std::vector<Row>& Table();
const Row* FindRow(std::string_view op);

// What a plug-in calls an operator: "Addons::Roll" of "Addons>Roll".
std::string ForeignName(std::string_view op);
// How operators without a row are read that a plug-in knows; nullptr for others.
const Row* FindForeignRow(std::string_view op);

}  // namespace athanor::tensorflow
