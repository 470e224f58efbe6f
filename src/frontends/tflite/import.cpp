#include "frontends/tflite/import.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/flatbuffer.h"
#include "frontends/foreign.h"
#include "frontends/tflite/op_import.h"
#include "frontends/tflite/tensor_type.h"
#include "ops/catalog.h"

namespace athanor::tflite {
namespace {

constexpr int kMaxDepth = 16;  // of tables within tables
constexpr std::size_t kMaxRank = 16;
constexpr std::size_t kMaxProblems = 100;

using Bytes = std::span<const std::uint8_t>;

// "CONV_2D", or a number for one beyond the schema.
std::string NameOf(const schema::OperatorCode& code) {
  if (CodeOf(code) == schema::BuiltinOperator_CUSTOM)
    return "custom " + Quote(TextOf(code.custom_code()));
  const std::string_view name = schema::EnumNameBuiltinOperator(CodeOf(code));
  return name.empty() ? fmt::format("number {}", static_cast<int>(CodeOf(code)))
                      : std::string(name);
}

// What the graphs of one file share.
struct Source {
  const schema::Model& model;
  Bytes file;
  std::shared_ptr<const void> owner;
  bool states = false;  // are inputs and outputs
  // Graphs within graphs may name the same one again and again; files have far fewer operators.
  std::size_t operators_left = 1 << 20;
};

// Adds one graph of the file to a graph of ours.
class Importer : public Subgraphs, public States {
 public:
  // `depth`: how many graphs of the file this one stands in.
  Importer(Source& source, Graph& graph, int depth)
      : source_(source), model_(source.model), file_(source.file), graph_(graph), depth_(depth) {}

  Status Run() {
    if (model_.version() != 3)
      return Error(ErrorCode::kUnsupported, "schema version {} is not read; 3 is",
                   model_.version());
    ATH_RETURN_IF_ERROR(Prepare(0));
    ATH_RETURN_IF_ERROR(AddInputs());
    ATH_RETURN_IF_ERROR(AddOperators());
    ATH_RETURN_IF_ERROR(AddOutputs());
    for (const auto& [name, value] : ended_) graph_.AddOutput(name + ".next", value);
    return {};
  }

  bool AreInputs() const override { return source_.states; }
  Result<ValueId> Begin(Graph& graph, const std::string& name, const Zero& zero) override {
    if (!source_.states) {
      ATH_TRY(Tensor tensor, Tensor::Allocate(zero.dtype, zero.dims));
      const std::size_t count = static_cast<std::size_t>(tensor.count());
      if (count > 0) std::memset(tensor.mutable_raw(), zero.byte, count * ElementBytes(zero.dtype));
      return graph.AddConstant(std::move(tensor), name);
    }
    if (depth_ > 0)
      return Unsupported("state \"{}\" within a graph that another runs is no input (--states)",
                         name);
    if (std::find(begun_.begin(), begun_.end(), name) != begun_.end())
      return Unsupported("two operators share the state \"{}\"; one each is read", name);
    begun_.push_back(name);
    return graph.AddInput(name,
                          Type::Tensor(zero.dtype, Shape(zero.dims.begin(), zero.dims.end())));
  }

  Status End(Graph& /*graph*/, const std::string& name, ValueId value) override {
    if (source_.states) ended_.emplace_back(name, value);
    return {};
  }

  Result<std::vector<Type>> InputTypes(std::int32_t index) override {
    Importer inner(source_, graph_, depth_ + 1);
    ATH_RETURN_IF_ERROR(inner.Prepare(index));
    std::vector<Type> types;
    for (const std::int32_t tensor : ListOf<std::int32_t>(inner.subgraph_->inputs())) {
      ATH_TRY(const std::size_t i, inner.Index(tensor));
      types.push_back(Type::Tensor(inner.infos_[i].dtype, inner.infos_[i].shape));
    }
    return types;
  }

  Result<std::vector<ValueId>> Inline(std::int32_t index, Graph& graph,
                                      const std::vector<ValueId>& inputs) override {
    Importer inner(source_, graph, depth_ + 1);
    Result<std::vector<ValueId>> outputs = inner.RunInside(index, inputs);
    if (outputs.ok()) return outputs;
    return std::move(outputs).status().In(fmt::format("graph {}", index));
  }

 private:
  Result<std::vector<ValueId>> RunInside(std::int32_t index, const std::vector<ValueId>& inputs) {
    ATH_RETURN_IF_ERROR(Prepare(index));
    const auto tensors = ListOf<std::int32_t>(subgraph_->inputs());
    if (tensors.size() != inputs.size())
      return InvalidModel("{} inputs are given, {} expected", inputs.size(), tensors.size());
    for (std::size_t n = 0; n < tensors.size(); ++n) {
      ATH_TRY(const std::size_t i, Index(tensors[n]));
      if (values_[i] != kNoValue) return InvalidModel("tensor {} is an input twice", i);
      if (graph_.value(inputs[n]).type.dtype != infos_[i].dtype)
        return InvalidModel("input {} is {}, {} is given", n, Name(infos_[i].dtype),
                            graph_.value(inputs[n]).type.ToString());
      values_[i] = inputs[n];
    }
    ATH_RETURN_IF_ERROR(AddOperators());
    std::vector<ValueId> outputs;
    for (const std::int32_t tensor : ListOf<std::int32_t>(subgraph_->outputs())) {
      ATH_TRY(const std::size_t i, Index(tensor));
      ATH_TRY(const ValueId value, ValueOf(i));
      if (value == kNoValue) return Unsupported("output {} is a variable", i);
      outputs.push_back(value);
    }
    return outputs;
  }

  Status Prepare(std::int32_t index) {
    if (index < 0 || static_cast<std::size_t>(index) >= SizeOf(model_.subgraphs()) ||
        model_.subgraphs()->Get(static_cast<flatbuffers::uoffset_t>(index)) == nullptr)
      return InvalidModel("there is no graph {} in the file", index);
    if (depth_ > kMaxDepth)
      return InvalidModel("graphs stand within graphs more than {} deep", kMaxDepth);
    subgraph_ = model_.subgraphs()->Get(static_cast<flatbuffers::uoffset_t>(index));
    if (SizeOf(subgraph_->operators()) + SizeOf(subgraph_->tensors()) > source_.operators_left)
      return Error(ErrorCode::kResource, "the graphs within graphs have too many operators");
    source_.operators_left -= SizeOf(subgraph_->operators()) + SizeOf(subgraph_->tensors());
    ATH_RETURN_IF_ERROR(CheckVisits());
    ATH_RETURN_IF_ERROR(CheckOperators());
    return ReadTensors();
  }

  Status AddOperators() {
    for (std::size_t i = 0; i < SizeOf(subgraph_->operators()); ++i) {
      Status status = AddOperator(i);
      if (!status.ok()) return std::move(status).In(PlaceOf(i));
    }
    return {};
  }

  const schema::Operator* OperatorAt(std::size_t i) const {
    return subgraph_->operators()->Get(static_cast<flatbuffers::uoffset_t>(i));
  }
  const schema::OperatorCode* CodeAt(std::size_t i) const {
    const schema::Operator* op = OperatorAt(i);
    if (op->opcode_index() >= SizeOf(model_.operator_codes())) return nullptr;
    return model_.operator_codes()->Get(op->opcode_index());
  }
  std::string PlaceOf(std::size_t i) const {
    const schema::OperatorCode* code = CodeAt(i);
    return fmt::format("operator {} ({})", i, code == nullptr ? "?" : NameOf(*code));
  }

  // Lists may be shared in a hostile file; more entries than it has room for give it away.
  Status CheckVisits() const {
    std::uint64_t entries = SizeOf(subgraph_->inputs()) + SizeOf(subgraph_->outputs());
    for (std::size_t i = 0; i < SizeOf(subgraph_->operators()); ++i)
      entries += SizeOf(OperatorAt(i)->inputs()) + SizeOf(OperatorAt(i)->outputs()) +
                 SizeOf(OperatorAt(i)->intermediates());
    for (std::size_t i = 0; i < SizeOf(subgraph_->tensors()); ++i) {
      const auto* tensor = subgraph_->tensors()->Get(static_cast<flatbuffers::uoffset_t>(i));
      entries += SizeOf(tensor->shape()) + SizeOf(tensor->shape_signature());
      entries += SizeOf(tensor->name()) / 4;
      if (tensor->quantization() != nullptr)
        entries +=
            SizeOf(tensor->quantization()->scale()) + SizeOf(tensor->quantization()->zero_point());
    }
    // Writers may let tensors share scales; 16 times is far beyond what they do.
    if (entries <= 4 * file_.size() + (1U << 16)) return {};
    return Error(ErrorCode::kCorruptFile, "its lists name more entries than the file has bytes");
  }

  // Every operator of the file that is not read, each kind once, before anything else is said.
  Status CheckOperators() const {
    struct Unknown {
      const schema::OperatorCode* code = nullptr;
      std::size_t first = 0, count = 0;
    };
    std::map<std::string, Unknown> unknown;
    for (std::size_t i = 0; i < SizeOf(subgraph_->operators()); ++i) {
      const schema::OperatorCode* code = CodeAt(i);
      if (code == nullptr)
        return InvalidModel("operator {} has code {}, of which there are {}", i,
                            OperatorAt(i)->opcode_index(), SizeOf(model_.operator_codes()));
      if (FindMake(*code) != nullptr) continue;
      Unknown& kind = unknown[NameOf(*code)];
      if (kind.count++ == 0) kind.code = code, kind.first = i;
    }
    std::vector<std::string> known;
    for (const CustomRow& row : CustomTable()) known.emplace_back(row.name);
    std::vector<Status> problems;
    for (const auto& [name, kind] : unknown) {
      if (problems.size() == kMaxProblems) break;
      const bool is_custom = CodeOf(*kind.code) == schema::BuiltinOperator_CUSTOM;
      problems.push_back(
          Error(ErrorCode::kUnknownOperator, "operator {} is not read ({} {}){}", name, kind.count,
                kind.count == 1 ? "use" : "uses",
                is_custom ? DidYouMean(TextOf(kind.code->custom_code()), known) : "")
              .In(PlaceOf(kind.first))
              .Fix(is_custom ? ForeignFix("tflite", ForeignName(*kind.code))
                             : "convert the network to ONNX instead: python -m tf2onnx.convert "
                               "--tflite model.tflite --output model.onnx"));
    }
    return Status::All(std::move(problems));
  }

  Status ReadTensors() {
    const std::size_t count = SizeOf(subgraph_->tensors());
    infos_.resize(count);
    values_.assign(count, kNoValue);
    for (std::size_t i = 0; i < count; ++i) {
      Status status = ReadTensor(i);
      if (!status.ok()) return std::move(status).In(fmt::format("tensor {}", i));
    }
    return {};
  }

  const schema::Tensor& TensorAt(std::size_t i) const {
    return *subgraph_->tensors()->Get(static_cast<flatbuffers::uoffset_t>(i));
  }

  Status ReadTensor(std::size_t i) {
    const schema::Tensor& tensor = TensorAt(i);
    TensorInfo& info = infos_[i];
    info.name = TextOf(tensor.name());
    info.is_variable = tensor.is_variable();
    ATH_TRY(info.dtype, DTypeOf(tensor.type()));
    if (tensor.sparsity() != nullptr)
      return Unsupported("sparse weights are not read; dense ones are");
    auto sizes = ListOf<std::int64_t>(tensor.shape());
    const auto signature = ListOf<std::int64_t>(tensor.shape_signature());
    if (signature.size() == sizes.size()) sizes = signature;
    if (sizes.size() > kMaxRank)
      return InvalidModel("rank {} is not read; at most {} is", sizes.size(), kMaxRank);
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
      if (sizes[axis] < -1) return InvalidModel("size {} of axis {}", sizes[axis], axis);
      // Within other graphs the same name need not be the same size.
      const Dim open = depth_ > 0
                           ? Dim::Unknown()
                           : Dim::Symbol(fmt::format("{}_{}", info.name.substr(0, 100), axis));
      info.shape.push_back(sizes[axis] >= 0 ? Dim(sizes[axis]) : open);
    }
    return ReadQuantization(tensor, info);
  }

  static Status ReadQuantization(const schema::Tensor& tensor, TensorInfo& info) {
    const schema::QuantizationParameters* from = tensor.quantization();
    // Floating-point tensors may carry the scale they had while training.
    if (from == nullptr || !IsInteger(info.dtype)) return {};
    if (from->details_type() != 0)
      return Unsupported(
          "quantisation of a kind of its own is not read; by scale and zero point is");
    Quantization& quantization = info.quantization;
    quantization.scales = ListOf<float>(from->scale());
    quantization.zero_points = ListOf<std::int64_t>(from->zero_point());
    // Some writers give a bias the axis of its weights; a vector has only one.
    const bool has_axis = quantization.scales.size() > 1 && info.shape.size() > 1;
    quantization.axis = has_axis ? from->quantized_dimension() : 0;
    if (quantization.zero_points.empty())
      quantization.zero_points.assign(quantization.scales.size(), 0);
    if (quantization.zero_points.size() == 1)
      quantization.zero_points.resize(std::max<std::size_t>(quantization.scales.size(), 1),
                                      quantization.zero_points[0]);
    if (quantization.scales.empty()) return {};
    if (quantization.zero_points.size() != quantization.scales.size())
      return InvalidModel("{} scales and {} zero points", quantization.scales.size(),
                          quantization.zero_points.size());
    for (const float scale : quantization.scales) {
      if (!(scale > 0) || !std::isfinite(scale))
        return InvalidModel("scale {} is no positive number", scale);
    }
    return {};
  }

  // The bytes of a tensor's buffer; none for a value that operators make.
  Result<Bytes> DataOf(const schema::Tensor& tensor) const {
    if (tensor.buffer() >= SizeOf(model_.buffers())) {
      if (tensor.buffer() == 0) return Bytes();
      return InvalidModel("buffer {} is named, of which there are {}", tensor.buffer(),
                          SizeOf(model_.buffers()));
    }
    const schema::Buffer& buffer = *model_.buffers()->Get(tensor.buffer());
    if (buffer.offset() > 1) {
      if (buffer.offset() > file_.size() || buffer.size() > file_.size() - buffer.offset())
        return Error(ErrorCode::kCorruptFile, "buffer {} reaches beyond the end of the file",
                     tensor.buffer());
      return file_.subspan(buffer.offset(), buffer.size());
    }
    if (buffer.data() == nullptr) return Bytes();
    return Bytes(buffer.data()->Data(), buffer.data()->size());
  }

  Result<Tensor> ReadConstant(std::size_t i, Bytes data) const {
    const TensorInfo& info = infos_[i];
    const auto dims = Type::Tensor(info.dtype, info.shape).StaticDims();
    const auto count = dims ? CheckedCount(*dims) : std::nullopt;
    if (!count) return InvalidModel("a constant has shape {}", ToString(info.shape));
    const std::size_t bits = ElementBits(info.dtype);
    const auto needed = CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(*count), bits);
    if (!needed || (*needed + 7) / 8 != data.size())
      return InvalidModel("{} of shape {} has {} bytes of data", Name(info.dtype),
                          ToString(info.shape), data.size());
    if (bits < 8) return UnpackBits(info.dtype, *dims, data);
    const std::size_t width = ElementBytes(info.dtype);
    if (reinterpret_cast<std::uintptr_t>(data.data()) % width == 0)
      return Tensor::View(info.dtype, *dims, data.data(), source_.owner);
    ATH_TRY(Tensor copy, Tensor::Allocate(info.dtype, *dims));
    if (!data.empty()) std::memcpy(copy.mutable_raw(), data.data(), data.size());
    return copy;
  }

  // The value of a tensor: made by an operator before, or constant.
  Result<ValueId> ValueOf(std::size_t i) {
    if (values_[i] != kNoValue || infos_[i].is_variable) return values_[i];
    ATH_TRY(const Bytes data, DataOf(TensorAt(i)));
    const bool is_empty = std::any_of(infos_[i].shape.begin(), infos_[i].shape.end(),
                                      [](const Dim& dim) { return dim.Is(0); });
    if (data.empty() && !is_empty)
      return InvalidModel("tensor {} (\"{}\") is used before an operator makes it", i,
                          infos_[i].name);
    ATH_TRY(Tensor constant, ReadConstant(i, data));
    values_[i] = graph_.AddConstant(std::move(constant), infos_[i].name);
    return values_[i];
  }

  Result<std::size_t> Index(std::int32_t tensor) const {
    if (tensor >= 0 && static_cast<std::size_t>(tensor) < infos_.size())
      return static_cast<std::size_t>(tensor);
    return InvalidModel("tensor {} is named, of which there are {}", tensor, infos_.size());
  }

  Status AddInputs() {
    for (const std::int32_t tensor : ListOf<std::int32_t>(subgraph_->inputs())) {
      ATH_TRY(const std::size_t i, Index(tensor));
      if (values_[i] != kNoValue) return InvalidModel("tensor {} is an input twice", i);
      values_[i] = graph_.AddInput(infos_[i].name, Type::Tensor(infos_[i].dtype, infos_[i].shape));
    }
    return {};
  }

  Status AddOutputs() {
    for (const std::int32_t tensor : ListOf<std::int32_t>(subgraph_->outputs())) {
      ATH_TRY(const std::size_t i, Index(tensor));
      ATH_TRY(const ValueId value, ValueOf(i));
      if (value == kNoValue) return Unsupported("output {} is a variable", i);
      graph_.AddOutput(infos_[i].name, value);
    }
    return {};
  }

  Status AddOperator(std::size_t index) {
    const schema::Operator& op = *OperatorAt(index);
    std::vector<OpImport::Port> inputs;
    for (const std::int32_t tensor : ListOf<std::int32_t>(op.inputs())) {
      if (tensor == -1) {
        inputs.emplace_back();
        continue;
      }
      ATH_TRY(const std::size_t i, Index(tensor));
      ATH_TRY(const ValueId value, ValueOf(i));
      std::string state;
      if (infos_[i].is_variable)
        state = infos_[i].name.empty() ? fmt::format("state_{}", i) : infos_[i].name;
      inputs.push_back({value, &infos_[i], std::move(state)});
    }
    std::vector<std::size_t> results;
    std::vector<const TensorInfo*> outputs;
    for (const std::int32_t tensor : ListOf<std::int32_t>(op.outputs())) {
      ATH_TRY(const std::size_t i, Index(tensor));
      if (values_[i] != kNoValue || infos_[i].is_variable)
        return InvalidModel("tensor {} (\"{}\") has a value already", i, infos_[i].name);
      results.push_back(i);
      outputs.push_back(&infos_[i]);
    }
    if (results.empty()) return InvalidModel("it has no outputs");
    const std::string& name = infos_[results[0]].name;
    OpImport ctx(graph_, op, name, std::move(inputs), std::move(outputs));
    for (const std::int32_t tensor : ListOf<std::int32_t>(op.intermediates())) {
      ATH_TRY(const std::size_t i, Index(tensor));
      ctx.intermediates.push_back(&infos_[i]);
    }
    ctx.subgraphs = this;
    ctx.states = this;
    ctx.file_op = ForeignName(*CodeAt(index));
    ATH_RETURN_IF_ERROR(FindMake(*CodeAt(index))(ctx));
    for (std::size_t o = 0; o < results.size(); ++o) {
      if (ctx.outputs[o] == kNoValue) continue;
      values_[results[o]] = ctx.outputs[o];
      if (graph_.value(ctx.outputs[o]).producer != kNoNode)
        graph_.SetName(ctx.outputs[o], infos_[results[o]].name);
    }
    return {};
  }

  Source& source_;
  const schema::Model& model_;
  Bytes file_;
  Graph& graph_;
  int depth_;
  const schema::SubGraph* subgraph_ = nullptr;
  std::vector<TensorInfo> infos_;
  std::vector<ValueId> values_;                         // by tensor
  std::vector<std::string> begun_;                      // states that are inputs
  std::vector<std::pair<std::string, ValueId>> ended_;  // and outputs
};

}  // namespace

schema::BuiltinOperator CodeOf(const schema::OperatorCode& code) {
  return std::max(code.builtin_code(),
                  static_cast<schema::BuiltinOperator>(code.deprecated_builtin_code()));
}

namespace {

MakeFunction FindCustom(std::string_view name) {
  for (const CustomRow& row : CustomTable()) {
    if (row.name == name) return row.make;
  }
  return nullptr;
}

}  // namespace

std::string ForeignName(const schema::OperatorCode& code) {
  if (CodeOf(code) == schema::BuiltinOperator_CUSTOM) return TextOf(code.custom_code());
  return schema::EnumNameBuiltinOperator(CodeOf(code));
}

MakeFunction FindMake(const schema::OperatorCode& code) {
  if (CodeOf(code) == schema::BuiltinOperator_CUSTOM) {
    if (const MakeFunction make = FindCustom(TextOf(code.custom_code()))) return make;
  } else if (const Row* row = FindRow(CodeOf(code))) {
    return row->make;
  }
  return IsForeign("tflite", ForeignName(code)) ? ReadForeignOperator : nullptr;
}

bool Reads(std::string_view op) {
  if (FindCustom(op) != nullptr) return true;
  return std::any_of(Table().begin(), Table().end(), [&](const Row& row) {
    return op == schema::EnumNameBuiltinOperator(row.code);
  });
}

Result<DType> DTypeOf(schema::TensorType type) {
  static constexpr std::pair<schema::TensorType, DType> kTypes[] = {
      {schema::TensorType_FLOAT32, DType::kF32}, {schema::TensorType_FLOAT16, DType::kF16},
      {schema::TensorType_INT32, DType::kI32},   {schema::TensorType_UINT8, DType::kU8},
      {schema::TensorType_INT64, DType::kI64},   {schema::TensorType_BOOL, DType::kBool},
      {schema::TensorType_INT16, DType::kI16},   {schema::TensorType_INT8, DType::kI8},
      {schema::TensorType_FLOAT64, DType::kF64}, {schema::TensorType_UINT64, DType::kU64},
      {schema::TensorType_UINT32, DType::kU32},  {schema::TensorType_UINT16, DType::kU16},
      {schema::TensorType_INT4, DType::kI4},     {schema::TensorType_BFLOAT16, DType::kBF16},
  };
  for (const auto& [from, to] : kTypes) {
    if (from == type) return to;
  }
  const std::string_view name = schema::EnumNameTensorType(type);
  return Unsupported("element type {} is not read",
                     name.empty() ? std::to_string(static_cast<int>(type)) : std::string(name));
}

bool IsTflite(Bytes bytes) {
  return bytes.size() >= 8 && std::memcmp(bytes.data() + 4, "TFL3", 4) == 0;
}

Result<Graph> Import(Bytes bytes, std::shared_ptr<const void> owner, bool states) {
  if (!IsTflite(bytes)) return Error(ErrorCode::kCorruptFile, "this is not a TFLite model");
  // Tables may be shared in a hostile file; more visits than there is room for tables gives it
  // away.
  const auto max_tables = static_cast<flatbuffers::uoffset_t>(
      std::min<std::uint64_t>(bytes.size() / 4 + 1, 50'000'000));
  // Weights may stand behind the flatbuffer, which itself has less than 2 GiB.
  const std::size_t structure =
      std::min<std::size_t>(bytes.size(), FLATBUFFERS_MAX_BUFFER_SIZE - 1);
  flatbuffers::Verifier verifier(bytes.data(), structure, kMaxDepth, max_tables);
  if (!schema::VerifyModelBuffer(verifier))
    return Error(ErrorCode::kCorruptFile,
                 "the file is not a valid flatbuffer: truncated or damaged");
  Graph graph(ops::Standard());
  Source source = {*schema::GetModel(bytes.data()), bytes, std::move(owner), states};
  ATH_RETURN_IF_ERROR(Importer(source, graph, 0).Run());
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace athanor::tflite
