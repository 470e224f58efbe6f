// The XML of an OpenVINO network as plain structures: layers in an order in which each follows what
// it reads, with their edges resolved. Says nothing of what a layer means.
//
// Hostile input: document types are refused, sizes, nesting and every reference are checked.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.h"

namespace athanor::openvino {

// An output of a layer of the same network.
struct Source {
  std::size_t layer = 0, output = 0;
};

// How a value crosses the border of a body.
struct PortMap {
  std::int64_t external = -1;             // id of a port of the node; -1: none
  std::size_t internal = 0;               // layer of the body: a Parameter or a Result
  std::optional<std::int64_t> axis = {};  // of slices, one per iteration
  std::int64_t start = 0, end = -1, stride = 1, part_size = 1;
  std::string purpose = {};  // "current_iteration", "execution_condition"
};

struct Body;

struct Layer {
  std::string name, type;
  int opset = 0;  // 0: of no operator set
  std::map<std::string, std::string, std::less<>> attributes = {};
  std::vector<std::int64_t> input_ports = {}, output_ports = {};  // their ids
  std::vector<Source> inputs = {};                                // one per input port
  std::vector<std::string> output_names = {};  // first tensor name of each output; "": none
  std::vector<bool> output_used = {};
  std::vector<Body> bodies;  // "body", or "then_body" and "else_body" in this order
};

struct Network {
  std::vector<Layer> layers;
  std::vector<std::size_t> results = {};  // the layers that are outputs, in the file's order
  int version = 0;
};

struct Body {
  Network network;
  std::vector<PortMap> inputs = {}, outputs = {};
  std::vector<std::pair<std::size_t, std::size_t>> back_edges = {};  // Result -> Parameter
};

// "layer "conv1" (Convolution)"
std::string Place(const Layer& layer);

// Whether the bytes begin like the XML of a network.
bool IsOpenvino(std::span<const std::uint8_t> bytes);

Result<Network> ParseNetwork(std::string_view xml);

// The numbers of "1, 2,3"; nothing when a word is none.
std::optional<std::vector<std::int64_t>> ParseInts(std::string_view text);
std::vector<std::string_view> SplitWords(std::string_view text);

}  // namespace athanor::openvino
