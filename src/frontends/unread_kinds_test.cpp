#include "frontends/unread_kinds.h"

#include <gtest/gtest.h>

namespace athanor {
namespace {

TEST(UnreadKinds, TellsEachKindOnceWithItsFirstPlace) {
  UnreadKinds unread;
  EXPECT_TRUE(unread.Problems("layer", {}).ok());
  for (const char* place : {"node 3", "node 5"}) unread.Add("Relus", [&] { return place; });
  unread.Add("Odd");
  const Status status =
      unread.Problems("layer", {"Relu"}, [](const std::string& kind) { return "drop " + kind; });
  EXPECT_EQ(status.ToString(),
            "error ATH-2003 [import] layer \"Odd\" is not read (1 use)\n"
            "  fix: drop Odd\n"
            "error ATH-2003 [import] node 3: layer \"Relus\" is not read (2 uses) (did you mean "
            "\"Relu\"?)\n"
            "  fix: drop Relus");
}

TEST(UnreadKinds, AHostileFileGetsAShortAnswer) {
  UnreadKinds unread;
  for (int i = 0; i < 1000; ++i) unread.Add(std::string(10000, 'x') + std::to_string(i));
  const Status status = unread.Problems("layer", {});
  EXPECT_EQ(status.others().size(), 99U);
  EXPECT_LT(status.message().size(), 200U);
}

}  // namespace
}  // namespace athanor
