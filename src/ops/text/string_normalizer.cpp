#include <algorithm>
#include <unordered_set>

#include "ops/tensor/move.h"
#include "ops/text/letter_case.h"

namespace athanor::ops {
namespace {

struct NormalizerAttrs {
  std::string case_change_action = "NONE";
  bool is_case_sensitive = false;
  std::string locale;
  std::vector<std::string> stopwords;
  template <class V>
  void Visit(V& v) {
    v("case_change_action", case_change_action, "LOWER, UPPER or NONE");
    v("is_case_sensitive", is_case_sensitive, "1: a stop word must match letter by letter");
    v("locale", locale,
      "not consulted: letters change case by the Unicode rules that hold in every locale");
    v("stopwords", stopwords, "strings that are left out");
  }
};

Status InferStringNormalizer(InferCtx& ctx) {
  ATH_RETURN_IF_ERROR(ExpectTensors(ctx));
  const Type& x = ctx.In(0);
  if (x.dtype != DType::kString)
    return Error(ErrorCode::kUnsupportedType, "strings are expected, {} is given", x.ToString());
  const auto attrs = ctx.Attrs<NormalizerAttrs>();
  const std::string& action = attrs.case_change_action;
  if (action != "LOWER" && action != "UPPER" && action != "NONE")
    return InvalidModel("case_change_action \"{}\": LOWER, UPPER or NONE is expected", action);
  ctx.out[0] = Type::TensorOfUnknownRank(DType::kString);
  if (!x.HasRank()) return {};
  if (x.rank() == 1) {
    ctx.out[0].shape = athanor::Shape{Dim()};
  } else if (x.rank() == 2 && (x.dim(0).Is(1) || !x.dim(0).IsConst())) {
    ctx.out[0].shape = athanor::Shape{Dim(1), Dim()};
  } else {
    return InvalidModel("string[C] or string[1, C] is expected, {} is given", x.ToString());
  }
  return {};
}

Status StringNormalizerReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<NormalizerAttrs>();
  const auto key = [&](const std::string& text) {
    return attrs.is_case_sensitive ? text : ChangeCase(text, LetterCase::kLower);
  };
  std::unordered_set<std::string> stop;
  for (const std::string& word : attrs.stopwords) stop.insert(key(word));
  std::vector<std::string> kept;
  for (const std::string& text : ctx.Data<std::string>(0)) {
    if (stop.count(key(text)) != 0) continue;
    if (attrs.case_change_action == "NONE") {
      kept.push_back(text);
    } else {
      const bool lower = attrs.case_change_action == "LOWER";
      kept.push_back(ChangeCase(text, lower ? LetterCase::kLower : LetterCase::kUpper));
    }
  }
  // When nothing is left the result is one empty string.
  if (kept.empty()) kept.emplace_back();
  Dims dims = {static_cast<std::int64_t>(kept.size())};
  if (ctx.In(0).rank() == 2) dims.insert(dims.begin(), 1);
  ctx.out[0] = Tensor::FromVector<std::string>(dims, kept);
  return {};
}

}  // namespace

OpDef StringNormalizer() {
  return {
      .name = "StringNormalizer",
      .summary = "Leaves stop words out and changes letters to upper or lower case.",
      .inputs = {{"x", "strings, [C] or [1, C]"}},
      .outputs = {{"y", "what is left; one empty string when nothing is"}},
      .attributes = Describe<NormalizerAttrs>(),
      .traits = kPure | kDataDependent,
      .infer = InferStringNormalizer,
      .reference = StringNormalizerReference,
  };
}

}  // namespace athanor::ops
