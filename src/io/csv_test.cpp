#include "io/csv.h"

#include <gtest/gtest.h>

#include <cmath>

namespace athanor::io {
namespace {

std::vector<CsvRow> Rows(CsvReader& reader) {
  std::vector<CsvRow> rows;
  for (;;) {
    auto row = reader.Next();
    EXPECT_TRUE(row.ok()) << row.status().ToString();
    if (!row.ok() || !*row) return rows;
    rows.push_back(**row);
  }
}

TEST(Csv, QuotesHoldSeparatorsLineEndsAndQuotes) {
  auto reader = CsvReader::FromText("name,text\na,\"x, \"\"y\"\"\nz\"\r\nb,\n", nullptr);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->header(), (std::vector<std::string>{"name", "text"}));
  const auto rows = Rows(*reader);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0][1].text, "x, \"y\"\nz");
  EXPECT_TRUE(rows[1][1].missing);
}

TEST(Csv, AFirstRowWithNumbersIsNoHeader) {
  auto reader = CsvReader::FromText("1;2\n3;4", nullptr);
  EXPECT_TRUE(reader->header().empty());
  const auto rows = Rows(*reader);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1][1].Number(), 4.0);
}

TEST(Csv, MissingCellsAreNaNAndQuotedOnesAreText) {
  auto reader = CsvReader::FromText("a,b,c\nNA, ,\"\"\n", nullptr);
  const auto rows = Rows(*reader);
  EXPECT_TRUE(std::isnan(*rows[0][0].Number()));
  EXPECT_TRUE(std::isnan(*rows[0][1].Number()));
  EXPECT_FALSE(rows[0][2].missing);
  EXPECT_EQ(rows[0][2].Number(), std::nullopt);
}

TEST(Csv, ARowOfAnotherLengthNamesItsLine) {
  auto reader = CsvReader::FromText("a,b\n1,2\n\n3\n", nullptr);
  ASSERT_TRUE(reader->Next().ok());
  const auto status = reader->Next().status();
  EXPECT_EQ(status.message(), "line 4: 1 cells, the first row has 2");
}

TEST(Csv, AnOpenQuoteIsAnError) { EXPECT_FALSE(CsvReader::FromText("a,\"b\n1,2\n", nullptr).ok()); }

TEST(Csv, TheByteOrderMarkIsDropped) {
  auto reader = CsvReader::FromText("\xEF\xBB\xBFid\nx\n", nullptr);
  EXPECT_EQ(reader->Column("id"), 0U);
}

TEST(Csv, ATableOfNumbersBecomesAMatrix) {
  const auto table = ReadCsvMatrix("examples/tabular/rows.csv");
  ASSERT_TRUE(table.ok()) << table.status().ToString();
  EXPECT_EQ(table->values.dims(), (Dims{200, 11}));
  EXPECT_EQ(table->columns.size(), 11U);
}

TEST(Csv, TextInATableOfNumbersNamesLineAndColumn) {
  const auto status = ReadCsvMatrix("examples/digits/labels.csv").status();
  EXPECT_EQ(status.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(status.message().find("line 2, column \""), std::string::npos) << status.ToString();
}

}  // namespace
}  // namespace athanor::io
