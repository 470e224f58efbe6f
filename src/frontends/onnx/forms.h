// How each ai.onnx operator looks in each operator set: what the exporter may write.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace athanor::onnx {

struct Form {
  std::string_view op;
  std::int64_t since = 1;
  int min_inputs = 0;
  int max_inputs = 0;  // -1: any number
  int max_outputs = 0;
  std::uint32_t types = 0;  // bit n: input 0 may have ONNX element type n; 0: no limit
  // Separated by spaces; "name*" when its default is not that of the newest form.
  std::string_view attributes = {};
};

inline constexpr std::int64_t kOldestOpset = 7;
inline constexpr std::int64_t kNewestOpset = 28;

// The forms of an operator, oldest first; empty when ai.onnx does not have it.
std::span<const Form> FormsOf(std::string_view op);
// The form at an operator set, or nullptr.
const Form* FindForm(std::string_view op, std::int64_t opset);
// True when the form has the attribute; `other_default` says whether its default is an older one.
bool HasAttribute(const Form& form, std::string_view name, bool* other_default = nullptr);

}  // namespace athanor::onnx
