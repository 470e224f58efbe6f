#include "corpus.h"
#include "frontends/load.h"
#include "frontends/onnx/export.h"
#include "frontends/onnx/schema.h"

namespace athanor::broken {
namespace {

using onnx::ModelProto;
using onnx::NodeProto;

ModelProto Parse(const File& file) {
  Result<ModelProto> model = protobuf::Parse<ModelProto>(file.bytes, "model");
  ATH_CHECK(model.ok(), "the exporter has just written it");
  return *std::move(model);
}

// Something wrong with the meaning, not with the bytes.
struct Mistake {
  const char* name;
  void (*make)(ModelProto& model);
};

onnx::TensorProto& Weight(ModelProto& model) { return model.graph->initializer[0]; }

void MakeExternal(ModelProto& model, std::string location, std::string offset = "0") {
  Weight(model).raw_data.reset();
  Weight(model).data_location = 1;
  Weight(model).external_data = {{"location", std::move(location)}, {"offset", std::move(offset)}};
}

constexpr Mistake kMistakes[] = {
    {"no_graph", [](ModelProto& m) { m.graph.reset(); }},
    {"no_ir_version", [](ModelProto& m) { m.ir_version = 0; }},
    {"negative_ir_version", [](ModelProto& m) { m.ir_version = -1; }},
    {"no_opset", [](ModelProto& m) { m.opset_import.clear(); }},
    {"opset_0", [](ModelProto& m) { m.opset_import[0].version = 0; }},
    {"opset_min", [](ModelProto& m) { m.opset_import[0].version = INT64_MIN; }},
    {"unknown_operator", [](ModelProto& m) { m.graph->node[0].op_type = "Adds"; }},
    {"empty_operator", [](ModelProto& m) { m.graph->node[0].op_type.clear(); }},
    {"unknown_domain", [](ModelProto& m) { m.graph->node[0].domain = "com.nobody"; }},
    {"unknown_input", [](ModelProto& m) { m.graph->node[0].input[0] = "nowhere"; }},
    {"no_inputs", [](ModelProto& m) { m.graph->node[0].input.clear(); }},
    {"too_many_inputs", [](ModelProto& m) { m.graph->node[0].input.resize(4000, "x"); }},
    {"too_many_outputs", [](ModelProto& m) { m.graph->node[0].output.resize(100, "many"); }},
    {"own_output", [](ModelProto& m) { m.graph->node[0].input[0] = m.graph->node[0].output[0]; }},
    {"defined_twice", [](ModelProto& m) { m.graph->node.push_back(m.graph->node[0]); }},
    {"unknown_output", [](ModelProto& m) { m.graph->output[0].name = "nowhere"; }},
    {"unknown_attribute",
     [](ModelProto& m) { m.graph->node[0].attribute.emplace_back().name = "colour"; }},
    {"dangling_reference",
     [](ModelProto& m) { m.graph->node[0].attribute.emplace_back().ref_attr_name = "alpha"; }},
    {"missing_initializer", [](ModelProto& m) { m.graph->initializer.clear(); }},
    {"initializer_twice",
     [](ModelProto& m) { m.graph->initializer.push_back(m.graph->initializer[0]); }},
    {"type_99", [](ModelProto& m) { Weight(m).data_type = 99; }},
    {"type_negative", [](ModelProto& m) { Weight(m).data_type = -7; }},
    {"type_string", [](ModelProto& m) { Weight(m).data_type = 8; }},
    {"type_other_size", [](ModelProto& m) { Weight(m).data_type = 11; }},
    {"dims_huge",
     [](ModelProto& m) {
       Weight(m).dims = {std::int64_t{1} << 31, std::int64_t{1} << 31};
     }},
    {"dims_overflow",
     [](ModelProto& m) {
       Weight(m).dims = {INT64_MAX, INT64_MAX, 3};
     }},
    {"dims_negative",
     [](ModelProto& m) {
       Weight(m).dims = {-2, -2};
     }},
    {"dims_without_data",
     [](ModelProto& m) {
       Weight(m).dims = {1'000'000'000};
       Weight(m).raw_data.reset();
     }},
    {"dims_packed_without_data",
     [](ModelProto& m) {
       Weight(m).dims = {4'000'000'000};
       Weight(m).data_type = 22;
     }},
    {"external_absolute", [](ModelProto& m) { MakeExternal(m, "/etc/passwd"); }},
    {"external_outside", [](ModelProto& m) { MakeExternal(m, "../../../../etc/passwd"); }},
    {"external_hidden", [](ModelProto& m) { MakeExternal(m, "a/b/../../../outside"); }},
    {"external_missing", [](ModelProto& m) { MakeExternal(m, "not_there.bin"); }},
    {"external_folder", [](ModelProto& m) { MakeExternal(m, "."); }},
    {"external_unnamed", [](ModelProto& m) { MakeExternal(m, ""); }},
    {"sparse_huge",
     [](ModelProto& m) {
       onnx::SparseTensorProto& sparse = m.graph->sparse_initializer.emplace_back();
       sparse.values.name = "sparse";
       sparse.values.data_type = 1;
       sparse.indices.data_type = 7;
       sparse.dims = {std::int64_t{1} << 40};
     }},
    {"function_calls_itself",
     [](ModelProto& m) {
       onnx::FunctionProto& function = m.functions.emplace_back();
       function.name = m.graph->node[0].op_type;
       function.node.push_back(m.graph->node[0]);
     }},
};

// May be read, or refused; never more.
constexpr Mistake kOddities[] = {
    {"ir_version_max", [](ModelProto& m) { m.ir_version = INT64_MAX; }},
    {"opset_max", [](ModelProto& m) { m.opset_import[0].version = INT64_MAX; }},
    {"input_huge",
     [](ModelProto& m) {
       for (onnx::DimProto& dim : m.graph->input[0].type->tensor->shape->dim)
         dim.value = std::int64_t{1} << 40;
     }},
    {"input_negative",
     [](ModelProto& m) {
       for (onnx::DimProto& dim : m.graph->input[0].type->tensor->shape->dim) dim.value = -5;
     }},
    {"input_rank_5000",
     [](ModelProto& m) { m.graph->input[0].type->tensor->shape->dim.resize(5000); }},
    {"symbol_long",
     [](ModelProto& m) {
       m.graph->input[0].type->tensor->shape->dim[0] = {.value = {},
                                                        .symbol = std::string(100'000, 'N')};
     }},
    {"symbol_expression",
     [](ModelProto& m) {
       m.graph->input[0].type->tensor->shape->dim[0] = {.value = {},
                                                        .symbol = std::string(10'000, '(')};
     }},
    {"many_nodes",
     [](ModelProto& m) {
       NodeProto node = m.graph->node[0];
       for (int i = 0; i < 5000; ++i) {
         node.output[0] = "n" + std::to_string(i);
         m.graph->node.push_back(node);
       }
     }},
    {"names_empty",
     [](ModelProto& m) {
       m.graph->name.clear();
       m.graph->node[0].name.clear();
     }},
};

Status Read(const std::string& path) {
  Result<Graph> graph = LoadModel(path, {.format = "onnx"});
  return std::move(graph).status();
}

}  // namespace

Family OnnxFamily() {
  Family family = {"onnx", {}, {}, Read};
  for (const Graph& graph : GoodGraphs()) {
    Result<std::vector<std::uint8_t>> bytes = onnx::ExportOnnx(graph, {.opset = 17});
    ATH_CHECK(bytes.ok(), "the graphs are good in operator set 17");
    family.good.push_back({graph.name(), *std::move(bytes)});
  }
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  const File& first = family.good[0];
  const auto add = [&](const Mistake& mistake, bool must_fail) {
    ModelProto model = Parse(first);
    mistake.make(model);
    family.bad.push_back({mistake.name, protobuf::Serialize(model), must_fail});
  };
  for (const Mistake& mistake : kMistakes) add(mistake, true);
  for (const Mistake& oddity : kOddities) add(oddity, false);
  family.bad.push_back({"empty", {}, true});
  return family;
}

}  // namespace athanor::broken
