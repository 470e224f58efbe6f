#include "frontends/protobuf/wire.h"

namespace athanor::protobuf {

std::uint64_t Cursor::Varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (position_ >= bytes_.size()) break;
    const std::uint8_t byte = bytes_[position_++];
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  failed_ = true;
  return 0;
}

Bytes Cursor::Take(std::uint64_t count) {
  if (failed_ || count > bytes_.size() - position_) {
    failed_ = true;
    return {};
  }
  const Bytes taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
  position_ += static_cast<std::size_t>(count);
  return taken;
}

void Cursor::Skip(Wire wire) {
  switch (wire) {
    case Wire::kVarint:
      Varint();
      return;
    case Wire::kFixed64:
      Take(8);
      return;
    case Wire::kLength:
      LengthDelimited();
      return;
    case Wire::kFixed32:
      Take(4);
      return;
  }
  failed_ = true;  // groups and reserved wire types do not occur in the formats we read
}

void Output::Varint(std::uint64_t value) {
  while (value >= 0x80U) {
    bytes_.push_back(static_cast<std::uint8_t>(value | 0x80U));
    value >>= 7;
  }
  bytes_.push_back(static_cast<std::uint8_t>(value));
}

}  // namespace athanor::protobuf
