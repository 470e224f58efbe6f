#include "codegen/table/printer.h"

#include <algorithm>
#include <map>
#include <set>

#include "codegen/files.h"

namespace athanor::codegen {
namespace {

Piece Parenthesised(const Piece& piece) {
  return {"(" + piece.text + ")", kWord, piece.depth + 1, piece.stage};
}

}  // namespace

std::string Printer::Within(const Piece& piece, int level, bool or_equal) {
  const bool fits = piece.level < level || (or_equal && piece.level == level);
  return fits ? piece.text : "(" + piece.text + ")";
}

Piece Printer::Fill(const Spelling& spelling, const std::vector<TermId>& args, DType dtype) const {
  Piece made = {.text = {}, .level = spelling.level, .depth = 0, .stage = 0};
  for (const TermId arg : args) {
    made.depth = std::max(made.depth, piece(arg).depth + (piece(arg).level > kWord ? 1 : 0));
    made.stage = std::max(made.stage, piece(arg).stage);
  }
  made.depth += spelling.depth;
  const std::string_view pattern = spelling.pattern;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const bool digit = i + 1 < pattern.size() && pattern[i + 1] >= '0' && pattern[i + 1] <= '9';
    if (c == '~') {
      made.text += dtype == DType::kF32 ? "f" : "";
    } else if (digit && (c == '$' || c == '<' || c == '@')) {
      const Piece& arg = piece(args[static_cast<std::size_t>(pattern[++i] - '0')]);
      std::string text = c == '@' ? arg.text : Within(arg, spelling.level, c == '<');
      // Two signs in a row are a decrement in C and a comment in SQL.
      if (made.text.ends_with('-') && text.starts_with('-')) text = "(" + text + ")";
      made.text += text;
    } else {
      made.text += c;
    }
  }
  return made;
}

Piece Printer::SumOf(std::vector<Piece> parts) const {
  const std::size_t group = GroupSize();
  while (group > 0 && parts.size() > group) {
    std::vector<Piece> groups;
    for (std::size_t begin = 0; begin < parts.size(); begin += group) {
      const std::size_t end = std::min(begin + group, parts.size());
      std::vector<Piece> some(parts.begin() + static_cast<std::ptrdiff_t>(begin),
                              parts.begin() + static_cast<std::ptrdiff_t>(end));
      groups.push_back(some.size() == 1 ? some[0] : Parenthesised(SumOf(std::move(some))));
    }
    parts = std::move(groups);
  }
  Piece sum = parts[0];
  if (parts.size() == 1) return sum;
  sum.text = Within(sum, kSum, true);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string next = Within(parts[i], kSum, false);
    // a + -b is a - b, to the last bit.
    sum.text += next[0] == '-' ? " - " + next.substr(1) : " + " + next;
    sum.depth = std::max(sum.depth, parts[i].depth + (parts[i].level >= kSum ? 3 : 2));
    sum.stage = std::max(sum.stage, parts[i].stage);
  }
  sum.level = kSum;
  return sum;
}

Result<Piece> Printer::Call(TermId id) {
  const Term& call = term(id);
  if (call.fn == Fn::kAdd) {
    std::vector<Piece> parts;
    for (const TermId arg : call.args) parts.push_back(piece(arg));
    return SumOf(std::move(parts));
  }
  const auto spellings = Spellings();
  const auto found = std::find_if(spellings.begin(), spellings.end(),
                                  [&](const Spelling& s) { return s.fn == call.fn; });
  if (found == spellings.end()) {
    return Unsupported("there is no {} for {} in {}", Language(), Name(call.fn),
                       program_.nodes[call.node])
        .Fix("--target c99 writes it");
  }
  return Fill(*found, call.args, call.dtype);
}

bool Printer::IsNamed(TermId id, const Piece& made, std::size_t uses) const {
  const Term::Kind kind = term(id).kind;
  if (kind == Term::Kind::kInput || kind == Term::Kind::kConstant) return false;
  return uses > 1 || made.depth > deepest_;
}

Status Printer::WriteTerms() {
  std::vector<std::size_t> uses(program_.terms.size(), 0);
  for (const Term& term : program_.terms) {
    for (const TermId arg : program_.ArgsOf(term)) uses[arg] += UsesBy(term);
  }
  for (const RowProgram::Output& output : program_.outputs) {
    for (const TermId id : output.values) ++uses[id];
  }
  pieces_.clear();
  for (TermId id = 0; id < program_.terms.size(); ++id) {
    const Term& term = program_.terms[id];
    Piece made;
    if (term.kind == Term::Kind::kInput) {
      made = Input(id);
    } else if (term.kind == Term::Kind::kConstant) {
      made = Constant(id);
    } else if (term.kind == Term::Kind::kCall) {
      ATH_TRY(made, Call(id));
    } else if (term.kind == Term::Kind::kTrees) {
      ATH_TRY(made, Trees(id));
    } else {
      ATH_TRY(made, Find(id));
    }
    if (IsNamed(id, made, uses[id])) made = Define(id, std::move(made));
    pieces_.push_back(std::move(made));
  }
  return {};
}

std::string Identifier(const std::string& name, const std::string& otherwise) {
  return CName(name.ends_with(')') ? name.substr(0, name.size() - 1) : name, otherwise);
}

std::vector<std::string> UniqueNames(std::vector<std::string> names) {
  std::set<std::string> taken;
  std::map<std::string, int> last;
  for (std::string& name : names) {
    const std::string wish = name;
    int& number = last.try_emplace(Upper(wish), 1).first->second;
    while (!taken.insert(Upper(name)).second) name = fmt::format("{}_{}", wish, ++number);
  }
  return names;
}

}  // namespace athanor::codegen
