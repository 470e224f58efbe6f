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

// Writes beside the final name, then renames: readers see the old file or the new, never a part.
Status WriteFileAtomically(const std::string& path, std::span<const std::uint8_t> bytes);
Status WriteFileAtomically(const std::string& path, std::string_view text);

}  // namespace athanor
