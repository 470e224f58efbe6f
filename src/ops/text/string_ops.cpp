// StringConcat, RegexFullMatch and StringSplit: element-wise on strings.
#include <re2/re2.h>

#include <algorithm>

#include "ops/broadcast.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

Status ExpectStrings(const InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (ctx.Has(i) && ctx.InDType(i) != DType::kString)
      return Error(ErrorCode::kUnsupportedType, "input {}: strings are expected, {} is given", i,
                   ctx.In(i).ToString());
  }
  return {};
}

Status InferConcat(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectStrings(ctx));
  ATH_TRY(ctx.out[0], BroadcastInputs(ctx, DType::kString, 0, 2));
  return {};
}

Status ConcatReference(RefCtx& ctx) {
  const auto a = ctx.Data<std::string>(0), b = ctx.Data<std::string>(1);
  const auto y = ctx.OutData<std::string>(0);
  const Dims* const inputs[] = {&ctx.In(0).dims(), &ctx.In(1).dims()};
  std::size_t i = 0;
  for (BroadcastWalk walk(ctx.Out(0).dims(), inputs); !walk.done(); walk.Next()) {
    y[i++] =
        a[static_cast<std::size_t>(walk.offset(0))] + b[static_cast<std::size_t>(walk.offset(1))];
  }
  return {};
}

struct RegexAttrs {
  std::string pattern;
  template <class V>
  void Visit(V& v) {
    v("pattern", pattern, "a regular expression in RE2 syntax", kRequired);
  }
};

RE2::Options QuietOptions() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

Status InferRegex(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectStrings(ctx));
  const RE2 regex(ctx.Attrs<RegexAttrs>().pattern, QuietOptions());
  if (!regex.ok())
    return InvalidModel("the pattern is not a regular expression: {}", regex.error());
  ctx.out[0] = ctx.In(0);
  ctx.out[0].dtype = DType::kBool;
  return {};
}

Status RegexReference(RefCtx& ctx) {
  const RE2 regex(ctx.Attrs<RegexAttrs>().pattern, QuietOptions());
  const auto x = ctx.Data<std::string>(0);
  const auto y = ctx.OutData<bool>(0);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = RE2::FullMatch(x[i], regex);
  return {};
}

struct SplitAttrs {
  std::string delimiter;
  std::optional<std::int64_t> maxsplit;
  template <class V>
  void Visit(V& v) {
    v("delimiter", delimiter, "what separates; runs of white space when empty");
    v("maxsplit", maxsplit, "at most so many cuts; unlimited when absent");
  }
};

Status InferSplit(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectStrings(ctx));
  const auto maxsplit = ctx.Attrs<SplitAttrs>().maxsplit;
  if (maxsplit && *maxsplit < 0) return InvalidModel("maxsplit is {}", *maxsplit);
  ctx.out[0] = ctx.In(0);
  if (ctx.out[0].shape) ctx.out[0].shape->emplace_back();
  if (ctx.num_outputs() > 1) {
    ctx.out[1] = ctx.In(0);
    ctx.out[1].dtype = DType::kI64;
  }
  return {};
}

constexpr std::string_view kSpace = " \t\n\r\f\v";

// As Python's str.split.
std::vector<std::string> SplitText(std::string_view text, const SplitAttrs& attrs) {
  std::vector<std::string> parts;
  const bool space = attrs.delimiter.empty();
  const auto cuts = static_cast<std::uint64_t>(attrs.maxsplit.value_or(INT64_MAX));
  if (space) text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  while (!space || !text.empty()) {
    const std::size_t end = parts.size() == cuts ? std::string_view::npos
                            : space              ? text.find_first_of(kSpace)
                                                 : text.find(attrs.delimiter);
    if (end == std::string_view::npos) {
      // The rest; after the last cut it keeps its inner, not its trailing white space.
      if (space) text = text.substr(0, text.find_last_not_of(kSpace) + 1);
      parts.emplace_back(text);
      break;
    }
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end + (space ? 0 : attrs.delimiter.size()));
    if (space) text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  }
  return parts;
}

Status SplitReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<SplitAttrs>();
  const Tensor& x = ctx.In(0);
  std::vector<std::vector<std::string>> all;
  std::size_t longest = 0;
  for (const std::string& text : x.Data<std::string>()) {
    all.push_back(SplitText(text, attrs));
    longest = std::max(longest, all.back().size());
  }
  Dims dims = x.dims();
  dims.push_back(static_cast<std::int64_t>(longest));
  ATH_RETURN_IF_ERROR(ctx.Allocate(0, DType::kString, std::move(dims)));
  const auto y = ctx.OutData<std::string>(0);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t k = 0; k < all[i].size(); ++k) y[i * longest + k] = std::move(all[i][k]);
    if (ctx.num_outputs() > 1)
      ctx.OutData<std::int64_t>(1)[i] = static_cast<std::int64_t>(all[i].size());
  }
  return {};
}

}  // namespace

OpDef RegexFullMatch() {
  return {
      .name = "RegexFullMatch",
      .summary = "Whether a regular expression matches the whole string, elementwise.",
      .inputs = {{"x", "strings"}},
      .outputs = {{"y", "bool, shape of x"}},
      .attributes = Describe<RegexAttrs>(),
      .traits = kPure | kElementwise,
      .infer = InferRegex,
      .reference = RegexReference,
  };
}

OpDef StringConcat() {
  return {
      .name = "StringConcat",
      .summary = "Each string of a followed by that of b, with broadcasting.",
      .inputs = {{"a", "strings"}, {"b", "strings"}},
      .outputs = {{"y", "strings, broadcast shape"}},
      .traits = kPure | kElementwise,
      .infer = InferConcat,
      .reference = ConcatReference,
  };
}

OpDef StringSplit() {
  return {
      .name = "StringSplit",
      .summary = "Cuts each string at a delimiter; the parts lie along a new last axis.",
      .inputs = {{"x", "strings"}},
      .outputs = {{"y", "the parts, filled up with empty strings"},
                  {"z", "i64: the number of parts of each string", kOptionalPort}},
      .attributes = Describe<SplitAttrs>(),
      .traits = kPure | kDataDependent,
      .infer = InferSplit,
      .reference = SplitReference,
  };
}

}  // namespace athanor::ops
