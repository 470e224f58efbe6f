// The models of a PMML document, each as columns for its answer.
#pragma once

#include "frontends/pmml/expression.h"

namespace athanor::pmml {

// What a model says about a row. A number, or classes.
struct Answer {
  bool classification = false;
  ValueId value = kNoValue;          // number [rows, 1], or the code of the class
  ValueId probabilities = kNoValue;  // [rows, classes]
};

// What all models of a document share.
struct Context {
  Graph& graph;
  Calculator& calculator;
  std::vector<std::string> classes;  // of the target, for classification

  std::int64_t num_classes() const { return static_cast<std::int64_t>(classes.size()); }
  // The position of a class; an error that names it.
  Result<double> ClassCode(std::string_view name) const;
};

// The columns that the trees of one ensemble look at.
class FeatureSet {
 public:
  std::int64_t IndexOf(ValueId column);
  const std::vector<ValueId>& columns() const { return columns_; }

 private:
  std::vector<ValueId> columns_;
};

// Any of the models below, with its own transformations.
Result<Answer> ReadModel(Context& context, Scope scope, const Element& model, int depth = 0);

Result<Answer> ReadRegression(Context& context, const Scope& scope, const Element& model);
// Trees of one ensemble, each a <TreeModel> with the scope it sees.
struct TreeSource {
  Element model;
  Scope scope;
};
// One answer per tree: values [rows, trees], and for classification probabilities
// [rows, trees, classes].
Result<Answer> ReadTrees(Context& context, const std::vector<TreeSource>& trees);
Result<Answer> ReadTree(Context& context, const Scope& scope, const Element& model);
Result<Answer> ReadMining(Context& context, const Scope& scope, const Element& model, int depth);

// The class whose probability is highest, as a code [rows, 1]; the first of equals.
ValueId BestClass(Calculator& calculator, ValueId probabilities);

// The scope inside a model: replaced missing values and local transformations.
Result<Scope> InnerScope(Context& context, Scope scope, const Element& model);

}  // namespace athanor::pmml
