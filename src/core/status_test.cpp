#include "core/status.h"

#include <gtest/gtest.h>

#include "core/writing.h"

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

TEST(Status, SaysTheSameProblemOnceWithItsPlaces) {
  std::vector<Status> problems;
  for (int i = 1; i <= 7; ++i)
    problems.push_back(InvalidModel("no such operator").In(fmt::format("node {}", i)));
  problems.insert(problems.begin() + 1, InvalidModel("no such type").In("node 9").Fix("cast it"));
  EXPECT_EQ(Status::All(std::move(problems)).In("a.onnx").ToString(),
            "error ATH-2001 [import] a.onnx: node 1: no such operator\n"
            "  7 times; also in node 2; node 3; node 4; node 5 and 2 more\n"
            "error ATH-2001 [import] a.onnx: node 9: no such type\n"
            "  fix: cast it");
}

TEST(Status, KeepsTheProblemsOfAList) {
  const Status two = Status::All({Unsupported("a"), Unsupported("b")});
  EXPECT_EQ(Status::All({two, Unsupported("c")}).ToString(),
            "error ATH-2101 [import] a\nerror ATH-2101 [import] b\nerror ATH-2101 [import] c");
}

TEST(Status, OfWritingNamesTheWriting) {
  const Status problems =
      Status::All({Unsupported("no layer for it").In("node \"a\"").Fix("--opset 21"),
                   Error(ErrorCode::kUnsupportedType, "f16").In("node \"b\""),
                   Error(ErrorCode::kResource, "2 GiB at most")});
  EXPECT_EQ(OfWriting(problems).ToString(),
            "error ATH-2401 [export] node \"a\": no layer for it\n"
            "  fix: --opset 21\n"
            "error ATH-2401 [export] node \"b\": f16\n"
            "error ATH-4001 [limit] 2 GiB at most");
  EXPECT_TRUE(OfWriting({}).ok());
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
