// What SQL and formulas share: trees as nested choices, and tables as lists of cases.
#pragma once

#include <optional>

#include "codegen/table/printer.h"

namespace athanor::codegen {

// A comparison of a number with a border.
enum class Side : std::uint8_t { kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

// The border of doubles that decides as x does, which is rounded to f32 first: x < 0.1F holds for
// every double below half of the way to the float before.
struct Border {
  Side side = Side::kLess;
  double value = 0;
};
Border ExactBorder(Side side, float split);
// A border for numbers that are floats, with as few digits as will do.
double ShortBorder(Side side, float split);

class NestedPrinter : public Printer {
 public:
  using Printer::Printer;

 protected:
  // One case of several, the first that holds counts.
  struct Case {
    std::string condition;
    Piece value;
  };

  std::size_t GroupSize() const override { return 50; }
  std::size_t UsesBy(const Term& reader) const override;
  Result<Piece> Call(TermId id) override;
  Result<Piece> Trees(TermId id) override;
  Result<Piece> Find(TermId id) override;
  // One of many trees that are added.
  virtual Piece OneOfMany(Piece tree) { return tree; }

  Piece Number(double number, DType dtype) const;
  virtual std::string Real(double number, DType dtype) const = 0;
  virtual std::string Text(const std::string& text) const = 0;
  virtual Piece Choice(const std::vector<Case>& cases, const Piece& otherwise) const = 0;
  // What stands beside the key that x, a word, equals; `otherwise` may be absent.
  virtual Piece Switch(const Piece& x, const std::vector<Case>& cases,
                       const std::optional<Piece>& otherwise) const = 0;
  // x `one` the only number of the list, or x `many` (all of them).
  static std::string AmongText(const std::string& x, const std::vector<std::string>& list,
                               std::string_view one, std::string_view many);
  virtual std::string IsMissing(const std::string& x) const = 0;
  virtual std::string Or(const std::string& a, const std::string& b) const = 0;
  // Whether x is a number of the list, or none of them; a missing x is neither, or counts too.
  virtual std::string IsAmong(const std::string& x, const std::vector<std::string>& list,
                              bool among, bool or_missing) const = 0;
  // Where f32 columns hold any double: borders are exact.
  virtual bool ColumnsAreDouble() const = 0;

 private:
  class TreeWriter;
  std::string Compared(Side side, TermId x, double split) const;
  std::string KeyText(const Tensor& keys, std::size_t i) const;
  Piece ValueText(const Tensor& values, std::size_t i) const;
};

}  // namespace athanor::codegen
