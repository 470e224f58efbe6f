#include "frontends/tabular/number_lists.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "core/number.h"
#include "frontends/tabular/document.h"

namespace athanor::tabular {
namespace {

bool IsSpace(char c) { return (c == ' ') | (c == '\n') | (c == '\t') | (c == '\r'); }
unsigned DigitOf(char c) { return static_cast<unsigned char>(c) - unsigned{'0'}; }

// Numbers are only read before the text's last bracket that closes a list, where all of them end:
// nothing needs to ask for the end of the text.
struct Reader {
  const char* at;
  const char* end;

  void SkipSpaces() {
    while (IsSpace(*at)) ++at;
  }
};

// Digits, of which there must be one: how many. Adds them to the integer, modulo 2^64.
std::size_t TakeDigits(Reader& reader, std::uint64_t& integer) {
  const char* const begin = reader.at;
  const char* at = begin;
  for (unsigned digit = DigitOf(*at); digit < 10; digit = DigitOf(*++at))
    integer = 10 * integer + digit;
  reader.at = at;
  return static_cast<std::size_t>(at - begin);
}

constexpr int kMostPower = 22;
constexpr double kPowers[kMostPower + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr std::size_t kSurelyExact = 15;  // so many digits are a double without an error

// Nothing for what no integer of 64 bits holds: JSON's readers do not agree about it.
std::optional<double> IntegerOf(std::string_view text, std::size_t digits, std::uint64_t integer) {
  constexpr std::size_t kSurelyFits = 19;
  constexpr auto kMostNegative = std::uint64_t{1} << 63;
  const bool negative = text.front() == '-';
  if (digits > kSurelyFits + 1) return std::nullopt;
  if (digits > kSurelyFits && integer < 10'000'000'000'000'000'000U) return std::nullopt;
  if (digits > kSurelyFits && text[negative ? 1 : 0] != '1') return std::nullopt;
  if (negative && integer > kMostNegative) return std::nullopt;
  const auto number = static_cast<double>(integer);
  return negative && integer != 0 ? -number : number;
}

// A number as JSON has it; nothing for anything else, and for what no double holds.
std::optional<double> TakeNumber(Reader& reader) {
  const char* const begin = reader.at;
  const bool negative = *reader.at == '-';
  if (negative) ++reader.at;
  const char first = *reader.at;
  std::uint64_t integer = 0;
  std::size_t digits = TakeDigits(reader, integer);
  if (digits == 0 || (first == '0' && digits > 1)) return std::nullopt;
  const auto text = [&] {
    return std::string_view(begin, static_cast<std::size_t>(reader.at - begin));
  };
  const char behind = *reader.at;
  if (behind != '.' && behind != 'e' && behind != 'E') return IntegerOf(text(), digits, integer);
  std::int64_t power = 0;
  if (behind == '.') {
    ++reader.at;
    const std::size_t decimals = TakeDigits(reader, integer);
    if (decimals == 0) return std::nullopt;
    digits += decimals;
    power = -static_cast<std::int64_t>(decimals);
  }
  if (*reader.at == 'e' || *reader.at == 'E') {
    ++reader.at;
    const bool below = *reader.at == '-';
    if (below || *reader.at == '+') ++reader.at;
    std::uint64_t exponent = 0;
    const std::size_t count = TakeDigits(reader, exponent);
    if (count == 0) return std::nullopt;
    constexpr std::size_t kFewDigits = 4;
    if (count > kFewDigits) {
      exponent = 0;
      digits = kSurelyExact + 1;
    }
    power += below ? -static_cast<std::int64_t>(exponent) : static_cast<std::int64_t>(exponent);
  }
  if (digits <= kSurelyExact && power >= -kMostPower && power <= kMostPower) {
    // Both are doubles without an error, so that the result is rounded once (Clinger 1990).
    const auto whole = static_cast<double>(integer);
    const double number = power < 0 ? whole / kPowers[-power] : whole * kPowers[power];
    return negative ? -number : number;
  }
  const std::optional<double> number = ReadReal(text());
  return number && std::isfinite(*number) ? number : std::nullopt;
}

// The list that begins here, if it has numbers and nothing else, and at least one. `numbers` are
// its own then, and the reader stands behind it.
bool TakeList(Reader& reader, std::vector<double>& numbers) {
  numbers.clear();
  Reader at = reader;
  do {
    ++at.at;  // the bracket or the comma
    at.SkipSpaces();
    const std::optional<double> number = TakeNumber(at);
    if (!number) return false;
    numbers.push_back(*number);
    at.SkipSpaces();
  } while (*at.at == ',');
  if (*at.at != ']') return false;
  reader.at = at.at + 1;
  return true;
}

// Whether numbers and what is between them may have this letter.
bool IsOfNumbers(char c) {
  return ((c >= '+') & (c <= '9') & (c != '/')) | (c == 'e') | (c == 'E') | IsSpace(c);
}

// Passes the list that begins here, if it looks like one of numbers.
bool PassList(Reader& reader) {
  constexpr std::ptrdiff_t kAtOnce = 64;
  const char* at = reader.at + 1;
  for (; reader.end - at >= kAtOnce; at += kAtOnce) {
    bool all = true;
    for (std::ptrdiff_t i = 0; i < kAtOnce; ++i) all &= IsOfNumbers(at[i]);
    if (!all) break;
  }
  while (at < reader.end && IsOfNumbers(*at)) ++at;
  if (at == reader.end || *at != ']') return false;
  reader.at = at + 1;
  return true;
}

// Behind the string that begins here, or at the end of a text that ends in it.
void PassString(Reader& reader) {
  for (++reader.at; reader.at < reader.end && *reader.at != '"'; ++reader.at) {
    if (*reader.at == '\\' && reader.at + 1 < reader.end) ++reader.at;
  }
  if (reader.at < reader.end) ++reader.at;
}

// The name of the member that the text goes on with, as it is written; "" when it does not.
std::string_view NameBefore(std::string_view text, std::string_view last_string) {
  const char* at = text.data() + text.size();
  const char* const name_end = last_string.data() + last_string.size();
  if (last_string.size() < 2) return "";
  bool colon = false;
  for (--at; at >= name_end; --at) {
    if (*at == ':' && !colon) {
      colon = true;
    } else if (!IsSpace(*at)) {
      return "";
    }
  }
  return colon ? last_string.substr(1, last_string.size() - 2) : "";
}

}  // namespace

Result<NumberLists> TakeNumberLists(std::string_view text,
                                    std::span<const std::string_view> unread) {
  NumberLists made;
  std::vector<double> numbers;
  std::string_view last_string;
  Reader reader = {text.data(), text.data() + text.size()};
  const std::size_t last = text.rfind(']');
  const char* const last_bracket = text.data() + (last == std::string_view::npos ? 0 : last);
  const char* copied = reader.at;
  const auto replace = [&](const char* begin, std::string_view by) {
    made.rest.append(copied, begin);
    made.rest += by;
    copied = reader.at;
  };
  while (reader.at < reader.end) {
    const char* const begin = reader.at;
    if (*begin == '"') {
      PassString(reader);
      last_string = {begin, static_cast<std::size_t>(reader.at - begin)};
      continue;
    }
    if (*begin != '[') {
      ++reader.at;
      continue;
    }
    const std::string_view before(text.data(), static_cast<std::size_t>(begin - text.data()));
    const std::string_view name = unread.empty() ? "" : NameBefore(before, last_string);
    const bool named = std::find(unread.begin(), unread.end(), name) != unread.end();
    if (named && PassList(reader)) {
      replace(begin, "null");
    } else if (begin < last_bracket && TakeList(reader, numbers)) {
      ATH_RETURN_IF_ERROR(CheckLimits(0, made.lists.size()));
      replace(begin, fmt::format("[{}]", made.lists.size()));
      made.lists.emplace_back(numbers);
    } else {
      ++reader.at;
    }
  }
  made.rest.append(copied, reader.end);
  return made;
}

}  // namespace athanor::tabular
