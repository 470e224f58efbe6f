// A Caffe network, .prototxt text and .caffemodel weights, as a graph. Hostile input: every size is
// checked, unknown layers are listed at once.
//
// A blob is a value with the shape that Caffe gives it, the batch included. What no layer reads is
// an output. Layers of the phase TEST are read, unless the network says that it is in another
// state.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace athanor::caffe {

// Whether bytes look like a network as text, or as bytes.
bool IsText(std::span<const std::uint8_t> bytes);
bool IsBytes(std::span<const std::uint8_t> bytes);

// Whether layers of this type are read.
bool Reads(std::string_view type);

// `net` is the network as text or bytes, `weights` a .caffemodel; nullptr means that `net` holds
// the weights too. `owner` keeps both alive; constants point into them. `weights_name` names the
// weights in errors.
Result<Graph> Import(std::span<const std::uint8_t> net,
                     const std::span<const std::uint8_t>* weights,
                     std::shared_ptr<const void> owner,
                     const std::string& weights_name = "the .caffemodel");

// With weights that are made up.
Result<Graph> ImportSeeded(std::span<const std::uint8_t> net);

// Reads the network in the file `path` with the weights that lie beside it: for net.prototxt
// net.caffemodel; for net_deploy.prototxt net.caffemodel too; else the only .caffemodel of the
// folder. For net.caffemodel, the network is net.prototxt if it is there, else the one that the
// file itself holds. `weights` names the file instead; "random": weights are made up.
Result<Graph> ImportBeside(const std::string& path, const std::string& weights);

}  // namespace athanor::caffe
