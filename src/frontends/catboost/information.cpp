#include "frontends/catboost/information.h"

#include <algorithm>
#include <cmath>

#include "core/number.h"

namespace athanor::catboost {
namespace {

using tabular::Value;

// The document under this name; null where there is none.
Result<Value> Document(const Value& information, std::string_view name) {
  const Value* value = information.Find(name);
  if (value == nullptr) return Value();
  if (value->kind != Value::Kind::kString) return *value;
  Result<Value> parsed = tabular::ParseJson(
      {reinterpret_cast<const std::uint8_t*>(value->text.data()), value->text.size()});
  if (!parsed.ok()) return std::move(parsed).status().In(name);
  return parsed;
}

bool IsWhole(double number) { return std::abs(number) < 0x1p53 && number == std::floor(number); }

// `typed`: the file says which names are strings. Older files write all names as strings.
ClassNames NamesOf(const Value& list, bool typed) {
  ClassNames names;
  std::vector<double> numbers = list.numbers;
  for (const Value& item : list.items) {
    const std::optional<double> number = ReadReal(item.text);
    if (item.kind == Value::Kind::kNumber || item.kind == Value::Kind::kBool) {
      numbers.push_back(item.number);
    } else if (!typed && number) {
      numbers.push_back(*number);
    }
    names.strings.push_back(item.text);
  }
  if (!numbers.empty() && numbers.size() >= names.strings.size()) {
    const bool whole = std::all_of(numbers.begin(), numbers.end(), IsWhole);
    names.strings.clear();
    for (const double number : numbers) {
      if (whole) {
        names.integers.push_back(static_cast<std::int64_t>(number));
      } else {
        names.strings.push_back(fmt::format("{}", number));
      }
    }
  }
  return names;
}

// The names of the classes that have a score: class i is called names[labels[i]].
Result<ClassNames> Chosen(const ClassNames& names, std::span<const double> labels) {
  ClassNames chosen;
  const std::size_t count = std::max(names.integers.size(), names.strings.size());
  for (const double label : labels) {
    if (!(label >= 0 && label < static_cast<double>(count)))
      return InvalidModel("class {} has no name", label);
    const auto at = static_cast<std::size_t>(label);
    if (names.strings.empty()) {
      chosen.integers.push_back(names.integers[at]);
    } else {
      chosen.strings.push_back(names.strings[at]);
    }
  }
  return chosen;
}

Result<ClassNames> ReadClasses(const Value& information, const Value& params) {
  for (const std::string_view key : {"class_params", "multiclass_params"}) {
    ATH_TRY(const Value document, Document(information, key));
    if (document.kind != Value::Kind::kObject) continue;
    const Value* names = document.Find("class_names");
    const Value* labels = document.Find("class_to_label");
    const bool typed = document.Find("class_label_type") != nullptr;
    if (labels == nullptr) continue;
    const ClassNames named = names == nullptr ? ClassNames() : NamesOf(*names, typed);
    if (!named.integers.empty() || !named.strings.empty()) return Chosen(named, labels->numbers);
    ATH_TRY(const std::int64_t counted, tabular::Integer(document, "classes_count", 0));
    if (counted == 0) return NamesOf(*labels, true);
    ClassNames numbered;
    for (const double label : labels->numbers)
      numbered.integers.push_back(static_cast<std::int64_t>(IsWhole(label) ? label : 0));
    return numbered;
  }
  const Value* options = params.Find("data_processing_options");
  const Value* names = options == nullptr ? nullptr : options->Find("class_names");
  return names == nullptr ? ClassNames() : NamesOf(*names, false);
}

}  // namespace

Status ReadInformation(const Value& information, Model& model) {
  ATH_TRY(const Value params, Document(information, "params"));
  const Value* loss = params.Find("loss_function");
  const Value* type = loss == nullptr ? nullptr : loss->Find("type");
  if (type != nullptr) model.loss = type->text;
  ATH_TRY(model.classes, ReadClasses(information, params));
  const Value* border = information.Find("binclass_probability_threshold");
  if (border == nullptr) return {};
  const std::optional<double> number =
      border->kind == Value::Kind::kNumber ? border->number : ReadReal(border->text);
  if (!number || !(*number >= 0 && *number <= 1))
    return InvalidModel("binclass_probability_threshold is no number between 0 and 1");
  model.probability_border = *number;
  return {};
}

}  // namespace athanor::catboost
