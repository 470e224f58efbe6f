// The operator table: the rows of all topics, and how one is found.
#include <algorithm>
#include <iterator>

#include "frontends/tflite/op_import.h"

namespace athanor::tflite {
namespace {

std::vector<Row> SortedRows() {
  std::vector<Row> rows;
  for (auto* topic : {MathRows, NnRows, RecurrentRows, TensorRows}) {
    std::vector<Row> more = topic();
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.code < b.code; });
  return rows;
}

}  // namespace

const std::vector<Row>& Table() {
  static const std::vector<Row> rows = SortedRows();
  return rows;
}

const Row* FindRow(schema::BuiltinOperator code) {
  const auto at = std::lower_bound(
      Table().begin(), Table().end(), code,
      [](const Row& row, schema::BuiltinOperator wanted) { return row.code < wanted; });
  return at != Table().end() && at->code == code ? &*at : nullptr;
}

}  // namespace athanor::tflite
