#include <fstream>
#include <iterator>
#include <string_view>

#include "corpus.h"
#include "frontends/load.h"

namespace athanor::broken {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The same words, as long as others, in the configuration inside of an .h5 file.
struct Mistake {
  std::string_view name, from, to;
};

constexpr Mistake kMistakes[] = {
    {"unknown_layer", "\"Conv1D\"", "\"Conv9D\""},
    {"unknown_model", "\"Functional\"", "\"Functionel\""},
    {"no_layers", "\"layers\": [", "\"leyers\": ["},
    {"no_inputs", "\"input_layers\"", "\"input_layars\""},
    {"no_outputs", "\"output_layers\"", "\"output_layars\""},
    {"no_shape", "\"batch_shape\"", "\"batch_shapo\""},
    {"shape_negative", "[null, 4, 3]", "[null,-4, 3]"},
    {"shape_fraction", "[null, 4, 3]", "[null, .4,3]"},
    {"shape_huge", "[null, 4, 3]", "[null,9e99 ]"},
    {"shape_text", "[null, 4, 3]", "[null,\"4\",3]"},
    {"channels", "[null, 4, 3]", "[null, 4, 5]"},
    {"padding", "\"padding\": \"same\"", "\"padding\": \"some\""},
    {"strides_0", "\"strides\": [1]", "\"strides\": [0]"},
    {"strides_9", "\"strides\": [1]", "\"strides\": 1e9"},
    {"dilation", "\"dilation_rate\": [1]", "\"dilation_rate\": [0]"},
    {"groups", "\"groups\": 1", "\"groups\": 7"},
    {"activation", "\"activation\": \"relu\"", "\"activation\": \"rolu\""},
    {"no_variable", "\"name\": \"conv\"", "\"name\": \"cunv\""},
    {"axis", "\"axis\": -1", "\"axis\": 99"},
    {"axis_of_batch", "\"axis\": -1", "\"axis\":  0"},
    {"not_json", "{\"class_name\"", "}\"class_name\""},
    {"unfinished", "\"inbound_nodes\"", "\"inbound_nodes "},
    {"no_group", "model_weights", "medel_weights"},
    {"no_configuration", "model_config", "medel_config"},
    {"no_tree", "TREE", "TREA"},
    {"no_members", "SNOD", "SNAD"},
    {"no_names", "HEAP", "HOAP"},
    {"no_heap", "GCOL", "GCAL"},
};

Bytes ReadFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Every place changes: names stand in several.
Bytes Changed(const Bytes& bytes, const Mistake& mistake) {
  std::string text(bytes.begin(), bytes.end());
  for (std::size_t at = text.find(mistake.from); at != std::string::npos;
       at = text.find(mistake.from, at + mistake.to.size()))
    text.replace(at, mistake.from.size(), mistake.to);
  return {text.begin(), text.end()};
}

Status Read(const std::string& path) { return LoadModel(path, {.format = "keras"}).status(); }

}  // namespace

// Small models that Keras 3.15 wrote: a convolution, a normalisation, a dense layer.
Family KerasFamily() {
  Family family = {"keras", {}, {}, Read};
  family.good.push_back({"archive", ReadFile("tests/broken/keras_small.keras")});
  family.good.push_back({"hdf5", ReadFile("tests/broken/keras_small.h5")});
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  for (const Mistake& mistake : kMistakes)
    family.bad.push_back({std::string(mistake.name), Changed(family.good[1].bytes, mistake), true});
  family.bad.push_back({"empty", {}, true});
  return family;
}

}  // namespace athanor::broken
