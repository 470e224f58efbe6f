#include "frontends/mxnet/op_import.h"

#include <algorithm>
#include <unordered_map>

#include "core/text.h"

namespace athanor::mxnet {
namespace {

using RowIndex = std::unordered_map<std::string_view, Row>;

const RowIndex& Rows() {
  static const RowIndex rows = [] {
    RowIndex index;
    for (auto* topic :
         {FunctionRows, LayerRows, MathRows, RecurrentRows, ReduceRows, ShapeRows, VisionRows}) {
      for (const Row& row : topic()) {
        std::string_view names = row.names;
        while (!names.empty()) {
          const std::size_t end = std::min(names.find(' '), names.size());
          ATH_CHECK(index.emplace(names.substr(0, end), row).second, "a name stands in one row");
          names.remove_prefix(std::min(end + 1, names.size()));
        }
      }
    }
    return index;
  }();
  return rows;
}

}  // namespace

// ---- inputs

ValueId OpImport::In(std::size_t i) {
  if (!ok()) return kNoValue;
  if (i >= node.inputs.size()) {
    Fail(InvalidModel("input {} is missing", i));
    return kNoValue;
  }
  Result<ValueId> value = values_.Find(node.inputs[i]);
  if (value.ok()) return *value;
  Fail(std::move(value).status());
  return kNoValue;
}

std::vector<ValueId> OpImport::All() {
  std::vector<ValueId> all;
  for (std::size_t i = 0; i < count(); ++i) all.push_back(In(i));
  return all;
}

ValueId OpImport::InOrParameter(std::size_t i, std::string_view suffix) {
  if (Has(i)) return In(i);
  const std::string wanted = fmt::format("{}_{}", node.name, suffix);
  const Tensor* parameter = values_.Parameter(wanted);
  if (parameter != nullptr) return ok() ? graph.AddConstant(*parameter, wanted) : kNoValue;
  Fail(InvalidModel("parameter {} is missing", Quote(wanted)));
  return kNoValue;
}

// ---- parameters

bool OpImport::IsGiven(std::string_view name) const {
  const std::string* text = node.Find(name);
  return text != nullptr && *text != "None";
}

std::string_view OpImport::Text(std::string_view name, std::string_view otherwise) const {
  return IsGiven(name) ? std::string_view(*node.Find(name)) : otherwise;
}

IntList OpImport::IntsOf(std::string_view name) {
  if (!IsGiven(name)) return {};
  Result<IntList> list = ParseInts(*node.Find(name), kNone);
  if (!list.ok()) {
    Fail(std::move(list).status().In(name));
    return {};
  }
  for (std::int64_t& number : *list) {
    if (number != kNone) number = std::clamp(number, -kLargestSize, kLargestSize);
  }
  return *std::move(list);
}

std::int64_t OpImport::Int(std::string_view name, std::int64_t otherwise) {
  if (!IsGiven(name)) return otherwise;
  const IntList list = IntsOf(name);
  if (!Expect(list.size() == 1 && list[0] != kNone, "{} is {}; one integer is expected", name,
              Quote(Text(name).substr(0, 40))))
    return otherwise;
  return list[0];
}

double OpImport::Real(std::string_view name, double otherwise) {
  if (!IsGiven(name)) return otherwise;
  Result<double> number = ParseReal(*node.Find(name));
  if (number.ok()) return *number;
  Fail(std::move(number).status().In(name));
  return otherwise;
}

std::vector<double> OpImport::RealsOf(std::string_view name, std::vector<double> otherwise) {
  if (!IsGiven(name)) return otherwise;
  std::string_view text = Text(name);
  const auto is_frame = [](char c) { return c == '(' || c == ')' || c == '[' || c == ']'; };
  while (!text.empty() && is_frame(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_frame(text.back())) text.remove_suffix(1);
  std::vector<double> list;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (text.find_first_not_of(" \t") < end || end < text.size()) {
      Result<double> number = ParseReal(text.substr(0, end));
      if (!number.ok()) {
        Fail(std::move(number).status().In(name));
        return otherwise;
      }
      list.push_back(*number);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return list;
}

bool OpImport::Flag(std::string_view name, bool otherwise) {
  const std::string_view text = Text(name, otherwise ? "1" : "0");
  const bool yes = text == "True" || text == "true" || text == "1";
  Expect(yes || text == "False" || text == "false" || text == "0",
         "{} is {}; True or False is expected", name, Quote(text.substr(0, 40)));
  return yes;
}

DType OpImport::TypeOr(std::string_view name, DType otherwise) {
  if (!IsGiven(name)) return otherwise;
  const DType dtype = DTypeOfWord(Text(name));
  if (dtype == DType::kUndefined)
    Fail(Error(ErrorCode::kUnsupportedType, "element type {} is not read",
               Quote(Text(name).substr(0, 40))));
  return dtype;
}

void OpImport::ExpectText(std::string_view name, std::string_view accepted) {
  Expect(Text(name, accepted) == accepted, "{} = {} is not read; {} is", name,
         Text(name).substr(0, 40), accepted);
}

// ---- the table

const Row* FindRow(std::string_view op) {
  const auto found = Rows().find(op);
  return found == Rows().end() ? nullptr : &found->second;
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& [name, row] : Rows()) names.emplace_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace athanor::mxnet
