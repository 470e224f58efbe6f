// The functions of <Apply>: the built-in ones of PMML 4.4, and those a document defines.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/text.h"
#include "frontends/pmml/expression.h"

namespace athanor::pmml {
namespace {

// A function that calls itself is written out so many times: a row that needs more gets a missing
// value. PMML allows no recursion; files have it.
constexpr int kMostCallsOfItself = 32;

using Arguments = std::vector<ValueId>;

// A function of numbers: missing where an argument is, unless it says otherwise.
struct NumberFunction {
  std::string_view name;
  int min_arguments, max_arguments;
  ValueId (*make)(Calculator& c, const Arguments& a);
};

template <ValueId (Calculator::*kTwo)(ValueId, ValueId)>
ValueId Fold(Calculator& c, const Arguments& a) {
  ValueId result = a[0];
  for (std::size_t i = 1; i < a.size(); ++i) result = (c.*kTwo)(result, a[i]);
  return result;
}

// The standard normal distribution.
ValueId NormalCdf(Calculator& c, ValueId z) {
  const ValueId erf = c.Op("Erf", {c.Mul(z, c.Constant(1 / std::numbers::sqrt2))});
  return c.Mul(c.Constant(0.5), c.Add(c.Constant(1), erf));
}
ValueId NormalPdf(Calculator& c, ValueId z) {
  const ValueId bell = c.Exp(c.Mul(c.Constant(-0.5), c.Mul(z, z)));
  return c.Mul(c.Constant(1 / std::sqrt(2 * std::numbers::pi)), bell);
}
// Its inverse: a start after Abramowitz and Stegun 26.2.22, then two of Halley's steps. Relative
// error below 1e-8 for p between 1e-10 and 1 - 1e-10.
ValueId NormalInverse(Calculator& c, ValueId p) {
  const auto k = [&](double value) { return c.Constant(value); };
  const ValueId half = k(0.5);
  const ValueId lower = c.Op("Less", {p, half});
  const ValueId tail = c.Where(lower, p, c.Sub(k(1), p));
  const ValueId t = c.Op("Sqrt", {c.Mul(k(-2), c.Op("Log", {tail}))});
  const ValueId above = c.Add(k(2.30753), c.Mul(k(0.27061), t));
  const ValueId below = c.Add(k(1), c.Mul(t, c.Add(k(0.99229), c.Mul(k(0.04481), t))));
  const ValueId start = c.Sub(t, c.Div(above, below));
  ValueId z = c.Where(lower, c.Neg(start), start);
  for (int step = 0; step < 2; ++step) {
    const ValueId off = c.Div(c.Sub(NormalCdf(c, z), p), NormalPdf(c, z));
    z = c.Sub(z, c.Div(off, c.Add(k(1), c.Mul(half, c.Mul(z, off)))));
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  z = c.Where(c.Op("Equal", {p, k(0)}), k(-kInfinity), z);
  return c.Where(c.Op("Equal", {p, k(1)}), k(kInfinity), z);
}
ValueId Standardized(Calculator& c, const Arguments& a) { return c.Div(c.Sub(a[0], a[1]), a[2]); }

// Over the arguments that are there: `neutral` stands for the others.
ValueId Aggregate(Calculator& c, const Arguments& a, std::string_view reduce, double neutral) {
  const ValueId all = c.SideBySide(a);
  const ValueId missing = c.IsMissing(all);
  const ValueId filled = c.Where(missing, c.Constant(neutral), all);
  const ValueId result = c.Op(reduce, {filled, c.Index(1)});
  const ValueId there = c.Sum(c.Sub(c.Constant(1), c.Number(missing)));
  return c.Where(c.Op("Equal", {there, c.Constant(0)}), c.Missing(), result);
}

ValueId Average(Calculator& c, const Arguments& a) {
  const ValueId missing = c.Number(c.IsMissing(c.SideBySide(a)));
  const ValueId there = c.Sum(c.Sub(c.Constant(1), missing));
  return c.Div(Aggregate(c, a, "ReduceSum", 0), there);
}

ValueId Modulo(Calculator& c, ValueId a, ValueId b) {
  return c.Sub(a, c.Mul(b, c.Op("Floor", {c.Div(a, b)})));
}

ValueId Power(Calculator& c, ValueId a, ValueId b) {
  const ValueId missing = c.Op("Or", {c.IsMissing(a), c.IsMissing(b)});
  return c.Where(missing, c.Missing(), c.Op("Pow", {a, b}));
}

// Both without the difference of two near numbers where x is small, which is all that their plain
// formulas lack.
ValueId ExpMinusOne(Calculator& c, ValueId x) {
  const ValueId half = c.Mul(x, c.Constant(0.5));
  const ValueId near = c.Mul(c.Mul(c.Constant(2), c.Op("Sinh", {half})), c.Exp(half));
  const ValueId is_near = c.Op("Less", {c.Op("Abs", {x}), c.Constant(1)});
  return c.Where(is_near, near, c.Sub(c.Exp(x), c.Constant(1)));
}
ValueId LogOfOnePlus(Calculator& c, ValueId x) {
  const ValueId ratio = c.Div(x, c.Add(x, c.Constant(2)));
  const ValueId near = c.Mul(c.Constant(2), c.Op("Atanh", {ratio}));
  const ValueId is_near = c.Op("Less", {c.Op("Abs", {x}), c.Constant(0.5)});
  return c.Where(is_near, near, c.Op("Log", {c.Add(c.Constant(1), x)}));
}

// Squares of the sides themselves may be too large or too small.
ValueId Hypotenuse(Calculator& c, ValueId a, ValueId b) {
  const ValueId size_a = c.Op("Abs", {a}), size_b = c.Op("Abs", {b});
  const ValueId large = c.Op("Max", {size_a, size_b});
  const ValueId ratio = c.Div(c.Op("Min", {size_a, size_b}), large);
  const ValueId length = c.Mul(large, c.Op("Sqrt", {c.Add(c.Constant(1), c.Mul(ratio, ratio))}));
  return c.Where(c.Op("Equal", {large, c.Constant(0)}), large, length);
}

constexpr double kDay = 86400;

// Names of operators that do what a function of one number does.
struct Direct {
  std::string_view name, op;
};
constexpr std::array kDirect = {
    Direct{"abs", "Abs"},     Direct{"acos", "Acos"}, Direct{"asin", "Asin"},
    Direct{"atan", "Atan"},   Direct{"ceil", "Ceil"}, Direct{"cos", "Cos"},
    Direct{"cosh", "Cosh"},   Direct{"exp", "Exp"},   Direct{"erf", "Erf"},
    Direct{"floor", "Floor"}, Direct{"ln", "Log"},    Direct{"rint", "Round"},
    Direct{"sin", "Sin"},     Direct{"sinh", "Sinh"}, Direct{"sqrt", "Sqrt"},
    Direct{"tan", "Tan"},     Direct{"tanh", "Tanh"},
};
constexpr std::array kOrders = {
    Direct{"greaterOrEqual", "GreaterOrEqual"},
    Direct{"greaterThan", "Greater"},
    Direct{"lessOrEqual", "LessOrEqual"},
    Direct{"lessThan", "Less"},
};

using C = Calculator;
using A = Arguments;
constexpr std::array kNumberFunctions = {
    NumberFunction{"*", 2, 2, Fold<&C::Mul>},
    NumberFunction{"+", 2, 2, Fold<&C::Add>},
    NumberFunction{"-", 2, 2, Fold<&C::Sub>},
    NumberFunction{"/", 2, 2, Fold<&C::Div>},
    NumberFunction{"and", 2, 1024, Fold<&C::And>},
    NumberFunction{"atan2", 2, 2,
                   [](C& c, const A& a) {
                     // The angle of (x, y) from atan(y / x) and the half plane.
                     const ValueId zero = c.Constant(0), pi = c.Constant(std::numbers::pi);
                     const ValueId angle = c.Op("Atan", {c.Div(a[0], a[1])});
                     const ValueId turn = c.Where(c.Op("Less", {a[0], zero}), c.Neg(pi), pi);
                     const ValueId left = c.Op("Less", {a[1], zero});
                     const ValueId here = c.Where(left, c.Add(angle, turn), angle);
                     const ValueId both =
                         c.Op("And", {c.Op("Equal", {a[0], zero}), c.Op("Equal", {a[1], zero})});
                     return c.Where(both, zero, here);
                   }},
    NumberFunction{"avg", 1, 4096, Average},
    NumberFunction{"dateDaysSinceYear", 2, 2,
                   [](C& c, const A& a) {
                     return c.Op("Floor", {c.Div(c.Sub(a[0], a[1]), c.Constant(kDay))});
                   }},
    NumberFunction{
        "dateSecondsSinceMidnight", 1, 1,
        [](C& c, const A& a) { return c.Op("Floor", {Modulo(c, a[0], c.Constant(kDay))}); }},
    NumberFunction{"dateSecondsSinceYear", 2, 2,
                   [](C& c, const A& a) { return c.Op("Floor", {c.Sub(a[0], a[1])}); }},
    NumberFunction{"expm1", 1, 1, [](C& c, const A& a) { return ExpMinusOne(c, a[0]); }},
    NumberFunction{"hypot", 2, 2, [](C& c, const A& a) { return Hypotenuse(c, a[0], a[1]); }},
    NumberFunction{"ln1p", 1, 1, [](C& c, const A& a) { return LogOfOnePlus(c, a[0]); }},
    NumberFunction{
        "log10", 1, 1,
        [](C& c, const A& a) { return c.Div(c.Op("Log", {a[0]}), c.Constant(std::log(10.0))); }},
    NumberFunction{"max", 1, 4096,
                   [](C& c, const A& a) {
                     return Aggregate(c, a, "ReduceMax", -std::numeric_limits<double>::infinity());
                   }},
    NumberFunction{"median", 1, 4096, [](C& c, const A& a) { return Median(c, a); }},
    NumberFunction{"min", 1, 4096,
                   [](C& c, const A& a) {
                     return Aggregate(c, a, "ReduceMin", std::numeric_limits<double>::infinity());
                   }},
    NumberFunction{"modulo", 2, 2, [](C& c, const A& a) { return Modulo(c, a[0], a[1]); }},
    NumberFunction{"normalCDF", 3, 3,
                   [](C& c, const A& a) { return NormalCdf(c, Standardized(c, a)); }},
    NumberFunction{
        "normalIDF", 3, 3,
        [](C& c, const A& a) { return c.Add(a[1], c.Mul(a[2], NormalInverse(c, a[0]))); }},
    NumberFunction{"normalPDF", 3, 3,
                   [](C& c, const A& a) { return c.Div(NormalPdf(c, Standardized(c, a)), a[2]); }},
    NumberFunction{"not", 1, 1, [](C& c, const A& a) { return c.Not(a[0]); }},
    NumberFunction{"or", 2, 1024, Fold<&C::Or>},
    NumberFunction{"pow", 2, 2, [](C& c, const A& a) { return Power(c, a[0], a[1]); }},
    NumberFunction{"product", 1, 4096,
                   [](C& c, const A& a) { return Aggregate(c, a, "ReduceProd", 1); }},
    NumberFunction{"round", 1, 1, [](C& c, const A& a) { return c.Round(a[0]); }},
    NumberFunction{"stdNormalCDF", 1, 1, [](C& c, const A& a) { return NormalCdf(c, a[0]); }},
    NumberFunction{"stdNormalIDF", 1, 1, [](C& c, const A& a) { return NormalInverse(c, a[0]); }},
    NumberFunction{"stdNormalPDF", 1, 1, [](C& c, const A& a) { return NormalPdf(c, a[0]); }},
    NumberFunction{"sum", 1, 4096,
                   [](C& c, const A& a) { return Aggregate(c, a, "ReduceSum", 0); }},
    NumberFunction{"threshold", 2, 2,
                   [](C& c, const A& a) { return c.Compare("Greater", a[0], a[1]); }},
};

// ---- functions of any fields

struct Call {
  Document& document;
  const Element& apply;
  std::vector<Field> arguments;

  Calculator& calculator() const { return document.calculator; }
  // The text of an argument that is the same in every row.
  Result<std::string> ConstantText(std::size_t index) const {
    const Field& field = arguments[index];
    if (field.text && field.strings == kNoValue && field.categories.size() == 1)
      return field.categories.list()[0];
    return Unsupported("argument {} of function {} must be a constant", index + 1,
                       Quote(Text(apply, "function")));
  }
};

struct FieldFunction {
  std::string_view name;
  int min_arguments, max_arguments;
  Result<Field> (*make)(Call& call);
};

// Text is compared by code, where both sides have one.
ValueId SameValue(Calculator& c, Field a, Field b) {
  if (a.text != b.text) {
    // A number as text, or text that reads as a number.
    Field& text = a.text ? a : b;
    Field& number = a.text ? b : a;
    if (text.strings == kNoValue && !text.truth()) {
      text = *ConvertTo(c, text, "double");
    } else if (!text.truth()) {
      number = FieldOfStrings(c, StringsOf(c, number), text.categories.list());
    }
  } else if (a.text) {
    const bool open = a.strings != kNoValue && b.strings != kNoValue;
    if (open) {
      const ValueId same = c.Number(c.Op("Equal", {a.strings, b.strings}));
      const ValueId missing = c.Op("Or", {c.IsMissing(a.column), c.IsMissing(b.column)});
      return c.Where(missing, c.Missing(), same);
    }
    if (a.strings != kNoValue) a = Recode(c, a, b.categories);
    if (b.strings != kNoValue) b = Recode(c, b, a.categories);
    Unify(c, a, b);
  }
  return c.Compare("Equal", a.column, b.column);
}

Result<Field> IsIn(Call& call) {
  Calculator& c = call.calculator();
  ValueId any = c.Constant(0);
  for (std::size_t i = 1; i < call.arguments.size(); ++i)
    any = c.Or(any, SameValue(c, call.arguments[0], call.arguments[i]));
  return Field{.column = any};
}

// One of two fields, row by row.
Field Choose(Calculator& c, ValueId truth, Field yes, Field no) {
  if (yes.text != no.text) {
    for (Field* field : {&yes, &no}) {
      if (!field->text) *field = FieldOfStrings(c, StringsOf(c, *field), {});
    }
  }
  Field chosen = yes;
  if (yes.text && (yes.strings != kNoValue || no.strings != kNoValue))
    chosen.strings = c.Where(truth, StringsOf(c, yes), StringsOf(c, no));
  Unify(c, yes, no);
  chosen.categories = yes.categories;
  chosen.column = c.Where(truth, yes.column, no.column);
  return chosen;
}

Result<Field> If(Call& call) {
  Calculator& c = call.calculator();
  const ValueId condition = call.arguments[0].column;
  Field yes = call.arguments[1];
  Field no = call.arguments.size() > 2 ? call.arguments[2] : yes;
  if (call.arguments.size() == 2) no.column = c.Missing(), no.strings = kNoValue;
  Field chosen = Choose(c, c.IsTrue(condition), std::move(yes), std::move(no));
  const ValueId unknown = c.IsMissing(condition);
  chosen.column = c.Where(unknown, c.Missing(), chosen.column);
  if (chosen.strings != kNoValue) chosen.strings = c.Where(unknown, c.Text(""), chosen.strings);
  return chosen;
}

Field OpenText(Calculator& c, ValueId strings) { return FieldOfStrings(c, c.Column(strings), {}); }

// A function of one string.
template <const char* kOp>
Result<Field> MapStrings(Call& call) {
  Calculator& c = call.calculator();
  AttrMap attributes;
  const std::string_view name = Text(call.apply, "function");
  if (name == "uppercase") attributes.Set("to", std::string("upper"));
  if (name == "lowercase") attributes.Set("to", std::string("lower"));
  return OpenText(c, c.Op(kOp, {StringsOf(c, call.arguments[0])}, std::move(attributes)));
}
constexpr char kCase[] = "StringCase";
constexpr char kTrim[] = "StringTrim";

Result<Field> Concatenate(Call& call) {
  Calculator& c = call.calculator();
  ValueId text = StringsOf(c, call.arguments[0]);
  for (std::size_t i = 1; i < call.arguments.size(); ++i)
    text = c.Op("StringConcat", {text, StringsOf(c, call.arguments[i])});
  return OpenText(c, text);
}

Result<Field> SubstringOf(Call& call) {
  Calculator& c = call.calculator();
  if (call.arguments[1].text || call.arguments[2].text)
    return InvalidModel("substring takes a text and two numbers");
  return OpenText(c, c.Op("Substring", {StringsOf(c, call.arguments[0]), call.arguments[1].column,
                                        call.arguments[2].column}));
}

Result<Field> FormatANumber(Call& call) {
  Calculator& c = call.calculator();
  std::string pattern;
  if (call.arguments[1].text) {
    ATH_TRY(pattern, call.ConstantText(1));
  } else if (const Tensor* width = c.graph().Constant(call.arguments[1].column)) {
    // SAS gives a width: BEST12.
    const double digits = width->count() == 1 ? width->Data<double>()[0] : 0;
    if (!(digits >= 1 && digits <= 32)) return InvalidModel("formatNumber to {} digits", digits);
    pattern = fmt::format("%{}s", digits);
  } else {
    return Unsupported("the pattern of formatNumber must be a constant");
  }
  if (call.arguments[0].text) return InvalidModel("formatNumber takes a number");
  return OpenText(c, c.Op("FormatNumber", {call.arguments[0].column}, {{"pattern", pattern}}));
}

Result<Field> FormatAMoment(Call& call) {
  Calculator& c = call.calculator();
  ATH_TRY(const std::string pattern, call.ConstantText(1));
  if (call.arguments[0].text) return InvalidModel("formatDatetime takes a date or a time");
  return OpenText(c, c.Op("FormatDateTime", {call.arguments[0].column}, {{"pattern", pattern}}));
}

Result<Field> Matches(Call& call) {
  Calculator& c = call.calculator();
  ATH_TRY(const std::string pattern, call.ConstantText(1));
  const ValueId found = c.Op("RegexFullMatch", {StringsOf(c, call.arguments[0])},
                             {{"pattern", "(?s:.*)(?:" + pattern + ")(?s:.*)"}});
  return Field{.column =
                   c.Where(c.IsMissing(call.arguments[0].column), c.Missing(), c.Number(found))};
}

Result<Field> Replace(Call& call) {
  Calculator& c = call.calculator();
  ATH_TRY(const std::string pattern, call.ConstantText(1));
  ATH_TRY(const std::string written, call.ConstantText(2));
  // $1 is a group there, \1 here.
  std::string replacement;
  for (const char letter : written) {
    if (letter == '\\') replacement += '\\';
    replacement += letter == '$' ? '\\' : letter;
  }
  return OpenText(c, c.Op("RegexReplace", {StringsOf(c, call.arguments[0])},
                          {{"pattern", pattern}, {"replacement", replacement}}));
}

Result<Field> LengthOf(Call& call) {
  Calculator& c = call.calculator();
  const ValueId length = c.Number(c.Op("StringLength", {StringsOf(c, call.arguments[0])}));
  return Field{.column = c.Where(c.IsMissing(call.arguments[0].column), c.Missing(), length)};
}

constexpr std::array kFieldFunctions = {
    FieldFunction{"concat", 1, 1024, Concatenate},
    FieldFunction{"equal", 2, 2,
                  [](Call& call) -> Result<Field> {
                    return Field{.column = SameValue(call.calculator(), call.arguments[0],
                                                     call.arguments[1])};
                  }},
    FieldFunction{"formatDatetime", 2, 2, FormatAMoment},
    FieldFunction{"formatNumber", 2, 2, FormatANumber},
    FieldFunction{"if", 2, 3, If},
    FieldFunction{"isIn", 2, 4096, IsIn},
    FieldFunction{"isMissing", 1, 1,
                  [](Call& call) -> Result<Field> {
                    Calculator& c = call.calculator();
                    return Field{.column = c.Number(c.IsMissing(call.arguments[0].column))};
                  }},
    FieldFunction{"isNotIn", 2, 4096,
                  [](Call& call) -> Result<Field> {
                    ATH_TRY(const Field in, IsIn(call));
                    return Field{.column = call.calculator().Not(in.column)};
                  }},
    FieldFunction{"isNotMissing", 1, 1,
                  [](Call& call) -> Result<Field> {
                    Calculator& c = call.calculator();
                    return Field{.column = c.Not(c.Number(c.IsMissing(call.arguments[0].column)))};
                  }},
    FieldFunction{"isNotValid", 1, 1,
                  [](Call& call) -> Result<Field> {
                    Calculator& c = call.calculator();
                    return Field{.column = c.Number(c.IsMissing(call.arguments[0].column))};
                  }},
    FieldFunction{"isValid", 1, 1,
                  [](Call& call) -> Result<Field> {
                    Calculator& c = call.calculator();
                    return Field{.column = c.Not(c.Number(c.IsMissing(call.arguments[0].column)))};
                  }},
    FieldFunction{"lowercase", 1, 1, MapStrings<kCase>},
    FieldFunction{"matches", 2, 2, Matches},
    FieldFunction{"notEqual", 2, 2,
                  [](Call& call) -> Result<Field> {
                    Calculator& c = call.calculator();
                    const ValueId same = SameValue(c, call.arguments[0], call.arguments[1]);
                    return Field{.column = c.Not(same)};
                  }},
    FieldFunction{"replace", 3, 3, Replace},
    FieldFunction{"stringLength", 1, 1, LengthOf},
    FieldFunction{"substring", 3, 3, SubstringOf},
    FieldFunction{"trimBlanks", 1, 1, MapStrings<kTrim>},
    FieldFunction{"uppercase", 1, 1, MapStrings<kCase>},
};

Status CheckCount(std::string_view name, std::size_t given, int least, int most) {
  const auto count = static_cast<int>(given);
  if (count >= least && count <= most) return {};
  return InvalidModel("function {} has {} arguments", Quote(name), count);
}

// The numbers that the year of a date function stands for.
Result<Arguments> NumberArguments(Call& call, std::string_view name) {
  Calculator& c = call.calculator();
  Arguments columns;
  for (const Field& field : call.arguments) {
    if (field.text && !field.truth())
      return InvalidModel("function {} takes numbers, not text", Quote(name));
    columns.push_back(field.column);
  }
  if (!name.ends_with("SinceYear") || columns.size() != 2) return columns;
  const Tensor* year = c.graph().Constant(columns[1]);
  if (year == nullptr || year->count() != 1 || year->dtype() != DType::kF64)
    return Unsupported("the year of function {} must be a constant", Quote(name));
  const double value = year->Data<double>()[0];
  if (!(value >= 0 && value <= 9999))
    return InvalidModel("year {} is not between 0 and 9999", value);
  columns[1] = c.Constant(ops::StartOfYear(static_cast<std::int64_t>(value)));
  return columns;
}

std::vector<std::string> KnownFunctions(const Document& document) {
  std::vector<std::string> names;
  for (const NumberFunction& function : kNumberFunctions) names.emplace_back(function.name);
  for (const FieldFunction& function : kFieldFunctions) names.emplace_back(function.name);
  for (const Direct& function : kDirect) names.emplace_back(function.name);
  for (const Direct& function : kOrders) names.emplace_back(function.name);
  for (const auto& [name, element] : document.functions) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

// A function of the document: its body, in a scope that holds the arguments.
Result<Field> CallDefined(Call& call, const Element& function, const Scope& scope, int depth) {
  Document& document = call.document;
  const std::string name(Text(function, "name"));
  int& running = document.running[name];
  if (running >= kMostCallsOfItself) return Field{.column = document.calculator.Missing()};
  Scope inner = scope.Inner();
  std::size_t index = 0;
  for (const Element& parameter : function.children("ParameterField")) {
    if (index == call.arguments.size()) return InvalidModel("an argument is missing");
    inner.Set(Text(parameter, "name"), call.arguments[index++]);
  }
  if (index != call.arguments.size())
    return InvalidModel("function {} has {} arguments, {} are given", Quote(name), index,
                        call.arguments.size());
  DefineFields(document, function, inner);
  ATH_TRY(const Element body, ExpressionIn(function));
  ++running;
  Result<Field> field = Evaluate(document, inner, body, depth + 1);
  --document.running[name];
  if (!field.ok())
    return std::move(field).status().In(fmt::format("<DefineFunction> {}", Quote(name)));
  return ConvertTo(document.calculator, *std::move(field), Text(function, "dataType"));
}

Result<Field> CallByName(Call& call, const Scope& scope, int depth) {
  const std::string_view name = Text(call.apply, "function");
  Calculator& c = call.calculator();
  const std::size_t count = call.arguments.size();
  const auto defined = call.document.functions.find(name);
  if (defined != call.document.functions.end())
    return CallDefined(call, defined->second, scope, depth);
  for (const FieldFunction& function : kFieldFunctions) {
    if (function.name != name) continue;
    ATH_RETURN_IF_ERROR(CheckCount(name, count, function.min_arguments, function.max_arguments));
    return function.make(call);
  }
  const auto numbers = [&](int least, int most) -> Result<Arguments> {
    ATH_RETURN_IF_ERROR(CheckCount(name, count, least, most));
    return NumberArguments(call, name);
  };
  for (const NumberFunction& function : kNumberFunctions) {
    if (function.name != name) continue;
    ATH_TRY(const Arguments given, numbers(function.min_arguments, function.max_arguments));
    return Field{.column = function.make(c, given)};
  }
  for (const Direct& function : kDirect) {
    if (function.name != name) continue;
    ATH_TRY(const Arguments given, numbers(1, 1));
    return Field{.column = c.Op(function.op, given)};
  }
  for (const Direct& function : kOrders) {
    if (function.name != name) continue;
    ATH_TRY(const Arguments given, numbers(2, 2));
    return Field{.column = c.Compare(function.op, given[0], given[1])};
  }
  const std::vector<std::string> known = KnownFunctions(call.document);
  return Unsupported("function {} is not known{}; {} are", Quote(name), DidYouMean(name, known),
                     Join(known, ", "));
}

}  // namespace

Result<Field> Apply(Document& document, const Scope& scope, const Element& apply, int depth) {
  Calculator& c = document.calculator;
  Call call = {document, apply, {}};
  for (const Element& child : apply.children()) {
    if (!IsContent(child)) continue;
    ATH_TRY(Field field, Evaluate(document, scope, child, depth + 1));
    call.arguments.push_back(std::move(field));
  }
  ATH_TRY(Field result, CallByName(call, scope, depth));
  ATH_RETURN_IF_ERROR(c.status());
  // A value in place of missing arguments, and one in place of a missing result.
  const auto replace = [&](const char* attribute, ValueId where) -> Status {
    Field value = ConstantText(c, apply.attribute(attribute).value());
    if (!result.text) {
      ATH_TRY(const double number, ValueIn(result, apply.attribute(attribute).value()));
      value = {.column = c.Constant(number), .moment = result.moment};
    }
    result = Choose(c, where, value, result);
    return {};
  };
  if (apply.attribute("defaultValue"))
    ATH_RETURN_IF_ERROR(replace("defaultValue", c.IsMissing(result.column)));
  if (apply.attribute("mapMissingTo") && !call.arguments.empty()) {
    ValueId missing = c.IsMissing(call.arguments[0].column);
    for (std::size_t i = 1; i < call.arguments.size(); ++i)
      missing = c.Op("Or", {missing, c.IsMissing(call.arguments[i].column)});
    ATH_RETURN_IF_ERROR(replace("mapMissingTo", missing));
  }
  return result;
}

ValueId Median(Calculator& c, const Arguments& a) {
  const ValueId all = c.SideBySide(a);
  const ValueId missing = c.IsMissing(all);
  const ValueId there = c.Sum(c.Sub(c.Constant(1), c.Number(missing)));
  const ValueId filled = c.Where(missing, c.Constant(std::numeric_limits<double>::infinity()), all);
  // TopK's values: all of them, smallest first.
  if (!c.status().ok()) return kNoValue;
  Result<NodeId> sorted =
      c.graph().AddNode({.op = "TopK",
                         .inputs = {filled, c.Index(static_cast<std::int64_t>(a.size()))},
                         .attributes = {{"largest", std::int64_t{0}}, {"axis", std::int64_t{1}}},
                         .num_outputs = 2});
  if (!sorted.ok()) return c.Missing();
  const ValueId values = c.graph().node(*sorted).outputs[0];
  const auto at = [&](double offset) {
    const ValueId half = c.Op("Floor", {c.Mul(c.Add(there, c.Constant(offset)), c.Constant(0.5))});
    const ValueId position =
        c.Op("Cast", {c.Op("Max", {half, c.Constant(0)})}, {{"to", DType::kI64}});
    return c.Op("GatherElements", {values, position}, {{"axis", std::int64_t{1}}});
  };
  const ValueId middle = c.Mul(c.Constant(0.5), c.Add(at(-1), at(0)));
  return c.Where(c.Op("Equal", {there, c.Constant(0)}), c.Missing(), middle);
}

Status AddFunctions(Document& document, const Element& holder) {
  for (const Element& function : holder.children("DefineFunction")) {
    const std::string_view name = Text(function, "name");
    if (!document.functions.emplace(std::string(name), function).second)
      return InvalidModel("function {} is defined twice", Quote(name));
  }
  return {};
}

}  // namespace athanor::pmml
