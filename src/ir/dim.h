// One dimension of a shape: a number, or an expression over symbols such as "2*N + 1" or "H/2".
//
// Expressions are kept as polynomials over atoms (a symbol, or a floor division that does not come
// out even), so equal expressions look equal: (N + 1)*2 and 2*N + 2 are the same Dim. Symbols stand
// for sizes that are at least 0. Division rounds towards minus infinity.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor {

class Dim {
 public:
  Dim() = default;          // unknown
  Dim(std::int64_t value);  // NOLINT(google-explicit-constructor)
  // Any name; one that is not a word prints in quotes. Empty, or longer than 200 bytes: unknown.
  static Dim Symbol(std::string_view name);
  static Dim Unknown() { return {}; }
  // Reads what ToString wrote: "12", "N", "2*N + 1", "floor((N + 1)/2)", "?".
  static Result<Dim> Parse(std::string_view text);

  bool IsConst() const { return kind_ == Kind::kConst; }
  bool IsUnknown() const { return kind_ == Kind::kUnknown; }
  std::int64_t value() const;  // only when IsConst()
  bool Is(std::int64_t value) const { return IsConst() && value_ == value; }

  // Replaces symbols; symbols that are not in the map stay.
  Dim Substitute(const std::map<std::string, Dim>& values) const;
  // Adds the names of all symbols in the expression.
  void CollectSymbols(std::vector<std::string>& names) const;
  std::string ToString() const;

  // The same expression. Unknown equals unknown here: use ProvablyEqual to draw conclusions.
  friend bool operator==(const Dim& a, const Dim& b);

  // Overflow gives unknown.
  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim FloorDiv(const Dim& a, const Dim& b);
  friend Dim CeilDiv(const Dim& a, const Dim& b);
  friend bool ProvablyEqual(const Dim& a, const Dim& b) { return !a.IsUnknown() && a == b; }
  // At least 0 whatever the sizes are: symbols are.
  friend bool ProvablyNonNegative(const Dim& dim);

 private:
  friend class DimParser;
  struct Atom;
  struct AtomLess {
    bool operator()(const std::shared_ptr<const Atom>& a,
                    const std::shared_ptr<const Atom>& b) const;
  };
  using Monomial = std::vector<std::shared_ptr<const Atom>>;  // sorted by text
  struct MonomialLess {
    bool operator()(const Monomial& a, const Monomial& b) const;
  };
  using Polynomial =
      std::map<Monomial, std::int64_t, MonomialLess>;  // monomial -> coefficient, never 0
  enum class Kind : std::uint8_t { kUnknown, kConst, kExpression };

  static Dim FromPolynomial(Polynomial polynomial);
  static Dim FromAtom(std::shared_ptr<const Atom> atom);
  Polynomial ToPolynomial() const;

  Kind kind_ = Kind::kUnknown;
  std::int64_t value_ = 0;
  std::shared_ptr<const Polynomial> polynomial_;
};

// "N" alone for one dimension; several: "[N, 3, 2*H]".
std::string ToString(const std::vector<Dim>& dims);

}  // namespace athanor
