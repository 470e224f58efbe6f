// Numbers at places of the file, and the messages of an object header.
#pragma once

#include <cstring>
#include <vector>

#include "frontends/hdf5/file.h"

namespace athanor::hdf5 {

inline constexpr std::uint64_t kUndefined = ~std::uint64_t{0};

Status Damaged(std::string_view what);

// Reads little-endian numbers one after the other; remembers the first that is not there.
class Reader {
 public:
  Reader(Bytes bytes, std::uint64_t position) : bytes_(bytes), position_(position) {
    if (position > bytes.size()) Fail();
  }

  std::uint64_t Number(std::size_t width) {
    std::uint64_t value = 0;
    const Bytes taken = Take(width);
    for (std::size_t i = taken.size(); i-- > 0;) value = value << 8 | taken[i];
    return value;
  }
  std::uint8_t Byte() { return static_cast<std::uint8_t>(Number(1)); }
  std::uint64_t Address() { return Number(8); }
  Bytes Take(std::uint64_t count) {
    if (failed_ || count > bytes_.size() - position_) {
      Fail();
      return {};
    }
    const Bytes taken = bytes_.subspan(position_, count);
    position_ += count;
    return taken;
  }
  void Skip(std::uint64_t count) { Take(count); }
  // To the next multiple, counted from `start`.
  void Align(std::uint64_t start, std::uint64_t multiple) {
    Skip((multiple - (position_ - start) % multiple) % multiple);
  }
  bool Expect(std::string_view mark) {
    const Bytes taken = Take(mark.size());
    return !failed_ && std::memcmp(taken.data(), mark.data(), mark.size()) == 0;
  }
  std::uint64_t position() const { return position_; }
  std::uint64_t left() const { return failed_ ? 0 : bytes_.size() - position_; }
  bool failed() const { return failed_; }

 private:
  void Fail() {
    failed_ = true;
    position_ = bytes_.size();
  }

  Bytes bytes_;
  std::uint64_t position_;
  bool failed_ = false;
};

enum MessageType : std::uint16_t {
  kDataspace = 0x01,
  kLinkInfo = 0x02,
  kDatatype = 0x03,
  kLink = 0x06,
  kLayout = 0x08,
  kFilters = 0x0B,
  kAttribute = 0x0C,
  kContinuation = 0x10,
  kSymbolTable = 0x11,
  kAttributeInfo = 0x15,
};

struct Message {
  std::uint16_t type = 0;
  std::uint8_t flags = 0;
  Bytes data;
};

// All messages of the object at `address`, of its continuations too.
Result<std::vector<Message>> ReadHeader(Bytes file, std::uint64_t address);

// Numbers or strings, as a Datatype message says.
struct ElementType {
  enum Kind : std::uint8_t { kNumber, kFixedString, kAnyString } kind = kNumber;
  DType dtype = DType::kUndefined;  // of a number
  std::uint64_t size = 0;           // bytes in the file
};
Result<ElementType> ReadDatatype(Bytes message);
Result<Dims> ReadDataspace(Bytes message);

// Strings of an attribute's or data set's raw elements.
Result<std::vector<std::string>> ReadStrings(Bytes file, const ElementType& type,
                                             std::uint64_t count, Bytes raw);

// The elements of a data set that is kept in chunks, whole.
Result<std::vector<std::uint8_t>> ReadChunks(Bytes file, const Dims& dims, std::uint64_t width,
                                             Bytes layout, Bytes filters);

}  // namespace athanor::hdf5
