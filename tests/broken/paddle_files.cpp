#include <fstream>

#include "corpus.h"
#include "frontends/load.h"
#include "frontends/paddle/files_for_test.h"

namespace athanor::broken {
namespace {

using paddle::DescMaker;

// Something wrong with the meaning, not with the bytes.
struct DescMistake {
  const char* name;
  void (*make)(DescMaker& m);
};

paddle::TensorDesc& Described(DescMaker& m, std::size_t var) {
  return m.program.blocks[0].vars[var].type.lod_tensor.tensor;
}

constexpr DescMistake kDescMistakes[] = {
    {"no_blocks", [](DescMaker& m) { m.program.blocks.clear(); }},
    {"no_operators", [](DescMaker& m) { m.program.blocks[0].ops.clear(); }},
    {"no_variables", [](DescMaker& m) { m.program.blocks[0].vars.clear(); }},
    {"no_results", [](DescMaker& m) { m.program.blocks[0].ops.pop_back(); }},
    {"unknown_operator", [](DescMaker& m) { m.op(1).type = "train_step"; }},
    {"no_type", [](DescMaker& m) { m.op(1).type = ""; }},
    {"no_inputs", [](DescMaker& m) { m.op(1).inputs.clear(); }},
    {"no_outputs", [](DescMaker& m) { m.op(1).outputs.clear(); }},
    {"own_output", [](DescMaker& m) { m.op(1).inputs[0].arguments = {"t"}; }},
    {"undeclared", [](DescMaker& m) { m.op(1).inputs[0].arguments = {"nowhere"}; }},
    {"empty_argument", [](DescMaker& m) { m.op(1).inputs[0].arguments = {"@EMPTY@"}; }},
    {"two_outputs_of_one",
     [](DescMaker& m) {
       m.op(3).outputs[0].arguments = {"v", "u"};
     }},
    {"feed_of_nothing", [](DescMaker& m) { m.op(0).outputs.clear(); }},
    {"feed_of_two",
     [](DescMaker& m) {
       m.op(0).outputs[0].arguments = {"x", "t"};
     }},
    {"fetch_of_nothing", [](DescMaker& m) { m.op(5).inputs.clear(); }},
    {"input_type", [](DescMaker& m) { Described(m, 0).data_type = 99; }},
    {"input_size",
     [](DescMaker& m) {
       Described(m, 0).dims = {-7, 2};
     }},
    {"input_rank", [](DescMaker& m) { Described(m, 0).dims.assign(5000, 1); }},
    {"parameter_shape",
     [](DescMaker& m) {
       Described(m, 1).dims = {2, 3};
     }},
    {"parameter_more", [](DescMaker& m) { m.Var("more", {1}, true); }},
    {"parameter_fewer", [](DescMaker& m) { m.program.blocks[0].vars[1].persistable = false; }},
    {"reshape_size",
     [](DescMaker& m) {
       m.op(4).attrs[0].ints = {-7, 4};
     }},
    {"reshape_negative",
     [](DescMaker& m) {
       m.op(4).attrs[0].ints = {-1, -1, -5};
     }},
    {"sizes_that_do_not_fit",
     [](DescMaker& m) {
       Described(m, 0).dims = {-1, 3};
     }},
    {"axis",
     [](DescMaker& m) {
       m.op(3).type = "softmax";
       DescMaker::Int(m.op(3), "axis", INT32_MAX);
     }},
    {"permutation",
     [](DescMaker& m) {
       m.op(3).type = "transpose2";
       DescMaker::Ints(m.op(3), "axis", {0, 0, 0, 7});
     }},
    {"slice_axes",
     [](DescMaker& m) {
       m.op(3).type = "slice";
       m.op(3).inputs[0].parameter = "Input";
       DescMaker::Ints(m.op(3), "axes", {9});
       DescMaker::Ints(m.op(3), "starts", {0});
       DescMaker::Ints(m.op(3), "ends", {INT32_MIN});
     }},
    {"split_many",
     [](DescMaker& m) {
       m.op(3).type = "split";
       DescMaker::Int(m.op(3), "num", INT32_MAX);
     }},
    {"fill_huge",
     [](DescMaker& m) {
       m.op(3).type = "assign_value";
       DescMaker::Ints(m.op(3), "shape", {INT32_MAX, INT32_MAX});
     }},
    {"convolution_of_a_matrix",
     [](DescMaker& m) {
       m.op(1).type = "conv2d";
       m.op(1).inputs[0].parameter = "Input";
       m.op(1).inputs[1].parameter = "Filter";
       m.op(1).outputs[0].parameter = "Output";
     }},
    {"pool_of_a_matrix", [](DescMaker& m) { m.op(3).type = "pool2d"; }},
    {"prior_box_of_nothing", [](DescMaker& m) { m.op(3).type = "prior_box"; }},
    {"block_missing", [](DescMaker& m) { DescMaker::BlockAttribute(m.op(3), 77); }},
    {"block_negative", [](DescMaker& m) { DescMaker::BlockAttribute(m.op(3), INT32_MIN); }},
    {"block_main", [](DescMaker& m) { DescMaker::BlockAttribute(m.op(3), 0); }},
    {"loop_without_a_body",
     [](DescMaker& m) {
       m.op(3).type = "while";
       m.op(3).inputs[0].parameter = "Condition";
     }},
    {"loop_in_itself",
     [](DescMaker& m) {
       const std::size_t block = m.AddBlock(1);
       paddle::OpDesc& loop =
           m.Op("while", {{"X", {"v"}}, {"Condition", {"v"}}}, {{"Out", {"v"}}}, block);
       DescMaker::BlockAttribute(loop, static_cast<std::int32_t>(block));
       m.op(3).type = "while";
       m.op(3).inputs[0].parameter = "Condition";
       DescMaker::BlockAttribute(m.op(3), static_cast<std::int32_t>(block));
     }},
    {"choice_of_nothing", [](DescMaker& m) { m.op(3).type = "select_input"; }},
};

// Something of the JSON replaced.
struct PirMistake {
  const char* name;
  const char* from;
  const char* to;
};

constexpr PirMistake kPirMistakes[] = {
    {"pir_no_program", "\"program\":", "\"programme\":"},
    {"pir_no_regions", "\"regions\":", "\"region\":"},
    {"pir_no_blocks", "\"blocks\":", "\"block\":"},
    {"pir_no_operators", "\"ops\":", "\"op\":"},
    {"pir_unknown", "\"#\":\"1.relu\"", "\"#\":\"1.train_step\""},
    {"pir_dialect", "\"#\":\"1.relu\"", "\"#\":\"7.relu\""},
    {"pir_no_name", "\"#\":\"1.relu\"", "\"#\":7"},
    {"pir_used_before", "\"I\":[{\"%\":5}]", "\"I\":[{\"%\":8}]"},
    {"pir_unknown_value", "\"I\":[{\"%\":5}]", "\"I\":[{\"%\":-123456789012}]"},
    {"pir_text_for_a_value", "\"I\":[{\"%\":5}]", "\"I\":[{\"%\":\"5\"}]"},
    {"pir_left_out", "\"I\":[{\"%\":5}]", "\"I\":[{\"%\":0}]"},
    {"pir_no_operand", "\"I\":[{\"%\":5}]", "\"I\":[]"},
    {"pir_too_many_operands", "\"I\":[{\"%\":5}]", "\"I\":[{\"%\":5},{\"%\":5},{\"%\":5}]"},
    {"pir_made_twice", "\"O\":[{\"%\":6", "\"O\":[{\"%\":5"},
    {"pir_no_sizes", "[{\"#\":\"0.t_f32\"},[-1,2],", "[{\"#\":\"0.t_f32\"},"},
    {"pir_size", "[{\"#\":\"0.t_f32\"},[-1,2],", "[{\"#\":\"0.t_f32\"},[-9,2],"},
    {"pir_type", "[{\"#\":\"0.t_f32\"},[-1,2],", "[{\"#\":\"0.t_f99\"},[-1,2],"},
    {"pir_sizes_of_text", "[{\"#\":\"0.t_f32\"},[-1,2],", "[{\"#\":\"0.t_f32\"},[\"a\",2],"},
    {"pir_parameter_shape", "[{\"#\":\"0.t_f32\"},[2,4],", "[{\"#\":\"0.t_f32\"},[4,2],"},
    {"pir_parameter_without_a_name", "\"A\":[0,1,1,\"w\"]", "\"A\":[0,1,1]"},
    {"pir_reshape", "{\"#\":\"0.a_i64\",\"D\":-1}", "{\"#\":\"0.a_i64\",\"D\":-9}"},
    {"pir_branches", "\"#\":\"1.relu\"", "\"#\":\"1.if\""},
    {"pir_loop", "\"#\":\"1.relu\"", "\"#\":\"1.while\""},
    {"pir_region_of_nothing", "\"#\":\"1.relu\",", "\"#\":\"1.relu\",\"regions\":[{}],"},
};

Status ReadPaddle(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<std::uint8_t> all((std::istreambuf_iterator<char>(file)),
                                      std::istreambuf_iterator<char>());
  if (all.size() < 4) return InvalidModel("no model").In(path);
  const std::size_t end = paddle::EndOfProgram(all);
  const auto* text = reinterpret_cast<const char*>(all.data());
  std::ofstream(path + ".pdmodel", std::ios::binary) << std::string(text + 4, end - 4);
  std::ofstream(path + ".pdiparams", std::ios::binary) << std::string(text + end, all.size() - end);
  Result<Graph> graph = LoadModel(path + ".pdmodel", {.format = "paddle"});
  return std::move(graph).status();
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  ATH_CHECK(at != std::string::npos, "every mistake names a part of the program");
  return text.replace(at, from.size(), to);
}

// Blocks within blocks, deeper than any parser should follow.
std::string DeepPir() {
  std::string open, close;
  for (int i = 0; i < 200; ++i) {
    open += R"({"#":"1.if","A":[],"I":[],"O":[],"regions":[{"blocks":[{"args":[],"ops":[)";
    close += "]}]}]}";
  }
  return R"({"base_code":{"magic":"pir"},"program":{"regions":[{"blocks":[{"args":[],"ops":[)" +
         open + close + "]}]}]}}";
}

}  // namespace

Family PaddleFamily() {
  Family family = {"paddle", {}, {}, ReadPaddle};
  const std::string parameters = paddle::SmallParameters();
  family.good.push_back({"desc", paddle::Packed(paddle::SmallDesc().Bytes(), parameters)});
  family.good.push_back({"pir", paddle::Packed(paddle::SmallPir(), parameters)});
  family.good.push_back({"branch", paddle::Packed(paddle::BranchDesc().Bytes(),
                                                  paddle::ParameterBytes({{{1}, {0}}}))});
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  for (const DescMistake& mistake : kDescMistakes) {
    DescMaker m = paddle::SmallDesc();
    mistake.make(m);
    family.bad.push_back({mistake.name, paddle::Packed(m.Bytes(), parameters), true});
  }
  for (const PirMistake& mistake : kPirMistakes)
    family.bad.push_back(
        {mistake.name,
         paddle::Packed(Replaced(paddle::SmallPir(), mistake.from, mistake.to), parameters), true});
  family.bad.push_back({"pir_deep", paddle::Packed(DeepPir(), ""), true});
  family.bad.push_back({"empty", paddle::Packed("", ""), true});
  const std::string desc = paddle::SmallDesc().Bytes();
  family.bad.push_back({"no_parameters", paddle::Packed(desc, ""), true});
  family.bad.push_back({"parameters_short",
                        paddle::Packed(desc, parameters.substr(0, parameters.size() - 1)), true});
  family.bad.push_back({"parameters_long", paddle::Packed(desc, parameters + "12345678"), true});
  family.bad.push_back(
      {"parameters_version", paddle::Packed(desc, "\x09" + parameters.substr(1)), true});
  family.bad.push_back({"parameters_levels",
                        paddle::Packed(desc, parameters.substr(0, 4) + std::string(8, '\xFF') +
                                                 parameters.substr(12)),
                        true});
  family.bad.push_back(
      {"parameters_sizes",
       paddle::Packed(desc, paddle::ParameterBytes({{{INT64_MAX, INT64_MAX}, {1}}, {{2, 4}, {1}}})),
       true});
  return family;
}

}  // namespace athanor::broken
