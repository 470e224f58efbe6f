#include "core/status.h"

#include <gtest/gtest.h>

namespace athanor {
namespace {

TEST(Status, NamesThePlaceFromOutsideInwards) {
  const Status status =
      InvalidModel("weight has {} channels", 3).In("layer 'conv1'").In("face.onnx");
  EXPECT_EQ(status.ToString(),
            "error ATH-2001 [import] face.onnx: layer 'conv1': weight has 3 channels");
}

TEST(Status, ListsAllProblems) {
  const Status status = Status::All({InvalidModel("first"), Unsupported("second")});
  EXPECT_EQ(status.ToString(), "error ATH-2001 [import] first\nerror ATH-2101 [import] second");
}

TEST(Status, EveryCodeHasAnExplanation) {
  for (const ErrorCodeInfo& info : AllErrorCodes()) {
    EXPECT_FALSE(info.explanation.empty()) << static_cast<int>(info.code);
    EXPECT_GE(info.exit_code, 1);
    EXPECT_LE(info.exit_code, 5);
  }
}

}  // namespace
}  // namespace athanor
