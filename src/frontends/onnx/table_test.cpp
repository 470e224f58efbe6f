#include <gtest/gtest.h>

#include "frontends/onnx/node_import.h"

namespace athanor::onnx {
namespace {

TEST(OperatorTable, HasEachOperatorAndVersionOnce) {
  const std::vector<Row>& rows = Table();
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const bool same = rows[i - 1].domain == rows[i].domain && rows[i - 1].onnx == rows[i].onnx &&
                      rows[i - 1].since == rows[i].since;
    EXPECT_FALSE(same) << rows[i].onnx << " " << rows[i].since;
  }
}

TEST(OperatorTable, FindsTheNewestRowThatTheModelsVersionAllows) {
  for (const Row& row : Table()) {
    EXPECT_EQ(FindRow(row.domain, row.onnx, row.since), &row) << row.onnx;
    const Row* older = FindRow(row.domain, row.onnx, row.since - 1);
    EXPECT_TRUE(older == nullptr || older->since < row.since) << row.onnx;
  }
}

TEST(OperatorTable, DoesNotFindWhatIsNotThere) {
  EXPECT_EQ(FindRow("", "NoSuchOperator", 20), nullptr);
  EXPECT_EQ(FindRow("no.such.domain", "Add", 20), nullptr);
  EXPECT_EQ(FindRow("", "Add", 0), nullptr);
  EXPECT_EQ(FindRow("", "", 20), nullptr);
}

}  // namespace
}  // namespace athanor::onnx
