// Writes the terms of a program as text, arguments first. A language says how calls, numbers and
// trees look; a term that is read twice, or whose text would be nested too deep, gets a name.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "codegen/table/row_program.h"

namespace athanor::codegen {

// How strongly the last operator of a text binds; a stronger one needs no parentheses inside a
// weaker.
enum Level : int { kWord, kUnary, kProduct, kSum, kComparison, kNegation, kJunction, kChoice };

struct Piece {
  std::string text;
  int level = kWord;
  int depth = 1;  // nesting, in what limits the language
  int stage = 0;  // how many definitions stand on each other below it
};

// A function of the terms in a language. $1 is the second argument, in parentheses where it binds
// no stronger than the whole; <1 where it binds weaker; @1 never. ~ is "f" for f32. Sums have no
// spelling: every language writes a + b + c.
struct Spelling {
  Fn fn;
  int level = kWord;
  std::string_view pattern;
  int depth = 1;  // that it adds
};

class Printer {
 public:
  Printer(const RowProgram& program, int deepest) : program_(program), deepest_(deepest) {}
  virtual ~Printer() = default;
  Printer(const Printer&) = delete;
  Printer& operator=(const Printer&) = delete;

 protected:
  // Pieces of all terms, in order; Define is called for those with a name.
  Status WriteTerms();
  const Piece& piece(TermId id) const { return pieces_[id]; }
  const Term& term(TermId id) const { return program_.terms[id]; }
  // In parentheses where the text binds no stronger than `level`.
  static std::string Within(const Piece& piece, int level, bool or_equal);
  Piece Fill(const Spelling& spelling, const std::vector<TermId>& args, DType dtype) const;
  // The sum of pieces, as they stand or, where order is free, in groups.
  virtual Piece SumOf(std::vector<Piece> parts) const;

  virtual std::span<const Spelling> Spellings() const = 0;
  // Terms that sums may be grouped by; 0: their order counts.
  virtual std::size_t GroupSize() const { return 0; }
  // How often a term mentions each argument: 2 for "often", which gives it a name.
  virtual std::size_t UsesBy(const Term& reader) const = 0;
  virtual Piece Input(TermId id) = 0;
  virtual Piece Constant(TermId id) = 0;
  virtual Result<Piece> Call(TermId id);
  virtual Result<Piece> Trees(TermId id) = 0;
  virtual Result<Piece> Find(TermId id) = 0;
  // Gives the term a name for those that read it.
  virtual Piece Define(TermId id, Piece formula) = 0;
  // The language's own name, for refusals.
  virtual std::string_view Language() const = 0;

  const RowProgram& program_;

 private:
  bool IsNamed(TermId id, const Piece& piece, std::size_t uses) const;

  int deepest_;
  std::vector<Piece> pieces_;
};

// A name as C and formulas take it; "x(3)" becomes x_3.
std::string Identifier(const std::string& name, const std::string& otherwise);

// Names that differ, also when case does not count; a taken one gets a number.
std::vector<std::string> UniqueNames(std::vector<std::string> names);

}  // namespace athanor::codegen
