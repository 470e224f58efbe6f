// A table as text, cut into blocks of whole rows, read once from front to back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/status.h"
#include "score/child_process.h"

namespace athanor::score {

// Where the row ends that `text` begins with: the position of its line end, npos without one. A
// quote opens at the start of a cell only, as SplitRow has it: a line end inside quotes belongs to
// its cell. Separator 0: any of , ; tab.
std::size_t FindRowEnd(std::string_view text, char separator);

struct RowBlock {
  std::string text = "";  // whole rows; the last may lack its line end
  std::size_t first_line = 1;
  std::uint64_t end = 0;  // where the table goes on behind it, in bytes
  std::size_t next_line = 1;
};

// Not thread-safe.
class RowBlocks {
 public:
  // "-" is the standard input. `block_bytes` is what a block has at least, but for the last.
  static Result<RowBlocks> Open(const std::string& path, std::size_t block_bytes);
  // What another program writes.
  static RowBlocks Of(ChildProcess program, std::size_t block_bytes);
  RowBlocks(RowBlocks&& other) noexcept;
  RowBlocks& operator=(RowBlocks&&) = delete;
  ~RowBlocks();

  // The first row, without its line end; once, before Next. Nothing: the table is empty. `take`:
  // the row is no part of the blocks.
  Result<std::optional<std::string>> Header(bool take = true);
  // Goes on from where an earlier reading ended: the `end` and `next_line` of a block. Files only.
  Status Seek(std::uint64_t end, std::size_t line);
  // Between cells, once the header has told; 0 before: any of , ; tab.
  void set_separator(char separator) { separator_ = separator; }
  // Quotes mean nothing: every line end ends a row.
  void set_plain_lines() { plain_lines_ = true; }
  // Nothing at the end.
  Result<std::optional<RowBlock>> Next();
  // Of a file; 0 where it is not known.
  std::int64_t size() const { return size_; }

 private:
  RowBlocks() = default;
  // Appends to buffer_; false at the end.
  Result<bool> Fill();
  // The end of the last (or first) whole row in the buffer; 0 when there is none.
  std::size_t RowEnd(bool first) const;

  std::optional<ChildProcess> program_;
  int file_ = -1;
  bool owned_ = false, ended_ = false, plain_lines_ = false;
  char separator_ = 0;
  std::size_t block_bytes_ = 0;
  std::int64_t size_ = 0;
  std::string buffer_;
  std::uint64_t taken_ = 0;  // bytes before the buffer
  std::size_t line_ = 1;
};

}  // namespace athanor::score
