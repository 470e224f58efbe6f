// The messages of .mlmodel files that are read, as tables of fields. What a layer holds is parsed
// by its row (messages of one layer stand beside it), so that layers are not read twice.
// Source: mlmodel/format of coremltools: Model.proto, FeatureTypes.proto, NeuralNetwork.proto.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "frontends/protobuf/wire.h"

namespace athanor::coreml {

using protobuf::Bytes;
using IntList = std::vector<std::int64_t>;

// ---- what goes in and comes out

struct SizeRange {
  std::int64_t lower = 0, upper = 0;  // a negative upper one: no limit
  template <class V>
  void Fields(V& v) {
    v(1, lower), v(2, upper);
  }
};

struct IntVector {  // of a shape, of classes
  IntList values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct StringVector {
  std::vector<std::string> values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct EnumeratedShapes {
  std::vector<IntVector> shapes;
  template <class V>
  void Fields(V& v) {
    v(1, shapes);
  }
};

struct ShapeRange {
  std::vector<SizeRange> ranges;
  template <class V>
  void Fields(V& v) {
    v(1, ranges);
  }
};

struct ArrayType {
  IntList shape;
  std::int64_t data_type = 0;
  std::optional<EnumeratedShapes> enumerated;
  std::optional<ShapeRange> range;
  template <class V>
  void Fields(V& v) {
    v(1, shape), v(2, data_type), v(21, enumerated), v(31, range);
  }
};

struct ImageSize {
  std::int64_t width = 0, height = 0;
  template <class V>
  void Fields(V& v) {
    v(1, width), v(2, height);
  }
};

struct EnumeratedSizes {
  std::vector<ImageSize> sizes;
  template <class V>
  void Fields(V& v) {
    v(1, sizes);
  }
};

struct ImageRange {
  SizeRange width, height;
  template <class V>
  void Fields(V& v) {
    v(1, width), v(2, height);
  }
};

struct ImageType {
  std::int64_t width = 0, height = 0, color_space = 0;
  std::optional<EnumeratedSizes> enumerated;
  std::optional<ImageRange> range;
  template <class V>
  void Fields(V& v) {
    v(1, width), v(2, height), v(3, color_space), v(21, enumerated), v(31, range);
  }
};

struct FeatureType {
  std::optional<ImageType> image;
  std::optional<ArrayType> array;
  template <class V>
  void Fields(V& v) {
    v(4, image), v(5, array);
  }
};

struct Feature {
  std::string name;
  FeatureType type;
  template <class V>
  void Fields(V& v) {
    v(1, name), v(3, type);
  }
};

struct Description {
  std::vector<Feature> inputs, outputs;
  std::string label_name, probabilities_name;
  template <class V>
  void Fields(V& v) {
    v(1, inputs), v(10, outputs), v(11, label_name), v(12, probabilities_name);
  }
};

// ---- networks

struct ImageScaler {
  float scale = 0, blue = 0, green = 0, red = 0, gray = 0;
  template <class V>
  void Fields(V& v) {
    v(10, scale), v(20, blue), v(21, green), v(22, red), v(30, gray);
  }
};

struct MeanImage {
  std::vector<float> values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct Preprocessing {
  std::string feature;
  std::optional<ImageScaler> scaler;
  std::optional<MeanImage> mean;
  template <class V>
  void Fields(V& v) {
    v(1, feature), v(10, scaler), v(11, mean);
  }
};

struct LinearQuantization {
  std::vector<float> scale, bias;
  template <class V>
  void Fields(V& v) {
    v(1, scale), v(2, bias);
  }
};

struct LookupTable {
  std::vector<float> values;
  template <class V>
  void Fields(V& v) {
    v(1, values);
  }
};

struct Quantization {
  std::int64_t bits = 0;
  std::optional<LinearQuantization> linear;
  std::optional<LookupTable> table;
  template <class V>
  void Fields(V& v) {
    v(1, bits), v(101, linear), v(102, table);
  }
};

// Numbers in one of four forms; they stay where they are in the file.
struct WeightParams {
  Bytes floats, halves, raw, signed_raw;
  std::optional<Quantization> quantization;
  template <class V>
  void Fields(V& v) {
    v(1, floats), v(2, halves), v(30, raw), v(31, signed_raw), v(40, quantization);
  }
};

// A network; a classifier and a regressor have the same fields and more.
struct NeuralNetwork {
  std::vector<Bytes> layers;
  std::vector<Preprocessing> preprocessing;
  std::int64_t array_mapping = 0, image_mapping = 0;
  std::optional<StringVector> string_labels;
  std::optional<IntVector> int_labels;
  std::string probability_layer;
  template <class V>
  void Fields(V& v) {
    v(1, layers), v(2, preprocessing), v(5, array_mapping), v(6, image_mapping);
    v(100, string_labels), v(101, int_labels), v(200, probability_layer);
  }
};

// Models in a row. Each is parsed when its turn comes.
struct Pipeline {
  std::vector<Bytes> models;
  template <class V>
  void Fields(V& v) {
    v(1, models);
  }
};

struct SpecialPipeline {  // of a classifier, of a regressor
  Pipeline pipeline;
  template <class V>
  void Fields(V& v) {
    v(1, pipeline);
  }
};

struct Model {
  std::int64_t version = 0;
  Description description;
  std::optional<SpecialPipeline> pipeline_classifier, pipeline_regressor;
  std::optional<Pipeline> pipeline;
  std::optional<NeuralNetwork> regressor, classifier, network;
  std::optional<Bytes> program;
  template <class V>
  void Fields(V& v) {
    v(1, version), v(2, description), v(200, pipeline_classifier), v(201, pipeline_regressor);
    v(202, pipeline), v(303, regressor), v(403, classifier), v(500, network), v(502, program);
  }
};

// ---- what several layers hold

struct Nothing {
  template <class V>
  void Fields(V& /*v*/) {}
};

struct OneReal {
  float value = 0;
  template <class V>
  void Fields(V& v) {
    v(1, value);
  }
};

struct TwoReals {
  float first = 0, second = 0;
  template <class V>
  void Fields(V& v) {
    v(1, first), v(2, second);
  }
};

struct OneInt {
  std::int64_t value = 0;
  template <class V>
  void Fields(V& v) {
    v(1, value);
  }
};

struct EdgeSizes {
  std::int64_t begin = 0, end = 0;
  template <class V>
  void Fields(V& v) {
    v(1, begin), v(2, end);
  }
};

struct BorderAmounts {
  std::vector<EdgeSizes> edges;  // of height, of width
  template <class V>
  void Fields(V& v) {
    v(10, edges);
  }
};

struct ValidPadding {
  BorderAmounts amounts;
  template <class V>
  void Fields(V& v) {
    v(1, amounts);
  }
};

struct TwoWeights {
  WeightParams first, second;
  template <class V>
  void Fields(V& v) {
    v(1, first), v(2, second);
  }
};

struct Activation {
  std::optional<TwoReals> linear, scaled_tanh, hard_sigmoid;
  std::optional<OneReal> leaky_relu, thresholded_relu, elu;
  std::optional<Nothing> relu, tanh, sigmoid, softsign, softplus;
  std::optional<TwoWeights> prelu, parametric_softplus;
  template <class V>
  void Fields(V& v) {
    v(5, linear), v(10, relu), v(15, leaky_relu), v(20, thresholded_relu), v(25, prelu);
    v(30, tanh), v(31, scaled_tanh), v(40, sigmoid), v(41, hard_sigmoid), v(50, elu);
    v(60, softsign), v(70, softplus), v(71, parametric_softplus);
  }
};

}  // namespace athanor::coreml
