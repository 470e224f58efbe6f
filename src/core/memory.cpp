#include "core/memory.h"

#include <unistd.h>

#include "core/checked.h"
#include "core/tensor.h"

namespace athanor {

std::int64_t PhysicalMemory() {
  static const std::int64_t bytes = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE);
  return bytes;
}

Result<std::int64_t> TensorBytes(DType dtype, std::span<const std::int64_t> dims) {
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count) return InvalidModel("shape {} is negative or too large", ToString(dims));
  const auto bytes = CheckedMul(*count, static_cast<std::int64_t>(ElementBytes(dtype)));
  if (!bytes || *bytes > PhysicalMemory()) {
    return Error(ErrorCode::kResource, "a tensor of {}{} is larger than this machine's memory",
                 Name(dtype), ToString(dims));
  }
  return *bytes;
}

}  // namespace athanor
