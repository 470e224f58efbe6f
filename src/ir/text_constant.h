// The values of constants and tensor attributes in the text form. Private to the text form.
#pragma once

#include "ir/text.h"
#include "ir/text_scanner.h"

namespace athanor::text {

// What stands behind "=": "[1, 2]", "fill(0)", "base64\"...\"".
std::string PrintElements(const Tensor& tensor, const TextOptions& options);

// Memory that fill and random may still take: few characters must not claim the whole machine.
struct Budget {
  std::int64_t generated_bytes = std::int64_t{1} << 28;
};
Result<Tensor> ReadElements(Scanner& scanner, const Type& type, Budget& budget);

}  // namespace athanor::text
