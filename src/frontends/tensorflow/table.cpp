// The operator table: the rows of all topics, and how one is found.
#include "frontends/row_table.h"
#include "frontends/tensorflow/op_import.h"

namespace athanor::tensorflow {

const std::vector<Row>& Table() {
  static const std::vector<Row> table =
      SortedRows({ControlRows, MathRows, NnRows, SliceRows, TensorRows}, &Row::op);
  return table;
}

const Row* FindRow(std::string_view op) { return FindSorted(Table(), &Row::op, op); }

}  // namespace athanor::tensorflow
