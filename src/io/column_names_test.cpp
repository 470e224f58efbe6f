#include "io/column_names.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace athanor::io {
namespace {

using Places = std::vector<std::size_t>;

TEST(ColumnNames, ArePlacesInTheOrderOfTheNames) {
  const Result<Places> found = FindColumns({"a", "b", "c"}, {"c", "a"});
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(*found, (Places{2, 0}));
}

TEST(ColumnNames, ThatATableHasTwiceAreRefused) {
  for (const std::vector<std::string>& header :
       {std::vector<std::string>{"a", "b", "b"}, {"b", "b", "a"}, {"b", "a", "b", "b"}}) {
    const Result<Places> found = FindColumns(header, {"a", "b"});
    ASSERT_FALSE(found.ok());
    EXPECT_NE(found.status().message().find("the column \"b\" twice"), std::string::npos);
    EXPECT_TRUE(FindColumns(header, {"a"}).ok());
  }
}

TEST(ColumnNames, ThatAreNotThereAreListed) {
  const Result<Places> found = FindColumns({"hours", "day"}, {"hour", "day", "week"});
  ASSERT_FALSE(found.ok());
  const std::string text = found.status().ToString();
  EXPECT_NE(text.find("no column \"hour\" (did you mean \"hours\"?)"), std::string::npos) << text;
  EXPECT_NE(text.find("no column \"week\""), std::string::npos) << text;
  EXPECT_NE(text.find("the columns of the table are \"hours\", \"day\""), std::string::npos);
}

// Each of them was compared with each column: 4000 took half a minute.
TEST(ColumnNames, OfAnotherTableAreNotAllListed) {
  std::vector<std::string> header, names;
  for (int i = 0; i < 20'000; ++i) {
    header.push_back(fmt::format("fxature_{}", i));
    names.push_back(fmt::format("feature_{}", i));
  }
  const Result<Places> found = FindColumns(header, names);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.status().others().size(), 20U);
  const std::string text = found.status().ToString();
  EXPECT_NE(text.find("19980 more names are not there"), std::string::npos) << text;
  EXPECT_NE(text.find("the columns of the table are \"fxature_0\""), std::string::npos) << text;
}

}  // namespace
}  // namespace athanor::io
