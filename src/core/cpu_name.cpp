#include "core/cpu_name.h"

#include <cpuid.h>

#include <array>

namespace athanor {

std::string ProcessorName() {
  constexpr unsigned kFirst = 0x80000002U;
  std::array<unsigned, 12> words = {};
  for (unsigned i = 0; i < 3; ++i) {
    unsigned* part = words.data() + 4 * static_cast<std::size_t>(i);
    if (__get_cpuid(kFirst + i, &part[0], &part[1], &part[2], &part[3]) == 0) return "unknown";
  }
  const std::string padded(reinterpret_cast<const char*>(words.data()), sizeof(words));
  const std::string name = padded.substr(0, padded.find('\0'));
  const std::size_t first = name.find_first_not_of(' ');
  if (first == std::string::npos) return "unknown";
  return name.substr(first, name.find_last_not_of(' ') + 1 - first);
}

}  // namespace athanor
