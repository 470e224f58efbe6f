#include <cstring>
#include <filesystem>
#include <limits>

#include "core/file.h"
#include "corpus.h"
#include "frontends/load.h"
#include "frontends/tensorflow/model_for_test.h"

namespace athanor::broken {
namespace {

using tensorflow::GraphDef;
using tensorflow::NodeDef;
using tensorflow::NodeMaker;
using tensorflow::SavedFiles;
using Bytes = std::vector<std::uint8_t>;

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

NodeDef& Find(GraphDef& graph, std::string_view name) {
  for (NodeDef& node : graph.node) {
    if (node.name == name) return node;
  }
  return graph.node[0];
}

tensorflow::TensorProto& Value(GraphDef& graph, std::string_view name) {
  return *Find(graph, name).attr[0].value->tensor;
}

// Something wrong with the meaning, not with the bytes.
struct Mistake {
  const char* name;
  void (*make)(GraphDef& graph);
};

constexpr Mistake kMistakes[] = {
    {"twice", [](GraphDef& g) { g.node.push_back(g.node[0]); }},
    {"undefined", [](GraphDef& g) { Find(g, "conv").input[1] = "nothing"; }},
    {"output_number", [](GraphDef& g) { Find(g, "conv").input[1] = "weights:99999999999"; }},
    {"output_1", [](GraphDef& g) { Find(g, "conv").input[1] = "weights:1"; }},
    {"own_output", [](GraphDef& g) { Find(g, "conv").input[0] = "conv"; }},
    {"no_inputs", [](GraphDef& g) { Find(g, "conv").input.clear(); }},
    {"one_input", [](GraphDef& g) { Find(g, "biased").input.pop_back(); }},
    {"unknown", [](GraphDef& g) { Find(g, "mean").op = "Means"; }},
    {"function_missing", [](GraphDef& g) { g.library.function.clear(); }},
    {"function_arguments", [](GraphDef& g) { Find(g, "call").input.push_back("mean"); }},
    {"function_result", [](GraphDef& g) { g.library.function[0].ret.clear(); }},
    {"function_result_name", [](GraphDef& g) { g.library.function[0].ret[0].value = "tanh"; }},
    {"function_input", [](GraphDef& g) { g.library.function[0].node[0].input[0] = "z"; }},
    {"function_of_itself", [](GraphDef& g) { g.library.function[0].node[0].op = "squash"; }},
    {"no_function", [](GraphDef& g) { Find(g, "call").attr.clear(); }},
    {"shape_huge",
     [](GraphDef& g) {
       Value(g, "weights").shape = tensorflow::ShapeOfSizes({kHuge, kHuge, 2, 3});
     }},
    {"shape_large",
     [](GraphDef& g) {
       Value(g, "weights").shape = tensorflow::ShapeOfSizes({1 << 20, 1 << 20, 2, 3});
     }},
    {"shape_negative",
     [](GraphDef& g) {
       Value(g, "weights").shape = tensorflow::ShapeOfSizes({-3, -3, 2, 3});
     }},
    {"shape_rank",
     [](GraphDef& g) {
       Value(g, "weights").shape = tensorflow::ShapeOfSizes(std::vector<std::int64_t>(500, 1));
     }},
    {"shape_unknown", [](GraphDef& g) { Value(g, "weights").shape.unknown_rank = true; }},
    {"weight_rank",
     [](GraphDef& g) {
       Value(g, "weights").shape = tensorflow::ShapeOfSizes({27, 2});
     }},
    {"weight_type", [](GraphDef& g) { Value(g, "weights").dtype = 20; }},
    {"values", [](GraphDef& g) { Value(g, "bias").float_val.resize(4); }},
    {"bias_size", [](GraphDef& g) { Value(g, "bias").shape = tensorflow::ShapeOfSizes({4}); }},
    {"axis",
     [](GraphDef& g) {
       Value(g, "axes").int_val = {1, 1 << 30};
     }},
    {"const_value", [](GraphDef& g) { Find(g, "bias").attr.clear(); }},
    {"strides_0",
     [](GraphDef& g) {
       Find(g, "conv").attr[0].value->list->i = {1, 0, 2, 1};
     }},
    {"strides_few",
     [](GraphDef& g) {
       Find(g, "conv").attr[0].value->list->i = {1, 2};
     }},
    {"strides_batch",
     [](GraphDef& g) {
       Find(g, "conv").attr[0].value->list->i = {2, 2, 2, 1};
     }},
    {"strides_huge",
     [](GraphDef& g) {
       Find(g, "conv").attr[0].value->list->i = {1, kHuge, kHuge, 1};
     }},
    {"padding", [](GraphDef& g) { Find(g, "conv").attr[1].value->s = "SOME"; }},
    {"layout", [](GraphDef& g) { NodeMaker::Set(Find(g, "conv"), "data_format").s = "NHCW"; }},
    {"input_type", [](GraphDef& g) { Find(g, "image").attr[0].value->type = 0; }},
    {"input_rank",
     [](GraphDef& g) { *Find(g, "image").attr[1].value->shape = tensorflow::ShapeOfSizes({4}); }},
    {"input_sizes",
     [](GraphDef& g) {
       *Find(g, "image").attr[1].value->shape = tensorflow::ShapeOfSizes({1, -7, 4, 2});
     }},
    {"input_huge",
     [](GraphDef& g) {
       *Find(g, "image").attr[1].value->shape = tensorflow::ShapeOfSizes({1, kHuge, kHuge, 2});
     }},
    {"nothing", [](GraphDef& g) { g.node.clear(); }},
    {"switch_alone", [](GraphDef& g) { Find(g, "call").op = "Switch"; }},
    {"merge_alone",
     [](GraphDef& g) {
       Find(g, "call").op = "Merge";
       Find(g, "call").input = {"mean", "mean"};
     }},
};

// A loop in pieces that do not fit.
constexpr Mistake kLoopMistakes[] = {
    {"loop_frame", [](GraphDef& g) { Find(g, "y/enter").attr[0].value->s = "other"; }},
    {"loop_no_condition", [](GraphDef& g) { Find(g, "go").input.clear(); }},
    {"loop_no_next", [](GraphDef& g) { Find(g, "y/merge").input[1] = "twice"; }},
    {"loop_no_merge", [](GraphDef& g) { Find(g, "y/merge").op = "Identity"; }},
    {"loop_one_merge", [](GraphDef& g) { Find(g, "y/merge").input.pop_back(); }},
    {"loop_condition", [](GraphDef& g) { Find(g, "y/switch").input[1] = "less"; }},
    {"loop_through_exit", [](GraphDef& g) { Find(g, "twice").input[0] = "result"; }},
};

// The three files of a folder in one: their lengths, then the bytes.
Bytes Join(const SavedFiles& files) {
  Bytes bytes;
  for (const Bytes* part : {&files.graph, &files.index, &files.data}) {
    const auto size = static_cast<std::uint32_t>(part->size());
    const auto* raw = reinterpret_cast<const std::uint8_t*>(&size);
    bytes.insert(bytes.end(), raw, raw + sizeof(size));
    bytes.insert(bytes.end(), part->begin(), part->end());
  }
  return bytes;
}

Status ReadFolder(const std::string& path) {
  Result<std::string> joined = ReadTextFile(path);
  if (!joined.ok()) return std::move(joined).status();
  const std::string folder = path + ".folder";
  std::filesystem::create_directories(folder + "/variables");
  std::string_view rest = *joined;
  for (const char* name :
       {"saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"}) {
    std::uint32_t size = 0;
    std::memcpy(&size, rest.data(), std::min(rest.size(), sizeof(size)));
    rest.remove_prefix(std::min(rest.size(), sizeof(size)));
    const std::string_view part = rest.substr(0, size);
    rest.remove_prefix(part.size());
    ATH_RETURN_IF_ERROR(WriteFileAtomically(folder + "/" + name, part));
  }
  return LoadModel(folder, {.format = "tensorflow"}).status();
}

Status Read(const std::string& path) { return LoadModel(path, {.format = "tensorflow"}).status(); }

void AddDamage(Family& family) {
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  family.bad.push_back({"empty", {}, true});
}

}  // namespace

Family TensorflowFamily() {
  Family family = {"tensorflow", {}, {}, Read};
  GraphDef small = tensorflow::SmallGraph(), loop = tensorflow::LoopGraph();
  family.good.push_back({"small", protobuf::Serialize(small)});
  family.good.push_back({"loop", protobuf::Serialize(loop)});
  AddDamage(family);
  for (const Mistake& mistake : kMistakes) {
    GraphDef graph = tensorflow::SmallGraph();
    mistake.make(graph);
    family.bad.push_back({mistake.name, protobuf::Serialize(graph), true});
  }
  for (const Mistake& mistake : kLoopMistakes) {
    GraphDef graph = tensorflow::LoopGraph();
    mistake.make(graph);
    family.bad.push_back({mistake.name, protobuf::Serialize(graph), true});
  }
  return family;
}

Family SavedModelFamily() {
  Family family = {"savedmodel", {}, {}, ReadFolder, "tensorflow"};
  family.good.push_back({"small", Join(tensorflow::SmallSavedFiles())});
  AddDamage(family);
  return family;
}

}  // namespace athanor::broken
