#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>

#include "core/digest.h"
#include "core/file.h"
#include "frontends/ath/adaptive.h"
#include "frontends/ath/ath.h"
#include "frontends/ath/ath_generated.h"
#include "frontends/ath/compact.h"
#include "frontends/ath/entropy.h"
#include "frontends/ath/header.h"

namespace athanor::ath {
namespace {

using flatbuffers::Offset;

// The weights of all graphs in the order of first use; memory that is shared is stored once.
class WeightList {
 public:
  struct Entry {
    Tensor tensor;
    std::vector<std::uint8_t> packed;  // of types below 8 bits, and what is coded
    std::uint64_t offset = 0;
    int coding = kAsIs;

    std::span<const std::uint8_t> bytes() const {
      if (tensor.dtype() == DType::kString) return {};
      if (coding != kAsIs || ElementBits(tensor.dtype()) < 8) return packed;
      return {static_cast<const std::uint8_t*>(tensor.raw()), tensor.bytes()};
    }
  };

  explicit WeightList(const WriteOptions& options) : options_(options) {}

  std::uint32_t Add(const Tensor& tensor) {
    const std::string identity =
        fmt::format("{} {} {}", tensor.raw(), Name(tensor.dtype()), ToString(tensor.dims()));
    const auto [at, added] = places_.try_emplace(identity, entries_.size());
    if (added) {
      Entry& entry = entries_.emplace_back();
      entry.tensor = tensor;
      if (tensor.dtype() != DType::kString && ElementBits(tensor.dtype()) < 8)
        entry.packed = PackBits(tensor);
      if (options_.compress) Compress(entry);
      entry.offset = size_;
      size_ += entry.bytes().size();
      if (!options_.compress) size_ = Align(size_);
    }
    return static_cast<std::uint32_t>(at->second);
  }

  const std::vector<Entry>& entries() const { return entries_; }
  std::uint64_t size() const { return size_; }

 private:
  // The code that takes least; one that decodes quickly as long as none takes a percent less.
  static void Compress(Entry& entry) {
    const DType dtype = entry.tensor.dtype();
    std::size_t most = entry.bytes().size();
    const auto offer = [&](int coding, std::vector<std::uint8_t> code) {
      if (code.size() >= most) return;
      entry.packed = std::move(code);
      entry.coding = coding;
      most = entry.packed.size() - entry.packed.size() / 100;
    };
    const Tensor tensor = entry.tensor;
    if (dtype == DType::kI8 || dtype == DType::kU8) offer(kFrequencies, EntropyCode(entry.bytes()));
    if (dtype == DType::kI8) offer(kAdaptive, AdaptiveCode(tensor.Data<std::int8_t>()));
    if (dtype == DType::kU8) offer(kAdaptive, AdaptiveCode(tensor.Data<std::uint8_t>()));
    if (dtype == DType::kI16) offer(kAdaptive, AdaptiveCode(tensor.Data<std::int16_t>()));
    if (dtype != DType::kI8 || tensor.rank() < 2 || tensor.bytes() == 0) return;
    const std::size_t row = tensor.bytes() / static_cast<std::size_t>(tensor.dim(0));
    if (auto code = TrellisCode(tensor.Data<std::int8_t>(), row)) offer(kTrellis, *std::move(code));
  }

  const WriteOptions options_;
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> places_;
  std::uint64_t size_ = 0;
};

class StructureWriter {
 public:
  StructureWriter(WeightList& weights, const WriteOptions& options)
      : weights_(weights), options_(options) {}

  Result<std::vector<std::uint8_t>> Run(const Graph& graph) {
    ATH_TRY(const Offset<schema::Graph> root, WriteGraph(graph));
    std::vector<Offset<schema::Weight>> weights;
    for (const WeightList::Entry& entry : weights_.entries()) weights.push_back(Write(entry));
    builder_.Finish(schema::CreateModelDirect(builder_, "athanor", root, &weights));
    return std::vector<std::uint8_t>(builder_.GetBufferPointer(),
                                     builder_.GetBufferPointer() + builder_.GetSize());
  }

 private:
  Offset<flatbuffers::String> Text(std::string_view text) {
    return builder_.CreateSharedString(text.data(), text.size());
  }
  // The name of what only people ask for.
  Offset<flatbuffers::String> InnerName(const std::string& name) {
    return options_.compress ? Offset<flatbuffers::String>(0) : Text(name);
  }
  Offset<flatbuffers::Vector<Offset<flatbuffers::String>>> Texts(
      std::span<const std::string> texts) {
    std::vector<Offset<flatbuffers::String>> offsets;
    for (const std::string& text : texts) offsets.push_back(Text(text));
    return builder_.CreateVector(offsets);
  }

  Offset<schema::Type> Write(const Type& type) {
    Offset<schema::Type> element = 0;
    if (type.element) element = Write(*type.element);
    std::vector<std::string> dims;
    if (type.shape) {
      for (const Dim& dim : *type.shape) dims.push_back(dim.ToString());
    }
    const auto dtype = Text(Name(type.dtype));
    const auto written_dims = Texts(dims);
    return schema::CreateType(builder_, static_cast<std::uint8_t>(type.kind), dtype,
                              type.shape.has_value(), written_dims, element);
  }

  Offset<schema::Weight> Write(const WeightList::Entry& entry) {
    Offset<flatbuffers::Vector<Offset<flatbuffers::String>>> texts = 0;
    if (entry.tensor.dtype() == DType::kString) texts = Texts(entry.tensor.Data<std::string>());
    const auto dtype = Text(Name(entry.tensor.dtype()));
    const auto dims = builder_.CreateVector(entry.tensor.dims());
    const bool alone = !options_.compress;  // can be found and checked without the others
    return schema::CreateWeight(builder_, dtype, dims, alone ? entry.offset : 0,
                                entry.bytes().size(), alone ? Digest64(entry.bytes()) : 0, texts,
                                static_cast<std::uint8_t>(entry.coding));
  }

  Offset<schema::Attribute> Write(const std::string& name, const AttrValue& value) {
    Offset<flatbuffers::String> text = 0;
    Offset<flatbuffers::Vector<std::int64_t>> numbers = 0;
    Offset<flatbuffers::Vector<float>> factors = 0;
    Offset<flatbuffers::Vector<Offset<flatbuffers::String>>> texts = 0;
    Offset<schema::Type> type = 0;
    std::uint32_t weight = 0;
    const auto written_name = Text(name);
    if (const auto* v = std::get_if<std::string>(&value)) text = Text(*v);
    if (const auto* v = std::get_if<DType>(&value)) text = Text(Name(*v));
    if (const auto* v = std::get_if<std::vector<std::int64_t>>(&value))
      numbers = builder_.CreateVector(*v);
    if (const auto* v = std::get_if<std::vector<float>>(&value))
      factors = builder_.CreateVector(*v);
    if (const auto* v = std::get_if<std::vector<std::string>>(&value)) texts = Texts(*v);
    if (const auto* v = std::get_if<Tensor>(&value)) weight = weights_.Add(*v);
    if (const auto* v = std::get_if<Type>(&value)) type = Write(*v);
    schema::AttributeBuilder attribute(builder_);
    attribute.add_name(written_name);
    attribute.add_kind(static_cast<std::uint8_t>(KindOf(value)));
    if (const auto* v = std::get_if<std::int64_t>(&value)) attribute.add_number(*v);
    if (const auto* v = std::get_if<float>(&value)) attribute.add_factor(*v);
    attribute.add_text(text);
    attribute.add_numbers(numbers);
    attribute.add_factors(factors);
    attribute.add_texts(texts);
    attribute.add_weight(weight);
    attribute.add_type(type);
    return attribute.Finish();
  }

  // Places of values: inputs, then constants, then outputs of the nodes.
  struct Places {
    std::map<ValueId, std::int32_t> places;
    std::vector<ValueId> order;

    void Add(ValueId id) {
      if (id != kNoValue && places.emplace(id, static_cast<std::int32_t>(order.size())).second)
        order.push_back(id);
    }
    std::vector<std::int32_t> Of(const std::vector<ValueId>& ids) const {
      std::vector<std::int32_t> result;
      for (const ValueId id : ids) result.push_back(id == kNoValue ? -1 : places.at(id));
      return result;
    }
  };

  static Places PlacesOf(const Graph& graph, const std::vector<NodeId>& order) {
    Places places;
    const auto add_constant = [&](ValueId id) {
      if (graph.Constant(id) != nullptr) places.Add(id);
    };
    for (const ValueId input : graph.inputs()) places.Add(input);
    for (const NodeId id : order) {
      for (const ValueId input : graph.node(id).inputs) add_constant(input);
    }
    for (const GraphOutput& output : graph.outputs()) add_constant(output.value);
    for (const NodeId id : order) {
      for (const ValueId output : graph.node(id).outputs) places.Add(output);
    }
    return places;
  }

  Offset<schema::Value> Write(const Value& value) {
    const bool input = !value.constant && value.producer == kNoNode;
    const auto name = input ? Text(value.name) : InnerName(value.name);
    if (value.constant) {
      const auto weight = static_cast<std::int32_t>(weights_.Add(*value.constant));
      return schema::CreateValue(builder_, name, 0, weight);
    }
    return schema::CreateValue(builder_, name, Write(value.type));
  }

  Result<Offset<schema::Node>> Write(const Node& node, const Places& places) {
    std::vector<Offset<schema::Attribute>> attributes;
    for (const auto& [name, value] : node.attributes) attributes.push_back(Write(name, value));
    std::vector<Offset<schema::Graph>> bodies;
    for (const auto& body : node.bodies) {
      ATH_TRY(const Offset<schema::Graph> written, WriteGraph(*body));
      bodies.push_back(written);
    }
    const std::vector<std::int32_t> inputs = places.Of(node.inputs);
    const std::vector<std::int32_t> outputs = places.Of(node.outputs);
    const auto op = Text(node.op->name);
    const auto name = Text(node.name);
    return schema::CreateNode(builder_, op, name, builder_.CreateVector(inputs),
                              builder_.CreateVector(outputs),
                              static_cast<std::uint32_t>(node.captures),
                              builder_.CreateVector(attributes), builder_.CreateVector(bodies));
  }

  Result<Offset<schema::Graph>> WriteGraph(const Graph& graph) {
    ATH_TRY(const std::vector<NodeId> order, graph.Order());
    const Places places = PlacesOf(graph, order);
    std::vector<Offset<schema::Value>> values;
    for (const ValueId id : places.order) values.push_back(Write(graph.value(id)));
    std::vector<Offset<schema::Node>> nodes;
    for (const NodeId id : order) {
      ATH_TRY(const Offset<schema::Node> node, Write(graph.node(id), places));
      nodes.push_back(node);
    }
    std::vector<Offset<schema::Output>> outputs;
    for (const GraphOutput& output : graph.outputs()) {
      const auto name = Text(output.name);
      outputs.push_back(schema::CreateOutput(
          builder_, name, static_cast<std::uint32_t>(places.places.at(output.value))));
    }
    const auto name = Text(graph.name());
    const auto written_values = builder_.CreateVector(values);
    const auto written_nodes = builder_.CreateVector(nodes);
    const auto written_outputs = builder_.CreateVector(outputs);
    return schema::CreateGraph(builder_, name, static_cast<std::uint32_t>(graph.inputs().size()),
                               written_values, written_nodes, written_outputs);
  }

  WeightList& weights_;
  const WriteOptions options_;
  flatbuffers::FlatBufferBuilder builder_;
};

std::vector<std::uint8_t> Deflate(std::span<const std::uint8_t> bytes) {
  uLongf size = compressBound(bytes.size());
  std::vector<std::uint8_t> deflated(size);
  const int code =
      compress2(deflated.data(), &size, bytes.data(), bytes.size(), Z_BEST_COMPRESSION);
  ATH_CHECK(code == Z_OK, "the bound is large enough");
  deflated.resize(size);
  return deflated;
}

// Hands the bytes of the file, in order, to `sink`.
template <class Sink>
Status WriteTo(const Graph& graph, const WriteOptions& options, Sink&& sink) {
  WeightList weights(options);
  ATH_TRY(std::vector<std::uint8_t> structure, StructureWriter(weights, options).Run(graph));
  Header header;
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  if (options.compress) {
    header.version = kCompressedVersion;
    structure = Compact(structure);
    header.structure_deflated_from = structure.size();
    structure = Deflate(structure);
  }
  header.structure_size = structure.size();
  header.structure_digest = Digest64(structure);
  header.weights_offset = Align(sizeof(Header) + structure.size());
  header.weights_size = weights.size();
  const std::uint8_t zeros[kAlignment] = {};
  const auto pad = [&](std::uint64_t size) { sink(std::span(zeros).first(Align(size) - size)); };
  if (options.compress) {
    std::vector<std::uint8_t> section;
    for (const WeightList::Entry& entry : weights.entries())
      section.insert(section.end(), entry.bytes().begin(), entry.bytes().end());
    header.weights_digest = Digest64(section);
  }
  sink(std::span(reinterpret_cast<const std::uint8_t*>(&header), sizeof(header)));
  sink(std::span(structure));
  pad(structure.size());
  for (const WeightList::Entry& entry : weights.entries()) {
    sink(entry.bytes());
    if (!options.compress) pad(entry.bytes().size());
  }
  return {};
}

}  // namespace

Result<std::uint64_t> Digest(const Graph& graph) {
  WeightList weights({});
  ATH_TRY(const std::vector<std::uint8_t> structure, StructureWriter(weights, {}).Run(graph));
  return Digest64(structure);
}

Result<std::vector<std::uint8_t>> Write(const Graph& graph, const WriteOptions& options) {
  std::vector<std::uint8_t> bytes;
  ATH_RETURN_IF_ERROR(WriteTo(graph, options, [&](std::span<const std::uint8_t> part) {
    bytes.insert(bytes.end(), part.begin(), part.end());
  }));
  return bytes;
}

Status Save(const Graph& graph, const std::string& path, const WriteOptions& options) {
  ATH_TRY(PartialFile partial, PartialFile::For(path));
  std::ofstream out(partial.name(), std::ios::binary | std::ios::trunc);
  ATH_RETURN_IF_ERROR(WriteTo(graph, options, [&](std::span<const std::uint8_t> part) {
    out.write(reinterpret_cast<const char*>(part.data()),
              static_cast<std::streamsize>(part.size()));
  }));
  out.close();
  if (!out) return Error(ErrorCode::kFileWrite, "{}: cannot be written", path);
  return partial.Commit();
}

}  // namespace athanor::ath
