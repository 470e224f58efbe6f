// Networks of MXNet with one thing wrong each.
#include <fstream>
#include <iterator>

#include "corpus.h"
#include "frontends/load.h"
#include "frontends/mxnet/files_for_test.h"

namespace athanor::broken {
namespace {

using mxnet::Packed;

// A part of the small network's symbol replaced.
struct MxnetMistake {
  const char* name;
  const char* from;
  const char* to;
};

constexpr MxnetMistake kMxnetMistakes[] = {
    {"no_nodes", "\"nodes\":", "\"node\":"},
    {"no_heads", "\"heads\":", "\"head\":"},
    {"heads_empty", "[[6, 0, 0]]", "[]"},
    {"heads_beyond", "[[6, 0, 0]]", "[[7, 0, 0]]"},
    {"heads_negative", "[[6, 0, 0]]", "[[-6, 0, 0]]"},
    {"heads_output", "[[6, 0, 0]]", "[[6, 1, 0]]"},
    {"heads_of_text", "[[6, 0, 0]]", "[[\"6\", 0, 0]]"},
    {"heads_twice", "[[6, 0, 0]]", "[[6, 0, 0], [6, 0, 0]]"},
    {"reads_itself", "[[3, 0, 0]]", "[[4, 0, 0]]"},
    {"reads_later", "[[3, 0, 0]]", "[[6, 0, 0]]"},
    {"reads_huge", "[[3, 0, 0]]", "[[9223372036854775807, 0, 0]]"},
    {"reads_output", "[[3, 0, 0]]", "[[3, 70000, 0]]"},
    {"reads_one_number", "[[3, 0, 0]]", "[[3]]"},
    {"reads_a_number", "[[3, 0, 0]]", "[3]"},
    {"reads_nothing", "[[3, 0, 0]]", "[]"},
    {"reads_many", "[[3, 0, 0]]", "[[3, 0, 0], [3, 0, 0], [3, 0, 0]]"},
    {"inputs_missing", "\"inputs\": [[3, 0, 0]]", "\"input\": [[3, 0, 0]]"},
    {"op_missing", "\"op\": \"Activation\", ", ""},
    {"op_unknown", "\"Activation\"", "\"TrainStep\""},
    {"op_number", "\"Activation\"", "7"},
    {"name_missing", "\"name\": \"act\", ", ""},
    {"attribute_number", "\"act_type\": \"relu\"", "\"act_type\": 7"},
    {"attribute_unknown", "\"act_type\": \"relu\"", "\"act_type\": \"\""},
    {"attribute_missing", "\"act_type\": \"relu\"", "\"type\": \"relu\""},
    {"flag_of_text", "\"num_hidden\": \"2\"", "\"no_bias\": \"perhaps\""},
    {"layer_of_one_input", "[[0, 0, 0], [1, 0, 0], [2, 0, 0]]", "[[0, 0, 0]]"},
    {"layer_without_bias", "[[0, 0, 0], [1, 0, 0], [2, 0, 0]]", "[[0, 0, 0], [1, 0, 0]]"},
    {"layer_inputs_mixed", "[[0, 0, 0], [1, 0, 0], [2, 0, 0]]",
     "[[0, 0, 0], [2, 0, 0], [1, 0, 0]]"},
    {"parameter_lost", "\"fc_weight\"", "\"gone_weight\""},
    {"shape_other", "\"(2, 0)\"", "\"(2, 7)\""},
    {"shape_no_list", "\"(2, 0)\"", "\"(2, 0\""},
    {"shape_of_text", "\"(2, 0)\"", "\"(two, 0)\""},
    {"shape_negative", "\"(2, 0)\"", "\"(2, -7)\""},
    {"shape_many_axes", "\"(2, 0)\"", "\"(2,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)\""},
    {"shape_beyond", "\"(2, 0)\"", "\"(2, 99999999999999999999)\""},
    {"variable_with_inputs", "\"name\": \"label\", \"inputs\": []",
     "\"name\": \"label\", \"inputs\": [[0, 0, 0]]"},
    {"input_without_axes", "\"FullyConnected\"", "\"Concat\""},
};

// Layers in place of the activation: "OP", "attrs".
struct MxnetLayer {
  const char* op;
  const char* attributes;
};

constexpr MxnetLayer kMxnetLayers[] = {
    {"Reshape", R"-("shape": "(0, 0, 0)")-"},
    {"Reshape", R"-("shape": "(-4, 3)")-"},
    {"Reshape", R"-("shape": "(-3, -3)")-"},
    {"Reshape", R"-("shape": "(-9)")-"},
    {"Reshape", R"-("shape": "()")-"},
    {"Reshape", R"-("shape": "(0, -1, -1)")-"},
    {"Reshape", R"-("reverse": "True", "shape": "(-3, 0)")-"},
    {"transpose", R"-("axes": "(0, 0)")-"},
    {"transpose", R"-("axes": "(0, 9)")-"},
    {"SwapAxis", R"-("dim1": "0", "dim2": "-9")-"},
    {"expand_dims", R"-("axis": "77")-"},
    {"squeeze", R"-("axis": "1")-"},
    {"slice", R"-("begin": "(0,)", "end": "(0, 1)")-"},
    {"slice", R"-("begin": "(0,)", "end": "(1,)", "step": "(0,)")-"},
    {"slice", R"-("begin": "(0, 0, 0)", "end": "(1, 1, 1)")-"},
    {"slice_axis", R"-("axis": "5", "begin": "0", "end": "1")-"},
    {"SliceChannel", R"-("num_outputs": "2000000000")-"},
    {"SliceChannel", R"-("num_outputs": "0")-"},
    {"tile", R"-("reps": "(-2, 1)")-"},
    {"repeat", R"-("axis": "1", "repeats": "2000000000")-"},
    {"repeat", R"-("axis": "1", "repeats": "-1")-"},
    {"broadcast_to", R"-("shape": "(3, 5)")-"},
    {"Pad", R"-("pad_width": "(0, 0, 0)")-"},
    {"Pad", R"-("mode": "wrap", "pad_width": "(0, 0, 0, 0)")-"},
    {"Pooling", R"-("kernel": "(2, 2)")-"},
    {"Pooling", R"-("kernel": "()")-"},
    {"Pooling", R"-("kernel": "(2, 2, 2, 2, 2)")-"},
    {"Pooling", R"-("kernel": "(2,)", "layout": "NWC")-"},
    {"Pooling", R"-("global_pool": "True", "pool_type": "median")-"},
    {"LRN", R"-("nsize": "-3")-"},
    {"L2Normalization", R"-("mode": "other")-"},
    {"UpSampling", R"-("scale": "2000000000", "sample_type": "nearest")-"},
    {"UpSampling", R"-("scale": "2", "sample_type": "nearest")-"},
    {"_contrib_AdaptiveAvgPooling2D", R"-("output_size": "(2, 2, 2)")-"},
    {"_contrib_BilinearResize2D", R"-("height": "3", "width": "3")-"},
    {"_contrib_MultiBoxPrior", R"-("sizes": "(0.5)", "ratios": "()")-"},
    {"topk", R"-("k": "9")-"},
    {"topk", R"-("axis": "9", "k": "1")-"},
    {"sum", R"-("axis": "(9)")-"},
    {"sum", R"-("axis": "x")-"},
    {"argmax", R"-("axis": "3")-"},
    {"norm", R"-("ord": "7")-"},
    {"one_hot", R"-("depth": "-5")-"},
    {"Cast", R"-("dtype": "float31")-"},
    {"clip", R"-("a_min": "low", "a_max": "1")-"},
    {"_mul_scalar", R"-("scalar": "one")-"},
    {"softmax", R"-("axis": "17")-"},
    {"depth_to_space", R"-("block_size": "0")-"},
    {"LeakyReLU", R"-("act_type": "prelu")-"},
    {"BatchNorm", R"-("eps": "0.1")-"},
    {"RNN", R"-("mode": "lstm", "state_size": "5")-"},
    {"_arange", R"-("start": "1")-"},
};

Status ReadMxnet(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<std::uint8_t> all((std::istreambuf_iterator<char>(file)),
                                      std::istreambuf_iterator<char>());
  const mxnet::Unpacked files = mxnet::Unpack(all);
  const auto write = [](const std::string& name, std::span<const std::uint8_t> bytes) {
    std::ofstream(name, std::ios::binary) << std::string(bytes.begin(), bytes.end());
  };
  write(path + "-symbol.json", files.symbol);
  write(path + "-0000.params", files.parameters);
  Result<Graph> graph = LoadModel(path + "-symbol.json", {.format = "mxnet"});
  return std::move(graph).status();
}

std::string WithPart(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  ATH_CHECK(at != std::string::npos, "every mistake names a part of the symbol");
  return text.replace(at, from.size(), to);
}

// Some bytes of a file of parameters overwritten.
std::string Patched(std::string file, std::size_t at, std::string_view bytes) {
  return file.replace(at, bytes.size(), bytes);
}

void AddParameterFiles(Family& family) {
  const std::string symbol = mxnet::SmallSymbol(), good = mxnet::SmallParameters();
  // 24 bytes of head; then version, storage, rank, sizes, device, type.
  constexpr std::size_t kFirst = 24;
  const std::string many(8, '\x7F'), minus(4, '\xFF');
  const std::pair<const char*, std::string> files[] = {
      {"parameters_none", ""},
      {"parameters_short", good.substr(0, good.size() - 1)},
      {"parameters_long", good + "12345678"},
      {"parameters_magic", Patched(good, 0, "\x13")},
      {"parameters_reserved", Patched(good, 8, "\x01")},
      {"parameters_count", Patched(good, 16, many)},
      {"parameters_fewer", Patched(good, 16, "\x01")},
      {"parameters_sparse", Patched(good, kFirst + 4, "\x01")},
      {"parameters_rank", Patched(good, kFirst + 8, minus)},
      {"parameters_no_axes", Patched(good, kFirst + 8, std::string(4, '\0'))},
      {"parameters_size", Patched(good, kFirst + 12, many)},
      {"parameters_size_negative", Patched(good, kFirst + 12, std::string(8, '\xFF'))},
      {"parameters_type", Patched(good, kFirst + 36, "\x63")},
      {"parameters_name_twice", mxnet::ParameterFile({{"arg:a", {1}, {1}}, {"aux:a", {1}, {1}}})},
      {"parameters_of_others", mxnet::ParameterFile({{"arg:other", {1}, {1}}})},
      {"parameters_shape", mxnet::ParameterFile({{"fc_weight", {2, 3, 1}, {1, 2, 3, 4, 5, 6}},
                                                 {"fc_bias", {2}, {1, 2}}})},
  };
  for (const auto& [name, file] : files) family.bad.push_back({name, Packed(symbol, file), true});
}

}  // namespace

Family MxnetFamily() {
  Family family = {"mxnet", {}, {}, ReadMxnet};
  const std::string symbol = mxnet::SmallSymbol(), parameters = mxnet::SmallParameters();
  family.good.push_back({"network", Packed(symbol, parameters)});
  for (File& bad : Damage(family.good[0])) family.bad.push_back(std::move(bad));
  for (const MxnetMistake& mistake : kMxnetMistakes)
    family.bad.push_back(
        {mistake.name, Packed(WithPart(symbol, mistake.from, mistake.to), parameters), true});
  for (const MxnetLayer& layer : kMxnetLayers) {
    const std::string made = WithPart(WithPart(symbol, "\"act_type\": \"relu\"", layer.attributes),
                                      "Activation", layer.op);
    family.bad.push_back(
        {fmt::format("{}_{}", layer.op, family.bad.size()), Packed(made, parameters), true});
  }
  family.bad.push_back({"empty", Packed("", ""), true});
  family.bad.push_back({"deep", Packed(std::string(5000, '['), parameters), true});
  AddParameterFiles(family);
  return family;
}

}  // namespace athanor::broken
