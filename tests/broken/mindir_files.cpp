// Networks of MindSpore with one thing wrong each.
#include "corpus.h"
#include "frontends/load.h"
#include "frontends/mindir/files_for_test.h"

namespace athanor::broken {
namespace {

using mindir::ModelProto;

struct MindirMistake {
  const char* name;
  void (*make)(ModelProto& m);
};

constexpr MindirMistake kMindirMistakes[] = {
    {"no_nodes", [](ModelProto& m) { m.graph.node.clear(); }},
    {"no_inputs", [](ModelProto& m) { m.graph.input.clear(); }},
    {"no_outputs", [](ModelProto& m) { m.graph.output.clear(); }},
    {"no_parameters", [](ModelProto& m) { m.graph.parameter.clear(); }},
    {"no_primitives", [](ModelProto& m) { m.primitives.clear(); }},
    {"output_unknown", [](ModelProto& m) { m.graph.output[0].name = "nowhere"; }},
    {"input_twice", [](ModelProto& m) { m.graph.input.push_back(m.graph.input[0]); }},
    {"input_no_tensor", [](ModelProto& m) { m.graph.input[0].tensor.clear(); }},
    {"input_type", [](ModelProto& m) { m.graph.input[0].tensor[0].data_type = 99; }},
    {"input_huge",
     [](ModelProto& m) {
       m.graph.input[0].tensor[0].dims = {INT64_MAX, 3};
     }},
    {"parameter_twice", [](ModelProto& m) { m.graph.parameter[1].name = "net:w"; }},
    {"parameter_type", [](ModelProto& m) { m.graph.parameter[0].data_type = 8; }},
    {"parameter_size",
     [](ModelProto& m) {
       m.graph.parameter[0].dims = {INT64_MAX, INT64_MAX};
     }},
    {"parameter_negative",
     [](ModelProto& m) {
       m.graph.parameter[0].dims = {-2, -3};
     }},
    {"parameter_none", [](ModelProto& m) { m.graph.parameter[0].raw = {}; }},
    {"parameter_elsewhere",
     [](ModelProto& m) { m.graph.parameter[0].external = m.graph.parameter[1].raw; }},
    {"reads_itself", [](ModelProto& m) { m.graph.node[1].input = {"net:y"}; }},
    {"reads_later", [](ModelProto& m) { std::swap(m.graph.node[0], m.graph.node[1]); }},
    {"reads_nothing", [](ModelProto& m) { m.graph.node[1].input.clear(); }},
    {"gives_nothing", [](ModelProto& m) { m.graph.node[1].output.clear(); }},
    {"gives_two", [](ModelProto& m) { m.graph.node[1].output.push_back("net:z"); }},
    {"gives_an_input", [](ModelProto& m) { m.graph.node[1].output = {"net:x"}; }},
    {"unknown", [](ModelProto& m) { m.graph.node[1].op_type = "TrainStep"; }},
    {"function", [](ModelProto& m) { m.functions.emplace_back(); }},
    {"dense_of_one", [](ModelProto& m) { m.graph.node[0].input.resize(1); }},
    {"dense_mixed",
     [](ModelProto& m) { std::swap(m.graph.node[0].input[0], m.graph.node[0].input[2]); }},
    {"convolution_of_a_matrix",
     [](ModelProto& m) {
       m.graph.node[1].op_type = "Conv2D";
       m.graph.node[1].input = {"net:t", "net:w"};
     }},
    {"pool_of_a_matrix", [](ModelProto& m) { m.graph.node[1].op_type = "MaxPool"; }},
    {"part_of_no_tuple",
     [](ModelProto& m) {
       m.graph.node[1].op_type = "TupleGetItem";
       m.graph.node[1].input = {"net:t", "net:t"};
     }},
    {"join_of_no_tuple", [](ModelProto& m) { m.graph.node[1].op_type = "Concat"; }},
    {"stack_of_no_tuple", [](ModelProto& m) { m.graph.node[1].op_type = "Stack"; }},
    {"transpose_none", [](ModelProto& m) { m.graph.node[1].op_type = "Transpose"; }},
    {"cast_none", [](ModelProto& m) { m.graph.node[1].op_type = "Cast"; }},
    {"output_of_nothing", [](ModelProto& m) { m.graph.node[1].op_type = "UpdateState"; }},
    // Each tuple holds the one before twice.
    {"tuples_grow",
     [](ModelProto& m) {
       std::string last = "net:t";
       for (int i = 0; i < 40; ++i) {
         mindir::NodeProto node;
         node.op_type = "MakeTuple";
         node.input = {last, last};
         last = "tuple" + std::to_string(i);
         node.output = {last};
         m.graph.node.push_back(node);
       }
       m.graph.output[0].name = last;
     }},
};

Status ReadMindir(const std::string& path) {
  Result<Graph> graph = LoadModel(path, {.format = "mindir"});
  return std::move(graph).status();
}

}  // namespace

Family MindirFamily() {
  Family family = {"mindir", {}, {}, ReadMindir};
  family.good.push_back({"network", mindir::BytesOf(mindir::SmallModel())});
  for (File& bad : Damage(family.good[0])) family.bad.push_back(std::move(bad));
  for (const MindirMistake& mistake : kMindirMistakes) {
    ModelProto m = mindir::SmallModel();
    mistake.make(m);
    family.bad.push_back({mistake.name, mindir::BytesOf(m), true});
  }
  family.bad.push_back({"empty", {}, true});
  return family;
}

}  // namespace athanor::broken
