// Nodes of files that a plug-in reads: what of them arrives, format by format. The C interface to
// it is tested in api.
#include "frontends/foreign.h"

#include <flatbuffers/flexbuffers.h>
#include <gtest/gtest.h>

#include "frontends/caffe/import.h"
#include "frontends/foreign_for_test.h"
#include "frontends/pytorch/files_for_test.h"
#include "frontends/pytorch/pytorch.h"
#include "frontends/tflite/import.h"
#include "frontends/tflite/model_for_test.h"
#include "ir/text.h"

namespace athanor {
namespace {

Result<Graph> ReadCaffe(const std::string& layer) {
  const std::string text =
      "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { dim: 2 } } }\n" + layer;
  return caffe::ImportSeeded({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

TEST(Foreign, CaffeGivesTheFieldsOfParameters) {
  const auto seen = AddWitness("caffe", "Witness");
  const Result<Graph> graph = ReadCaffe(
      "layer { name: \"w\" type: \"Witness\" bottom: \"x\" top: \"y\" witness_param { whole: 3 "
      "part: "
      "0.5 on: true mode: FAST text: \"a\" list: 1 list: 2 parts: 1 parts: 0.5 } }");
  EXPECT_EQ(Answer(graph, {2}, {1, -2}), (Floats{-1, 2}));
  EXPECT_EQ(seen->op, "Witness");
  const AttrMap expected = {{"whole", std::int64_t{3}}, {"part", 0.5F},
                            {"on", std::int64_t{1}},    {"mode", std::string("FAST")},
                            {"text", std::string("a")}, {"list", std::vector<std::int64_t>{1, 2}},
                            {"parts", Floats{1, 0.5F}}};
  EXPECT_EQ(seen->attributes, expected);
}

TEST(Foreign, ACaffeLayerIsTheOperatorOfItsName) {
  AddScaledSum("caffe::ScaledSum");
  // A whole number in the file is a float where the operator wants one.
  EXPECT_EQ(Answer(ReadCaffe("layer { name: \"s\" type: \"ScaledSum\" bottom: \"x\" bottom: \"x\" "
                             "top: \"y\" scaled_sum_param { factor: 2 } }"),
                   {2}, {1, 3}),
            (Floats{4, 12}));
  const Result<Graph> wrong = ReadCaffe(
      "layer { name: \"s\" type: \"ScaledSum\" bottom: \"x\" top: \"y\" s_param { factr: 2 } }");
  EXPECT_NE(Problem(wrong).find("factr"), std::string::npos) << Problem(wrong);
}

// x -> custom operator `name` -> y, of two elements; quantised with scale 0.5 when asked for.
tflite::ModelMaker CustomModel(const std::string& name, std::vector<std::uint8_t> options,
                               bool quantised = false) {
  using namespace tflite;
  ModelMaker m;
  const auto type = quantised ? schema::TensorType_INT8 : schema::TensorType_FLOAT32;
  const std::int32_t x = m.Tensor("x", type, {2}), y = m.Tensor("y", type, {2});
  if (quantised) m.Quantize(x, {0.5F}, {0});
  if (quantised) m.Quantize(y, {0.5F}, {0});
  m.graph().inputs = {x};
  m.graph().outputs = {y};
  m.Operator(schema::BuiltinOperator_CUSTOM, {x}, {y}).custom_options = std::move(options);
  m.model.operator_codes.back()->custom_code = name;
  return m;
}

Result<Graph> ReadTflite(const tflite::ModelMaker& maker) {
  const auto bytes = std::make_shared<const std::vector<std::uint8_t>>(maker.Bytes());
  return tflite::Import(*bytes, bytes);
}

std::vector<std::uint8_t> Options() {
  flexbuffers::Builder builder;
  builder.Map([&] {
    builder.Int("whole", -3);
    builder.Bool("on", true);
    builder.Float("part", 0.5F);
    builder.String("text", "a");
    builder.TypedVector("list", [&] { builder.Int(1), builder.Int(2); });
    builder.Vector("parts", [&] { builder.Int(1), builder.Float(0.5F); });
  });
  builder.Finish();
  return builder.GetBuffer();
}

TEST(Foreign, TfliteGivesTheEntriesOfAFlexBuffer) {
  const auto seen = AddWitness("tflite", "Witness");
  EXPECT_EQ(Answer(ReadTflite(CustomModel("Witness", Options())), {2}, {1, -2}), (Floats{-1, 2}));
  const AttrMap expected = {{"whole", std::int64_t{-3}},
                            {"on", std::int64_t{1}},
                            {"part", 0.5F},
                            {"text", std::string("a")},
                            {"list", std::vector<std::int64_t>{1, 2}},
                            {"parts", Floats{1, 0.5F}}};
  EXPECT_EQ(seen->attributes, expected);
  EXPECT_TRUE(ReadTflite(CustomModel("Witness", {1, 2, 3})).ok());
  const AttrValue* bytes = seen->attributes.Find("custom_options");
  ASSERT_NE(bytes, nullptr);
  EXPECT_EQ(std::get<Tensor>(*bytes).Data<std::uint8_t>()[2], 3);
  EXPECT_TRUE(ReadTflite(CustomModel("Witness", {})).ok());
  EXPECT_TRUE(seen->attributes.empty());
}

TEST(Foreign, TfliteComputesOnRealNumbers) {
  AddScaledSum("tflite::ScaledSum");
  const Result<Graph> graph = ReadTflite(CustomModel("ScaledSum", {}, true));
  ASSERT_TRUE(graph.ok()) << Problem(graph);
  const std::string text = PrintText(*graph);
  EXPECT_NE(text.find("DequantizeLinear"), std::string::npos) << text;
  EXPECT_NE(text.find(": f32[2] = tflite::ScaledSum"), std::string::npos) << text;
  EXPECT_NE(text.find("QuantizeLinear"), std::string::npos) << text;
  const std::string unknown = Problem(ReadTflite(CustomModel("ScaledSun", {})));
  EXPECT_NE(unknown.find("a converter of tflite ScaledSun"), std::string::npos) << unknown;
}

Result<Graph> ReadScript(const std::string& body) {
  const auto file =
      std::make_shared<const std::string>(pytorch::ZipOf(pytorch::ScriptMembers(body)));
  return pytorch::Import({reinterpret_cast<const std::uint8_t*>(file->data()), file->size()}, file);
}

TEST(Foreign, TorchScriptGivesTensorsAndOtherArguments) {
  const auto seen = AddWitness("pytorch", "t::witness");
  const Floats x = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(Answer(ReadScript("    return ops.t.witness(x, 3, [x, x], \"a\", None, [0.5, 1])\n"),
                   {3, 2}, x),
            (Floats{-1, -2, -3, -4, -5, -6}));
  EXPECT_EQ(seen->num_inputs, 3U);
  const AttrMap expected = {
      {"arg1", std::int64_t{3}}, {"arg3", std::string("a")}, {"arg5", Floats{0.5F, 1}}};
  EXPECT_EQ(seen->attributes, expected);

  AddScaledSum("t::scaled_sum");
  EXPECT_EQ(Answer(ReadScript("    return ops.t.scaled_sum([x, x], 3)\n"), {3, 2}, x),
            (Floats{6, 12, 18, 24, 30, 36}));
  EXPECT_EQ(Answer(ReadScript("    return ops.t.scaled_sum([x], factor=0.5)\n"), {3, 2}, x),
            (Floats{0.5F, 1, 1.5F, 2, 2.5F, 3}));
  const std::string unknown = Problem(ReadScript("    return ops.t.warp(x)\n"));
  EXPECT_NE(unknown.find("a converter of pytorch t::warp"), std::string::npos) << unknown;
}

TEST(Foreign, AnExportedProgramCallsAnOperatorOfAPlugin) {
  const auto changed = [](const std::string& name) {
    const auto file = std::make_shared<const std::string>(
        pytorch::ZipOf(pytorch::Changed(pytorch::ProgramMembers(), 1, "aten.relu.", name)));
    return pytorch::Import({reinterpret_cast<const std::uint8_t*>(file->data()), file->size()},
                           file);
  };
  const auto seen = AddWitness("pytorch", "t::exported");
  const Result<Graph> graph = changed("t.exported.");
  ASSERT_TRUE(graph.ok()) << Problem(graph);
  EXPECT_NE(PrintText(*graph).find("Neg("), std::string::npos);
  const std::string unknown = Problem(changed("t.unknown."));
  EXPECT_NE(unknown.find("a converter of pytorch t::unknown"), std::string::npos) << unknown;
}

}  // namespace
}  // namespace athanor
