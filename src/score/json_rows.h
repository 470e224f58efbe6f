// JSON lines: an object a line, its members by name.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/status.h"

namespace athanor::score {

struct Cell;

// The names of the members of an object, in their order.
Result<std::vector<std::string>> MemberNames(std::string_view object);

// Not thread-safe: keeps the memory of a parser.
class JsonRows {
 public:
  static constexpr std::size_t kPadding = 64;  // bytes that may be read behind a row

  // The names that rows are asked for; not copied.
  explicit JsonRows(const std::vector<std::string>& names);
  ~JsonRows();
  JsonRows(const JsonRows&) = delete;
  JsonRows& operator=(const JsonRows&) = delete;

  // One cell per name, whose text lies in `strings` with a zero behind it. A member that is not
  // there or null is an empty cell, a list or an object its JSON; other members are ignored.
  Status Split(std::string_view object, std::deque<std::string>& strings, std::vector<Cell>& cells);

 private:
  struct Parser;
  std::unordered_map<std::string_view, std::size_t> positions_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace athanor::score
