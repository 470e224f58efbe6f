// Functions of text that tables need: letters, parts, patterns, numbers and moments as text. The
// empty string is a missing one and stays it.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "ops/broadcast.h"
#include "ops/tensor/move.h"
#include "ops/text/letter_case.h"
#include "ops/text/moment.h"

namespace athanor::ops {
namespace {

constexpr std::size_t kWidest = 4096;  // of a formatted number

Status ExpectText(const InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  if (ctx.InDType(0) == DType::kString) return {};
  return Error(ErrorCode::kUnsupportedType, "input 0: strings are expected, {} is given",
               ctx.In(0).ToString());
}

template <DType kOut>
Status InferFromText(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectText(ctx));
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = kOut;
  return {};
}

template <class F>
void MapText(RefCtx& ctx, F f) {
  const auto x = ctx.Data<std::string>(0);
  const auto y = ctx.OutData<std::string>(0);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = f(x[i]);
}

// ---- StringCase, StringTrim, StringLength

struct CaseAttrs {
  std::string to;
  template <class V>
  void Visit(V& v) {
    v("to", to, "upper or lower", kRequired);
  }
};

Status InferCase(InferCtx& ctx) {
  const std::string to = ctx.Attrs<CaseAttrs>().to;
  if (to != "upper" && to != "lower")
    return InvalidModel("to is \"{}\"; upper or lower is expected", to);
  return InferFromText<DType::kString>(ctx);
}

Status CaseReference(RefCtx& ctx) {
  const LetterCase to =
      ctx.Attrs<CaseAttrs>().to == "upper" ? LetterCase::kUpper : LetterCase::kLower;
  MapText(ctx, [to](const std::string& text) { return ChangeCase(text, to); });
  return {};
}

Status TrimReference(RefCtx& ctx) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  MapText(ctx, [&](const std::string& text) {
    const std::size_t from = text.find_first_not_of(kBlanks);
    if (from == std::string::npos) return std::string();
    return text.substr(from, text.find_last_not_of(kBlanks) + 1 - from);
  });
  return {};
}

bool StartsCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }

Status LengthReference(RefCtx& ctx) {
  const auto x = ctx.Data<std::string>(0);
  const auto y = ctx.OutData<std::int64_t>(0);
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = std::count_if(x[i].begin(), x[i].end(), StartsCharacter);
  return {};
}

// ---- Substring

Status InferSubstring(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectText(ctx));
  for (const std::size_t i : {1, 2}) {
    if (ctx.InDType(i) != DType::kF64)
      return Error(ErrorCode::kUnsupportedType, "input {}: f64 is expected, {} is given", i,
                   ctx.In(i).ToString());
  }
  ATH_TRY(ctx.out[0], BroadcastInputs(ctx, DType::kString, 0, 3));
  return {};
}

// Characters [start, start + length) of UTF-8 text; start counts from 1.
std::string Part(const std::string& text, double start, double length) {
  if (std::isnan(start) || std::isnan(length)) return "";
  const double first = std::floor(start) - 1, end = first + std::floor(length);
  double at = -1;
  std::string part;
  for (const char byte : text) {
    if (StartsCharacter(byte)) ++at;
    if (at >= first && at < end) part += byte;
  }
  return part;
}

Status SubstringReference(RefCtx& ctx) {
  const auto text = ctx.Data<std::string>(0);
  const auto start = ctx.Data<double>(1), length = ctx.Data<double>(2);
  const auto y = ctx.OutData<std::string>(0);
  const Dims* const inputs[] = {&ctx.In(0).dims(), &ctx.In(1).dims(), &ctx.In(2).dims()};
  std::size_t i = 0;
  for (BroadcastWalk walk(ctx.Out(0).dims(), inputs); !walk.done(); walk.Next()) {
    y[i++] = Part(text[static_cast<std::size_t>(walk.offset(0))],
                  start[static_cast<std::size_t>(walk.offset(1))],
                  length[static_cast<std::size_t>(walk.offset(2))]);
  }
  return {};
}

// ---- RegexReplace

struct ReplaceAttrs {
  std::string pattern, replacement;
  template <class V>
  void Visit(V& v) {
    v("pattern", pattern, "a regular expression in RE2 syntax", kRequired);
    v("replacement", replacement, "what stands in its place; \\1 to \\9 are the groups");
  }
};

Status InferReplace(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<ReplaceAttrs>();
  const RE2 regex(attrs.pattern, RE2::Quiet);
  if (!regex.ok())
    return InvalidModel("the pattern is not a regular expression: {}", regex.error());
  std::string problem;
  if (!regex.CheckRewriteString(attrs.replacement, &problem))
    return InvalidModel("the replacement does not fit the pattern: {}", problem);
  return InferFromText<DType::kString>(ctx);
}

Status ReplaceReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ReplaceAttrs>();
  const RE2 regex(attrs.pattern, RE2::Quiet);
  MapText(ctx, [&](std::string text) {
    RE2::GlobalReplace(&text, regex, attrs.replacement);
    return text;
  });
  return {};
}

// ---- StringJoin

struct JoinAttrs {
  std::string delimiter;
  template <class V>
  void Visit(V& v) {
    v("delimiter", delimiter, "what stands between two strings");
  }
};

Status InferJoin(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectText(ctx));
  ATH_RETURN_IF_ERROR(ctx.ExpectMinRank(0, 1));
  ctx.out[0] = ctx.In(0);
  if (ctx.out[0].shape) ctx.out[0].shape->back() = 1;
  return {};
}

Status JoinReference(RefCtx& ctx) {
  const std::string delimiter = ctx.Attrs<JoinAttrs>().delimiter;
  const auto x = ctx.Data<std::string>(0);
  const auto y = ctx.OutData<std::string>(0);
  const std::size_t width = y.empty() ? 0 : x.size() / y.size();
  for (std::size_t row = 0; row < y.size(); ++row) {
    for (const std::string& part : x.subspan(row * width, width)) {
      if (part.empty()) continue;
      if (!y[row].empty()) y[row] += delimiter;
      y[row] += part;
    }
  }
  return {};
}

// ---- FormatNumber

struct NumberAttrs {
  std::string pattern;
  template <class V>
  void Visit(V& v) {
    v("pattern", pattern,
      "one conversion of printf, such as %5.2f or %03d, among other text; empty: the shortest "
      "digits that give the number back");
  }
};

// The one conversion of a pattern, as fmt writes it, and the text around it.
struct Conversion {
  std::string before, after, format;
  bool integer = false;
};

Result<Conversion> ReadConversion(std::string_view pattern) {
  Conversion made;
  const auto literal = [&](std::string& to, std::size_t& i) {
    while (i < pattern.size()) {
      if (pattern[i] == '%' && (i + 1 == pattern.size() || pattern[i + 1] != '%')) return;
      if (pattern[i] == '%') ++i;
      to += pattern[i++];
    }
  };
  std::size_t i = 0;
  literal(made.before, i);
  if (i++ == pattern.size()) return InvalidModel("the pattern \"{}\" holds no conversion", pattern);
  std::string align, sign, zero, width, precision;
  for (; i < pattern.size() && std::string_view("-+ 0").find(pattern[i]) != std::string::npos;
       ++i) {
    if (pattern[i] == '-') align = "<";
    if (pattern[i] == '+') sign = "+";
    if (pattern[i] == ' ' && sign.empty()) sign = " ";
    if (pattern[i] == '0') zero = "0";
  }
  const auto digits = [&](std::string& to) {
    while (i < pattern.size() && pattern[i] >= '0' && pattern[i] <= '9') to += pattern[i++];
    return to.empty() || (to.size() <= 4 && std::stoul(to) <= kWidest);
  };
  bool good = digits(width);
  if (i < pattern.size() && pattern[i] == '.') {
    ++i;
    good &= digits(precision);
    precision = "." + (precision.empty() ? std::string("0") : precision);
  }
  while (i < pattern.size() && pattern[i] == 'l') ++i;
  const char letter = i < pattern.size() ? pattern[i++] : '\0';
  if (!good || std::string_view("dieEfFgGs").find(letter) == std::string_view::npos || letter == 0)
    return InvalidModel("the pattern \"{}\" is no conversion of a number", pattern);
  literal(made.after, i);
  if (i < pattern.size()) return InvalidModel("the pattern \"{}\" holds two conversions", pattern);
  made.integer = letter == 'd' || letter == 'i';
  if (made.integer) precision.clear();
  if (!align.empty()) zero.clear();
  if (align.empty() && zero.empty()) align = ">";
  std::string kind(1, letter);
  if (made.integer) kind = "d";
  if (letter == 's') kind.clear();
  made.format = "{:" + align + sign + zero + width + precision + kind + "}";
  return made;
}

std::string FormatWith(const Conversion& conversion, double value) {
  std::string text;
  if (conversion.integer && std::abs(value) < 0x1p62) {
    text = fmt::format(fmt::runtime(conversion.format),
                       static_cast<std::int64_t>(std::nearbyint(value)));
  } else {
    text = fmt::format(fmt::runtime(conversion.integer ? "{}" : conversion.format), value);
  }
  return conversion.before + text + conversion.after;
}

Status InferFormatted(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  if (ctx.InDType(0) != DType::kF64)
    return Error(ErrorCode::kUnsupportedType, "input 0: f64 is expected, {} is given",
                 ctx.In(0).ToString());
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = DType::kString;
  return {};
}

Status InferNumber(InferCtx& ctx) {
  const std::string pattern = ctx.Attrs<NumberAttrs>().pattern;
  if (!pattern.empty()) {
    const Result<Conversion> conversion = ReadConversion(pattern);
    if (!conversion.ok()) return conversion.status();
  }
  return InferFormatted(ctx);
}

Status NumberReference(RefCtx& ctx) {
  const std::string pattern = ctx.Attrs<NumberAttrs>().pattern;
  Conversion conversion = {.format = "{}"};
  if (!pattern.empty()) {
    ATH_TRY(conversion, ReadConversion(pattern));
  }
  const auto x = ctx.Data<double>(0);
  const auto y = ctx.OutData<std::string>(0);
  for (std::size_t i = 0; i < x.size(); ++i)
    y[i] = std::isnan(x[i]) ? std::string() : FormatWith(conversion, x[i]);
  return {};
}

// ---- FormatDateTime, ParseDateTime

struct MomentAttrs {
  std::string pattern;
  template <class V>
  void Visit(V& v) {
    v("pattern", pattern, "of strftime: %Y %y %m %d %e %j %H %I %M %S %p %A %a %B %b %F %T %%",
      kRequired);
  }
};

Status InferFormatMoment(InferCtx& ctx) {
  const std::string pattern = ctx.Attrs<MomentAttrs>().pattern;
  if (!IsMomentPattern(pattern))
    return InvalidModel("the pattern \"{}\" has a letter that is not known", pattern);
  return InferFormatted(ctx);
}

Status FormatMomentReference(RefCtx& ctx) {
  const std::string pattern = ctx.Attrs<MomentAttrs>().pattern;
  const auto x = ctx.Data<double>(0);
  const auto y = ctx.OutData<std::string>(0);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = FormatMoment(x[i], pattern);
  return {};
}

struct ParseAttrs {
  std::string kind = "dateTime";
  template <class V>
  void Visit(V& v) {
    v("kind", kind, "date, time or dateTime");
  }
};

Result<MomentKind> KindOf(const std::string& name) {
  if (name == "date") return MomentKind::kDate;
  if (name == "time") return MomentKind::kTime;
  if (name == "dateTime") return MomentKind::kDateTime;
  return InvalidModel("kind is \"{}\"; date, time or dateTime is expected", name);
}

Status InferParse(InferCtx& ctx) {
  const Result<MomentKind> kind = KindOf(ctx.Attrs<ParseAttrs>().kind);
  if (!kind.ok()) return kind.status();
  return InferFromText<DType::kF64>(ctx);
}

Status ParseReference(RefCtx& ctx) {
  ATH_TRY(const MomentKind kind, KindOf(ctx.Attrs<ParseAttrs>().kind));
  const auto x = ctx.Data<std::string>(0);
  const auto y = ctx.OutData<double>(0);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = ParseMoment(x[i], kind).value_or(std::nan(""));
  return {};
}

OpDef TextFunction(std::string name, std::string summary, std::string result,
                   std::vector<AttrSpec> attributes, Status (*infer)(InferCtx&),
                   Status (*reference)(RefCtx&)) {
  return {
      .name = std::move(name),
      .summary = std::move(summary),
      .inputs = {{"x", "strings"}},
      .outputs = {{"y", std::move(result)}},
      .attributes = std::move(attributes),
      .traits = kPure | kElementwise,
      .infer = infer,
      .reference = reference,
  };
}

}  // namespace

OpDef FormatDateTime() {
  OpDef op = TextFunction(
      "FormatDateTime", "Seconds since the start of 1970 as text, in UTC; missing where x is.",
      "strings, shape of x", Describe<MomentAttrs>(), InferFormatMoment, FormatMomentReference);
  op.inputs = {{"x", "f64"}};
  return op;
}

OpDef FormatNumber() {
  OpDef op =
      TextFunction("FormatNumber", "Numbers as text; an empty string where x is NaN.",
                   "strings, shape of x", Describe<NumberAttrs>(), InferNumber, NumberReference);
  op.inputs = {{"x", "f64"}};
  return op;
}

OpDef ParseDateTime() {
  return TextFunction("ParseDateTime",
                      "ISO 8601 text as seconds since the start of 1970, or of the day for a time; "
                      "NaN where the text is no such moment.",
                      "f64, shape of x", Describe<ParseAttrs>(), InferParse, ParseReference);
}

OpDef RegexReplace() {
  return TextFunction("RegexReplace", "Every match of a regular expression, replaced.",
                      "strings, shape of x", Describe<ReplaceAttrs>(), InferReplace,
                      ReplaceReference);
}

OpDef StringCase() {
  return TextFunction("StringCase", "All letters in upper or in lower case.", "strings, shape of x",
                      Describe<CaseAttrs>(), InferCase, CaseReference);
}

OpDef StringJoin() {
  OpDef op = TextFunction("StringJoin",
                          "The strings along the last axis, one after the other; empty ones are "
                          "left out.",
                          "strings; the last axis has length 1", Describe<JoinAttrs>(), InferJoin,
                          JoinReference);
  op.traits = kPure;
  return op;
}

OpDef StringLength() {
  return TextFunction("StringLength", "Number of characters (code points of UTF-8).",
                      "i64, shape of x", {}, InferFromText<DType::kI64>, LengthReference);
}

OpDef StringTrim() {
  return TextFunction("StringTrim", "Without white space at both ends.", "strings, shape of x", {},
                      InferFromText<DType::kString>, TrimReference);
}

OpDef Substring() {
  OpDef op = TextFunction("Substring",
                          "`length` characters of each string from the `start`-th on, with "
                          "broadcasting; what lies outside is left out.",
                          "strings, broadcast shape", {}, InferSubstring, SubstringReference);
  op.inputs = {{"x", "strings"}, {"start", "f64, from 1"}, {"length", "f64"}};
  return op;
}

}  // namespace athanor::ops
