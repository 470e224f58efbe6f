// Older forms of arithmetic operators give what their operator set says.
#include "frontends/onnx/math_forms.h"

#include <gtest/gtest.h>

#include "ir/evaluate.h"
#include "ops/catalog.h"

namespace athanor::onnx {
namespace {

AttributeProto IntAttribute(std::string name, std::int64_t value) {
  AttributeProto attribute;
  attribute.name = std::move(name);
  attribute.i = value;
  return attribute;
}

AttributeProto FloatAttribute(std::string name, float value) {
  AttributeProto attribute;
  attribute.name = std::move(name);
  attribute.f = value;
  return attribute;
}

// Output 0 of one node of operator set `version`.
Result<Tensor> RunForm(std::string op, std::int64_t version, std::vector<Tensor> inputs,
                       std::vector<AttributeProto> attributes) {
  NodeProto node;
  node.op_type = op;
  node.output = {"y"};
  node.attribute = std::move(attributes);
  Graph graph(ops::Standard());
  std::vector<ValueId> ids;
  std::vector<Datum> data;
  for (Tensor& tensor : inputs) {
    ids.push_back(graph.AddInput("x", Type::Of(tensor)));
    data.emplace_back(std::move(tensor));
  }
  const TensorSource source = {};
  NodeImport ctx(graph, node, version, ids, source);
  const Row* row = FindRow("", op, version);
  if (row == nullptr) return Unsupported("there is no row");
  ATH_RETURN_IF_ERROR(row->make(ctx));
  graph.AddOutput("y", ctx.outputs.at(0));
  ATH_TRY(std::vector<Datum> results, Evaluate(graph, std::move(data)));
  return results[0].tensor();
}

std::vector<float> Values(const Result<Tensor>& tensor) {
  EXPECT_TRUE(tensor.ok()) << tensor.status().ToString();
  if (!tensor.ok()) return {};
  const auto data = tensor->Data<float>();
  return {data.begin(), data.end()};
}

using Floats = std::vector<float>;
const Tensor kMatrix = Tensor::FromVector<float>({2, 2}, {1, 2, 3, 4});

TEST(OldForms, AddAlignsTheSecondInputAtTheAxis) {
  const Tensor column = Tensor::FromVector<float>({2}, {10, 20});
  const auto at = [&](std::int64_t axis) {
    return RunForm("Add", 6, {kMatrix, column},
                   {IntAttribute("broadcast", 1), IntAttribute("axis", axis)});
  };
  EXPECT_EQ(Values(at(0)), (Floats{11, 12, 23, 24}));
  EXPECT_EQ(Values(at(-1)), (Floats{11, 22, 13, 24}));
  EXPECT_EQ(at(2).status().code(), ErrorCode::kInvalidModel);
  EXPECT_EQ(at(-3).status().code(), ErrorCode::kInvalidModel);
}

TEST(OldForms, ClipTakesBoundsFromAttributes) {
  EXPECT_EQ(
      Values(RunForm("Clip", 6, {kMatrix}, {FloatAttribute("min", 2), FloatAttribute("max", 3)})),
      (Floats{2, 2, 3, 3}));
  EXPECT_EQ(Values(RunForm("Clip", 6, {kMatrix}, {})), (Floats{1, 2, 3, 4}));
}

TEST(OldForms, ReduceTakesAxesFromAnAttribute) {
  AttributeProto axes;
  axes.name = "axes";
  axes.ints = {-1};
  EXPECT_EQ(Values(RunForm("ReduceSum", 11, {kMatrix}, {axes, IntAttribute("keepdims", 0)})),
            (Floats{3, 7}));
}

TEST(OldForms, HardmaxSeesAMatrix) {
  const Tensor x = Tensor::FromVector<float>({1, 2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(Values(RunForm("Hardmax", 11, {x}, {})), (Floats{0, 0, 0, 1}));
  EXPECT_EQ(Values(RunForm("Hardmax", 13, {x}, {})), (Floats{0, 1, 0, 1}));
}

TEST(OldForms, PReluSlopesAreOnePerChannel) {
  const Tensor x = Tensor::FromVector<float>({1, 2, 2}, {-1, -2, -3, -4});
  const Tensor slope = Tensor::FromVector<float>({2}, {1, 10});
  EXPECT_EQ(Values(RunForm("PRelu", 6, {x, slope}, {})), (Floats{-1, -2, -30, -40}));
  EXPECT_EQ(Values(RunForm("PRelu", 7, {x, slope}, {})), (Floats{-1, -20, -3, -40}));
}

}  // namespace
}  // namespace athanor::onnx
