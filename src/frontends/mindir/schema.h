// The messages of .mindir files that are read, as tables of fields.
// Source: mindspore/core/proto/mind_ir.proto of MindSpore.
#pragma once

#include <string>
#include <vector>

#include "frontends/protobuf/wire.h"

namespace athanor::mindir {

using protobuf::Bytes;

struct TensorProto {
  std::vector<std::int64_t> dims;
  std::int64_t data_type = 0;
  std::string name;
  Bytes raw, external;
  template <class V>
  void Fields(V& v) {
    v(1, dims), v(2, data_type), v(7, name), v(9, raw), v(12, external);
  }
};

struct AttributeProto {
  std::string name, s;
  float f = 0;
  std::int64_t i = 0, type = 0;
  double d = 0;
  std::vector<TensorProto> tensor, tensors;
  std::vector<float> floats;  // numbers within tuples stand in lists of one
  std::vector<double> doubles;
  std::vector<std::int64_t> ints;
  std::vector<AttributeProto> values;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, f), v(3, i), v(4, d), v(5, s), v(6, tensor), v(8, floats), v(9, doubles);
    v(10, ints), v(12, tensors), v(16, type), v(17, values);
  }
};

struct ValueInfoProto {
  std::string name;
  std::vector<TensorProto> tensor;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, tensor);
  }
};

struct NodeProto {
  std::vector<std::string> input, output;
  std::string name, op_type;
  std::vector<AttributeProto> attribute;
  template <class V>
  void Fields(V& v) {
    v(1, input), v(2, output), v(3, name), v(4, op_type), v(5, attribute);
  }
};

struct GraphProto {
  std::vector<NodeProto> node;
  std::vector<TensorProto> parameter;
  std::vector<ValueInfoProto> input, output;
  template <class V>
  void Fields(V& v) {
    v(1, node), v(3, parameter), v(5, input), v(6, output);
  }
};

// An operator with its attributes, which nodes name: "REF::Conv2D:4".
struct PrimitiveProto {
  std::string name, op_type;
  std::vector<AttributeProto> attribute;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, op_type), v(3, attribute);
  }
};

struct ModelProto {
  std::string ir_version, producer;
  GraphProto graph;
  std::vector<Bytes> functions;
  std::vector<PrimitiveProto> primitives;
  template <class V>
  void Fields(V& v) {
    v(1, ir_version), v(2, producer), v(7, graph), v(8, functions), v(12, primitives);
  }
};

}  // namespace athanor::mindir
