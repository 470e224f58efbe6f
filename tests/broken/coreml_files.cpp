// Models of Core ML with one thing wrong each.
#include <limits>

#include "corpus.h"
#include "frontends/coreml/files_for_test.h"
#include "frontends/load.h"

namespace athanor::broken {
namespace {

using coreml::LayerOf;
using coreml::ModelMaker;
using coreml::Number;
using coreml::Numbers;
using coreml::Part;
using coreml::Weights;

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLargestInt = std::numeric_limits<std::int32_t>::max();

struct CoremlMistake {
  const char* name;
  void (*make)(ModelMaker& m);
};

std::string Relu(const std::vector<std::string>& in, const std::vector<std::string>& out) {
  return LayerOf("act", in, out, 130, Part(10, ""));
}

const CoremlMistake kCoremlMistakes[] = {
    {"no_inputs", [](ModelMaker& m) { m.inputs.clear(); }},
    {"no_outputs", [](ModelMaker& m) { m.outputs.clear(); }},
    {"no_layers", [](ModelMaker& m) { m.layers.clear(); }},
    {"no_kind", [](ModelMaker& m) { m.kind = 199; }},
    {"kind_unknown", [](ModelMaker& m) { m.kind = 999; }},
    {"kind_program", [](ModelMaker& m) { m.kind = 502; }},
    {"input_twice", [](ModelMaker& m) { m.inputs.push_back(m.inputs[0]); }},
    {"output_twice", [](ModelMaker& m) { m.outputs.push_back(m.outputs[0]); }},
    {"input_of_no_type", [](ModelMaker& m) { m.inputs = {Part(1, "x")}; }},
    {"input_of_texts", [](ModelMaker& m) { m.inputs = {Part(1, "x") + Part(3, Part(3, ""))}; }},
    {"input_type",
     [](ModelMaker& m) {
       m.inputs = {coreml::FeatureOf("x", {1, 3}, 7)};
     }},
    {"input_size",
     [](ModelMaker& m) {
       m.inputs = {coreml::FeatureOf("x", {0, 3})};
     }},
    {"input_huge",
     [](ModelMaker& m) {
       m.inputs = {coreml::FeatureOf("x", {kLargest, 3})};
     }},
    {"input_axes",
     [](ModelMaker& m) { m.inputs = {coreml::FeatureOf("x", std::vector<std::int64_t>(500, 1))}; }},
    {"input_old_axes", [](ModelMaker& m) { m.array_mapping = 0; }},
    {"input_ranges",
     [](ModelMaker& m) {
       const std::string array = Numbers(1, {1, 3}) + Number(2, coreml::kFloat32) +
                                 Part(31, Part(1, Number(1, 1) + Number(2, 7)));
       m.inputs = {Part(1, "x") + Part(3, Part(5, array))};
     }},
    {"picture_colours",
     [](ModelMaker& m) {
       const std::string image = Number(1, 8) + Number(2, 8) + Number(3, 77);
       m.inputs = {Part(1, "x") + Part(3, Part(4, image))};
     }},
    {"picture_size",
     [](ModelMaker& m) {
       const std::string image = Number(1, -8) + Number(2, 8) + Number(3, 20);
       m.inputs = {Part(1, "x") + Part(3, Part(4, image))};
     }},
    {"picture_mean",
     [](ModelMaker& m) {
       const std::string image = Number(1, 8) + Number(2, 8) + Number(3, 20);
       m.inputs = {Part(1, "x") + Part(3, Part(4, image))};
       m.more = Part(2, Part(1, "x") + Part(11, Part(1, "12345678")));
     }},
    {"reads_itself", [](ModelMaker& m) { m.layers[1] = Relu({"y"}, {"y"}); }},
    {"reads_later", [](ModelMaker& m) { std::swap(m.layers[0], m.layers[1]); }},
    {"reads_nothing", [](ModelMaker& m) { m.layers[1] = Relu({}, {"y"}); }},
    {"reads_two",
     [](ModelMaker& m) {
       m.layers[1] = Relu({"t", "t"}, {"y"});
     }},
    {"gives_nothing", [](ModelMaker& m) { m.layers[1] = Relu({"t"}, {}); }},
    {"gives_two",
     [](ModelMaker& m) {
       m.layers[1] = Relu({"t"}, {"y", "z"});
     }},
    {"layer_no_kind", [](ModelMaker& m) { m.layers[1] = Part(1, "act"); }},
    {"layer_no_message", [](ModelMaker& m) { m.layers[1] = "\x0A\x7F"; }},
    {"weights_none",
     [](ModelMaker& m) {
       m.layers[0] = LayerOf("p", {"x"}, {"t"}, 140, Number(1, 3) + Number(2, 2));
     }},
    {"weights_fewer",
     [](ModelMaker& m) {
       m.layers[0] =
           LayerOf("p", {"x"}, {"t"}, 140, Number(1, 3) + Number(2, 2) + Weights(20, {1, 2, 3}));
     }},
    {"weights_size",
     [](ModelMaker& m) {
       m.layers[0] = LayerOf("p", {"x"}, {"t"}, 140,
                             Number(1, kLargest) + Number(2, 2) + Weights(20, {1, 2}));
     }},
    {"weights_overflow",
     [](ModelMaker& m) {
       const std::int64_t many = std::int64_t{1} << 31;
       m.layers[0] =
           LayerOf("p", {"x"}, {"t"}, 140, Number(1, many) + Number(2, many) + Weights(20, {1, 2}));
     }},
    {"weights_of_9_bits",
     [](ModelMaker& m) {
       m.layers[0] =
           LayerOf("p", {"x"}, {"t"}, 140,
                   Number(1, 3) + Number(2, 2) + coreml::LinearWeights(20, "1234567", 9, {1}, {0}));
     }},
    {"weights_of_few_bytes",
     [](ModelMaker& m) {
       m.layers[0] =
           LayerOf("p", {"x"}, {"t"}, 140,
                   Number(1, 3) + Number(2, 2) + coreml::LinearWeights(20, "12", 8, {1}, {0}));
     }},
    {"weights_scales",
     [](ModelMaker& m) {
       m.layers[0] = LayerOf(
           "p", {"x"}, {"t"}, 140,
           Number(1, 3) + Number(2, 2) + coreml::LinearWeights(20, "123456", 8, {1, 2, 3}, {0}));
     }},
    {"weights_table",
     [](ModelMaker& m) {
       const std::string table =
           Part(30, "123456") + Part(40, Number(1, 8) + Part(102, Part(1, "1234")));
       m.layers[0] = LayerOf("p", {"x"}, {"t"}, 140, Number(1, 3) + Number(2, 2) + Part(20, table));
     }},
    {"weights_signed",
     [](ModelMaker& m) {
       m.layers[0] = LayerOf("p", {"x"}, {"t"}, 140,
                             Number(1, 3) + Number(2, 2) + Part(20, Part(31, "123456")));
     }},
    {"classes_none",
     [](ModelMaker& m) {
       m.kind = 403;
       m.more = Part(100, "");
     }},
    {"classes_of_nothing",
     [](ModelMaker& m) {
       m.kind = 403;
       m.more = Part(101, Numbers(1, {1, 2})) + Part(200, "nowhere");
     }},
    {"classes_more",
     [](ModelMaker& m) {
       m.kind = 403;
       m.more = Part(101, Numbers(1, {1, 2, 3, 4, 5}));
       m.names = Part(11, "class") + Part(12, "y");
     }},
};

// Layers in place of the activation: the number of the kind, parameters.
struct CoremlLayer {
  const char* name;
  int kind;
  std::string parameters;
  std::size_t inputs = 1;
};

// With weights or windows.
std::vector<CoremlLayer> BrokenWeightLayers() {
  return {
      {"convolution_of_a_matrix", 100, Number(1, 1) + Number(2, 1) + Weights(90, {1})},
      {"convolution_groups", 100, Number(1, 3) + Number(2, 1) + Number(10, 2)},
      {"convolution_kernel", 100,
       Number(1, 1) + Number(2, 1) + Numbers(20, {1, 1, 1}) + Weights(90, {1})},
      {"convolution_stride", 100,
       Number(1, 1) + Number(2, 1) + Numbers(20, {1, 1}) + Numbers(30, {0, 1}) + Weights(90, {1})},
      {"pooling_kind", 120, Number(1, 9)},
      {"pooling_of_a_matrix", 120, Number(60, 1)},
      {"embedding_of_a_matrix", 150, Number(1, 1) + Number(2, 1) + Weights(20, {1})},
      {"batchnorm_batch", 160, Number(1, 2) + Number(5, 1)},
      {"batchnorm_no_gamma", 160, Number(1, 2)},
      {"padding_edges", 200, Part(10, Part(10, Number(1, 1)))},
      {"padding_negative", 200, Part(10, Part(10, Number(1, -1)) + Part(10, ""))},
      {"upsample_factor", 210, Numbers(1, {0, -5})},
      {"upsample_mode", 210, Number(5, 7)},
      {"resize_mode", 211, Numbers(1, {4, 4}) + Part(2, Number(1, 3))},
      {"scale_axes", 245, Numbers(1, {1, 1}) + Weights(2, {1})},
      {"lstm_of_a_matrix", 420, Number(1, 1) + Number(2, 1)},
      {"lstm_two_directions", 430, Number(1, 1) + Number(2, 1) + Part(20, "")},
      {"gru_no_weights", 410, Number(1, 1) + Number(2, 1)},
      {"windows_large", 1005, Number(1, 1) + Number(2, 50) + Number(3, 1)},
      {"windows_step", 1005, Number(1, 1) + Number(2, 1)},
      {"matmul_matrix", 1045, Number(5, 2) + Number(6, 2) + Weights(8, {1})},
      {"layer_norm_shape", 1350, Numbers(1, {5}) + Weights(3, {1}) + Weights(4, {1})},
  };
}

// Those that move elements.
std::vector<CoremlLayer> BrokenShapeLayers() {
  return {
      {"reshape_axes", 300, Numbers(1, {1, 2})},
      {"permute_of_a_matrix", 310, Numbers(1, {3, 2, 1, 0})},
      {"split_one", 330, Number(1, 7)},
      {"reorganize_block", 345, Number(2, 0)},
      {"slice_axis", 350, Number(3, 1) + Number(4, 5)},
      {"tile_reps", 920, Numbers(1, {1})},
      {"stack_axis", 925, Number(1, 9)},
      {"reverse_flags", 960, Numbers(1, {1})},
      {"split_nd_sizes", 975, Number(1, 0) + Numbers(3, {7, 8})},
      {"concat_interleave", 980, Number(2, 1)},
      {"transpose_axes", 985, Numbers(1, {0, 0})},
      {"transpose_few", 985, Numbers(1, {0})},
      {"slice_lists", 995, Numbers(1, {0}) + Numbers(3, {1})},
      {"slice_stride", 995, Numbers(1, {0, 0}) + Numbers(3, {1, 1}) + Numbers(5, {0, 1})},
      {"broadcast_less", 1105, Numbers(1, {1, 3})},
      {"squeeze_axis", 1120, Numbers(1, {1})},
      {"expand_axes", 1125, Numbers(1, {0, 0})},
      {"flatten_axis", 1130, Number(1, 3)},
      {"reshape_size", 1140, Numbers(1, {7})},
      {"reshape_two_open", 1140, Numbers(1, {-1, -1})},
      {"pad_amounts", 1155, Numbers(2, {1, 1})},
  };
}

// Values, positions and control.
std::vector<CoremlLayer> BrokenValueLayers() {
  return {
      {"unary_kind", 220, Number(1, 99)},
      {"reduce_mode", 280, Number(1, 10)},
      {"reduce_axes", 280, Number(1, 0) + Number(3, 0)},
      {"constant_with_input", 290, ""},
      {"branch", 605, ""},
      {"loop", 615, ""},
      {"range_with_input", 635, ""},
      {"gelu_mode", 795, Number(1, 3)},
      {"scatter_mode", 945, Number(1, 77), 3},
      {"scatter_axis", 935, Number(1, 1), 3},
      {"softmax_axis", 950, Number(1, kLargest)},
      {"topk_many", 1015, Number(1, 1) + Number(2, 50)},
      {"topk_none", 1015, Number(1, 1)},
      {"argmax_axis", 1025, Number(1, 2)},
      {"constant_huge", 1070, Numbers(1, {kLargest, kLargest})},
      {"fill_huge", 1085, Numbers(2, {1 << 30, 1 << 30, 1 << 30}), 0},
      {"one_hot_size", 1450, Number(1, 0)},
      {"cumsum_axis", 1455, Number(1, 8)},
  };
}

Status ReadCoreml(const std::string& path) {
  Result<Graph> graph = LoadModel(path, {.format = "coreml"});
  return std::move(graph).status();
}

std::vector<std::uint8_t> BytesOf(const std::string& text) { return {text.begin(), text.end()}; }

// An operation of a program in place of the last: its type, what its parameters are, and constants
// zero and c (integers, which are i32: kLargest does not fit and would be -1) and f (floats).
struct BrokenOperation {
  const char* name;
  const char* type;
  std::vector<std::pair<std::string, std::string>> inputs;
  std::vector<std::int64_t> c;
};

std::vector<BrokenOperation> BrokenOperations() {
  return {
      {"transpose_far", "transpose", {{"x", "t"}, {"perm", "c"}}, {7, -9}},
      {"reshape_large", "reshape", {{"x", "t"}, {"shape", "c"}}, {kLargest, kLargest}},
      {"reshape_huge", "reshape", {{"x", "t"}, {"shape", "c"}}, {kLargestInt, kLargestInt}},
      {"reshape_wrong", "reshape", {{"x", "t"}, {"shape", "c"}}, {3}},
      {"squeeze_far", "squeeze", {{"x", "t"}, {"axes", "c"}}, {kLargest}},
      {"expand_far", "expand_dims", {{"x", "t"}, {"axes", "c"}}, {-kLargest}},
      {"squeeze_behind", "squeeze", {{"x", "t"}, {"axes", "c"}}, {kLargestInt}},
      {"expand_behind", "expand_dims", {{"x", "t"}, {"axes", "c"}}, {-kLargestInt}},
      {"reduce_far", "reduce_sum", {{"x", "t"}, {"axes", "c"}}, {2}},
      {"softmax_far", "softmax", {{"x", "t"}, {"axis", "c"}}, {2}},
      {"softmax_two", "softmax", {{"x", "t"}, {"axis", "c"}}, {0, 1}},
      {"split_many", "split", {{"x", "t"}, {"axis", "zero"}, {"num_splits", "c"}}, {kLargest}},
      {"split_wrong", "split", {{"x", "t"}, {"axis", "zero"}, {"split_sizes", "c"}}, {2}},
      {"split_more", "split", {{"x", "t"}, {"axis", "zero"}, {"num_splits", "c"}}, {kLargestInt}},
      {"stack_far", "stack", {{"values", "t"}, {"axis", "c"}}, {9}},
      {"concat_far", "concat", {{"values", "t"}, {"axis", "c"}}, {9}},
      {"tile_large", "tile", {{"x", "t"}, {"reps", "c"}}, {kLargest, kLargest}},
      {"slice_few", "slice_by_index", {{"x", "t"}, {"begin", "c"}, {"end", "c"}}, {0}},
      {"slice_no_end", "slice_by_index", {{"x", "t"}, {"begin", "c"}}, {0, 0}},
      {"slice_still",
       "slice_by_index",
       {{"x", "t"}, {"begin", "c"}, {"end", "c"}, {"stride", "c"}},
       {0, 0}},
      {"elu_no_alpha", "elu", {{"x", "t"}}, {1}},
      {"clip_no_limits", "clip", {{"x", "t"}}, {1}},
      {"transpose_nothing", "transpose", {{"x", "t"}}, {1}},
      {"pad_odd", "pad", {{"x", "t"}, {"pad", "c"}}, {1}},
      {"pad_many", "pad", {{"x", "t"}, {"pad", "c"}}, {1, 1, 1, 1, 1, 1}},
      {"pad_large", "pad", {{"x", "t"}, {"pad", "c"}}, {kLargest, kLargest}},
      {"pad_negative", "pad", {{"x", "t"}, {"pad", "c"}}, {-1, -1}},
      {"pool_matrix", "max_pool", {{"x", "t"}, {"kernel_sizes", "c"}}, {1}},
      {"conv_matrix", "conv", {{"x", "t"}, {"weight", "w"}}, {1}},
      {"linear_few", "linear", {{"x", "t"}, {"weight", "w"}}, {1}},
      {"norm_nothing", "batch_norm", {{"x", "t"}}, {1}},
      {"layer_norm_far", "layer_norm", {{"x", "t"}, {"axes", "c"}}, {5}},
      {"prelu_slopes", "prelu", {{"x", "t"}, {"alpha", "w"}}, {1}},
      {"cast_nothing", "cast", {{"x", "t"}}, {1}},
      {"gather_far", "gather", {{"x", "t"}, {"indices", "c"}, {"axis", "c"}}, {4}},
      {"truth_of_reals", "logical_and", {{"x", "t"}, {"y", "t"}}, {1}},
      {"constant_huge", "relu", {{"x", "t"}}, {}},
  };
}

// Pipelines in each other, deeper than any real one.
std::string NestedPipelines(int depth) {
  std::string model = coreml::SmallModel().Bytes();
  const std::string description =
      Part(1, coreml::FeatureOf("x", {1, 3})) + Part(10, coreml::FeatureOf("y", {1, 2}));
  for (int i = 0; i < depth; ++i)
    model = Number(1, 4) + Part(2, description) + Part(202, Part(1, model));
  return model;
}

// A program of so many inputs that searching the list for each of them takes minutes; in the
// opposite order of the description, and the last operation reads what nothing makes.
std::string ManyInputs() {
  constexpr int kInputs = 40000;
  std::string description, inputs;
  for (int i = 0; i < kInputs; ++i) {
    description += Part(1, Part(1, fmt::format("an_input_{}", i)));
    inputs += Part(1, Part(1, fmt::format("an_input_{}", kInputs - 1 - i)) +
                          Part(2, coreml::MilType(coreml::kMilFloat32, {1})));
  }
  const std::string block =
      Part(2, "y") + Part(3, coreml::MilOperation("relu", {{"x", "nothing"}}, "y"));
  const std::string body =
      inputs + Part(2, "CoreML5") + Part(3, Part(1, "CoreML5") + Part(2, block));
  const std::string program = Number(1, 1) + Part(2, Part(1, "main") + Part(2, body));
  return Number(1, 6) + Part(2, description + Part(10, Part(1, "y"))) + Part(502, program);
}

// So many bodies beside so many texts and values that a copy of all of them for each body takes
// minutes; the last operation reads what nothing makes.
std::string ManyBodies() {
  constexpr int kBodies = 5000;
  const std::string x = coreml::MilType(coreml::kMilFloat32, {1, 3});
  const std::string body = coreml::MilBlock({}, {}, {"x"});
  const std::string loop = Part(1, "while_loop") +
                           Part(2, Part(1, "loop_vars") + Part(2, Part(1, Part(1, "x")))) +
                           coreml::MilBlock({coreml::MilNamed("v", x)}, {}, {"p"}) +
                           coreml::MilBlock({coreml::MilNamed("w", x)}, {}, {"w"});
  coreml::ProgramMaker m;
  m.operations = {
      coreml::MilConstant("p", coreml::MilBytes(coreml::kMilBool, {}, std::string(1, '\1')))};
  for (int i = 0; i < 2 * kBodies; ++i)
    m.operations.push_back(coreml::MilConstant(fmt::format("text_{}", i), coreml::MilText("a")));
  for (int i = 0; i < kBodies; ++i) {
    m.operations.push_back(
        coreml::MilOperation("cond", {{"pred", "p"}}, fmt::format("branch_{}", i)) + body + body);
    m.operations.push_back(loop + Part(3, Part(1, fmt::format("loop_{}", i))));
  }
  m.operations.push_back(coreml::MilOperation("relu", {{"x", "nothing"}}, "y"));
  return m.Bytes();
}

}  // namespace

Family CoremlFamily() {
  Family family = {"coreml", {}, {}, ReadCoreml};
  family.good.push_back({"network", BytesOf(coreml::SmallModel().Bytes())});
  family.good.push_back({"pipeline", BytesOf(NestedPipelines(2))});
  for (File& bad : Damage(family.good[0])) family.bad.push_back(std::move(bad));
  for (const CoremlMistake& mistake : kCoremlMistakes) {
    ModelMaker m = coreml::SmallModel();
    mistake.make(m);
    family.bad.push_back({mistake.name, BytesOf(m.Bytes()), true});
  }
  for (const auto& layers : {BrokenWeightLayers(), BrokenShapeLayers(), BrokenValueLayers()}) {
    for (const CoremlLayer& layer : layers) {
      ModelMaker m = coreml::SmallModel();
      m.layers[1] = LayerOf("act", std::vector<std::string>(layer.inputs, "t"), {"y"}, layer.kind,
                            layer.parameters);
      family.bad.push_back({layer.name, BytesOf(m.Bytes()), true});
    }
  }
  family.good.push_back({"program", BytesOf(coreml::SmallProgram().Bytes())});
  for (File& bad : Damage(family.good.back())) family.bad.push_back(std::move(bad));
  for (const BrokenOperation& operation : BrokenOperations()) {
    coreml::ProgramMaker m = coreml::SmallProgram();
    const std::vector<std::int64_t> huge(4, kLargest);
    m.operations[3] = coreml::MilConstant(
        "c", operation.c.empty() ? coreml::MilFloats(huge, {}) : coreml::MilInts(operation.c));
    m.operations.push_back(coreml::MilConstant("zero", coreml::MilInts({0})));
    m.operations.push_back(coreml::MilOperation(operation.type, operation.inputs, "y"));
    family.bad.push_back({fmt::format("program_{}", operation.name), BytesOf(m.Bytes()), true});
  }
  family.bad.push_back({"program_inputs_many", BytesOf(ManyInputs()), true});
  family.bad.push_back({"program_bodies_many", BytesOf(ManyBodies()), true});
  family.bad.push_back({"empty", {}, true});
  family.bad.push_back({"pipelines_deep", BytesOf(NestedPipelines(100)), true});
  return family;
}

}  // namespace athanor::broken
