// The messages of ML Programs that are read, as tables of fields.
// Source: mlmodel/format/MIL.proto of coremltools.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "frontends/protobuf/wire.h"

namespace athanor::coreml::mil {

using protobuf::Bytes;

struct Size {
  std::int64_t value = 0;
  template <class V>
  void Fields(V& v) {
    v(1, value);
  }
};

struct Dimension {
  std::optional<Size> constant, unknown;
  template <class V>
  void Fields(V& v) {
    v(1, constant), v(2, unknown);
  }
};

struct TensorType {
  std::int64_t data_type = 0, rank = 0;
  std::vector<Dimension> dimensions;
  template <class V>
  void Fields(V& v) {
    v(1, data_type), v(2, rank), v(3, dimensions);
  }
};

struct ValueType {
  std::optional<TensorType> tensor;  // lists, tuples and dictionaries are not read
  template <class V>
  void Fields(V& v) {
    v(1, tensor);
  }
};

struct Floats {
  std::vector<float> values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct Doubles {
  std::vector<double> values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct Integers {  // and truth
  std::vector<std::int64_t> values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct Strings {
  std::vector<std::string> values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct Raw {
  Bytes values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct TensorValue {
  std::optional<Floats> floats;
  std::optional<Integers> ints, bools, longs;
  std::optional<Strings> strings;
  std::optional<Doubles> doubles;
  std::optional<Raw> bytes;
  template <class V>
  void Fields(V& v) {
    v(1, floats), v(2, ints), v(3, bools), v(4, strings), v(5, longs), v(6, doubles), v(7, bytes);
  }
};

struct Immediate {
  std::optional<TensorValue> tensor;
  template <class V>
  void Fields(V& v) {
    v(1, tensor);
  }
};

struct BlobFile {
  std::string name;
  std::uint64_t offset = 0;  // of what describes the numbers
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, offset);
  }
};

struct Value {
  ValueType type;
  std::optional<Immediate> immediate;
  std::optional<BlobFile> blob;
  template <class V>
  void Fields(V& v) {
    v(2, type), v(3, immediate), v(5, blob);
  }
};

struct Binding {
  std::string name;
  std::optional<Value> value;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, value);
  }
};

struct Argument {
  std::vector<Binding> bindings;
  template <class V>
  void Fields(V& v) {
    v(1, bindings);
  }
};

template <class T>
struct Entry {
  std::string key;
  T value;
  template <class V>
  void Fields(V& v) {
    v(1, key), v(2, value);
  }
};

struct NamedType {
  std::string name;
  ValueType type;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, type);
  }
};

struct Block;

struct Operation {
  std::string type;
  std::vector<Entry<Argument>> inputs;
  std::vector<NamedType> outputs;
  std::vector<Block> blocks;
  std::vector<Entry<Value>> attributes;
  template <class V>
  void Fields(V& v) {
    v(1, type), v(2, inputs), v(3, outputs), v(4, blocks), v(5, attributes);
  }
};

struct Block {
  std::vector<NamedType> inputs;
  std::vector<std::string> outputs;
  std::vector<Operation> operations;
  template <class V>
  void Fields(V& v) {
    v(1, inputs), v(2, outputs), v(3, operations);
  }
};

struct Function {
  std::vector<NamedType> inputs;
  std::string opset;
  std::vector<Entry<Block>> blocks;
  template <class V>
  void Fields(V& v) {
    v(1, inputs), v(2, opset), v(3, blocks);
  }
};

struct Program {
  std::int64_t version = 0;
  std::vector<Entry<Function>> functions;
  template <class V>
  void Fields(V& v) {
    v(1, version), v(2, functions);
  }
};

}  // namespace athanor::coreml::mil
