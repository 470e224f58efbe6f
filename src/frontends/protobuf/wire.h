// Protocol-buffer files read and written from one description of each message.
//
// A message is a struct with a `Fields` template that names its fields and their numbers:
//
//   struct Node {
//     std::vector<std::string> input;
//     template <class V> void Fields(V& v) { v(1, input); }
//   };
//
// Field types: std::string, Bytes (not copied: points into the parsed memory), std::int64_t,
// std::int32_t, std::uint64_t, float, double, messages, std::vector of these (packed or not),
// std::optional of a scalar or message, std::shared_ptr of a message (for recursion; copies share
// it). Every length
// is checked against what is left before it is used; nesting is limited. Unknown fields are
// skipped. Source: protobuf.dev/programming-guides/encoding.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/status.h"

namespace athanor::protobuf {

using Bytes = std::span<const std::uint8_t>;

enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

// Reads primitive values and remembers the first failure.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : bytes_(bytes) {}
  bool done() const { return failed_ || position_ == bytes_.size(); }
  bool failed() const { return failed_; }
  void Fail() { failed_ = true; }
  std::size_t position() const { return position_; }

  std::uint64_t Varint();
  Bytes Take(std::uint64_t count);
  Bytes LengthDelimited() { return Take(Varint()); }
  template <class T>
  T Fixed() {
    T value{};
    const Bytes raw = Take(sizeof(T));
    if (raw.size() == sizeof(T)) std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }
  void Skip(Wire wire);

 private:
  Bytes bytes_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

class Output {
 public:
  void Varint(std::uint64_t value);
  void Tag(int field, Wire wire) {
    Varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(wire));
  }
  void Raw(const void* data, std::size_t size) {
    const auto* from = static_cast<const std::uint8_t*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }
  std::vector<std::uint8_t>& bytes() { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

inline constexpr int kMaxDepth = 64;

// Memory that may still be taken for what is read: an empty message is 2 bytes in a file and
// hundreds in memory. Real models take far less than this many times their size.
class Budget {
 public:
  explicit Budget(std::size_t file_size) : left_(kFloor + kPerByte * file_size) {}
  bool Take(std::size_t bytes) {
    if (bytes > left_) exceeded_ = true;
    if (!exceeded_) left_ -= bytes;
    return !exceeded_;
  }
  bool exceeded() const { return exceeded_; }

 private:
  static constexpr std::size_t kFloor = std::size_t{128} << 20, kPerByte = 32;
  std::size_t left_;
  bool exceeded_ = false;
};

template <class M>
bool ParseMessage(Bytes bytes, M& message, int depth, Budget& budget);
template <class M>
void WriteMessage(M& message, Output& out);

namespace internal {

template <class T>
inline constexpr bool kIsInt = std::is_integral_v<T>;
template <class T>
inline constexpr bool kIsFixed = std::is_floating_point_v<T>;
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {
  using Item = T;
};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {
  using Item = T;
};
template <class T>
struct IsPointer : std::false_type {};
template <class T>
struct IsPointer<std::shared_ptr<T>> : std::true_type {
  using Item = T;
};

// Takes one wire value into the field with the wanted number.
struct FieldReader {
  Cursor& cursor;
  int number;
  Wire wire;
  int depth;
  Budget& budget;
  bool found = false;

  template <class T>
  void operator()(int field, T& target) {
    if (found || field != number) return;
    found = true;
    Read(target);
  }

  template <class T>
  void Read(T& target) {
    if constexpr (IsVector<T>::value) {
      using Item = typename IsVector<T>::Item;
      if constexpr (kIsInt<Item> || kIsFixed<Item>) {
        if (wire == Wire::kLength) return ReadPacked(target);
      }
      if (!budget.Take(sizeof(Item))) return cursor.Fail();
      Read(target.emplace_back());
    } else if constexpr (IsOptional<T>::value) {
      if (!target) target.emplace();
      Read(*target);
    } else if constexpr (IsPointer<T>::value) {
      using Item = typename IsPointer<T>::Item;
      if (!budget.Take(sizeof(Item))) return cursor.Fail();
      if (!target) target = std::make_shared<Item>();
      Read(*target);
    } else if constexpr (kIsInt<T>) {
      if (wire != Wire::kVarint) return cursor.Fail();
      target = static_cast<T>(cursor.Varint());
    } else if constexpr (kIsFixed<T>) {
      if (wire != (sizeof(T) == 8 ? Wire::kFixed64 : Wire::kFixed32)) return cursor.Fail();
      target = cursor.Fixed<T>();
    } else {
      if (wire != Wire::kLength) return cursor.Fail();
      const Bytes bytes = cursor.LengthDelimited();
      if constexpr (std::is_same_v<T, std::string>) {
        target.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      } else if constexpr (std::is_same_v<T, Bytes>) {
        target = bytes;
      } else if (!ParseMessage(bytes, target, depth + 1, budget)) {
        cursor.Fail();
      }
    }
  }

  template <class Item>
  void ReadPacked(std::vector<Item>& target) {
    const Bytes bytes = cursor.LengthDelimited();
    if constexpr (kIsFixed<Item>) {
      if (bytes.size() % sizeof(Item) != 0) return cursor.Fail();
      const std::size_t before = target.size();
      target.resize(before + bytes.size() / sizeof(Item));
      if (!bytes.empty()) std::memcpy(target.data() + before, bytes.data(), bytes.size());
    } else {
      Cursor inner(bytes);
      while (!inner.done()) target.push_back(static_cast<Item>(inner.Varint()));
      if (inner.failed()) cursor.Fail();
    }
  }
};

// Writes every field that is not at its default. Strings in vectors are always written.
struct FieldWriter {
  Output& out;

  template <class T>
  void operator()(int field, T& value) {
    if constexpr (IsVector<T>::value) {
      using Item = typename IsVector<T>::Item;
      if constexpr (kIsInt<Item> || kIsFixed<Item>) {
        if (!value.empty()) WritePacked(field, value);
      } else {
        for (auto& item : value) WriteOne(field, item);
      }
    } else if constexpr (IsOptional<T>::value || IsPointer<T>::value) {
      if (value) WriteOne(field, *value);
    } else if constexpr (kIsInt<T> || kIsFixed<T>) {
      if (value != T{}) WriteOne(field, value);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Bytes>) {
      if (!value.empty()) WriteOne(field, value);
    } else {
      WriteOne(field, value);
    }
  }

  template <class T>
  void WriteOne(int field, T& value) {
    if constexpr (kIsInt<T>) {
      out.Tag(field, Wire::kVarint);
      out.Varint(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
    } else if constexpr (kIsFixed<T>) {
      out.Tag(field, sizeof(T) == 8 ? Wire::kFixed64 : Wire::kFixed32);
      out.Raw(&value, sizeof(T));
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Bytes>) {
      out.Tag(field, Wire::kLength);
      out.Varint(value.size());
      out.Raw(value.data(), value.size());
    } else {
      // The length stands first and is known last: it is put in place afterwards, so that weights
      // are copied once and not once per level of nesting.
      out.Tag(field, Wire::kLength);
      const std::size_t start = out.bytes().size();
      WriteMessage(value, out);
      Output length;
      length.Varint(out.bytes().size() - start);
      out.bytes().insert(out.bytes().begin() + static_cast<std::ptrdiff_t>(start),
                         length.bytes().begin(), length.bytes().end());
    }
  }

  template <class Item>
  void WritePacked(int field, const std::vector<Item>& values) {
    Output inner;
    for (const Item& value : values) {
      if constexpr (kIsFixed<Item>) {
        inner.Raw(&value, sizeof(Item));
      } else {
        inner.Varint(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
      }
    }
    out.Tag(field, Wire::kLength);
    out.Varint(inner.bytes().size());
    out.Raw(inner.bytes().data(), inner.bytes().size());
  }
};

}  // namespace internal

template <class M>
bool ParseMessage(Bytes bytes, M& message, int depth, Budget& budget) {
  if (depth > kMaxDepth) return false;
  Cursor cursor(bytes);
  while (!cursor.done()) {
    const std::uint64_t tag = cursor.Varint();
    const auto wire = static_cast<Wire>(tag & 7U);
    if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFFU) return false;
    internal::FieldReader reader{cursor, static_cast<int>(tag >> 3), wire, depth, budget};
    message.Fields(reader);
    if (!reader.found) cursor.Skip(wire);
  }
  return !cursor.failed();
}

template <class M>
void WriteMessage(M& message, Output& out) {
  internal::FieldWriter writer{out};
  message.Fields(writer);
}

// The whole of `bytes` as one message. `what` names it in the error.
template <class M>
Result<M> Parse(Bytes bytes, std::string_view what) {
  M message;
  Budget budget(bytes.size());
  if (!ParseMessage(bytes, message, 0, budget)) {
    if (budget.exceeded()) {
      return Error(ErrorCode::kResource, "the {} takes too much memory for its {} bytes", what,
                   bytes.size());
    }
    return Error(ErrorCode::kCorruptFile, "the bytes are not a complete {}: truncated or damaged",
                 what);
  }
  return message;
}

template <class M>
std::vector<std::uint8_t> Serialize(M& message) {
  Output out;
  WriteMessage(message, out);
  return std::move(out.bytes());
}

}  // namespace athanor::protobuf
