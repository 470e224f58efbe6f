#include "ops/text/letter_case.h"

#include <clocale>
#include <cstdint>
#include <cwctype>

namespace athanor::ops {
namespace {

// The Unicode tables of the C library; present on every glibc system. Null: only ASCII changes.
locale_t UnicodeLocale() {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

std::uint32_t Change(std::uint32_t code, LetterCase to) {
  if (code < 0x80) {
    if (to == LetterCase::kLower) return code >= 'A' && code <= 'Z' ? code + 32 : code;
    return code >= 'a' && code <= 'z' ? code - 32 : code;
  }
  const locale_t locale = UnicodeLocale();
  if (locale == nullptr) return code;
  const auto wide = static_cast<std::wint_t>(code);
  return static_cast<std::uint32_t>(to == LetterCase::kLower ? towlower_l(wide, locale)
                                                             : towupper_l(wide, locale));
}

void Append(std::string& out, std::uint32_t code) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

// How many bytes the code point at the start takes; 0 when they are not well formed.
std::size_t Decode(std::string_view text, std::uint32_t& code) {
  const auto first = static_cast<std::uint8_t>(text[0]);
  if (first < 0x80) {
    code = first;
    return 1;
  }
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 0;
  if (length == 0 || first > 0xF4 || length > text.size()) return 0;
  code = first & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if ((byte & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte & 0x3F);
  }
  return length;
}

}  // namespace

std::string ChangeCase(std::string_view text, LetterCase to) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    std::uint32_t code = 0;
    const std::size_t length = Decode(text, code);
    if (length == 0) {
      out += text[0];
      text.remove_prefix(1);
      continue;
    }
    Append(out, Change(code, to));
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace athanor::ops
