#include <zlib.h>

#include <algorithm>

#include "core/checked.h"
#include "core/digest.h"
#include "core/text.h"
#include "frontends/ath/adaptive.h"
#include "frontends/ath/ath.h"
#include "frontends/ath/ath_generated.h"
#include "frontends/ath/compact.h"
#include "frontends/ath/entropy.h"
#include "frontends/ath/header.h"
#include "ops/catalog.h"

namespace athanor::ath {
namespace {

constexpr int kMaxDepth = 32;  // of sub-graphs and of types

// Memory that may still be taken for what is read: a hostile file names the same strings, lists and
// weights again and again. What is beyond is left out, and the file refused at the end.
class Budget {
 public:
  explicit Budget(std::uint64_t file_size) : left_(kFloor + kPerByte * file_size) {}
  bool Take(std::uint64_t bytes) {
    if (bytes > left_) exceeded_ = true;
    if (!exceeded_) left_ -= bytes;
    return !exceeded_;
  }
  bool exceeded() const { return exceeded_; }
  std::uint64_t left() const { return left_; }

 private:
  static constexpr std::uint64_t kFloor = std::uint64_t{64} << 20, kPerByte = 16;
  std::uint64_t left_;
  bool exceeded_ = false;
};

std::string Text(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

std::string Text(const flatbuffers::String* text, Budget& budget) {
  return text != nullptr && budget.Take(text->size()) ? text->str() : "";
}

// Copies bytes, because the verifier does not check that elements of 8 bytes are aligned.
template <class T>
std::vector<T> List(const flatbuffers::Vector<T>* items, Budget& budget) {
  if (items == nullptr || !budget.Take(items->size() * sizeof(T))) return {};
  std::vector<T> values(items->size());
  if (!values.empty()) std::memcpy(values.data(), items->Data(), values.size() * sizeof(T));
  return values;
}

std::vector<std::string> Texts(
    const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* items, Budget& budget) {
  std::vector<std::string> texts;
  if (items == nullptr) return texts;
  for (const flatbuffers::String* item : *items) {
    if (!budget.Take(sizeof(std::string))) break;
    texts.push_back(Text(item, budget));
  }
  return texts;
}

Result<DType> ReadDType(const flatbuffers::String* name) {
  const std::optional<DType> dtype = DTypeFromName(Text(name));
  if (!dtype || *dtype == DType::kUndefined)
    return InvalidModel("there is no element type {}", Quote(Text(name)));
  return *dtype;
}

Result<Type> ReadType(const schema::Type* type, Budget& budget, int depth = 0) {
  if (type == nullptr) return InvalidModel("a type is missing");
  if (depth > kMaxDepth) return InvalidModel("types are nested more than {} deep", kMaxDepth);
  switch (static_cast<TypeKind>(type->kind())) {
    case TypeKind::kAbsent:
      return Type{};
    case TypeKind::kSequence: {
      ATH_TRY(Type element, ReadType(type->element(), budget, depth + 1));
      return Type::Sequence(std::move(element));
    }
    case TypeKind::kOptional: {
      ATH_TRY(Type element, ReadType(type->element(), budget, depth + 1));
      return Type::Optional(std::move(element));
    }
    case TypeKind::kTensor: {
      ATH_TRY(const DType dtype, ReadDType(type->dtype()));
      if (!type->has_shape()) return Type::TensorOfUnknownRank(dtype);
      Shape shape;
      for (const std::string& text : Texts(type->dims(), budget)) {
        ATH_TRY(Dim dim, Dim::Parse(text));
        shape.push_back(std::move(dim));
      }
      return Type::Tensor(dtype, std::move(shape));
    }
  }
  return InvalidModel("there is no kind of type {}", type->kind());
}

Status TooLarge() {
  return Error(ErrorCode::kResource, "the model takes too much memory for the size of its file");
}

class Reader {
 public:
  // `compressed`: weights follow one another and are copied.
  Reader(std::span<const std::uint8_t> weights, bool compressed, std::shared_ptr<const void> owner,
         const ReadOptions& options, Budget& budget)
      : section_(weights),
        compressed_(compressed),
        owner_(compressed ? nullptr : std::move(owner)),
        options_(options),
        budget_(budget) {}

  Result<Graph> Run(const schema::Model& model) {
    if (model.weights() != nullptr) {
      for (const schema::Weight* weight : *model.weights()) {
        Result<Tensor> tensor = ReadWeight(*weight);
        if (!tensor.ok())
          return std::move(tensor).status().In(fmt::format("weight {}", weights_.size()));
        weights_.push_back(*std::move(tensor));
      }
    }
    return ReadGraph(*model.graph(), 0);
  }

 private:
  // The bytes of the next weight.
  Result<std::span<const std::uint8_t>> Take(const schema::Weight& weight) {
    const std::uint64_t offset = compressed_ ? taken_ : weight.offset();
    const bool aligned = compressed_ || offset % kAlignment == 0;
    if (!aligned || offset > section_.size() || weight.size() > section_.size() - offset) {
      return Error(ErrorCode::kCorruptFile, "{} bytes at {} lie outside the weights of {} bytes",
                   weight.size(), offset, section_.size());
    }
    taken_ = offset + weight.size();
    return section_.subspan(offset, weight.size());
  }

  Result<Tensor> ReadWeight(const schema::Weight& weight) {
    ATH_TRY(const DType dtype, ReadDType(weight.dtype()));
    Dims dims = List(weight.dims(), budget_);
    const std::optional<std::int64_t> count = CheckedCount(dims);
    if (!count) return InvalidModel("shape {} is negative or too large", ToString(dims));
    if (dtype == DType::kString) {
      const std::vector<std::string> texts = Texts(weight.texts(), budget_);
      if (texts.size() != static_cast<std::uint64_t>(*count))
        return Error(ErrorCode::kCorruptFile, "{} strings are stored for {}", texts.size(),
                     ToString(dims));
      return Tensor::FromVector<std::string>(dims, texts);
    }
    ATH_TRY(const auto bytes, Take(weight));
    const bool scanned = options_.check_weights || dtype == DType::kBool;
    const bool coded = weight.coding() != kAsIs;
    const bool in_place = owner_ != nullptr && !coded && ElementBits(dtype) >= 8;
    const bool affordable = (!scanned || budget_.Take(bytes.size())) &&
                            (in_place || budget_.Take(std::max<std::uint64_t>(
                                             bytes.size(), static_cast<std::uint64_t>(*count))));
    if (!affordable) return TooLarge();
    if (options_.check_weights && !compressed_ && Digest64(bytes) != weight.digest())
      return Error(ErrorCode::kCorruptFile, "the bytes are not those that were written");
    if (coded) return Decode(weight.coding(), dtype, std::move(dims), bytes);
    if (ElementBits(dtype) < 8) return UnpackBits(dtype, std::move(dims), bytes);
    const auto size = static_cast<std::uint64_t>(ElementBytes(dtype));
    if (bytes.size() % size != 0 || bytes.size() / size != static_cast<std::uint64_t>(*count))
      return Error(ErrorCode::kCorruptFile, "{} bytes are stored for {}{}", bytes.size(),
                   Name(dtype), ToString(dims));
    const bool bad_bool = dtype == DType::kBool && std::any_of(bytes.begin(), bytes.end(),
                                                               [](auto byte) { return byte > 1; });
    if (bad_bool) return Error(ErrorCode::kCorruptFile, "a bool is neither 0 nor 1");
    if (owner_ != nullptr && reinterpret_cast<std::uintptr_t>(bytes.data()) % kAlignment == 0)
      return Tensor::View(dtype, std::move(dims), bytes.data(), owner_);
    // Only when the caller's memory is not that of a mapped file, or of a compressed one.
    ATH_TRY(Tensor copy, Tensor::Allocate(dtype, std::move(dims)));
    if (!bytes.empty()) std::memcpy(copy.mutable_raw(), bytes.data(), bytes.size());
    return copy;
  }

  static Result<Tensor> Decode(int coding, DType dtype, Dims dims,
                               std::span<const std::uint8_t> code) {
    const bool narrow = dtype == DType::kI8 || dtype == DType::kU8;
    const bool known = (coding == kFrequencies && narrow) ||
                       (coding == kAdaptive && (narrow || dtype == DType::kI16)) ||
                       (coding == kTrellis && dtype == DType::kI8 && !dims.empty());
    if (!known)
      return InvalidModel("coding {} of {}; this program knows none", coding, Name(dtype));
    ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, std::move(dims)));
    Status status;
    if (coding == kFrequencies) {
      status =
          EntropyDecode(code, {static_cast<std::uint8_t*>(tensor.mutable_raw()), tensor.bytes()});
    } else if (coding == kTrellis) {
      const auto rows = static_cast<std::size_t>(std::max<std::int64_t>(1, tensor.dim(0)));
      status = TrellisDecode(code, std::max<std::size_t>(1, tensor.bytes() / rows),
                             tensor.MutableData<std::int8_t>());
    } else if (dtype == DType::kI8) {
      status = AdaptiveDecode(code, tensor.MutableData<std::int8_t>());
    } else if (dtype == DType::kU8) {
      status = AdaptiveDecode(code, tensor.MutableData<std::uint8_t>());
    } else {
      status = AdaptiveDecode(code, tensor.MutableData<std::int16_t>());
    }
    ATH_RETURN_IF_ERROR(status);
    return tensor;
  }

  Result<const Tensor*> Weight(std::uint64_t place) const {
    if (place < weights_.size()) return &weights_[place];
    return InvalidModel("weight {} is named; there are {}", place, weights_.size());
  }

  Result<AttrValue> ReadAttribute(const schema::Attribute& attribute) const {
    switch (static_cast<AttrKind>(attribute.kind())) {
      case AttrKind::kInt:
        return AttrValue(attribute.number());
      case AttrKind::kFloat:
        return AttrValue(attribute.factor());
      case AttrKind::kString:
        return AttrValue(Text(attribute.text(), budget_));
      case AttrKind::kDType: {
        // "undefined" is a value an attribute may have.
        const std::optional<DType> dtype = DTypeFromName(Text(attribute.text()));
        if (!dtype)
          return InvalidModel("there is no element type {}", Quote(Text(attribute.text())));
        return AttrValue(*dtype);
      }
      case AttrKind::kInts:
        return AttrValue(List(attribute.numbers(), budget_));
      case AttrKind::kFloats:
        return AttrValue(List(attribute.factors(), budget_));
      case AttrKind::kStrings:
        return AttrValue(Texts(attribute.texts(), budget_));
      case AttrKind::kTensor: {
        ATH_TRY(const Tensor* tensor, Weight(attribute.weight()));
        return AttrValue(*tensor);
      }
      case AttrKind::kType: {
        ATH_TRY(Type type, ReadType(attribute.type(), budget_));
        return AttrValue(std::move(type));
      }
    }
    return InvalidModel("attribute {} has kind {}; this program knows none",
                        Quote(Text(attribute.name())), attribute.kind());
  }

  // Fills in the inputs and constants; the outputs of nodes follow as the nodes are read.
  Status ReadValues(const schema::Graph& from, Graph& graph, std::vector<ValueId>& values) const {
    const std::size_t count = from.values() == nullptr ? 0 : from.values()->size();
    if (from.inputs() > count)
      return InvalidModel("{} inputs are named; there are {} values", from.inputs(), count);
    values.assign(count, kNoValue);
    for (std::uint32_t i = 0; i < count; ++i) {
      const schema::Value& value = *from.values()->Get(i);
      if (i < from.inputs()) {
        ATH_TRY(Type type, ReadType(value.type(), budget_));
        values[i] = graph.AddInput(Text(value.name(), budget_), std::move(type));
      } else if (value.weight() >= 0) {
        ATH_TRY(const Tensor* tensor, Weight(static_cast<std::uint64_t>(value.weight())));
        values[i] = graph.AddConstant(*tensor, Text(value.name(), budget_));
      }
    }
    return {};
  }

  static Result<ValueId> Use(const std::vector<ValueId>& values, std::int64_t place) {
    if (place >= 0 && static_cast<std::uint64_t>(place) < values.size() &&
        values[static_cast<std::size_t>(place)] != kNoValue)
      return values[static_cast<std::size_t>(place)];
    return InvalidModel("value {} is used before it is made", place);
  }

  Status ReadNode(const schema::Node& from, const schema::Graph& graph_from, Graph& graph,
                  std::vector<ValueId>& values, int depth) const {
    const std::string op = Text(from.op(), budget_);
    Graph::NewNode node = {.op = op, .num_outputs = 0, .name = Text(from.name(), budget_)};
    for (const std::int32_t place : List(from.inputs(), budget_)) {
      ATH_TRY(const ValueId input, place == -1 ? Result<ValueId>(kNoValue) : Use(values, place));
      node.inputs.push_back(input);
    }
    if (from.captures() > node.inputs.size())
      return InvalidModel("{} captures of {} inputs", from.captures(), node.inputs.size());
    node.captures = static_cast<int>(from.captures());
    if (from.attributes() != nullptr) {
      for (const schema::Attribute* attribute : *from.attributes()) {
        ATH_TRY(AttrValue value, ReadAttribute(*attribute));
        node.attributes.Set(Text(attribute->name(), budget_), std::move(value));
      }
    }
    if (from.bodies() != nullptr) {
      for (const schema::Graph* body : *from.bodies()) {
        ATH_TRY(Graph read, ReadGraph(*body, depth + 1));
        if (read.inputs().size() < from.captures())
          return InvalidModel("a sub-graph has fewer inputs than the node captures values");
        node.bodies.push_back(std::make_unique<Graph>(std::move(read)));
      }
    }
    const std::vector<std::int32_t> outputs = List(from.outputs(), budget_);
    node.num_outputs = outputs.size();
    for (const std::int32_t place : outputs) {
      if (place != -1 && (place < 0 || static_cast<std::size_t>(place) >= values.size() ||
                          values[static_cast<std::size_t>(place)] != kNoValue))
        return InvalidModel("value {} is made twice or does not exist", place);
      node.omitted_outputs.push_back(place == -1);
      node.output_names.push_back(
          place == -1
              ? ""
              : Text(graph_from.values()->Get(static_cast<std::uint32_t>(place))->name(), budget_));
    }
    ATH_TRY(const NodeId id, graph.AddNode(std::move(node)));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == -1) continue;
      const ValueId made = graph.node(id).outputs[i];
      // The same place named twice by one node.
      ValueId& slot = values[static_cast<std::size_t>(outputs[i])];
      if (slot != kNoValue) return InvalidModel("value {} is made twice", outputs[i]);
      slot = made;
      ATH_TRY(const Type type,
              ReadType(graph_from.values()->Get(static_cast<std::uint32_t>(outputs[i]))->type(),
                       budget_));
      ATH_RETURN_IF_ERROR(graph.RefineType(made, type));
    }
    return {};
  }

  Result<Graph> ReadGraph(const schema::Graph& from, int depth) const {
    if (depth > kMaxDepth)
      return Error(ErrorCode::kResource, "sub-graphs are nested more than {} deep", kMaxDepth);
    Graph graph(ops::Standard(), Text(from.name(), budget_));
    std::vector<ValueId> values;
    ATH_RETURN_IF_ERROR(ReadValues(from, graph, values));
    if (from.nodes() != nullptr) {
      for (const schema::Node* node : *from.nodes()) {
        Status status = ReadNode(*node, from, graph, values, depth);
        if (budget_.exceeded()) return TooLarge();
        if (status.ok()) continue;
        const std::string place =
            fmt::format("node \"{}\" ({})", Text(node->name()), Text(node->op()));
        // The graph has already named the node when its own checks failed.
        return status.where().rfind(place, 0) == 0 ? status : std::move(status).In(place);
      }
    }
    if (from.outputs() != nullptr) {
      for (const schema::Output* output : *from.outputs()) {
        ATH_TRY(const ValueId value, Use(values, output->value()));
        graph.AddOutput(Text(output->name(), budget_), value);
      }
    }
    return graph;
  }

  const std::span<const std::uint8_t> section_;
  const bool compressed_;
  std::uint64_t taken_ = 0;  // of the section so far
  const std::shared_ptr<const void> owner_;
  const ReadOptions& options_;
  Budget& budget_;
  std::vector<Tensor> weights_;
};

Result<Header> ReadHeader(std::span<const std::uint8_t> bytes) {
  Header header;
  if (!IsAth(bytes) || bytes.size() < sizeof(Header))
    return Error(ErrorCode::kCorruptFile, "the file is shorter than the header of an .ath file");
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.version != kPlainVersion && header.version != kDeflatedVersion &&
      header.version != kCompressedVersion) {
    return Error(ErrorCode::kUnsupported, "version {} of .ath is not read; {}, {} and {} are",
                 header.version, kPlainVersion, kDeflatedVersion, kCompressedVersion)
        .Fix("write the file again with this version of athanor");
  }
  const std::uint64_t after_header = bytes.size() - sizeof(Header);
  const bool fits = header.structure_size <= after_header &&
                    header.weights_offset % kAlignment == 0 &&
                    header.weights_offset >= sizeof(Header) + header.structure_size &&
                    header.weights_offset <= bytes.size() &&
                    header.weights_size <= bytes.size() - header.weights_offset;
  if (!fits)
    return Error(ErrorCode::kCorruptFile, "the file has {} bytes; its header asks for more",
                 bytes.size());
  return header;
}

Result<std::vector<std::uint8_t>> Inflate(std::span<const std::uint8_t> bytes, std::uint64_t size) {
  std::vector<std::uint8_t> inflated(size);
  uLongf filled = size;
  const int code = uncompress(inflated.data(), &filled, bytes.data(), bytes.size());
  if (code != Z_OK || filled != size)
    return Error(ErrorCode::kCorruptFile, "the structure does not inflate to its {} bytes", size);
  return inflated;
}

}  // namespace

bool IsAth(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
}

bool IsCompressed(std::span<const std::uint8_t> bytes) {
  Header header;
  if (bytes.size() < sizeof(header) || !IsAth(bytes)) return false;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header.version != kPlainVersion;
}

std::uint64_t StoredDigest(std::span<const std::uint8_t> bytes) {
  Header header;
  ATH_CHECK(bytes.size() >= sizeof(header), "the caller has read these bytes");
  std::memcpy(&header, bytes.data(), sizeof(header));
  // The structure of a compressed file does not tell its weights.
  return header.structure_digest + 31 * header.weights_digest;
}

Result<Graph> Read(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner,
                   const ReadOptions& options) {
  ATH_TRY(const Header header, ReadHeader(bytes));
  auto structure = bytes.subspan(sizeof(Header), header.structure_size);
  if (Digest64(structure) != header.structure_digest)
    return Error(ErrorCode::kCorruptFile, "the structure is damaged: its digest does not match");
  Budget budget(bytes.size());
  std::vector<std::uint8_t> inflated;
  if (header.structure_deflated_from > 0) {
    if (!budget.Take(header.structure_deflated_from)) return TooLarge();
    ATH_TRY(inflated, Inflate(structure, header.structure_deflated_from));
    if (header.version == kCompressedVersion) {
      ATH_TRY(inflated, Expand(inflated, budget.left()));
      if (!budget.Take(inflated.size())) return TooLarge();
    }
    structure = inflated;
  }
  // Tables may be shared in a hostile file; more visits than there is room for tables gives it
  // away.
  const auto max_tables = static_cast<flatbuffers::uoffset_t>(
      std::min<std::uint64_t>(structure.size() / 4 + 1, 50'000'000));
  flatbuffers::Verifier verifier(structure.data(), structure.size(), 4 * kMaxDepth, max_tables);
  if (!schema::VerifyModelBuffer(verifier))
    return Error(ErrorCode::kCorruptFile, "the structure is not a valid flatbuffer");
  const auto weights = bytes.subspan(header.weights_offset, header.weights_size);
  const bool compressed = header.version != kPlainVersion;
  if (compressed && options.check_weights && Digest64(weights) != header.weights_digest)
    return Error(ErrorCode::kCorruptFile,
                 "the bytes of the weights are not those that were written");
  Result<Graph> read = Reader(weights, compressed, std::move(owner), options, budget)
                           .Run(*schema::GetModel(structure.data()));
  if (budget.exceeded()) return TooLarge();
  ATH_TRY(Graph graph, std::move(read));
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace athanor::ath
