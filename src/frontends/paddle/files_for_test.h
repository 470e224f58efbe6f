// Small programs of both forms for tests, which change and break them.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "frontends/paddle/schema.h"

namespace athanor::paddle {

// A program of a .pdmodel while it is made.
class DescMaker {
 public:
  using Names = std::vector<std::string>;
  using Slots = std::vector<std::pair<std::string, Names>>;

  DescMaker() { AddBlock(-1); }

  ProgramDesc program;

  std::size_t AddBlock(std::int32_t parent) {
    program.blocks.emplace_back();
    program.blocks.back().index = static_cast<std::int32_t>(program.blocks.size()) - 1;
    program.blocks.back().parent = parent;
    return program.blocks.size() - 1;
  }
  VarDesc& Var(const std::string& name, std::vector<std::int64_t> dims = {},
               bool persistable = false, std::size_t block = 0) {
    VarDesc& var = program.blocks[block].vars.emplace_back();
    var.name = name;
    var.type.type = kLodTensor;
    var.type.lod_tensor.tensor = {kFloat32, std::move(dims)};
    var.persistable = persistable;
    return var;
  }
  // Results that are not declared yet are.
  OpDesc& Op(const std::string& type, const Slots& inputs, const Slots& outputs,
             std::size_t block = 0) {
    for (const auto& [slot, names] : outputs) {
      for (const std::string& name : names) {
        if (!IsDeclared(name)) Var(name, {}, false, block);
      }
    }
    OpDesc& op = program.blocks[block].ops.emplace_back();
    op.type = type;
    for (const auto& [slot, names] : inputs) op.inputs.push_back({slot, names});
    for (const auto& [slot, names] : outputs) op.outputs.push_back({slot, names});
    return op;
  }
  OpDesc& op(std::size_t i, std::size_t block = 0) { return program.blocks[block].ops[i]; }

  static AttributeDesc& Attribute(OpDesc& op, const std::string& name, std::int32_t type) {
    AttributeDesc& attribute = op.attrs.emplace_back();
    attribute.name = name;
    attribute.type = type;
    return attribute;
  }
  static void Int(OpDesc& op, const std::string& name, std::int32_t value) {
    Attribute(op, name, 0).i = value;
  }
  static void Ints(OpDesc& op, const std::string& name, std::vector<std::int32_t> values) {
    Attribute(op, name, 3).ints = std::move(values);
  }
  static void BlockAttribute(OpDesc& op, std::int32_t block) {
    Attribute(op, "sub_block", 8).block = block;
  }

  std::string Bytes() {
    const std::vector<std::uint8_t> bytes = protobuf::Serialize(program);
    return {bytes.begin(), bytes.end()};
  }

 private:
  static constexpr std::int32_t kLodTensor = 7, kFloat32 = 5;

  bool IsDeclared(const std::string& name) const {
    for (const BlockDesc& block : program.blocks) {
      for (const VarDesc& var : block.vars) {
        if (var.name == name) return true;
      }
    }
    return false;
  }
};

// relu(x w + b) as [-1, 2, 2]; x [n, 2], w [2, 4], b [4].
inline DescMaker SmallDesc() {
  DescMaker m;
  m.Var("x", {-1, 2});
  m.Var("w", {2, 4}, true);
  m.Var("b", {4}, true);
  m.Op("feed", {}, {{"Out", {"x"}}});
  m.Op("matmul_v2", {{"X", {"x"}}, {"Y", {"w"}}}, {{"Out", {"t"}}});
  DescMaker::Int(m.Op("elementwise_add", {{"X", {"t"}}, {"Y", {"b"}}}, {{"Out", {"u"}}}), "axis",
                 1);
  m.Op("relu", {{"X", {"u"}}}, {{"Out", {"v"}}});
  DescMaker::Ints(m.Op("reshape2", {{"X", {"v"}}}, {{"Out", {"y"}}, {"XShape", {"s"}}}), "shape",
                  {-1, 2, 2});
  m.Op("fetch", {{"X", {"y"}}}, {});
  return m;
}

// The same with a condition: x sum(x) > 0 ? x + x : relu(x), as the converter of Python code writes
// it.
inline DescMaker BranchDesc() {
  DescMaker m;
  m.Var("x", {2});
  m.Var("zero", {1}, true);
  m.Op("feed", {}, {{"Out", {"x"}}});
  DescMaker::Int(m.Op("reduce_sum", {{"X", {"x"}}}, {{"Out", {"sum"}}}), "reduce_all", 1);
  m.Op("greater_than", {{"X", {"sum"}}, {"Y", {"zero"}}}, {{"Out", {"positive"}}});
  m.Op("logical_not", {{"X", {"positive"}}}, {{"Out", {"other"}}});
  m.Var("a"), m.Var("b");
  for (const auto& [condition, result] : {std::pair("positive", "a"), std::pair("other", "b")}) {
    const auto block = static_cast<std::int32_t>(m.AddBlock(0));
    OpDesc& op =
        m.Op("conditional_block", {{"Cond", {condition}}, {"Input", {"x"}}}, {{"Out", {result}}});
    DescMaker::BlockAttribute(op, block);
    const auto inside = static_cast<std::size_t>(block);
    if (std::string(result) == "a") {
      m.Op("elementwise_add", {{"X", {"x"}}, {"Y", {"x"}}}, {{"Out", {"a"}}}, inside);
    } else {
      m.Op("relu", {{"X", {"x"}}}, {{"Out", {"b"}}}, inside);
    }
  }
  m.Op("cast", {{"X", {"positive"}}}, {{"Out", {"mask"}}});
  DescMaker::Int(m.op(m.program.blocks[0].ops.size() - 1), "out_dtype", 2);
  m.Op("select_input", {{"X", {"b", "a"}}, {"Mask", {"mask"}}}, {{"Out", {"y"}}});
  m.Op("fetch", {{"X", {"y"}}}, {});
  return m;
}

// A .pdiparams file: f32 tensors, one after the other.
inline std::string ParameterBytes(
    const std::vector<std::pair<std::vector<std::int64_t>, std::vector<float>>>& tensors) {
  std::string bytes;
  const auto append = [&](const auto& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  for (const auto& [dims, values] : tensors) {
    TensorDesc desc = {5, dims};
    const std::vector<std::uint8_t> text = protobuf::Serialize(desc);
    append(std::uint32_t{0});
    append(std::uint64_t{0});
    append(std::uint32_t{0});
    append(static_cast<std::uint32_t>(text.size()));
    bytes.append(text.begin(), text.end());
    for (const float value : values) append(value);
  }
  return bytes;
}

// Both files of a model as one: the length of the program, the program, the parameters.
inline std::vector<std::uint8_t> Packed(const std::string& program, const std::string& parameters) {
  std::vector<std::uint8_t> bytes(4);
  const auto length = static_cast<std::uint32_t>(program.size());
  std::memcpy(bytes.data(), &length, sizeof(length));
  bytes.insert(bytes.end(), program.begin(), program.end());
  bytes.insert(bytes.end(), parameters.begin(), parameters.end());
  return bytes;
}
// Where the parameters start in any bytes taken for such a file of at least 4 bytes.
inline std::size_t EndOfProgram(std::span<const std::uint8_t> bytes) {
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  return 4 + std::min<std::size_t>(length, bytes.size() - 4);
}

// Of SmallDesc, by name: b, w.
inline std::string SmallParameters() {
  return ParameterBytes({{{4}, {1, -1, 0, 2}}, {{2, 4}, {1, 2, 3, 4, -1, 0, 1, 2}}});
}

// The program of SmallDesc as PaddlePaddle 3 writes it.
inline std::string SmallPir() {
  return R"({"base_code":{"magic":"pir","trainable":false,"version":3},"program":{"regions":[{"#":"region_0","blocks":[{"#":"block_0","args":[],"ops":[
{"#":"p","A":[0,1,1,"b"],"DA":[],"O":{"%":1,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_f32"},[4],"NCHW",[],0]}},"QA":[]},
{"#":"p","A":[0,1,1,"w"],"DA":[],"O":{"%":2,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_f32"},[2,4],"NCHW",[],0]}},"QA":[]},
{"#":"1.data","A":[{"AT":{"#":"0.a_str","D":"x"},"N":"name"},{"AT":{"#":"1.a_intarray","D":[-1,2]},"N":"shape"}],"I":[],"O":[{"%":3,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_f32"},[-1,2],"NCHW",[],0]}}]},
{"#":"1.matmul","A":[{"AT":{"#":"0.a_bool","D":false},"N":"transpose_x"},{"AT":{"#":"0.a_bool","D":false},"N":"transpose_y"}],"I":[{"%":3},{"%":2}],"O":[{"%":4,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_f32"},[-1,4],"NCHW",[],0]}}]},
{"#":"1.add","A":[],"I":[{"%":4},{"%":1}],"O":[{"%":5,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_f32"},[-1,4],"NCHW",[],0]}}]},
{"#":"1.relu","A":[],"I":[{"%":5}],"O":[{"%":6,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_f32"},[-1,4],"NCHW",[],0]}}]},
{"#":"1.full_int_array","A":[{"AT":{"#":"0.a_array","D":[{"#":"0.a_i64","D":-1},{"#":"0.a_i64","D":2},{"#":"0.a_i64","D":2}]},"N":"value"},{"AT":{"#":"1.a_dtype","D":"int64"},"N":"dtype"}],"I":[],"O":[{"%":7,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_i64"},[3],"NCHW",[],0]}}]},
{"#":"1.reshape","A":[],"I":[{"%":6},{"%":7}],"O":[{"%":8,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_f32"},[-1,2,2],"NCHW",[],0]}}]},
{"#":"1.fetch","A":[{"AT":{"#":"0.a_str","D":"y"},"N":"name"},{"AT":{"#":"0.a_i32","D":0},"N":"col"}],"I":[{"%":8}],"O":[{"%":9,"TT":{"#":"0.t_dtensor","D":[{"#":"0.t_f32"},[-1,2,2],"NCHW",[],0]}}]}
]}]}]}})";
}

}  // namespace athanor::paddle
