// The options of custom operators: a FlexBuffer that holds a map.
#pragma once

#include <flatbuffers/flexbuffers.h>

#include "frontends/tflite/op_import.h"

namespace athanor::tflite {

// Lives as long as the file's bytes. Options that are absent are an empty map.
inline Result<flexbuffers::Map> CustomOptions(const OpImport& ctx) {
  const auto* bytes = ctx.op.custom_options();
  if (bytes == nullptr || bytes->size() == 0) return flexbuffers::Map::EmptyMap();
  if (bytes->size() < 4 || !flexbuffers::VerifyBuffer(bytes->data(), bytes->size()))
    return Error(ErrorCode::kCorruptFile, "its options are no FlexBuffer");
  const flexbuffers::Reference root = flexbuffers::GetRoot(bytes->data(), bytes->size());
  if (!root.IsMap()) return InvalidModel("its options are no map");
  return root.AsMap();
}

}  // namespace athanor::tflite
