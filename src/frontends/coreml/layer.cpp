#include "frontends/coreml/layer.h"

namespace athanor::coreml {
namespace {

constexpr std::uint64_t kName = 1, kInput = 2, kOutput = 3, kFirstKind = 100, kLargestTag = 1 << 20;

std::string TextOf(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<Layer> ReadLayer(Bytes bytes) {
  Layer layer;
  protobuf::Cursor cursor(bytes);
  while (!cursor.done()) {
    const std::uint64_t tag = cursor.Varint(), field = tag >> 3;
    const auto wire = static_cast<protobuf::Wire>(tag & 7U);
    if (field == 0 || field > kLargestTag) cursor.Fail();
    if (wire != protobuf::Wire::kLength) {
      cursor.Skip(wire);
      continue;
    }
    const Bytes value = cursor.LengthDelimited();
    if (field == kName) layer.name = TextOf(value);
    if (field == kInput) layer.inputs.push_back(TextOf(value));
    if (field == kOutput) layer.outputs.push_back(TextOf(value));
    if (field < kFirstKind) continue;
    layer.kind = static_cast<std::int64_t>(field);
    layer.parameters = value;
  }
  if (cursor.failed())
    return Error(ErrorCode::kCorruptFile,
                 "the bytes are not a complete layer: truncated or damaged");
  return layer;
}

}  // namespace athanor::coreml
