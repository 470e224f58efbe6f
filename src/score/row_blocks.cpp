#include "score/row_blocks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/opened_files.h"
#include "score/arrow_files.h"

namespace athanor::score {
namespace {

using namespace std::string_view_literals;

// A row longer than this is no row: a quote was never closed.
constexpr std::size_t kLongestRow = std::size_t{16} << 20;

bool IsSeparator(char c, char separator) {
  return c == separator || (separator == 0 && (c == ',' || c == ';' || c == '\t'));
}

// What begins a table that is no text of bytes, and how it becomes one.
struct OtherText {
  std::string_view begin, what, fix;
};
constexpr OtherText kOtherTexts[] = {
    {"\x1F\x8B"sv, "compressed (gzip)", "zcat TABLE | athanor score MODEL -"},
    {"\x28\xB5\x2F\xFD"sv, "compressed (zstd)", "zstdcat TABLE | athanor score MODEL -"},
    {"\xFD\x37zXZ\0"sv, "compressed (xz)", "xzcat TABLE | athanor score MODEL -"},
    {"BZh91AY&SY"sv, "compressed (bzip2)", "bzcat TABLE | athanor score MODEL -"},
    {"PK\x03\x04"sv, "an archive (zip) or a spreadsheet",
     "unzip -p TABLE | athanor score MODEL -; save a spreadsheet as csv"},
    {"\xFF\xFE"sv, "text in UTF-16", "iconv -f utf16 -t utf8 TABLE | athanor score MODEL -"},
    {"\xFE\xFF"sv, "text in UTF-16", "iconv -f utf16 -t utf8 TABLE | athanor score MODEL -"},
};

Status CheckText(std::string_view table) {
  for (const OtherText& other : kOtherTexts) {
    if (table.starts_with(other.begin))
      return Error(ErrorCode::kInvalidInput, "the table is {}; plain csv or JSON lines are read",
                   other.what)
          .Fix(other.fix);
  }
  return {};
}

}  // namespace

std::size_t FindRowEnd(std::string_view text, char separator) {
  // Most rows hold no quote.
  const std::size_t line_end = text.find('\n');
  if (text.substr(0, line_end).find('"') == std::string_view::npos) return line_end;
  for (std::size_t at = 0;; ++at) {  // one cell
    if (at < text.size() && text[at] == '"') {
      // A doubled quote closes and opens at once.
      do {
        at = text.find('"', at + 1);
        if (at == std::string_view::npos) return at;
        ++at;
      } while (at < text.size() && text[at] == '"');
    }
    while (at < text.size() && text[at] != '\n' && !IsSeparator(text[at], separator)) ++at;
    if (at >= text.size()) return std::string_view::npos;
    if (text[at] == '\n') return at;
  }
}

RowBlocks::RowBlocks() : cells_(CellReaderFor(BestIsa())) {}

Result<RowBlocks> RowBlocks::Open(const std::string& path, std::size_t block_bytes) {
  RowBlocks blocks;
  blocks.block_bytes_ = blocks.wanted_ = block_bytes;
  if (path == "-") {
    blocks.file_ = STDIN_FILENO;
    return blocks;
  }
  blocks.file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (blocks.file_ < 0)
    return Error(ErrorCode::kFileNotFound, "{}: {}", path, std::strerror(errno));
  blocks.owned_ = true;
  struct stat info = {};
  if (::fstat(blocks.file_, &info) == 0) {
    OpenedFiles::Note(info);
    if (S_ISDIR(info.st_mode)) return Error(ErrorCode::kFileNotFound, "{}: is a folder", path);
    blocks.size_ = info.st_size;
  }
  return blocks;
}

RowBlocks RowBlocks::Of(ChildProcess program, std::size_t block_bytes) {
  RowBlocks blocks;
  blocks.block_bytes_ = blocks.wanted_ = block_bytes;
  blocks.file_ = program.file();
  blocks.program_.emplace(std::move(program));
  return blocks;
}

RowBlocks RowBlocks::Of(NpyRows array, std::size_t block_bytes) {
  RowBlocks blocks;
  blocks.block_bytes_ = blocks.wanted_ = block_bytes;
  blocks.array_.emplace(std::move(array));
  return blocks;
}

RowBlocks::RowBlocks(RowBlocks&& other) noexcept
    : program_(std::move(other.program_)),
      array_(std::move(other.array_)),
      file_(std::exchange(other.file_, -1)),
      owned_(std::exchange(other.owned_, false)),
      ended_(other.ended_),
      plain_lines_(other.plain_lines_),
      separator_(other.separator_),
      block_bytes_(other.block_bytes_),
      wanted_(other.wanted_),
      size_(other.size_),
      cells_(other.cells_),
      buffer_(std::move(other.buffer_)),
      taken_(other.taken_),
      line_(other.line_) {}

RowBlocks::~RowBlocks() {
  if (owned_) ::close(file_);
}

Result<std::size_t> RowBlocks::ReadSome(char* to, std::size_t bytes) {
  if (array_) return array_->Read(to, bytes);
  for (;;) {
    const ssize_t n = ::read(file_, to, bytes);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR)
      return Error(ErrorCode::kFileNotFound, "cannot read on: {}", std::strerror(errno));
  }
}

Result<bool> RowBlocks::Fill(std::size_t bytes) {
  if (ended_) return false;
  const std::size_t before = buffer_.size();
  buffer_.Resize(before + bytes);
  std::size_t got = 0;
  while (got < bytes) {
    ATH_TRY(const std::size_t n, ReadSome(buffer_.data() + before + got, bytes - got));
    if (n == 0) {
      ended_ = true;
      // Its last row is the table's only if it says so.
      Status whole = program_ ? program_->Finish() : Status();
      if (!whole.ok()) return ArrowFileFailure(std::move(whole));
      break;
    }
    got += n;
  }
  buffer_.Resize(before + got);
  return got > 0;
}

std::size_t RowBlocks::FirstRowEnd() const {
  const std::string_view text = buffer_.view();
  const std::size_t length = plain_lines_ ? text.find('\n') : FindRowEnd(text, separator_);
  return length == std::string_view::npos ? 0 : length + 1;
}

RowBlocks::Cut RowBlocks::CutLines() const {
  const std::string_view text = buffer_.view();
  const std::size_t lines = CountLines(text);
  const std::size_t over = lines < kRowsPerRun ? 0 : lines % kRowsPerRun;
  // The piece in which the last line that is wanted ends, from behind.
  constexpr std::size_t kPiece = 4096;
  std::size_t begin = text.size(), behind = 0;
  while (begin > 0 && behind <= over) {
    const std::size_t piece = std::min(begin, kPiece);
    begin -= piece;
    behind += CountLines(text.substr(begin, piece));
  }
  std::size_t end = begin;
  for (std::size_t left = behind - over; lines > 0 && left > 0; --left)
    end = text.find('\n', end) + 1;
  return {.end = end, .lines = lines - over, .whole_run = lines >= kRowsPerRun};
}

RowBlocks::Cut RowBlocks::FindCut() const {
  const std::string_view text = buffer_.view();
  if (plain_lines_ || text.find('"') == std::string_view::npos) return CutLines();
  Cut cut;
  std::size_t end = 0;
  for (std::size_t rows = 1;; ++rows) {
    const std::size_t length = FindRowEnd(text.substr(end), separator_);
    if (length == std::string_view::npos) return cut;
    end += length + 1;
    if (rows % kRowsPerRun == 0 || !cut.whole_run)
      cut = {.end = end, .whole_run = cut.whole_run || rows % kRowsPerRun == 0};
  }
}

Status RowBlocks::Seek(std::uint64_t end, std::size_t line) {
  if (::lseek(file_, static_cast<off_t>(end), SEEK_SET) < 0)
    return Error(ErrorCode::kFileNotFound, "cannot go on from byte {}: {}", end,
                 std::strerror(errno));
  buffer_.Resize(0);
  ended_ = false;
  taken_ = end;
  line_ = line;
  return {};
}

Result<std::optional<std::string>> RowBlocks::Header(bool take) {
  for (;;) {
    if (taken_ == 0) ATH_RETURN_IF_ERROR(CheckText(buffer_.view()));
    if (buffer_.view().starts_with("\xEF\xBB\xBF")) {  // the mark of spreadsheets
      buffer_.RemovePrefix(3);
      taken_ += 3;
    }
    const std::size_t end = FirstRowEnd();
    if (end == 0 && buffer_.size() > kLongestRow)
      return Error(ErrorCode::kResource, "line {}: the row is too long", line_);
    bool more = false;
    if (end == 0) {
      ATH_TRY(more, Fill(block_bytes_));
      if (more) continue;
    }
    if (buffer_.empty()) return std::optional<std::string>();
    std::string row(buffer_.view().substr(0, end == 0 ? buffer_.size() : end));
    const bool blank = row.find_first_not_of("\r\n") == std::string::npos;
    if (take || blank) {
      buffer_.RemovePrefix(row.size());
      taken_ += row.size();
      line_ += CountLines(row);
    }
    while (!row.empty() && (row.back() == '\n' || row.back() == '\r')) row.pop_back();
    if (row.empty()) continue;
    return std::optional(std::move(row));
  }
}

// As much is read as the last block had, and a little more, so that few bytes are left over: they
// are copied.
Result<std::optional<RowBlock>> RowBlocks::Next(TableText memory) {
  bool more = !ended_;
  Cut cut;
  while (more) {
    const std::size_t missing = wanted_ > buffer_.size() ? wanted_ - buffer_.size() : 0;
    ATH_TRY(more, Fill(std::max(missing, 1 + block_bytes_ / 16)));
    if (more && buffer_.size() < wanted_) continue;
    cut = FindCut();
    if (cut.whole_run || (cut.end > 0 && buffer_.size() >= kMostBlocks * block_bytes_)) break;
    if (cut.end == 0 && buffer_.size() > kLongestRow)
      return Error(ErrorCode::kResource, "line {}: the row is too long", line_);
    wanted_ = buffer_.size() + std::max(block_bytes_ / 16, buffer_.size() / 8);
  }
  const std::size_t end = ended_ ? buffer_.size() : cut.end;
  if (end == 0) return std::optional<RowBlock>();
  wanted_ = std::max(end + end / 64, block_bytes_);
  RowBlock block = {.text = std::move(buffer_), .first_line = line_};
  const std::string_view rest = block.text.view().substr(end);
  memory.Resize(0);
  memory.Resize(rest.size());
  std::copy(rest.begin(), rest.end(), memory.data());
  buffer_ = std::move(memory);
  block.text.Resize(end);
  taken_ += end;
  line_ += !ended_ && cut.lines > 0 ? cut.lines : CountLines(block.text.view());
  block.end = taken_;
  block.next_line = line_;
  return std::optional(std::move(block));
}

}  // namespace athanor::score
