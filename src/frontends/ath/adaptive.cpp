// Questions about a number: is it 0, is it negative, how many bits has it, which are they. The
// first three bits after the highest are asked with regard to those before.
#include "frontends/ath/adaptive.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "core/trellis.h"

namespace athanor::ath {
namespace {

constexpr int kChanceBits = 15;  // of a probability, where it divides the range
constexpr std::uint32_t kLeastRange = 1U << 24;

// How likely the answer to a question is yes: the mean of the answers so far, later of the last.
class Chance {
 public:
  // Never 0 nor 1.
  std::uint32_t yes() const {
    constexpr std::uint32_t kLeast = 32;
    return std::clamp(share_ >> 1U, kLeast, (1U << kChanceBits) - kLeast);
  }
  void Learn(bool answer) {
    constexpr std::uint32_t kMemory = 250;
    const std::uint32_t weight = 2 * seen_ + 3;  // the first answer counts as two thirds
    if (answer) share_ += 2 * (kWhole - share_) / weight;
    if (!answer) share_ -= 2 * share_ / weight;
    if (seen_ < kMemory) ++seen_;
  }

 private:
  static constexpr std::uint32_t kWhole = 0xFFFF;
  std::uint32_t share_ = kWhole / 2, seen_ = 0;
};

class Encoder {
 public:
  bool Ask(Chance& chance, bool answer) {
    const std::uint32_t part = (range_ >> kChanceBits) * chance.yes();
    if (answer) {
      range_ = part;
    } else {
      Add(part);
      range_ -= part;
    }
    chance.Learn(answer);
    for (; range_ < kLeastRange; range_ <<= 8) Shift();
    return answer;
  }

  // Zeros at the end are not written: the decoder reads them anyway.
  std::vector<std::uint8_t> Finish() && {
    Add(kLeastRange - 1);
    Shift();
    while (!code_.empty() && code_.back() == 0) code_.pop_back();
    return std::move(code_);
  }

 private:
  void Add(std::uint32_t part) {
    low_ += part;
    if (low_ >= part) return;
    for (std::size_t i = code_.size(); i-- > 0 && ++code_[i] == 0;) {
    }
  }
  void Shift() {
    code_.push_back(static_cast<std::uint8_t>(low_ >> 24));
    low_ <<= 8;
  }

  std::vector<std::uint8_t> code_;
  std::uint32_t low_ = 0, range_ = std::numeric_limits<std::uint32_t>::max();
};

class Decoder {
 public:
  explicit Decoder(std::span<const std::uint8_t> code) : left_(code) {
    for (int i = 0; i < 4; ++i) Shift();
  }

  bool Ask(Chance& chance, bool /*answer*/) {
    const std::uint32_t part = (range_ >> kChanceBits) * chance.yes();
    const bool answer = code_ < part;
    if (answer) {
      range_ = part;
    } else {
      code_ -= part;
      range_ -= part;
    }
    chance.Learn(answer);
    for (; range_ < kLeastRange; range_ <<= 8) Shift();
    return answer;
  }

  // All bytes were of use: four are read ahead, of which the encoder writes the first at most.
  bool AtEnd() const { return left_.empty() && beyond_ >= 3; }

 private:
  void Shift() {
    code_ = code_ << 8 | (left_.empty() ? 0U : left_.front());
    if (left_.empty()) ++beyond_;
    if (!left_.empty()) left_ = left_.subspan(1);
  }

  std::span<const std::uint8_t> left_;
  std::size_t beyond_ = 0;  // zeros that were read behind the end
  std::uint32_t code_ = 0, range_ = std::numeric_limits<std::uint32_t>::max();
};

// What is known about numbers of one kind.
class Numbers {
 public:
  // `most`: of the bits behind the highest. The number is `value` when it is written; anything
  // when it is read.
  template <class C>
  int Visit(C& coder, int value, int most, bool is_signed) {
    const auto magnitude = static_cast<std::uint32_t>(std::abs(value));
    if (!coder.Ask(some_, magnitude != 0)) return 0;
    const bool negative = is_signed && coder.Ask(negative_, value < 0);
    int bits = 0;
    while (bits < most && coder.Ask(longer_[at(bits)], magnitude >> (bits + 1) != 0)) ++bits;
    std::uint32_t read = 1;
    for (int left = bits; left-- > 0;) {
      Chance& chance = read < 8 ? high_[at(bits)][read] : low_[at(left)];
      read = read << 1 | (coder.Ask(chance, (magnitude >> left & 1U) != 0) ? 1U : 0U);
    }
    return negative ? -static_cast<int>(read) : static_cast<int>(read);
  }

 private:
  static constexpr std::size_t kSizes = 16;
  static std::size_t at(int bits) { return static_cast<std::size_t>(bits); }

  Chance some_, negative_;
  std::array<Chance, kSizes> longer_, low_;
  std::array<std::array<Chance, 8>, kSizes> high_;
};

template <class T>
constexpr int kMostBits = std::numeric_limits<std::make_unsigned_t<T>>::digits - 1;

Status DamagedIntegers() {
  return Error(ErrorCode::kCorruptFile,
               "the code of the weights is damaged: it does not end where the weights do");
}

}  // namespace

template <class T>
std::vector<std::uint8_t> AdaptiveCode(std::span<const T> values) {
  Encoder coder;
  Numbers numbers;
  for (const T value : values)
    numbers.Visit(coder, value, kMostBits<T>, std::numeric_limits<T>::is_signed);
  return std::move(coder).Finish();
}

template <class T>
Status AdaptiveDecode(std::span<const std::uint8_t> code, std::span<T> values) {
  Decoder coder(code);
  Numbers numbers;
  for (T& value : values) {
    const int read = numbers.Visit(coder, 0, kMostBits<T>, std::numeric_limits<T>::is_signed);
    value = static_cast<T>(read);
    if (value != read) return DamagedIntegers();
  }
  return coder.AtEnd() ? Status() : DamagedIntegers();
}

template std::vector<std::uint8_t> AdaptiveCode(std::span<const std::int8_t>);
template std::vector<std::uint8_t> AdaptiveCode(std::span<const std::uint8_t>);
template std::vector<std::uint8_t> AdaptiveCode(std::span<const std::int16_t>);
template Status AdaptiveDecode(std::span<const std::uint8_t>, std::span<std::int8_t>);
template Status AdaptiveDecode(std::span<const std::uint8_t>, std::span<std::uint8_t>);
template Status AdaptiveDecode(std::span<const std::uint8_t>, std::span<std::int16_t>);

std::optional<std::vector<std::uint8_t>> TrellisCode(std::span<const std::int8_t> values,
                                                     std::size_t row) {
  Encoder coder;
  std::array<Numbers, 2> numbers;  // of even and odd states
  int state = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % row == 0) state = 0;
    const std::optional<int> index = trellis::IndexOf(state, values[i]);
    if (!index) return std::nullopt;
    numbers[static_cast<std::size_t>(state % 2)].Visit(coder, *index, kMostBits<std::int8_t>, true);
    state = trellis::Next(state, *index);
  }
  return std::move(coder).Finish();
}

Status TrellisDecode(std::span<const std::uint8_t> code, std::size_t row,
                     std::span<std::int8_t> values) {
  Decoder coder(code);
  std::array<Numbers, 2> numbers;
  int state = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % row == 0) state = 0;
    const int index =
        numbers[static_cast<std::size_t>(state % 2)].Visit(coder, 0, kMostBits<std::int8_t>, true);
    const int value = trellis::ValueOf(state, index);
    values[i] = static_cast<std::int8_t>(value);
    if (values[i] != value) return DamagedIntegers();
    state = trellis::Next(state, index);
  }
  return coder.AtEnd() ? Status() : DamagedIntegers();
}

}  // namespace athanor::ath
