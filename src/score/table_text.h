// A piece of a table's text in memory that is used again and again: what it holds is not cleared,
// and some bytes behind it are readable, for what reads in vectors.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>

namespace athanor::score {

// Where it lies does not change when it is moved.
class TableText {
 public:
  static constexpr std::size_t kPadding = 64;  // behind the text

  TableText() = default;
  explicit TableText(std::string_view text) {
    Resize(text.size());
    std::copy(text.begin(), text.end(), data());
  }
  TableText(TableText&& other) noexcept
      : bytes_(std::move(other.bytes_)),
        size_(std::exchange(other.size_, 0)),
        room_(std::exchange(other.room_, 0)) {}
  TableText& operator=(TableText&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
    room_ = std::exchange(other.room_, 0);
    return *this;
  }

  char* data() { return bytes_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {bytes_.get(), size_}; }

  // What is new has any content.
  void Resize(std::size_t size) {
    if (size > room_ || !bytes_) {
      const std::size_t room = std::max(size, room_ + room_ / 2);
      std::unique_ptr<char[]> larger(new char[room + kPadding]);
      std::memset(larger.get() + room, 0, kPadding);
      if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
      bytes_ = std::move(larger);
      room_ = room;
    }
    size_ = size;
  }
  void RemovePrefix(std::size_t count) {
    size_ -= count;
    std::memmove(data(), data() + count, size_);
  }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0, room_ = 0;
};

}  // namespace athanor::score
