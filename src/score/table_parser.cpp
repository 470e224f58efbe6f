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
void Put(T value, std::byte* to) {
  std::memcpy(to, &value, sizeof(T));
}

bool IsReal(DType dtype) { return dtype == DType::kF32 || dtype == DType::kF64; }

std::size_t RoundUp(std::size_t count, std::size_t to) { return (count + to - 1) / to * to; }

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

// What can be done about a cell that is no number; "" when nobody knows.
std::string HowToRead(std::string_view cell, char separator) {
  constexpr std::size_t kLongestWord = 40;
  cell = Trim(cell);
  double number = 0;
  if (cell.empty() || cell.size() > kLongestWord || ParseNumber(cell, number)) return "";
  std::string point(cell);
  std::replace(point.begin(), point.end(), ',', '.');
  if (cell.find('.') == std::string_view::npos && ParseNumber(point, number)) {
    if (cell.size() - cell.find(',') == 4)  // "1,000" may be either
      return "write numbers with a decimal point, and nothing between thousands";
    return separator == ',' ? fmt::format("write {} with a decimal point", point)
                            : fmt::format(
                                  "write {} with a decimal point: tr , . < TABLE | "
                                  "athanor score MODEL - where no text has a comma",
                                  point);
  }
  // A word, not one number among damaged ones.
  const bool word =
      (cell.size() == 1 || cell.front() != '-') &&
      std::none_of(cell.begin(), cell.end(), [](unsigned char c) {
        return c <= ' ' || c >= 0x7F || c == ',' || c == '\'' || (c >= '0' && c <= '9');
      });
  if (!word) return "";
  const bool plain = std::all_of(cell.begin(), cell.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return fmt::format("if it means a missing value: --missing {0}{1}{0}", plain ? "" : "'", cell);
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

TableParser::TableParser(TableFormat format, std::vector<std::string> names,
                         std::vector<Column> columns, std::vector<std::size_t> keep,
                         const ParserOptions& options)
    : format_(std::move(format)),
      names_(std::move(names)),
      columns_(std::move(columns)),
      keep_(std::move(keep)),
      options_(options),
      reader_(CellReaderFor(options.isa)) {
  for (const std::string& word : format_.missing) {
    double number = 0;
    if (ParseNumber(word, number) && number == number) missing_numbers_.push_back(number);
    empty_is_missing_ = empty_is_missing_ || word.empty();
  }
  plain_.width = names_.size();
  plain_.as_f32 = true;
  plain_.empty_is_nan = empty_is_missing_;
  for (const Column& column : columns_) {
    if (!IsReal(column.dtype)) continue;
    if (column.source + 1 == plain_.width) plain_.last = plain_.numbers.size();
    plain_.numbers.push_back(static_cast<std::uint32_t>(column.source));
    plain_.as_f32 = plain_.as_f32 && column.dtype == DType::kF32;
  }
  const std::vector<std::uint32_t>& numbers = plain_.numbers;
  plain_.all = numbers.size() == plain_.width;
  for (std::size_t i = 0; i < numbers.size(); ++i) plain_.all = plain_.all && numbers[i] == i;
  // A few rows at once stay in the nearest cache with what becomes of them.
  constexpr std::size_t kLeastPiece = std::size_t{1} << 13, kUsualRow = 32;
  piece_bytes_ = std::clamp(kUsualRow * plain_.width, kLeastPiece, kMostPiece);
  in_place_ = options_.matrix && numbers.size() == columns_.size();
}

bool TableParser::IsMissing(const Cell& cell) const {
  if (cell.quoted) return cell.text.empty();
  const std::string_view text = Trim(cell.text);
  return std::any_of(format_.missing.begin(), format_.missing.end(),
                     [&](const std::string& word) { return text == word; });
}

std::string TableParser::ReadNumber(const Cell& cell, double& value) const {
  if (missing_numbers_.empty()) {
    const std::optional<double> number = ReadReal(cell.text);
    if (number && *number == *number) return value = *number, "";
  }
  value = std::nan("");
  if (IsMissing(cell) || ParseNumber(cell.text, value)) return "";
  if (cell.text.empty()) return "the cell is empty, a number is expected";
  return fmt::format("\"{:.40}\" is not a number", cell.text);
}

std::string TableParser::AddCell(const Cell& cell, DType dtype, std::byte* to) const {
  double value = 0;
  if (IsReal(dtype)) {
    std::string problem = ReadNumber(cell, value);
    if (!problem.empty()) return problem;
    if (dtype == DType::kF64) return Put(value, to), "";
    return Put(static_cast<float>(value), to), "";
  }
  const bool missing = IsMissing(cell);
  if (dtype == DType::kString) {
    if (cell.text.find('\0') != std::string_view::npos) return "the cell holds a zero byte";
    return Put(missing ? "" : cell.text.data(), to), "";
  }
  // Integers and booleans have no missing value.
  if (missing) return "the value is missing, but the model takes none here";
  if (dtype == DType::kI64) {
    if (const auto integer = ParseInteger(cell.text)) return Put(*integer, to), "";
  }
  std::string problem = ReadNumber(cell, value);
  if (!problem.empty()) return problem;
  const double most = dtype == DType::kI64 ? 0x1p63 : 0x1p31;
  if (value != std::floor(value) || value < -most || value >= most)
    return fmt::format("\"{:.40}\" is no integer of the model's type", cell.text);
  if (dtype == DType::kBool && value != 0 && value != 1)
    return fmt::format("\"{:.40}\" is not true or false", cell.text);
  if (dtype == DType::kI64) Put(static_cast<std::int64_t>(value), to);
  if (dtype == DType::kI32) Put(static_cast<std::int32_t>(value), to);
  if (dtype == DType::kBool) Put(static_cast<std::uint8_t>(value), to);
  return "";
}

std::string TableParser::AddRow(std::span<const Cell> cells, ParsedBlock& parsed) const {
  if (cells.size() != names_.size())
    return fmt::format("{} cells, the header has {}", cells.size(), names_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    const Elements& elements = parsed.columns[i];
    std::string problem =
        AddCell(cells[column.source], column.dtype, elements.first + parsed.rows * elements.stride);
    if (problem.empty()) continue;
    if (IsReal(column.dtype)) parsed.fix = HowToRead(cells[column.source].text, format_.separator);
    return fmt::format("column \"{}\": {}", column.name, problem);
  }
  for (const std::size_t at : keep_) parsed.kept.push_back(cells[at].text);
  ++parsed.rows;
  return "";
}

void TableParser::AddEmptyRow(std::span<const Cell> cells, ParsedBlock& parsed) const {
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::byte* const to = parsed.columns[i].first + parsed.rows * parsed.columns[i].stride;
    if (columns_[i].dtype == DType::kString) {
      Put("", to);
    } else {
      std::memset(to, 0, CellBytes(columns_[i].dtype));
    }
  }
  const bool whole = cells.size() == names_.size();
  for (const std::size_t at : keep_)
    parsed.kept.push_back(whole ? cells[at].text : std::string_view());
  parsed.empty.push_back(parsed.rows++);
}

// Room for a row per line end, and for a last row without one, up to a whole run.
void TableParser::PlaceElements(ParsedBlock& parsed) const {
  constexpr std::size_t kAlignment = 64;
  std::size_t lines = reader_.count_lines(parsed.text.data(), parsed.text.size()) + 1;
  // Lines that are no rows, blank ones for instance, shall cost no memory: a row has a separator or
  // a line end behind each cell.
  if (!format_.json_lines && format_.on_error != OnError::kNull)
    lines = std::min(lines, parsed.text.size() / std::max<std::size_t>(1, names_.size()) + 1);
  const std::size_t rows = RoundUp(lines, kRowsPerRun);
  std::size_t row_bytes = 0, total = kAlignment + kCellRound * sizeof(double);
  for (const Column& column : columns_) {
    row_bytes += CellBytes(column.dtype);
    total += RoundUp(rows * CellBytes(column.dtype), kAlignment);
  }
  if (parsed.memory_bytes < total) {
    parsed.memory.reset(new std::byte[total]);
    parsed.memory_bytes = total;
  }
  auto address = reinterpret_cast<std::uintptr_t>(parsed.memory.get());
  std::byte* at = parsed.memory.get() + (RoundUp(address, kAlignment) - address);
  parsed.columns.clear();
  for (const Column& column : columns_) {
    const std::size_t bytes = CellBytes(column.dtype);
    parsed.columns.push_back({.name = column.name,
                              .dtype = column.dtype,
                              .first = at,
                              .stride = options_.matrix ? row_bytes : bytes});
    at += options_.matrix ? bytes : RoundUp(rows * bytes, kAlignment);
  }
}

void TableParser::RepeatLastRow(ParsedBlock& parsed) const {
  if (parsed.rows == 0) return;
  const std::size_t whole = RoundUp(parsed.rows, kRowsPerRun);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const Elements& elements = parsed.columns[i];
    const std::byte* const last = elements.first + (parsed.rows - 1) * elements.stride;
    for (std::size_t r = parsed.rows; r < whole; ++r)
      std::memcpy(elements.first + r * elements.stride, last, CellBytes(columns_[i].dtype));
  }
}

struct TableParser::Place {
  ParsedBlock& parsed;
  char* at;  // the next row
  char* const end;
  std::size_t line;
  JsonRows* json;
  std::vector<Cell> cells = {};
  std::string row = {};   // before it is split
  char* piece = nullptr;  // whose marks are known
};

void TableParser::AddNextRow(Place& place) const {
  ParsedBlock& parsed = place.parsed;
  char* const at = place.at;
  const std::string_view rest(at, static_cast<std::size_t>(place.end - at));
  const std::size_t length =
      format_.json_lines ? rest.find('\n') : FindRowEnd(rest, format_.separator);
  char* const stop = at + std::min(length, rest.size());
  const auto lines = static_cast<std::size_t>(std::count(at, stop, '\n'));
  char* row_end = stop;
  if (row_end > at && row_end[-1] == '\r') --row_end;
  if (row_end > at) {  // blank lines are no rows
    const auto size = static_cast<std::size_t>(row_end - at);
    place.row.assign(at, size);
    place.cells.clear();
    const Status split = format_.json_lines
                             ? place.json->Split({at, size}, parsed.strings, place.cells)
                             : SplitRow(at, row_end, format_.separator, place.cells);
    parsed.fix.clear();
    std::string problem = split.ok() ? AddRow(place.cells, parsed) : split.message();
    if (!problem.empty()) {
      parsed.bad.push_back({place.line, std::move(problem), place.row, parsed.fix});
      if (format_.on_error == OnError::kNull)
        AddEmptyRow(split.ok() ? std::span<const Cell>(place.cells) : std::span<const Cell>(),
                    parsed);
    }
  }
  place.line += lines + 1;
  place.at = std::min(stop + 1, place.end);
}

// The numbers of the row that are not in the usual form; false when one is none.
bool TableParser::ReadOddNumbers(Place& place, std::size_t row, std::size_t& unread) const {
  PlainRows& plain = place.parsed.plain;
  const std::size_t numbers = plain_.numbers.size(), begin = row * numbers;
  const auto read = [&](std::size_t i) {
    double value = 0;
    const Cell cell = {.text = plain.CellOf(row, plain_.numbers[i])};
    if (cell.text.empty() && empty_is_missing_) {
      value = std::nan("");
    } else if (!ReadNumber(cell, value).empty()) {
      return false;
    }
    if (plain_.as_f32) return plain.f32()[begin + i] = static_cast<float>(value), true;
    return plain.f64()[begin + i] = value, true;
  };
  bool good = true;
  const std::span<const std::uint16_t> list = plain.unread();
  for (; unread < list.size() && list[unread] < begin + numbers; ++unread)
    good = good && read(list[unread] - begin);
  for (const double missing : missing_numbers_) {
    for (std::size_t i = 0; good && i < numbers; ++i) {
      const bool may_be = plain_.as_f32 ? plain.f32()[begin + i] == static_cast<float>(missing)
                                        : plain.f64()[begin + i] == missing;
      if (may_be) good = read(i);
    }
  }
  return good;
}

// False: the row is not as plain as it looked, and is left as it was.
bool TableParser::StorePlainRow(Place& place, std::size_t row) const {
  ParsedBlock& parsed = place.parsed;
  PlainRows& plain = parsed.plain;
  std::size_t next = row * plain_.numbers.size();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const DType dtype = columns_[i].dtype;
    std::byte* const to = parsed.columns[i].first + parsed.rows * parsed.columns[i].stride;
    if (!IsReal(dtype)) {
      if (!AddCell({.text = plain.CellOf(row, columns_[i].source)}, dtype, to).empty())
        return false;
    } else if (plain_.as_f32) {
      Put(plain.f32()[next++], to);
    } else if (dtype == DType::kF32) {
      Put(static_cast<float>(plain.f64()[next++]), to);
    } else {
      Put(plain.f64()[next++], to);
    }
  }
  return true;
}

// Zeros take the place of what is behind texts, a '\r' too: nobody may ask for cells of this row
// afterwards.
void TableParser::EndTexts(Place& place, std::size_t row) const {
  for (const Column& column : columns_) {
    if (column.dtype != DType::kString) continue;
    const std::string_view text = place.parsed.plain.CellOf(row, column.source);
    place.piece[static_cast<std::size_t>(text.data() + text.size() - place.piece)] = '\0';
  }
}

// The next rows, up to one that is not plain. Those of a matrix are read to where they belong, if
// none before them is left out.
std::size_t TableParser::AddPlainRows(Place& place) const {
  ParsedBlock& parsed = place.parsed;
  PlainRows& plain = parsed.plain;
  const std::size_t stride = in_place_ ? parsed.columns[0].stride : 0;
  const auto place_of = [&](std::size_t row) { return parsed.columns[0].first + row * stride; };
  std::byte* const begin = in_place_ ? place_of(parsed.rows) : nullptr;
  const std::size_t rows = plain.Take(reader_, plain_, begin);
  std::size_t unread = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    if (!ReadOddNumbers(place, row, unread) || !(in_place_ || StorePlainRow(place, row))) {
      place.at = place.piece + plain.RowBegin(row);
      AddNextRow(place);
      continue;
    }
    if (in_place_ && begin + row * stride != place_of(parsed.rows))
      std::memcpy(place_of(parsed.rows), begin + row * stride, stride);
    for (const std::size_t at : keep_) parsed.kept.push_back(plain.CellOf(row, at));
    if (!in_place_) EndTexts(place, row);
    ++parsed.rows;
    ++place.line;
  }
  return rows;
}

void TableParser::AddPiece(Place& place) const {
  PlainRows& plain = place.parsed.plain;
  const auto left = static_cast<std::size_t>(place.end - place.at);
  place.piece = place.at;
  plain.Begin(reader_, {place.at, std::min(left, piece_bytes_)}, format_.separator);
  if (plain.done()) return AddNextRow(place);
  while (!plain.done()) {
    const std::size_t rows = AddPlainRows(place);
    place.at = place.piece + plain.next();
    if (rows > 0) continue;
    AddNextRow(place);
    plain.SkipTo(static_cast<std::size_t>(place.at - place.piece));
  }
}

void TableParser::Parse(RowBlock block, ParsedBlock& parsed) const {
  static_assert(TableText::kPadding >= std::max(JsonRows::kPadding, kReadBehind));
  parsed.text = std::move(block.text);
  parsed.rows = 0;
  parsed.kept.clear();
  parsed.bad.clear();
  parsed.empty.clear();
  parsed.strings.clear();
  PlaceElements(parsed);
  std::optional<JsonRows> json;
  if (format_.json_lines) json.emplace(names_);
  char* const begin = parsed.text.data();
  Place place = {.parsed = parsed,
                 .at = begin,
                 .end = begin + parsed.text.size(),
                 .line = block.first_line,
                 .json = json ? &*json : nullptr};
  const bool quick = options_.quick && !format_.json_lines;
  while (place.at < place.end) quick ? AddPiece(place) : AddNextRow(place);
  RepeatLastRow(parsed);
}

ParsedBlock TableParser::Parse(RowBlock block) const {
  ParsedBlock parsed;
  Parse(std::move(block), parsed);
  return parsed;
}

}  // namespace athanor::score
