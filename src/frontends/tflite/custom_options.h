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

// These options, which must be there, as attributes of the same names.
inline Result<AttrMap> NumberOptions(const OpImport& ctx,
                                     std::initializer_list<const char*> names) {
  ATH_TRY(const flexbuffers::Map map, CustomOptions(ctx));
  AttrMap attributes;
  for (const char* name : names) {
    const flexbuffers::Reference value = map[name];
    if (!value.IsIntOrUint() && !value.IsBool())
      return InvalidModel("its options lack the number \"{}\"", name);
    attributes.Set(name, value.IsBool() ? std::int64_t{value.AsBool()} : value.AsInt64());
  }
  return attributes;
}

}  // namespace athanor::tflite
