// Object headers and the messages that describe elements.
#include <algorithm>
#include <set>

#include "core/checked.h"
#include "frontends/hdf5/reader.h"

namespace athanor::hdf5 {
namespace {

constexpr std::size_t kMaxMessages = 1 << 16;

struct Block {
  std::uint64_t offset = 0, size = 0;
};

// Messages of one block; continuations are added to `blocks`.
bool ReadBlock(Bytes block, int version, bool has_order, std::vector<Message>& messages,
               std::vector<Block>& blocks) {
  Reader reader(block, 0);
  const std::uint64_t smallest = version == 1 ? 8 : has_order ? 6 : 4;
  while (reader.left() >= smallest) {
    Message message;
    message.type = static_cast<std::uint16_t>(reader.Number(version == 1 ? 2 : 1));
    const std::uint64_t size = reader.Number(2);
    message.flags = reader.Byte();
    reader.Skip(version == 1 ? 3 : has_order ? 2 : 0);
    message.data = reader.Take(size);
    if (reader.failed() || messages.size() >= kMaxMessages) return false;
    if (message.type == kContinuation) {
      Reader target(message.data, 0);
      blocks.push_back({target.Address(), target.Address()});
      if (target.failed()) return false;
    } else {
      messages.push_back(message);
    }
  }
  return true;
}

struct Header {
  int version = 1;
  bool has_order = false;  // messages carry the order of their making
  Block first;
};

Result<Header> ReadPrefix(Bytes file, std::uint64_t address) {
  Reader reader(file, address);
  Header header;
  if (Reader(file, address).Expect("OHDR")) {
    reader.Skip(4);
    header.version = reader.Byte();
    const std::uint8_t flags = reader.Byte();
    if ((flags & 0x20U) != 0) reader.Skip(16);
    if ((flags & 0x10U) != 0) reader.Skip(4);
    header.has_order = (flags & 0x04U) != 0;
    header.first.size = reader.Number(std::size_t{1} << (flags & 3U));
  } else {
    header.version = reader.Byte();
    reader.Skip(7);
    header.first.size = reader.Number(4);
    reader.Skip(4);
  }
  header.first.offset = reader.position();
  if (reader.failed() || header.version < 1 || header.version > 2)
    return Damaged("there is no object header where one is expected");
  return header;
}

}  // namespace

Status Damaged(std::string_view what) {
  return Error(ErrorCode::kCorruptFile, "the HDF5 file is damaged: {}", what);
}

Result<std::vector<Message>> ReadHeader(Bytes file, std::uint64_t address) {
  ATH_TRY(const Header header, ReadPrefix(file, address));
  std::vector<Message> messages;
  std::vector<Block> blocks = {header.first};
  std::set<std::uint64_t> seen;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    Block block = blocks[i];
    if (!seen.insert(block.offset).second) return Damaged("an object header continues in itself");
    if (block.offset > file.size() || block.size > file.size() - block.offset)
      return Damaged("an object header reaches beyond the end");
    Bytes bytes = file.subspan(block.offset, block.size);
    if (i > 0 && header.version == 2) {  // "OCHK", messages, a checksum
      if (bytes.size() < 8) return Damaged("a part of an object header is too short");
      bytes = bytes.subspan(4, bytes.size() - 8);
    }
    if (!ReadBlock(bytes, header.version, header.has_order, messages, blocks))
      return Damaged("a message reaches beyond its object header");
  }
  return messages;
}

Result<ElementType> ReadDatatype(Bytes message) {
  enum Class : std::uint8_t { kFixedPoint = 0, kFloat = 1, kString = 3, kEnum = 8, kVariable = 9 };
  Reader reader(message, 0);
  const std::uint8_t kind = reader.Byte() & 0x0FU;
  const std::uint64_t bits = reader.Number(3);
  ElementType type = {.size = reader.Number(4)};
  if (reader.failed()) return Damaged("an element type is too short");
  if (kind == kString) {
    type.kind = ElementType::kFixedString;
    return type;
  }
  if (kind == kVariable && (bits & 0x0FU) == 1) {
    type.kind = ElementType::kAnyString;
    return type;
  }
  // h5py keeps booleans as an enumeration of bytes.
  const bool is_number = kind == kFixedPoint || kind == kFloat;
  if (!is_number && !(kind == kEnum && type.size == 1))
    return Unsupported("elements of HDF5 class {} are not read; numbers and strings are", kind);
  if ((bits & 1U) != 0) return Unsupported("big-endian numbers are not read");
  struct Number {
    std::uint8_t kind;
    bool is_signed;
    std::uint64_t size;
    DType dtype;
  };
  constexpr Number kNumbers[] = {
      {kFloat, true, 4, DType::kF32},       {kFloat, true, 8, DType::kF64},
      {kFloat, true, 2, DType::kF16},       {kFixedPoint, true, 1, DType::kI8},
      {kFixedPoint, true, 2, DType::kI16},  {kFixedPoint, true, 4, DType::kI32},
      {kFixedPoint, true, 8, DType::kI64},  {kFixedPoint, false, 1, DType::kU8},
      {kFixedPoint, false, 2, DType::kU16}, {kFixedPoint, false, 4, DType::kU32},
      {kFixedPoint, false, 8, DType::kU64}, {kEnum, true, 1, DType::kBool}};
  const bool is_signed = kind != kFixedPoint || (bits & 8U) != 0;
  for (const Number& number : kNumbers) {
    if (number.kind == kind && number.size == type.size && number.is_signed == is_signed) {
      type.dtype = number.dtype;
      return type;
    }
  }
  return Unsupported("numbers of {} bytes are not read", type.size);
}

Result<Dims> ReadDataspace(Bytes message) {
  constexpr std::size_t kMaxRank = 32;
  Reader reader(message, 0);
  const std::uint8_t version = reader.Byte(), rank = reader.Byte();
  reader.Skip(version == 1 ? 6 : 2);
  Dims dims;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::uint64_t size = reader.Number(8);
    dims.push_back(static_cast<std::int64_t>(size));
  }
  if (reader.failed() || version < 1 || version > 2 || rank > kMaxRank || !CheckedCount(dims))
    return Damaged("the shape of an array");
  return dims;
}

namespace {

// A string of any length lies in a heap: its length, the heap's address, its number there.
Result<std::string> HeapString(Bytes file, Bytes element) {
  Reader reader(element, 0);
  const std::uint64_t length = reader.Number(4), heap = reader.Address(), wanted = reader.Number(4);
  if (length == 0) return std::string();
  Reader at(file, heap);
  if (!at.Expect("GCOL")) return Damaged("there is no heap where one is expected");
  at.Skip(4);
  const std::uint64_t size = at.Address();
  while (!at.failed() && at.position() - heap < size) {
    const std::uint64_t index = at.Number(2);
    at.Skip(6);
    const std::uint64_t bytes = at.Address();
    if (index == 0 || at.failed()) break;
    const Bytes data = at.Take(bytes);
    if (index == wanted) {
      if (at.failed() || length > data.size()) break;
      return std::string(reinterpret_cast<const char*>(data.data()), length);
    }
    at.Align(heap, 8);
  }
  return Damaged("a string is not in its heap");
}

}  // namespace

Result<std::vector<std::string>> ReadStrings(Bytes file, const ElementType& type,
                                             std::uint64_t count, Bytes raw) {
  if (type.kind == ElementType::kNumber)
    return InvalidModel("numbers stand where text is expected");
  const std::uint64_t width = type.size;
  if (width == 0 || count > raw.size() / width) return Damaged("text reaches beyond its place");
  std::vector<std::string> strings;
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Bytes element = raw.subspan(i * width, width);
    if (type.kind == ElementType::kAnyString) {
      ATH_TRY(std::string text, HeapString(file, element));
      total += text.size();
      strings.push_back(std::move(text));
    } else {
      const auto end = std::find(element.begin(), element.end(), 0);
      strings.emplace_back(element.begin(), end);
    }
    if (total > 4 * file.size()) return Damaged("its strings share their place");
  }
  return strings;
}

}  // namespace athanor::hdf5
