#include "frontends/lightgbm/categories.h"

#include "frontends/tabular/document.h"

namespace athanor::lightgbm {

Result<std::vector<Categories>> ReadCategories(std::string_view json) {
  using Kind = tabular::Value::Kind;
  ATH_TRY(const tabular::Value root,
          tabular::ParseJson({reinterpret_cast<const std::uint8_t*>(json.data()), json.size()}));
  std::vector<Categories> all;
  if (root.kind == Kind::kNull || root.kind == Kind::kNumbers) return all;
  if (root.kind != Kind::kArray) return InvalidModel("pandas_categorical is no list of lists");
  for (const tabular::Value& column : root.items) {
    Categories categories = {.strings = {}, .numbers = column.numbers};
    if (column.kind != Kind::kArray && column.kind != Kind::kNumbers)
      return InvalidModel("pandas_categorical is no list of lists");
    for (const tabular::Value& item : column.items) {
      if (item.kind == Kind::kString) {
        categories.strings.push_back(item.text);
      } else if (item.kind == Kind::kNumber || item.kind == Kind::kBool) {
        categories.numbers.push_back(item.number);
      } else {
        return Unsupported("a category is neither a string nor a number");
      }
    }
    if (!categories.strings.empty() && !categories.numbers.empty())
      return Unsupported("the categories of one column are strings and numbers mixed");
    all.push_back(std::move(categories));
  }
  return all;
}

}  // namespace athanor::lightgbm
