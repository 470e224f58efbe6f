#include "frontends/caffe/params.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace athanor::caffe {
namespace {

bool IsWhole(const FieldValue& value) {
  constexpr double kMost = 9007199254740992.0;  // 2^53
  return value.kind == FieldValue::Kind::kNumber && value.number == std::floor(value.number) &&
         std::abs(value.number) <= kMost;
}

}  // namespace

const std::vector<FieldValue>* Params::Find(std::string_view name) {
  read_.emplace(name);
  return message_ == nullptr ? nullptr : message_->Find(name);
}

void Params::Wrong(std::string_view name, std::string_view expected) {
  if (problem_->ok()) *problem_ = InvalidModel("{} must be {}", name, expected);
}

std::vector<std::int64_t> Params::Ints(std::string_view name) {
  std::vector<std::int64_t> ints;
  const std::vector<FieldValue>* values = Find(name);
  if (values == nullptr) return ints;
  for (const FieldValue& value : *values) {
    if (IsWhole(value)) {
      ints.push_back(static_cast<std::int64_t>(value.number));
    } else {
      Wrong(name, "a whole number");
    }
  }
  return ints;
}

std::int64_t Params::Int(std::string_view name, std::int64_t otherwise) {
  const std::vector<std::int64_t> ints = Ints(name);
  return ints.empty() ? otherwise : ints.back();
}

std::vector<float> Params::Floats(std::string_view name) {
  std::vector<float> floats;
  const std::vector<FieldValue>* values = Find(name);
  if (values == nullptr) return floats;
  for (const FieldValue& value : *values) {
    if (value.kind == FieldValue::Kind::kNumber) {
      floats.push_back(static_cast<float>(value.number));
    } else {
      Wrong(name, "a number");
    }
  }
  return floats;
}

float Params::Float(std::string_view name, float otherwise) {
  const std::vector<float> floats = Floats(name);
  return floats.empty() ? otherwise : floats.back();
}

bool Params::Bool(std::string_view name, bool otherwise) {
  const std::vector<FieldValue>* values = Find(name);
  if (values == nullptr || values->empty()) return otherwise;
  const FieldValue& value = values->back();
  if (value.kind == FieldValue::Kind::kNumber && (value.number == 0 || value.number == 1))
    return value.number == 1;
  for (const auto& [word, meaning] :
       {std::pair("true", true), std::pair("True", true), std::pair("t", true),
        std::pair("false", false), std::pair("False", false), std::pair("f", false)}) {
    if (value.kind == FieldValue::Kind::kName && value.text == word) return meaning;
  }
  Wrong(name, "true or false");
  return otherwise;
}

std::string Params::String(std::string_view name) {
  const std::vector<FieldValue>* values = Find(name);
  if (values == nullptr || values->empty()) return "";
  if (values->back().kind != FieldValue::Kind::kString) Wrong(name, "a string");
  return values->back().text;
}

std::size_t Params::Choice(std::string_view name, std::initializer_list<std::string_view> names,
                           std::size_t otherwise, std::int64_t first) {
  const std::vector<FieldValue>* values = Find(name);
  if (values == nullptr || values->empty()) return otherwise;
  const FieldValue& value = values->back();
  std::size_t which = names.size();
  if (value.kind == FieldValue::Kind::kName) {
    which =
        static_cast<std::size_t>(std::find(names.begin(), names.end(), value.text) - names.begin());
  } else if (IsWhole(value) && value.number >= static_cast<double>(first)) {
    which = static_cast<std::size_t>(value.number - static_cast<double>(first));
  }
  if (which < names.size()) return which;
  Wrong(name, Join(std::vector<std::string>(names.begin(), names.end()), " or "));
  return otherwise;
}

Params& Params::Child(std::string_view name) {
  const std::vector<FieldValue>* values = Find(name);
  const bool given = values != nullptr && !values->empty();
  if (given && !values->back().message) Wrong(name, "fields in brackets");
  return children_.emplace_back(given ? values->back().message.get() : nullptr, *problem_);
}

std::vector<Params*> Params::Children(std::string_view name) {
  std::vector<Params*> children;
  const std::vector<FieldValue>* values = Find(name);
  if (values == nullptr) return children;
  for (const FieldValue& value : *values) {
    if (!value.message) Wrong(name, "fields in brackets");
    children.push_back(&children_.emplace_back(value.message.get(), *problem_));
  }
  return children;
}

Status Params::CheckAllRead(std::string_view what) const {
  if (message_ == nullptr) return {};
  for (const auto& [name, values] : message_->fields()) {
    if (read_.count(name) != 0) continue;
    const std::vector<std::string> known(read_.begin(), read_.end());
    return Unsupported("{} is not a field of {} that is read{}", name, what,
                       DidYouMean(name, known));
  }
  for (const Params& child : children_) ATH_RETURN_IF_ERROR(child.CheckAllRead(what));
  return {};
}

}  // namespace athanor::caffe
