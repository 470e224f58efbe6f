// An ncnn network, .param text and .bin weights, as a graph. Hostile input: every size is checked,
// unknown layers are listed at once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace athanor::ncnn {

// `owner` keeps `weights` alive; constants point into them.
Result<Graph> Import(std::string_view param, std::span<const std::uint8_t> weights,
                     std::shared_ptr<const void> owner);

// Reads the .bin file that lies beside `path` under the same name.
Result<Graph> ImportBeside(std::string_view param, const std::string& path);

// model.param -> model.bin
std::string WeightsPath(const std::string& path);

// Whether it has a row for layers of this name.
bool Reads(std::string_view type);

}  // namespace athanor::ncnn
