// The table of layers: the rows of all topics, and how one is found.
#include <algorithm>
#include <iterator>

#include "frontends/keras/layer_import.h"

namespace athanor::keras {
namespace {

std::vector<Row> SortedRows() {
  std::vector<Row> rows;
  for (auto* topic : {ArithmeticRows, ConvolutionRows, RecurrentRows, ShapeRows}) {
    std::vector<Row> more = topic();
    std::move(more.begin(), more.end(), std::back_inserter(rows));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.layer < b.layer; });
  return rows;
}

}  // namespace

const std::vector<Row>& Table() {
  static const std::vector<Row> rows = SortedRows();
  return rows;
}

const Row* FindRow(std::string_view layer) {
  const auto at =
      std::lower_bound(Table().begin(), Table().end(), layer,
                       [](const Row& row, std::string_view name) { return row.layer < name; });
  return at != Table().end() && at->layer == layer ? &*at : nullptr;
}

}  // namespace athanor::keras
