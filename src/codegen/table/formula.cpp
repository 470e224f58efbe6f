// A formula that people read. Each line names one value; expressions are those of Python.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "codegen/table/nested_printer.h"
#include "codegen/table/tables.h"
#include "ops/math/number_cast.h"

namespace athanor::codegen {
namespace {

constexpr int kDeepestInFormula = 12;  // people read it
constexpr std::size_t kShortLine = 72;
constexpr std::size_t kMostCases = 1000;  // in a row: Python's compiler recurses over them

// A name that is none of the formula's own words.
std::string Word(const std::string& name) {
  static constexpr std::string_view kWords[] = {
      "abs",    "acos",  "and",     "as",     "asin",  "assert", "async",  "atan",   "await",
      "class",  "ceil",  "cos",     "cosh",   "def",   "del",    "elif",   "erf",    "exp",
      "except", "False", "finally", "floor",  "from",  "get",    "global", "import", "in",
      "inf",    "is",    "isnan",   "lambda", "log",   "max",    "min",    "nan",    "nonlocal",
      "None",   "not",   "or",      "pass",   "pow",   "raise",  "round",  "sin",    "sinh",
      "sqrt",   "tan",   "tanh",    "True",   "trunc", "try",    "with",   "yield"};
  std::string word = Identifier(name, "value");
  if (std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords)) word += '_';
  return word;
}

std::string QuotedWord(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 32) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

class FormulaPrinter : public NestedPrinter {
 public:
  explicit FormulaPrinter(const RowProgram& program) : NestedPrinter(program, kDeepestInFormula) {
    std::vector<std::string> names;
    for (const RowProgram::Column& column : program.columns) names.push_back(Word(column.name));
    for (const RowProgram::Output& output : program.outputs) {
      for (std::size_t i = 0; i < output.values.size(); ++i)
        names.push_back(output.values.size() == 1 ? Word(output.name)
                                                  : Word(fmt::format("{}_{}", output.name, i)));
    }
    names_ = UniqueNames(std::move(names));
    for (const std::string& name : names_) taken_.insert(name);
  }

  Result<std::string> Write() {
    std::size_t next = program_.columns.size();
    for (const RowProgram::Output& output : program_.outputs) {
      for (const TermId id : output.values) outputs_.emplace(id, names_[next++]);
    }
    ATH_RETURN_IF_ERROR(WriteTerms());
    ATH_RETURN_IF_ERROR(status_);
    next = program_.columns.size();
    for (const RowProgram::Output& output : program_.outputs) {
      for (const TermId id : output.values) {
        const std::string& name = names_[next++];
        if (piece(id).text != name) lines_ += name + " = " + piece(id).text + "\n";
      }
    }
    return Head() + lines_;
  }

 protected:
  std::string_view Language() const override { return "formula"; }
  bool ColumnsAreDouble() const override { return false; }

  std::span<const Spelling> Spellings() const override {
    static constexpr Spelling kSpellings[] = {
        {Fn::kAbs, kWord, "abs(@0)"},
        {Fn::kAcos, kWord, "acos(@0)"},
        {Fn::kAnd, kJunction, "$0 and $1"},
        {Fn::kAsin, kWord, "asin(@0)"},
        {Fn::kAtan, kWord, "atan(@0)"},
        {Fn::kCeil, kWord, "ceil(@0)"},
        {Fn::kCos, kWord, "cos(@0)"},
        {Fn::kCosh, kWord, "cosh(@0)"},
        {Fn::kDiv, kProduct, "<0 / $1"},
        {Fn::kEqual, kComparison, "$0 == $1"},
        {Fn::kErf, kWord, "erf(@0)"},
        {Fn::kExp, kWord, "exp(@0)"},
        {Fn::kFloor, kWord, "floor(@0)"},
        {Fn::kGreater, kComparison, "$0 > $1"},
        {Fn::kGreaterOrEqual, kComparison, "$0 >= $1"},
        {Fn::kIsNan, kWord, "isnan(@0)"},
        {Fn::kLess, kComparison, "$0 < $1"},
        {Fn::kLessOrEqual, kComparison, "$0 <= $1"},
        {Fn::kLog, kWord, "log(@0)"},
        {Fn::kMax, kWord, "max(@0, @1)"},
        {Fn::kMin, kWord, "min(@0, @1)"},
        {Fn::kMul, kProduct, "<0 * $1"},
        {Fn::kNeg, kUnary, "-$0"},
        {Fn::kNot, kNegation, "not $0"},
        {Fn::kOr, kJunction, "$0 or $1"},
        {Fn::kPow, kWord, "pow(@0, @1)"},
        {Fn::kRound, kWord, "round(@0)"},
        {Fn::kSigmoid, kProduct, "1 / (1 + exp(-$0))"},
        {Fn::kSin, kWord, "sin(@0)"},
        {Fn::kSinh, kWord, "sinh(@0)"},
        {Fn::kSqrt, kWord, "sqrt(@0)"},
        {Fn::kSquare, kWord, "pow(@0, 2)"},
        {Fn::kSub, kSum, "<0 - $1"},
        {Fn::kTan, kWord, "tan(@0)"},
        {Fn::kTanh, kWord, "tanh(@0)"},
        {Fn::kWhere, kChoice, "$1 if $0 else <2"},
        {Fn::kXor, kComparison, "$0 != $1"},
    };
    return kSpellings;
  }

  Piece Input(TermId id) override {
    const Term& column = term(id);
    return {names_[column.index]};
  }

  Piece Constant(TermId id) override {
    const Term& constant = term(id);
    if (constant.dtype == DType::kString) return {Text(constant.text)};
    if (constant.dtype == DType::kBool) return {constant.number != 0 ? "True" : "False"};
    if (constant.dtype == DType::kI64)
      return {fmt::format("{:.0f}", constant.number), constant.number < 0 ? kUnary : kWord};
    return Number(constant.number, constant.dtype);
  }

  Result<Piece> Call(TermId id) override {
    const Term& call = term(id);
    if (call.fn != Fn::kCast) return NestedPrinter::Call(id);
    const Term& from = term(call.args[0]);
    const Piece& x = piece(call.args[0]);
    if (from.dtype == DType::kBool)
      return Piece{"1 if " + Within(x, kChoice, false) + " else 0", kChoice, x.depth + 1, 0};
    if (call.dtype == DType::kBool)
      return Piece{Within(x, kComparison, false) + " != 0", kComparison, x.depth + 1, 0};
    if (call.dtype != DType::kI64 || program_.LeavesOf(call.args[0])) return x;
    return Piece{"trunc(" + x.text + ")", kWord, x.depth + 1, 0};
  }

  Result<Piece> Trees(TermId id) override {
    std::string& line = tree_lines_;
    line.clear();
    ATH_TRY(const Piece made, NestedPrinter::Trees(id));
    lines_ += line;
    line.clear();
    // A choice, and the sum of many, stand on lines of their own.
    return made.level == kChoice || made.level == kSum ? Define(id, made) : made;
  }

  Piece OneOfMany(Piece tree) override {
    const std::string name = NewName(fmt::format("tree_{}", ++trees_));
    tree_lines_ += Line(name, tree);
    return {name};
  }

  Piece Define(TermId id, Piece formula) override {
    if (taken_.contains(formula.text)) return formula;  // it has a name
    const auto output = outputs_.find(id);
    const bool trees = term(id).kind == Term::Kind::kTrees;
    const std::string name =
        output != outputs_.end() ? output->second
        : trees ? NewName(formula.level == kChoice ? fmt::format("tree_{}", ++trees_) : "score")
                : NewName(fmt::format("v{}", ++values_));
    lines_ += Line(name, formula);
    return {name};
  }

  std::string Real(double number, DType dtype) const override {
    if (std::isnan(number)) return "nan";
    if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
    std::string text = dtype == DType::kF32 ? ops::PrintNumber(static_cast<float>(number))
                                            : ops::PrintNumber(number);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text;
  }
  std::string Text(const std::string& text) const override { return QuotedWord(text); }

  // One case a line; choices inside of choices are set in.
  Piece Choice(const std::vector<Case>& cases, const Piece& otherwise) const override {
    if (cases.size() > kMostCases && status_.ok())
      status_ = Error(ErrorCode::kResource, "{} cases in a row; Python takes {}", cases.size(),
                      kMostCases)
                    .Fix("--target c99 and --target sql have no such limit");
    Piece made = {"", kChoice, 0, 0};
    const std::string short_form =
        cases.size() > 1
            ? ""
            : Inner(cases[0].value) + " if " + cases[0].condition + " else " + Inner(otherwise);
    if (!short_form.empty() && short_form.size() < kShortLine &&
        short_form.find('\n') == std::string::npos)
      return {short_form, kChoice, std::max(cases[0].value.depth, otherwise.depth) + 1, 0};
    for (const Case& one : cases) {
      made.text += Inner(one.value) + " if " + one.condition + " else\n";
      made.depth = std::max(made.depth, one.value.depth);
    }
    made.text += Inner(otherwise);
    made.depth = std::max(made.depth, otherwise.depth) + 1;
    return made;
  }

  Piece Switch(const Piece& x, const std::vector<Case>& cases,
               const std::optional<Piece>& otherwise) const override {
    std::string text = "{";
    for (std::size_t i = 0; i < cases.size(); ++i)
      text += (i == 0 ? "" : ", ") + cases[i].condition + ": " + cases[i].value.text;
    text += otherwise ? "}.get(" + x.text + ", " + otherwise->text + ")" : "}[" + x.text + "]";
    return {std::move(text), kWord, x.depth + 1, 0};
  }

  std::string IsMissing(const std::string& x) const override { return "isnan(" + x + ")"; }
  std::string Or(const std::string& a, const std::string& b) const override {
    return a + " or " + b;
  }
  std::string IsAmong(const std::string& x, const std::vector<std::string>& list, bool among,
                      bool or_missing) const override {
    const std::string text = AmongText(x, list, among ? "==" : "!=", among ? "in" : "not in");
    if (among) return or_missing ? text + " or isnan(" + x + ")" : text;
    return or_missing ? text : text + " and not isnan(" + x + ")";
  }

 private:
  static std::string Inner(const Piece& value) {
    if (value.text.find('\n') == std::string::npos) return Within(value, kChoice, false);
    return "(\n" + Indented(value.text) + ")";
  }

  static std::string Indented(const std::string& text) {
    std::string made;
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      made += "  " + text.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
    return made;
  }

  static std::string Line(const std::string& name, const Piece& formula) {
    const bool lines = formula.text.find('\n') != std::string::npos;
    return name + " = " + (lines ? "(\n" + Indented(formula.text) + ")" : formula.text) + "\n";
  }

  std::string NewName(const std::string& wish) {
    std::string name = wish;
    for (int number = 2; !taken_.insert(name).second; ++number)
      name = fmt::format("{}_{}", wish, number);
    return name;
  }

  std::string Head() const {
    std::string text =
        "# Generated by athanor codegen. Each line names one value; nan is a missing number, \"\" "
        "a\n"
        "# missing text.\n";
    for (std::size_t i = 0; i < program_.columns.size(); ++i) {
      const RowProgram::Column& column = program_.columns[i];
      if (names_[i] != column.name)
        text += "# " + names_[i] + " is the column " + QuotedWord(column.name) + "\n";
    }
    std::size_t next = program_.columns.size();
    for (const RowProgram::Output& output : program_.outputs) {
      for (std::size_t i = 0; i < output.values.size(); ++i) {
        const std::string answer = ElementName(output.name, output.values.size(), i);
        const std::string& name = names_[next++];
        if (name != answer) text += "# " + name + " is the answer " + QuotedWord(answer) + "\n";
      }
    }
    return text;
  }

  std::vector<std::string> names_;  // of columns, then of outputs
  std::set<std::string> taken_;
  std::map<TermId, std::string> outputs_;
  std::string lines_, tree_lines_;
  int trees_ = 0, values_ = 0;
  mutable Status status_;
};

}  // namespace

Result<std::string> TableFormula(const RowProgram& program) {
  return FormulaPrinter(program).Write();
}

}  // namespace athanor::codegen
