#include "verify/layout.h"

#include <gtest/gtest.h>

namespace athanor {
namespace {

Tensor Counting(const Dims& dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
  return Tensor::FromVector<float>(dims, values);
}

TEST(LayoutsBetween, FindsChannelsLastAndFirst) {
  EXPECT_EQ(LayoutsBetween({1, 3, 8, 9}, {1, 8, 9, 3}), (std::vector<Axes>{{0, 2, 3, 1}}));
  EXPECT_EQ(LayoutsBetween({1, 8, 9, 3}, {1, 3, 8, 9}), (std::vector<Axes>{{0, 3, 1, 2}}));
  EXPECT_EQ(LayoutsBetween({3, 8, 9}, {8, 9, 3}), (std::vector<Axes>{{1, 2, 0}}));
}

TEST(LayoutsBetween, PrefersTheTensorAsItIsAndLetsSymbolsFitAny) {
  EXPECT_EQ(LayoutsBetween({1, 3, 8, 9}, {Dim::Symbol("N"), 3, Dim::Symbol("H"), 9}).front(),
            (Axes{0, 1, 2, 3}));
  EXPECT_TRUE(LayoutsBetween({1, 3, 8, 9}, {1, 9, 8, 3}).empty());
  EXPECT_TRUE(LayoutsBetween({1, 3}, {3, 1}).empty());
}

TEST(Permuted, PutsEveryElementWhereItsAxesSay) {
  // By hand: element [c, h, w] of 2 channels of 1x3 is 3 c + w.
  const Result<Tensor> last = Permuted(Counting({1, 2, 1, 3}), {0, 2, 3, 1});
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->dims(), (Dims{1, 1, 3, 2}));
  const auto values = last->Data<float>();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
            (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

TEST(InLayoutOf, SaysWhatItDid) {
  Axes axes;
  const Type wanted = Type::Tensor(DType::kF32, {1, 4, 5, 2});
  const Result<Datum> changed = InLayoutOf(wanted, Counting({1, 2, 4, 5}), axes);
  ASSERT_TRUE(changed.ok());
  EXPECT_EQ(changed->tensor().dims(), (Dims{1, 4, 5, 2}));
  EXPECT_EQ(LayoutText(axes), "channels first -> last");
}

}  // namespace
}  // namespace athanor
