#include "ir/text_scanner.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "core/text.h"
#include "ir/text.h"

namespace athanor::text {
namespace {

constexpr int kMaxTypeDepth = 16;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

}  // namespace

bool IsNameChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '/';
}

std::string PrintName(std::string_view name) {
  const bool bare = !name.empty() && name != "_" &&
                    std::all_of(name.begin(), name.end(), IsNameChar) &&
                    name.find("//") == std::string_view::npos;
  return bare ? std::string(name) : Quote(name);
}

void Scanner::SkipSpace() {
  while (position_ < text_.size()) {
    if (IsSpace(text_[position_])) {
      ++position_;
    } else if (text_.substr(position_, 2) == "//") {
      while (position_ < text_.size() && text_[position_] != '\n') ++position_;
    } else {
      return;
    }
  }
}

bool Scanner::AtEnd() { return Peek() == '\0' && position_ == text_.size(); }

char Scanner::Peek() {
  SkipSpace();
  return position_ < text_.size() ? text_[position_] : '\0';
}

bool Scanner::Eat(std::string_view symbol) {
  SkipSpace();
  if (text_.substr(position_, symbol.size()) != symbol) return false;
  position_ += symbol.size();
  return true;
}

Status Scanner::Expect(std::string_view symbol) {
  if (Eat(symbol)) return {};
  if (AtEnd()) return Fail("\"{}\" is expected; the text ends", symbol);
  return Fail("\"{}\" is expected, \"{}\" is found", symbol, text_.substr(position_, 12));
}

bool Scanner::EatWord(std::string_view word) {
  SkipSpace();
  const std::size_t end = position_ + word.size();
  if (text_.substr(position_, word.size()) != word) return false;
  if (end < text_.size() && IsNameChar(text_[end])) return false;
  position_ = end;
  return true;
}

Result<std::string> Scanner::Name() {
  if (Peek() == '"') return Quoted();
  const std::size_t begin = position_;
  while (position_ < text_.size() && IsNameChar(text_[position_]) &&
         text_.substr(position_, 2) != "//")
    ++position_;
  if (position_ == begin) return Fail("a name is expected");
  return std::string(text_.substr(begin, position_ - begin));
}

Result<std::string> Scanner::Quoted() {
  SkipSpace();
  std::optional<std::string> name = Unquote(text_, position_);
  if (!name) return Fail("a text in double quotes is expected (escapes: \\\" \\\\ \\xHH)");
  return *std::move(name);
}

Result<std::string_view> Scanner::Number() {
  SkipSpace();
  const std::size_t begin = position_;
  while (position_ < text_.size() &&
         (std::isalnum(static_cast<unsigned char>(text_[position_])) != 0 ||
          text_[position_] == '+' || text_[position_] == '-' || text_[position_] == '.'))
    ++position_;
  if (position_ == begin) return Fail("a number is expected");
  return text_.substr(begin, position_ - begin);
}

Result<std::int64_t> Scanner::Int() {
  ATH_TRY(const std::string_view word, Number());
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size())
    return Fail("\"{}\" is not an integer of 64 bits", word);
  return value;
}

// Dimensions are expressions; they end at a comma or bracket outside their own parentheses.
Result<Shape> Scanner::ReadShape() {
  Shape shape;
  if (Eat("]")) return shape;
  for (;;) {
    SkipSpace();
    const std::size_t begin = position_;
    int open = 0;
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (open == 0 && (c == ',' || c == ']')) break;
      if (c == '"') {
        ATH_TRY(const std::string name, Quoted());
        continue;
      }
      open += c == '(' ? 1 : c == ')' ? -1 : 0;
      ++position_;
    }
    std::string_view words = text_.substr(begin, position_ - begin);
    while (!words.empty() && IsSpace(words.back())) words.remove_suffix(1);
    Result<Dim> dim = Dim::Parse(words);
    if (!dim.ok()) return std::move(dim).status().In(PlaceOf(begin));
    shape.push_back(*std::move(dim));
    if (Eat("]")) return shape;
    ATH_RETURN_IF_ERROR(Expect(","));
  }
}

Result<Type> Scanner::ReadType(int depth) {
  if (depth > kMaxTypeDepth) return Fail("types are nested more than {} deep", kMaxTypeDepth);
  const std::size_t begin = position_;
  ATH_TRY(const std::string word, Name());
  if (word == "none") return Type{};
  if (word == "seq" || word == "optional") {
    ATH_RETURN_IF_ERROR(Expect("("));
    ATH_TRY(Type element, ReadType(depth + 1));
    ATH_RETURN_IF_ERROR(Expect(")"));
    return word == "seq" ? Type::Sequence(std::move(element)) : Type::Optional(std::move(element));
  }
  const std::optional<DType> dtype = DTypeFromName(word);
  if (!dtype || *dtype == DType::kUndefined) {
    Return(begin);
    SkipSpace();
    return Fail("\"{}\" is not an element type; f32, i64, bool, string, ... are", word);
  }
  ATH_RETURN_IF_ERROR(Expect("["));
  if (Eat("...")) {
    ATH_RETURN_IF_ERROR(Expect("]"));
    return Type::TensorOfUnknownRank(*dtype);
  }
  ATH_TRY(Shape shape, ReadShape());
  return Type::Tensor(*dtype, std::move(shape));
}

std::string Scanner::PlaceOf(std::size_t position) const {
  const std::string_view before = text_.substr(0, position);
  const auto lines = std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n');
  const std::size_t column =
      start == std::string_view::npos ? before.size() : before.size() - start - 1;
  return fmt::format("line {}, column {}", lines + 1, column + 1);
}

}  // namespace athanor::text

namespace athanor {

Result<Type> ParseType(std::string_view text) {
  text::Scanner scanner(text);
  ATH_TRY(Type type, scanner.ReadType());
  if (!scanner.AtEnd()) return scanner.Fail("the type ends before this");
  return type;
}

}  // namespace athanor
