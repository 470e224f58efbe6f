// An ONNX file as a graph. Hostile input: every size is checked, all problems are listed at once.
#pragma once

#include "core/file.h"
#include "frontends/protobuf/wire.h"
#include "ir/graph.h"

namespace athanor::onnx {

struct ImportOptions {
  std::string folder;  // where external data may lie; "" for none
};

// `owner` keeps `bytes` alive; weights point into them.
Result<Graph> Import(protobuf::Bytes bytes, std::shared_ptr<const void> owner,
                     const ImportOptions& options);

// Whether "DOMAIN::NAME" is an operator that is read in some version.
bool Reads(std::string_view op);

}  // namespace athanor::onnx
