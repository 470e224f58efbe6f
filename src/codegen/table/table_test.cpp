#include <gtest/gtest.h>

#include <cmath>

#include "codegen/table/nested_printer.h"
#include "codegen/table/tables.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::codegen {
namespace {

Result<RowProgram> ProgramOf(std::string_view text) {
  ATH_TRY(Graph graph, ParseText(text, ops::Standard()));
  return RowProgramOf(std::move(graph));
}

constexpr std::string_view kLinear =
    R"(graph g(age: f32[N, 1], income: f32[N, 1]) -> (prediction = %y) {
  const %a: f32[] = 2
  const %b: f32[] = -0.5
  const %c: f32[] = 10
  %p = Mul(%age, %a)
  %q = Mul(%income, %b)
  %s = Add(%p, %q)
  %y = Add(%s, %c)
})";

bool Holds(Side side, double x, double border) {
  switch (side) {
    case Side::kLess:
      return x < border;
    case Side::kLessOrEqual:
      return x <= border;
    case Side::kGreater:
      return x > border;
    default:
      return x >= border;
  }
}

// Numbers on both sides of half of the ways to the next floats, and the half ways themselves.
std::vector<double> Around(float split) {
  const float before = std::nextafterf(split, -INFINITY), after = std::nextafterf(split, INFINITY);
  std::vector<double> numbers;
  for (const double middle : {(static_cast<double>(before) + split) / 2, static_cast<double>(split),
                              (static_cast<double>(after) + split) / 2}) {
    numbers.insert(numbers.end(),
                   {std::nextafter(middle, -INFINITY), middle, std::nextafter(middle, INFINITY)});
  }
  return numbers;
}

TEST(ExactBorder, DecidesForDoublesAsTheSplitDoesForFloats) {
  for (const float split : {0.1F, 0.7F, -0.3F, 1.0F, 10.5F, 1e-30F, 123456.78F, 0.0F}) {
    for (const Side side :
         {Side::kLess, Side::kLessOrEqual, Side::kGreater, Side::kGreaterOrEqual}) {
      const Border border = ExactBorder(side, split);
      for (const double x : Around(split))
        EXPECT_EQ(Holds(border.side, x, border.value), Holds(side, static_cast<float>(x), split))
            << split << " " << x;
    }
  }
}

TEST(ShortBorder, DecidesForFloatsAndTheirDecimalsAsTheSplitDoes) {
  for (const float split : {0.1F, 0.7F, -0.3F, 1.0F, 10.5F, 1e-30F, 123456.78F, 0.0F}) {
    for (const Side side :
         {Side::kLess, Side::kLessOrEqual, Side::kGreater, Side::kGreaterOrEqual}) {
      const double border = ShortBorder(side, split);
      for (const float x :
           {std::nextafterf(split, -INFINITY), split, std::nextafterf(split, INFINITY)}) {
        EXPECT_EQ(Holds(side, x, border), Holds(side, x, split)) << split << " " << border;
        const double decimal = std::stod(fmt::format("{}", x));
        EXPECT_EQ(Holds(side, decimal, border), Holds(side, x, split)) << split << " " << border;
      }
    }
  }
  EXPECT_EQ(ShortBorder(Side::kLess, 11.0F), 11.0);
}

TEST(TableFormula, ReadsAsItIsSaid) {
  const Result<RowProgram> program = ProgramOf(kLinear);
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  const Result<std::string> formula = TableFormula(*program);
  ASSERT_TRUE(formula.ok()) << formula.status().ToString();
  EXPECT_TRUE(formula->ends_with("\nprediction = age * 2 + income * -0.5 + 10\n")) << *formula;
}

TEST(TableQuery, KeepsColumnsBeforeTheAnswers) {
  const Result<RowProgram> program = ProgramOf(kLinear);
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  const Result<std::string> query = TableQuery(*program, {.table = "odd \"name", .keep = {"id"}});
  ASSERT_TRUE(query.ok()) << query.status().ToString();
  EXPECT_TRUE(query->ends_with(
      "SELECT\n  \"ath_keep_0\" AS \"id\",\n  \"age\" * 2.0 + \"income\" * -0.5 + 10.0 AS "
      "\"prediction\"\nFROM ath_0;\n"))
      << *query;
}

// SQLite reads a quoted name that no table has as a text: every column is named with its table.
TEST(TableQuery, NamesTheTableOfEveryColumnThatItReads) {
  const Result<RowProgram> program = ProgramOf(kLinear);
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  const Result<std::string> query = TableQuery(*program, {.table = "odd \"name", .keep = {"id"}});
  ASSERT_TRUE(query.ok()) << query.status().ToString();
  EXPECT_NE(query->find("(SELECT\n  t.\"id\" AS \"ath_keep_0\",\n  CASE WHEN CAST(t.\"age\" AS "
                        "NUMERIC) = t.\"age\" THEN CAST(t.\"age\" AS REAL) WHEN"),
            std::string::npos)
      << *query;
  EXPECT_NE(query->find(" AS \"income\"\n  FROM \"odd \"\"name\" AS t)\nSELECT\n"),
            std::string::npos)
      << *query;
}

TEST(TableQuery, TakesNoNameOfAColumnForItsOwn) {
  const Result<RowProgram> program =
      ProgramOf("graph g(ATH_1: f32[N, 1], b: f32[N, 1]) -> (y) { %y = Add(%ATH_1, %b) }");
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  const Result<std::string> query = TableQuery(*program, {});
  ASSERT_TRUE(query.ok()) << query.status().ToString();
  EXPECT_NE(query->find("CAST(t.\"ATH_1\" AS REAL)"), std::string::npos) << *query;
  EXPECT_TRUE(query->ends_with("\"ath_column_0\" + \"b\" AS \"y\"\nFROM ath_0;\n")) << *query;
}

TEST(TableQuery, RefusesColumnsThatDifferInCaseOnly) {
  const Result<RowProgram> program =
      ProgramOf("graph g(Age: f32[N, 1], age: f32[N, 1]) -> (y) { %y = Add(%Age, %age) }");
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  const Status status = TableQuery(*program, {}).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported);
  EXPECT_EQ(status.message(), "columns \"Age\" and \"age\": a table of SQL takes them as one");
  EXPECT_FALSE(status.fix().empty());
}

TEST(TableHeader, TellsColumnsApartWhoseNamesAreNotThoseOfC) {
  const Result<RowProgram> program = ProgramOf(
      "graph g(\"x.a\": f32[N, 1], \"x a\": f32[N, 1]) -> (y) { %y = Add(%\"x.a\", %\"x a\") }");
  ASSERT_TRUE(program.ok()) << program.status().ToString();
  const Result<std::string> header = TableHeader(*program, "m");
  ASSERT_TRUE(header.ok());
  EXPECT_NE(header->find("  float x_a; /* column x.a */\n  float x_a_2; /* column x a */\n"),
            std::string::npos)
      << *header;
  EXPECT_EQ(TableHeader(*program, "a b").status().code(), ErrorCode::kUsage);
}

TEST(RowProgram, RefusesWhatHasNoFormulaByNode) {
  const Status status = ProgramOf("graph g(x: f32[N, 4]) -> (y) { %y = Hardmax(%x) }").status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported);
  EXPECT_NE(status.ToString().find("there is no formula of Hardmax"), std::string::npos);
  EXPECT_FALSE(status.fix().empty());
}

TEST(RowProgram, RefusesInputsThatAreNoRows) {
  const Status status = ProgramOf("graph g(x: f32[N, 3, 4]) -> (y) { %y = Exp(%x) }").status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported);
  EXPECT_NE(status.ToString().find("columns [N, 1] or a matrix"), std::string::npos);
}

TEST(TablePmml, RefusesAnswersThatAreNeitherNumberNorClasses) {
  const Result<RowProgram> program = ProgramOf("graph g(x: f32[N, 2]) -> (y) { %y = Exp(%x) }");
  ASSERT_TRUE(program.ok());
  const Status status = TablePmml(*program).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnsupported);
  EXPECT_NE(status.ToString().find("one number, or a label"), std::string::npos);
}

TEST(TablePmml, WritesALinearFormulaAsARegressionTable) {
  const Result<RowProgram> program = ProgramOf(kLinear);
  ASSERT_TRUE(program.ok());
  const Result<std::string> document = TablePmml(*program);
  ASSERT_TRUE(document.ok()) << document.status().ToString();
  EXPECT_NE(document->find("<RegressionTable intercept=\"10\"><NumericPredictor name=\"age\" "
                           "coefficient=\"2\"/><NumericPredictor name=\"income\" "
                           "coefficient=\"-0.5\"/></RegressionTable>"),
            std::string::npos)
      << *document;
}

}  // namespace
}  // namespace athanor::codegen
