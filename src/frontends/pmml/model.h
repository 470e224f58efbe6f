// The models of a PMML document, each as columns for its answer.
#pragma once

#include "frontends/pmml/expression.h"

namespace athanor::pmml {

// Entities in the order in which a row likes them: clusters, neighbours, reasons.
struct Ranking {
  Categories ids;
  std::size_t count = 0;     // columns
  ValueId order = kNoValue;  // [rows, count] of f64: positions in ids, best first; NaN for none
  ValueId scores = kNoValue;
};

// Association rules and which of them apply to a row.
struct Associations {
  struct Rule {
    std::string id, antecedent, consequent;
    std::map<std::string, double, std::less<>> numbers = {};  // support, confidence, lift ...
  };
  std::vector<Rule> rules;
  // [rows, rules]: 1 where the antecedent, or the consequent, is among the row's items.
  ValueId antecedents = kNoValue, consequents = kNoValue;
};

// What a model says about a row. A number, or a class.
struct Answer {
  std::string target = {};  // the name of what is predicted; "" without one
  bool classification = false;
  Categories classes = {};
  ValueId value = kNoValue;                         // number [rows, 1], or the code of the class
  ValueId probabilities = kNoValue;                 // [rows, classes]; kNoValue: not known
  ValueId confidences = kNoValue;                   // the same; kNoValue: the probabilities
  std::map<std::string, std::string> display = {};  // of a class
  ValueId deviation = kNoValue;                     // of the number: standard; kNoValue: not known
  std::optional<Field> entity = {};                 // who answered: a node, a rule, a cluster
  std::optional<Ranking> ranking = {}, reasons = {};
  Categories affinity_ids = {};
  ValueId affinities = kNoValue;  // [rows, ids]
  std::optional<Associations> associations = {};
  std::vector<Answer> others = {};                         // further targets
  std::vector<std::pair<std::string, Field>> fields = {};  // final results of inner models

  const Answer* Find(std::string_view target) const;
};

// A model element and what it predicts.
struct Model {
  Document& document;
  Element element;
  std::string target;  // "" without one
  Categories classes;  // of a classification

  Calculator& calculator() const { return document.calculator; }
  Graph& graph() const { return document.calculator.graph(); }
  bool classification() const { return Text(element, "functionName") == "classification"; }
  std::int64_t num_classes() const { return static_cast<std::int64_t>(classes.size()); }
  // The position of a class; an error that names it.
  Result<std::size_t> ClassIndex(std::string_view name) const;
  // An answer of this model's kind, still without values.
  Answer NewAnswer() const;
  // From columns in the order of the document to [rows, classes] in the order of the classes; what
  // no column is for is 0.
  Result<ValueId> ByClass(const std::vector<ValueId>& columns,
                          const std::vector<std::size_t>& order) const;
};

// What a model predicts: its target field and the classes that the dictionary or the model names.
// `outer`: the model around it, whose target it takes when it has none of its own.
Model DescribeModel(Document& document, const Element& element, const Model* outer);

bool HasTarget(const Element& model);  // whether its own schema names one

// Whether an element is one of the models below.
bool IsModel(const Element& element);

// Any of the models below, with its own schema and transformations, its targets applied.
Result<Answer> ReadModel(const Model& model, const Scope& scope, int depth = 0);

Result<Answer> ReadAnomaly(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadAssociation(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadBaseline(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadBayesianNetwork(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadClustering(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadGaussianProcess(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadGeneralRegression(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadMining(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadNaiveBayes(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadNeighbors(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadNeuralNetwork(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadRegression(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadRuleSet(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadScorecard(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadSequence(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadSupportVectors(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadText(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadTimeSeries(const Model& model, const Scope& scope, int depth);
Result<Answer> ReadTree(const Model& model, const Scope& scope, int depth);

// A tree that spreads a row with missing values over several leaves (weightedConfidence,
// aggregateNodes).
Result<Answer> ReadSharedTree(const Model& model, const Scope& scope);

// Trees of one ensemble, each a <TreeModel> with the scope it sees.
struct TreeSource {
  Element element;
  Scope scope;
};
// One answer per tree: values [rows, trees], and for classification probabilities
// [rows, trees, classes].
Result<Answer> ReadTrees(const Model& model, const std::vector<TreeSource>& trees);

// The scope inside a model: replaced missing values and local transformations.
Result<Scope> InnerScope(Document& document, const Scope& scope, const Element& model);

// The fields of an <Output>, in order; each is set in the scope for those behind it.
struct OutputValue {
  std::string name;
  Field field;
  bool final_result = true;
};
Result<std::vector<OutputValue>> ReadOutputs(Document& document, Scope& scope, const Answer& answer,
                                             const Element& model);
// <Targets>: what is done to an answer before it is given out.
Status ApplyTargets(const Model& model, Answer& answer);
// A feature of association rules that an <OutputField> asks for.
Result<Field> RuleFeature(Calculator& calculator, const Associations& rules, const Element& output);

// The inverse of a link function, by its name in PMML; nothing for a name that is not known.
std::optional<ValueId> InverseLink(Calculator& calculator, std::string_view link, ValueId y);

// A <ComparisonMeasure> over fields (<ClusteringField>, <KNNInput>) between rows x [rows, fields]
// and points [points, fields]. Whether less is nearer.
struct Comparison {
  ValueId values = kNoValue;  // [rows, points]
  bool distance = true;
};
Result<Comparison> Compare(Calculator& calculator, const Element& measure,
                           const std::vector<Element>& fields, ValueId x, ValueId points,
                           std::span<const double> missing_weights = {});
// The best `count` of all, best first: positions (as f64) and scores.
Result<Ranking> RankColumns(Calculator& calculator, ValueId scores, std::size_t count,
                            bool least_first, Categories ids);

}  // namespace athanor::pmml
