// SupportVectorMachineModel: kernel values [rows, vectors] times coefficients [vectors, machines].
#include <cmath>

#include "core/text.h"
#include "frontends/pmml/model.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kMostVectorValues = std::size_t{1} << 27;

struct Vectors {
  std::map<std::string, std::size_t, std::less<>> by_id = {};
  std::vector<double> values = {};
};

// Dense numbers of an <Array> or a <REAL-SparseArray>, whose indices count from 1.
Status ReadVector(const Element& instance, std::size_t width, std::vector<double>& values) {
  const std::size_t begin = values.size();
  if (begin + width > kMostVectorValues)
    return Error(ErrorCode::kResource, "the support vectors have more than {} values",
                 kMostVectorValues);
  values.resize(begin + width, 0);
  const Element sparse = instance.child("REAL-SparseArray");
  const std::vector<std::string> words =
      ArrayWords(sparse ? sparse.child("REAL-Entries") : instance.child("Array"));
  const std::vector<std::string> indices = ArrayWords(sparse.child("Indices"));
  if (sparse ? indices.size() != words.size() : words.size() != width)
    return InvalidModel("{} values do not fit {} fields", words.size(), width);
  for (std::size_t i = 0; i < words.size(); ++i) {
    ATH_TRY(const double value, ParseNumber(words[i]));
    double at = static_cast<double>(i + 1);
    if (sparse) {
      ATH_TRY(at, ParseNumber(indices[i]));
    }
    if (!(at >= 1 && at <= static_cast<double>(width)) || at != std::floor(at))
      return InvalidModel("index {} is not in 1 to {}", at, width);
    values[begin + static_cast<std::size_t>(at) - 1] = value;
  }
  return {};
}

class Machines {
 public:
  Machines(const Model& model, const Scope& scope)
      : model_(model), element_(model.element), c_(model.calculator()), scope_(scope) {}

  // The sums of all machines: [rows, machines].
  Result<ValueId> Sums() {
    const Element dictionary = element_.child("VectorDictionary");
    std::vector<ValueId> columns;
    for (const Element& reference : dictionary.child("VectorFields").children()) {
      ATH_TRY(const ValueId column, FieldColumn(reference));
      if (column != kNoValue) columns.push_back(column);
    }
    const std::size_t width = columns.size();
    if (width == 0) return InvalidModel("<VectorFields> is empty");
    const ValueId x = c_.SideBySide(std::move(columns));
    const bool linear = Text(element_, "svmRepresentation") == "Coefficients";
    if (!linear) ATH_RETURN_IF_ERROR(ReadVectors(dictionary, width));
    const std::size_t rows = linear ? width : vectors_.by_id.size();
    ATH_TRY(const ValueId coefficients, Coefficients(rows, linear));
    ValueId values = x;
    if (!linear) {
      const ValueId points =
          c_.Matrix(static_cast<std::int64_t>(rows), static_cast<std::int64_t>(width),
                    std::move(vectors_.values));
      ATH_TRY(values, Kernel(x, points));
    }
    const ValueId sums = c_.Add(c_.Op("MatMul", {values, coefficients}), c_.Row(biases_));
    // No answer where a field is missing.
    return c_.Where(c_.IsMissing(c_.Sum(x)), c_.Missing(), sums);
  }

 private:
  // A <FieldRef>, or a <CategoricalPredictor>: its coefficient where the field has the value.
  Result<ValueId> FieldColumn(const Element& reference) {
    const std::string_view kind = reference.name();
    if (kind == "FieldRef") {
      ATH_TRY(const Field field, Evaluate(model_.document, scope_, reference));
      if (field.text && !field.truth())
        return InvalidModel("<FieldRef> {} is text", Quote(Text(reference, "field")));
      return field.column;
    }
    if (kind != "CategoricalPredictor") return kNoValue;
    ATH_TRY(const Field field, scope_.Get(Text(reference, "name")));
    ATH_TRY(const double code, ValueIn(field, Text(reference, "value")));
    ATH_TRY(const double factor, NumberOr(reference, "coefficient", 1));
    return c_.Mul(c_.Compare("Equal", field.column, c_.Constant(code)), c_.Constant(factor));
  }

  Status ReadVectors(const Element& dictionary, std::size_t width) {
    for (const Element& instance : dictionary.children("VectorInstance")) {
      const std::string id(Text(instance, "id"));
      if (!vectors_.by_id.emplace(id, vectors_.by_id.size()).second)
        return InvalidModel("vector {} stands twice", Quote(id));
      Status status = ReadVector(instance, width, vectors_.values);
      if (!status.ok()) return std::move(status).In(fmt::format("<VectorInstance> {}", Quote(id)));
    }
    if (vectors_.by_id.empty()) return InvalidModel("there is no <VectorInstance>");
    return {};
  }

  Result<ValueId> Coefficients(std::size_t rows, bool linear) {
    const auto machines = element_.children("SupportVectorMachine");
    const auto count = static_cast<std::size_t>(std::distance(machines.begin(), machines.end()));
    if (count == 0) return InvalidModel("there is no <SupportVectorMachine>");
    if (count > kMostVectorValues / rows)
      return Error(ErrorCode::kResource, "{} machines of {} vectors", count, rows);
    std::vector<double> matrix(rows * count, 0);
    std::size_t column = 0;
    for (const Element& machine : machines) {
      const Element list = machine.child("Coefficients");
      ATH_TRY(const double bias, NumberOr(list, "absoluteValue", 0));
      biases_.push_back(bias);
      std::vector<std::size_t> at;
      for (const Element& vector : machine.child("SupportVectors").children("SupportVector")) {
        const auto found = vectors_.by_id.find(Text(vector, "vectorId"));
        if (found == vectors_.by_id.end() && !linear)
          return InvalidModel("there is no vector {}", Quote(Text(vector, "vectorId")));
        if (!linear) at.push_back(found->second);
      }
      std::size_t i = 0;
      for (const Element& coefficient : list.children("Coefficient")) {
        ATH_TRY(const double value, NumberOr(coefficient, "value", 0));
        const std::size_t limit = linear ? rows : at.size();
        if (i == limit) return InvalidModel("more than {} coefficients", limit);
        matrix[(linear ? i : at[i]) * count + column] += value;
        ++i;
      }
      ++column;
    }
    return c_.Matrix(static_cast<std::int64_t>(rows), static_cast<std::int64_t>(count),
                     std::move(matrix));
  }

  Result<ValueId> Kernel(ValueId x, ValueId points) {
    const Element radial = element_.child("RadialBasisKernelType");
    if (radial) {
      ATH_TRY(const double gamma, NumberOr(radial, "gamma", 1));
      const ValueId distance = c_.Op("PairwiseMeasure", {x, points});
      return c_.Exp(c_.Mul(c_.Constant(-gamma), distance));
    }
    const ValueId product = c_.Op("MatMul", {x, c_.Op("Transpose", {points})});
    if (element_.child("LinearKernelType")) return product;
    const Element polynomial = element_.child("PolynomialKernelType");
    const Element sigmoid = element_.child("SigmoidKernelType");
    const Element kind = polynomial ? polynomial : sigmoid;
    if (!kind) return InvalidModel("the model names no kernel that is known");
    ATH_TRY(const double gamma, NumberOr(kind, "gamma", 1));
    ATH_TRY(const double offset, NumberOr(kind, "coef0", 1));
    const ValueId inner = c_.Add(c_.Mul(c_.Constant(gamma), product), c_.Constant(offset));
    if (sigmoid) return c_.Op("Tanh", {inner});
    ATH_TRY(const double degree, NumberOr(polynomial, "degree", 1));
    return degree == 1 ? inner : c_.Op("Pow", {inner, c_.Constant(degree)});
  }

  const Model& model_;
  Element element_;
  Calculator& c_;
  const Scope& scope_;
  Vectors vectors_;
  std::vector<double> biases_;
};

// One machine for each pair: its sum below the threshold is a vote for the first class.
Result<ValueId> CountVotes(const Model& model, ValueId sums, const std::vector<Element>& machines) {
  Calculator& c = model.calculator();
  ATH_TRY(const double usual, NumberOr(model.element, "threshold", 0));
  std::vector<ValueId> votes(model.classes.size(), c.Constant(0));
  for (std::size_t i = 0; i < machines.size(); ++i) {
    ATH_TRY(const std::size_t first, model.ClassIndex(Text(machines[i], "targetCategory")));
    ATH_TRY(const std::size_t second,
            model.ClassIndex(Text(machines[i], "alternateTargetCategory")));
    ATH_TRY(const double threshold, NumberOr(machines[i], "threshold", usual));
    const ValueId won = c.Compare("Less", c.ColumnAt(sums, i), c.Constant(threshold));
    votes[first] = c.Add(votes[first], won);
    votes[second] = c.Add(votes[second], c.Not(won));
  }
  const ValueId all = c.SideBySide(std::move(votes));
  return c.Div(all, c.Sum(all));
}

}  // namespace

Result<Answer> ReadSupportVectors(const Model& model, const Scope& scope, int) {
  Calculator& c = model.calculator();
  ATH_TRY(const ValueId sums, Machines(model, scope).Sums());
  Answer answer = model.NewAnswer();
  std::vector<Element> machines;
  for (const Element& machine : model.element.children("SupportVectorMachine"))
    machines.push_back(machine);
  if (!answer.classification) {
    if (machines.size() != 1) return InvalidModel("{} machines for one number", machines.size());
    answer.value = sums;
    return answer;
  }
  std::string_view method = Text(model.element, "classificationMethod");
  const bool pairs = !machines[0].attribute("alternateTargetCategory").empty();
  if (method.empty() || method == "OneAgainstAll")
    method = pairs ? "OneAgainstOne" : "OneAgainstAll";
  if (method == "OneAgainstOne") {
    ATH_TRY(answer.probabilities, CountVotes(model, sums, machines));
    answer.value = c.Best(answer.probabilities);
    return answer;
  }
  if (method != "OneAgainstAll")
    return InvalidModel("classificationMethod {} is not known", Quote(method));
  // The class with the smallest sum wins; with maxWins the largest.
  const bool most = Text(model.element, "maxWins") == "true";
  std::vector<double> positions, codes;
  for (const Element& machine : machines) {
    ATH_TRY(const std::size_t at, model.ClassIndex(Text(machine, "targetCategory")));
    positions.push_back(static_cast<double>(positions.size()));
    codes.push_back(static_cast<double>(at));
  }
  const ValueId winner = most ? c.Best(sums) : c.Least(sums);
  answer.value = c.Lookup(winner, std::move(positions), std::move(codes), std::nan(""));
  return answer;
}

}  // namespace athanor::pmml
