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

// The quotient does not fit, and the processor raises a signal: a shape in a file could end the
// program.
TEST(Dim, TheSmallestIntegerHasNoQuotientByMinusOne) {
  EXPECT_TRUE(FloorDiv(Dim(INT64_MIN), Dim(-1)).IsUnknown());
  EXPECT_EQ(FloorDiv(Dim(7), Dim(-1)), Dim(-7));
  EXPECT_EQ(FloorDiv(kN - 1, Dim(-1)), Dim(1) - kN);
  const Result<Dim> smallest = Dim::Parse("(-9223372036854775807 - 1)*N*H");
  ASSERT_TRUE(smallest.ok());
  EXPECT_NE(FloorDiv(*smallest, kN * Dim(-1)), kH);
  const Result<Dim> parsed = Dim::Parse("floor((-9223372036854775807 - 1)/(0 - 1))");
  ASSERT_TRUE(parsed.ok());
  EXPECT_TRUE(parsed->IsUnknown());
}

// A file that joins thousands of values, each with a size of its own name, took minutes.
TEST(Dim, ASumOfManySymbolsIsUnknown) {
  Dim sum = 0;
  for (int i = 0; i < 20; ++i) sum = sum + Dim::Symbol(fmt::format("s{}", i));
  EXPECT_FALSE(sum.IsUnknown());
  for (int i = 0; i < 3000; ++i) sum = sum + Dim::Symbol(fmt::format("t{}", i));
  EXPECT_TRUE(sum.IsUnknown());
}

TEST(Dim, SubstitutionEvaluatesFloors) {
  const Dim half = FloorDiv(kN + 1, Dim(2));
  EXPECT_EQ(half.Substitute({{"N", Dim(7)}}), Dim(4));
}

}  // namespace
}  // namespace athanor
