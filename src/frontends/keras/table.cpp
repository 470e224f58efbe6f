// The table of layers: the rows of all topics, and how one is found.
#include "frontends/keras/layer_import.h"
#include "frontends/row_table.h"

namespace athanor::keras {

const std::vector<Row>& Table() {
  static const std::vector<Row> table =
      SortedRows({ArithmeticRows, ConvolutionRows, RecurrentRows, ShapeRows}, &Row::layer);
  return table;
}

const Row* FindRow(std::string_view layer) { return FindSorted(Table(), &Row::layer, layer); }

}  // namespace athanor::keras
