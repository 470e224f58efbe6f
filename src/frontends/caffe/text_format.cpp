// The text form of a message: .prototxt files.
#include <cctype>
#include <charconv>
#include <cmath>

#include "core/text.h"
#include "frontends/caffe/message.h"
#include "frontends/caffe/schema.h"

namespace athanor::caffe {
namespace {

bool IsWordStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class TextParser {
 public:
  explicit TextParser(std::string_view text) : text_(text), budget_(text.size()) {}

  Status Parse(Message& message) {
    ATH_RETURN_IF_ERROR(ParseFields(message, '\0', 0));
    return {};
  }

 private:
  Status Wrong(std::string_view expected) const {
    if (at_ >= text_.size())
      return Error(ErrorCode::kCorruptFile, "line {}: the text ends where {} is expected", line_,
                   expected);
    const std::string_view found = text_.substr(at_, 20);
    return InvalidModel("line {}: {} is expected, not {}", line_, expected,
                        Quote(found.substr(0, found.find('\n'))));
  }

  // Comments and white space.
  void Skip() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        ++at_;
      } else {
        return;
      }
    }
  }

  bool Peek(char c) {
    Skip();
    return at_ < text_.size() && text_[at_] == c;
  }

  bool Accept(char c) {
    if (!Peek(c)) return false;
    ++at_;
    return true;
  }

  std::string_view Word() {
    Skip();
    const std::size_t start = at_;
    if (at_ < text_.size() && IsWordStart(text_[at_])) {
      while (at_ < text_.size() && IsWord(text_[at_])) ++at_;
    }
    return text_.substr(start, at_ - start);
  }

  // Up to the bracket `end`; '\0' is the end of the text.
  Status ParseFields(Message& message, char end, int depth) {
    if (depth > protobuf::kMaxDepth)
      return Error(ErrorCode::kResource, "line {}: brackets nest deeper than {}", line_,
                   protobuf::kMaxDepth);
    message.line = line_;
    for (;;) {
      Skip();
      if (end == '\0' ? at_ == text_.size() : Accept(end)) return {};
      const std::string_view name = Word();
      if (name.empty()) return Wrong("the name of a field");
      const bool colon = Accept(':');
      if (colon && Accept('[')) {
        ATH_RETURN_IF_ERROR(ParseList(message, name, depth));
      } else {
        ATH_RETURN_IF_ERROR(ParseValue(message, name, colon, depth));
      }
      if (!Accept(',')) Accept(';');
    }
  }

  Status ParseList(Message& message, std::string_view name, int depth) {
    if (Accept(']')) return {};
    do {
      ATH_RETURN_IF_ERROR(ParseValue(message, name, true, depth));
    } while (Accept(','));
    return Accept(']') ? Status() : Wrong("\",\" or \"]\"");
  }

  Status ParseValue(Message& message, std::string_view name, bool scalar_allowed, int depth) {
    if (!budget_.Take(sizeof(FieldValue)))
      return Error(ErrorCode::kResource, "line {}: the text takes too much memory", line_);
    const char open = Peek('<') ? '<' : '{';
    if (Accept(open)) {
      if (!budget_.Take(sizeof(Message)))
        return Error(ErrorCode::kResource, "line {}: the text takes too much memory", line_);
      return ParseFields(message.AddChild(name), open == '<' ? '>' : '}', depth + 1);
    }
    if (!scalar_allowed) return Wrong("\":\" or \"{\"");
    return ParseScalar(message.Add(name));
  }

  Status ParseScalar(FieldValue& value) {
    Skip();
    if (at_ >= text_.size()) return Wrong("a value");
    const char c = text_[at_];
    if (c == '"' || c == '\'') return ParseString(value);
    if (IsWordStart(c)) {
      const std::string_view word = Word();
      if (word == "inf" || word == "nan") {
        value.number = word == "inf" ? HUGE_VAL : std::nan("");
        return {};
      }
      value.kind = FieldValue::Kind::kName;
      value.text = word;
      return {};
    }
    return ParseNumber(value);
  }

  Status ParseNumber(FieldValue& value) {
    const bool negative = Accept('-');
    Skip();
    if (negative && Peek('i')) {
      if (Word() != "inf") return Wrong("a number");
      value.number = -HUGE_VAL;
      return {};
    }
    const char* begin = text_.data() + at_;
    const char* end = text_.data() + text_.size();
    std::from_chars_result done = {begin, std::errc::invalid_argument};
    if (end - begin > 2 && begin[0] == '0' && (begin[1] == 'x' || begin[1] == 'X')) {
      std::uint64_t whole = 0;
      done = std::from_chars(begin + 2, end, whole, 16);
      value.number = static_cast<double>(whole);
    } else if (begin < end &&
               (std::isdigit(static_cast<unsigned char>(*begin)) != 0 || *begin == '.')) {
      done = std::from_chars(begin, end, value.number);
      if (done.ec == std::errc() && done.ptr < end && (*done.ptr == 'f' || *done.ptr == 'F'))
        ++done.ptr;
    }
    if (done.ec != std::errc() || (done.ptr < end && IsWord(*done.ptr))) return Wrong("a value");
    at_ += static_cast<std::size_t>(done.ptr - begin);
    if (negative) value.number = -value.number;
    return {};
  }

  // Strings that follow one another are one.
  Status ParseString(FieldValue& value) {
    value.kind = FieldValue::Kind::kString;
    while (Peek('"') || Peek('\'')) {
      const char quote = text_[at_++];
      for (;;) {
        if (at_ >= text_.size() || text_[at_] == '\n') return Wrong("the end of a string");
        const char c = text_[at_++];
        if (c == quote) break;
        value.text += c;
        if (c != '\\') continue;
        value.text.pop_back();
        if (at_ >= text_.size()) return Wrong("the end of a string");
        const char escaped = text_[at_++];
        value.text += escaped == 'n'   ? '\n'
                      : escaped == 't' ? '\t'
                      : escaped == 'r' ? '\r'
                                       : escaped;
      }
    }
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  protobuf::Budget budget_;
};

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string Scalar(const FieldSpec& field, const FieldValue& value) {
  if (value.kind == FieldValue::Kind::kString) return fmt::format("\"{}\"", Escaped(value.text));
  if (value.kind == FieldValue::Kind::kName) return value.text;
  if (field.kind == FieldKind::kInt)
    return fmt::format("{}", static_cast<std::int64_t>(value.number));
  return fmt::format("{}", static_cast<float>(value.number));
}

void Print(const Message& message, std::string_view type, int depth, std::string& text) {
  const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
  for (const FieldSpec& field : FindMessage(type)->fields) {
    const std::vector<FieldValue>* values = message.Find(field.name);
    if (values == nullptr) continue;
    for (const FieldValue& value : *values) {
      if (value.kind == FieldValue::Kind::kMessage) {
        text += fmt::format("{}{} {{\n", indent, field.name);
        Print(*value.message, field.message, depth + 1, text);
        text += indent + "}\n";
      } else if (value.packed.empty()) {
        text += fmt::format("{}{}: {}\n", indent, field.name, Scalar(field, value));
      }
    }
  }
}

}  // namespace

Result<Message> ParseText(std::string_view text) {
  Message message;
  ATH_RETURN_IF_ERROR(TextParser(text).Parse(message));
  return message;
}

std::string PrintText(const Message& message, std::string_view type) {
  std::string text;
  Print(message, type, 0, text);
  return text;
}

}  // namespace athanor::caffe
