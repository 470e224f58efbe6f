#include "frontends/tabular/number_lists.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>

#include "frontends/tabular/document.h"

namespace athanor::tabular {
namespace {

std::span<const std::uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(NumberLists, TakesListsOfNothingButNumbers) {
  const auto taken =
      TakeNumberLists(R"({"a":[1, -2.5 ,3e2],"b":[],"c":["[4]",[5]],"d":[6,"x"],"e":7})");
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->rest, R"({"a":[0],"b":[],"c":["[4]",[1]],"d":[6,"x"],"e":7})");
  EXPECT_EQ(taken->lists, (std::vector<std::vector<double>>{{1, -2.5, 300}, {5}}));
}

TEST(NumberLists, LeavesOutWhatNobodyReads) {
  const std::string_view unread[] = {"a", "c"};
  const auto taken = TakeNumberLists(R"({"a": [1,2],"b":[3],"c":[4,"x"],"d":"a","e":[5]})", unread);
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->rest, R"({"a": null,"b":[0],"c":[4,"x"],"d":"a","e":[1]})");
}

// simdjson and strtod say what the numbers are.
TEST(NumberLists, HoldWhatTheTextSays) {
  const std::string_view numbers[] = {"0",
                                      "-0",
                                      "-0.0",
                                      "7",
                                      "-12",
                                      "9007199254740993",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "18446744073709551615",
                                      "0.1",
                                      "1e22",
                                      "1e23",
                                      "1E-5",
                                      "1.5e+3",
                                      "123456789012345678901.5",
                                      "2.2250738585072011e-308",
                                      "4.9e-324",
                                      "1e-400",
                                      "1.7976931348623157e308",
                                      "0.30000000000000004",
                                      "1.234567890123456789",
                                      "9007199254740993.0",
                                      "1e0000000000000000000000001"};
  for (const std::string_view number : numbers) {
    const std::string text = "[" + std::string(number) + "]";
    const Result<Value> value = ParseJson(Bytes(text));
    ASSERT_TRUE(value.ok()) << number;
    ASSERT_EQ(value->numbers.size(), 1U) << number;
    const double expected =
        number == "-0" ? 0.0 : std::strtod(std::string(number).c_str(), nullptr);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(value->numbers[0]),
              std::bit_cast<std::uint64_t>(expected))
        << number;
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto narrow = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (!std::isfinite(narrow)) continue;
    for (const std::string& text : {fmt::format("{:.9e}", narrow), fmt::format("{}", narrow)}) {
      const auto taken = TakeNumberLists("[" + text + "]");
      ASSERT_TRUE(taken.ok() && taken->lists.size() == 1) << text;
      EXPECT_EQ(taken->lists[0][0], std::strtod(text.c_str(), nullptr)) << text;
    }
  }
}

TEST(NumberLists, LeaveToJsonWhatItRefuses) {
  for (const std::string_view list : {"[01]",
                                      "[1.]",
                                      "[.5]",
                                      "[-]",
                                      "[+1]",
                                      "[1e]",
                                      "[1 2]",
                                      "[1,]",
                                      "[,1]",
                                      "[1e999]",
                                      "[NaN]",
                                      "[18446744073709551616]",
                                      "[99999999999999999999]",
                                      "[-9223372036854775809]",
                                      "[1",
                                      "[1,2",
                                      "[",
                                      "1]",
                                      "[1}",
                                      "[1-]"}) {
    const auto taken = TakeNumberLists(list);
    ASSERT_TRUE(taken.ok());
    EXPECT_EQ(taken->rest, list);
    EXPECT_EQ(ParseJson(Bytes(list)).status().code(), ErrorCode::kCorruptFile) << list;
  }
}

TEST(NumberLists, EndWhereTheTextDoes) {
  const std::string text = R"({"a":[1,-2.5e3],"b":["\"[1]",[[2]]]})";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::string part = text.substr(0, size);  // its own memory, for sanitizers
    EXPECT_EQ(ParseJson(Bytes(part)).ok(), size == text.size()) << part;
  }
}

}  // namespace
}  // namespace athanor::tabular
