#include "ops/catalog.h"

#include <algorithm>
#include <cctype>

#include "core/text.h"
#include "ops/catalog.inc"

namespace athanor::ops {

namespace {

Catalog& Own() {
  static Catalog catalog(AllOperators());
  return catalog;
}

}  // namespace

const Catalog& Standard() { return Own(); }

Status CheckCustomName(std::string_view name) {
  // Words between "::", two or more.
  constexpr std::string_view kBetween = "::";
  std::size_t words = 0;
  bool all_named = true;
  for (std::string_view rest = name;; ++words) {
    const std::size_t end = rest.find(kBetween);
    const std::string_view word = rest.substr(0, end);
    all_named =
        all_named && !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
          return std::isalnum(c) != 0 || c == '_' || c == '.';
        });
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + kBetween.size());
  }
  if (all_named && words > 0) return {};
  return Error(ErrorCode::kUsage,
               "{} is no name for an operator of a plug-in: DOMAIN::NAME is expected, of letters, "
               "digits, \"_\" and \".\", such as my::Roll",
               Quote(name));
}

void AddCustom(OpDef op, std::unique_ptr<const CustomOp> code) {
  Own().AddCustom(std::move(op), std::move(code));
}

}  // namespace athanor::ops
