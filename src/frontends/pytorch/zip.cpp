#include "frontends/pytorch/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/text.h"

namespace athanor::pytorch {
namespace {

constexpr std::uint32_t kMemberMark = 0x04034B50, kEntryMark = 0x02014B50, kEndMark = 0x06054B50,
                        kEnd64Mark = 0x06064B50, kLocator64Mark = 0x07064B50;
constexpr std::size_t kMemberHeader = 30, kEntryHeader = 46, kEndSize = 22, kEnd64Size = 56,
                      kLocator64Size = 20;
constexpr std::size_t kMostMembers = 1 << 20;
constexpr std::uint64_t kMostUnpacked = 256U << 20;  // packed members hold text, not weights

template <class T>
T At(Bytes bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

Status Corrupt(std::string_view what) {
  return Error(ErrorCode::kCorruptFile, "the zip archive is damaged: {}", what);
}

// The directory's place: where it starts and how many members it lists.
struct Directory {
  std::uint64_t start = 0, count = 0;
};

Result<Directory> FindDirectory(Bytes file) {
  // A comment of up to 64 KiB may follow the end record.
  if (file.size() < kEndSize) return Corrupt("it has no end");
  const std::size_t last = file.size() - kEndSize;
  const std::size_t first = last - std::min<std::size_t>(last, 0xFFFF);
  for (std::size_t at = last + 1; at-- > first;) {
    if (At<std::uint32_t>(file, at) != kEndMark) continue;
    Directory directory = {At<std::uint32_t>(file, at + 16), At<std::uint16_t>(file, at + 10)};
    if (at >= kLocator64Size && At<std::uint32_t>(file, at - kLocator64Size) == kLocator64Mark) {
      const auto end = At<std::uint64_t>(file, at - kLocator64Size + 8);
      if (end > file.size() || file.size() - end < kEnd64Size ||
          At<std::uint32_t>(file, end) != kEnd64Mark)
        return Corrupt("its 64-bit end is not where it says");
      directory = {At<std::uint64_t>(file, end + 48), At<std::uint64_t>(file, end + 32)};
    }
    return directory;
  }
  return Corrupt("it ends early");
}

}  // namespace

bool IsZip(Bytes file) {
  return file.size() >= sizeof(std::uint32_t) && At<std::uint32_t>(file, 0) == kMemberMark;
}

Result<Archive> Archive::Open(Bytes file, std::shared_ptr<const void> owner) {
  Archive archive;
  archive.file_ = file;
  archive.owner_ = std::move(owner);
  ATH_RETURN_IF_ERROR(archive.ReadDirectory());
  ATH_RETURN_IF_ERROR(archive.RemoveSharedFolder());
  return archive;
}

Status Archive::ReadDirectory() {
  ATH_TRY(const Directory directory, FindDirectory(file_));
  if (directory.count > kMostMembers)
    return Error(ErrorCode::kResource, "the archive has {} members; up to {} are read",
                 directory.count, kMostMembers);
  if (directory.start > file_.size()) return Corrupt("its directory lies behind its end");
  auto at = static_cast<std::size_t>(directory.start);
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    ATH_TRY(at, ReadEntry(at));
  }
  if (entries_.empty()) return Corrupt("it has no members");
  return {};
}

// Gives where the next entry starts.
Result<std::size_t> Archive::ReadEntry(std::size_t at) {
  if (file_.size() - at < kEntryHeader || At<std::uint32_t>(file_, at) != kEntryMark)
    return Corrupt("its directory ends early");
  Entry entry = {.method = At<std::uint16_t>(file_, at + 10),
                 .checksum = At<std::uint32_t>(file_, at + 16),
                 .packed = At<std::uint32_t>(file_, at + 20),
                 .size = At<std::uint32_t>(file_, at + 24),
                 .header = At<std::uint32_t>(file_, at + 42)};
  const std::size_t name_size = At<std::uint16_t>(file_, at + 28);
  const std::size_t extra_size = At<std::uint16_t>(file_, at + 30);
  const std::size_t comment_size = At<std::uint16_t>(file_, at + 32);
  const std::size_t size = kEntryHeader + name_size + extra_size + comment_size;
  if (file_.size() - at < size) return Corrupt("its directory ends early");
  if ((At<std::uint16_t>(file_, at + 8) & 1U) != 0)
    return Unsupported("the archive is encrypted; plain ones are read");
  std::string name(reinterpret_cast<const char*>(file_.data()) + at + kEntryHeader, name_size);
  // Field 1 holds, in this order, those of the numbers that did not fit 32 bits.
  Bytes extra = file_.subspan(at + kEntryHeader + name_size, extra_size);
  while (extra.size() >= 4) {
    const std::size_t field = std::min<std::size_t>(At<std::uint16_t>(extra, 2), extra.size() - 4);
    Bytes wide = extra.subspan(4, field);
    if (At<std::uint16_t>(extra, 0) == 1) {
      for (std::uint64_t* number : {&entry.size, &entry.packed, &entry.header}) {
        if (*number != 0xFFFFFFFFU) continue;
        if (wide.size() < 8) return Corrupt("a 64-bit size is missing");
        *number = At<std::uint64_t>(wide, 0);
        wide = wide.subspan(8);
      }
    }
    extra = extra.subspan(4 + field);
  }
  if (name.ends_with('/')) return at + size;  // a folder
  if (!entries_.emplace(std::move(name), entry).second) return Corrupt("a name is there twice");
  return at + size;
}

// "model/data.pkl" is "data.pkl": PyTorch puts all members into a folder named after the file.
Status Archive::RemoveSharedFolder() {
  const std::string& first = entries_.begin()->first;
  const std::size_t slash = first.find('/');
  if (slash == std::string::npos) return {};
  const std::string folder = first.substr(0, slash + 1);
  for (const auto& [name, entry] : entries_) {
    if (!name.starts_with(folder)) return {};
  }
  std::map<std::string, Entry, std::less<>> shorter;
  for (const auto& [name, entry] : entries_)
    shorter.emplace_hint(shorter.end(), name.substr(folder.size()), entry);
  entries_ = std::move(shorter);
  return {};
}

std::vector<std::string> Archive::Names(std::string_view prefix, std::string_view suffix) const {
  std::vector<std::string> names;
  for (auto at = entries_.lower_bound(prefix); at != entries_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    if (at->first.ends_with(suffix)) names.push_back(at->first);
  }
  return names;
}

Result<Member> Archive::Read(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end())
    return Error(ErrorCode::kCorruptFile, "the archive has no member {}", Quote(name));
  const Entry& entry = found->second;
  const auto corrupt = [&] { return Corrupt("a member is not in it").In(std::string(name)); };
  if (entry.header > file_.size() || file_.size() - entry.header < kMemberHeader ||
      At<std::uint32_t>(file_, entry.header) != kMemberMark)
    return corrupt();
  const std::uint64_t start = entry.header + kMemberHeader +
                              At<std::uint16_t>(file_, entry.header + 26) +
                              At<std::uint16_t>(file_, entry.header + 28);
  if (start > file_.size() || file_.size() - start < entry.packed) return corrupt();
  const Bytes packed = file_.subspan(start, entry.packed);
  if (entry.method == 0 && entry.size == entry.packed) return Member{packed, owner_};
  Result<Member> member = Unpack(entry, packed);
  if (!member.ok()) return std::move(member).status().In(std::string(name));
  return member;
}

Result<Member> Archive::Unpack(const Entry& entry, Bytes packed) const {
  if (entry.method != Z_DEFLATED)
    return Unsupported("the member is packed by method {}; stored and deflated ones are read",
                       entry.method);
  if (entry.size > kMostUnpacked || packed.size() > kMostUnpacked)
    return Error(ErrorCode::kUnsafeFile, "the packed member unpacks to {} bytes; up to {} are read",
                 entry.size, kMostUnpacked)
        .Fix("store the archive without compression: zip -0");
  // Deflate makes at most 1032 bytes of one.
  if (entry.size / 1032 > packed.size()) return Corrupt("a member is too short for its size");
  auto memory = std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(entry.size));
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    return Error(ErrorCode::kResource, "there is no memory to unpack the archive");
  stream.next_in = const_cast<Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = memory->data();
  stream.avail_out = static_cast<uInt>(memory->size());
  const int ended = inflate(&stream, Z_FINISH);
  const bool whole = ended == Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  if (!whole) return Corrupt("a member does not unpack to its size");
  if (crc32_z(0, memory->data(), memory->size()) != entry.checksum)
    return Corrupt("a checksum differs");
  return Member{Bytes(*memory), memory};
}

}  // namespace athanor::pytorch
