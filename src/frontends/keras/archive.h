// The members of a .keras file, which is a zip archive, by name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/status.h"

namespace athanor::keras {

// The unpacked bytes of one member. Hostile input: the size on record is checked before memory is
// taken, and a member that unpacks to far more than its packed bytes is refused.
Result<std::vector<std::uint8_t>> ReadMember(std::span<const std::uint8_t> archive,
                                             const std::string& name);

}  // namespace athanor::keras
