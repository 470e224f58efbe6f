#include "frontends/mnn/import.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "core/text.h"
#include "frontends/mnn/op_import.h"
#include "frontends/unread_kinds.h"
#include "ops/catalog.h"

namespace athanor::mnn {
namespace {

constexpr int kMaxDepth = 32;  // of tables within tables
constexpr std::size_t kMaxRank = 16;
// Operators of sub-graphs, which are read wherever they are run: a few that run each other several
// times would come to more than any file holds.
constexpr std::size_t kMostInside = 1 << 14;

using Bytes = std::span<const std::uint8_t>;
using Ops = flatbuffers::Vector<flatbuffers::Offset<schema::Op>>;
using Names = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;
using Numbers = flatbuffers::Vector<std::int32_t>;

template <class T>
std::size_t SizeOf(const T* vector) {
  return vector == nullptr ? 0 : vector->size();
}

std::string Text(const flatbuffers::String* text) { return text == nullptr ? "" : text->str(); }

std::string NameAt(const Names* names, std::size_t i) {
  if (i < SizeOf(names)) return Text(names->Get(static_cast<flatbuffers::uoffset_t>(i)));
  return fmt::format("tensor{}", i);
}

std::string PlaceOf(const schema::Op& op) {
  return fmt::format("operator {} ({})", Quote(Text(op.name()).substr(0, 100)), NameOf(op.type()));
}

// Lists may be shared in a hostile file; more entries than it has room for give it away.
std::uint64_t EntriesOf(const Ops* ops) {
  std::uint64_t entries = 0;
  for (std::size_t i = 0; i < SizeOf(ops); ++i) {
    const schema::Op& op = *ops->Get(static_cast<flatbuffers::uoffset_t>(i));
    entries += 4 + SizeOf(op.inputs()) + SizeOf(op.outputs()) + SizeOf(op.name()) / 4;
  }
  return entries;
}

Result<DType> DTypeOf(schema::DataType type) {
  switch (type) {
    case schema::DataType_FLOAT:
    case schema::DataType_DOUBLE:
      return DType::kF32;
    case schema::DataType_HALF:
      return DType::kF16;
    case schema::DataType_INT32:
    case schema::DataType_INT64:
    case schema::DataType_BOOL:
      return DType::kI32;
    case schema::DataType_UINT8:
      return DType::kU8;
    case schema::DataType_INT8:
      return DType::kI8;
    default:
      return Unsupported("inputs of type {} are not read", schema::EnumNameDataType(type));
  }
}

class Importer : public SubGraphs {
 public:
  Importer(const schema::Net& net, Bytes file, std::shared_ptr<const void> owner)
      : net_(net), file_size_(file.size()), weights_(file.size(), std::move(owner)) {}

  Result<Graph> Run() {
    ATH_RETURN_IF_ERROR(CheckOperators());
    for (std::size_t i = 0; i < SizeOf(net_.subgraphs()); ++i) {
      const auto* subgraph = net_.subgraphs()->Get(static_cast<flatbuffers::uoffset_t>(i));
      if (subgraph->name() != nullptr)
        subgraphs_.emplace(subgraph->name()->string_view(), subgraph);
    }
    Graph graph(ops::Standard());
    NetState state = {graph, weights_, *this};
    std::vector<ValueId> values(SizeOf(net_.tensor_names()), kNoValue);
    ATH_RETURN_IF_ERROR(Fill(state, net_.ops(), net_.tensor_names(), values));
    ATH_RETURN_IF_ERROR(AddOutputs(graph, values));
    return graph;
  }

  Result<const schema::SubGraph*> Find(std::string_view name) const override {
    const auto found = subgraphs_.find(name);
    if (found != subgraphs_.end()) return found->second;
    return InvalidModel("there is no sub-graph {}", Quote(name.substr(0, 100)));
  }

  Result<std::vector<ValueId>> Fill(const schema::SubGraph& subgraph, Graph& graph,
                                    const std::vector<ValueId>& inputs) override {
    constexpr int kMostNested = 16;
    if (depth_ == kMostNested) return InvalidModel("sub-graphs run each other in a circle");
    ++depth_;
    Result<std::vector<ValueId>> outputs = FillBody(subgraph, graph, inputs);
    --depth_;
    return outputs;
  }

 private:
  // Every operator that is not read, of sub-graphs too, each kind once.
  Status CheckOperators() const {
    if (SizeOf(net_.ops()) == 0) return InvalidModel("there are no operators in the file");
    std::vector<const Ops*> lists = {net_.ops()};
    for (std::size_t i = 0; i < SizeOf(net_.subgraphs()); ++i)
      lists.push_back(net_.subgraphs()->Get(static_cast<flatbuffers::uoffset_t>(i))->nodes());
    std::uint64_t entries = SizeOf(net_.tensor_names());
    for (const Ops* ops : lists) entries += EntriesOf(ops);
    if (entries > 4 * file_size_ + (1U << 16))
      return Error(ErrorCode::kCorruptFile, "its lists name more entries than the file has bytes");
    std::vector<Status> problems;
    UnreadKinds unread;
    for (const Ops* ops : lists) {
      for (std::size_t i = 0; i < SizeOf(ops); ++i)
        CheckOperator(*ops->Get(static_cast<flatbuffers::uoffset_t>(i)), unread, problems);
    }
    Status not_read = unread.Problems("operator", {}, [](const std::string&) {
      return "give athanor the network that the .mnn file was converted from";
    });
    if (!not_read.ok()) problems.push_back(std::move(not_read));
    return Status::All(std::move(problems));
  }

  static void CheckOperator(const schema::Op& op, UnreadKinds& unread,
                            std::vector<Status>& problems) {
    if (op.type() == schema::OpType_Input) return;
    const Row* row = FindRow(op.type());
    if (row == nullptr) return unread.Add(NameOf(op.type()), [&] { return PlaceOf(op); });
    const int inputs = static_cast<int>(SizeOf(op.inputs()));
    if (inputs >= row->least && (row->most < 0 || inputs <= row->most)) return;
    problems.push_back(
        InvalidModel("{} inputs are given; {} to {} are expected", inputs, row->least, row->most)
            .In(PlaceOf(op)));
  }

  static Result<std::size_t> Index(std::int32_t tensor, const std::vector<ValueId>& values) {
    if (tensor >= 0 && static_cast<std::size_t>(tensor) < values.size())
      return static_cast<std::size_t>(tensor);
    return InvalidModel("tensor {} is named, of which there are {}", tensor, values.size());
  }

  // Adds operators in the order of the file; `values` by tensor.
  Status Fill(NetState& state, const Ops* ops, const Names* names, std::vector<ValueId>& values) {
    for (std::size_t i = 0; i < SizeOf(ops); ++i) {
      const schema::Op& op = *ops->Get(static_cast<flatbuffers::uoffset_t>(i));
      if (depth_ > 0 && ++read_inside_ > kMostInside)
        return Error(ErrorCode::kResource,
                     "sub-graphs, read wherever they are run, have more than {} operators",
                     kMostInside)
            .In(PlaceOf(op));
      Status status = op.type() == schema::OpType_Input ? AddInput(state, op, names, values)
                                                        : AddOperator(state, op, names, values);
      if (!status.ok()) return std::move(status).In(PlaceOf(op));
    }
    return {};
  }

  Status AddInput(NetState& state, const schema::Op& op, const Names* names,
                  std::vector<ValueId>& values) {
    if (SizeOf(op.outputs()) != 1) return InvalidModel("an input has one output");
    ATH_TRY(const std::size_t tensor, Index(op.outputs()->Get(0), values));
    if (values[tensor] != kNoValue) {
      if (depth_ > 0) return {};  // given from outside
      return InvalidModel("tensor {} has a value already", tensor);
    }
    if (depth_ > 0) return InvalidModel("nothing is said of where it comes from");
    ATH_TRY(const auto* input, Given(op.main_as_Input()));
    ATH_TRY(const DType dtype, DTypeOf(input->type()));
    const std::string name = NameAt(names, tensor);
    if (SizeOf(input->dims()) > kMaxRank)
      return Unsupported("rank {} is not read", SizeOf(input->dims()));
    athanor::Shape shape;
    for (std::size_t axis = 0; axis < SizeOf(input->dims()); ++axis) {
      const std::int32_t size = input->dims()->Get(static_cast<flatbuffers::uoffset_t>(axis));
      if (size < -1) return InvalidModel("size {} of axis {}", size, axis);
      shape.push_back(size >= 0 ? Dim(size)
                                : Dim::Symbol(fmt::format("{}_{}", name.substr(0, 100), axis)));
    }
    values[tensor] = state.graph.AddInput(name, Type::Tensor(dtype, std::move(shape)));
    state.formats[values[tensor]] = input->format();
    return {};
  }

  Status AddOperator(NetState& state, const schema::Op& op, const Names* names,
                     std::vector<ValueId>& values) {
    std::vector<ValueId> inputs;
    for (std::size_t i = 0; i < SizeOf(op.inputs()); ++i) {
      ATH_TRY(const std::size_t tensor,
              Index(op.inputs()->Get(static_cast<flatbuffers::uoffset_t>(i)), values));
      if (values[tensor] == kNoValue)
        return InvalidModel("tensor {} (\"{}\") is used before an operator makes it", tensor,
                            NameAt(names, tensor));
      inputs.push_back(values[tensor]);
    }
    const std::size_t num_outputs = SizeOf(op.outputs());
    if (num_outputs == 0) return InvalidModel("it has no outputs");
    OpImport ctx(state, op, std::move(inputs), num_outputs);
    const Status status = FindRow(op.type())->make(ctx);
    ATH_RETURN_IF_ERROR(ctx.problem());
    ATH_RETURN_IF_ERROR(status);
    if (ctx.outputs.size() < num_outputs)
      return Unsupported("{} outputs are read; there are {}", ctx.outputs.size(), num_outputs);
    for (std::size_t o = 0; o < num_outputs; ++o) {
      ATH_TRY(const std::size_t tensor,
              Index(op.outputs()->Get(static_cast<flatbuffers::uoffset_t>(o)), values));
      if (values[tensor] != kNoValue) return InvalidModel("tensor {} has a value already", tensor);
      values[tensor] = ctx.outputs[o];
      if (!ctx.inputs.empty()) Inherit(state, ctx.inputs[0], ctx.outputs[o]);
      const Value& value = state.graph.value(ctx.outputs[o]);
      if (value.producer != kNoNode && value.name.empty())
        state.graph.SetName(ctx.outputs[o], NameAt(names, tensor));
    }
    return {};
  }

  // A result has the format of the first input, unless a row has said otherwise.
  static void Inherit(NetState& state, ValueId from, ValueId to) {
    const auto format = state.formats.find(from);
    if (format != state.formats.end()) state.formats.emplace(to, Format(format->second));
  }

  Result<std::vector<ValueId>> FillBody(const schema::SubGraph& subgraph, Graph& graph,
                                        const std::vector<ValueId>& inputs) {
    NetState state = {graph, weights_, *this};
    std::vector<ValueId> values(SizeOf(subgraph.tensors()), kNoValue);
    if (SizeOf(subgraph.inputs()) != inputs.size())
      return InvalidModel("a sub-graph has {} inputs, {} are given", SizeOf(subgraph.inputs()),
                          inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      ATH_TRY(const std::size_t tensor,
              Index(subgraph.inputs()->Get(static_cast<flatbuffers::uoffset_t>(i)), values));
      values[tensor] = inputs[i];
    }
    ATH_RETURN_IF_ERROR(Fill(state, subgraph.nodes(), subgraph.tensors(), values));
    std::vector<ValueId> outputs;
    for (std::size_t i = 0; i < SizeOf(subgraph.outputs()); ++i) {
      ATH_TRY(const std::size_t tensor,
              Index(subgraph.outputs()->Get(static_cast<flatbuffers::uoffset_t>(i)), values));
      if (values[tensor] == kNoValue) return InvalidModel("nothing makes output {}", i);
      outputs.push_back(values[tensor]);
    }
    return outputs;
  }

  // Those the file names; in files of old converters, what no operator reads.
  Status AddOutputs(Graph& graph, const std::vector<ValueId>& values) const {
    std::vector<std::size_t> tensors;
    std::map<std::string, std::size_t> by_name;
    for (std::size_t tensor = 0; tensor < values.size() && SizeOf(net_.output_names()) > 0;
         ++tensor)
      by_name.emplace(NameAt(net_.tensor_names(), tensor), tensor);
    for (std::size_t i = 0; i < SizeOf(net_.output_names()); ++i) {
      const std::string name = NameAt(net_.output_names(), i);
      const auto found = by_name.find(name);
      if (found == by_name.end() || values[found->second] == kNoValue)
        return InvalidModel("nothing makes the output {}", Quote(name.substr(0, 100)));
      tensors.push_back(found->second);
    }
    if (tensors.empty()) tensors = Unread(graph, values);
    for (const std::size_t tensor : tensors)
      graph.AddOutput(NameAt(net_.tensor_names(), tensor), values[tensor]);
    if (graph.outputs().empty()) return InvalidModel("the network has no outputs");
    return {};
  }

  std::vector<std::size_t> Unread(const Graph& graph, const std::vector<ValueId>& values) const {
    std::vector<bool> read(values.size());
    for (std::size_t i = 0; i < SizeOf(net_.ops()); ++i) {
      const schema::Op& op = *net_.ops()->Get(static_cast<flatbuffers::uoffset_t>(i));
      for (std::size_t k = 0; k < SizeOf(op.inputs()); ++k)
        read[static_cast<std::size_t>(op.inputs()->Get(static_cast<flatbuffers::uoffset_t>(k)))] =
            true;
    }
    std::vector<std::size_t> unread;
    for (std::size_t tensor = 0; tensor < values.size(); ++tensor) {
      if (values[tensor] != kNoValue && !read[tensor] &&
          graph.value(values[tensor]).producer != kNoNode)
        unread.push_back(tensor);
    }
    return unread;
  }

  const schema::Net& net_;
  std::size_t file_size_;
  WeightSource weights_;
  std::map<std::string_view, const schema::SubGraph*> subgraphs_;
  std::size_t read_inside_ = 0;
  int depth_ = 0;  // of sub-graphs
};

// A number of the file; nothing beyond its end.
template <class T>
std::optional<T> NumberAt(Bytes bytes, std::uint64_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

// Where field `field` of the table at `table` points; nothing when the file has no such thing.
std::optional<std::uint64_t> FieldOf(Bytes bytes, std::uint64_t table, std::uint64_t field) {
  const auto back = NumberAt<std::int32_t>(bytes, table);
  if (!back || *back == 0) return std::nullopt;
  const auto vtable = static_cast<std::uint64_t>(static_cast<std::int64_t>(table) - *back);
  const auto size = NumberAt<std::uint16_t>(bytes, vtable);
  if (!size || *size % 2 != 0 || *size < 6 + 2 * field || *size > 4 + 2 * 32) return std::nullopt;
  const auto offset = NumberAt<std::uint16_t>(bytes, vtable + 4 + 2 * field);
  if (!offset || *offset == 0) return std::nullopt;
  const auto ahead = NumberAt<std::uint32_t>(bytes, table + *offset);
  if (!ahead || *ahead == 0) return std::nullopt;
  return table + *offset + *ahead;
}

}  // namespace

bool IsMnn(Bytes bytes) {
  constexpr std::uint64_t kOps = 3, kOpOutputs = 4;  // fields of Net and Op
  const auto root = NumberAt<std::uint32_t>(bytes, 0);
  if (!root || *root % 4 != 0 || *root < 4) return false;
  const auto ops = FieldOf(bytes, *root, kOps);
  if (!ops) return false;
  const auto count = NumberAt<std::uint32_t>(bytes, *ops);
  const auto first = NumberAt<std::uint32_t>(bytes, *ops + 4);
  if (!count || !first || *count == 0 || *count > bytes.size() / 4) return false;
  return FieldOf(bytes, *ops + 4 + *first, kOpOutputs).has_value();
}

Result<Graph> Import(Bytes bytes, std::shared_ptr<const void> owner) {
  if (bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE)
    return Unsupported("the file has {} bytes; less than 2 GiB are read", bytes.size());
  // Tables may be shared in a hostile file; more visits than there is room for tables gives it
  // away.
  const auto max_tables = static_cast<flatbuffers::uoffset_t>(
      std::min<std::uint64_t>(bytes.size() / 4 + 1, 50'000'000));
  flatbuffers::Verifier verifier(bytes.data(), bytes.size(), kMaxDepth, max_tables);
  if (!schema::VerifyNetBuffer(verifier))
    return Error(ErrorCode::kCorruptFile,
                 "the file is not a valid flatbuffer: truncated or damaged");
  ATH_TRY(Graph graph, Importer(*schema::GetNet(bytes.data()), bytes, std::move(owner)).Run());
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace athanor::mnn
