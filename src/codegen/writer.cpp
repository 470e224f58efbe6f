#include "codegen/writer.h"

namespace athanor::codegen {
namespace {

void MakeSigned(QuantPort& port) {
  if (port.dtype != DType::kU8) return;
  port.dtype = DType::kI8;
  for (std::int64_t& zero : port.zeros) zero -= kUnsignedShift;
}

}  // namespace

NodeWriter::NodeWriter(const Graph& graph, NodeId node, int index, std::vector<std::string> in,
                       std::string out)
    : graph_(graph), node_(node), index_(index), in_(std::move(in)), out_(std::move(out)) {
  if (HasQuantSpec(graph.node(node).attributes)) {
    Result<QuantSpec> spec = ReadQuantSpec(graph.node(node).attributes);
    ATH_CHECK(spec.ok(), "the graph has been verified");
    spec_ = *std::move(spec);
    signed_ = spec_;
    if (signed_.clamp && spec_.outputs[0].dtype == DType::kU8) {
      signed_.clamp->low -= kUnsignedShift;
      signed_.clamp->high -= kUnsignedShift;
    }
    MakeSigned(signed_.outputs[0]);
    for (std::size_t i = 0; i < signed_.inputs.size(); ++i) {
      if (Constant(i) == nullptr) MakeSigned(signed_.inputs[i]);
    }
  }
}

std::int64_t NodeWriter::Low() const {
  return signed_.clamp ? signed_.clamp->low : QuantRange(out_port().dtype)->low;
}
std::int64_t NodeWriter::High() const {
  return signed_.clamp ? signed_.clamp->high : QuantRange(out_port().dtype)->high;
}

std::string ArrayText(std::string_view type, std::string_view name,
                      std::span<const std::int64_t> values) {
  std::string text = fmt::format("static const {} {}[{}] = {{", type, name, values.size());
  constexpr std::size_t kPerLine = 20;
  for (std::size_t i = 0; i < values.size(); ++i)
    text += fmt::format("{}{},", i % kPerLine == 0 ? "\n    " : " ", values[i]);
  return text + "\n};\n";
}

std::string NodeWriter::Array(std::string_view prefix, std::string_view type,
                              std::span<const std::int64_t> values, int bytes_each) {
  std::string name = fmt::format("{}_{}", prefix, index_);
  constants_ += ArrayText(type, name, values);
  constant_bytes_ += static_cast<std::int64_t>(values.size()) * bytes_each;
  return name;
}

std::string NodeWriter::Struct(std::string_view type, const std::vector<Field>& fields) {
  std::string name = fmt::format("parameters_{}", index_);
  constants_ += fmt::format("static const {} {} = {{", type, name);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    constants_ += i % 5 == 0 ? "\n    " : " ";
    constants_ += fmt::format(".{} = {},", fields[i].name, fields[i].value);
    constant_bytes_ += 4;
  }
  constants_ += "\n};\n";
  return name;
}

}  // namespace athanor::codegen
