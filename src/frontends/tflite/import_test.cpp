#include "frontends/tflite/import.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>

#include "frontends/tflite/model_for_test.h"
#include "frontends/tflite/op_export.h"
#include "ir/evaluate.h"

namespace athanor::tflite {
namespace {

Result<Graph> Read(const ModelMaker& maker) {
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(maker.Bytes());
  return Import(*bytes, bytes);
}

std::string Problem(const ModelMaker& maker) {
  return Result<Graph>(Read(maker)).status().ToString();
}

float Sum(std::span<const float> values) {
  float sum = 0;
  for (const float value : values) sum += value;
  return sum;
}

// The convolution of SmallModel as the format defines it: NHWC, weights [out, height, width, in],
// SAME padding with the odd row at the end.
std::vector<float> ExpectedMeans(const std::vector<float>& x) {
  std::vector<float> means(3, 0.0F);
  const float bias[] = {0.5F, -1.0F, 2.0F};
  for (int oc = 0; oc < 3; ++oc) {
    for (int oy = 0; oy < 2; ++oy) {
      for (int ox = 0; ox < 3; ++ox) {
        float acc = bias[oc];
        for (int ky = 0; ky < 3; ++ky) {
          for (int kx = 0; kx < 3; ++kx) {
            // Height 4 needs one row more, width 5 one column on each side.
            const int y = oy * 2 + ky, column = ox * 2 + kx - 1;
            if (y >= 4 || column < 0 || column >= 5) continue;
            for (int c = 0; c < 2; ++c)
              acc += x[static_cast<std::size_t>((y * 5 + column) * 2 + c)] *
                     (static_cast<float>((((oc * 3 + ky) * 3 + kx) * 2 + c) % 7) - 3.0F);
          }
        }
        means[static_cast<std::size_t>(oc)] += std::clamp(acc, 0.0F, 6.0F) / 6.0F;
      }
    }
  }
  return means;
}

TEST(Tflite, ReadsPicturesAsNhwcAndPadsAsTheFormatSays) {
  Result<Graph> graph = Read(SmallModel());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  std::vector<float> x(40);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 11) * 0.1F - 0.4F;
  const auto outputs = Evaluate(*graph, {Tensor::FromVector<float>({1, 4, 5, 2}, x)});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const auto y = (*outputs)[0].tensor().Data<float>();
  const std::vector<float> m = ExpectedMeans(x);
  ASSERT_GT(Sum(m), 0.1F);
  EXPECT_NEAR(y[0], m[0] + 2 * m[1] + 3 * m[2], 1e-4);
  EXPECT_NEAR(y[1], -m[0] + m[2], 1e-4);
}

TEST(Tflite, KeepsTheNamesOfInputsAndOutputs) {
  Result<Graph> graph = Read(SmallModel());
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(graph->value(graph->inputs()[0]).name, "x");
  EXPECT_EQ(graph->outputs()[0].name, "y");
}

TEST(Tflite, SaysHowOftenAnOperatorIsUsedThatIsNotRead) {
  ModelMaker m = SignalModel("SignalFramr", {}, {4}, {4});
  m.graph().operators.push_back(std::make_unique<schema::OperatorT>(*m.graph().operators[0]));
  EXPECT_NE(Problem(m).find("operator 0 (custom \"SignalFramr\"): operator custom \"SignalFramr\" "
                            "is not read (2 uses) (did you mean \"SignalFramer\"?)"),
            std::string::npos)
      << Problem(m);
}

TEST(Tflite, EveryRowIsOfAKnownOperatorOnce) {
  for (std::size_t i = 1; i < Table().size(); ++i) EXPECT_LT(Table()[i - 1].code, Table()[i].code);
  EXPECT_EQ(FindRow(schema::BuiltinOperator_CUSTOM), nullptr);
}

TEST(Tflite, TheDocumentListsEveryOperator) {
  std::stringstream file;
  file << std::ifstream("docs/formats/tflite.md").rdbuf();
  const std::string text = file.str();
  const std::size_t read = text.find("## Operators read"),
                    written = text.find("## Operators written");
  ASSERT_LT(read, written);
  ASSERT_NE(written, std::string::npos);
  const auto check = [](const std::string& list, const auto& rows, auto name) {
    EXPECT_EQ(std::count(list.begin(), list.end(), '`'), 2 * static_cast<int>(rows.size()));
    for (const auto& row : rows)
      EXPECT_NE(list.find(fmt::format("`{}`", name(row))), std::string::npos) << name(row);
  };
  check(text.substr(read, written - read), Table(),
        [](const Row& row) { return std::string(schema::EnumNameBuiltinOperator(row.code)); });
  check(text.substr(written), ExportTable(),
        [](const ExportRow& row) { return std::string(row.op); });
}

TEST(Tflite, NamesEveryOperatorThatIsNotRead) {
  ModelMaker m = SmallModel();
  m.model.operator_codes[0]->builtin_code = schema::BuiltinOperator_HASHTABLE;
  m.model.operator_codes[1]->builtin_code = schema::BuiltinOperator_CUSTOM;
  m.model.operator_codes[1]->deprecated_builtin_code = schema::BuiltinOperator_CUSTOM;
  m.model.operator_codes[1]->custom_code = "MyOwn";
  const std::string problem = Problem(m);
  EXPECT_NE(problem.find("HASHTABLE"), std::string::npos) << problem;
  EXPECT_NE(problem.find("MyOwn"), std::string::npos) << problem;
}

struct Mistake {
  const char* expected;
  std::function<void(ModelMaker&)> make;
};

TEST(Tflite, RefusesWhatContradictsItself) {
  const Mistake mistakes[] = {
      {"schema version", [](ModelMaker& m) { m.model.version = 1; }},
      {"of which there are", [](ModelMaker& m) { m.graph().operators[0]->inputs[0] = 99; }},
      {"has code", [](ModelMaker& m) { m.graph().operators[0]->opcode_index = 99; }},
      {"before an operator makes it", [](ModelMaker& m) { m.graph().operators[0]->inputs[0] = 3; }},
      {"has a value already", [](ModelMaker& m) { m.graph().operators[1]->outputs[0] = 3; }},
      {"bytes of data",
       [](ModelMaker& m) {
         m.graph().tensors[1]->shape = {3, 3, 3, 3};
       }},
      {"buffer", [](ModelMaker& m) { m.graph().tensors[1]->buffer = 77; }},
      {"options are missing",
       [](ModelMaker& m) { m.graph().operators[0]->builtin_options.Reset(); }},
      {"stride",
       [](ModelMaker& m) {
         m.graph().operators[0]->builtin_options.AsConv2DOptions()->stride_h = 0;
       }},
      {"is missing", [](ModelMaker& m) { m.graph().operators[0]->inputs = {0}; }},
      {"not read", [](ModelMaker& m) { m.graph().tensors[0]->type = schema::TensorType_STRING; }},
      {"no positive number",
       [](ModelMaker& m) {
         m.graph().tensors[0]->type = schema::TensorType_INT8;
         m.Quantize(0, {0.0F}, {0});
       }},
      {"does not fit",
       [](ModelMaker& m) {
         m.graph().tensors[0]->type = schema::TensorType_INT8;
         m.Quantize(0, {0.5F}, {1000});
       }},
  };
  for (const Mistake& mistake : mistakes) {
    ModelMaker m = SmallModel();
    mistake.make(m);
    const std::string problem = Problem(m);
    EXPECT_NE(problem.find(mistake.expected), std::string::npos)
        << mistake.expected << ": " << problem;
  }
}

// x + x on signed bytes: what stands in the graph, and the integers that come out.
TEST(Tflite, QuantisedOperatorsBecomePairsWithFixedPointArithmetic) {
  ModelMaker m;
  const std::int32_t x = m.Tensor("x", schema::TensorType_INT8, {1, 4});
  const std::int32_t y = m.Tensor("y", schema::TensorType_INT8, {1, 4});
  m.Quantize(x, {0.5F}, {-1});
  m.Quantize(y, {1.0F}, {3});
  m.Operator(schema::BuiltinOperator_ADD, {x, x}, {y}).builtin_options.Set(schema::AddOptionsT());
  m.graph().inputs = {x};
  m.graph().outputs = {y};
  Result<Graph> graph = Read(m);
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const Node& last = graph->node(graph->value(graph->outputs()[0].value).producer);
  EXPECT_EQ(last.op->name, "QuantizeLinear");
  EXPECT_EQ(std::get<std::string>(*last.attributes.Find("arithmetic")), "fixed31");
}

TEST(Tflite, AVectorSelectsRowsInTheFirstSelectOnly) {
  for (const bool rows : {true, false}) {
    ModelMaker m;
    const std::int32_t which = m.Tensor("which", schema::TensorType_BOOL, {2});
    const std::int32_t a = m.Tensor("a", schema::TensorType_FLOAT32, {2, 2});
    const std::int32_t b = m.Tensor("b", schema::TensorType_FLOAT32, {2, 2});
    const std::int32_t y = m.Tensor("y", schema::TensorType_FLOAT32, {2, 2});
    m.Operator(rows ? schema::BuiltinOperator_SELECT : schema::BuiltinOperator_SELECT_V2,
               {which, a, b}, {y});
    m.graph().inputs = {which, a, b};
    m.graph().outputs = {y};
    Result<Graph> graph = Read(m);
    ASSERT_TRUE(graph.ok()) << graph.status().ToString();
    const auto outputs = Evaluate(*graph, {Tensor::FromVector<bool>({2}, {true, false}),
                                           Tensor::FromVector<float>({2, 2}, {1, 2, 3, 4}),
                                           Tensor::FromVector<float>({2, 2}, {5, 6, 7, 8})});
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    const auto got = (*outputs)[0].tensor().Data<float>();
    EXPECT_EQ(std::vector<float>(got.begin(), got.end()),
              rows ? std::vector<float>({1, 2, 7, 8}) : std::vector<float>({1, 6, 3, 8}));
  }
}

TEST(Tflite, RefusesQuantisedOperatorsWithoutIntegerArithmetic) {
  ModelMaker m;
  const std::int32_t x = m.Tensor("x", schema::TensorType_INT8, {1, 4});
  const std::int32_t y = m.Tensor("y", schema::TensorType_INT8, {1, 4});
  m.Quantize(x, {0.5F}, {0});
  m.Quantize(y, {1.0F}, {0});
  m.Operator(schema::BuiltinOperator_EXP, {x}, {y});
  m.graph().inputs = {x};
  m.graph().outputs = {y};
  EXPECT_NE(Problem(m).find("Exp on quantised numbers is not read"), std::string::npos)
      << Problem(m);
}

}  // namespace
}  // namespace athanor::tflite
