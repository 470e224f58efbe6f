// A darknet network, .cfg text and .weights numbers, as a graph. Hostile input: every size is
// checked, unknown layers are listed at once.
//
// The input "data" is [N, channels, height, width], RGB in 0..1 as darknet takes it. Every [yolo]
// and [region] layer gives an output of its name, TYPE_INDEX, with decoded boxes; what the last
// layer makes is an output too.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace athanor::darknet {

// `owner` keeps `weights` alive; constants point into them.
Result<Graph> Import(std::string_view cfg, std::span<const std::uint8_t> weights,
                     std::shared_ptr<const void> owner);

// With weights that are made up.
Result<Graph> ImportSeeded(std::string_view cfg);

// Reads the .weights file that lies beside `path` under the same name, or the file `weights`;
// "random": weights are made up.
Result<Graph> ImportBeside(std::string_view cfg, const std::string& path,
                           const std::string& weights);

}  // namespace athanor::darknet
