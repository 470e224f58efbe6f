#include "score/real_text.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace athanor::score {
namespace {

// Of a double: 24. Parts of it are copied whole, with what lies behind them.
constexpr std::size_t kPart = 24, kRoom = 3 * kPart;

// fmt writes an exponent below and from these on.
constexpr int kLeastPlain = -4, kMostPlain = 16;

struct TwoDigits {
  char of[100][2];
};
constexpr TwoDigits MakeTwoDigits() {
  TwoDigits digits = {};
  for (int i = 0; i < 100; ++i) {
    digits.of[i][0] = static_cast<char>('0' + i / 10);
    digits.of[i][1] = static_cast<char>('0' + i % 10);
  }
  return digits;
}
constexpr TwoDigits kTwoDigits = MakeTwoDigits();

// Before `end`; where they begin.
template <class Integer>
char* WriteDigits(Integer number, char* end) {
  for (; number >= 100; number /= 100) {
    end -= 2;
    std::memcpy(end, kTwoDigits.of[number % 100], 2);
  }
  if (number < 10) {
    *--end = static_cast<char>('0' + number);
    return end;
  }
  end -= 2;
  std::memcpy(end, kTwoDigits.of[number], 2);
  return end;
}

template <class T>
void Append(T value, std::string& text) {
  char room[kRoom];
  if (!std::isfinite(value) || value == 0) {
    const char* const end = fmt::format_to(room, FMT_COMPILE("{}"), value);
    text.append(room, static_cast<std::size_t>(end - room));
    return;
  }
  const auto decimal = fmt::detail::dragonbox::to_decimal(value);
  char digits[2 * kPart] = {};
  char* const digits_end = digits + kPart;
  const char* const begin = WriteDigits(decimal.significand, digits_end);
  const auto count = static_cast<int>(digits_end - begin);
  const int before_point = count + decimal.exponent;  // digits, or zeros behind it where negative
  if (before_point <= kLeastPlain || before_point > kMostPlain) {
    const char* const end = fmt::format_to(room, FMT_COMPILE("{}"), value);
    text.append(room, static_cast<std::size_t>(end - room));
    return;
  }
  char* to = room;
  const auto put = [&](const char* from, int size) {
    std::memcpy(to, from, kPart);
    to += size;
  };
  if (std::signbit(value)) *to++ = '-';
  constexpr char kZeros[kPart + 1] = "000000000000000000000000";
  if (before_point <= 0) {
    *to++ = '0';
    *to++ = '.';
    put(kZeros, -before_point);
    put(begin, count);
  } else if (before_point >= count) {
    put(begin, count);
    put(kZeros, before_point - count);
  } else {
    put(begin, before_point);
    *to++ = '.';
    put(begin + before_point, count - before_point);
  }
  text.append(room, static_cast<std::size_t>(to - room));
}

}  // namespace

void AppendReal(float value, std::string& text) { Append(value, text); }
void AppendReal(double value, std::string& text) { Append(value, text); }

}  // namespace athanor::score
