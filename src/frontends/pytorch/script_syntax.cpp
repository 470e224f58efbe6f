#include "frontends/pytorch/script_syntax.h"

#include <algorithm>
#include <cctype>

#include "core/text.h"

namespace athanor::pytorch {
namespace {

constexpr int kDeepestSyntax = 200;
constexpr int kMostLinks = 50;  // in a.b(c)[d]...

struct Token {
  enum class Kind : std::uint8_t {
    kName,
    kNumber,
    kString,
    kSign,
    kNewLine,
    kIndent,
    kDedent,
    kEnd
  };
  Kind kind = Kind::kEnd;
  std::string_view text;
  std::size_t at = 0;
};

bool IsWordStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> Run() {
    indents_.push_back(0);
    bool line_start = true;
    while (at_ < text_.size()) {
      if (line_start && brackets_ == 0) {
        ATH_RETURN_IF_ERROR(ReadIndent());
        line_start = false;
        continue;
      }
      const char c = text_[at_];
      if (c == '\n') {
        if (brackets_ == 0)
          Push(Token::Kind::kNewLine, 1);
        else
          ++at_;
        line_start = brackets_ == 0;
      } else if (c == ' ' || c == '\r' || c == '\t') {
        ++at_;
      } else if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        ATH_RETURN_IF_ERROR(ReadToken(c));
      }
    }
    Push(Token::Kind::kNewLine, 0);
    for (; indents_.size() > 1; indents_.pop_back()) Push(Token::Kind::kDedent, 0);
    Push(Token::Kind::kEnd, 0);
    return std::move(tokens_);
  }

 private:
  void Push(Token::Kind kind, std::size_t size) {
    tokens_.push_back({kind, text_.substr(at_, size), at_});
    at_ += size;
  }
  Status ReadIndent() {
    std::size_t width = 0;
    while (at_ + width < text_.size() && text_[at_ + width] == ' ') ++width;
    at_ += width;
    if (at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '#' || text_[at_] == '\r') {
      // An empty line says nothing.
      at_ = std::min(text_.find('\n', at_), text_.size());
      if (at_ < text_.size()) ++at_;
      if (at_ < text_.size()) return ReadIndent();
      return {};
    }
    if (width > indents_.back()) {
      if (indents_.size() > kDeepestSyntax)
        return Error(ErrorCode::kResource, "blocks are nested too deep");
      indents_.push_back(width);
      Push(Token::Kind::kIndent, 0);
    }
    while (width < indents_.back()) {
      indents_.pop_back();
      Push(Token::Kind::kDedent, 0);
    }
    if (width != indents_.back())
      return InvalidModel("line {} is indented like none before", Line());
    return {};
  }
  Status ReadToken(char c) {
    std::size_t size = 1;
    const auto peek = [&](std::size_t i) { return at_ + i < text_.size() ? text_[at_ + i] : '\0'; };
    if (IsWordStart(c)) {
      while (IsWordStart(peek(size)) || IsDigit(peek(size))) ++size;
      Push(Token::Kind::kName, size);
      return {};
    }
    if (IsDigit(c) || (c == '.' && IsDigit(peek(1)))) {
      while (IsDigit(peek(size)) || peek(size) == '.' || peek(size) == 'e' || peek(size) == 'E' ||
             ((peek(size) == '-' || peek(size) == '+') &&
              (peek(size - 1) == 'e' || peek(size - 1) == 'E')))
        ++size;
      Push(Token::Kind::kNumber, size);
      return {};
    }
    if (c == '"' || c == '\'') {
      while (peek(size) != c) {
        if (peek(size) == '\\') ++size;
        if (at_ + size >= text_.size() || peek(size) == '\n')
          return InvalidModel("a text does not end in line {}", Line());
        ++size;
      }
      Push(Token::Kind::kString, size + 1);
      return {};
    }
    if (c == '(' || c == '[' || c == '{') ++brackets_;
    if (c == ')' || c == ']' || c == '}') brackets_ = std::max(0, brackets_ - 1);
    for (const std::string_view two : {"->", "==", "!=", "<=", ">=", "//", "**"}) {
      if (text_.substr(at_, 2) == two) size = 2;
    }
    Push(Token::Kind::kSign, size);
    return {};
  }
  std::ptrdiff_t Line() const {
    return 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int brackets_ = 0;
  std::vector<std::size_t> indents_;
  std::vector<Token> tokens_;
};

// "a\n\"b\"" without its quotes.
std::string Unescaped(std::string_view quoted) {
  std::string text;
  for (std::size_t i = 1; i + 1 < quoted.size(); ++i) {
    if (quoted[i] != '\\') {
      text += quoted[i];
      continue;
    }
    const char c = quoted[++i];
    text += c == 'n' ? '\n' : c == 't' ? '\t' : c;
  }
  return text;
}

class Parser {
 public:
  Parser(std::string_view text, std::vector<Token> tokens)
      : text_(text), tokens_(std::move(tokens)) {}

  Result<ScriptFile> Run() {
    ScriptFile file;
    while (Peek().kind != Token::Kind::kEnd) {
      if (Take(Token::Kind::kNewLine)) continue;
      if (TakeWord("class")) {
        ATH_RETURN_IF_ERROR(ParseClass(file));
      } else if (TakeWord("def")) {
        ATH_TRY(const std::string_view name, Name());
        ATH_TRY(file.functions[name], ParseFunction());
      } else {
        SkipLine();  // op_version_set = 1, import ...
      }
    }
    return file;
  }

 private:
  using EKind = Expression::Kind;

  // ---- tokens
  const Token& Peek() const { return tokens_[next_]; }
  Token Next() { return tokens_[next_ + 1 < tokens_.size() ? next_++ : next_]; }
  bool Take(Token::Kind kind) {
    if (Peek().kind != kind) return false;
    Next();
    return true;
  }
  bool IsSign(std::string_view text) const {
    return Peek().kind == Token::Kind::kSign && Peek().text == text;
  }
  bool IsWord(std::string_view text) const {
    return Peek().kind == Token::Kind::kName && Peek().text == text;
  }
  bool TakeSign(std::string_view text) {
    if (!IsSign(text)) return false;
    Next();
    return true;
  }
  bool TakeWord(std::string_view text) {
    if (!IsWord(text)) return false;
    Next();
    return true;
  }
  Status Wrong(std::string_view expected) const {
    const auto line =
        1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(Peek().at), '\n');
    return InvalidModel("line {}: {} is expected, not {}", line, expected, Quote(Peek().text));
  }
  Status Expect(std::string_view sign) { return TakeSign(sign) ? Status() : Wrong(sign); }
  Result<std::string_view> Name() {
    if (Peek().kind != Token::Kind::kName) return Wrong("a name");
    return Next().text;
  }
  void SkipLine() {
    while (Peek().kind != Token::Kind::kNewLine && Peek().kind != Token::Kind::kEnd) Next();
    Take(Token::Kind::kNewLine);
    // A block that belongs to it.
    if (!Take(Token::Kind::kIndent)) {
      while (Take(Token::Kind::kDedent)) {
      }
      return;
    }
    for (int depth = 1; depth > 0 && Peek().kind != Token::Kind::kEnd;) {
      const Token token = Next();
      depth += token.kind == Token::Kind::kIndent ? 1 : token.kind == Token::Kind::kDedent ? -1 : 0;
    }
  }

  // ---- classes and functions
  Status ParseClass(ScriptFile& file) {
    ATH_TRY(const std::string_view name, Name());
    ScriptClass& made = file.classes[name];
    if (TakeSign("(")) {
      ATH_TRY(const std::string_view base, Name());
      made.is_tuple = base == "NamedTuple";
      ATH_RETURN_IF_ERROR(Expect(")"));
    }
    ATH_RETURN_IF_ERROR(Expect(":"));
    if (!Take(Token::Kind::kNewLine) || !Take(Token::Kind::kIndent)) return Wrong("a block");
    while (!Take(Token::Kind::kDedent)) {
      if (Peek().kind == Token::Kind::kEnd) break;
      ATH_RETURN_IF_ERROR(ParseMember(made));
    }
    return {};
  }
  Status ParseMember(ScriptClass& made) {
    if (Take(Token::Kind::kNewLine) || TakeWord("pass")) return {};
    if (TakeWord("def")) {
      ATH_TRY(const std::string_view name, Name());
      ATH_TRY(made.methods[name], ParseFunction());
      return {};
    }
    // name : type [= value], __parameters__ = [...], __annotations__["0"] = type
    const std::string_view name = Peek().text;
    ATH_TRY(const Expression target, ParseExpression());
    if (TakeSign(":")) {
      if (target.kind == EKind::kName) made.fields.push_back(name);
      ATH_RETURN_IF_ERROR(ParseExpression().status());
    }
    if (TakeSign("=")) {
      ATH_TRY(Expression value, ParseExpression());
      if (target.kind == EKind::kName) made.constants[name] = std::move(value);
    }
    if (!Take(Token::Kind::kNewLine)) return Wrong("the end of the line");
    return {};
  }
  Result<ScriptFunction> ParseFunction() {
    ScriptFunction function;
    ATH_RETURN_IF_ERROR(Expect("("));
    while (!TakeSign(")")) {
      TakeSign("*");  // what follows is given by name
      if (TakeSign(",")) continue;
      ATH_TRY(const std::string_view name, Name());
      function.parameters.push_back(name);
      if (TakeSign(":")) {
        ATH_RETURN_IF_ERROR(ParseExpression().status());
      }
      if (TakeSign("=")) {
        ATH_TRY(Expression value, ParseExpression());
        function.defaults.push_back(std::move(value));
      }
      if (!TakeSign(",") && !IsSign(")")) return Wrong("a comma");
    }
    if (TakeSign("->")) {
      ATH_RETURN_IF_ERROR(ParseExpression().status());
    }
    ATH_TRY(function.body, ParseBlock());
    return function;
  }

  // ---- statements
  Result<std::vector<Statement>> ParseBlock() {
    ATH_RETURN_IF_ERROR(Expect(":"));
    std::vector<Statement> block;
    if (!Take(Token::Kind::kNewLine) || !Take(Token::Kind::kIndent)) return Wrong("a block");
    while (!Take(Token::Kind::kDedent)) {
      if (Peek().kind == Token::Kind::kEnd) break;
      if (Take(Token::Kind::kNewLine)) continue;
      ATH_TRY(Statement statement, ParseStatement());
      block.push_back(std::move(statement));
    }
    return block;
  }
  Result<Statement> ParseStatement() {
    using Kind = Statement::Kind;
    Statement made;
    made.at = Peek().at;
    if (TakeWord("pass")) {
      made.kind = Kind::kPass;
    } else if (TakeWord("return")) {
      made.kind = Kind::kReturn;
      if (Peek().kind != Token::Kind::kNewLine) {
        ATH_TRY(made.value, ParseTuple(made.unpacks));
      }
    } else if (IsWord("if") || IsWord("while")) {
      made.kind = Next().text == "if" ? Kind::kIf : Kind::kWhile;
      ATH_TRY(made.value, ParseExpression());
      ATH_TRY(made.body, ParseBlock());
      if (TakeWord("else")) {
        ATH_TRY(made.otherwise, ParseBlock());
      }
      return made;
    } else if (TakeWord("for")) {
      made.kind = Kind::kFor;
      ATH_TRY(const std::string_view name, Name());
      Expression target;
      target.kind = EKind::kName;
      target.text = name;
      made.targets.push_back(std::move(target));
      if (!TakeWord("in")) return Wrong("in");
      ATH_TRY(made.value, ParseExpression());
      ATH_TRY(made.body, ParseBlock());
      return made;
    } else {
      ATH_RETURN_IF_ERROR(ParseAssignment(made));
    }
    if (!Take(Token::Kind::kNewLine)) return Wrong("the end of the line");
    return made;
  }
  Status ParseAssignment(Statement& made) {
    ATH_TRY(Expression first, ParseTuple(made.unpacks));
    if (TakeSign(":")) {
      ATH_RETURN_IF_ERROR(ParseExpression().status());
    }
    if (!TakeSign("=")) {
      made.kind = Statement::Kind::kEvaluate;
      made.value = std::move(first);
      return {};
    }
    made.kind = Statement::Kind::kAssign;
    if (made.unpacks) {
      made.targets = std::move(first.items);
    } else {
      made.targets.push_back(std::move(first));
    }
    bool tuple = false;
    ATH_TRY(made.value, ParseTuple(tuple));
    return {};
  }
  // a, b, c without brackets is a tuple too.
  Result<Expression> ParseTuple(bool& is_tuple) {
    ATH_TRY(Expression first, ParseExpression());
    is_tuple = IsSign(",");
    if (!is_tuple) return first;
    Expression tuple;
    tuple.kind = EKind::kTuple;
    tuple.at = first.at;
    tuple.items.push_back(std::move(first));
    while (TakeSign(",")) {
      if (IsSign("=") || Peek().kind == Token::Kind::kNewLine) break;
      ATH_TRY(Expression item, ParseExpression());
      tuple.items.push_back(std::move(item));
    }
    return tuple;
  }

  // ---- expressions
  Result<Expression> ParseExpression() {
    if (++depth_ > kDeepestSyntax)
      return Error(ErrorCode::kResource, "expressions are nested more than {} deep",
                   kDeepestSyntax);
    Result<Expression> made = ParseChoice();
    --depth_;
    return made;
  }
  static Expression Node(EKind kind, std::size_t at, std::string_view text = "") {
    Expression node;
    node.kind = kind;
    node.at = at;
    node.text = text;
    return node;
  }
  Result<Expression> ParseChoice() {
    ATH_TRY(Expression value, ParseBinary(0));
    if (!TakeWord("if")) return value;
    Expression choice = Node(EKind::kChoice, value.at);
    ATH_TRY(Expression condition, ParseBinary(0));
    if (!TakeWord("else")) return Wrong("else");
    ATH_TRY(Expression otherwise, ParseExpression());
    choice.items.push_back(std::move(condition));
    choice.items.push_back(std::move(value));
    choice.items.push_back(std::move(otherwise));
    return choice;
  }
  // By precedence; all are left associative.
  static int PrecedenceOf(const Token& token) {
    static constexpr std::pair<std::string_view, int> kSigns[] = {
        {"or", 1}, {"and", 2}, {"in", 3}, {"is", 3}, {"==", 3}, {"!=", 3}, {"<", 3},
        {">", 3},  {"<=", 3},  {">=", 3}, {"|", 4},  {"&", 5},  {"+", 6},  {"-", 6},
        {"*", 7},  {"/", 7},   {"//", 7}, {"%", 7},  {"**", 8}};
    if (token.kind != Token::Kind::kSign && token.kind != Token::Kind::kName) return 0;
    for (const auto& [text, precedence] : kSigns) {
      if (text == token.text) return precedence;
    }
    return 0;
  }
  Result<Expression> ParseBinary(int lowest) {
    ATH_TRY(Expression left, ParseUnary());
    for (int precedence = PrecedenceOf(Peek()); precedence > lowest;
         precedence = PrecedenceOf(Peek())) {
      Expression both = Node(EKind::kBinary, left.at, Next().text);
      if (both.text == "is" && TakeWord("not")) both.text = "is not";
      if (++depth_ > kDeepestSyntax)
        return Error(ErrorCode::kResource, "expressions are nested more than {} deep",
                     kDeepestSyntax);
      Result<Expression> right = ParseBinary(precedence);
      --depth_;
      if (!right.ok()) return right;
      both.items.push_back(std::move(left));
      both.items.push_back(*std::move(right));
      left = std::move(both);
    }
    return left;
  }
  Result<Expression> ParseUnary() {
    const std::size_t at = Peek().at;
    if (!IsWord("not") && !IsSign("-")) return ParsePostfix();
    Expression made = Node(EKind::kUnary, at, Next().text);
    if (++depth_ > kDeepestSyntax)
      return Error(ErrorCode::kResource, "expressions are nested more than {} deep",
                   kDeepestSyntax);
    Result<Expression> value = ParseUnary();
    --depth_;
    if (!value.ok()) return value;
    made.items.push_back(*std::move(value));
    return made;
  }
  Result<Expression> ParsePostfix() {
    ATH_TRY(Expression value, ParseAtom());
    for (int links = 0;; ++links) {
      if (links > kMostLinks)
        return Error(ErrorCode::kResource, "expressions are nested more than {} deep",
                     kDeepestSyntax);
      const std::size_t at = Peek().at;
      if (TakeSign(".")) {
        ATH_TRY(const std::string_view name, Name());
        Expression attribute = Node(EKind::kAttribute, at, name);
        attribute.items.push_back(std::move(value));
        value = std::move(attribute);
      } else if (TakeSign("(")) {
        Expression call = Node(EKind::kCall, value.at);
        call.items.push_back(std::move(value));
        ATH_RETURN_IF_ERROR(ParseItems(")", call.items));
        value = std::move(call);
      } else if (TakeSign("[")) {
        Expression subscript = Node(EKind::kSubscript, value.at);
        subscript.items.push_back(std::move(value));
        std::vector<Expression> items;
        ATH_RETURN_IF_ERROR(ParseItems("]", items));
        if (items.size() == 1) {
          subscript.items.push_back(std::move(items[0]));
        } else {
          Expression tuple = Node(EKind::kTuple, at);
          tuple.items = std::move(items);
          subscript.items.push_back(std::move(tuple));
        }
        value = std::move(subscript);
      } else {
        return value;
      }
    }
  }
  // Up to the closing sign; name=value is a keyword.
  Status ParseItems(std::string_view end, std::vector<Expression>& items) {
    while (!TakeSign(end)) {
      ATH_TRY(Expression item, ParseExpression());
      if (item.kind == EKind::kName && TakeSign("=")) {
        Expression keyword = Node(EKind::kKeyword, item.at, item.text);
        ATH_TRY(Expression value, ParseExpression());
        keyword.items.push_back(std::move(value));
        item = std::move(keyword);
      }
      items.push_back(std::move(item));
      if (!TakeSign(",") && !IsSign(end)) return Wrong(end);
    }
    return {};
  }
  Result<Expression> ParseAtom() {
    const Token token = Peek();
    if (token.kind == Token::Kind::kNumber) {
      Next();
      const bool real = token.text.find_first_of(".eE") != std::string_view::npos;
      return Node(real ? EKind::kFloat : EKind::kInt, token.at, token.text);
    }
    if (token.kind == Token::Kind::kString) {
      Next();
      Expression text = Node(EKind::kString, token.at);
      text.owned = Unescaped(token.text);
      return text;
    }
    if (token.kind == Token::Kind::kName) {
      Next();
      const EKind kind = token.text == "True"    ? EKind::kTrue
                         : token.text == "False" ? EKind::kFalse
                         : token.text == "None"  ? EKind::kNone
                                                 : EKind::kName;
      return Node(kind, token.at, token.text);
    }
    if (TakeSign("[")) {
      Expression list = Node(EKind::kList, token.at);
      ATH_RETURN_IF_ERROR(ParseItems("]", list.items));
      return list;
    }
    if (TakeSign("{")) return ParseDict(token.at);
    if (!TakeSign("(")) return Wrong("an expression");
    // (a) is a, (a,) and () are tuples.
    Expression tuple = Node(EKind::kTuple, token.at);
    if (TakeSign(")")) return tuple;
    ATH_TRY(Expression first, ParseExpression());
    if (TakeSign(")")) return first;
    ATH_RETURN_IF_ERROR(Expect(","));
    tuple.items.push_back(std::move(first));
    ATH_RETURN_IF_ERROR(ParseItems(")", tuple.items));
    return tuple;
  }
  Result<Expression> ParseDict(std::size_t at) {
    Expression dict = Node(EKind::kDict, at);
    while (!TakeSign("}")) {
      ATH_TRY(Expression key, ParseExpression());
      ATH_RETURN_IF_ERROR(Expect(":"));
      ATH_TRY(Expression value, ParseExpression());
      dict.items.push_back(std::move(key));
      dict.items.push_back(std::move(value));
      if (!TakeSign(",") && !IsSign("}")) return Wrong("}");
    }
    return dict;
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<ScriptFile> ParseScript(std::string_view text) {
  ATH_TRY(std::vector<Token> tokens, Scanner(text).Run());
  return Parser(text, std::move(tokens)).Run();
}

}  // namespace athanor::pytorch
