// Reads the words of the text form and knows where it is. Private to the text form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ir/type.h"

namespace athanor::text {

// Letters, digits, "_", "." and "/": what stands without quotes.
bool IsNameChar(char c);
// The name as it stands in text: bare when it can be, else in quotes.
std::string PrintName(std::string_view name);

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool AtEnd();
  // The next character that is not space or comment; '\0' at the end.
  char Peek();
  bool Eat(std::string_view symbol);
  Status Expect(std::string_view symbol);
  // Eats `word` only when it stands alone, not as the start of a longer one.
  bool EatWord(std::string_view word);
  // A bare or quoted name.
  Result<std::string> Name();
  Result<std::string> Quoted();
  // "-12", "1e-5", "inf", "nan".
  Result<std::string_view> Number();
  Result<std::int64_t> Int();
  Result<Type> ReadType(int depth = 0);

  std::size_t position() const { return position_; }
  void Return(std::size_t position) { position_ = position; }
  // "line 3, column 7" of a position.
  std::string PlaceOf(std::size_t position) const;
  template <class... Args>
  Status Fail(fmt::format_string<Args...> format, Args&&... args) const {
    return InvalidModel(format, std::forward<Args>(args)...).In(PlaceOf(position_));
  }

 private:
  void SkipSpace();
  Result<Shape> ReadShape();

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace athanor::text
