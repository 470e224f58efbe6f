#include "frontends/split_lengths.h"

#include <algorithm>

namespace athanor {

Status CompleteLengths(std::vector<std::int64_t>& lengths, const Dim& whole) {
  const auto rest = std::find(lengths.begin(), lengths.end(), -1);
  if (rest == lengths.end()) return {};
  if (!whole.IsConst())
    return Unsupported("a length of -1 along a size that is not known is not read");
  std::int64_t others = 1;  // the -1 is among them
  for (const std::int64_t length : lengths) {
    if (__builtin_add_overflow(others, length, &others))
      return InvalidModel("the lengths are too large");
  }
  std::int64_t left = 0;
  if (__builtin_sub_overflow(whole.value(), others, &left))
    return InvalidModel("the lengths are too large");
  *rest = left;
  return {};
}

}  // namespace athanor
