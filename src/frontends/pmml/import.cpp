#include <algorithm>
#include <array>
#include <cstring>

#include "core/text.h"
#include "frontends/pmml/model.h"
#include "frontends/pmml/pmml.h"
#include "frontends/pmml/verification.h"
#include "frontends/xml_document.h"
#include "ops/catalog.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kMostClasses = 4096;
constexpr int kDeepestModel = 16;

struct ModelKind {
  std::string_view name;
  Result<Answer> (*read)(const Model&, const Scope&, int depth);
};
constexpr std::array kModels = {
    ModelKind{"AnomalyDetectionModel", ReadAnomaly},
    ModelKind{"AssociationModel", ReadAssociation},
    ModelKind{"BaselineModel", ReadBaseline},
    ModelKind{"BayesianNetworkModel", ReadBayesianNetwork},
    ModelKind{"ClusteringModel", ReadClustering},
    ModelKind{"GaussianProcessModel", ReadGaussianProcess},
    ModelKind{"GeneralRegressionModel", ReadGeneralRegression},
    ModelKind{"MiningModel", ReadMining},
    ModelKind{"NaiveBayesModel", ReadNaiveBayes},
    ModelKind{"NearestNeighborModel", ReadNeighbors},
    ModelKind{"NeuralNetwork", ReadNeuralNetwork},
    ModelKind{"RegressionModel", ReadRegression},
    ModelKind{"RuleSetModel", ReadRuleSet},
    ModelKind{"Scorecard", ReadScorecard},
    ModelKind{"SequenceModel", ReadSequence},
    ModelKind{"SupportVectorMachineModel", ReadSupportVectors},
    ModelKind{"TextModel", ReadText},
    ModelKind{"TimeSeriesModel", ReadTimeSeries},
    ModelKind{"TreeModel", ReadTree},
};

const ModelKind* KindOf(const Element& element) {
  const auto found = std::find_if(kModels.begin(), kModels.end(), [&](const ModelKind& kind) {
    return kind.name == element.name();
  });
  return found == kModels.end() ? nullptr : &*found;
}

// The first model of the document.
Result<Element> FindModel(const Element& root) {
  for (const Element& child : root.children()) {
    const std::string_view name = child.name();
    if (!IsContent(child) || name == "Header" || name == "MiningBuildTask" ||
        name == "DataDictionary" || name == "TransformationDictionary")
      continue;
    return child;
  }
  return InvalidModel("the document holds no model");
}

// Elements that name a class of the target, by the attribute that does.
struct ClassNaming {
  const char *element, *attribute;
};
constexpr std::array kClassNaming = {
    ClassNaming{"ScoreDistribution", "value"},
    ClassNaming{"RegressionTable", "targetCategory"},
    ClassNaming{"Node", "score"},
    ClassNaming{"PCell", "targetCategory"},
    ClassNaming{"TargetValueCount", "value"},
    ClassNaming{"TargetValueStat", "value"},
    ClassNaming{"SupportVectorMachine", "targetCategory"},
    ClassNaming{"SupportVectorMachine", "alternateTargetCategory"},
    ClassNaming{"SimpleRule", "score"},
    ClassNaming{"RuleSet", "defaultScore"},
    ClassNaming{"GeneralRegressionModel", "targetReferenceCategory"},
    ClassNaming{"TargetValue", "value"},
};

// The classes that a model names. Its depth was checked when the mentions were collected.
std::vector<std::string> NamedClasses(const Element& model) {
  std::vector<std::string> classes;
  const auto add = [&](const Element& element) {
    for (const ClassNaming& naming : kClassNaming) {
      if (std::strcmp(naming.element, element.name()) != 0) continue;
      const std::string name = element.attribute(naming.attribute).value();
      if (!name.empty() && classes.size() < kMostClasses &&
          std::find(classes.begin(), classes.end(), name) == classes.end())
        classes.push_back(name);
    }
    if (std::strcmp(element.name(), "NormDiscrete") == 0 &&
        std::strcmp(element.parent().parent().name(), "NeuralOutput") == 0)
      classes.emplace_back(element.attribute("value").value());
  };
  add(model);
  for (const pugi::xpath_node& node :
       model.select_nodes(".//ScoreDistribution | .//RegressionTable | .//Node | .//PCell | "
                          ".//TargetValueCount | .//TargetValueStat | .//SupportVectorMachine | "
                          ".//SimpleRule | .//RuleSet | .//NeuralOutput//NormDiscrete"))
    add(node.node());
  for (const pugi::xpath_node& node : model.select_nodes("Targets/Target/TargetValue"))
    add(node.node());
  return classes;
}

bool IsTarget(std::string_view usage) { return usage == "target" || usage == "predicted"; }

std::vector<std::string> TargetsOf(const Element& model) {
  std::vector<std::string> names;
  for (const Element& field : model.child("MiningSchema").children("MiningField")) {
    if (IsTarget(Text(field, "usageType"))) names.emplace_back(Text(field, "name"));
  }
  return names;
}

// The values that the dictionary gives a target; nothing for a continuous one.
std::vector<std::string> DictionaryClasses(const Document& document, const std::string& target) {
  std::vector<std::string> classes;
  const Element field =
      document.dictionary.find_child_by_attribute("DataField", "name", target.c_str());
  if (Text(field, "optype") == "continuous") return classes;
  for (const Element& value : field.children("Value")) {
    const std::string_view property = Text(value, "property");
    if (property.empty() || property == "valid") classes.emplace_back(Text(value, "value"));
  }
  return classes;
}

// ---- what the graph gives out

class GraphOutputs {
 public:
  GraphOutputs(Document& document, const Inputs& inputs)
      : c_(document.calculator), inputs_(inputs) {}

  Status Add(Document& document, Scope& scope, const Answer& answer, const Element& model) {
    ATH_TRY(const std::vector<OutputValue> named, ReadOutputs(document, scope, answer, model));
    const auto taken = [&](const std::string& name) {
      return std::any_of(named.begin(), named.end(),
                         [&](const OutputValue& value) { return value.name == name; });
    };
    ATH_RETURN_IF_ERROR(GivePredictions(answer, taken));
    for (const OutputValue& value : named) ATH_RETURN_IF_ERROR(Give(value.name, value.field));
    for (const auto& [name, field] : answer.fields) {
      if (!taken(name) && !given_.contains(name)) ATH_RETURN_IF_ERROR(Give(name, field));
    }
    // The probabilities of all classes, unless the document chose some.
    if (!answer.classification || answer.probabilities == kNoValue || HasProbabilities(model))
      return {};
    for (std::size_t i = 0; i < answer.classes.size(); ++i) {
      const std::string name = fmt::format("probability({})", answer.classes.list()[i]);
      if (!given_.contains(name))
        ATH_RETURN_IF_ERROR(Give(name, {.column = c_.ColumnAt(answer.probabilities, i)}));
    }
    return {};
  }

 private:
  template <class Taken>
  Status GivePredictions(const Answer& answer, const Taken& taken) {
    std::vector<const Answer*> answers = {&answer};
    for (const Answer& other : answer.others) answers.push_back(&other);
    for (const Answer* one : answers) {
      const std::string name = one->target.empty() ? "prediction" : one->target;
      if (one->value == kNoValue || taken(name)) continue;
      Field field = {.column = one->value};
      if (one->classification) field.text = true, field.categories = one->classes;
      ATH_RETURN_IF_ERROR(Give(name, field));
    }
    return {};
  }

  static bool HasProbabilities(const Element& model) {
    const auto fields = model.child("Output").children("OutputField");
    const bool here = std::any_of(fields.begin(), fields.end(), [](const Element& field) {
      return Text(field, "feature") == "probability" && !field.attribute("value").empty();
    });
    return here || !model.select_nodes(".//Segment//OutputField[@feature='probability']").empty();
  }

  // Text becomes strings again; a row with an invalid value has no answer.
  Status Give(const std::string& name, Field field) {
    if (!given_.insert(name).second) return InvalidModel("two outputs are called {}", Quote(name));
    if (inputs_.invalid) {
      field.column = c_.Where(*inputs_.invalid, c_.Missing(), field.column);
      if (field.strings != kNoValue)
        field.strings = c_.Where(*inputs_.invalid, c_.Text(""), field.strings);
    }
    ValueId value = field.column;
    if (field.text || field.moment) value = StringsOf(c_, field);
    value = c_.Column(value);
    ATH_RETURN_IF_ERROR(c_.status());
    c_.graph().AddOutput(name, value);
    return {};
  }

  Calculator& c_;
  const Inputs& inputs_;
  std::unordered_set<std::string> given_;
};

// Nodes that no output needs: definitions that were asked for in vain.
Status EraseUnused(Graph& graph) {
  ATH_TRY(const std::vector<NodeId> order, graph.Order());
  for (std::size_t i = order.size(); i-- > 0;) {
    const Node& node = graph.node(order[i]);
    const bool used = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output != kNoValue && graph.num_uses(output) > 0;
    });
    if (!used) graph.EraseNode(order[i]);
  }
  graph.ReleaseUnusedConstants();
  return {};
}

Result<Graph> ReadDocument(const Element& root, const Element& element) {
  Graph graph(ops::Standard(), "pmml");
  Calculator calculator(graph);
  ATH_TRY(Mentions mentions, FindMentions(root));
  Document document = {calculator, std::move(mentions), root.child("DataDictionary"), {}};
  for (const Element& holder : root.children("TransformationDictionary"))
    ATH_RETURN_IF_ERROR(AddFunctions(document, holder));
  ATH_TRY(const Inputs inputs, ReadInputs(document, element.child("MiningSchema")));
  Scope scope = inputs.scope.Inner();
  for (const Element& holder : root.children("TransformationDictionary"))
    DefineFields(document, holder, scope);
  const Model model = DescribeModel(document, element, nullptr);
  Scope inner = scope.Inner();
  DefineFields(document, element.child("LocalTransformations"), inner);
  ATH_TRY(const Answer answer, ReadModel(model, inner));
  ATH_RETURN_IF_ERROR(GraphOutputs(document, inputs).Add(document, inner, answer, element));
  ATH_RETURN_IF_ERROR(calculator.status());
  ATH_RETURN_IF_ERROR(EraseUnused(graph));
  return graph;
}

Result<Graph> Make(const pugi::xml_document& document) {
  const Element root = document.child("PMML");
  if (!root) return InvalidModel("the outermost element is not <PMML>");
  // Before anything walks the tree: how deep it is.
  ATH_RETURN_IF_ERROR(FindMentions(root).status());
  ATH_TRY(const Element model, FindModel(root));
  const auto read = [&]() -> Result<Graph> {
    if (!IsModel(model)) {
      std::vector<std::string> known;
      for (const ModelKind& kind : kModels) known.emplace_back(kind.name);
      return Unsupported("<{}> is not implemented; {} are", model.name(), Join(known, ", "));
    }
    ATH_TRY(Graph graph, ReadDocument(root, model));
    ATH_RETURN_IF_ERROR(Verify(graph, model));
    return graph;
  };
  Result<Graph> graph = read();
  if (!graph.ok()) return std::move(graph).status().In(NameOf(model));
  return graph;
}

}  // namespace

bool HasTarget(const Element& model) { return !TargetsOf(model).empty(); }

bool IsModel(const Element& element) { return KindOf(element) != nullptr; }

Result<std::size_t> Model::ClassIndex(std::string_view name) const {
  if (const std::optional<std::size_t> at = classes.Find(name)) return *at;
  return InvalidModel("the target has no class {}{}", Quote(name),
                      DidYouMean(name, classes.list()));
}

Answer Model::NewAnswer() const {
  Answer answer = {.target = target, .classification = classification()};
  if (answer.classification) answer.classes = classes;
  const Element field =
      document.dictionary.find_child_by_attribute("DataField", "name", target.c_str());
  for (const Element& value : field.children("Value")) {
    if (!value.attribute("displayValue").empty())
      answer.display[std::string(Text(value, "value"))] = Text(value, "displayValue");
  }
  return answer;
}

Result<ValueId> Model::ByClass(const std::vector<ValueId>& columns,
                               const std::vector<std::size_t>& order) const {
  std::vector<ValueId> sorted(classes.size(), kNoValue);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (sorted[order[i]] != kNoValue)
      return InvalidModel("class {} stands twice", Quote(classes.list()[order[i]]));
    sorted[order[i]] = columns[i];
  }
  for (ValueId& column : sorted) {
    if (column == kNoValue) column = calculator().Constant(0);
  }
  if (sorted.empty()) return InvalidModel("the target has no classes");
  const ValueId made = calculator().SideBySide(sorted);
  ATH_RETURN_IF_ERROR(calculator().status());
  return made;
}

Model DescribeModel(Document& document, const Element& element, const Model* outer) {
  Model model = {document, element, "", {}};
  const std::vector<std::string> own = TargetsOf(element);
  if (!own.empty()) model.target = own[0];
  if (own.empty() && outer != nullptr) model.target = outer->target;
  std::vector<std::string> classes;
  if (!own.empty() || outer == nullptr) classes = DictionaryClasses(document, model.target);
  if (classes.empty() && outer != nullptr && (own.empty() || outer->target == model.target))
    classes = outer->classes.list();
  if (classes.empty()) classes = NamedClasses(element);
  model.classes = std::move(classes);
  return model;
}

Result<Scope> InnerScope(Document& document, const Scope& scope, const Element& model) {
  Scope inner = scope.Inner();
  ATH_RETURN_IF_ERROR(ApplyInnerSchema(document, model.child("MiningSchema"), inner));
  DefineFields(document, model.child("LocalTransformations"), inner);
  return inner;
}

Result<Answer> ReadModel(const Model& model, const Scope& scope, int depth) {
  if (depth > kDeepestModel)
    return Error(ErrorCode::kResource, "models are nested more than {} deep", kDeepestModel);
  const ModelKind* kind = KindOf(model.element);
  if (kind == nullptr) return Unsupported("<{}> is not implemented", model.element.name());
  const auto read = [&]() -> Result<Answer> {
    ATH_TRY(Answer answer, kind->read(model, scope, depth));
    ATH_RETURN_IF_ERROR(model.calculator().status());
    ATH_RETURN_IF_ERROR(ApplyTargets(model, answer));
    return answer;
  };
  Result<Answer> answer = read();
  if (!answer.ok() && depth > 0) return std::move(answer).status().In(NameOf(model.element));
  return answer;
}

bool IsPmml(std::span<const std::uint8_t> bytes) {
  return XmlHead(bytes).find("<PMML") != std::string_view::npos;
}

Result<Graph> Import(std::span<const std::uint8_t> bytes) {
  pugi::xml_document document;
  ATH_RETURN_IF_ERROR(ReadXml(bytes, document));
  return Make(document);
}

}  // namespace athanor::pmml
