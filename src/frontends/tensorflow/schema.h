// The messages of TensorFlow's files that are read, as tables of fields.
// Sources:
// tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape,function,op_def} .proto,
// core/protobuf/{saved_model,meta_graph,saver,tensor_bundle}.proto.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "frontends/protobuf/wire.h"

namespace athanor::tensorflow {

using protobuf::Bytes;

struct DimProto {
  std::int64_t size = 0;  // -1: unknown
  template <class V>
  void Fields(V& v) {
    v(1, size);
  }
};

struct ShapeProto {
  std::vector<DimProto> dim;
  bool unknown_rank = false;
  template <class V>
  void Fields(V& v) {
    v(2, dim), v(3, unknown_rank);
  }
};

struct TensorProto {
  std::int32_t dtype = 0;
  ShapeProto shape;
  Bytes content;
  std::vector<std::int32_t> half_val, int_val, bool_val;
  std::vector<float> float_val;
  std::vector<double> double_val;
  std::vector<std::string> string_val;
  std::vector<std::int64_t> int64_val;
  std::vector<std::uint32_t> uint32_val;
  std::vector<std::uint64_t> uint64_val;
  template <class V>
  void Fields(V& v) {
    v(1, dtype), v(2, shape), v(4, content), v(13, half_val), v(5, float_val), v(6, double_val);
    v(7, int_val), v(8, string_val), v(10, int64_val), v(11, bool_val), v(16, uint32_val);
    v(17, uint64_val);
  }
};

struct AttrProto;

// Name -> value of a map field.
template <class T>
struct MapEntry {
  std::string key;
  T value;
  template <class V>
  void Fields(V& v) {
    v(1, key), v(2, value);
  }
};
using AttrEntry = MapEntry<std::shared_ptr<AttrProto>>;

struct FunctionName {  // NameAttrList
  std::string name;
  template <class V>
  void Fields(V& v) {
    v(1, name);
  }
};

struct ListValue {
  std::vector<std::string> s;
  std::vector<std::int64_t> i;
  std::vector<float> f;
  std::vector<std::int32_t> type;
  std::vector<ShapeProto> shape;
  std::vector<FunctionName> func;
  template <class V>
  void Fields(V& v) {
    v(2, s), v(3, i), v(4, f), v(6, type), v(7, shape), v(9, func);
  }
};

struct AttrProto {
  // One of these.
  std::optional<std::string> s;
  std::optional<std::int64_t> i;
  std::optional<float> f;
  std::optional<bool> b;
  std::int32_t type = 0;
  std::shared_ptr<ShapeProto> shape;
  std::shared_ptr<TensorProto> tensor;
  std::shared_ptr<ListValue> list;
  std::shared_ptr<FunctionName> func;
  std::string placeholder;  // the name of an attribute of the function around
  template <class V>
  void Fields(V& v) {
    v(2, s), v(3, i), v(4, f), v(5, b), v(6, type), v(7, shape), v(8, tensor), v(1, list);
    v(10, func), v(9, placeholder);
  }
};

struct NodeDef {
  std::string name;
  std::string op;
  std::vector<std::string> input;
  std::vector<AttrEntry> attr;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, op), v(3, input), v(5, attr);
  }
};

struct ArgDef {
  std::string name;
  std::int32_t type = 0;
  std::string type_attr;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(3, type), v(4, type_attr);
  }
};

struct Signature {  // OpDef
  std::string name;
  std::vector<ArgDef> input_arg, output_arg;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, input_arg), v(3, output_arg);
  }
};

struct FunctionDef {
  Signature signature;
  std::vector<NodeDef> node;
  std::vector<MapEntry<std::string>> ret;
  template <class V>
  void Fields(V& v) {
    v(1, signature), v(3, node), v(4, ret);
  }
};

struct FunctionLibrary {
  std::vector<FunctionDef> function;
  template <class V>
  void Fields(V& v) {
    v(1, function);
  }
};

struct Versions {
  std::int32_t producer = 0;
  template <class V>
  void Fields(V& v) {
    v(1, producer);
  }
};

struct GraphDef {
  std::vector<NodeDef> node;
  FunctionLibrary library;
  Versions versions;
  template <class V>
  void Fields(V& v) {
    v(1, node), v(2, library), v(4, versions);
  }
};

struct TensorInfo {
  std::string name;
  std::int32_t dtype = 0;
  ShapeProto shape;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, dtype), v(3, shape);
  }
};

struct SignatureDef {
  std::vector<MapEntry<TensorInfo>> inputs, outputs;
  std::string method;
  template <class V>
  void Fields(V& v) {
    v(1, inputs), v(2, outputs), v(3, method);
  }
};

struct MetaInfo {
  std::vector<std::string> tags;
  template <class V>
  void Fields(V& v) {
    v(4, tags);
  }
};

struct SaverDef {
  std::string filename_tensor;
  std::string restore_op;
  template <class V>
  void Fields(V& v) {
    v(1, filename_tensor), v(3, restore_op);
  }
};

struct MetaGraph {
  MetaInfo info;
  GraphDef graph;
  SaverDef saver;
  std::vector<MapEntry<SignatureDef>> signatures;
  template <class V>
  void Fields(V& v) {
    v(1, info), v(2, graph), v(3, saver), v(5, signatures);
  }
};

struct SavedModel {
  std::int64_t schema_version = 0;
  std::vector<MetaGraph> meta_graphs;
  template <class V>
  void Fields(V& v) {
    v(1, schema_version), v(2, meta_graphs);
  }
};

// The entry of the empty key in the index of a bundle.
struct BundleHeader {
  std::int32_t num_shards = 0;
  std::int32_t endianness = 0;  // 0: little
  template <class V>
  void Fields(V& v) {
    v(1, num_shards), v(2, endianness);
  }
};

struct SliceProto {
  std::vector<Bytes> extent;
  template <class V>
  void Fields(V& v) {
    v(1, extent);
  }
};

struct BundleEntry {
  std::int32_t dtype = 0;
  ShapeProto shape;
  std::int32_t shard = 0;
  std::int64_t offset = 0, size = 0;
  std::vector<SliceProto> slices;  // of a tensor kept in parts
  template <class V>
  void Fields(V& v) {
    v(1, dtype), v(2, shape), v(3, shard), v(4, offset), v(5, size), v(7, slices);
  }
};

}  // namespace athanor::tensorflow
