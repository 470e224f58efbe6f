#include "frontends/ath/compact.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "frontends/ath/ath_generated.h"

namespace athanor::ath {
namespace {

constexpr int kMostDepth = 32;  // of sub-graphs and of types

// What of the file is written side by side.
enum Column : std::size_t {
  kSizes,  // of lists
  kBlobSizes,
  kBlobs,
  kWeightTypes,
  kWeightDims,
  kWeightSizes,
  kCodings,
  kWeightTexts,
  kValueNames,
  kValueTypes,
  kValueWeights,
  kOps,
  kNodeNames,
  kInputs,
  kMade,
  kCaptures,
  kAttributes,
  kRest,
  kColumns
};

// Both streams have the same functions, so that each table is described once for both.
class OutStream {
 public:
  static constexpr bool kReads = false;

  template <class T>
  void Number(const T& value) {
    const auto wide = static_cast<std::int64_t>(value);
    auto left = static_cast<std::uint64_t>(wide) << 1 ^ static_cast<std::uint64_t>(wide >> 63);
    for (; left >= 0x80; left >>= 7) bytes_.push_back(static_cast<char>(left | 0x80));
    bytes_.push_back(static_cast<char>(left));
  }
  void Text(const std::string& text) {
    Number(text.size());
    bytes_ += text;
  }
  void Take(std::string& bytes, std::size_t) { bytes_ += bytes; }
  static bool Room(std::uint64_t) { return true; }

  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

// What a hostile file may still make of its bytes.
class Allowance {
 public:
  explicit Allowance(std::uint64_t most) : left_(most) {}
  bool Spend(std::uint64_t bytes) {
    spent_ = spent_ || bytes > left_;
    if (!spent_) left_ -= bytes;
    return !spent_;
  }
  void Fail() { spent_ = true; }
  bool spent() const { return spent_; }

 private:
  std::uint64_t left_;
  bool spent_ = false;
};

// After its end numbers are 0 and texts empty, and the allowance is spent: loops end soon.
class InStream {
 public:
  static constexpr bool kReads = true;

  InStream(std::string_view bytes, Allowance& allowance) : left_(bytes), allowance_(&allowance) {}

  template <class T>
  void Number(T& value) {
    std::uint64_t read = 0;
    for (int shift = 0;; shift += 7) {
      if (left_.empty() || shift > 63) return Fail(value);
      const auto byte = static_cast<std::uint8_t>(left_.front());
      left_.remove_prefix(1);
      read |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) break;
    }
    const auto wide = static_cast<std::int64_t>(read >> 1 ^ (0 - (read & 1)));
    value = static_cast<T>(wide);
    if (static_cast<std::int64_t>(value) != wide) Fail(value);
  }
  void Text(std::string& text) {
    std::uint64_t size = 0;
    Number(size);
    Take(text, size);
  }
  void Take(std::string& bytes, std::uint64_t size) {
    bytes.clear();
    if (size > left_.size()) return allowance_->Fail();
    if (!Room(size)) return;
    bytes = left_.substr(0, size);
    left_.remove_prefix(size);
  }
  bool Room(std::uint64_t bytes) { return allowance_->Spend(bytes); }
  Allowance& allowance() { return *allowance_; }

 private:
  template <class T>
  void Fail(T& value) {
    value = {};
    allowance_->Fail();
  }

  std::string_view left_;
  Allowance* allowance_;
};

// A list of any length; `visit` reads or writes one item.
template <class S, class T, class F>
void VisitList(S& sizes, std::vector<T>& items, F&& visit) {
  std::size_t size = items.size();
  sizes.Number(size);
  if constexpr (S::kReads) {
    // In steps, because the size may be a lie.
    for (std::size_t i = 0; i < size && sizes.Room(sizeof(T) + 16); ++i)
      visit(items.emplace_back());
  } else {
    for (T& item : items) visit(item);
  }
}

template <class S, class T>
void VisitNumbers(S& stream, std::vector<T>& items) {
  VisitList(stream, items, [&](T& item) { stream.Number(item); });
}

template <class S>
void VisitTexts(S& stream, std::vector<std::string>& items) {
  VisitList(stream, items, [&](std::string& item) { stream.Text(item); });
}

template <class S>
void VisitFloat(S& stream, float& value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  stream.Number(bits);
  value = std::bit_cast<float>(bits);
}

// An item of a list is always there; what is read is made first.
template <class S, class T>
void MakeRead(S& stream, std::unique_ptr<T>& item) {
  if (S::kReads) {
    item = std::make_unique<T>();
    (void)stream.Room(sizeof(T));
  }
}

// A table that may be missing.
template <class S, class T>
bool Present(S& stream, std::unique_ptr<T>& item) {
  std::uint8_t present = item != nullptr ? 1 : 0;
  stream.Number(present);
  if (S::kReads && present != 0 && stream.Room(sizeof(T))) item = std::make_unique<T>();
  return item != nullptr;
}

template <class S>
void Visit(S& stream, schema::TypeT& type, int depth = 0) {
  stream.Number(type.kind);
  stream.Text(type.dtype);
  stream.Number(type.has_shape);
  VisitTexts(stream, type.dims);
  if (Present(stream, type.element) && depth < kMostDepth) Visit(stream, *type.element, depth + 1);
}

template <class S>
void Visit(S& stream, schema::AttributeT& attribute) {
  stream.Text(attribute.name);
  stream.Number(attribute.kind);
  stream.Number(attribute.number);
  VisitFloat(stream, attribute.factor);
  stream.Text(attribute.text);
  VisitNumbers(stream, attribute.numbers);
  VisitList(stream, attribute.factors, [&](float& factor) { VisitFloat(stream, factor); });
  VisitTexts(stream, attribute.texts);
  stream.Number(attribute.weight);
  if (Present(stream, attribute.type)) Visit(stream, *attribute.type);
}

template <class S>
void Visit(S& stream, std::vector<std::unique_ptr<schema::AttributeT>>& attributes) {
  VisitList(stream, attributes, [&](std::unique_ptr<schema::AttributeT>& attribute) {
    MakeRead(stream, attribute);
    Visit(stream, *attribute);
  });
}

template <class S>
void Visit(S& stream, std::vector<std::int64_t>& numbers) {
  VisitNumbers(stream, numbers);
}

// The columns, and for each what was said in it so far.
template <class S>
class Table {
 public:
  explicit Table(std::vector<S> streams) : streams_(std::move(streams)) {}

  S& operator[](Column column) { return streams_[column]; }

  // 0 and new bytes, or the number of bytes that were there before.
  void Blob(Column column, std::string& bytes) {
    std::vector<std::string>& known = known_[column];
    std::size_t number = 0;
    if constexpr (!S::kReads) {
      const auto [at, added] = numbers_[column].try_emplace(bytes, known.size() + 1);
      if (added) known.push_back(bytes);
      number = added ? 0 : at->second;
    }
    streams_[column].Number(number);
    if (number == 0) {
      std::size_t size = bytes.size();
      streams_[kBlobSizes].Number(size);
      streams_[kBlobs].Take(bytes, size);
      if (S::kReads) known.push_back(bytes);
    } else if constexpr (S::kReads) {
      if (number > known.size()) return streams_[column].allowance().Fail();
      if (streams_[column].Room(known[number - 1].size())) bytes = known[number - 1];
    }
  }

  // The same of what is more than a text.
  template <class T>
  void Shared(Column column, T& item) {
    std::string bytes;
    if constexpr (S::kReads) {
      Blob(column, bytes);
      InStream inner(bytes, streams_[column].allowance());
      Visit(inner, item);
    } else {
      OutStream inner;
      Visit(inner, item);
      Blob(column, inner.bytes());
    }
  }

 private:
  std::vector<S> streams_;
  std::array<std::vector<std::string>, kColumns> known_ = {};
  std::array<std::map<std::string, std::size_t>, kColumns> numbers_ = {};
};

template <class S>
void Visit(Table<S>& table, schema::WeightT& weight) {
  table.Blob(kWeightTypes, weight.dtype);
  table.Shared(kWeightDims, weight.dims);
  table[kWeightSizes].Number(weight.size);
  table[kCodings].Number(weight.coding);
  VisitTexts(table[kWeightTexts], weight.texts);
}

// Differences that overflow come out wrong, not undefined.
std::int64_t Sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// `expected`: the weight of the next constant.
template <class S>
void Visit(Table<S>& table, schema::ValueT& value, std::int64_t& expected) {
  table.Blob(kValueNames, value.name);
  S& types = table[kValueTypes];
  if (Present(types, value.type)) table.Shared(kValueTypes, *value.type);
  std::uint8_t constant = value.weight < 0 ? 0 : 1;
  table[kValueWeights].Number(constant);
  if (constant == 0) return;
  std::int64_t away = value.weight - expected;
  table[kValueWeights].Number(away);
  value.weight = static_cast<std::int32_t>(Sum(expected, away));
  expected = std::int64_t{value.weight} + 1;
}

// Where the next places are expected to be.
struct Expected {
  std::int64_t constant = 0;  // the first that no node has read
  std::int64_t first_made = 0;
  std::int64_t made = 0;  // what the next node makes
};

// A place among the values: 0 is the next constant, then the omitted one, what was made lately, and
// any constant.
template <class S>
void VisitInput(S& stream, std::int32_t& place, Expected& expected) {
  constexpr std::int64_t kNext = 0, kOmitted = 1, kOthers = 2;
  std::int64_t code = kNext;
  if constexpr (!S::kReads) {
    const bool was_made = place >= expected.first_made;
    if (place == -1)
      code = kOmitted;
    else if (was_made)
      code = kOthers + 2 * (expected.made - place);
    else if (place != expected.constant)
      code = kOthers + 1 + 2 * std::int64_t{place};
  }
  stream.Number(code);
  if constexpr (S::kReads) {
    const std::int64_t other = code / 2 - kOthers / 2;
    const std::int64_t anywhere = code % 2 == 0 ? Sum(expected.made, -other) : other;
    const std::int64_t named = code == kNext ? expected.constant : anywhere;
    place = code == kOmitted ? -1 : static_cast<std::int32_t>(named);
  }
  if (place == expected.constant) ++expected.constant;
}

template <class S>
void Visit(Table<S>& table, schema::GraphT& graph, int depth);

template <class S>
void Visit(Table<S>& table, schema::NodeT& node, Expected& expected, int depth) {
  table.Blob(kOps, node.op);
  table.Blob(kNodeNames, node.name);
  VisitList(table[kSizes], node.inputs,
            [&](std::int32_t& place) { VisitInput(table[kInputs], place, expected); });
  VisitList(table[kSizes], node.outputs, [&](std::int32_t& place) {
    std::int64_t away = place - expected.made;
    table[kMade].Number(away);
    place = static_cast<std::int32_t>(Sum(expected.made, away));
    if (place >= 0) expected.made = std::int64_t{place} + 1;
  });
  table[kCaptures].Number(node.captures);
  table.Shared(kAttributes, node.attributes);
  VisitList(table[kSizes], node.bodies, [&](std::unique_ptr<schema::GraphT>& body) {
    MakeRead(table[kRest], body);
    if (depth < kMostDepth) Visit(table, *body, depth + 1);
  });
}

template <class S>
void Visit(Table<S>& table, schema::GraphT& graph, int depth) {
  table.Blob(kNodeNames, graph.name);
  table[kRest].Number(graph.inputs);
  std::int64_t weight = 0;
  Expected expected = {.constant = graph.inputs};
  VisitList(table[kRest], graph.values, [&](std::unique_ptr<schema::ValueT>& value) {
    MakeRead(table[kRest], value);
    Visit(table, *value, weight);
    if (value->weight >= 0) ++expected.first_made;
  });
  expected.first_made += graph.inputs;
  expected.made = expected.first_made;
  VisitList(table[kRest], graph.nodes, [&](std::unique_ptr<schema::NodeT>& node) {
    MakeRead(table[kRest], node);
    Visit(table, *node, expected, depth);
  });
  VisitList(table[kRest], graph.outputs, [&](std::unique_ptr<schema::OutputT>& output) {
    MakeRead(table[kRest], output);
    table.Blob(kValueNames, output->name);
    table[kRest].Number(output->value);
  });
}

template <class S>
void Visit(Table<S>& table, schema::ModelT& model) {
  table.Blob(kNodeNames, model.producer);
  if (Present(table[kRest], model.graph)) Visit(table, *model.graph, 0);
  VisitList(table[kRest], model.weights, [&](std::unique_ptr<schema::WeightT>& weight) {
    MakeRead(table[kRest], weight);
    Visit(table, *weight);
  });
}

Status DamagedStructure() {
  return Error(ErrorCode::kCorruptFile,
               "the structure is damaged, or takes too much memory for the size of its file");
}

}  // namespace

std::vector<std::uint8_t> Compact(std::span<const std::uint8_t> structure) {
  schema::ModelT model;
  schema::GetModel(structure.data())->UnPackTo(&model);
  Table<OutStream> table{std::vector<OutStream>(kColumns)};
  Visit(table, model);
  OutStream whole;
  for (std::size_t column = 0; column < kColumns; ++column)
    whole.Text(table[static_cast<Column>(column)].bytes());
  return {whole.bytes().begin(), whole.bytes().end()};
}

Result<std::vector<std::uint8_t>> Expand(std::span<const std::uint8_t> bytes, std::uint64_t most) {
  // A flatbuffer's offsets have 32 bits, and its builder does not fail beyond them: it aborts.
  constexpr std::uint64_t kMostStructure = std::uint64_t{1} << 30;
  Allowance allowance(std::min(most, kMostStructure));
  InStream whole({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, allowance);
  std::vector<std::string> columns(kColumns);
  for (std::string& column : columns) whole.Text(column);
  std::vector<InStream> streams;
  for (const std::string& column : columns) streams.emplace_back(column, allowance);
  Table<InStream> table(std::move(streams));
  schema::ModelT model;
  Visit(table, model);
  if (allowance.spent() || !model.graph) return DamagedStructure();
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(schema::Model::Pack(builder, &model));
  return std::vector<std::uint8_t>(builder.GetBufferPointer(),
                                   builder.GetBufferPointer() + builder.GetSize());
}

}  // namespace athanor::ath
