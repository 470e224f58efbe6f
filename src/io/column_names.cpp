#include "io/column_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/text.h"

namespace athanor::io {
namespace {

// A column whose name has spaces around it, else the one with the nearest name.
std::string Likely(const std::string& name, const std::vector<std::string>& header) {
  constexpr const char* kSpaces = " \t";
  for (const std::string& column : header) {
    const std::size_t begin = column.find_first_not_of(kSpaces);
    if (begin == std::string::npos) continue;
    if (column.substr(begin, column.find_last_not_of(kSpaces) + 1 - begin) == name)
      return fmt::format(" (did you mean {}, with spaces around it?)", Quote(column));
  }
  return DidYouMean(name, header);
}

std::string ColumnsFound(const std::vector<std::string>& header, const std::string& if_one) {
  constexpr std::size_t kMostNames = 12, kLongest = 80;
  std::vector<std::string> names;
  for (const std::string& name : header) {
    if (names.size() == kMostNames) break;
    names.push_back(Quote(name.substr(0, kLongest)));
  }
  if (header.size() == 1) return fmt::format("the table has one column, {}{}", names[0], if_one);
  std::string text = "the columns of the table are " + Join(names, ", ");
  if (header.size() > names.size())
    text += fmt::format(" and {} more", header.size() - names.size());
  return text;
}

}  // namespace

Result<std::size_t> FindColumn(const std::vector<std::string>& header, const std::string& name) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) {
    return Error(ErrorCode::kUnknownName, "the table has no column \"{}\"{}", name,
                 Likely(name, header));
  }
  const auto again = std::find(found + 1, header.end(), name);
  if (again != header.end()) {
    return Error(ErrorCode::kInvalidInput,
                 "the table has the column \"{}\" twice: its columns {} and {}", name,
                 found - header.begin() + 1, again - header.begin() + 1)
        .Fix("rename one of them in the first row");
  }
  return static_cast<std::size_t>(found - header.begin());
}

Result<std::vector<std::size_t>> FindColumns(const std::vector<std::string>& header,
                                             const std::vector<std::string>& names,
                                             const std::string& if_one) {
  // A table and a model may have many thousand columns: no name is looked for in all of the others,
  // and what may have been meant is said of the first ones only.
  constexpr std::size_t kMostProblems = 20;
  struct Column {
    std::size_t place = 0;
    bool once = true;
  };
  std::unordered_map<std::string_view, Column> columns;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const auto [column, is_new] = columns.try_emplace(header[i], Column{i});
    column->second.once = is_new;
  }
  std::vector<std::size_t> places;
  std::vector<Status> problems;
  for (const std::string& name : names) {
    const auto found = columns.find(name);
    if (found != columns.end() && found->second.once)
      places.push_back(found->second.place);
    else if (problems.size() < kMostProblems)
      problems.push_back(FindColumn(header, name).status());
  }
  if (problems.empty()) return places;
  const std::size_t more = names.size() - places.size() - problems.size();
  if (more > 0)
    problems.push_back(
        Error(ErrorCode::kUnknownName, "{} more names are not there or are there twice", more));
  if (problems.back().fix().empty())
    problems.back() = std::move(problems.back()).Fix(ColumnsFound(header, if_one));
  return Status::All(std::move(problems));
}

}  // namespace athanor::io
