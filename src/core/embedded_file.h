// A file that was put into the program when it was built (cmake/athanor_embed.cmake).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace athanor {

struct EmbeddedFile {
  std::string_view name;                // without its folder
  std::span<const std::uint8_t> bytes;  // 64-byte aligned; lives as long as the program
};

}  // namespace athanor
