// What a row of the operator table sees of one node: its inputs as values of the graph, its
// parameters, and the graph to add nodes to.
#pragma once

#include <limits>
#include <string_view>
#include <vector>

#include "frontends/mxnet/parameters.h"
#include "frontends/mxnet/symbol.h"
#include "frontends/value_steps.h"

namespace athanor::mxnet {

// "None" in a list.
inline constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::min();

class OpImport;

struct Row {
  std::string_view names;  // in MXNet, with blanks between: "Concat concat"
  void (*make)(OpImport&) = nullptr;
  std::string_view op = "";  // the graph's operator, for rows that share `make`
  // How many inputs: the least, and the most (-1: any number).
  int least = 1, most = 1;
  // Inputs from this place on are parameters of the layer: they do not come from outside.
  std::size_t parameters_from = std::numeric_limits<std::size_t>::max();
};

// Values of other nodes.
class Values {
 public:
  virtual ~Values() = default;
  // A variable is added to the graph, as a constant or an input, when it is first asked for: what
  // only training reads (labels) never is. kNoValue: what made it could not be read.
  virtual Result<ValueId> Find(const Entry& entry) = 0;
  virtual const Node& NodeOf(const Entry& entry) const = 0;
  // How many outputs of the node are read.
  virtual std::size_t OutputsRead(const Node& node) const = 0;
  // nullptr when the file has no parameter of that name.
  virtual const Tensor* Parameter(std::string_view name) const = 0;
};

class OpImport : public ValueSteps {
 public:
  OpImport(Graph& graph, Values& values, const Node& node, const Row& row)
      : ValueSteps(graph, node.name), node(node), row(row), values_(values) {}

  const Node& node;
  const Row& row;
  std::vector<ValueId> outputs;  // filled by the row

  // ---- inputs. After a problem: kNoValue.
  std::size_t count() const { return node.inputs.size(); }
  bool Has(std::size_t i) const { return i < node.inputs.size(); }
  ValueId In(std::size_t i = 0);
  std::vector<ValueId> All();
  // An input, or, of files from before MXNet 0.9, the parameter that is not listed among them.
  ValueId InOrParameter(std::size_t i, std::string_view suffix);

  std::size_t OutputsRead() const { return values_.OutputsRead(node); }

  // Whether an input is zeros whose sizes the file leaves open, as states at the start are.
  bool IsZeros(std::size_t i) const {
    return Has(i) && values_.NodeOf(node.inputs[i]).op == "_zeros";
  }

  // ---- parameters; one that is absent, or "None", has the value named last
  std::string_view Text(std::string_view name, std::string_view otherwise = "") const;
  std::int64_t Int(std::string_view name, std::int64_t otherwise);
  double Real(std::string_view name, double otherwise);
  bool Flag(std::string_view name, bool otherwise = false);
  IntList IntsOf(std::string_view name);  // empty when absent
  std::vector<double> RealsOf(std::string_view name, std::vector<double> otherwise);
  bool IsGiven(std::string_view name) const;
  // "dtype": the name of an element type.
  DType TypeOr(std::string_view name, DType otherwise);
  // Refuses a parameter that has another value than the one that is read.
  void ExpectText(std::string_view name, std::string_view accepted);

  // ---- results
  void Give(ValueId value) { outputs = {value}; }

 private:
  Values& values_;
};

// The rows by topic.
std::vector<Row> FunctionRows();
std::vector<Row> LayerRows();
std::vector<Row> MathRows();
std::vector<Row> RecurrentRows();
std::vector<Row> ReduceRows();
std::vector<Row> ShapeRows();
std::vector<Row> VisionRows();

const Row* FindRow(std::string_view op);
// The row of a node, or what reads it by a plug-in; nullptr when neither does.
const Row* RowOf(const Node& node);
// What a plug-in calls the node: operators in Python are nodes "Custom" that name their kind.
std::string ForeignName(const Node& node);
// The names of all rows, in alphabetical order.
std::vector<std::string> Names();

}  // namespace athanor::mxnet
