#include "quant/channel_groups.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::quant {
namespace {

struct Found {
  Graph graph;
  Candidates candidates;
  std::vector<ChannelGroup> groups = {};
};

Found GroupsOf(std::string_view text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  Result<Candidates> candidates = FindCandidates(*graph);
  EXPECT_TRUE(candidates.ok());
  Found found = {.graph = *std::move(graph), .candidates = *std::move(candidates)};
  Result<std::vector<ChannelGroup>> groups = FindChannelGroups(found.graph, found.candidates);
  EXPECT_TRUE(groups.ok()) << groups.status().ToString();
  found.groups = *std::move(groups);
  return found;
}

std::string EndsOf(const Found& found, const std::vector<ChannelEnd>& ends) {
  std::string text;
  for (const ChannelEnd& end : ends)
    text += fmt::format("{}{} ", found.graph.node(end.product->node).name, end.channel);
  return text;
}

// The numbers of a constant were taken for those of channels, whose weights then changed alone.
TEST(ChannelGroups, LeaveOutWhatIsJoinedWithConstants) {
  for (const char* numbers : {"[0, 0]", "[-1, 3000000]"}) {
    const Found found = GroupsOf(fmt::format(R"(
graph main(x: f32[1, 2, 1, 1]) -> (y: f32[1, 3, 1, 1]) {{
  const %wa: f32[2, 2, 1, 1] = random(1)
  const %wb: f32[3, 4, 1, 1] = random(2)
  const %k: f32[1, 2, 1, 1] = {}
  %a = Conv(%x, %wa) @a
  %j = Concat(%a, %k) {{axis = 1}}
  %y = Conv(%j, %wb) @b
}}
)",
                                             numbers));
    EXPECT_TRUE(found.groups.empty()) << numbers;
  }
}

// Sizes whose product is too large for any integer were multiplied, though there is no element.
TEST(ChannelGroups, LeaveOutValuesWithoutElements) {
  const Found found = GroupsOf(R"(
graph main(x: f32[0, 2, 4294967296, 4294967296]) -> (y: f32[0, 3, 4294967296, 4294967296]) {
  const %wa: f32[2, 2, 1, 1] = random(1)
  const %wb: f32[3, 2, 1, 1] = random(2)
  %a = Conv(%x, %wa) @a
  %t = Transpose(%a) {perm = [0, 1, 3, 2]}
  %y = Conv(%t, %wb) @b
}
)");
  EXPECT_TRUE(found.groups.empty());
}

// The shuffle of ShuffleNet: channels a0 a1 b0 b1 become a0 b0 a1 b1.
TEST(ChannelGroups, FollowAShuffle) {
  const Found found = GroupsOf(R"(
graph main(x: f32[1, 2, 4, 4]) -> (y: f32[1, 3, 4, 4], z: f32[1, 3, 4, 4]) {
  const %wa: f32[2, 2, 1, 1] = random(1)
  const %wb: f32[2, 2, 1, 1] = random(2)
  const %wc: f32[3, 2, 1, 1] = random(3)
  const %wd: f32[3, 2, 1, 1] = random(4)
  const %split: i64[5] = [1, 2, 2, 4, 4]
  const %back: i64[4] = [1, 4, 4, 4]
  const %halves: i64[2] = [2, 2]
  %a = Conv(%x, %wa) @a
  %b = Conv(%x, %wb) @b
  %ar = Relu(%a)
  %j = Concat(%ar, %b) {axis = 1}
  %s = Reshape(%j, %split)
  %t = Transpose(%s) {perm = [0, 2, 1, 3, 4]}
  %u = Reshape(%t, %back)
  %front, %rest = Split(%u, %halves) {axis = 1}
  %y = Conv(%front, %wc) @c
  %z = Conv(%rest, %wd) @d
}
)");
  ASSERT_EQ(found.groups.size(), 4U);
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a0 ", "c0 "}, {"a1 ", "d0 "}, {"b0 ", "c1 "}, {"b1 ", "d1 "}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(EndsOf(found, found.groups[i].makers), expected[i].first);
    EXPECT_EQ(EndsOf(found, found.groups[i].readers), expected[i].second);
  }
}

TEST(ChannelGroups, SumsTieChannelsAndClipsLimitThem) {
  const Found found = GroupsOf(R"(
graph main(x: f32[1, 2, 4, 4]) -> (y: f32[1, 3, 1, 1]) {
  const %wa: f32[2, 2, 1, 1] = random(1)
  const %wb: f32[2, 1, 3, 3] = random(2)
  const %wc: f32[3, 2, 1, 1] = random(3)
  const %low: f32[] = [0]
  const %high: f32[] = [6]
  %a = Conv(%x, %wa) @a
  %r = Clip(%a, %low, %high)
  %b = Conv(%r, %wb) {group = 2, pads = [1, 1, 1, 1]} @b
  %s = Add(%b, %r)
  %p = GlobalAveragePool(%s)
  %y = Conv(%p, %wc) @c
}
)");
  ASSERT_EQ(found.groups.size(), 2U);
  EXPECT_EQ(EndsOf(found, found.groups[1].makers), "a1 b1 ");
  EXPECT_EQ(EndsOf(found, found.groups[1].readers), "b1 c1 ");
  double least = 1e9;
  for (const ChannelPlace& place : found.groups[1].places) least = std::min(least, place.limit);
  EXPECT_EQ(least, 6);
}

TEST(ChannelGroups, LeaveOutWhatAnythingElseReads) {
  // An answer; a curve; weights that two products share; a Clip that does not begin at 0.
  for (const char* between :
       {"%m = Relu(%a)\n  %z = Relu(%a)", "%m = Sigmoid(%a)\n  %z = Relu(%x)",
        "%m = Conv(%a, %w) @same\n  %z = Relu(%x)", "%m = Clip(%a, %one, %six)\n  %z = Relu(%x)"}) {
    const Found found = GroupsOf(fmt::format(R"(
graph main(x: f32[1, 2, 4, 4]) -> (y: f32[1, 2, 4, 4], z: f32[1, 2, 4, 4]) {{
  const %w: f32[2, 2, 1, 1] = random(1)
  const %v: f32[2, 2, 1, 1] = random(2)
  const %one: f32[] = [1]
  const %six: f32[] = [6]
  %a = Conv(%x, %w) @a
  {}
  %y = Conv(%m, %v) @b
}}
)",
                                             between));
    EXPECT_TRUE(found.groups.empty()) << between;
  }
}

}  // namespace
}  // namespace athanor::quant
