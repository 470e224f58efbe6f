// ClusteringModel around centers: the cluster whose center is nearest to a row, or most like it.
#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kMostCenterValues = std::size_t{1} << 26;

// The columns that centers have coordinates for.
Result<std::vector<ValueId>> CenterColumns(const Model& model, const Scope& scope,
                                           std::vector<Element>& fields) {
  std::vector<ValueId> columns;
  // PMML 3: expressions of their own.
  if (const Element center = model.element.child("CenterFields")) {
    for (const Element& child : center.children()) {
      if (!IsContent(child)) continue;
      Element expression = child;
      if (std::string_view(child.name()) == "DerivedField") {
        ATH_TRY(expression, ExpressionIn(child));
      }
      ATH_TRY(const Field field, Evaluate(model.document, scope, expression));
      columns.push_back(field.column);
      fields.emplace_back();
    }
  }
  if (!columns.empty()) return columns;
  for (const Element& field : model.element.children("ClusteringField")) {
    if (Text(field, "isCenterField") == "false") continue;
    const std::string_view name = Text(field, "field");
    ATH_TRY(const Field found, scope.Get(name));
    if (found.text && !found.truth())
      return InvalidModel("<ClusteringField> {} is text", Quote(name));
    columns.push_back(found.column);
    fields.push_back(field);
  }
  if (columns.empty()) return InvalidModel("there is no <ClusteringField>");
  return columns;
}

}  // namespace

Result<Answer> ReadClustering(const Model& model, const Scope& scope, int) {
  Calculator& c = model.calculator();
  const std::string_view kind = Text(model.element, "modelClass");
  if (kind != "centerBased")
    return Unsupported("modelClass {}; centerBased is implemented", Quote(kind));
  std::vector<Element> fields;
  ATH_TRY(std::vector<ValueId> columns, CenterColumns(model, scope, fields));
  const std::size_t width = columns.size();
  Answer answer = model.NewAnswer();
  answer.classification = true;
  std::vector<std::string> ids;
  std::vector<double> centers, missing_weights;
  for (const Element& cluster : model.element.children("Cluster")) {
    const std::string_view id = Text(cluster, "id");
    ids.push_back(id.empty() ? std::to_string(ids.size() + 1) : std::string(id));
    if (!cluster.attribute("name").empty()) answer.display[ids.back()] = Text(cluster, "name");
    const std::vector<std::string> words = ArrayWords(cluster.child("Array"));
    if (words.size() != width)
      return InvalidModel("<Cluster> {} has {} coordinates for {} fields", Quote(ids.back()),
                          words.size(), width);
    if (centers.size() + width > kMostCenterValues)
      return Error(ErrorCode::kResource, "the centers have more than {} coordinates",
                   kMostCenterValues);
    for (const std::string& word : words) {
      ATH_TRY(const double value, ParseNumber(word));
      centers.push_back(value);
    }
  }
  if (ids.empty()) return InvalidModel("there is no <Cluster>");
  for (const std::string& word :
       ArrayWords(model.element.child("MissingValueWeights").child("Array"))) {
    ATH_TRY(const double value, ParseNumber(word));
    missing_weights.push_back(value);
  }
  const std::size_t count = ids.size();
  const ValueId points = c.Matrix(static_cast<std::int64_t>(count),
                                  static_cast<std::int64_t>(width), std::move(centers));
  ATH_TRY(const Comparison comparison,
          Compare(c, model.element.child("ComparisonMeasure"), fields,
                  c.SideBySide(std::move(columns)), points, missing_weights));
  answer.classes = Categories(std::move(ids));
  answer.affinity_ids = answer.classes;
  answer.affinities = comparison.values;
  ATH_TRY(answer.ranking,
          RankColumns(c, comparison.values, count, comparison.distance, answer.classes));
  answer.value = c.ColumnAt(answer.ranking->order, 0);
  answer.entity = Field{.column = answer.value, .text = true, .categories = answer.classes};
  return answer;
}

}  // namespace athanor::pmml
