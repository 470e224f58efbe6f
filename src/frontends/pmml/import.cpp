#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/text.h"
#include "frontends/pmml/model.h"
#include "frontends/pmml/pmml.h"
#include "ops/catalog.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kMostClasses = 4096;

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

// The classes of the target: those of the dictionary, then those that trees and tables name.
std::vector<std::string> FindClasses(const Inputs& inputs, const Element& model) {
  std::vector<std::string> classes = inputs.target_values;
  const auto add = [&](const pugi::xml_attribute& value) {
    if (value.empty() || classes.size() >= kMostClasses) return;
    if (std::find(classes.begin(), classes.end(), value.value()) == classes.end())
      classes.emplace_back(value.value());
  };
  if (!classes.empty()) return classes;
  // Its depth was checked when the mentions were collected.
  for (const pugi::xpath_node& node :
       model.select_nodes(".//ScoreDistribution | .//RegressionTable | .//Node")) {
    const std::string_view name = node.node().name();
    add(node.node().attribute(name == "ScoreDistribution" ? "value"
                              : name == "Node"            ? "score"
                                                          : "targetCategory"));
  }
  return classes;
}

// Where the model gives no class, the prior probabilities of the target answer.
Status ApplyPriors(Context& context, const Element& target, Answer& answer) {
  Calculator& c = context.calculator;
  std::vector<double> priors(context.classes.size(), 0);
  bool given = false;
  for (const Element& value : target.children("TargetValue")) {
    if (value.attribute("priorProbability").empty()) continue;
    ATH_TRY(const double code, context.ClassCode(Text(value, "value")));
    ATH_TRY(priors[static_cast<std::size_t>(code)], Number(value, "priorProbability"));
    given = true;
  }
  if (!given) return {};
  const auto best = std::max_element(priors.begin(), priors.end()) - priors.begin();
  const ValueId missing = c.IsMissing(answer.value);
  const ValueId prior =
      context.graph.AddConstant(Tensor::FromVector({1, context.num_classes()}, priors));
  answer.probabilities = c.Where(missing, prior, answer.probabilities);
  answer.value = c.Where(missing, c.Constant(static_cast<double>(best)), answer.value);
  return c.status();
}

// <Targets>: what is done to a number before it is given out.
Status ApplyTargets(Context& context, const Element& model, Answer& answer) {
  Calculator& c = context.calculator;
  for (const Element& target : model.child("Targets").children("Target")) {
    if (answer.classification) {
      ATH_RETURN_IF_ERROR(ApplyPriors(context, target, answer));
      continue;
    }
    ATH_TRY(const double factor, NumberOr(target, "rescaleFactor", 1));
    ATH_TRY(const double constant, NumberOr(target, "rescaleConstant", 0));
    for (const char* limit : {"min", "max"}) {
      if (target.attribute(limit).empty()) continue;
      ATH_TRY(const double value, Number(target, limit));
      const ValueId bound = c.Constant(value);
      const ValueId outside = c.Op(limit[1] == 'i' ? "Less" : "Greater", {answer.value, bound});
      answer.value = c.Where(outside, bound, answer.value);
    }
    if (factor != 1) answer.value = c.Mul(answer.value, c.Constant(factor));
    if (constant != 0) answer.value = c.Add(answer.value, c.Constant(constant));
    const std::string_view cast = Text(target, "castInteger");
    if (cast == "round") {
      answer.value = c.Op("Floor", {c.Add(answer.value, c.Constant(0.5))});
    } else if (cast == "ceiling") {
      answer.value = c.Op("Ceil", {answer.value});
    } else if (cast == "floor") {
      answer.value = c.Op("Floor", {answer.value});
    } else if (!cast.empty()) {
      return InvalidModel("castInteger {} is not known", Quote(cast));
    }
    const Element value = target.child("TargetValue");
    if (!value.attribute("defaultValue").empty()) {
      ATH_TRY(const double fallback, Number(value, "defaultValue"));
      answer.value = c.Where(c.IsMissing(answer.value), c.Constant(fallback), answer.value);
    }
  }
  return c.status();
}

// ---- outputs

class Outputs {
 public:
  Outputs(Context& context, const Inputs& inputs, const Scope& scope, const Answer& answer)
      : context_(context), inputs_(inputs), scope_(scope), answer_(answer) {}

  Status Add(const Element& model) {
    ATH_TRY(const Field predicted, Predicted());
    const std::string target = inputs_.target.empty() ? "prediction" : inputs_.target;
    const Element output = model.child("Output");
    const bool named =
        static_cast<bool>(output.find_child_by_attribute("OutputField", "name", target.c_str()));
    if (!named) ATH_RETURN_IF_ERROR(Give(target, predicted));
    bool probabilities = false;
    std::vector<Status> problems;
    for (const Element& field : output.children("OutputField")) {
      Status status = AddField(field, predicted);
      probabilities |= Text(field, "feature") == "probability";
      if (!status.ok()) {
        problems.push_back(
            std::move(status).In(fmt::format("<OutputField> {}", Quote(Text(field, "name")))));
      }
    }
    if (!problems.empty()) return Status::All(std::move(problems));
    if (!answer_.classification || probabilities) return {};
    for (std::size_t i = 0; i < context_.classes.size(); ++i) {
      ATH_RETURN_IF_ERROR(
          Give(fmt::format("probability({})", context_.classes[i]), Probability(i)));
    }
    return {};
  }

 private:
  Result<Field> Predicted() {
    Field field = {.column = answer_.value};
    if (answer_.classification) field.text = true, field.categories = context_.classes;
    return field;
  }

  Field Probability(std::size_t index) {
    const ValueId at = context_.graph.AddConstant(
        Tensor::FromVector<std::int64_t>({1}, {static_cast<std::int64_t>(index)}));
    return {.column = context_.calculator.Op("Gather", {answer_.probabilities, at},
                                             {{"axis", std::int64_t{1}}})};
  }

  Status AddField(const Element& element, const Field& predicted) {
    const std::string_view feature = Text(element, "feature");
    const std::string name(Text(element, "name"));
    if (feature.empty() || feature == "predictedValue") return Give(name, predicted);
    if (feature == "predictedDisplayValue") {
      Field shown = predicted;
      std::vector<std::string> list = predicted.categories.list();
      for (std::string& category : list) {
        const auto found = inputs_.display_values.find(category);
        if (found != inputs_.display_values.end()) category = found->second;
      }
      shown.categories = std::move(list);
      return Give(name, shown);
    }
    if (feature == "probability" && answer_.classification) {
      if (element.attribute("value").empty()) {
        const ValueId best =
            context_.calculator.Op("ReduceMax", {answer_.probabilities, Columns()});
        return Give(name, {.column = best});
      }
      ATH_TRY(const double code, context_.ClassCode(Text(element, "value")));
      return Give(name, Probability(static_cast<std::size_t>(code)));
    }
    if (feature == "transformedValue") {
      ATH_TRY(const Element expression, ExpressionIn(element));
      ATH_TRY(const Field field, Evaluate(context_.calculator, scope_, expression));
      return Give(name, field);
    }
    return Unsupported(
        "feature {} is not implemented; predictedValue, predictedDisplayValue, probability and "
        "transformedValue are",
        Quote(feature));
  }

  ValueId Columns() {
    return context_.graph.AddConstant(Tensor::FromVector<std::int64_t>({1}, {1}));
  }

  // Text becomes strings again; a row with an invalid value has no answer.
  Status Give(const std::string& name, Field field) {
    Calculator& c = context_.calculator;
    scope_.Set(name, field);
    if (inputs_.invalid)
      field.column = c.Where(*inputs_.invalid, c.Constant(std::nan("")), field.column);
    ATH_RETURN_IF_ERROR(c.status());
    if (field.text) {
      ATH_TRY(field.column, Decode(context_.graph, field.column, field.categories.list()));
    }
    for (const GraphOutput& output : context_.graph.outputs()) {
      if (output.name == name) return InvalidModel("two outputs are called {}", Quote(name));
    }
    context_.graph.AddOutput(name, field.column);
    return {};
  }

  Context& context_;
  const Inputs& inputs_;
  Scope scope_;
  const Answer& answer_;
};

Result<Graph> Make(const pugi::xml_document& document) {
  const Element root = document.child("PMML");
  if (!root) return InvalidModel("the outermost element is not <PMML>");
  ATH_TRY(const Mentions mentions, FindMentions(root));
  ATH_TRY(const Element model, FindModel(root));
  const auto read = [&]() -> Result<Graph> {
    const std::string_view kind = model.name();
    if (kind != "TreeModel" && kind != "RegressionModel" && kind != "MiningModel")
      return Unsupported("<{}> is not implemented; TreeModel, RegressionModel and MiningModel are",
                         kind);
    Graph graph(ops::Standard(), "pmml");
    ATH_TRY(Inputs inputs,
            ReadInputs(graph, root.child("DataDictionary"), model.child("MiningSchema"), mentions));
    Calculator calculator(graph);
    Scope scope = inputs.scope;
    ATH_RETURN_IF_ERROR(
        AddDerivedFields(calculator, root.child("TransformationDictionary"), scope));
    Context context = {graph, calculator, FindClasses(inputs, model)};
    ATH_TRY(Answer answer, ReadModel(context, scope, model));
    for (const pugi::xpath_node& value : model.select_nodes("Targets/Target/TargetValue")) {
      const Element element = value.node();
      if (!element.attribute("displayValue").empty())
        inputs.display_values[std::string(Text(element, "value"))] = Text(element, "displayValue");
    }
    ATH_RETURN_IF_ERROR(ApplyTargets(context, model, answer));
    ATH_RETURN_IF_ERROR(Outputs(context, inputs, scope, answer).Add(model));
    ATH_RETURN_IF_ERROR(calculator.status());
    return graph;
  };
  Result<Graph> graph = read();
  if (!graph.ok()) return std::move(graph).status().In(NameOf(model));
  return graph;
}

}  // namespace

Result<double> Context::ClassCode(std::string_view name) const {
  const auto found = std::find(classes.begin(), classes.end(), name);
  if (found == classes.end()) return InvalidModel("the target has no class {}", Quote(name));
  return static_cast<double>(found - classes.begin());
}

Result<Scope> InnerScope(Context& context, Scope scope, const Element& model) {
  ATH_RETURN_IF_ERROR(ApplyInnerSchema(context.calculator, model.child("MiningSchema"), scope));
  ATH_RETURN_IF_ERROR(
      AddDerivedFields(context.calculator, model.child("LocalTransformations"), scope));
  return scope;
}

Result<Answer> ReadModel(Context& context, Scope scope, const Element& model, int depth) {
  const std::string_view kind = model.name();
  const auto read = [&]() -> Result<Answer> {
    // The outermost schema was applied to the inputs themselves.
    if (depth == 0) {
      ATH_RETURN_IF_ERROR(
          AddDerivedFields(context.calculator, model.child("LocalTransformations"), scope));
    } else {
      ATH_TRY(scope, InnerScope(context, std::move(scope), model));
    }
    if (kind == "TreeModel") return ReadTree(context, scope, model);
    if (kind == "RegressionModel") return ReadRegression(context, scope, model);
    if (kind == "MiningModel") return ReadMining(context, scope, model, depth);
    return Unsupported("<{}> is not implemented; TreeModel, RegressionModel and MiningModel are",
                       kind);
  };
  Result<Answer> answer = read();
  if (!answer.ok() && depth > 0) return std::move(answer).status().In(NameOf(model));
  return answer;
}

bool IsPmml(std::span<const std::uint8_t> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 4096));
  const std::size_t start = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return start != std::string_view::npos && head[start] == '<' &&
         head.find("<PMML") != std::string_view::npos;
}

Result<Graph> Import(std::span<const std::uint8_t> bytes) {
  pugi::xml_document document;
  // Document types are kept only to be refused: entities are never expanded, nothing is fetched.
  const pugi::xml_parse_result parsed =
      document.load_buffer(bytes.data(), bytes.size(), pugi::parse_default | pugi::parse_doctype);
  for (const Element& child : document.children()) {
    if (child.type() == pugi::node_doctype) {
      return Error(ErrorCode::kUnsafeFile,
                   "the document has a <!DOCTYPE>: entities and external definitions are refused");
    }
  }
  if (!parsed)
    return Error(ErrorCode::kCorruptFile, "the XML is broken at byte {}: {}", parsed.offset,
                 parsed.description());
  return Make(document);
}

}  // namespace athanor::pmml
