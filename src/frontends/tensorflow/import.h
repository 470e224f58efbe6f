// Reads TensorFlow models: frozen graphs (GraphDef) and SavedModel folders.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "ir/graph.h"

namespace athanor::tensorflow {

// A GraphDef whose first field is a node, or the saved_model.pb of a folder. Both are protocol
// buffers without a mark of their own: their first fields give them away.
bool IsTensorflow(std::span<const std::uint8_t> bytes);

// `owner` keeps `bytes` alive; weights are not copied where the file aligns them. `folder` is where
// the variables of a SavedModel lie (variables/variables.index).
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner,
                     const std::string& folder);

// Whether it has a row for operators of this name.
bool Reads(std::string_view op);

}  // namespace athanor::tensorflow
