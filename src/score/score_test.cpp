#include "score/score.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "io/npy.h"
#include "score/partition.h"
#include "score/row_blocks.h"

namespace athanor::score {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModel = "examples/tabular/fraud.json";
constexpr const char* kRows = "examples/tabular/rows.csv";

class ScoreTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("athanor_score_{}", getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  Result<ScoreReport> Run(const std::string& table, ScoreOptions options = {}) const {
    if (options.model.empty()) options.model = kModel;
    options.input = table;
    options.output = folder_ / "out.csv";
    return Score(options);
  }
  std::string Out() const { return Read(folder_ / "out.csv"); }

  fs::path folder_;
};

TEST_F(ScoreTest, GivesTheSameRowsForAnyNumberOfThreadsAndSizeOfBlocks) {
  const Result<ScoreReport> whole = Run(kRows, {.threads = 1});
  ASSERT_TRUE(whole.ok()) << whole.status().ToString();
  EXPECT_EQ(whole->rows, 200);
  EXPECT_EQ(whole->columns,
            (std::vector<std::string>{"label", "probability(0)", "probability(1)"}));
  const std::string expected = Out();
  for (const std::size_t bytes : {64, 1000, 4096}) {
    const Result<ScoreReport> parts = Run(kRows, {.threads = 3, .block_bytes = bytes});
    ASSERT_TRUE(parts.ok()) << parts.status().ToString();
    EXPECT_EQ(Out(), expected) << bytes;
  }
}

TEST_F(ScoreTest, StopsAtABadRowOrLeavesItOut) {
  std::string table = Read(kRows);
  const std::size_t second = table.find('\n', table.find('\n') + 1) + 1;
  table.insert(second, "nonsense,1,2,3,4,5,6,7,8,9,0\n1,2\n");
  const std::string path = Write("bad.csv", table);
  const Status stopped = Run(path).status();
  EXPECT_EQ(stopped.code(), ErrorCode::kInvalidInput);
  EXPECT_EQ(stopped.message(), "line 3: column \"amount\": \"nonsense\" is not a number");
  EXPECT_FALSE(fs::exists(folder_ / "out.csv"));
  const Result<ScoreReport> skipped = Run(path, {.format = {.on_error = OnError::kSkip}});
  ASSERT_TRUE(skipped.ok()) << skipped.status().ToString();
  EXPECT_EQ(skipped->rows, 200);
  EXPECT_EQ(skipped->bad_rows, 2);
  EXPECT_EQ(skipped->bad[1].line, 4U);
  EXPECT_EQ(skipped->bad[1].reason, "2 cells, the header has 11");
}

TEST_F(ScoreTest, NamesEveryColumnThatIsNotThere) {
  const std::string path = Write("short.csv", "amount,hours\n1,2\n");
  const Status status = Run(path).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnknownName);
  EXPECT_EQ(status.others().size(), 8U);
  EXPECT_NE(status.message().find("did you mean \"hours\""), std::string::npos)
      << status.ToString();
}

TEST_F(ScoreTest, SaysWhichColumnsItFoundBehindThoseThatAreMissing) {
  std::string table = Read(kRows);
  std::replace(table.begin(), table.end(), ',', '|');
  const Status status = Run(Write("bars.csv", table)).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnknownName);
  ASSERT_EQ(status.others().size(), 9U);
  EXPECT_TRUE(status.fix().empty());
  EXPECT_TRUE(status.others().back().fix().starts_with("the table has one column, \""));
  EXPECT_NE(status.others().back().fix().find("--separator"), std::string::npos);
  const Status few = Run(Write("few.csv", "amount,hours\n1,2\n")).status();
  ASSERT_FALSE(few.others().empty());
  EXPECT_EQ(few.others().back().fix(), "the columns of the table are \"amount\", \"hours\"");
}

TEST_F(ScoreTest, KnowsANameWithSpacesAroundIt) {
  const Status status = Run(Write("padded.csv", "hour, amount \n1,2\n")).status();
  EXPECT_EQ(status.message(),
            "the table has no column \"amount\" (did you mean \" amount \", with spaces around "
            "it?)");
}

// The second column of a name was never read, and nobody was told.
TEST_F(ScoreTest, RefusesAColumnThatTheTableHasTwice) {
  std::string table = Read(kRows);
  const std::string header = table.substr(0, table.find('\n'));
  const Status read = Run(Write("twice.csv", header + ",hour\n")).status();
  EXPECT_EQ(read.code(), ErrorCode::kInvalidInput);
  const auto columns = static_cast<std::size_t>(std::count(header.begin(), header.end(), ',')) + 1;
  EXPECT_NE(read.message().find("the column \"hour\" twice: its columns "), std::string::npos)
      << read.ToString();
  EXPECT_TRUE(read.message().ends_with(fmt::format(" and {}", columns + 1))) << read.ToString();
  EXPECT_FALSE(read.fix().empty());
  const std::string other = Write("other.csv", header + ",note,note\n");
  EXPECT_TRUE(Run(other).ok()) << Run(other).status().ToString();
  EXPECT_EQ(Run(other, {.keep = {"note"}}).status().code(), ErrorCode::kInvalidInput);
}

TEST_F(ScoreTest, KeepsColumnsWithTheirQuotes) {
  std::string header = Read(kRows);
  header = header.substr(0, header.find('\n'));
  const std::string path =
      Write("id.csv", "id," + header + "\n\"a, \"\"b\"\"\",1,2,3,4,5,NA,7,0,1,2,0\n");
  const Result<ScoreReport> report = Run(path, {.keep = {"id"}});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(Out().substr(0, 36), "id,label,probability(0),probability(");
  EXPECT_NE(Out().find("\n\"a, \"\"b\"\"\","), std::string::npos) << Out();
}

constexpr const char* kMatrix = "graph g(x: f32[N, M]) -> (y) { %y = Relu(%x) }";

TEST_F(ScoreTest, NeedsAColumnForItsMatrix) {
  const Status status =
      Run(Write("t.csv", "a,b\n1,2\n"), {.model = Write("m.txt", kMatrix), .drop = {"a", "b"}})
          .status();
  EXPECT_EQ(status.code(), ErrorCode::kInvalidInput) << status.ToString();
  EXPECT_EQ(status.message(), "no column of the table is left for the model");
}

TEST(UnknownValuesTest, ShowsLettersAndEscapesWhatSteersATerminal) {
  EXPECT_EQ(ShowValue("Z\xC3\xBCrich", 60), "\"Z\xC3\xBCrich\"");
  EXPECT_EQ(ShowValue("Z\xFCrich", 60), "\"Z\\xfcrich\"");
  EXPECT_EQ(ShowValue("a\x1B\"\xC2\x9B\x7F\\", 60), "\"a\\x1b\\\"\\xc2\\x9b\\x7f\\\\\"");
  // No letter is cut in two.
  EXPECT_EQ(ShowValue("\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F", 6), "\"\xC3\xA4...\xC3\x9F\"");
  EXPECT_TRUE(IsUtf8("") && IsUtf8("\xE2\x82\xAC"));
  EXPECT_FALSE(IsUtf8("\xC3"));
}

TEST_F(ScoreTest, KnowsTablesThatAreCompressedOrOfWideCharacters) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {std::string("\x1F\x8B\x08\0\0\0", 6), "zcat "},
      {"\x28\xB5\x2F\xFD\x24", "zstdcat "},
      {"PK\x03\x04\x14", "unzip -p "},
      {std::string("\xFF\xFE\x61\0\n\0", 6), "iconv -f utf16 "},
      {std::string("\xFE\xFF\0\x61\0\n", 6), "iconv -f utf16 "}};
  for (const auto& [table, fix] : cases) {
    for (const std::size_t bytes : {1, 4096}) {
      const Status status = Run(Write("t.csv", table), {.block_bytes = bytes}).status();
      EXPECT_EQ(status.code(), ErrorCode::kInvalidInput) << status.ToString();
      EXPECT_TRUE(status.fix().starts_with(fix)) << status.ToString();
    }
  }
}

TEST_F(ScoreTest, SaysHowCellsThatAreNoNumbersAreRead) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a;b\n27,5;1\n", "write 27.5 with a decimal point: tr , . < TABLE | "},
      {"a,b\n\"27,5\",1\n", "write 27.5 with a decimal point; --on-error skip "},
      {"a,b\n\"1,000\",1\n", "write numbers with a decimal point, and nothing between thousands"},
      {"a,b\n1,None\n", "if it means a missing value: --missing None; --on-error skip "},
      {"a,b\n#N/A,1\n", "if it means a missing value: --missing '#N/A'; "},
      {"a,b\n1.2.3,1\n", "--on-error skip "},
      {"a,b\n1,2,3\n", "--on-error skip "}};
  for (const auto& [table, fix] : cases) {
    const Status status = Run(Write("t.csv", table), {.model = Write("m.txt", kMatrix)}).status();
    EXPECT_TRUE(status.fix().starts_with(fix)) << table << status.ToString();
  }
}

// Ignored, a column that was to be left out was read all the same.
TEST_F(ScoreTest, RefusesToDropFromNamedColumns) {
  const Status status = Run(kRows, {.drop = {"amount"}}).status();
  EXPECT_EQ(status.code(), ErrorCode::kUsage) << status.ToString();
  EXPECT_TRUE(status.message().starts_with("--drop amount: ")) << status.ToString();
}

TEST_F(ScoreTest, AQuoteInsideACellLosesNoRows) {
  const std::string table = Write("quote.csv", "a,b\n5\",3\n6,7\n8,9\n");
  for (const std::size_t bytes : {8, 4096}) {
    const Result<ScoreReport> report = Run(table, {.model = Write("m.txt", kMatrix),
                                                   .format = {.on_error = OnError::kSkip},
                                                   .block_bytes = bytes});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_EQ(report->rows, 2);
    EXPECT_EQ(report->bad_rows, 1);
    EXPECT_EQ(Out(), "y(0),y(1)\n6,7\n8,9\n");
  }
}

// Blocks of a row or two: the first example is the table's first, whoever was done first.
TEST_F(ScoreTest, CountsTextsThatTheModelDoesNotKnow) {
  const std::string model =
      Write("t.txt",
            "graph g(c: string[N], d: string[N]) -> (y, z) { %y = Identity(%c) "
            "%z = Identity(%d) }");
  const std::string table = Write("t.csv", "d,c\nq,a\nq,x\n,\nr,b\nr,z\nr,NA\ns,x\n");
  for (const std::size_t bytes : {4, 4096}) {
    const auto known = []() -> Result<KnownValues> { return KnownValues{{"c", {"a", "b"}}}; };
    const auto report =
        Run(table, {.model = model, .threads = 3, .known_values = known, .block_bytes = bytes});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    ASSERT_EQ(report->unknown.size(), 1U);
    EXPECT_EQ(report->unknown[0].column, "c");
    EXPECT_EQ(report->unknown[0].count, 3);
    EXPECT_EQ(report->unknown[0].example, "x");
  }
}

TEST_F(ScoreTest, RefusesAModelWhoseRowsDependOnEachOther) {
  const std::string model =
      Write("m.txt", "graph g(x: f32[N, 2]) -> (y) { %y = Softmax(%x) {axis = 0} }");
  for (const char* rows : {"1,2\n", "1,2\n3,4\n"}) {
    const Status status =
        Run(Write("t.csv", std::string("a,b\n") + rows), {.model = model}).status();
    EXPECT_EQ(status.code(), ErrorCode::kUnsupported) << status.ToString();
    EXPECT_FALSE(status.fix().empty());
  }
}

TEST_F(ScoreTest, ATableWithoutRowsGivesAHeader) {
  std::string header = Read(kRows);
  header = header.substr(0, header.find('\n') + 1);
  const Result<ScoreReport> report = Run(Write("h.csv", header), {.keep = {"hour"}});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->rows, 0);
  EXPECT_EQ(Out(), "hour,label,probability(0),probability(1)\n");
  const std::string open = Write("m.txt", kMatrix);  // as many answers as columns
  EXPECT_EQ(Run(Write("h.csv", "a,b\n"), {.model = open}).status().code(),
            ErrorCode::kInvalidInput);
}

TEST(FindRowEndTest, OpensQuotesAtTheStartOfACellOnly) {
  EXPECT_EQ(FindRowEnd("a,b\nc", ','), 3U);
  EXPECT_EQ(FindRowEnd("\"a\n\",b\n", ','), 6U);
  EXPECT_EQ(FindRowEnd("\"a\"\"\n\"\n", ','), 6U);
  EXPECT_EQ(FindRowEnd("5\",3\n6\n", ','), 4U);
  EXPECT_EQ(FindRowEnd("a;\"\n\"\n", ','), 3U);  // no separator: the quote is inside a cell
  EXPECT_EQ(FindRowEnd("a;\"\n\"\n", ';'), 5U);
  EXPECT_EQ(FindRowEnd("a;\"\n\"\n", 0), 5U);
  EXPECT_EQ(FindRowEnd("\"a\"b\"\n", ','), 5U);
  for (const char* text : {"", "a,b", "\"a\n", "\"a\"\"\n", "a,"})
    EXPECT_EQ(FindRowEnd(text, ','), std::string_view::npos) << text;
}

TEST(RowBlocksTest, CutsBetweenRowsAndNotInsideQuotes) {
  const std::string path = fs::temp_directory_path() / fmt::format("athanor_rows_{}", getpid());
  std::ofstream(path) << "a,b\n\"x\ny\",1\n2,3\n\n4,5";
  Result<RowBlocks> blocks = RowBlocks::Open(path, 6);
  ASSERT_TRUE(blocks.ok());
  EXPECT_EQ(**blocks->Header(), "a,b");
  std::string all;
  std::size_t line = 2;
  for (;;) {
    const Result<std::optional<RowBlock>> block = blocks->Next();
    ASSERT_TRUE(block.ok());
    if (!*block) break;
    EXPECT_EQ((*block)->first_line, line);
    const std::string_view text = (*block)->text.view();
    line += static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    all += text;
  }
  EXPECT_EQ(all, "\"x\ny\",1\n2,3\n\n4,5");
  fs::remove(path);
}

TEST(TableParserTest, ReadsNumbersWordsAndMissingCells) {
  double value = 0;
  EXPECT_TRUE(ParseNumber(" +1.5e2 ", value));
  EXPECT_EQ(value, 150);
  EXPECT_TRUE(ParseNumber("True", value));
  EXPECT_EQ(value, 1);
  for (const char* text : {"", "1x", "--1", "+-1", "0x10", "TRUEish"}) {
    EXPECT_FALSE(ParseNumber(text, value)) << text;
  }
  const TableParser parser({.separator = ';'}, {"n", "s"},
                           {{.name = "n", .source = 0, .dtype = DType::kI64},
                            {.name = "s", .source = 1, .dtype = DType::kString}},
                           {});
  const ParsedBlock block = parser.Parse(
      {.text = TableText("1;a\r\n2;NA\n3;\"NA\"\n4.5;b\n;c\n5;\"open"), .first_line = 2});
  EXPECT_EQ(block.rows, 3U);
  ASSERT_EQ(block.bad.size(), 3U);
  EXPECT_EQ(block.bad[0].line, 5U);
  EXPECT_EQ(block.bad[2].reason, "a quoted cell has no end");
  const auto* texts = reinterpret_cast<const char* const*>(block.columns[1].first);
  EXPECT_STREQ(texts[0], "a");
  EXPECT_STREQ(texts[1], "");
  EXPECT_STREQ(texts[2], "NA");
}

TEST(TableParserTest, KeepsAllDigitsOfIntegers) {
  const TableParser parser({.separator = ','}, {"n"}, {{.name = "n", .dtype = DType::kI64}}, {});
  const ParsedBlock block = parser.Parse(
      {.text = TableText("9007199254740993\n -9223372036854775808\n+1e3\n9223372036854775808\n")});
  ASSERT_EQ(block.rows, 3U);
  const auto* numbers = reinterpret_cast<const std::int64_t*>(block.columns[0].first);
  EXPECT_EQ(numbers[0], 9007199254740993);
  EXPECT_EQ(numbers[1], std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(numbers[2], 1000);
  EXPECT_EQ(block.bad.size(), 1U);
}

TEST_F(ScoreTest, GivesBadRowsEmptyAnswersAndListsThem) {
  const std::string model = Write("m.txt", "graph g(x: f32[N, 2]) -> (y) { %y = Relu(%x) }");
  const std::string table = Write("t.csv", "a,b\n1,2\nx,3\n4,5\n6\n");
  const Result<ScoreReport> report = Run(table, {.model = model,
                                                 .errors = folder_ / "bad.csv",
                                                 .keep = {"b"},
                                                 .drop = {},
                                                 .format = {.on_error = OnError::kNull}});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(report->rows, 4);
  EXPECT_EQ(report->bad_rows, 2);
  EXPECT_EQ(Out(), "b,y(0),y(1)\n2,1,2\n3,,\n5,4,5\n,,\n");
  EXPECT_EQ(Read(folder_ / "bad.csv"),
            "line,reason,row\n3,\"column \"\"a\"\": \"\"x\"\" is not a number\",\"x,3\"\n"
            "5,\"1 cells, the header has 2\",6\n");
}

// An empty line is no row to those who read csv: later answers stood beside the wrong rows.
TEST_F(ScoreTest, AnEmptyAnswerAloneIsNoEmptyLine) {
  const std::string model = Write("m.txt", "graph g(x: f32[N, 1]) -> (y) { %y = Relu(%x) }");
  const std::string table = Write("t.csv", "x\n1\n\"\"\nwrong\n3\n");
  const Result<ScoreReport> report =
      Run(table, {.model = model, .format = {.on_error = OnError::kNull}});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(Out(), "y\n1\n\"\"\n\"\"\n3\n");
}

TEST_F(ScoreTest, ReadsObjectsByTheNamesOfTheirMembers) {
  const std::string model = Write(
      "m.txt",
      "graph g(a: f64[N, 1], s: string[N, 1]) -> (a2, t) { %a2 = Add(%a, %a) %t = Identity(%s) }");
  const std::string table =
      Write("t.jsonl",
            "{\"s\": \"x\\u00e4\\\"\", \"a\": 1.5, \"z\": [1]}\n\n{\"a\": null, \"s\": \"y\"}\n"
            "{\"s\": \"w\"}\n{\"a\": \"1\", \"s\": 7}\n{\"a\": {}, \"s\": \"q\"}\n{\"a\": 1\n[1]\n"
            "{\"a\": 1, \"s\": \"\"} 2\n");
  const Result<ScoreReport> report =
      Run(table, {.model = model, .format = {.json_lines = true, .on_error = OnError::kSkip}});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(Out(), "a2,t\n3,\"x\xC3\xA4\"\"\"\n,y\n,w\n2,7\n");
  ASSERT_EQ(report->bad_rows, 4);
  EXPECT_EQ(report->bad[0].line, 6U);
  EXPECT_EQ(report->bad[0].reason, "column \"a\": \"{}\" is not a number");
}

// A run that was killed leaves what it had written and where it was.
// What Python's json.dumps makes of a missing number was called no JSON.
TEST_F(ScoreTest, TakesNanInObjectsForMissing) {
  const std::string model =
      Write("m.txt", "graph g(x: f32[N, 1], s: string[N, 1]) -> (y, s) { %y = Relu(%x) }");
  const std::string table =
      Write("t.jsonl", "{\"x\": NaN, \"s\": \"NaN \\\" NaN\"}\n{\"x\": 2, \"s\": \"b\"}\n");
  const Result<ScoreReport> report = Run(table, {.model = model, .format = {.json_lines = true}});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(Out(), "y,s\n,\"NaN \"\" NaN\"\n2,b\n");
  EXPECT_FALSE(Run(Write("t.jsonl", "{\"x\": Nan, \"s\": \"b\"}\n"),
                   {.model = model, .format = {.json_lines = true}})
                   .ok());
}

class ArrayTest : public ScoreTest {
 protected:
  static constexpr const char* kNames =
      "graph g(b: f32[N, 1], a: f64[N, 1]) -> (d) {"
      " %c: f64[N, 1] = Cast(%b) {to = f64} %d = Sub(%a, %c) }";
  std::string Save(const Tensor& tensor) const {
    const std::string path = folder_ / "x.npy";
    const Status saved = io::WriteNpy(path, tensor);
    EXPECT_TRUE(saved.ok()) << saved.ToString();
    return path;
  }
};

TEST_F(ArrayTest, AMatrixHasTheColumnsOfTheModelInItsOrder) {
  const std::string model = Write("m.txt", kNames);
  const double nan = std::nan("");
  const std::string table =
      Save(Tensor::FromVector<double>({3, 2}, {1, 10.25, nan, 2, 0.1, 1e300}));
  const Result<ScoreReport> report = Run(table, {.model = model, .keep = {"b"}});
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_EQ(Out(), "b,d\n1,9.25\n,\n0.1,1e+300\n");
}

TEST_F(ArrayTest, AnyPartOfALongOneIsRead) {
  const std::string model = Write("m.txt", kNames);
  constexpr std::int64_t kRows = 20'000;
  std::vector<std::int32_t> cells;
  for (std::int32_t i = 0; i < kRows; ++i) cells.insert(cells.end(), {i, 3 * i});
  const std::string table = Save(Tensor::FromVector({kRows, 2}, cells));
  std::string expected = "d\n";
  for (std::int64_t i = 0; i < kRows; ++i) expected += fmt::format("{}\n", 2 * i);
  for (const std::size_t bytes : {100, 4096, 1 << 20}) {
    const Result<ScoreReport> report =
        Run(table, {.model = model, .threads = 2, .block_bytes = bytes});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_EQ(Out(), expected) << bytes;
  }
}

TEST_F(ArrayTest, AListIsOneColumnAndItsMissingNumbersAreRows) {
  const std::string model = Write("m.txt", "graph g(x: f32[N, 1]) -> (y) { %y = Relu(%x) }");
  const std::string table = Save(Tensor::FromVector<float>({3}, {-1, std::nanf(""), 2}));
  ASSERT_TRUE(Run(table, {.model = model}).ok());
  EXPECT_EQ(Out(), "y\n0\n\"\"\n2\n");
}

TEST_F(ArrayTest, SaysWhatDoesNotFit) {
  const std::string model = Write("m.txt", kNames);
  const Status narrow =
      Run(Save(Tensor::FromVector<float>({2, 1}, {1, 2})), {.model = model}).status();
  EXPECT_EQ(narrow.code(), ErrorCode::kInvalidInput);
  EXPECT_NE(
      narrow.message().find("the array has 1 columns, the model reads 2, in this order: b, a"),
      std::string::npos)
      << narrow.ToString();
  const Status deep =
      Run(Save(Tensor::FromVector<float>({1, 1, 1}, {1})), {.model = model}).status();
  EXPECT_NE(deep.message().find("a matrix [rows, columns] is expected"), std::string::npos)
      << deep.ToString();
  const Status resumed =
      Run(Save(Tensor::FromVector<float>({1, 2}, {1, 2})), {.model = model, .resume = true})
          .status();
  EXPECT_NE(resumed.message().find("cannot be resumed"), std::string::npos) << resumed.ToString();
  EXPECT_FALSE(Run(Write("x.npy", "\x93NUMPY\x01"), {.model = model}).ok());
}

TEST_F(ScoreTest, GoesOnWhereAKilledRunEnded) {
  std::string table = "id,v\n";
  for (int i = 0; i < 120; ++i) table += fmt::format("{},{}\n", i, i % 7 == 3 ? "?!" : "1.5");
  const std::string path = Write("t.csv", table);
  const auto options = [&](bool resume) {
    return ScoreOptions{.model = Write("m.txt", "graph g(v: f32[N, 1]) -> (y) { %y = Relu(%v) }"),
                        .threads = 2,
                        .errors = folder_ / "bad.csv",
                        .resume = resume,
                        .checkpoint_seconds = 0,
                        .keep = {"id"},
                        .drop = {},
                        .format = {.on_error = OnError::kSkip},
                        .block_bytes = 8};
  };
  ASSERT_TRUE(Run(path, options(false)).ok());
  const std::string whole = Out(), bad = Read(folder_ / "bad.csv");
  fs::remove(folder_ / "out.csv");
  for (int blocks = 0; blocks < 9; blocks += 4) {
    // The record of an early block, and more in the files than it says, as a kill leaves them.
    int seen = 0;
    std::string record, answers, errors;
    const Result<ScoreReport> first = [&] {
      ScoreOptions all = options(true);
      all.input = path;
      all.output = folder_ / "out.csv";
      all.threads = 1;
      return Score(all, [&](std::int64_t) {
        if (seen++ != blocks) return;
        record = Read(folder_ / "out.csv.progress");
        answers = Read(folder_ / "out.csv.part") + "half a ro";
        errors = Read(folder_ / "bad.csv.part") + "12,ha";
      });
    }();
    ASSERT_TRUE(first.ok()) << first.status().ToString();
    EXPECT_FALSE(fs::exists(folder_ / "out.csv.progress"));
    for (const char* name : {"out.csv", "bad.csv"}) fs::remove(folder_ / name);
    Write("out.csv.progress", record);
    Write("out.csv.part", answers);
    Write("bad.csv.part", errors);
    const Result<ScoreReport> second = Run(path, options(true));
    ASSERT_TRUE(second.ok()) << second.status().ToString();
    EXPECT_GT(second->resumed_rows, 0);
    EXPECT_EQ(Out(), whole);
    EXPECT_EQ(Read(folder_ / "bad.csv"), bad);
    // A damaged record is no record: the run begins anew.
    record[record.size() / 2] ^= 1;
    Write("out.csv.progress", record);
    Write("out.csv.part", answers);
    const Result<ScoreReport> anew = Run(path, options(true));
    ASSERT_TRUE(anew.ok()) << anew.status().ToString();
    EXPECT_EQ(anew->resumed_rows, 0);
    EXPECT_EQ(Out(), whole);
  }
}

TEST(PartitionTest, PutsADateIntoAFolderAndRefusesOthers) {
  EXPECT_EQ(*PartitionOf("dt={date}", "2024-02-29"), "dt=2024-02-29");
  EXPECT_EQ(PartitionOf("dt={date}", "today")->size(), 13U);
  for (const char* date : {"2023-02-29", "2024-1-1", "", "tomorrow", "2024-01-01x"})
    EXPECT_EQ(PartitionOf("dt={date}", date).status().code(), ErrorCode::kUsage) << date;
  for (const char* text : {"", "/dt={date}", "../{date}", "a/../..", "dt={day}"})
    EXPECT_EQ(PartitionOf(text, "today").status().code(), ErrorCode::kUsage) << text;
}

TEST(PartitionTest, WaitsForASignalAndNoLonger) {
  const std::string path = fs::temp_directory_path() / fmt::format("athanor_signal_{}", getpid());
  EXPECT_EQ(WaitForFile(path, 0.01).code(), ErrorCode::kDeadline);
  std::ofstream(path) << "";
  EXPECT_TRUE(WaitForFile(path, 0).ok());
  fs::remove(path);
}

}  // namespace
}  // namespace athanor::score
