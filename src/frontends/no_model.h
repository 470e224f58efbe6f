// Files that are given as models by mistake: pictures, sound, arrays, and the weights of a network
// whose other file is the one to give.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/status.h"

namespace athanor {

// What the bytes certainly are, though some format may take their first byte for its own; "" when
// they may be a model. "a picture (BMP)".
std::string KnownOtherFile(std::span<const std::uint8_t> bytes);

// The fix for a file that holds no network, from its name: the file beside it that does, or how to
// get a format that is read.
std::string HowToGetModel(const std::string& path);

// The error for a folder without a file that is known to stand for a model in a folder.
Status NoModelInFolder(const std::string& folder);

}  // namespace athanor
