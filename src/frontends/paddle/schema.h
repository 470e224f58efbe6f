// The messages of .pdmodel and .pdiparams files that are read, as tables of fields.
// Source: paddle/fluid/framework/framework.proto.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "frontends/protobuf/wire.h"

namespace athanor::paddle {

struct ScalarDesc {
  std::int32_t type = 0, b = 0;
  std::int64_t i = 0;
  double r = 0;
  template <class V>
  void Fields(V& v) {
    v(1, type), v(2, b), v(3, i), v(4, r);
  }
};

struct AttributeDesc {
  std::string name, s;
  std::int32_t type = 0, i = 0, b = 0, block = 0;
  std::int64_t l = 0;
  float f = 0;
  double float64 = 0;
  std::vector<std::int32_t> ints, bools, blocks;
  std::vector<std::int64_t> longs;
  std::vector<float> floats;
  std::vector<double> float64s;
  std::vector<std::string> strings;
  std::optional<ScalarDesc> scalar;
  std::vector<ScalarDesc> scalars;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, type), v(3, i), v(4, f), v(5, s), v(6, ints), v(7, floats), v(8, strings);
    v(10, b), v(11, bools), v(12, block), v(13, l), v(14, blocks), v(15, longs), v(16, float64s);
    v(19, float64), v(20, scalar), v(21, scalars);
  }
};

struct SlotDesc {  // OpDesc.Var
  std::string parameter;
  std::vector<std::string> arguments;
  template <class V>
  void Fields(V& v) {
    v(1, parameter), v(2, arguments);
  }
};

struct OpDesc {
  std::vector<SlotDesc> inputs, outputs;
  std::string type;
  std::vector<AttributeDesc> attrs;
  template <class V>
  void Fields(V& v) {
    v(1, inputs), v(2, outputs), v(3, type), v(4, attrs);
  }
};

struct TensorDesc {
  std::int32_t data_type = -1;
  std::vector<std::int64_t> dims;  // -1: not known
  template <class V>
  void Fields(V& v) {
    v(1, data_type), v(2, dims);
  }
};

struct LodTensorDesc {
  TensorDesc tensor;
  template <class V>
  void Fields(V& v) {
    v(1, tensor);
  }
};

struct VarTypeDesc {
  std::int32_t type = 0;
  LodTensorDesc lod_tensor;
  template <class V>
  void Fields(V& v) {
    v(1, type), v(3, lod_tensor);
  }
};

struct VarDesc {
  std::string name;
  VarTypeDesc type;
  bool persistable = false;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(2, type), v(3, persistable);
  }
};

struct BlockDesc {
  std::optional<std::int32_t> index, parent;  // written though they are 0
  std::vector<VarDesc> vars;
  std::vector<OpDesc> ops;
  template <class V>
  void Fields(V& v) {
    v(1, index), v(2, parent), v(3, vars), v(4, ops);
  }
};

struct ProgramDesc {
  std::vector<BlockDesc> blocks;
  template <class V>
  void Fields(V& v) {
    v(1, blocks);
  }
};

}  // namespace athanor::paddle
