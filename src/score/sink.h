// A file that grows beside its final name until it is whole, or the standard output.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/file.h"
#include "score/arrow_files.h"

namespace athanor::score {

// Not thread-safe.
class Sink {
 public:
  // "-" is the standard output. What is not committed is removed.
  static Result<Sink> Open(const std::string& path);
  // A Parquet or Arrow file. `options.target` is chosen here.
  static Result<Sink> OpenArrow(ArrowFileOptions options);
  // Keeps what was not committed, under PATH.part, and goes on behind its first `bytes` bytes.
  static Result<Sink> Resume(const std::string& path, std::uint64_t bytes);
  // Bytes of PATH.part; nothing without one.
  static std::optional<std::uint64_t> Kept(const std::string& path);
  Sink(Sink&& other) noexcept;
  Sink& operator=(Sink&&) = delete;
  ~Sink();

  Status Write(std::string_view text);
  std::uint64_t bytes() const { return bytes_; }
  // What was written survives the machine.
  Status Sync();
  // Gives the file its final name.
  Status Commit();

 private:
  Sink() = default;
  Status Failed() const;

  std::string path_, part_;             // part_: kept when not committed
  std::optional<PartialFile> partial_;  // removed when not committed
  std::optional<ChildProcess> writer_;  // of an Arrow file
  int file_ = -1;                       // owned, unless it is the standard output
  std::uint64_t bytes_ = 0;
};

}  // namespace athanor::score
