#include "frontends/mlflow.h"

#include <gtest/gtest.h>

namespace athanor {
namespace {

// As MLflow 2 writes it.
constexpr std::string_view kModel =
    "artifact_path: model\nflavors:\n  python_function:\n    data: model.other\n    env:\n"
    "      conda: conda.yaml\n      data: nested\n    loader_module: mlflow.xgboost\n"
    "  xgboost:\n    code: null\n    data: 'model.ubj'\n    model_format: ubj\nmlflow_version: "
    "2.9.2\n"
    "signature:\n  data: elsewhere\n";

TEST(Mlflow, FindsTheFileOfAFlavourThatIsRead) {
  const Result<std::string> file = MlflowModelFile(kModel);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  EXPECT_EQ(*file, "model.ubj");
  const Result<std::string> sklearn = MlflowModelFile(
      "flavors:\r\n    sklearn:\r\n        code:\r\n        pickled_model: model.pkl\r\n");
  ASSERT_TRUE(sklearn.ok()) << sklearn.status().ToString();
  EXPECT_EQ(*sklearn, "model.pkl");
}

TEST(Mlflow, RefusesOtherFlavoursAndFilesOutsideOfTheFolder) {
  EXPECT_EQ(
      MlflowModelFile("flavors:\n  prophet:\n    data: a\n").status().message(),
      "MLmodel has no flavour that is read; catboost, lightgbm, onnx, pmml, sklearn, xgboost are");
  for (const std::string_view name : {"../secret", "/etc/passwd", "a/../../b"}) {
    const Status status =
        MlflowModelFile(fmt::format("flavors:\n  onnx:\n    data: {}\n", name)).status();
    EXPECT_EQ(status.code(), ErrorCode::kUnsafeFile) << status.ToString();
  }
  EXPECT_FALSE(MlflowModelFile("").ok());
}

}  // namespace
}  // namespace athanor
