// Values from the definitions: Python's str and datetime (3.11), C's printf, dates by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "ops/run_for_test.h"
#include "ops/text/moment.h"

namespace athanor::ops {
namespace {

using Strings = std::vector<std::string>;

Tensor Text(Strings strings) {
  const auto count = static_cast<std::int64_t>(strings.size());
  return Tensor::FromVector({count}, std::move(strings));
}
Tensor Numbers(std::vector<double> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  return Tensor::FromVector({count}, std::move(numbers));
}

Strings Answer(std::string_view op, std::vector<Tensor> inputs, AttrMap attributes = {}) {
  const auto y = RunOperator(op, std::move(inputs), std::move(attributes));
  EXPECT_TRUE(y.ok()) << y.status().ToString();
  if (!y.ok()) return {};
  const auto data = (*y)[0].Data<std::string>();
  return {data.begin(), data.end()};
}

TEST(TextFunctions, TakeCharactersNotBytes) {
  EXPECT_EQ(Answer("Substring", {Text({"h\xC3\xA9llo", "ab"}), Numbers({2}), Numbers({2})}),
            (Strings{"\xC3\xA9l", "b"}));
  EXPECT_EQ(
      Answer("Substring", {Text({"abc", "abc", "abc"}), Numbers({0, 9, NAN}), Numbers({2, 2, 2})}),
      (Strings{"a", "", ""}));
  const auto length = RunOperator("StringLength", {Text({"h\xC3\xA9llo", ""})});
  ASSERT_TRUE(length.ok());
  EXPECT_TRUE((*length)[0].SameAs(Tensor::FromVector<std::int64_t>({2}, {5, 0})));
}

TEST(TextFunctions, ChangeLettersBlanksAndPatterns) {
  EXPECT_EQ(Answer("StringCase", {Text({"a\xC3\xA9Z"})}, {{"to", std::string("upper")}}),
            (Strings{"A\xC3\x89Z"}));
  EXPECT_EQ(Answer("StringTrim", {Text({" \ta b\n", "  "})}), (Strings{"a b", ""}));
  EXPECT_EQ(
      Answer("RegexReplace", {Text({"2024-05", "none"})},
             {{"pattern", std::string("(\\d+)-(\\d+)")}, {"replacement", std::string("\\2/\\1")}}),
      (Strings{"05/2024", "none"}));
  EXPECT_EQ(
      Answer("StringJoin", {Tensor::FromVector<std::string>({2, 3}, {"a", "", "b", "", "", ""})},
             {{"delimiter", std::string("|")}}),
      (Strings{"a|b", ""}));
}

TEST(TextFunctions, FormatNumbersAsPrintfDoes) {
  const auto format = [](const std::string& pattern, double value) {
    return Answer("FormatNumber", {Numbers({value})}, {{"pattern", pattern}})[0];
  };
  EXPECT_EQ(format("%3d", 2), "  2");
  EXPECT_EQ(format("%-4d|", 2), "2   |");
  EXPECT_EQ(format("%+.2f", 3.14159), "+3.14");
  EXPECT_EQ(format("%08.2f", -3.5), "-0003.50");
  EXPECT_EQ(format("%.3e", 12345.678), "1.235e+04");
  EXPECT_EQ(format("a%%b %g", 0.5), "a%b 0.5");
  EXPECT_EQ(format("", 0.1), "0.1");
  EXPECT_EQ(format("", 3), "3");
  EXPECT_EQ(format("%d", NAN), "");
  for (const char* bad : {"%", "%q", "none", "%d %d", "%99999d", "%{}d"}) {
    EXPECT_FALSE(RunOperator("FormatNumber", {Numbers({1})}, {{"pattern", std::string(bad)}}).ok())
        << bad;
  }
}

TEST(Moments, AreCountedAsTheCalendarDoes) {
  EXPECT_EQ(ParseMoment("1970-01-01", MomentKind::kDate), 0);
  EXPECT_EQ(ParseMoment("2024-02-29", MomentKind::kDate), 1709164800);
  EXPECT_EQ(ParseMoment("2024-02-29T13:45:07.25", MomentKind::kDateTime), 1709214307.25);
  EXPECT_EQ(ParseMoment("1900-03-01 00:00:00Z", MomentKind::kDateTime), -2203891200);
  EXPECT_EQ(ParseMoment("0001-01-01", MomentKind::kDate), -62135596800);
  EXPECT_EQ(ParseMoment("05:23:30", MomentKind::kTime), 19410);
  EXPECT_EQ(StartOfYear(1960), -315619200);
  for (const char* bad : {"2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "24-01-01", "",
                          "2024-01-01x", "2024-01-01T25:00", "not a date"})
    EXPECT_FALSE(ParseMoment(bad, MomentKind::kDateTime)) << bad;
}

TEST(Moments, AreWrittenAsStrftimeDoes) {
  EXPECT_EQ(FormatMoment(1709214307, "%Y-%m-%d %H:%M:%S"), "2024-02-29 13:45:07");
  EXPECT_EQ(FormatMoment(1709214307, "%a %A %b %B %d %j %y %I %p %%"),
            "Thu Thursday Feb February 29 060 24 01 PM %");
  EXPECT_EQ(FormatMoment(-1, "%F %T"), "1969-12-31 23:59:59");
  EXPECT_EQ(FormatMoment(NAN, "%F"), "");
  EXPECT_EQ(FormatMoment(1e300, "%F"), "");
  EXPECT_FALSE(IsMomentPattern("%Q"));
  EXPECT_FALSE(IsMomentPattern("100%"));
}

}  // namespace
}  // namespace athanor::ops
