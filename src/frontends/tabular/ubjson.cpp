// UBJSON, draft 12: big-endian numbers, counted and typed containers.
#include <bit>
#include <cstring>
#include <limits>
#include <optional>

#include "frontends/tabular/document.h"

namespace athanor::tabular {
namespace {

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  Result<Value> Document() {
    ATH_TRY(const std::uint8_t marker, Marker());
    ATH_TRY(Value value, Read(marker, 0));
    if (at_ != bytes_.size()) return Broken("bytes follow the document");
    return value;
  }

 private:
  Status Broken(std::string_view what) const {
    return Error(ErrorCode::kCorruptFile, "the UBJSON is broken at byte {}: {}", at_, what);
  }

  // The next marker; no-ops between values are skipped.
  Result<std::uint8_t> Marker() {
    while (at_ < bytes_.size() && bytes_[at_] == 'N') ++at_;
    if (at_ >= bytes_.size()) return Broken("it ends early");
    return bytes_[at_++];
  }
  bool Accept(std::uint8_t marker) {
    if (at_ >= bytes_.size() || bytes_[at_] != marker) return false;
    ++at_;
    return true;
  }

  // Bytes of a number of this type; nothing for other types.
  static std::optional<std::size_t> NumberSize(std::uint8_t type) {
    switch (type) {
      case 'i':
      case 'U':
        return 1;
      case 'I':
        return 2;
      case 'l':
      case 'd':
        return 4;
      case 'L':
      case 'D':
        return 8;
      default:
        return std::nullopt;
    }
  }

  template <class T>
  T BigEndian() {
    using Bits = std::conditional_t<
        sizeof(T) == 1, std::uint8_t,
        std::conditional_t<sizeof(T) == 2, std::uint16_t,
                           std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>>;
    Bits bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bits = static_cast<Bits>((std::uint64_t{bits} << 8) | bytes_[at_++]);
    return std::bit_cast<T>(bits);
  }

  // The caller has seen that the bytes are there.
  double Number(std::uint8_t type) {
    switch (type) {
      case 'i':
        return BigEndian<std::int8_t>();
      case 'U':
        return BigEndian<std::uint8_t>();
      case 'I':
        return BigEndian<std::int16_t>();
      case 'l':
        return BigEndian<std::int32_t>();
      case 'L':
        return static_cast<double>(BigEndian<std::int64_t>());
      case 'd':
        return BigEndian<float>();
      default:
        return BigEndian<double>();
    }
  }

  Result<double> CheckedNumber(std::uint8_t type) {
    const std::optional<std::size_t> size = NumberSize(type);
    if (!size) return Broken("a number is expected");
    if (bytes_.size() - at_ < *size) return Broken("it ends early");
    return Number(type);
  }

  Result<std::size_t> Length() {
    ATH_TRY(const std::uint8_t type, Marker());
    if (type == 'd' || type == 'D') return Broken("a length must be an integer");
    ATH_TRY(const double length, CheckedNumber(type));
    if (length < 0 || length > static_cast<double>(bytes_.size() - at_))
      return Broken("a length is larger than what follows");
    return static_cast<std::size_t>(length);
  }

  Result<std::string> Text() {
    ATH_TRY(const std::size_t length, Length());
    std::string text(reinterpret_cast<const char*>(bytes_.data() + at_), length);
    at_ += length;
    return text;
  }

  struct Container {
    std::uint8_t type = 0;  // 0: every item has its own marker
    std::optional<std::size_t> count = {};
  };
  Result<Container> Head() {
    Container head;
    if (Accept('$')) {
      ATH_TRY(head.type, Marker());
      if (at_ >= bytes_.size() || bytes_[at_] != '#') return Broken("a typed array needs a count");
    }
    if (Accept('#')) {
      ATH_TRY(head.count, Length());
    }
    return head;
  }

  Result<Value> Array(int depth) {
    ATH_TRY(const Container head, Head());
    Value value = {.kind = Value::Kind::kNumbers};
    if (head.type != 0 && NumberSize(head.type)) {
      if (*head.count > (bytes_.size() - at_) / *NumberSize(head.type))
        return Broken("an array is longer than what follows");
      value.numbers.reserve(*head.count);
      for (std::size_t i = 0; i < *head.count; ++i) value.numbers.push_back(Number(head.type));
      return value;
    }
    // Items of other types take a byte each at least, so that a count cannot be a bomb.
    if (head.type != 0 && head.type != 'S' && head.type != '[' && head.type != '{')
      return Broken("arrays of this type are not read");
    for (std::size_t i = 0; !head.count || i < *head.count; ++i) {
      if (!head.count && Accept(']')) break;
      std::uint8_t marker = head.type;
      if (marker == 0) {
        ATH_TRY(marker, Marker());
      }
      ATH_TRY(Value item, Read(marker, depth + 1));
      value.items.push_back(std::move(item));
    }
    Pack(value);
    return value;
  }

  static void Pack(Value& array) {
    for (const Value& item : array.items) {
      if (item.kind != Value::Kind::kNumber) {
        array.kind = Value::Kind::kArray;
        return;
      }
    }
    for (const Value& item : array.items) array.numbers.push_back(item.number);
    array.items.clear();
  }

  Result<Value> Object(int depth) {
    ATH_TRY(const Container head, Head());
    Value value = {.kind = Value::Kind::kObject};
    for (std::size_t i = 0; !head.count || i < *head.count; ++i) {
      if (!head.count && Accept('}')) break;
      ATH_TRY(std::string key, Text());
      std::uint8_t marker = head.type;
      if (marker == 0) {
        ATH_TRY(marker, Marker());
      }
      ATH_TRY(Value item, Read(marker, depth + 1));
      value.members.emplace_back(std::move(key), std::move(item));
    }
    return value;
  }

  Result<Value> Read(std::uint8_t marker, int depth) {
    ATH_RETURN_IF_ERROR(CheckLimits(depth, ++num_values_));
    switch (marker) {
      case 'Z':
        return Value();
      case 'T':
      case 'F':
        return Value{.kind = Value::Kind::kBool, .number = marker == 'T' ? 1.0 : 0.0};
      case 'C': {
        if (at_ >= bytes_.size()) return Broken("it ends early");
        return Value{.kind = Value::Kind::kString,
                     .text = std::string(1, static_cast<char>(bytes_[at_++]))};
      }
      case 'S': {
        ATH_TRY(std::string text, Text());
        return Value{.kind = Value::Kind::kString, .text = std::move(text)};
      }
      case '[':
        return Array(depth);
      case '{':
        return Object(depth);
      default: {
        ATH_TRY(const double number, CheckedNumber(marker));
        return Value{.kind = Value::Kind::kNumber, .number = number};
      }
    }
  }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  std::size_t num_values_ = 0;
};

}  // namespace

Result<Value> ParseUbjson(std::span<const std::uint8_t> bytes) { return Reader(bytes).Document(); }

}  // namespace athanor::tabular
