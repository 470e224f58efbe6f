#include "score/score.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

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
    options.model = kModel;
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
  const Result<ScoreReport> skipped = Run(path, {.skip_bad_rows = true});
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
    line +=
        static_cast<std::size_t>(std::count((*block)->text.begin(), (*block)->text.end(), '\n'));
    all += (*block)->text;
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
  for (const char* text : {"", "1x", "--1", "0x10", "TRUEish"}) {
    EXPECT_FALSE(ParseNumber(text, value)) << text;
  }
  const TableParser parser({.separator = ';'}, 2,
                           {{.name = "n", .source = 0, .dtype = DType::kI64},
                            {.name = "s", .source = 1, .dtype = DType::kString}},
                           {});
  const ParsedBlock block =
      parser.Parse({.text = "1;a\r\n2;NA\n3;\"NA\"\n4.5;b\n;c\n5;\"open", .first_line = 2});
  EXPECT_EQ(block.rows, 3U);
  ASSERT_EQ(block.bad.size(), 3U);
  EXPECT_EQ(block.bad[0].line, 5U);
  EXPECT_EQ(block.bad[2].reason, "a quoted cell has no end");
  const auto* texts = reinterpret_cast<const char* const*>(block.columns[1].bytes.data());
  EXPECT_STREQ(texts[0], "a");
  EXPECT_STREQ(texts[1], "");
  EXPECT_STREQ(texts[2], "NA");
}

}  // namespace
}  // namespace athanor::score
