#include "frontends/onnx/forms.h"

#include <algorithm>

namespace athanor::onnx {
namespace {

constexpr Form kForms[] = {
#include "frontends/onnx/forms.inc"
};

}  // namespace

std::span<const Form> FormsOf(std::string_view op) {
  const auto range = std::equal_range(std::begin(kForms), std::end(kForms), Form{.op = op},
                                      [](const Form& a, const Form& b) { return a.op < b.op; });
  return {range.first, range.second};
}

const Form* FindForm(std::string_view op, std::int64_t opset) {
  const Form* best = nullptr;
  for (const Form& form : FormsOf(op)) {
    if (form.since <= opset) best = &form;
  }
  return best;
}

bool HasAttribute(const Form& form, std::string_view name, bool* other_default) {
  std::string_view rest = form.attributes;
  while (!rest.empty()) {
    std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    const bool starred = word.back() == '*';
    if (starred) word.remove_suffix(1);
    if (word != name) continue;
    if (other_default != nullptr) *other_default = starred;
    return true;
  }
  return false;
}

}  // namespace athanor::onnx
