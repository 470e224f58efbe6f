// The members of a zip archive (APPNOTE 6.3.10), as PyTorch writes them: weights stored as they
// are, so that they are used where the file is mapped; text packed. Sizes beyond 4 GiB (zip64) are
// read. Hostile input: members lie within the file, and what unpacks is bounded. Thread-safe once
// open.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor::pytorch {

using Bytes = std::span<const std::uint8_t>;

// Starts with the header of a member.
bool IsZip(Bytes file);

// A member's bytes and what keeps them: the file, or memory of their own.
struct Member {
  Bytes bytes;
  std::shared_ptr<const void> owner;

  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

class Archive {
 public:
  // `owner` keeps `file`.
  static Result<Archive> Open(Bytes file, std::shared_ptr<const void> owner);

  // Names without the folder that all members share.
  bool Has(std::string_view name) const { return entries_.find(name) != entries_.end(); }
  // Sorted; those that start with `prefix` and end with `suffix`.
  std::vector<std::string> Names(std::string_view prefix, std::string_view suffix = "") const;
  Result<Member> Read(std::string_view name) const;

 private:
  struct Entry {
    std::uint16_t method = 0;
    std::uint32_t checksum = 0;
    std::uint64_t packed = 0, size = 0, header = 0;
  };
  Status ReadDirectory();
  Result<std::size_t> ReadEntry(std::size_t at);
  Status RemoveSharedFolder();
  Result<Member> Unpack(const Entry& entry, Bytes packed) const;

  Bytes file_;
  std::shared_ptr<const void> owner_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace athanor::pytorch
