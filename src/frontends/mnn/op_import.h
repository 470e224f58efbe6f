// What a row of the operator table sees of one MNN operator: its inputs as values of the graph, its
// parameters, and the graph to add nodes to.
//
// MNN counts with 32 bits: what other formats keep as 64-bit integers or as truth is i32 in its
// files, and so it is in the graph; casts appear where an operator here wants another type.
// A tensor of format NC4HW4 is an ordinary NCHW one to those who look from outside.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include "frontends/layer_steps.h"
#include "frontends/mnn/mnn_generated.h"
#include "frontends/mnn/weights.h"

namespace athanor::mnn {

using IntList = std::vector<std::int64_t>;
using schema::Format;

class SubGraphs;

// What the operators of one network share.
struct NetState {
  Graph& graph;
  WeightSource& weights;
  SubGraphs& subgraphs;
  std::map<ValueId, Format> formats = {};  // of those that are not NCHW
};

class OpImport : public LayerSteps {
 public:
  OpImport(NetState& net, const schema::Op& op, std::vector<ValueId> inputs,
           std::size_t num_outputs);

  NetState& net;
  const schema::Op& op;
  const std::vector<ValueId> inputs;
  const std::size_t num_outputs;
  std::vector<ValueId> outputs;  // filled by the row

  ValueId In(std::size_t i = 0) const { return inputs[i]; }
  bool Has(std::size_t i) const { return i < inputs.size(); }
  const Type& TypeOf(ValueId value) const { return graph.value(value).type; }
  const Type& InType(std::size_t i = 0) const { return TypeOf(inputs[i]); }
  const Tensor* Constant(std::size_t i) const { return graph.Constant(inputs[i]); }
  using LayerSteps::Constant;
  bool IsFloatIn(std::size_t i = 0) const { return IsFloat(InType(i).dtype); }
  Format FormatOf(std::size_t i = 0) const;

  // The numbers of a parameter that may be absent. Lists may be shared in a hostile file, so the
  // long ones, which are all of weights, are never copied.
  IntList List(const flatbuffers::Vector<std::int32_t>* items);
  std::vector<float> List(const flatbuffers::Vector<float>* items);

  Result<std::int64_t> Rank(std::size_t i = 0) const;
  // Sizes that must all be known.
  Result<Dims> StaticDims(std::size_t i) const;
  // Axis `axis`, which may count from the end, of `rank`.
  static Result<std::int64_t> Axis(std::int64_t axis, std::int64_t rank);
  // The numbers of an input, which must be known when the model is read.
  Result<IntList> KnownInts(std::size_t i) const;
  Result<std::int64_t> KnownInt(std::size_t i) const;

  // A value as another type; undoes a cast that made it from that type.
  ValueId As(ValueId value, DType dtype);
  // An input as i64, and as a list of one if it is a scalar.
  ValueId AsInts(std::size_t i);
  ValueId AsScalar(ValueId value);
  ValueId AsTruth(std::size_t i) { return As(In(i), DType::kBool); }
  ValueId FromTruth(ValueId value) { return As(value, DType::kI32); }
  // One number of the element type that `like` has.
  ValueId Number(double value, ValueId like);
  ValueId Activated(ValueId value, bool relu, bool relu6);
  // Weights of the file as a constant.
  ValueId Weights(const flatbuffers::Vector<float>* values, const Dims& dims);

  // The value of the only output.
  Status Give(ValueId value) {
    outputs = {value};
    return problem_;
  }
};

// The parameters of an operator; an error where the file has none of the kind.
template <class T>
Result<const T*> Given(const T* parameters) {
  if (parameters == nullptr) return InvalidModel("its parameters are missing");
  return parameters;
}

struct Row {
  schema::OpType type = schema::OpType_AbsVal;
  int least = 1, most = 1;  // inputs; -1: any number
  Status (*make)(OpImport&) = nullptr;
};

// The operator here of a number of BinaryOp, UnaryOp, ...
template <class Kind>
struct Named {
  Kind kind;
  std::string_view op;
};

// Adds the operators of a sub-graph to `graph`, whose inputs have been added: gives its outputs.
class SubGraphs {
 public:
  virtual ~SubGraphs() = default;
  virtual Result<const schema::SubGraph*> Find(std::string_view name) const = 0;
  virtual Result<std::vector<ValueId>> Fill(const schema::SubGraph& subgraph, Graph& graph,
                                            const std::vector<ValueId>& inputs) = 0;
};

// What a convolution's own parameters say: the sizes of its weights [out, in / group, ...], and the
// attributes of Conv.
struct ConvolutionShape {
  Dims weights;
  AttrMap attributes;
};
Result<ConvolutionShape> ShapeOf(OpImport& ctx, const schema::Convolution2DCommon& common,
                                 bool depthwise);
Status Convolution(OpImport& ctx);
Status ConvolutionDepthwise(OpImport& ctx);

// The rows by topic, by number within each.
std::vector<Row> ControlRows();
std::vector<Row> LayerRows();
std::vector<Row> MathRows();
std::vector<Row> NnRows();
std::vector<Row> QuantRows();
std::vector<Row> ShapeRows();
std::vector<Row> TensorRows();
const std::vector<Row>& Table();
const Row* FindRow(schema::OpType type);
// "Convolution", or a number for one beyond the schema.
std::string NameOf(schema::OpType type);

}  // namespace athanor::mnn
