#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "corpus.h"
#include "frontends/caffe/message.h"
#include "frontends/load.h"

namespace athanor::broken {
namespace {

using Bytes = std::vector<std::uint8_t>;

// One file of the corpus is both files of a network: the text, four bytes of 0, the weights.
constexpr std::string_view kCut("\0\0\0\0", 4);

constexpr const char* kNetwork = R"(name: "net"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" relu_param { negative_slope: 0.1 } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "norm" batch_norm_param { eps: 0.001 } }
layer { name: "scale" type: "Scale" bottom: "norm" top: "norm" scale_param { bias_term: true } }
layer { name: "sum" type: "Eltwise" bottom: "norm" bottom: "conv" top: "sum" }
layer { name: "pool" type: "Pooling" bottom: "sum" top: "pool" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "full" type: "InnerProduct" bottom: "pool" top: "full" inner_product_param { num_output: 2 } }
layer { name: "prob" type: "Softmax" bottom: "full" top: "prob" }
)";

// The same in the second of the older forms.
constexpr const char* kOldNetwork =
    R"(input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "pool" type: POOLING bottom: "data" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
layers { name: "relu" type: RELU bottom: "pool" top: "pool" }
)";

std::string Net(std::string_view layers) {
  return "layer { name: \"d\" type: \"Input\" top: \"d\" input_param { shape { dim: 1 dim: 4 dim: "
         "6 "
         "dim: 6 } } }\n" +
         std::string(layers);
}

std::string One(std::string_view type, std::string_view rest) {
  return Net(
      fmt::format("layer {{ name: \"l\" type: \"{}\" bottom: \"d\" top: \"y\" {} }}", type, rest));
}

std::vector<std::string> Mistakes() {
  std::string deep = "layer ";
  for (int i = 0; i < 5000; ++i) deep += "{ a ";
  std::string deep_lists = "layer { a: ";
  for (int i = 0; i < 5000; ++i) deep_lists += "<a: ";
  return {
      "name: \"net\"",
      "name: \"net",
      "name: ",
      "layer",
      "layer {",
      "layer { name: \"a\" }",
      "layer { name: \"a\" type: \"Input\" }",
      "layer: 5",
      "layers: 5",
      deep,
      deep_lists,
      "layer { name: \"a\" type: \"Input\" top: \"a\" }",
      "layer { name: \"a\" type: \"Input\" top: \"a\" input_param { shape { dim: 0 } } }",
      "layer { name: \"a\" type: \"Input\" top: \"a\" input_param { shape { dim: -5 dim: 3 } } }",
      "layer { name: \"a\" type: \"Input\" top: \"a\" input_param { shape { dim: "
      "4611686018427387904 "
      "dim: 4611686018427387904 } } }",
      "input: \"a\" input_dim: 1 input_dim: 3",
      "input: \"a\" input_shape { dim: 1 } input_shape { dim: 2 } input_shape { dim: 2 }",
      "input: \"a\" layer { name: \"x\" type: \"ReLU\" bottom: \"a\" top: \"y\" } layers { type: "
      "RELU }",
      One("Relu", ""),
      One("ReLU", "top: \"d\""),
      One("ReLU", "relu_param { negative_slop: 1 }"),
      One("ReLU", "relu_param { negative_slope: x }"),
      One("ReLU", "relu_param: 5"),
      Net("layer { name: \"l\" type: \"ReLU\" bottom: \"nothing\" top: \"y\" }"),
      Net("layer { name: \"l\" type: \"Tile\" bottom: \"d\" top: \"d\" tile_param { tiles: "
          "99999999999 } }"),
      One("Convolution", "convolution_param { num_output: 0 kernel_size: 3 }"),
      One("Convolution", "convolution_param { num_output: 2147483647 kernel_size: 2147483647 }"),
      One("Convolution", "convolution_param { num_output: 4 kernel_size: 3 group: 3 }"),
      One("Convolution", "convolution_param { num_output: 4 kernel_size: 3 group: 0 }"),
      One("Convolution", "convolution_param { num_output: 4 kernel_size: 3 stride: 0 }"),
      One("Convolution",
          "convolution_param { num_output: 4 kernel_size: 3 kernel_size: 3 kernel_size: 3 }"),
      One("Convolution", "convolution_param { num_output: 4 kernel_size: 3 }"),
      One("Pooling", "pooling_param { kernel_size: 0 }"),
      One("Pooling", "pooling_param { kernel_size: 9 }"),
      One("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"),
      One("Pooling", "pooling_param { pool: MEDIAN kernel_size: 2 }"),
      One("Pooling", "pooling_param { kernel_size: 1 stride: 4 }"),
      One("Reshape", "reshape_param { shape { dim: 7 dim: -1 } }"),
      One("Reshape", "reshape_param { shape { dim: -2 } }"),
      One("Reshape", "reshape_param { axis: 9 }"),
      One("Reshape", "reshape_param { num_axes: 99 }"),
      One("Flatten", "flatten_param { axis: 3 end_axis: 1 }"),
      One("Slice", "top: \"z\" slice_param { slice_point: 9 }"),
      One("Slice", "top: \"z\" top: \"w\" "),
      One("Permute", "permute_param { order: 9 }"),
      One("Permute", "permute_param { order: 1 order: 1 }"),
      One("LRN", "lrn_param { local_size: 4 }"),
      One("Power", "power_param { power: true }"),
      One("ShuffleChannel", "shuffle_channel_param { group: 0 }"),
      One("Reorg", "reorg_param { stride: 0 }"),
      One("Interp", "interp_param { height: 99999999 width: 99999999 }"),
      One("Interp", "interp_param { zoom_factor: 0 }"),
      One("Crop", "bottom: \"d\" crop_param { offset: 1 }"),
      One("Softmax", "softmax_param { axis: 4 }"),
      One("Scale", "scale_param { axis: 1 num_axes: 9 }"),
      One("PriorBox", "bottom: \"d\" prior_box_param { }"),
      One("PriorBox", "bottom: \"d\" prior_box_param { min_size: 1 variance: 1 variance: 2 }"),
      One("DetectionOutput",
          "bottom: \"d\" bottom: \"d\" detection_output_param { num_classes: 2000000000 }"),
      One("DetectionOutput",
          "bottom: \"d\" bottom: \"d\" detection_output_param { num_classes: 2 }"),
      One("Data", ""),
      "layer { name: \"d\" type: \"Data\" top: \"d\" data_param { source: \"/etc/passwd\" } }",
      "layer { name: \"d\" type: \"DummyData\" top: \"d\" dummy_data_param { shape { dim: "
      "99999999999 } } }",
      "layers { layer { name: \"c\" type: \"convolve\" } bottom: \"d\" top: \"c\" }",
      "layers { name: \"c\" type: CONVOLVE bottom: \"d\" top: \"c\" }",
  };
}

void AddWeight(caffe::Message& layer, std::int64_t count, std::vector<float>& numbers) {
  if (numbers.size() < static_cast<std::size_t>(count))
    numbers.resize(static_cast<std::size_t>(count), 0.25F);
  caffe::Message& blob = layer.AddChild("blobs");
  blob.AddChild("shape").Number("dim", static_cast<double>(count));
  caffe::FieldValue& data = blob.Add("data");
  data.kind = caffe::FieldValue::Kind::kFloats;
  data.packed = {reinterpret_cast<const std::uint8_t*>(numbers.data()),
                 static_cast<std::size_t>(count) * sizeof(float)};
}

// `first`: how many numbers the convolution's weights have; 144 is right.
Bytes Weights(std::int64_t first = 144) {
  std::vector<float> numbers(1024, 0.25F);
  caffe::Message net;
  net.String("name", "net");
  const auto add = [&](std::string_view name, const std::vector<std::int64_t>& counts) {
    caffe::Message& layer = net.AddChild("layer");
    layer.String("name", name);
    for (const std::int64_t count : counts) AddWeight(layer, count, numbers);
  };
  add("conv", {first, 4});
  add("norm", {4, 4, 1});
  add("scale", {4, 4});
  add("full", {72, 2});
  return caffe::PrintBytes(net, "Net");
}

Bytes Pack(std::string_view text, const Bytes& weights) {
  Bytes bytes(text.begin(), text.end());
  bytes.insert(bytes.end(), kCut.begin(), kCut.end());
  bytes.insert(bytes.end(), weights.begin(), weights.end());
  return bytes;
}

// A folder for each, so that weights are not looked for among the others'.
Status Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t cut = std::min(all.find(kCut), all.size());
  const std::string folder = path + ".d";
  std::filesystem::create_directories(folder);
  const std::string net = folder + "/net.prototxt";
  std::ofstream(net, std::ios::binary) << all.substr(0, cut);
  std::ofstream(folder + "/net.caffemodel", std::ios::binary)
      << all.substr(std::min(cut + kCut.size(), all.size()));
  Result<Graph> graph = LoadModel(net, {.format = "caffe"});
  return std::move(graph).status();
}

}  // namespace

Family CaffeFamily() {
  Family family = {
      "caffe", {{"network", Pack(kNetwork, Weights())}, {"old", Pack(kOldNetwork, {})}}, {}, Read};
  for (File& bad : Damage(family.good[0])) family.bad.push_back(std::move(bad));
  const std::vector<std::string> mistakes = Mistakes();
  for (std::size_t i = 0; i < mistakes.size(); ++i)
    family.bad.push_back({fmt::format("mistake_{}", i), Pack(mistakes[i], {}), true});
  family.bad.push_back({"empty", {}, true});
  family.bad.push_back({"no_weights", Pack(kNetwork, {}), true});
  family.bad.push_back({"short_weights", Pack(kNetwork, Weights(143)), true});
  family.bad.push_back({"long_weights", Pack(kNetwork, Weights(145)), true});
  Bytes cut = Weights();
  cut.resize(cut.size() / 2);
  family.bad.push_back({"cut_weights", Pack(kNetwork, cut), true});
  // A number of few bytes in the file must not be one of many in memory.
  std::string numbers = "layer { a: [1";
  for (int i = 0; i < 1000000; ++i) numbers += ",1";
  family.bad.push_back({"many_numbers", Pack(numbers + "] }", {}), true});
  return family;
}

}  // namespace athanor::broken
