// An OpenVINO network, IR version 10 or 11: .xml and the .bin weights beside it, as a graph.
// Hostile input: every size is checked, unknown layers are listed at once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "frontends/openvino/network.h"
#include "ir/graph.h"

namespace athanor::openvino {

// `owner` keeps `weights` alive; constants point into them.
Result<Graph> Import(std::string_view xml, std::span<const std::uint8_t> weights,
                     std::shared_ptr<const void> owner);

// Reads the .bin file that lies beside `path` under the same name. A network without one has no
// weights.
Result<Graph> ImportBeside(std::string_view xml, const std::string& path);

// model.xml -> model.bin
std::string WeightsPath(const std::string& path);

// Whether it has a row for layers of this name.
bool Reads(std::string_view type);

}  // namespace athanor::openvino
