// A table as text, cut into blocks of whole rows, read once from front to back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/status.h"
#include "score/cells.h"
#include "score/child_process.h"
#include "score/npy_rows.h"
#include "score/table_text.h"

namespace athanor::score {

// Where the row ends that `text` begins with: the position of its line end, npos without one. A
// quote opens at the start of a cell only, as SplitRow has it: a line end inside quotes belongs to
// its cell. Separator 0: any of , ; tab.
std::size_t FindRowEnd(std::string_view text, char separator);

// A model runs over so many rows at once. Blocks hold a multiple of it where they can: the last run
// of a block is filled up.
constexpr std::size_t kRowsPerRun = 1024;

struct RowBlock {
  TableText text = {};  // whole rows; the last may lack its line end
  std::size_t first_line = 1;
  std::uint64_t end = 0;  // where the table goes on behind it, in bytes
  std::size_t next_line = 1;
};

// Not thread-safe.
class RowBlocks {
 public:
  // "-" is the standard input. `block_bytes` is what a block has at least, but for the last, before
  // it is cut between runs; where that is less than one run, a block has up to kMostBlocks times as
  // many.
  static Result<RowBlocks> Open(const std::string& path, std::size_t block_bytes);
  // What another program writes.
  static RowBlocks Of(ChildProcess program, std::size_t block_bytes);
  static RowBlocks Of(NpyRows array, std::size_t block_bytes);
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
  // Nothing at the end. `memory` of an earlier block's text is used again.
  Result<std::optional<RowBlock>> Next(TableText memory = {});
  // Of a file; 0 where it is not known.
  std::int64_t size() const { return size_; }

 private:
  static constexpr std::size_t kMostBlocks = 8;

  // Where whole rows end in the buffer; 0 when there is none.
  struct Cut {
    std::size_t end = 0;
    std::size_t lines = 0;   // line ends before it, where they were counted
    bool whole_run = false;  // there are kRowsPerRun rows
  };

  RowBlocks();
  // Appends up to so many bytes to buffer_; false at the end.
  Result<bool> Fill(std::size_t bytes);
  // The end of the first row.
  std::size_t FirstRowEnd() const;
  // Of as many whole runs as there are, or else of the rows that there are.
  Cut FindCut() const;
  Cut CutLines() const;
  std::size_t CountLines(std::string_view text) const {
    return cells_.count_lines(text.data(), text.size());
  }

  // What there is of the next bytes; 0 at the end.
  Result<std::size_t> ReadSome(char* to, std::size_t bytes);

  std::optional<ChildProcess> program_;
  std::optional<NpyRows> array_;
  int file_ = -1;
  bool owned_ = false, ended_ = false, plain_lines_ = false;
  char separator_ = 0;
  std::size_t block_bytes_ = 0;
  std::size_t wanted_ = 0;  // in the buffer before it is cut
  std::int64_t size_ = 0;
  const CellReader cells_;
  TableText buffer_;
  std::uint64_t taken_ = 0;  // bytes before the buffer
  std::size_t line_ = 1;
};

}  // namespace athanor::score
