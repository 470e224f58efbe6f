#include "frontends/tensorflow/sorted_table.h"

#include <array>
#include <cstring>

#include "frontends/protobuf/wire.h"

namespace athanor::tensorflow {
namespace {

using protobuf::Bytes;
using protobuf::Cursor;

constexpr std::size_t kFooterBytes = 48, kTrailerBytes = 5;
constexpr std::uint64_t kMagic = 0xDB4775248B80FB57U;
constexpr std::size_t kMaxBlock = std::size_t{64} << 20;

Status Damaged(std::string_view what) {
  return Error(ErrorCode::kCorruptFile, "the index of the variables is damaged: {}", what);
}

struct Handle {
  std::uint64_t offset = 0, size = 0;
};

Handle ReadHandle(Cursor& cursor) {
  Handle handle;
  handle.offset = cursor.Varint();
  handle.size = cursor.Varint();
  return handle;
}

std::uint32_t Fixed32(Bytes bytes, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// Checksums of data that contain checksums are stored turned and shifted.
std::uint32_t Unmask(std::uint32_t masked) {
  const std::uint32_t turned = masked - 0xA282EAD8U;
  return turned >> 17 | turned << 15;
}

// The contents of a block, which its trailer describes: one byte of compression, the checksum.
Result<std::vector<std::uint8_t>> ReadBlock(Bytes file, const Handle& handle) {
  if (file.size() < kTrailerBytes || handle.offset > file.size() - kTrailerBytes ||
      handle.size > file.size() - kTrailerBytes - handle.offset)
    return Damaged("a block reaches beyond the end");
  const Bytes block = file.subspan(handle.offset, handle.size + kTrailerBytes);
  if (Crc32c(block.first(handle.size + 1)) != Unmask(Fixed32(block, handle.size + 1)))
    return Damaged("the checksum of a block is wrong");
  const Bytes contents = block.first(handle.size);
  const std::uint8_t compression = block[handle.size];
  if (compression == 0) return std::vector<std::uint8_t>(contents.begin(), contents.end());
  if (compression == 1) return Unsnap(contents, kMaxBlock);
  return Unsupported(
      "a block of the variables' index is compressed by method {}; snappy and none "
      "are read",
      compression);
}

// Calls `take(key, value)` for every entry. A key shares its beginning with the one before.
template <class Take>
Status ReadEntries(Bytes block, Take take) {
  if (block.size() < sizeof(std::uint32_t)) return Damaged("a block is empty");
  const std::uint64_t restarts = Fixed32(block, block.size() - sizeof(std::uint32_t));
  if (restarts > block.size() / sizeof(std::uint32_t) - 1) return Damaged("its restart points");
  Cursor cursor(block.first(block.size() - (restarts + 1) * sizeof(std::uint32_t)));
  std::string key;
  while (!cursor.done()) {
    const std::uint64_t shared = cursor.Varint(), own = cursor.Varint(), size = cursor.Varint();
    const Bytes rest = cursor.Take(own), value = cursor.Take(size);
    if (cursor.failed() || shared > key.size()) break;
    key.resize(shared);
    key.append(reinterpret_cast<const char*>(rest.data()), rest.size());
    ATH_RETURN_IF_ERROR(take(key, value));
  }
  return cursor.failed() || !cursor.done() ? Damaged("an entry reaches beyond its block")
                                           : Status();
}

// Appends `length` bytes that stand `offset` before the end; they may overlap what is appended.
bool CopyBack(std::vector<std::uint8_t>& out, std::size_t offset, std::size_t length,
              std::size_t limit) {
  if (offset == 0 || offset > out.size() || length > limit - out.size()) return false;
  for (std::size_t i = 0; i < length; ++i) out.push_back(out[out.size() - offset]);
  return true;
}

std::size_t LittleEndian(Bytes bytes) {
  std::size_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

// One element of the stream: bytes as they are, or a copy of earlier ones.
bool UnsnapElement(Cursor& cursor, std::vector<std::uint8_t>& out, std::size_t limit) {
  const std::size_t tag = LittleEndian(cursor.Take(1));
  if ((tag & 3U) == 0) {
    std::size_t length = tag >> 2;
    if (length >= 60) length = LittleEndian(cursor.Take(length - 59));
    const Bytes literal = cursor.Take(length + 1);
    if (cursor.failed() || literal.size() > limit - out.size()) return false;
    out.insert(out.end(), literal.begin(), literal.end());
    return true;
  }
  if ((tag & 3U) == 1) {
    const std::size_t offset = (tag >> 5) << 8 | LittleEndian(cursor.Take(1));
    return !cursor.failed() && CopyBack(out, offset, (tag >> 2 & 7U) + 4, limit);
  }
  const std::size_t offset = LittleEndian(cursor.Take((tag & 3U) == 2 ? 2 : 4));
  return !cursor.failed() && CopyBack(out, offset, (tag >> 2) + 1, limit);
}

constexpr std::array<std::uint32_t, 256> MakeCrcTable() {
  std::array<std::uint32_t, 256> table = {};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
    table[i] = crc;
  }
  return table;
}

}  // namespace

std::uint32_t Crc32c(Bytes bytes) {
  static constexpr std::array<std::uint32_t, 256> kTable = MakeCrcTable();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xFFU];
  return ~crc;
}

Result<std::vector<std::uint8_t>> Unsnap(Bytes packed, std::size_t max_bytes) {
  Cursor cursor(packed);
  const std::uint64_t size = cursor.Varint();
  if (cursor.failed()) return Damaged("a compressed block has no size");
  if (size > max_bytes) return Damaged("a compressed block is too large");
  std::vector<std::uint8_t> out;
  while (!cursor.done()) {
    if (!UnsnapElement(cursor, out, size)) return Damaged("a compressed block is no snappy");
  }
  if (out.size() != size) return Damaged("a compressed block is incomplete");
  return out;
}

Result<std::map<std::string, std::string>> ReadSortedTable(Bytes bytes) {
  if (bytes.size() < kFooterBytes) return Damaged("it is too short");
  const Bytes footer = bytes.last(kFooterBytes);
  std::uint64_t magic = 0;
  std::memcpy(&magic, footer.data() + kFooterBytes - sizeof(magic), sizeof(magic));
  if (magic != kMagic) return Damaged("it does not end as a table does");
  Cursor cursor(footer);
  (void)ReadHandle(cursor);  // of the index of meta blocks, which hold nothing we need
  const Handle index_handle = ReadHandle(cursor);
  if (cursor.failed()) return Damaged("its footer");
  ATH_TRY(const std::vector<std::uint8_t> index, ReadBlock(bytes, index_handle));
  std::map<std::string, std::string> entries;
  // Blocks that overlap would be read again and again.
  std::size_t left = 4 * bytes.size() + kMaxBlock;
  ATH_RETURN_IF_ERROR(ReadEntries(index, [&](const std::string&, Bytes value) -> Status {
    Cursor at(value);
    const Handle handle = ReadHandle(at);
    if (at.failed()) return Damaged("the place of a block");
    ATH_TRY(const std::vector<std::uint8_t> block, ReadBlock(bytes, handle));
    if (block.size() > left) return Damaged("its blocks overlap");
    left -= block.size();
    return ReadEntries(block, [&](const std::string& key, Bytes item) -> Status {
      if (key.size() > left) return Damaged("its keys are too long");
      left -= key.size();
      entries[key].assign(reinterpret_cast<const char*>(item.data()), item.size());
      return {};
    });
  }));
  return entries;
}

}  // namespace athanor::tensorflow
