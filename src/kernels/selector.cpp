#include "kernels/selector.h"

namespace athanor {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"rule", "cost", "learned", "measured"};

}  // namespace

std::string_view Name(Selector selector) { return kNames[static_cast<std::size_t>(selector)]; }

std::optional<Selector> SelectorFromName(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Selector>(i);
  }
  return std::nullopt;
}

}  // namespace athanor
