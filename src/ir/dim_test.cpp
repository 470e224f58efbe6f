#include "ir/dim.h"

#include <gtest/gtest.h>

namespace athanor {
namespace {

const Dim kN = Dim::Symbol("N");
const Dim kH = Dim::Symbol("H");

TEST(Dim, EqualExpressionsAreEqualHoweverTheyWereBuilt) {
  EXPECT_EQ((kN + 1) * 2, kN * 2 + 2);
  EXPECT_EQ(kN * kH, kH * kN);
  EXPECT_EQ(kN - kN, Dim(0));
}

TEST(Dim, DivisionCancelsWhatComesOutEven) {
  EXPECT_EQ(FloorDiv(kN * 6, Dim(3)), kN * 2);
  EXPECT_EQ(FloorDiv(kN * kH * 4, kN), kH * 4);
  EXPECT_EQ(FloorDiv(kN * 2 + 3, Dim(2)), kN + 1);
  EXPECT_EQ(FloorDiv(Dim(-7), Dim(2)), Dim(-4));
}

TEST(Dim, TextRoundTrips) {
  for (const Dim& dim :
       {Dim(7), kN, kN * 2 - kH + 1, FloorDiv(kN + 1, Dim(2)) * 3, Dim::Unknown()}) {
    const Result<Dim> parsed = Dim::Parse(dim.ToString());
    ASSERT_TRUE(parsed.ok()) << dim.ToString();
    EXPECT_EQ(*parsed, dim) << dim.ToString();
  }
}

TEST(Dim, OverflowIsUnknownNotWrong) {
  EXPECT_TRUE((Dim(INT64_MAX) + 1).IsUnknown());
  EXPECT_TRUE((Dim(INT64_MAX) * 2).IsUnknown());
}

TEST(Dim, SubstitutionEvaluatesFloors) {
  const Dim half = FloorDiv(kN + 1, Dim(2));
  EXPECT_EQ(half.Substitute({{"N", Dim(7)}}), Dim(4));
}

}  // namespace
}  // namespace athanor
