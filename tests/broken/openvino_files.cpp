#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/file.h"
#include "corpus.h"
#include "frontends/load.h"

namespace athanor::broken {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::string Port(int id, std::string_view dims = "1") {
  return fmt::format("<port id=\"{}\" precision=\"FP32\"><dim>{}</dim></port>", id, dims);
}

std::string Layer(int id, std::string_view type, std::string_view data, int inputs, int outputs,
                  std::string_view more = "") {
  std::string xml =
      fmt::format("<layer id=\"{}\" name=\"l{}\" type=\"{}\" version=\"opset1\"><data {}/>", id, id,
                  type, data);
  int port = 0;
  xml += "<input>";
  for (int i = 0; i < inputs; ++i) xml += Port(port++);
  xml += "</input><output>";
  for (int i = 0; i < outputs; ++i) xml += Port(port++);
  return xml + "</output>" + std::string(more) + "</layer>";
}

std::string Edge(int from, int from_port, int to, int to_port) {
  return fmt::format("<edge from-layer=\"{}\" from-port=\"{}\" to-layer=\"{}\" to-port=\"{}\"/>",
                     from, from_port, to, to_port);
}

std::string Net(std::string_view layers, std::string_view edges) {
  return fmt::format(
      "<?xml version=\"1.0\"?><net name=\"n\" version=\"11\"><layers>{}</layers>"
      "<edges>{}</edges></net>",
      layers, edges);
}

constexpr std::string_view kInput = "shape=\"1,2,4,4\" element_type=\"f32\"";
constexpr std::string_view kWindow =
    "strides=\"1,1\" pads_begin=\"1,1\" pads_end=\"1,1\" dilations=\"1,1\" auto_pad=\"explicit\"";
constexpr std::size_t kWeightBytes = 4 * (3 * 2 * 3 * 3);

// A convolution, an activation and a loop over the first axis.
std::string Network() {
  const std::string body =
      Net(Layer(0, "Parameter", "shape=\"1,3,4,4\" element_type=\"f32\"", 0, 1) +
              Layer(1, "ReLU", "a=\"1\"", 1, 1) + Layer(2, "Result", "a=\"1\"", 1, 0),
          Edge(0, 0, 1, 0) + Edge(1, 1, 2, 0));
  const std::string inner = body.substr(body.find("<layers>"));
  const std::string map =
      "<port_map><input axis=\"0\" external_port_id=\"0\" internal_layer_id=\"0\" start=\"0\" "
      "end=\"-1\" stride=\"1\" part_size=\"1\"/><output axis=\"0\" external_port_id=\"1\" "
      "internal_layer_id=\"2\" start=\"0\" end=\"-1\" stride=\"1\" "
      "part_size=\"1\"/></port_map><body>" +
      inner.substr(0, inner.size() - 6) + "</body>";
  return Net(Layer(0, "Parameter", kInput, 0, 1) +
                 Layer(1, "Const",
                       "element_type=\"f32\" shape=\"3,2,3,3\" offset=\"0\" size=\"216\"", 0, 1) +
                 Layer(2, "Convolution", kWindow, 2, 1) +
                 Layer(3, "TensorIterator", "a=\"1\"", 1, 1, map) +
                 Layer(4, "Result", "a=\"1\"", 1, 0),
             Edge(0, 0, 2, 0) + Edge(1, 0, 2, 1) + Edge(2, 2, 3, 0) + Edge(3, 1, 4, 0));
}

// Input 0 through one layer of the type, with constants of i64 from the weights' first bytes.
std::string One(
    std::string_view type, std::string_view data, int constants = 0,
    std::string_view constant = "element_type=\"i64\" shape=\"1\" offset=\"0\" size=\"8\"",
    std::string_view input = kInput) {
  std::string layers = Layer(0, "Parameter", input, 0, 1);
  std::string edges = Edge(0, 0, 1, 0);
  layers += Layer(1, type, data, 1 + constants, 1);
  for (int i = 0; i < constants; ++i) {
    layers += Layer(10 + i, "Const", constant, 0, 1);
    edges += Edge(10 + i, 0, 1, 1 + i);
  }
  layers += Layer(2, "Result", "a=\"1\"", 1, 0);
  return Net(layers, edges + Edge(1, 1 + constants, 2, 0));
}

std::vector<std::string> Mistakes() {
  const std::string parameter = Layer(0, "Parameter", kInput, 0, 1);
  const std::string result = Layer(2, "Result", "a=\"1\"", 1, 0);
  std::vector<std::string> files = {
      "<net version=\"11\"/>",
      "<net name=\"n\" version=\"9\"><layers/></net>",
      "<net name=\"n\" version=\"eleven\"><layers/></net>",
      "<net name=\"n\"><layers/></net>",
      "<?xml version=\"1.0\"?><!DOCTYPE net [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><net "
      "name=\"&b;\" version=\"11\"/>",
      Net(parameter + parameter + result, Edge(0, 0, 2, 0)),
      Net(parameter + result, ""),
      Net(parameter + result, Edge(0, 7, 2, 0)),
      Net(parameter + result, Edge(0, 0, 2, 7)),
      Net(parameter + result, Edge(9, 0, 2, 0)),
      Net(parameter + result, Edge(0, 0, 2, 0) + Edge(0, 0, 2, 0)),
      Net(Layer(0, "ReLU", "a=\"1\"", 1, 1) + Layer(1, "ReLU", "a=\"1\"", 1, 1),
          Edge(0, 1, 1, 0) + Edge(1, 1, 0, 0)),
      Net(parameter, ""),
      One("Relu", "a=\"1\""),
      One("Nonsense", "a=\"1\""),
      One("ReLU", "a=\"1\"", 3),
      One("SoftMax", "axis=\"9\""),
      One("SoftMax", "axis=\"x\""),
      One("Clamp", "min=\"a\" max=\"b\""),
      One("Elu", "alpha=\"1,2\""),
      One("Convolution", kWindow, 1),
      One("Convolution", "strides=\"0,0\" auto_pad=\"explicit\"", 1,
          "element_type=\"f32\" shape=\"1,2,1,1\" offset=\"0\" size=\"8\""),
      One("Convolution", "strides=\"1,1\" auto_pad=\"never\"", 1,
          "element_type=\"f32\" shape=\"1,2,1,1\" offset=\"0\" size=\"8\""),
      One("GroupConvolution", kWindow, 1,
          "element_type=\"f32\" shape=\"2\" offset=\"0\" size=\"8\""),
      One("MaxPool",
          "kernel=\"2147483647,2147483647\" strides=\"1,1\" pads_begin=\"0,0\" pads_end=\"0,0\""),
      One("AvgPool",
          "kernel=\"3,3\" strides=\"4,4\" pads_begin=\"0,0\" pads_end=\"3,3\" "
          "rounding_type=\"ceil\""),
      One("Reshape", "special_zero=\"maybe\"", 1),
      One("Reshape", "special_zero=\"false\"", 1,
          "element_type=\"i64\" shape=\"1\" offset=\"4096\" size=\"8\""),
      One("Reshape", "special_zero=\"false\"", 1,
          "element_type=\"i64\" shape=\"1\" offset=\"-8\" size=\"8\""),
      One("Reshape", "special_zero=\"false\"", 1,
          "element_type=\"i64\" shape=\"2\" offset=\"0\" size=\"8\""),
      One("Reshape", "special_zero=\"false\"", 1,
          "element_type=\"f7\" shape=\"2\" offset=\"0\" size=\"8\""),
      One("Reshape", "special_zero=\"false\"", 1,
          "element_type=\"i64\" shape=\"4294967296,4294967296,4294967296\" offset=\"0\" "
          "size=\"0\""),
      One("Split", "num_splits=\"1000000000\"", 1),
      One("Transpose", "a=\"1\"", 1),
      One("TopK", "axis=\"9\" mode=\"max\"", 1,
          "element_type=\"i64\" shape=\"\" offset=\"0\" size=\"8\""),
      One("FakeQuantize", "levels=\"1\"", 4,
          "element_type=\"f32\" shape=\"\" offset=\"0\" size=\"4\""),
      One("ShuffleChannels", "axis=\"1\" group=\"3\""),
      One("ReLU", "a=\"1\"", 0, "", "shape=\"1,-7\" element_type=\"f32\""),
      One("ReLU", "a=\"1\"", 0, "", "shape=\"1,2\" element_type=\"f31\""),
      One("ReLU", "a=\"1\"", 0, "",
          "shape=\"1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1\" element_type=\"f32\""),
      One("If", "a=\"1\""),
      One("TensorIterator", "a=\"1\""),
      One("Loop", "a=\"1\"", 1),
  };
  // Bodies within bodies.
  std::string deep = "<layers/>";
  for (int i = 0; i < 1000; ++i)
    deep = fmt::format(
        "<layers><layer id=\"0\" name=\"l\" type=\"Loop\" version=\"opset5\"><body>{}"
        "</body></layer></layers>",
        deep);
  files.push_back(fmt::format("<net name=\"n\" version=\"11\">{}</net>", deep));
  return files;
}

Bytes Pack(std::string_view text, std::size_t weight_bytes) {
  Bytes bytes(text.begin(), text.end());
  bytes.resize(bytes.size() + 1 + weight_bytes, 0);
  return bytes;
}

// One file of the corpus is both files of a network: the XML, a 0 byte, the weights.
Status Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t cut = std::min(all.find('\0'), all.size());
  const std::string xml = path + ".xml", bin = path + ".bin";
  std::ofstream(xml, std::ios::binary) << all.substr(0, cut);
  std::ofstream(bin, std::ios::binary) << all.substr(std::min(cut + 1, all.size()));
  Result<Graph> graph = LoadModel(xml, {.format = "openvino"});
  return std::move(graph).status();
}

}  // namespace

Family OpenvinoFamily() {
  Family family = {"openvino", {{"network", Pack(Network(), kWeightBytes)}}, {}, Read};
  for (File& bad : Damage(family.good[0])) family.bad.push_back(std::move(bad));
  const std::vector<std::string> mistakes = Mistakes();
  for (std::size_t i = 0; i < mistakes.size(); ++i)
    family.bad.push_back({fmt::format("mistake_{}", i), Pack(mistakes[i], 64), true});
  family.bad.push_back({"empty", {}, true});
  family.bad.push_back({"short_weights", Pack(Network(), kWeightBytes - 1), true});
  // Layers that share bytes which have to be copied.
  std::string layers, edges;
  for (int i = 0; i < 3000; ++i)
    layers += Layer(i, "Const",
                    "element_type=\"f64\" shape=\"100000\" offset=\"1\" size=\"800000\"", 0, 1);
  layers += Layer(4000, "Result", "a=\"1\"", 1, 0);
  family.bad.push_back({"shared_weights", Pack(Net(layers, Edge(0, 0, 4000, 0)), 800001), true});
  return family;
}

}  // namespace athanor::broken
