// Reads Keras models: .keras (a zip archive of a configuration and weights) and .h5.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "ir/graph.h"

namespace athanor::keras {

// An HDF5 file, or a zip archive that names a config.json.
bool IsKeras(std::span<const std::uint8_t> bytes);

// `owner` keeps `bytes` alive; the weights of an .h5 file are used where it keeps them.
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner);

// Whether it has a row for layers of this name.
bool Reads(std::string_view layer);

}  // namespace athanor::keras
