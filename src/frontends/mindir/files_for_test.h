// A small network of MindSpore for tests, which change and break it.
#pragma once

#include <string>
#include <vector>

#include "frontends/mindir/schema.h"

namespace athanor::mindir {

// relu(x w' + b) of x [1, 3], w [2, 3].
inline ModelProto SmallModel() {
  static const float kWeights[] = {1, 0, 2, 0, -1, 1}, kBias[] = {0.5F, -1};
  const auto bytes = [](const float* numbers, std::size_t count) {
    return Bytes(reinterpret_cast<const std::uint8_t*>(numbers), count * sizeof(float));
  };
  ModelProto m;
  m.ir_version = "0.1.1";
  m.producer = "MindSpore";
  ValueInfoProto& x = m.graph.input.emplace_back();
  x.name = "net:x";
  x.tensor.push_back({{1, 3}, 1, "x", {}, {}});
  m.graph.parameter = {{{2, 3}, 1, "net:w", bytes(kWeights, 6), {}},
                       {{2}, 1, "net:b", bytes(kBias, 2), {}}};
  const auto add = [&](std::vector<std::string> inputs, const std::string& output,
                       const std::string& op) {
    NodeProto& node = m.graph.node.emplace_back();
    node.input = std::move(inputs);
    node.output = {output};
    node.name = output;
    node.op_type = op;
  };
  add({"net:x", "net:w", "net:b"}, "net:t", "REF::Dense:1");
  add({"net:t"}, "net:y", "ReLU");
  m.primitives = {{"Dense:1", "Dense", {}}};
  m.graph.output.emplace_back().name = "net:y";
  return m;
}

inline std::vector<std::uint8_t> BytesOf(ModelProto m) { return protobuf::Serialize(m); }

}  // namespace athanor::mindir
