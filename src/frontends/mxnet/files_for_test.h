// A small network of MXNet for tests, which change and break it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace athanor::mxnet {

// softmax(relu(x w' + b)) of two classes, with labels that only training reads.
inline std::string SmallSymbol() {
  return R"json({"nodes": [
{"op": "null", "name": "data", "inputs": []},
{"op": "null", "name": "fc_weight", "attrs": {"__shape__": "(2, 0)"}, "inputs": []},
{"op": "null", "name": "fc_bias", "inputs": []},
{"op": "FullyConnected", "name": "fc", "attrs": {"num_hidden": "2"}, "inputs": [[0, 0, 0], [1, 0, 0], [2, 0, 0]]},
{"op": "Activation", "name": "act", "attrs": {"act_type": "relu"}, "inputs": [[3, 0, 0]]},
{"op": "null", "name": "label", "inputs": []},
{"op": "SoftmaxOutput", "name": "softmax", "attrs": {"grad_scale": "1"}, "inputs": [[4, 0, 0], [5, 0, 0]]}
], "arg_nodes": [0, 1, 2, 5], "node_row_ptr": [0, 1, 2, 3, 4, 5, 6, 7], "heads": [[6, 0, 0]],
"attrs": {"mxnet_version": ["int", 10901]}})json";
}

struct NamedFloats {
  std::string name;
  std::vector<std::int64_t> dims;
  std::vector<float> values;
};

// A .params file of version 2 (0xF993FAC9): dense, on the first CPU, floats.
inline std::string ParameterFile(const std::vector<NamedFloats>& tensors) {
  std::string file;
  const auto put = [&]<class T>(T value) {
    file.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  put(std::uint64_t{0x112});
  put(std::uint64_t{0});
  put(std::uint64_t{tensors.size()});
  for (const NamedFloats& tensor : tensors) {
    put(std::uint32_t{0xF993FAC9});
    put(std::int32_t{0});
    put(static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::int64_t size : tensor.dims) put(size);
    put(std::int32_t{1});
    put(std::int32_t{0});
    put(std::int32_t{0});
    for (const float value : tensor.values) put(value);
  }
  put(std::uint64_t{tensors.size()});
  for (const NamedFloats& tensor : tensors) {
    put(std::uint64_t{tensor.name.size()});
    file += tensor.name;
  }
  return file;
}

inline std::string SmallParameters() {
  return ParameterFile(
      {{"arg:fc_weight", {2, 3}, {1, 0, 2, 0, -1, 1}}, {"arg:fc_bias", {2}, {0.5F, -1}}});
}

// Both files in one: the symbol ends at the first zero byte.
inline std::vector<std::uint8_t> Packed(const std::string& symbol, const std::string& parameters) {
  std::vector<std::uint8_t> bytes(symbol.begin(), symbol.end());
  bytes.push_back(0);
  bytes.insert(bytes.end(), parameters.begin(), parameters.end());
  return bytes;
}
struct Unpacked {
  std::span<const std::uint8_t> symbol, parameters;
};
inline Unpacked Unpack(std::span<const std::uint8_t> bytes) {
  const auto end =
      static_cast<std::size_t>(std::find(bytes.begin(), bytes.end(), 0) - bytes.begin());
  return {bytes.first(end), bytes.subspan(std::min(end + 1, bytes.size()))};
}

}  // namespace athanor::mxnet
