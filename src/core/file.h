// Whole files as read-only memory, and results written so that no half file is ever left.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/status.h"

namespace athanor {

// A file mapped into memory. Immutable and shareable between threads; unmapped with the last owner.
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

 private:
  MappedFile() = default;
  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

Result<std::string> ReadTextFile(const std::string& path);

// The name beside PATH that holds a result until it is whole. Links are followed, so that a rename
// never replaces one; what exists and is no regular file is refused. An uncommitted file is
// removed.
class PartialFile {
 public:
  static Result<PartialFile> For(const std::string& path);
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  const std::string& name() const { return partial_; }
  // Gives the file, written and closed, its final name.
  Status Commit();

 private:
  PartialFile() = default;
  std::string target_, partial_;  // partial_ is empty when there is nothing to remove
  int slot_ = -1;
};

// Removes what is being written at this moment. Safe in a signal handler that then ends the
// process.
void RemovePartialFiles();

// Writes beside the final name, then renames: readers see the old file or the new, never a part.
Status WriteFileAtomically(const std::string& path, std::span<const std::uint8_t> bytes);
Status WriteFileAtomically(const std::string& path, std::string_view text);

}  // namespace athanor
