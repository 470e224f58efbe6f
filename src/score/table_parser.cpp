#include "score/table_parser.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/number.h"
#include "score/json_rows.h"

namespace athanor::score {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

template <class T>
void Append(std::vector<std::byte>& bytes, T value) {
  const std::size_t at = bytes.size();
  bytes.resize(at + sizeof(T));
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

bool IsWord(std::string_view text, std::string_view upper) {
  return text.size() == upper.size() &&
         std::equal(text.begin(), text.end(), upper.begin(), [](char a, char b) {
           return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b;
         });
}

// Without the spaces around it and its plus.
std::string_view NumberText(std::string_view text) {
  text = Trim(text);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return text;
}

// Digits only: no double holds all of them.
std::optional<std::int64_t> ParseInteger(std::string_view text) {
  return ReadInteger(NumberText(text));
}

}  // namespace

char GuessSeparator(std::string_view row) {
  char best = ',';
  auto most = std::count(row.begin(), row.end(), ',');
  for (const char candidate : {';', '\t'}) {
    const auto count = std::count(row.begin(), row.end(), candidate);
    if (count > most) best = candidate, most = count;
  }
  return best;
}

bool ParseNumber(std::string_view text, double& value) {
  text = NumberText(text);
  if (const std::optional<double> number = ReadReal(text)) return value = *number, true;
  if (IsWord(text, "TRUE")) return value = 1, true;
  if (IsWord(text, "FALSE")) return value = 0, true;
  return false;
}

Status SplitRow(char* begin, char* end, char separator, std::vector<Cell>& cells) {
  cells.clear();
  for (char* at = begin;;) {
    Cell cell;
    char* next = at;
    if (at < end && *at == '"') {
      cell.quoted = true;
      char* to = at;
      for (next = at + 1;; ++next) {
        if (next >= end) return Error(ErrorCode::kInvalidInput, "a quoted cell has no end");
        if (*next == '"' && (next + 1 >= end || next[1] != '"')) break;
        if (*next == '"') ++next;
        *to++ = *next;
      }
      cell.text = {at, static_cast<std::size_t>(to - at)};
      ++next;
      if (next < end && *next != separator)
        return Error(ErrorCode::kInvalidInput, "text follows a quoted cell");
      *to = '\0';
    } else {
      next = static_cast<char*>(std::memchr(at, separator, static_cast<std::size_t>(end - at)));
      if (next == nullptr) next = end;
      cell.text = {at, static_cast<std::size_t>(next - at)};
    }
    cells.push_back(cell);
    const bool last = next >= end;
    *next = '\0';
    if (last) return {};
    at = next + 1;
  }
}

bool TableParser::IsMissing(const Cell& cell) const {
  if (cell.quoted) return cell.text.empty();
  const std::string_view text = Trim(cell.text);
  return std::any_of(format_.missing.begin(), format_.missing.end(),
                     [&](const std::string& word) { return text == word; });
}

std::string TableParser::AddCell(const Cell& cell, Column& column) const {
  if ((column.dtype == DType::kF32 || column.dtype == DType::kF64) && !number_may_be_missing_) {
    if (const std::optional<double> number = ReadReal(cell.text); number && *number == *number) {
      if (column.dtype == DType::kF64) return Append(column.bytes, *number), "";
      return Append(column.bytes, static_cast<float>(*number)), "";
    }
  }
  const bool missing = IsMissing(cell);
  if (column.dtype == DType::kString) {
    if (cell.text.find('\0') != std::string_view::npos) return "the cell holds a zero byte";
    Append(column.bytes, missing ? "" : cell.text.data());
    return "";
  }
  if (column.dtype == DType::kI64 && !missing) {
    if (const auto integer = ParseInteger(cell.text)) return Append(column.bytes, *integer), "";
  }
  double value = std::nan("");
  if (!missing && !ParseNumber(cell.text, value)) {
    if (cell.text.empty()) return "the cell is empty, a number is expected";
    return fmt::format("\"{:.40}\" is not a number", cell.text);
  }
  if (column.dtype == DType::kF32) return Append(column.bytes, static_cast<float>(value)), "";
  if (column.dtype == DType::kF64) return Append(column.bytes, value), "";
  // Integers and booleans have no missing value.
  if (missing) return "the value is missing, but the model takes none here";
  const double most = column.dtype == DType::kI64 ? 0x1p63 : 0x1p31;
  if (value != std::floor(value) || value < -most || value >= most)
    return fmt::format("\"{:.40}\" is no integer of the model's type", cell.text);
  if (column.dtype == DType::kBool && value != 0 && value != 1)
    return fmt::format("\"{:.40}\" is not true or false", cell.text);
  if (column.dtype == DType::kI64) Append(column.bytes, static_cast<std::int64_t>(value));
  if (column.dtype == DType::kI32) Append(column.bytes, static_cast<std::int32_t>(value));
  if (column.dtype == DType::kBool) Append(column.bytes, static_cast<std::uint8_t>(value));
  return "";
}

std::string TableParser::AddRow(std::span<const Cell> cells, ParsedBlock& parsed) const {
  if (cells.size() != names_.size())
    return fmt::format("{} cells, the header has {}", cells.size(), names_.size());
  for (std::size_t i = 0; i < parsed.columns.size(); ++i) {
    Column& column = parsed.columns[i];
    std::string problem = AddCell(cells[column.source], column);
    if (!problem.empty()) return fmt::format("column \"{}\": {}", column.name, problem);
  }
  for (const std::size_t at : keep_) parsed.kept.emplace_back(cells[at].text);
  ++parsed.rows;
  return "";
}

void TableParser::AddEmptyRow(std::span<const Cell> cells, ParsedBlock& parsed) const {
  for (Column& column : parsed.columns) {
    if (column.dtype == DType::kString) {
      Append(column.bytes, "");
    } else {
      column.bytes.resize(column.bytes.size() + CellBytes(column.dtype));
    }
  }
  const bool whole = cells.size() == names_.size();
  for (const std::size_t at : keep_)
    parsed.kept.emplace_back(whole ? cells[at].text : std::string_view());
  parsed.empty.push_back(parsed.rows++);
}

ParsedBlock TableParser::Parse(RowBlock block) const {
  const std::size_t size = block.text.size();
  ParsedBlock parsed = {.text = {block.text.begin(), block.text.end()}, .columns = columns_};
  const auto most_rows =
      1 + static_cast<std::size_t>(std::count(block.text.begin(), block.text.end(), '\n'));
  for (Column& column : parsed.columns) column.bytes.reserve(most_rows * CellBytes(column.dtype));
  // Room for the zero behind the last cell, and for what reads JSON in vectors.
  parsed.text.resize(size + std::max<std::size_t>(1, JsonRows::kPadding));
  char* const all = parsed.text.data();
  char* const end = all + size;
  std::vector<Cell> cells;
  JsonRows json(names_);
  std::size_t line = block.first_line;
  for (char* at = all; at < end;) {
    const std::string_view rest(at, static_cast<std::size_t>(end - at));
    const std::size_t length =
        format_.json_lines ? rest.find('\n') : FindRowEnd(rest, format_.separator);
    char* const stop = at + std::min(length, rest.size());
    const auto lines = static_cast<std::size_t>(std::count(at, stop, '\n'));
    char* row_end = stop;
    if (row_end > at && row_end[-1] == '\r') --row_end;
    if (row_end > at) {  // blank lines are no rows
      cells.clear();
      const auto row = static_cast<std::size_t>(row_end - at);
      const Status split = format_.json_lines ? json.Split({at, row}, parsed.strings, cells)
                                              : SplitRow(at, row_end, format_.separator, cells);
      std::string problem = split.ok() ? AddRow(cells, parsed) : split.message();
      if (!problem.empty()) {
        parsed.bad.push_back(
            {line, std::move(problem), block.text.substr(static_cast<std::size_t>(at - all), row)});
        // Cells of the row that were good are taken back.
        for (Column& column : parsed.columns)
          column.bytes.resize(parsed.rows * CellBytes(column.dtype));
        if (format_.on_error == OnError::kNull)
          AddEmptyRow(split.ok() ? std::span<const Cell>(cells) : std::span<const Cell>(), parsed);
      }
    }
    line += lines + 1;
    at = stop + 1;
  }
  return parsed;
}

}  // namespace athanor::score
