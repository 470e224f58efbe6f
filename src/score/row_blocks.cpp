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

// A row longer than this is no row: a quote was never closed.
constexpr std::size_t kLongestRow = std::size_t{16} << 20;

bool IsSeparator(char c, char separator) {
  return c == separator || (separator == 0 && (c == ',' || c == ';' || c == '\t'));
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

Result<RowBlocks> RowBlocks::Open(const std::string& path, std::size_t block_bytes) {
  RowBlocks blocks;
  blocks.block_bytes_ = block_bytes;
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
  blocks.block_bytes_ = block_bytes;
  blocks.file_ = program.file();
  blocks.program_.emplace(std::move(program));
  return blocks;
}

RowBlocks::RowBlocks(RowBlocks&& other) noexcept
    : program_(std::move(other.program_)),
      file_(std::exchange(other.file_, -1)),
      owned_(std::exchange(other.owned_, false)),
      ended_(other.ended_),
      plain_lines_(other.plain_lines_),
      separator_(other.separator_),
      block_bytes_(other.block_bytes_),
      size_(other.size_),
      buffer_(std::move(other.buffer_)),
      taken_(other.taken_),
      line_(other.line_) {}

RowBlocks::~RowBlocks() {
  if (owned_) ::close(file_);
}

Result<bool> RowBlocks::Fill() {
  if (ended_) return false;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + block_bytes_);
  std::size_t got = 0;
  while (got < block_bytes_) {
    const ssize_t n = ::read(file_, buffer_.data() + before + got, block_bytes_ - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error(ErrorCode::kFileNotFound, "cannot read on: {}", std::strerror(errno));
    if (n == 0) {
      ended_ = true;
      // Its last row is the table's only if it says so.
      Status whole = program_ ? program_->Finish() : Status();
      if (!whole.ok()) return ArrowFileFailure(std::move(whole));
      break;
    }
    got += static_cast<std::size_t>(n);
  }
  buffer_.resize(before + got);
  return got > 0;
}

std::size_t RowBlocks::RowEnd(bool first) const {
  const std::string_view text = buffer_;
  std::size_t end = 0;
  if (!first && (plain_lines_ || text.find('"') == std::string_view::npos)) {
    const std::size_t last = text.rfind('\n');
    return last == std::string_view::npos ? 0 : last + 1;
  }
  for (;;) {
    const std::string_view rest = text.substr(end);
    const std::size_t length = plain_lines_ ? rest.find('\n') : FindRowEnd(rest, separator_);
    if (length == std::string_view::npos) return end;
    end += length + 1;
    if (first) return end;
  }
}

Status RowBlocks::Seek(std::uint64_t end, std::size_t line) {
  if (::lseek(file_, static_cast<off_t>(end), SEEK_SET) < 0)
    return Error(ErrorCode::kFileNotFound, "cannot go on from byte {}: {}", end,
                 std::strerror(errno));
  buffer_.clear();
  ended_ = false;
  taken_ = end;
  line_ = line;
  return {};
}

Result<std::optional<std::string>> RowBlocks::Header(bool take) {
  for (;;) {
    if (buffer_.starts_with("\xEF\xBB\xBF")) {  // the mark of spreadsheets
      buffer_.erase(0, 3);
      taken_ += 3;
    }
    const std::size_t end = RowEnd(true);
    if (end == 0 && buffer_.size() > kLongestRow)
      return Error(ErrorCode::kResource, "line {}: the row is too long", line_);
    bool more = false;
    if (end == 0) {
      ATH_TRY(more, Fill());
      if (more) continue;
    }
    if (buffer_.empty()) return std::optional<std::string>();
    std::string row = buffer_.substr(0, end == 0 ? buffer_.size() : end);
    const bool blank = row.find_first_not_of("\r\n") == std::string::npos;
    if (take || blank) {
      buffer_.erase(0, row.size());
      taken_ += row.size();
      line_ += static_cast<std::size_t>(std::count(row.begin(), row.end(), '\n'));
    }
    while (!row.empty() && (row.back() == '\n' || row.back() == '\r')) row.pop_back();
    if (row.empty()) continue;
    return std::optional(std::move(row));
  }
}

Result<std::optional<RowBlock>> RowBlocks::Next() {
  ATH_TRY(bool more, Fill());
  std::size_t end = RowEnd(false);
  while (end == 0 && more) {
    if (buffer_.size() > kLongestRow)
      return Error(ErrorCode::kResource, "line {}: the row is too long", line_);
    ATH_TRY(more, Fill());
    end = RowEnd(false);
  }
  if (ended_) end = buffer_.size();
  if (end == 0) return std::optional<RowBlock>();
  RowBlock block = {.text = buffer_.substr(0, end), .first_line = line_};
  buffer_.erase(0, end);
  taken_ += end;
  line_ += static_cast<std::size_t>(std::count(block.text.begin(), block.text.end(), '\n'));
  block.end = taken_;
  block.next_line = line_;
  return std::optional(std::move(block));
}

}  // namespace athanor::score
