// The operator table: the rows of all topics, and how one is found.
#include "frontends/row_table.h"
#include "frontends/tflite/op_import.h"

namespace athanor::tflite {

const std::vector<Row>& Table() {
  static const std::vector<Row> table = SortedRows(
      {ControlRows, IndexRows, MathRows, NnRows, RecurrentRows, SvdfRows, TensorRows}, &Row::code);
  return table;
}

const Row* FindRow(schema::BuiltinOperator code) { return FindSorted(Table(), &Row::code, code); }

}  // namespace athanor::tflite
