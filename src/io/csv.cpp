#include "io/csv.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/number.h"
#include "core/text.h"

namespace athanor::io {
namespace {

constexpr std::array<std::string_view, 8> kMissing = {"",    "NA",   "N/A",  "NaN",
                                                      "nan", "null", "NULL", "?"};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

char GuessSeparator(std::string_view text) {
  const std::string_view line = text.substr(0, std::min(text.find('\n'), std::size_t{1} << 16));
  char best = ',';
  auto most = std::count(line.begin(), line.end(), ',');
  for (const char candidate : {';', '\t'}) {
    const auto count = std::count(line.begin(), line.end(), candidate);
    if (count > most) best = candidate, most = count;
  }
  return best;
}

bool HasNumber(const CsvRow& row) {
  return std::any_of(row.begin(), row.end(), [](const CsvCell& cell) {
    return !cell.missing && cell.Number().has_value();
  });
}

// The end of the quoted part that starts at `at` (after the opening quote), with "" unescaped into
// `cell`. Nothing when the quote is never closed within the limit.
std::optional<std::size_t> ReadQuoted(std::string_view text, std::size_t at, std::size_t limit,
                                      std::string& cell, std::size_t& lines) {
  for (; at < text.size() && cell.size() < limit; ++at) {
    if (text[at] == '"') {
      if (at + 1 < text.size() && text[at + 1] == '"') {
        cell += '"';
        ++at;
        continue;
      }
      return at + 1;
    }
    if (text[at] == '\n') ++lines;
    cell += text[at];
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> CsvCell::Number() const {
  if (missing) return std::nan("");
  std::string_view body = Trim(text);
  if (body.starts_with('+')) body.remove_prefix(1);
  return ReadReal(body);
}

Result<CsvReader> CsvReader::FromText(std::string_view text, std::shared_ptr<const void> owner,
                                      const CsvOptions& options) {
  CsvReader reader;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // the UTF-8 mark of spreadsheets
  reader.text_ = text;
  reader.owner_ = std::move(owner);
  reader.options_ = options;
  if (options.separator == 0) reader.options_.separator = GuessSeparator(text);
  ATH_TRY(std::optional<CsvRow> first, reader.ReadRow());
  if (!first) return reader;
  reader.columns_ = first->size();
  if (options.header.value_or(!HasNumber(*first))) {
    for (const CsvCell& cell : *first) reader.header_.emplace_back(Trim(cell.text));
  } else {
    reader.first_ = std::move(first);
  }
  return reader;
}

Result<CsvReader> CsvReader::Open(const std::string& path, const CsvOptions& options) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const auto bytes = file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  Result<CsvReader> reader = FromText(text, file, options);
  if (!reader.ok()) return std::move(reader).status().In(path);
  return reader;
}

std::optional<std::size_t> CsvReader::Column(std::string_view name) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header_.begin());
}

Result<std::optional<CsvRow>> CsvReader::ReadRow() {
  // Blank lines are no rows.
  while (at_ < text_.size() && (text_[at_] == '\n' || text_[at_] == '\r')) {
    if (text_[at_++] == '\n') ++line_;
  }
  if (at_ >= text_.size()) return std::optional<CsvRow>();
  ++line_;
  const std::size_t start = at_, line = line_;
  CsvRow row;
  for (;;) {
    CsvCell cell;
    if (at_ < text_.size() && text_[at_] == '"') {
      const auto end = ReadQuoted(text_, at_ + 1, options_.max_row_bytes, cell.text, line_);
      if (!end) return Error(ErrorCode::kInvalidInput, "line {}: a quoted cell has no end", line);
      at_ = *end;
    } else {
      const std::size_t from = at_;
      while (at_ < text_.size() && text_[at_] != options_.separator && text_[at_] != '\n') ++at_;
      std::string_view body = text_.substr(from, at_ - from);
      if (body.ends_with('\r')) body.remove_suffix(1);
      cell.text = body;
      const std::string_view trimmed = Trim(body);
      cell.missing = std::find(kMissing.begin(), kMissing.end(), trimmed) != kMissing.end();
    }
    row.push_back(std::move(cell));
    if (at_ - start > options_.max_row_bytes || row.size() > options_.max_columns)
      return Error(ErrorCode::kResource, "line {}: the row is too long", line);
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ >= text_.size()) return std::optional(std::move(row));
    if (text_[at_] == '\n') {
      ++at_;
      return std::optional(std::move(row));
    }
    if (text_[at_] != options_.separator)
      return Error(ErrorCode::kInvalidInput, "line {}: text follows a quoted cell", line);
    ++at_;
  }
}

Result<std::optional<CsvRow>> CsvReader::Next() {
  if (first_) {
    std::optional<CsvRow> row = std::move(first_);
    first_.reset();
    return row;
  }
  ATH_TRY(std::optional<CsvRow> row, ReadRow());
  if (row && row->size() != columns_) {
    return Error(ErrorCode::kInvalidInput, "line {}: {} cells, the first row has {}", line_,
                 row->size(), columns_);
  }
  return row;
}

Result<CsvMatrix> ReadCsvMatrix(const std::string& path, const CsvOptions& options,
                                std::size_t max_cells) {
  ATH_TRY(CsvReader reader, CsvReader::Open(path, options));
  std::vector<float> values;
  std::int64_t rows = 0, columns = static_cast<std::int64_t>(reader.header().size());
  for (;; ++rows) {
    Result<std::optional<CsvRow>> row = reader.Next();
    if (!row.ok()) return std::move(row).status().In(path);
    if (!*row) break;
    columns = static_cast<std::int64_t>((*row)->size());
    if (values.size() + (*row)->size() > max_cells)
      return Error(ErrorCode::kResource, "more than {} cells", max_cells).In(path);
    for (std::size_t c = 0; c < (*row)->size(); ++c) {
      const std::optional<double> number = (**row)[c].Number();
      if (!number) {
        const std::string column = reader.header().empty()
                                       ? fmt::format("{}", c + 1)
                                       : fmt::format("\"{}\"", reader.header()[c]);
        return Error(ErrorCode::kInvalidInput, "line {}, column {}: \"{:.40}\" is not a number",
                     reader.line(), column, (**row)[c].text)
            .In(path);
      }
      values.push_back(static_cast<float>(*number));
    }
  }
  return CsvMatrix{.columns = reader.header(),
                   .values = Tensor::FromVector<float>({rows, columns}, values)};
}

}  // namespace athanor::io
