#include "ir/check_inputs.h"

#include <gtest/gtest.h>

namespace athanor {
namespace {

class CheckInputsTest : public testing::Test {
 protected:
  CheckInputsTest() : catalog_({}), graph_(catalog_) {
    graph_.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), 2}));
    graph_.AddInput("y", Type::Tensor(DType::kI64, {Dim::Symbol("N")}));
  }
  Status Check(Tensor x, Tensor y) {
    const std::vector<Datum> inputs = {std::move(x), std::move(y)};
    return CheckInputs(graph_, inputs);
  }
  Catalog catalog_;
  Graph graph_;
};

TEST_F(CheckInputsTest, AcceptsOneValuePerSymbol) {
  EXPECT_TRUE(
      Check(Tensor::FromVector<float>({1, 2}, {1, 2}), Tensor::FromVector<std::int64_t>({1}, {1}))
          .ok());
}

TEST_F(CheckInputsTest, RefusesTwoValuesForOneSymbol) {
  const Status status = Check(Tensor::FromVector<float>({1, 2}, {1, 2}),
                              Tensor::FromVector<std::int64_t>({2}, {1, 2}));
  EXPECT_EQ(status.ToString(),
            "error ATH-1003 [input] input \"y\": i64[2] is given, i64[N] is expected and N is 1 in "
            "another input");
}

TEST_F(CheckInputsTest, RefusesOtherTypesRanksAndDimensions) {
  const Tensor y = Tensor::FromVector<std::int64_t>({1}, {1});
  EXPECT_EQ(Check(Tensor::FromVector<double>({1, 2}, {1, 2}), y).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(Check(Tensor::FromVector<float>({2}, {1, 2}), y).code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(Check(Tensor::FromVector<float>({1, 3}, {1, 2, 3}), y).code(),
            ErrorCode::kInvalidInput);
  EXPECT_EQ(CheckInputs(graph_, {}).code(), ErrorCode::kInvalidInput);
}

}  // namespace
}  // namespace athanor
