#include <algorithm>

#include "corpus.h"
#include "frontends/load.h"
#include "frontends/mnn/model_for_test.h"

namespace athanor::broken {
namespace {

using mnn::NetMaker;
namespace schema = mnn::schema;

// Something wrong with the meaning, not with the bytes.
struct Mistake {
  const char* name;
  void (*make)(NetMaker& m);
};

schema::Convolution2DT& Layer(NetMaker& m) { return *m.net.ops[1]->main.AsConvolution2D(); }
schema::Convolution2DCommonT& Common(NetMaker& m) { return *Layer(m).common; }
schema::BlobT& Blob(NetMaker& m) { return *m.net.ops[3]->main.AsBlob(); }

schema::QuantizedWeightsT& Packed(NetMaker& m, std::int32_t type, std::vector<std::int8_t> buffer) {
  Layer(m).weight.clear();
  Layer(m).quantized = std::make_unique<schema::QuantizedWeightsT>();
  schema::QuantizedWeightsT& packed = *Layer(m).quantized;
  packed.type = type;
  packed.quant_scale = 1;
  packed.alpha = {1, 2};
  packed.buffer = std::move(buffer);
  return packed;
}

// A loop whose body is `body`, which runs itself when it is named so.
void AddLoop(NetMaker& m, const char* body) {
  const std::int32_t count = m.Ints("count", {}, {3});
  schema::WhileParamT loop;
  loop.body = body;
  m.Add(schema::OpType_While, {count, count, 0}, "loop", schema::Parameter_WhileParam, loop);
  NetMaker inside;
  const std::int32_t number = inside.Tensor("number"), goes_on = inside.Tensor("goes_on"),
                     state = inside.Tensor("state");
  inside.Add(schema::OpType_While, {number, goes_on, state}, "again", schema::Parameter_WhileParam,
             loop);
  auto subgraph = std::make_unique<schema::SubGraphT>();
  subgraph->name = "itself";
  subgraph->inputs = {number, goes_on, state};
  subgraph->outputs = {goes_on, 3};
  subgraph->tensors = inside.net.tensor_names;
  subgraph->nodes = std::move(inside.net.ops);
  m.net.subgraphs.push_back(std::move(subgraph));
}

// Sub-graphs in a row, each of which runs the next in both branches of several operators: a few
// operators in the file, 8^15 to read.
void AddTower(NetMaker& m) {
  constexpr int kFloors = 15, kEach = 4;
  const auto names = [](std::vector<std::string> texts) {
    auto list = std::make_unique<schema::StringVecT>();
    list->data = std::move(texts);
    return list;
  };
  const auto add = [&](NetMaker& net, int floor, std::int32_t input, const std::string& name) {
    schema::IfParamT both;
    both.then_graph = both.else_graph = fmt::format("floor{}", floor);
    both.inputs.push_back(names({"unused"}));
    both.inputs.push_back(names({"in"}));
    both.outputs.push_back(names({floor == kFloors ? "in" : "out0"}));
    return net.Add(schema::OpType_If, {input, input}, name, schema::Parameter_IfParam,
                   std::move(both));
  };
  for (int floor = 0; floor <= kFloors; ++floor) {
    NetMaker inside;
    const std::int32_t in = inside.Tensor("in");
    for (int i = 0; floor < kFloors && i < kEach; ++i)
      add(inside, floor + 1, in, fmt::format("out{}", i));
    auto subgraph = std::make_unique<schema::SubGraphT>();
    subgraph->name = fmt::format("floor{}", floor);
    subgraph->inputs = {in};
    subgraph->outputs = {floor == kFloors ? in : in + 1};
    subgraph->tensors = inside.net.tensor_names;
    subgraph->nodes = std::move(inside.net.ops);
    m.net.subgraphs.push_back(std::move(subgraph));
  }
  add(m, 0, m.Ints("truth", {}, {1}), "tower");
}

constexpr Mistake kMistakes[] = {
    {"no_operators", [](NetMaker& m) { m.net.ops.clear(); }},
    {"no_tensors", [](NetMaker& m) { m.net.tensor_names.clear(); }},
    {"no_inputs", [](NetMaker& m) { m.net.ops[1]->inputs.clear(); }},
    {"no_outputs", [](NetMaker& m) { m.net.ops[1]->outputs.clear(); }},
    {"unknown_operator",
     [](NetMaker& m) { m.net.ops[1]->type = static_cast<schema::OpType>(30000); }},
    {"negative_operator",
     [](NetMaker& m) { m.net.ops[1]->type = static_cast<schema::OpType>(-1); }},
    {"operator_not_read", [](NetMaker& m) { m.net.ops[1]->type = schema::OpType_QuantizedAdd; }},
    {"input_index", [](NetMaker& m) { m.net.ops[1]->inputs[0] = INT32_MAX; }},
    {"input_negative", [](NetMaker& m) { m.net.ops[1]->inputs[0] = INT32_MIN; }},
    {"output_index", [](NetMaker& m) { m.net.ops[1]->outputs[0] = INT32_MAX; }},
    {"output_negative", [](NetMaker& m) { m.net.ops[1]->outputs[0] = -1; }},
    {"made_twice", [](NetMaker& m) { m.net.ops[2]->outputs[0] = m.net.ops[1]->outputs[0]; }},
    {"own_output", [](NetMaker& m) { m.net.ops[1]->inputs = m.net.ops[1]->outputs; }},
    {"input_twice", [](NetMaker& m) { m.Op(schema::OpType_Input, {}, {0}); }},
    {"input_with_two_outputs",
     [](NetMaker& m) {
       m.net.ops[0]->outputs = {0, 1};
     }},
    {"input_size", [](NetMaker& m) { m.net.ops[0]->main.AsInput()->dims[1] = INT32_MIN; }},
    {"input_rank", [](NetMaker& m) { m.net.ops[0]->main.AsInput()->dims.assign(5000, 1); }},
    {"input_type",
     [](NetMaker& m) { m.net.ops[0]->main.AsInput()->type = static_cast<schema::DataType>(99); }},
    {"other_parameters", [](NetMaker& m) { m.net.ops[1]->main = m.net.ops[3]->main; }},
    {"no_parameters", [](NetMaker& m) { m.net.ops[1]->main.Reset(); }},
    {"no_common", [](NetMaker& m) { Layer(m).common.reset(); }},
    {"stride_0", [](NetMaker& m) { Common(m).stride_x = 0; }},
    {"stride_min", [](NetMaker& m) { Common(m).stride_y = INT32_MIN; }},
    {"dilation_max", [](NetMaker& m) { Common(m).dilate_x = INT32_MAX; }},
    {"kernel_max",
     [](NetMaker& m) {
       Common(m).kernel_x = INT32_MAX;
       Common(m).kernel_y = INT32_MAX;
     }},
    {"pads",
     [](NetMaker& m) {
       Common(m).pads = {INT32_MAX, INT32_MAX, INT32_MIN, 1};
     }},
    {"pads_many", [](NetMaker& m) { Common(m).pads.assign(100000, 1); }},
    {"pad_mode", [](NetMaker& m) { Common(m).pad_mode = static_cast<schema::PadMode>(77); }},
    {"group_0", [](NetMaker& m) { Common(m).group = 0; }},
    {"group_3", [](NetMaker& m) { Common(m).group = 3; }},
    {"filters_max", [](NetMaker& m) { Common(m).output_count = INT32_MAX; }},
    {"filters_negative", [](NetMaker& m) { Common(m).output_count = -2; }},
    {"weights_short", [](NetMaker& m) { Layer(m).weight.pop_back(); }},
    {"bias_long", [](NetMaker& m) { Layer(m).bias.push_back(1); }},
    {"constant_short", [](NetMaker& m) { Blob(m).float32s.pop_back(); }},
    {"constant_negative",
     [](NetMaker& m) {
       Blob(m).dims = {-2, -1};
     }},
    {"constant_huge",
     [](NetMaker& m) {
       Blob(m).dims = {INT32_MAX, INT32_MAX, INT32_MAX};
     }},
    {"constant_rank", [](NetMaker& m) { Blob(m).dims.assign(40, 1); }},
    {"constant_type", [](NetMaker& m) { Blob(m).type = schema::DataType_STRING; }},
    {"constant_elsewhere",
     [](NetMaker& m) {
       Blob(m).external = {0, 8};
     }},
    {"arithmetic",
     [](NetMaker& m) { m.net.ops[4]->main.AsBinaryOp()->type = schema::Binary_ATAN2; }},
    {"arithmetic_unknown",
     [](NetMaker& m) { m.net.ops[4]->main.AsBinaryOp()->type = static_cast<schema::Binary>(18); }},
    {"reduction",
     [](NetMaker& m) {
       m.net.ops[2]->main.AsReductionParam()->type = static_cast<schema::Reduction>(50);
     }},
    {"reduction_axis",
     [](NetMaker& m) { m.net.ops[2]->main.AsReductionParam()->dims = {INT32_MAX}; }},
    {"packed_nothing", [](NetMaker& m) { Packed(m, 1, {}); }},
    {"packed_unknown",
     [](NetMaker& m) {
       Packed(m, 9, {2, 2, 0, 2, 0, 1, 1, 1});
     }},
    {"packed_axes",
     [](NetMaker& m) {
       Packed(m, 1, {127, 2, 0, 2, 0});
     }},
    {"packed_sizes",
     [](NetMaker& m) {
       Packed(m, 1, {2, -1, -1, -1, -1, 1, 1, 1});
     }},
    {"packed_short",
     [](NetMaker& m) {
       Packed(m, 1, {2, 2, 0, 2, 0, 5, 1, 2, 3});
     }},
    {"packed_place",
     [](NetMaker& m) {
       Packed(m, 1, {2, 2, 0, 2, 0, 3, 1, 2, 3, -1});
     }},
    {"packed_scales",
     [](NetMaker& m) {
       Packed(m, 1, {2, 2, 0, 2, 0, 2, 1, 2, 0}).alpha = {1, 2, 3};
     }},
    {"packed_no_scales",
     [](NetMaker& m) {
       Packed(m, 4, {1, 2, 3, 4}).alpha.clear();
     }},
    {"sparse_count",
     [](NetMaker& m) {
       Packed(m, 2, {2, 2, 0, 2, 0, -1, -1, -1, -1, 4});
     }},
    {"sparse_steps",
     [](NetMaker& m) {
       Packed(m, 2, {2, 2, 0, 2, 0, 1, 0, 0, 0, 99, 0});
     }},
    {"sparse_step_of_0_bits",
     [](NetMaker& m) {
       Packed(m, 2, {2, 2, 0, 2, 0, 100, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
     }},
    {"sparse_beyond",
     [](NetMaker& m) {
       Packed(m, 2, {2, 2, 0, 2, 0, 1, 0, 0, 0, 8, -1, 1, 1, 0});
     }},
    {"half_short",
     [](NetMaker& m) {
       Packed(m, 3, {0, 0, 0});
     }},
    {"place_beyond",
     [](NetMaker& m) {
       Packed(m, 1, {}).index = {0, 0xFFFFFFFFU};
     }},
    {"places_without_weights",
     [](NetMaker& m) {
       Packed(m, 1, {}).index = {0, 1, 2};
     }},
    {"output_unknown", [](NetMaker& m) { m.net.output_names = {"nothing"}; }},
    {"loop_without_body", [](NetMaker& m) { AddLoop(m, "nowhere"); }},
    {"loop_in_itself", [](NetMaker& m) { AddLoop(m, "itself"); }},
    {"branches_in_branches", AddTower},
};

Status Read(const std::string& path) {
  Result<Graph> graph = LoadModel(path, {.format = "mnn"});
  return std::move(graph).status();
}

// Many sub-graphs that are one, and so share a long list of names: each name is there for each.
std::vector<std::uint8_t> SharedNames() {
  constexpr std::size_t kMany = 60'000;
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString("x");
  const auto names = builder.CreateVector(std::vector(kMany, name));
  schema::SubGraphBuilder subgraph(builder);
  subgraph.add_tensors(names);
  const auto subgraphs = builder.CreateVector(std::vector(kMany, subgraph.Finish()));
  const auto ops = builder.CreateVector(std::vector{schema::CreateOp(builder)});
  schema::NetBuilder net(builder);
  net.add_ops(ops);
  net.add_subgraphs(subgraphs);
  builder.Finish(net.Finish());
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}

NetMaker PackedNet() {
  NetMaker m = mnn::SmallNet();
  Packed(m, 1, {2, 2, 0, 2, 0, 5, -3, -1, 0, 2, 5, -128, -80});
  return m;
}

}  // namespace

Family MnnFamily() {
  Family family = {"mnn", {}, {}, Read};
  family.good.push_back({"small", *mnn::SmallNet().Bytes()});
  family.good.push_back({"packed", *PackedNet().Bytes()});
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  for (const Mistake& mistake : kMistakes) {
    NetMaker m = mnn::SmallNet();
    mistake.make(m);
    family.bad.push_back({mistake.name, *m.Bytes(), true});
  }
  family.bad.push_back({"shared_names", SharedNames(), true});
  family.bad.push_back({"empty", {}, true});
  return family;
}

}  // namespace athanor::broken
