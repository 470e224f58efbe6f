// A model of tables as formulas on single values: what it computes for one row.
//
// Every element of every tensor of the graph, with one row, is a term. Terms that are equal are one
// term, so the formulas form a graph without cycles; a term stands behind its arguments. Printers
// (c_header, sql, formula) write the terms in their language and know no operator of the graph.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "ir/graph.h"
#include "ops/ml/forest.h"

namespace athanor::codegen {

// What a call computes from its arguments. kAdd takes two or more.
enum class Fn : std::uint8_t {
  kAbs,
  kAcos,
  kAdd,
  kAnd,
  kAsin,
  kAtan,
  kCast,  // to the term's type; numbers to integers are cut
  kCeil,
  kCos,
  kCosh,
  kDiv,
  kEqual,
  kErf,
  kExp,
  kFloor,
  kGreater,
  kGreaterOrEqual,
  kIsNan,
  kLess,
  kLessOrEqual,
  kLog,
  kMax,
  kMin,
  kMul,
  kNeg,
  kNot,
  kOr,
  kPow,
  kRound,  // halves to even
  kSigmoid,
  kSin,
  kSinh,
  kSqrt,
  kSquare,
  kSub,
  kTan,
  kTanh,
  kWhere,
  kXor,
};
std::string_view Name(Fn fn);

using TermId = std::size_t;

struct Term {
  enum class Kind : std::uint8_t { kInput, kConstant, kCall, kTrees, kLookup };
  Kind kind = Kind::kConstant;
  DType dtype = DType::kF64;  // f32, f64, i64, bool or string
  Fn fn = Fn::kAdd;
  std::vector<TermId> args = {};  // of kCall and kLookup
  std::size_t index = 0;          // of the column, the sum of trees or the lookup
  double number = 0;              // a constant that is no text
  std::string text = {};
  std::size_t node = 0;  // where it comes from: an index of RowProgram::nodes
};

// Leaves that a row reaches, added tree by tree in the type of the term.
struct TreeSum {
  std::size_t forest = 0, row = 0;  // of RowProgram::forests and ::rows
  std::int64_t target = 0;
  std::vector<std::size_t> trees;
};

// What stands beside the first key that equals the argument; `otherwise` without one. NaN equals
// NaN.
struct Lookup {
  Tensor keys, values, otherwise;
  // The keys are 0, 1, 2 ...
  bool CountsUp() const;
};

struct RowProgram {
  struct Column {
    std::string name;
    DType dtype = DType::kF32;
  };
  struct Output {
    std::string name;
    DType dtype = DType::kF32;
    std::vector<TermId> values;
  };
  std::string name;
  std::vector<Column> columns;
  std::vector<Term> terms;
  std::vector<ops::Forest> forests;
  std::vector<std::vector<TermId>> rows;  // what trees look at
  std::vector<TreeSum> sums;
  std::vector<Lookup> lookups;
  std::vector<Output> outputs;
  std::vector<std::string> nodes;  // of the graph, for messages

  // The terms that a term reads.
  const std::vector<TermId>& ArgsOf(const Term& term) const;
  // The numbers that a term can be when it is the leaf of one tree, perhaps cast; nothing else is
  // followed.
  std::optional<std::vector<double>> LeavesOf(TermId id) const;
  // False where it cannot be told.
  bool IsNeverMissing(TermId id) const;
  // The weight that a leaf adds to a target; 0 for one that it does not know.
  static double LeafWeight(const ops::Forest& forest, std::size_t leaf, std::int64_t target);
};

// "score(3)", or the name alone where there is one element: as `athanor score` names its columns.
std::string ElementName(const std::string& name, std::size_t width, std::size_t at);

// The program of a graph with one row. Every input and output has one row of a known width, of f32,
// f64, i64, bool or string. What has no formula is listed in one error, by operator.
Result<RowProgram> RowProgramOf(Graph graph);

// Drops the terms that no output reads.
void RemoveUnused(RowProgram& program);

// Terms as they are made: equal ones are one.
class TermMaker {
 public:
  explicit TermMaker(RowProgram& program) : program_(program) {}

  TermId Input(std::size_t column, DType dtype);
  TermId Number(DType dtype, double number);
  TermId Text(std::string text);
  TermId Call(Fn fn, DType dtype, std::vector<TermId> args);
  TermId Trees(DType dtype, TreeSum sum);
  TermId Find(TermId x, std::size_t lookup);  // an index of RowProgram::lookups
  TermId Cast(DType dtype, TermId x);
  // The row's index in RowProgram::rows.
  std::size_t Row(const std::vector<TermId>& terms);

  // What follows comes from this node.
  void SetNode(std::size_t node) { node_ = node; }
  RowProgram& program() { return program_; }
  const Term& operator[](TermId id) const { return program_.terms[id]; }

 private:
  TermId Add(Term term);
  using Key = std::tuple<Term::Kind, DType, Fn, std::vector<TermId>, std::size_t, std::uint64_t,
                         std::string>;
  RowProgram& program_;
  std::map<Key, TermId> known_;
  std::map<std::vector<TermId>, std::size_t> rows_;
  std::size_t node_ = 0;
};

}  // namespace athanor::codegen
