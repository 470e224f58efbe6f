#include "ir/dim.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "core/checked.h"
#include "core/text.h"

namespace athanor {
namespace {

constexpr std::size_t kMaxSymbol = 200;
// A hostile file could build expressions without end.
constexpr std::size_t kMaxTerms = 64, kMaxDegree = 8;

bool IsWordChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
}

bool IsWord(std::string_view text) {
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text[0])) == 0 &&
         std::all_of(text.begin(), text.end(), IsWordChar);
}

// Whether `value / divisor` comes out even. The smallest integer has no quotient by -1: to the
// processor that is a division by zero.
bool IsEven(std::int64_t value, std::int64_t divisor) {
  if (divisor == -1) return value != std::numeric_limits<std::int64_t>::min();
  return value % divisor == 0;
}

}  // namespace

// A symbol, or floor(numerator / denominator) where the division does not come out even.
struct Dim::Atom {
  std::string text;    // canonical form; identifies the atom
  std::string symbol;  // its plain name; "" for a division
  Dim numerator;
  Dim denominator;
};

bool Dim::AtomLess::operator()(const std::shared_ptr<const Atom>& a,
                               const std::shared_ptr<const Atom>& b) const {
  return a->text < b->text;
}

bool Dim::MonomialLess::operator()(const Monomial& a, const Monomial& b) const {
  // Higher degree first, the constant term last: that is also the order of printing.
  if (a.size() != b.size()) return a.size() > b.size();
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), AtomLess{});
}

Dim::Dim(std::int64_t value) : kind_(Kind::kConst), value_(value) {}

Dim Dim::Symbol(std::string_view name) {
  if (name.empty() || name.size() > kMaxSymbol) return Unknown();
  // Names that would read as something else are kept in quotes.
  std::string text = IsWord(name) && name != "floor" ? std::string(name) : Quote(name);
  return FromAtom(std::make_shared<const Atom>(Atom{std::move(text), std::string(name), {}, {}}));
}

Dim Dim::FromAtom(std::shared_ptr<const Atom> atom) {
  return FromPolynomial({{{std::move(atom)}, 1}});
}

std::int64_t Dim::value() const {
  ATH_CHECK(IsConst(), "the caller has asked IsConst()");
  return value_;
}

Dim Dim::FromPolynomial(Polynomial polynomial) {
  std::erase_if(polynomial, [](const auto& term) { return term.second == 0; });
  if (polynomial.empty()) return 0;
  if (polynomial.size() == 1 && polynomial.begin()->first.empty())
    return polynomial.begin()->second;
  Dim dim;
  dim.kind_ = Kind::kExpression;
  dim.polynomial_ = std::make_shared<const Polynomial>(std::move(polynomial));
  return dim;
}

Dim::Polynomial Dim::ToPolynomial() const {
  if (kind_ == Kind::kExpression) return *polynomial_;
  return {{{}, value_}};
}

bool operator==(const Dim& a, const Dim& b) {
  if (a.kind_ != b.kind_) return false;
  if (a.kind_ == Dim::Kind::kUnknown) return true;
  if (a.kind_ == Dim::Kind::kConst) return a.value_ == b.value_;
  return a.polynomial_ == b.polynomial_ || a.ToString() == b.ToString();
}

bool ProvablyNonNegative(const Dim& dim) {
  if (dim.IsUnknown()) return false;
  for (const auto& [monomial, coefficient] : dim.ToPolynomial()) {
    if (coefficient < 0) return false;
    for (const auto& atom : monomial) {
      if (!atom->symbol.empty()) continue;
      if (!ProvablyNonNegative(atom->numerator) || !ProvablyNonNegative(atom->denominator))
        return false;
    }
  }
  return true;
}

Dim operator+(const Dim& a, const Dim& b) {
  if (a.IsUnknown() || b.IsUnknown()) return Dim::Unknown();
  Dim::Polynomial sum = a.ToPolynomial();
  for (const auto& [monomial, coefficient] : b.ToPolynomial()) {
    const auto total = CheckedAdd(sum[monomial], coefficient);
    if (!total || sum.size() > kMaxTerms) return Dim::Unknown();
    sum[monomial] = *total;
  }
  return Dim::FromPolynomial(std::move(sum));
}

Dim operator-(const Dim& a, const Dim& b) { return a + b * Dim(-1); }

Dim operator*(const Dim& a, const Dim& b) {
  if (a.IsUnknown() || b.IsUnknown()) return a.Is(0) || b.Is(0) ? Dim(0) : Dim::Unknown();
  Dim::Polynomial product;
  for (const auto& [ma, ca] : a.ToPolynomial()) {
    for (const auto& [mb, cb] : b.ToPolynomial()) {
      Dim::Monomial monomial = ma;
      monomial.insert(monomial.end(), mb.begin(), mb.end());
      std::sort(monomial.begin(), monomial.end(), Dim::AtomLess{});
      const auto coefficient = CheckedMul(ca, cb);
      if (!coefficient || monomial.size() > kMaxDegree || product.size() > kMaxTerms)
        return Dim::Unknown();
      const auto total = CheckedAdd(product[monomial], *coefficient);
      if (!total) return Dim::Unknown();
      product[monomial] = *total;
    }
  }
  return Dim::FromPolynomial(std::move(product));
}

Dim FloorDiv(const Dim& a, const Dim& b) {
  if (a.IsUnknown() || b.IsUnknown() || b.Is(0)) return Dim::Unknown();
  if (b.Is(1)) return a;
  if (a == b) return 1;
  if (b.Is(-1)) return a * b;
  if (a.IsConst() && b.IsConst()) {
    const std::int64_t quotient = a.value_ / b.value_;
    const bool inexact_negative = a.value_ % b.value_ != 0 && (a.value_ < 0) != (b.value_ < 0);
    return quotient - (inexact_negative ? 1 : 0);
  }
  // Divide out what comes out even: constants by coefficient, a single symbol by cancellation.
  Dim::Polynomial whole;
  Dim::Polynomial rest;
  const Dim::Polynomial divisor = b.ToPolynomial();
  if (divisor.size() == 1) {
    const auto& [atoms, factor] = *divisor.begin();
    for (const auto& [monomial, coefficient] : a.ToPolynomial()) {
      Dim::Monomial left = monomial;
      bool even = IsEven(coefficient, factor);
      for (const auto& atom : atoms) {
        const auto found = std::find_if(left.begin(), left.end(),
                                        [&](const auto& x) { return x->text == atom->text; });
        if (found == left.end()) {
          even = false;
        } else {
          left.erase(found);
        }
      }
      (even ? whole[left] : rest[monomial]) = even ? coefficient / factor : coefficient;
    }
  } else {
    rest = a.ToPolynomial();
  }
  const Dim quotient = Dim::FromPolynomial(std::move(whole));
  const Dim remainder = Dim::FromPolynomial(std::move(rest));
  if (remainder.Is(0)) return quotient;
  if (remainder.IsConst() && b.IsConst()) return quotient + FloorDiv(remainder, b);
  const std::string text = fmt::format("floor(({})/({}))", remainder.ToString(), b.ToString());
  if (text.size() > 512) return Dim::Unknown();
  return quotient +
         Dim::FromAtom(std::make_shared<const Dim::Atom>(Dim::Atom{text, "", remainder, b}));
}

Dim CeilDiv(const Dim& a, const Dim& b) { return FloorDiv(a + b - Dim(1), b); }

Dim Dim::Substitute(const std::map<std::string, Dim>& values) const {
  if (kind_ != Kind::kExpression) return *this;
  Dim sum = 0;
  for (const auto& [monomial, coefficient] : *polynomial_) {
    Dim product = coefficient;
    for (const auto& atom : monomial) {
      const auto found = atom->symbol.empty() ? values.end() : values.find(atom->symbol);
      if (found != values.end()) {
        product = product * found->second;
      } else if (!atom->symbol.empty()) {
        product = product * FromAtom(atom);
      } else {
        product = product * FloorDiv(atom->numerator.Substitute(values),
                                     atom->denominator.Substitute(values));
      }
    }
    sum = sum + product;
  }
  return sum;
}

void Dim::CollectSymbols(std::vector<std::string>& names) const {
  if (kind_ != Kind::kExpression) return;
  for (const auto& [monomial, coefficient] : *polynomial_) {
    for (const auto& atom : monomial) {
      if (atom->symbol.empty()) {
        atom->numerator.CollectSymbols(names);
        atom->denominator.CollectSymbols(names);
      } else if (std::find(names.begin(), names.end(), atom->symbol) == names.end()) {
        names.push_back(atom->symbol);
      }
    }
  }
}

std::string Dim::ToString() const {
  if (kind_ == Kind::kUnknown) return "?";
  if (kind_ == Kind::kConst) return std::to_string(value_);
  std::string text;
  for (const auto& [monomial, coefficient] : *polynomial_) {
    const bool negative = coefficient < 0;
    if (text.empty()) {
      if (negative) text = "-";
    } else {
      text += negative ? " - " : " + ";
    }
    const std::uint64_t magnitude = negative ? 0 - static_cast<std::uint64_t>(coefficient)
                                             : static_cast<std::uint64_t>(coefficient);
    if (monomial.empty() || magnitude != 1) text += std::to_string(magnitude);
    bool first = magnitude == 1;
    for (const auto& atom : monomial) {
      if (!first) text += "*";
      text += atom->text;
      first = false;
    }
  }
  return text;
}

std::string ToString(const std::vector<Dim>& dims) {
  std::string text = "[";
  for (const Dim& dim : dims) {
    if (text.size() > 1) text += ", ";
    text += dim.ToString();
  }
  return text + "]";
}

// Recursive descent over: sum := product (('+'|'-') product)*; product := factor ('*' factor)*;
// factor := number | symbol | '(' sum ')' | floor '(' sum '/' sum ')'.
class DimParser {
 public:
  explicit DimParser(std::string_view text) : text_(text) {}

  Result<Dim> Run() {
    if (Eat('?')) return Dim::Unknown();
    ATH_TRY(Dim dim, Sum(0));
    Skip();
    if (position_ != text_.size())
      return InvalidModel("dimension \"{}\" is not an expression", text_);
    return dim;
  }

 private:
  void Skip() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }
  bool Eat(char c) {
    Skip();
    if (position_ >= text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }
  Result<Dim> Sum(int depth) {
    const bool negative = Eat('-');
    ATH_TRY(Dim sum, Product(depth));
    if (negative) sum = sum * Dim(-1);
    for (;;) {
      if (Eat('+')) {
        ATH_TRY(const Dim term, Product(depth));
        sum = sum + term;
      } else if (Eat('-')) {
        ATH_TRY(const Dim term, Product(depth));
        sum = sum - term;
      } else {
        return sum;
      }
    }
  }
  Result<Dim> Product(int depth) {
    ATH_TRY(Dim product, Factor(depth));
    while (Eat('*')) {
      ATH_TRY(const Dim factor, Factor(depth));
      product = product * factor;
    }
    return product;
  }
  Result<Dim> Factor(int depth) {
    if (depth > 32) return InvalidModel("dimension \"{}\" is nested too deeply", text_);
    if (Eat('(')) {
      ATH_TRY(Dim inner, Sum(depth + 1));
      if (!Eat(')')) return InvalidModel("dimension \"{}\": missing ')'", text_);
      return inner;
    }
    const std::size_t begin = position_;
    if (begin < text_.size() && text_[begin] == '"') {
      const std::optional<std::string> name = Unquote(text_, position_);
      if (!name || name->empty() || name->size() > kMaxSymbol)
        return InvalidModel("dimension \"{}\": bad quotes", text_);
      return Dim::Symbol(*name);
    }
    while (position_ < text_.size() && IsWordChar(text_[position_])) ++position_;
    const std::string word(text_.substr(begin, position_ - begin));
    if (word.empty() || word.size() > kMaxSymbol)
      return InvalidModel("dimension \"{}\" is not an expression", text_);
    if (std::isdigit(static_cast<unsigned char>(word[0])) != 0) {
      std::int64_t value = 0;
      for (const char c : word) {
        const auto scaled = CheckedMul<std::int64_t>(value, 10);
        if (std::isdigit(static_cast<unsigned char>(c)) == 0 || !scaled)
          return InvalidModel("dimension \"{}\": bad number", text_);
        const auto next = CheckedAdd<std::int64_t>(*scaled, c - '0');
        if (!next) return InvalidModel("dimension \"{}\": number too large", text_);
        value = *next;
      }
      return Dim(value);
    }
    if (word == "floor" && Eat('(')) {
      ATH_TRY(const Dim numerator, Sum(depth + 1));
      if (!Eat('/')) return InvalidModel("dimension \"{}\": missing '/'", text_);
      ATH_TRY(const Dim denominator, Sum(depth + 1));
      if (!Eat(')')) return InvalidModel("dimension \"{}\": missing ')'", text_);
      return FloorDiv(numerator, denominator);
    }
    return Dim::Symbol(word);
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

Result<Dim> Dim::Parse(std::string_view text) { return DimParser(text).Run(); }

}  // namespace athanor
