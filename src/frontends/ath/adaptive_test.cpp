#include "frontends/ath/adaptive.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numeric>

#include "core/trellis.h"

namespace athanor::ath {
namespace {

template <class T>
void ExpectBack(const std::vector<T>& values) {
  const std::vector<std::uint8_t> code = AdaptiveCode(std::span<const T>(values));
  std::vector<T> back(values.size(), T{7});
  const Status status = AdaptiveDecode(code, std::span<T>(back));
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(back, values);
}

TEST(Adaptive, IntegersOfEveryTypeAndSizeComeBack) {
  ExpectBack<std::int8_t>({});
  ExpectBack<std::int8_t>({0});
  ExpectBack<std::int8_t>({-128, 127, -1, 1, 0});
  ExpectBack<std::uint8_t>({0, 255, 128, 1});
  ExpectBack<std::int16_t>({-32768, 32767, 0, -1, 1, 256, -256});
  std::vector<std::int16_t> all(65536);
  std::iota(all.begin(), all.end(), std::int16_t{-32768});
  ExpectBack(all);
  ExpectBack(std::vector<std::int8_t>(5000, 0));
  ExpectBack(std::vector<std::uint8_t>(5000, 255));
}

std::uint32_t Next(std::uint32_t& random) { return random = random * 1664525 + 1013904223; }

// 0 half of the time, 1 a quarter, and so on up to 7.
TEST(Adaptive, TakesTheEntropyAndLittleForLearning) {
  std::uint32_t random = 1;
  std::vector<std::uint8_t> values;
  for (int i = 0; i < 20000; ++i)
    values.push_back(static_cast<std::uint8_t>(std::min(std::countl_zero(Next(random)), 7)));
  const double entropy = 20000 * 127.0 / 64 / 8;
  const auto size = static_cast<double>(AdaptiveCode(std::span<const std::uint8_t>(values)).size());
  EXPECT_NEAR(size, entropy, 0.01 * entropy);
  // A hundred of them: no table, and learnt soon.
  const std::span<const std::uint8_t> few = std::span(values).first(100);
  EXPECT_LT(AdaptiveCode(few).size(), 100 * 127 / 64 / 8 + 12);
}

TEST(Adaptive, ADamagedCodeIsRefusedOrGivesOtherIntegersOfTheSameType) {
  std::uint32_t random = 3;
  std::vector<std::int16_t> values(200);
  for (std::int16_t& value : values)
    value = static_cast<std::int16_t>(static_cast<std::int32_t>(Next(random)) >> 22);
  const std::vector<std::uint8_t> code = AdaptiveCode(std::span<const std::int16_t>(values));
  std::vector<std::int16_t> back(values.size());
  for (std::size_t i = 0; i < code.size(); ++i) {
    std::vector<std::uint8_t> bad = code;
    bad[i] ^= 0x55U;
    (void)AdaptiveDecode(bad, std::span(back)).ok();
  }
  std::vector<std::uint8_t> longer = code;
  longer.insert(longer.end(), 8, 1);
  EXPECT_EQ(AdaptiveDecode(longer, std::span(back)).code(), ErrorCode::kCorruptFile);
  std::vector<std::int8_t> narrow(values.size());
  EXPECT_EQ(AdaptiveDecode(code, std::span(narrow)).code(), ErrorCode::kCorruptFile);
}

// A path of random indices, a row of 50 after another.
std::vector<std::int8_t> OnTrellis(std::size_t count) {
  std::uint32_t random = 5;
  std::vector<std::int8_t> values;
  int state = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % 50 == 0) state = 0;
    const int index = static_cast<int>((Next(random) >> 8) % 7) - 3;
    values.push_back(static_cast<std::int8_t>(trellis::ValueOf(state, index)));
    state = trellis::Next(state, index);
  }
  return values;
}

TEST(Adaptive, RowsOnATrellisTakeTheBitsOfTheirIndices) {
  const std::vector<std::int8_t> values = OnTrellis(20000);
  const auto code = TrellisCode(values, 50);
  ASSERT_TRUE(code.has_value());
  // Seven of the same chance.
  EXPECT_NEAR(static_cast<double>(code->size()), 20000 * std::log2(7) / 8, 50);
  std::vector<std::int8_t> back(values.size());
  const Status status = TrellisDecode(*code, 50, back);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(back, values);
}

TEST(Adaptive, WhatIsNotOnTheTrellisHasNoCodeOfThatKind) {
  std::vector<std::int8_t> values = OnTrellis(100);
  EXPECT_TRUE(TrellisCode(values, 50).has_value());
  values[50] = 1;  // every row begins in a state that allows even values alone
  EXPECT_FALSE(TrellisCode(values, 50).has_value());
}

}  // namespace
}  // namespace athanor::ath
