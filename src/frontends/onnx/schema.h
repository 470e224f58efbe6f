// The messages of an ONNX file. Source: onnx/onnx, onnx/onnx.proto (field numbers).
#pragma once

#include "frontends/protobuf/wire.h"

namespace athanor::onnx {

using protobuf::Bytes;

struct StringEntry {
  std::string key, value;
  template <class V>
  void Fields(V& v) {
    v(1, key), v(2, value);
  }
};

struct TensorProto {
  std::vector<std::int64_t> dims;
  std::int32_t data_type = 0;
  std::vector<float> float_data;
  std::vector<std::int32_t> int32_data;
  std::vector<Bytes> string_data;
  std::vector<std::int64_t> int64_data;
  std::string name;
  std::optional<Bytes> raw_data;
  std::vector<double> double_data;
  std::vector<std::uint64_t> uint64_data;
  std::vector<StringEntry> external_data;
  std::int32_t data_location = 0;  // 1: external
  template <class V>
  void Fields(V& v) {
    v(1, dims), v(2, data_type), v(4, float_data), v(5, int32_data), v(6, string_data),
        v(7, int64_data);
    v(8, name), v(9, raw_data), v(10, double_data), v(11, uint64_data), v(13, external_data),
        v(14, data_location);
  }
};

struct SparseTensorProto {
  TensorProto values, indices;
  std::vector<std::int64_t> dims;
  template <class V>
  void Fields(V& v) {
    v(1, values), v(2, indices), v(3, dims);
  }
};

struct DimProto {
  std::optional<std::int64_t> value;
  std::optional<std::string> symbol;
  template <class V>
  void Fields(V& v) {
    v(1, value), v(2, symbol);
  }
};

struct ShapeProto {
  std::vector<DimProto> dim;
  template <class V>
  void Fields(V& v) {
    v(1, dim);
  }
};

struct TensorTypeProto {
  std::int32_t elem_type = 0;
  std::optional<ShapeProto> shape;
  template <class V>
  void Fields(V& v) {
    v(1, elem_type), v(2, shape);
  }
};

struct TypeProto;
struct ElementTypeProto {
  std::shared_ptr<TypeProto> elem_type;
  template <class V>
  void Fields(V& v);
};
struct MapTypeProto {
  std::int32_t key_type = 0;
  std::shared_ptr<TypeProto> value_type;
  template <class V>
  void Fields(V& v);
};

struct TypeProto {
  std::optional<TensorTypeProto> tensor, sparse_tensor;
  std::optional<ElementTypeProto> sequence, optional;
  std::optional<MapTypeProto> map;
  template <class V>
  void Fields(V& v) {
    v(1, tensor), v(4, sequence), v(5, map), v(8, sparse_tensor), v(9, optional);
  }
};
template <class V>
void ElementTypeProto::Fields(V& v) {
  v(1, elem_type);
}
template <class V>
void MapTypeProto::Fields(V& v) {
  v(1, key_type), v(2, value_type);
}

struct ValueInfoProto {
  std::string name;
  std::optional<TypeProto> type;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, type);
  }
};

struct GraphProto;
// AttributeProto.type
enum class AttributeType : std::int32_t {
  kUndefined = 0,
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kTensor = 4,
  kGraph = 5,
  kFloats = 6,
  kInts = 7,
  kStrings = 8,
  kTensors = 9,
  kGraphs = 10,
  kSparseTensor = 11,
  kSparseTensors = 12,
  kTypeProto = 13,
  kTypeProtos = 14,
};
struct AttributeProto {
  std::string name;
  std::optional<float> f;
  std::optional<std::int64_t> i;
  std::optional<Bytes> s;
  std::optional<TensorProto> t;
  std::shared_ptr<GraphProto> g;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<Bytes> strings;
  std::vector<TensorProto> tensors;
  std::vector<GraphProto> graphs;
  std::optional<TypeProto> tp;
  std::int32_t type = 0;  // absent in files of IR version 1
  std::string ref_attr_name;
  std::optional<SparseTensorProto> sparse_tensor;
  template <class V>
  void Fields(V& v);
};

struct NodeProto {
  std::vector<std::string> input, output;
  std::string name, op_type, domain, overload;
  std::vector<AttributeProto> attribute;
  std::string doc_string;
  template <class V>
  void Fields(V& v) {
    v(1, input), v(2, output), v(3, name), v(4, op_type), v(5, attribute), v(6, doc_string),
        v(7, domain), v(8, overload);
  }
};

struct GraphProto {
  std::vector<NodeProto> node;
  std::string name;
  std::vector<TensorProto> initializer;
  std::string doc_string;
  std::vector<ValueInfoProto> input, output, value_info;
  std::vector<SparseTensorProto> sparse_initializer;
  template <class V>
  void Fields(V& v) {
    v(1, node), v(2, name), v(5, initializer), v(10, doc_string), v(11, input), v(12, output),
        v(13, value_info);
    v(15, sparse_initializer);
  }
};
template <class V>
void AttributeProto::Fields(V& v) {
  v(1, name), v(2, f), v(3, i), v(4, s), v(5, t), v(6, g), v(7, floats), v(8, ints), v(9, strings),
      v(10, tensors);
  v(11, graphs), v(14, tp), v(20, type), v(21, ref_attr_name), v(22, sparse_tensor);
}

struct OperatorSetId {
  std::string domain;
  std::int64_t version = 0;
  template <class V>
  void Fields(V& v) {
    v(1, domain), v(2, version);
  }
};

struct FunctionProto {
  std::string name;
  std::vector<std::string> input, output, attribute;
  std::vector<NodeProto> node;
  std::vector<OperatorSetId> opset_import;
  std::string domain, overload;
  std::vector<AttributeProto> attribute_proto;  // attributes with defaults
  template <class V>
  void Fields(V& v) {
    v(1, name), v(4, input), v(5, output), v(6, attribute), v(7, node), v(9, opset_import),
        v(10, domain);
    v(11, attribute_proto), v(13, overload);
  }
};

struct ModelProto {
  std::int64_t ir_version = 0;
  std::string producer_name, producer_version, domain;
  std::int64_t model_version = 0;
  std::string doc_string;
  std::optional<GraphProto> graph;
  std::vector<OperatorSetId> opset_import;
  std::vector<StringEntry> metadata_props;
  std::vector<FunctionProto> functions;
  template <class V>
  void Fields(V& v) {
    v(1, ir_version), v(2, producer_name), v(3, producer_version), v(4, domain),
        v(5, model_version), v(6, doc_string);
    v(7, graph), v(8, opset_import), v(14, metadata_props), v(25, functions);
  }
};

// Values of test data sets: onnx/onnx, onnx/onnx-data.proto.
struct OptionalProto;
struct SequenceProto {
  std::string name;
  std::int32_t elem_type = 0;
  std::vector<TensorProto> tensor_values;
  std::vector<SequenceProto> sequence_values;
  std::vector<OptionalProto> optional_values;
  template <class V>
  void Fields(V& v);
};
struct OptionalProto {
  std::string name;
  std::int32_t elem_type = 0;  // 0 undefined, 1 tensor, 3 sequence, 5 optional
  std::optional<TensorProto> tensor_value;
  std::shared_ptr<SequenceProto> sequence_value;
  std::shared_ptr<OptionalProto> optional_value;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, elem_type), v(3, tensor_value), v(5, sequence_value), v(7, optional_value);
  }
};
template <class V>
void SequenceProto::Fields(V& v) {
  v(1, name), v(2, elem_type), v(3, tensor_values), v(5, sequence_values), v(7, optional_values);
}

}  // namespace athanor::onnx
