#include "frontends/answer_for_test.h"
#include "frontends/coreml/files_for_test.h"
#include "frontends/coreml/import.h"

namespace athanor::coreml {
namespace {

using Floats = std::vector<float>;

Result<Graph> Read(const std::vector<std::string>& operations) {
  ProgramMaker m;
  m.operations = operations;
  const auto owned = std::make_shared<std::string>(m.Bytes());
  return Import({reinterpret_cast<const std::uint8_t*>(owned->data()), owned->size()}, owned);
}

// Where the sum of x is above 0: relu(x), else 2 x. Both read x, which lies outside.
TEST(CoremlControl, ACondTakesOneBranch) {
  const std::string branches =
      MilBlock({}, {MilOperation("relu", {{"x", "x"}}, "r")}, {"r"}) +
      MilBlock({}, {MilOperation("mul", {{"x", "x"}, {"y", "two"}}, "m")}, {"m"});
  const auto graph =
      Read({MilConstant("zero", MilFloats({}, {0})), MilConstant("two", MilFloats({}, {2})),
            MilOperation("reduce_sum", {{"x", "x"}}, "s"),
            MilOperation("greater", {{"x", "s"}, {"y", "zero"}}, "p"),
            MilOperation("cond", {{"pred", "p"}}, "y") + branches});
  EXPECT_EQ(Answer(graph, {1, 3}, {5, -1, 1}), (Floats{5, 0, 1}));
  EXPECT_EQ(Answer(graph, {1, 3}, {-5, 1, 1}), (Floats{-10, 2, 2}));
}

std::string Loop(const std::string& first, const std::string& step) {
  const std::string scalar = MilType(kMilFloat32, {}), row = MilType(kMilFloat32, {1, 3});
  const std::string variables =
      Part(2, Part(1, "loop_vars") + Part(2, Part(1, Part(1, "zero")) + Part(1, Part(1, "x"))));
  return Part(1, "while_loop") + variables + Part(3, Part(1, "n")) + Part(3, Part(1, "y")) +
         MilBlock({MilNamed("i", scalar), MilNamed("v", row)},
                  {MilOperation("less", {{"x", "i"}, {"y", first}}, "more")}, {"more"}) +
         MilBlock({MilNamed("j", scalar), MilNamed("w", row)},
                  {MilOperation("add", {{"x", "j"}, {"y", "one"}}, "k"),
                   MilOperation("add", {{"x", "w"}, {"y", step}}, "u")},
                  {"k", "u"});
}

// v = x; three times v += x, and none where the first look says so.
TEST(CoremlControl, ALoopRunsWhileItsConditionHolds) {
  const std::vector<std::string> constants = {MilConstant("zero", MilFloats({}, {0})),
                                              MilConstant("one", MilFloats({}, {1})),
                                              MilConstant("three", MilFloats({}, {3}))};
  for (const auto& [limit, times] : {std::pair("three", 4.0F), {"zero", 1.0F}}) {
    std::vector<std::string> operations = constants;
    operations.push_back(Loop(limit, "x"));
    EXPECT_EQ(Answer(Read(operations), {1, 3}, {1, 2, -3}), (Floats{times, 2 * times, -3 * times}));
  }
}

TEST(CoremlControl, WhatIsWrongInABodyIsTold) {
  const std::string one = MilBlock({}, {}, {"x"}), odd = MilBlock({}, {}, {"nowhere"});
  const auto refused = [&](const std::string& operation) {
    return Read({MilConstant("p", MilBytes(kMilBool, {}, std::string(1, '\1'))), operation})
        .status()
        .ToString();
  };
  const std::string head = MilOperation("cond", {{"pred", "p"}}, "y");
  EXPECT_NE(refused(head + one).find("1 blocks; two are expected"), std::string::npos);
  EXPECT_NE(refused(head + one + odd).find("nothing in its block makes \"nowhere\""),
            std::string::npos);
  const std::string unread = MilBlock({}, {MilOperation("odd", {{"x", "x"}}, "o")}, {"o"});
  EXPECT_NE(refused(head + unread + one).find("operation \"odd\" is not read (1 use)"),
            std::string::npos);
}

// Each condition holds a loop whose condition holds a loop: every level doubles the operations.
TEST(CoremlControl, LoopsInConditionsEnd) {
  const std::string scalar = MilType(kMilFloat32, {1, 3});
  const std::string variable = Part(2, Part(1, "loop_vars") + Part(2, Part(1, Part(1, "x"))));
  std::string inner;
  for (int depth = 0; depth < 24; ++depth) {
    const std::string name = std::to_string(depth);
    inner = Part(1, "while_loop") + variable + Part(3, Part(1, "y" + name)) +
            MilBlock({MilNamed("a" + name, scalar)},
                     {inner.empty() ? MilOperation("relu", {{"x", "x"}}, "r") : inner}, {"p"}) +
            MilBlock({MilNamed("b" + name, scalar)}, {}, {"b" + name});
  }
  const auto graph = Read({MilConstant("p", MilBytes(kMilBool, {}, std::string(1, '\1'))), inner});
  EXPECT_EQ(graph.status().code(), ErrorCode::kResource) << graph.status().ToString();
}

}  // namespace
}  // namespace athanor::coreml
