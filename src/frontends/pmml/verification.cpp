#include "frontends/pmml/verification.h"

#include <cmath>
#include <map>

#include "core/text.h"
#include "frontends/pmml/expression.h"
#include "ir/evaluate.h"

namespace athanor::pmml {
namespace {

constexpr std::size_t kMostRows = 10'000;

// A field with the cells of all rows, and how near an answer must be.
struct Checked {
  std::string field, column;
  double precision = 1e-6, zero = 1e-16;
  std::vector<std::optional<std::string>> cells = {};
};

Result<std::vector<Checked>> ReadFields(const Element& verification) {
  std::vector<Checked> fields;
  for (const Element& element :
       verification.child("VerificationFields").children("VerificationField")) {
    Checked field = {.field = std::string(Text(element, "field")),
                     .column = std::string(Text(element, "column"))};
    if (field.column.empty()) field.column = field.field;
    ATH_TRY(field.precision, NumberOr(element, "precision", field.precision));
    ATH_TRY(field.zero, NumberOr(element, "zeroThreshold", field.zero));
    fields.push_back(std::move(field));
  }
  return fields;
}

std::string GroupField(const Element& model) {
  for (const Element& field : model.child("MiningSchema").children("MiningField")) {
    if (Text(field, "usageType") == "group") return std::string(Text(field, "name"));
  }
  return "";
}

// The cells of the table; rows of one group become one, with lists in its cells.
Result<std::size_t> ReadCells(const Element& verification, const std::string& group,
                              std::vector<Checked>& fields) {
  std::size_t rows = 0;
  std::string last;
  for (const Element& row : verification.child("InlineTable").children("row")) {
    const std::string key = group.empty() ? "" : CellOf(row, group).value_or("");
    const bool joins = rows > 0 && !group.empty() && key == last;
    last = key;
    if (!joins && ++rows > kMostRows)
      return Error(ErrorCode::kResource, "more than {} rows to verify", kMostRows);
    for (Checked& field : fields) {
      std::optional<std::string> cell = CellOf(row, field.column);
      if (!joins) {
        field.cells.push_back(std::move(cell));
      } else if (cell && field.cells.back()) {
        *field.cells.back() += "|" + *cell;
      } else if (cell) {
        field.cells.back() = std::move(cell);
      }
    }
  }
  return rows;
}

const Checked* Find(const std::vector<Checked>& fields, std::string_view name) {
  for (const Checked& field : fields) {
    if (field.field == name) return &field;
  }
  return nullptr;
}

Result<Datum> InputOf(const Value& input, const Checked* field, std::size_t rows) {
  const Dims dims = {static_cast<std::int64_t>(rows), 1};
  const auto cell = [&](std::size_t r) -> const std::optional<std::string>& {
    static const std::optional<std::string> kMissing;
    return field == nullptr ? kMissing : field->cells[r];
  };
  if (input.type.dtype == DType::kString) {
    std::vector<std::string> texts;
    for (std::size_t r = 0; r < rows; ++r) texts.push_back(cell(r).value_or(""));
    return Datum(Tensor::FromVector(dims, texts));
  }
  std::vector<double> numbers;
  for (std::size_t r = 0; r < rows; ++r) {
    double number = std::nan("");
    if (cell(r) && !cell(r)->empty()) {
      ATH_TRY(number, ParseNumber(*cell(r)));
    }
    numbers.push_back(number);
  }
  return Datum(Tensor::FromVector(dims, numbers));
}

bool Same(const Checked& field, const std::string& wanted, const Tensor& answer, std::size_t row,
          std::string& given) {
  const Result<double> number = ParseNumber(wanted);
  if (answer.dtype() == DType::kString) {
    given = answer.Data<std::string>()[row];
    if (given == wanted) return true;
    // 1 and 1.0 are one class.
    const Result<double> other = ParseNumber(given);
    return number.ok() && other.ok() && *number == *other;
  }
  const double value = answer.Data<double>()[row];
  given = std::isnan(value) ? "nothing" : fmt::format("{}", value);
  if (!number.ok()) return false;
  if (std::abs(*number) <= field.zero) return std::abs(value) <= field.zero || value == *number;
  return std::abs(value - *number) <= field.precision * std::abs(*number);
}

}  // namespace

Status Verify(const Graph& graph, const Element& model) {
  const Element verification = model.child("ModelVerification");
  if (!verification) return {};
  ATH_TRY(std::vector<Checked> fields, ReadFields(verification));
  ATH_TRY(const std::size_t rows, ReadCells(verification, GroupField(model), fields));
  if (rows == 0) return {};
  std::vector<Datum> inputs;
  for (const ValueId id : graph.inputs()) {
    const Value& input = graph.value(id);
    Result<Datum> datum = InputOf(input, Find(fields, input.name), rows);
    if (!datum.ok())
      return std::move(datum).status().In(fmt::format("<ModelVerification> {}", Quote(input.name)));
    inputs.push_back(*std::move(datum));
  }
  ATH_TRY(const std::vector<Datum> answers, Evaluate(graph, std::move(inputs)));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::string& name = graph.outputs()[i].name;
    const Checked* field = Find(fields, name);
    if (field == nullptr) continue;
    const Tensor& answer = answers[i].tensor();
    for (std::size_t r = 0; r < rows; ++r) {
      std::string given;
      if (!field->cells[r] || Same(*field, *field->cells[r], answer, r, given)) continue;
      return Error(ErrorCode::kAccuracy,
                   "<ModelVerification> row {}: {} is {}, the document promises {}", r + 1,
                   Quote(name), Quote(given), Quote(*field->cells[r]));
    }
  }
  return {};
}

}  // namespace athanor::pmml
