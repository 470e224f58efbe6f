#include "score/table_parser.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace athanor::score {
namespace {

// Everything that a block says, as bytes.
std::string Told(const ParsedBlock& block, const std::vector<Column>& columns) {
  std::string told = fmt::format("{} rows\n", block.rows);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    for (std::size_t r = 0; r < block.rows; ++r) {
      const std::byte* at = block.columns[c].first + r * block.columns[c].stride;
      if (columns[c].dtype == DType::kString) {
        const char* text = nullptr;
        std::memcpy(&text, at, sizeof(text));
        told += fmt::format("\"{}\" ", text);
      } else {
        for (std::size_t i = 0; i < CellBytes(columns[c].dtype); ++i)
          told += fmt::format("{:02x}", static_cast<unsigned>(at[i]));
        told += ' ';
      }
    }
    told += '\n';
  }
  for (const std::string_view cell : block.kept) told += fmt::format("kept \"{}\"\n", cell);
  for (const BadRow& bad : block.bad)
    told += fmt::format("line {}: {}: {}\n", bad.line, bad.reason, bad.row);
  for (const std::size_t row : block.empty) told += fmt::format("empty {}\n", row);
  return told;
}

struct Case {
  TableFormat format = {};
  std::vector<std::string> names = {};
  std::vector<Column> columns = {};
  std::vector<std::size_t> keep = {};
  bool matrix = false;
};

// Rows read in vectors are what rows read cell by cell are, on every instruction set.
void ExpectTheSame(const Case& given, const std::string& text) {
  const auto parse = [&](const ParserOptions& options) {
    const TableParser parser(given.format, given.names, given.columns, given.keep, options);
    ParsedBlock block;  // whose memory is used again
    parser.Parse({.text = TableText("1,2\n3\n"), .first_line = 1}, block);
    parser.Parse({.text = TableText(text), .first_line = 7}, block);
    return Told(block, given.columns);
  };
  const std::string expected = parse({.matrix = given.matrix, .quick = false});
  for (const Isa isa : AvailableIsas())
    ASSERT_EQ(parse({.matrix = given.matrix, .isa = isa, .quick = true}), expected)
        << Name(isa) << "\n"
        << text;
}

std::vector<Case> Cases() {
  const auto column = [](std::size_t source, DType dtype) {
    return Column{.name = fmt::format("c{}", source), .source = source, .dtype = dtype};
  };
  const std::vector<std::string> names = {"c0", "c1", "c2", "c3"};
  const auto f32 = DType::kF32, f64 = DType::kF64, text = DType::kString;
  return {
      {{.on_error = OnError::kSkip, .separator = ','},
       names,
       {column(0, f32), column(1, f32), column(2, f32), column(3, f32)},
       {},
       true},
      {{.on_error = OnError::kNull, .separator = ','},
       names,
       {column(3, f64), column(1, f32)},
       {0, 3}},
      {{.on_error = OnError::kNull, .separator = ';'},
       names,
       {column(1, text), column(3, DType::kI64), column(0, f64), column(2, DType::kBool)},
       {3, 1}},
      {{.on_error = OnError::kSkip, .separator = ',', .missing = {"-999", "NA"}},
       names,
       {column(2, f32), column(3, text), column(0, DType::kI32)},
       {2, 3}},
      {{.on_error = OnError::kNull, .separator = ','}, {"c0"}, {column(0, f32)}, {0}, true},
      {{.on_error = OnError::kNull, .separator = ','}, {"c0"}, {column(0, text)}, {0}},
  };
}

std::string RandomTable(const Case& given, std::mt19937& random) {
  const std::vector<std::string> cells = {"1",
                                          "-2.5",
                                          "0.30471707",
                                          "1e-3",
                                          "-1.2345678e-05",
                                          "",
                                          "NA",
                                          "nan",
                                          "inf",
                                          " 4 ",
                                          "+7",
                                          "TRUE",
                                          "false",
                                          "x",
                                          "\"5\"",
                                          "\"a,b\"",
                                          "\"\"",
                                          "\"a\nb\"",
                                          "-999",
                                          "-999.0",
                                          "12345678901234567890",
                                          "0.1234567890123456",
                                          "9007199254740993",
                                          "1\r",
                                          "5\"",
                                          "\"open",
                                          std::string("z\0z", 3),
                                          ".",
                                          "-",
                                          "3.",
                                          "-0"};
  const std::size_t rows = random() % 40, oddness = 1 + random() % 60;
  std::string text;
  for (std::size_t r = 0; r < rows; ++r) {
    std::size_t width = given.names.size();
    if (random() % oddness == 0) width = random() % (width + 2);
    for (std::size_t c = 0; c < width; ++c) {
      if (c > 0) text += given.format.separator;
      const bool odd = random() % oddness == 0;
      text += odd ? cells[random() % cells.size()] : fmt::format("{}", random() % 2);
    }
    text += random() % oddness == 0 ? "\r\n" : "\n";
  }
  if (random() % 3 == 0 && !text.empty()) text.pop_back();
  return text;
}

TEST(TableParserTest, ReadsRowsInVectorsAsCellByCell) {
  std::mt19937 random(4);  // NOLINT(cert-msc51-cpp): the same tables every time
  for (const Case& given : Cases()) {
    for (int round = 0; round < 400; ++round) {
      ExpectTheSame(given, RandomTable(given, random));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(TableParserTest, ReadsRowsAcrossPieces) {
  const Case given = Cases()[1];
  std::string text;
  for (std::size_t length : {1, 100, 20000, 32760, 40000, 3, 32767, 32768, 70000}) {
    text += std::string(length, '7') + ",1.5,x,2\n";
    text += "8,\"" + std::string(length, '\n') + "\",,\n1,2,3,4\n";
  }
  for (int i = 0; i < 5000; ++i) text += fmt::format("{},{}.25,,1\r\n", i, i);
  ExpectTheSame(given, text);
}

// The zero behind a text took the place of the '\r', which was then taken for one of the cell.
TEST(TableParserTest, KeepsTheLastCellOfARowThatEndsWithCarriageReturn) {
  const std::vector<std::string> names = {"a", "b"};
  const std::vector<Column> columns = {{.name = "b", .source = 1, .dtype = DType::kString}};
  const TableParser parser({.separator = ','}, names, columns, {1});
  const ParsedBlock block = parser.Parse({.text = TableText("1,x\r\n2,yz\r\n")});
  EXPECT_EQ(block.kept, (std::vector<std::string_view>{"x", "yz"}));
}

TEST(TableParserTest, TakesNoMemoryForBlankLines) {
  Case given = {.format = {.separator = ','}, .matrix = true};
  for (std::size_t c = 0; c < 2000; ++c) {
    given.names.push_back(fmt::format("c{}", c));
    given.columns.push_back({.name = given.names.back(), .source = c, .dtype = DType::kF32});
  }
  const TableParser parser(given.format, given.names, given.columns, {}, {.matrix = true});
  const ParsedBlock block = parser.Parse({.text = TableText(std::string(1 << 20, '\n'))});
  EXPECT_EQ(block.rows, 0U);
  EXPECT_LT(block.memory_bytes, std::size_t{16} << 20);
}

TEST(TableParserTest, ReadsRowsOfThousandsOfCells) {
  Case given = {.format = {.on_error = OnError::kNull, .separator = ','}, .matrix = true};
  std::string row;
  for (std::size_t c = 0; c < 3000; ++c) {
    given.names.push_back(fmt::format("c{}", c));
    given.columns.push_back({.name = given.names.back(), .source = c, .dtype = DType::kF32});
    row += fmt::format("{}{}.5", c == 0 ? "" : ",", c);
  }
  ExpectTheSame(given, row + "\n" + row + ",1\n" + row + "\nx" + row + "\n" + row);
}

}  // namespace
}  // namespace athanor::score
