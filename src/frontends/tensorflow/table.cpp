// The operator table: the rows of all topics, and how one is found.
#include <algorithm>
#include <iterator>

#include "frontends/tensorflow/op_import.h"

namespace athanor::tensorflow {
namespace {

std::vector<Row> SortedRows() {
  std::vector<Row> rows;
  for (auto* topic : {ControlRows, MathRows, NnRows, SliceRows, TensorRows}) {
    std::vector<Row> more = topic();
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.op < b.op; });
  return rows;
}

}  // namespace

const std::vector<Row>& Table() {
  static const std::vector<Row> rows = SortedRows();
  return rows;
}

const Row* FindRow(std::string_view op) {
  const auto at =
      std::lower_bound(Table().begin(), Table().end(), op,
                       [](const Row& row, std::string_view name) { return row.op < name; });
  return at != Table().end() && at->op == op ? &*at : nullptr;
}

}  // namespace athanor::tensorflow
