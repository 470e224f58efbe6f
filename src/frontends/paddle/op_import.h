// What a row of the operator table sees of one operator: its inputs as values of the graph, its
// attributes, and the graph to add nodes to.
//
// The two files differ in what they write down, not in what they mean: a .pdmodel names the places
// of an operator and keeps most numbers as attributes; PIR counts places and gives many of the
// numbers as tensors. A row names each place once, in PIR's order, and asks for numbers by one
// name, whichever way they come.
#pragma once

#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "frontends/paddle/program.h"
#include "frontends/value_steps.h"

namespace athanor::paddle {

// What variables are at one point of a program: one value, or those of a list.
using Environment = std::unordered_map<std::size_t, std::vector<ValueId>>;

class Blocks;
class OpImport;

struct Row {
  std::string_view legacy;  // names in a .pdmodel, with blanks between: "reshape2 reshape"
  std::string_view pir;     // names in PIR
  // Places in PIR's order, "X Y"; behind a "=", what a .pdmodel calls one that has another name
  // there: "shape=Shape,ShapeTensor". The last may end in "*": it takes all that are left.
  std::string_view inputs;
  std::string_view outputs;
  void (*make)(OpImport&);
  std::string_view op = "";  // the graph's operator, for rows that share `make`
  // Attributes that PIR calls otherwise: "keep_dim=keepdim dim=axis".
  std::string_view renamed = "";
};

class OpImport : public ValueSteps {
 public:
  OpImport(Graph& graph, Blocks& blocks, Environment& variables, const Program& program,
           const Operator& source, const Row& row);

  Blocks& blocks;
  Environment& variables;
  const Program& program;
  const Operator& source;
  const Row& row;

  // ---- places. After a problem: kNoValue, empty.
  const std::vector<ValueId>& List(std::string_view place) const;
  bool Has(std::string_view place) const { return !List(place).empty(); }
  ValueId In(std::string_view place);           // fails when it is left out
  ValueId Maybe(std::string_view place) const;  // kNoValue when it is left out

  // ---- attributes; one that is absent, or of another kind, has the value named last
  const Attribute* Find(std::string_view name) const;
  std::int64_t Int(std::string_view name, std::int64_t otherwise = 0) const;
  double Real(std::string_view name, double otherwise = 0) const;
  bool Flag(std::string_view name, bool otherwise = false) const {
    return Int(name, otherwise ? 1 : 0) != 0;
  }
  std::string Text(std::string_view name, std::string_view otherwise = "") const;
  IntList IntsOf(std::string_view name) const;  // one number is a list of one
  RealList RealsOf(std::string_view name) const;
  // An element type; what stands instead where none is said.
  DType TypeOr(std::string_view name, DType otherwise);

  // ---- numbers that are an attribute, or a tensor in the place of that name
  bool IsGiven(std::string_view name) const { return Has(name) || Find(name) != nullptr; }
  IntList KnownInts(std::string_view name);  // fails when they are computed while running
  std::int64_t KnownInt(std::string_view name, std::int64_t otherwise = 0);
  double KnownReal(std::string_view name, double otherwise = 0);
  ValueId IntsValue(std::string_view name);                                   // i64[n]
  ValueId NumberValue(std::string_view name, double otherwise, DType dtype);  // a scalar

  // ---- values
  std::optional<IntList> IfKnown(ValueId x) const;  // integers of a small tensor

  ValueId Flat(ValueId x);  // i64[n] of integers of any shape
  // Pictures whose channels stand last, with them in front, and back.
  bool ChannelsLast() const;
  ValueId ToFront(ValueId x);
  ValueId ToBack(ValueId x);

  // ---- results
  void Give(ValueId value, std::string_view place = "Out") { results_[place] = {value}; }
  void GiveList(std::vector<ValueId> values, std::string_view place = "Out") {
    results_[place] = std::move(values);
  }
  // Puts the results into the variables of the operator's outputs.
  Status Store();

 private:
  Status StoreOne(const Slot& slot, std::string_view place);

  std::map<std::string_view, std::vector<ValueId>> inputs_, results_;
};

// Adds the operators of a block of the program to a graph.
class Blocks {
 public:
  virtual ~Blocks() = default;
  // `variables` knows what the block reads and learns what it makes. Gives what cf.yield names.
  virtual Result<std::vector<ValueId>> Fill(std::size_t block, Graph& graph,
                                            Environment& variables) = 0;
  // The variables that the block, with those inside it, reads before it makes them.
  virtual std::vector<std::size_t> Reads(std::size_t block) const = 0;
};

// The rows by topic.
std::vector<Row> ActivationRows();
std::vector<Row> ArithmeticRows();
std::vector<Row> ControlRows();
std::vector<Row> CreateRows();
std::vector<Row> DetectionRows();
std::vector<Row> IndexRows();
std::vector<Row> LayerRows();
std::vector<Row> RecurrentRows();
std::vector<Row> ReduceRows();
std::vector<Row> SampleRows();
std::vector<Row> ShapeRows();

const std::vector<Row>& Table();
const Row* FindRow(std::string_view type, bool is_pir);

// What a plug-in calls an operator: without the dialect that PIR has for those of users.
std::string_view ForeignName(const Operator& op);
// Reads an operator without a row by a plug-in.
Status ReadForeignOperator(Graph& graph, Environment& variables, const Program& program,
                           const Operator& op);
// The names of the rows in one of the two files, in alphabetical order.
std::vector<std::string> Names(bool of_pir);

}  // namespace athanor::paddle
