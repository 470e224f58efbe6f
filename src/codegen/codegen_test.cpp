#include <gtest/gtest.h>

#include "codegen/arena.h"
#include "codegen/files.h"
#include "codegen/program.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::codegen {
namespace {

TEST(Arena, BuffersThatLiveAtTheSameTimeDoNotOverlap) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < 30; ++i)
    buffers.push_back({.name = {}, .bytes = 7 + i * 37 % 100, .first = i, .last = i + 1 + i % 4});
  const std::int64_t size = PlaceBuffers(buffers);
  EXPECT_GE(size, LowerBound(buffers));
  for (const Buffer& a : buffers) {
    EXPECT_EQ(a.offset % kArenaAlignment, 0);
    EXPECT_LE(a.offset + a.bytes, size);
    for (const Buffer& b : buffers) {
      const bool apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
      EXPECT_TRUE(&a == &b || !a.Overlaps(b) || apart);
    }
  }
}

TEST(Arena, AChainNeedsItsTwoLargestNeighbours) {
  std::vector<Buffer> chain = {{.name = {}, .bytes = 64, .first = 0, .last = 1},
                               {.name = {}, .bytes = 128, .first = 1, .last = 2},
                               {.name = {}, .bytes = 32, .first = 2, .last = 3}};
  EXPECT_EQ(PlaceBuffers(chain), 192);
  EXPECT_EQ(LowerBound(chain), 192);
}

TEST(CName, GivesANameThatCTakes) {
  EXPECT_EQ(CName("conv/1:0", "x"), "conv_1_0");
  EXPECT_EQ(CName("3d", "x"), "_3d");
  EXPECT_EQ(CName("int", "x"), "int_");
  EXPECT_EQ(CName("***", "x"), "x");
  EXPECT_EQ(CommentText("a*/b"), "a__b");
}

Result<Program> Generated(std::string_view text, Options options = {}) {
  ATH_TRY(Graph graph, ParseText(text, ops::Standard()));
  return Generate(std::move(graph), options);
}

TEST(Generate, ListsEverythingThatHasNoForm) {
  const Status status = Generated(R"(graph g(x: f32[1, 4]) -> (b) {
  %a = Erf(%x)
  %b = Tanh(%a)
})")
                            .status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported);
  EXPECT_GE(status.others().size(), 2U) << status.ToString();
}

TEST(Generate, RefusesANameThatIsNotOne) {
  Options options;
  options.name = "a b";
  EXPECT_EQ(Generated("graph g(x: f32[1]) -> (y) { %y = Tanh(%x) }", options).status().code(),
            ErrorCode::kUsage);
}

}  // namespace
}  // namespace athanor::codegen
