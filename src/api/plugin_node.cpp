#include "api/plugin_node.h"

#include <algorithm>
#include <cstring>
#include <exception>

#include "api/caller_struct.h"
#include "core/checked.h"

using athanor::AttrValue;
using athanor::Dim;
using athanor::Dims;
using athanor::DType;
using athanor::Error;
using athanor::ErrorCode;
using athanor::Result;
using athanor::Shape;
using athanor::Status;
using athanor::Tensor;
using athanor::Type;
using athanor::ValueId;

namespace {

constexpr std::int32_t kMostDims = 64;
constexpr std::size_t kMostSizes = 4096;  // different ones of a node that are no numbers
// Behind every output that `run` writes: a plug-in that writes too far is found out.
constexpr std::int64_t kGuardBytes = 64;
constexpr int kGuardByte = 0xA5;

bool IsDType(std::int32_t dtype) { return dtype > ATH_UNDEFINED && dtype <= ATH_C128; }

bool GuardHolds(const Tensor& tensor) {
  const auto* guard = static_cast<const std::uint8_t*>(tensor.raw()) + tensor.bytes();
  return std::all_of(guard, guard + kGuardBytes,
                     [](std::uint8_t byte) { return byte == kGuardByte; });
}

}  // namespace

Status ath_node::Call(Callback callback, void* user, const char* what) {
  ath_status status = 0;
  try {
    status = callback(&athanor::PluginHost(), this, user);
  } catch (const std::exception& exception) {
    return Error(OtherCode(), "its {} threw an exception: {}", what, exception.what());
  } catch (...) {
    return Error(OtherCode(), "its {} threw an exception", what);
  }
  if (!problem_.ok()) return problem_;
  if (status != 0) return Error(OtherCode(), "its {} failed with status {}", what, status);
  return Finish();
}

// What a failure counts as whose number says nothing.
ErrorCode ath_node::OtherCode() const {
  return infer_ != nullptr ? ErrorCode::kInvalidModel
         : run_ != nullptr ? ErrorCode::kDataError
                           : ErrorCode::kUnsupported;
}

Status ath_node::Finish() {
  if (run_ != nullptr) return CheckOutputs();
  if (open_)
    return Error(ErrorCode::kUnsupported, "its converter begins a node {} and does not end it",
                 open_->op);
  for (std::size_t i = 0; infer_ != nullptr && i < infer_->num_outputs(); ++i) {
    if (!infer_->out[i].IsTensor())
      return Error(ErrorCode::kInvalidModel, "its infer says nothing of output {}", i);
  }
  return {};
}

Status ath_node::CheckOutputs() {
  for (std::size_t i = 0; i < run_->num_outputs(); ++i) {
    if (!run_->out[i].IsTensor())
      return Error(ErrorCode::kDataError, "its run makes no output {}", i);
    const Tensor& output = run_->Out(i);
    if (output.dtype() == DType::kString) continue;
    if (!GuardHolds(output))
      return Error(ErrorCode::kDataError,
                   "its run wrote beyond the end of output {}, which has {} bytes", i,
                   output.bytes())
          .Fix("stop using this plug-in: other memory may be damaged as well");
    Status codes = athanor::CheckCodes(output);
    if (!codes.ok())
      return Error(ErrorCode::kDataError, "output {} of its run: {}", i, codes.message());
  }
  return {};
}

std::size_t ath_node::num_inputs() const {
  return infer_ != nullptr ? infer_->num_inputs()
         : run_ != nullptr ? run_->num_inputs()
                           : convert_->inputs.size();
}

std::size_t ath_node::num_outputs() const {
  return infer_ != nullptr ? infer_->num_outputs()
         : run_ != nullptr ? run_->num_outputs()
                           : convert_->num_outputs;
}

ath_status ath_node::Fail(Status problem) {
  const auto code = static_cast<ath_status>(problem.code());
  if (problem_.ok()) problem_ = std::move(problem);
  return code;
}

ath_status ath_node::Say(ath_status code, const char* message) {
  const auto& known = athanor::AllErrorCodes();
  const bool is_known = std::any_of(known.begin(), known.end(), [&](const auto& info) {
    return static_cast<ath_status>(info.code) == code;
  });
  return Fail(Status(is_known ? static_cast<ErrorCode>(code) : OtherCode(),
                     message == nullptr ? "the plug-in does not say why" : message));
}

Status ath_node::CheckIndex(const char* what, std::int32_t index, std::size_t count) const {
  if (index >= 0 && static_cast<std::size_t>(index) < count) return {};
  return Error(OtherCode(), "the plug-in asks for {} {}, of which there are {}", what, index,
               count);
}

Status ath_node::Expect(bool right_callback, const char* function) const {
  if (right_callback) return {};
  return Error(OtherCode(), "the plug-in calls {}, which is not for this callback", function);
}

// ---- what callbacks see

std::int64_t ath_node::NumberOf(const Dim& size) {
  if (size.IsConst()) return size.value();
  if (size.IsUnknown()) return -1;
  const auto found = std::find(sizes_.begin(), sizes_.end(), size);
  const auto at = found - sizes_.begin();
  if (found == sizes_.end()) {
    if (sizes_.size() == kMostSizes) return -1;
    sizes_.push_back(size);
  }
  return -2 - at;
}

const char* const* ath_node::Texts(std::span<const std::string> strings) {
  std::vector<const char*>& texts = texts_.emplace_back();
  for (const std::string& text : strings) texts.push_back(text.c_str());
  return texts.data();
}

const float* ath_node::Floats(std::span<const std::int64_t> whole) {
  std::vector<float>& floats = floats_.emplace_back();
  for (const std::int64_t number : whole) floats.push_back(static_cast<float>(number));
  return floats.data();
}

Status ath_node::Show(const Type& type, const Tensor* value, ath_tensor* into) {
  if (into == nullptr) return Error(OtherCode(), "the plug-in passes NULL for a tensor");
  ATH_RETURN_IF_ERROR(
      athanor::CheckStructSize("ath_tensor", into->struct_size, athanor::kTensorSize));
  std::vector<std::int64_t>& dims = dims_.emplace_back();
  if (type.HasRank()) {
    for (const Dim& size : *type.shape) dims.push_back(NumberOf(size));
  }
  const void* data = value == nullptr ? nullptr : value->raw();
  if (value != nullptr && value->dtype() == DType::kString)
    data = Texts(value->Data<std::string>());
  const ath_tensor full = {into->struct_size, static_cast<std::int32_t>(type.dtype),
                           type.HasRank() ? static_cast<std::int32_t>(dims.size()) : -1,
                           dims.data(), data};
  std::memcpy(into, &full, std::min<std::size_t>(into->struct_size, sizeof(full)));
  return {};
}

Status ath_node::Show(const Tensor& tensor, ath_tensor* into) {
  return Show(Type::Of(tensor), &tensor, into);
}

Status ath_node::Input(std::int32_t index, ath_tensor* tensor) {
  // Trailing inputs that are left out are not in the list.
  if (index < 0) return CheckIndex("input", index, num_inputs());
  const auto i = static_cast<std::size_t>(index);
  if (infer_ != nullptr && infer_->Has(i)) return Show(infer_->In(i), infer_->Const(i), tensor);
  if (run_ != nullptr && run_->Has(i)) return Show(run_->In(i), tensor);
  if (convert_ != nullptr && i < convert_->inputs.size() &&
      convert_->inputs[i] != athanor::kNoValue)
    return TypeOf(static_cast<ath_value>(convert_->inputs[i]), tensor);
  return Show(Type(), nullptr, tensor);
}

// ---- infer and run

Status ath_node::SetOutput(std::int32_t index, std::int32_t dtype, std::int32_t rank,
                           const std::int64_t* dims) {
  ATH_RETURN_IF_ERROR(Expect(infer_ != nullptr || makes_outputs_, "set_output"));
  ATH_RETURN_IF_ERROR(CheckIndex("output", index, num_outputs()));
  const auto at = static_cast<std::size_t>(index);
  if (!IsDType(dtype))
    return Error(OtherCode(), "the plug-in gives output {} element type {}, which is none", index,
                 dtype);
  if (rank < -1 || rank > kMostDims || (rank > 0 && dims == nullptr))
    return Error(OtherCode(), "the plug-in gives output {} rank {}{}; -1 to {} are accepted", index,
                 rank, rank > 0 && dims == nullptr ? " and no dims" : "", kMostDims);
  if (run_ != nullptr) {
    if (rank < 0) return Error(OtherCode(), "the plug-in makes output {} without a rank", index);
    return AllocateGuarded(at, static_cast<DType>(dtype), Dims(dims, dims + rank));
  }
  if (rank < 0) {
    infer_->out[at] = Type::TensorOfUnknownRank(static_cast<DType>(dtype));
    return {};
  }
  Shape shape;
  for (std::int32_t i = 0; i < rank; ++i) {
    const std::int64_t number = dims[i];
    if (number < -1 - static_cast<std::int64_t>(sizes_.size()))
      return Error(OtherCode(),
                   "the plug-in gives output {} size {} along axis {}, which no input "
                   "has",
                   index, number, i);
    shape.push_back(number >= 0    ? Dim(number)
                    : number == -1 ? Dim::Unknown()
                                   : sizes_[static_cast<std::size_t>(-2 - number)]);
  }
  Type type = Type::Tensor(static_cast<DType>(dtype), std::move(shape));
  if (const auto known = type.StaticDims()) {
    const auto count = athanor::CheckedCount(*known);
    if (!count || !athanor::CheckedMul(*count, std::int64_t{16}))
      return Error(OtherCode(), "the plug-in gives output {} shape {}, which is too large", index,
                   athanor::ToString(*known));
  }
  infer_->out[at] = std::move(type);
  return {};
}

Status ath_node::AllocateGuarded(std::size_t index, DType dtype, Dims dims) {
  if (dtype == DType::kString) return run_->Allocate(index, dtype, std::move(dims));
  const auto count = athanor::CheckedCount(dims);
  const auto bytes =
      count ? athanor::CheckedMul(*count, static_cast<std::int64_t>(athanor::ElementBytes(dtype)))
            : std::nullopt;
  const auto with_guard = bytes ? athanor::CheckedAdd(*bytes, kGuardBytes) : std::nullopt;
  if (!with_guard)
    return Error(OtherCode(),
                 "the plug-in gives output {} shape {}, which is negative or too large", index,
                 athanor::ToString(dims));
  ATH_TRY(Tensor memory, Tensor::Allocate(DType::kU8, {*with_guard}));
  std::memset(static_cast<std::byte*>(memory.mutable_raw()) + *bytes, kGuardByte, kGuardBytes);
  run_->out[index] = Tensor::View(dtype, std::move(dims), memory.raw(), memory.owner());
  return {};
}

Status ath_node::Output(std::int32_t index, ath_tensor* shape, void** data) {
  ATH_RETURN_IF_ERROR(Expect(run_ != nullptr, "output"));
  ATH_RETURN_IF_ERROR(CheckIndex("output", index, num_outputs()));
  athanor::Datum& output = run_->out[static_cast<std::size_t>(index)];
  if (!output.IsTensor())
    return Error(OtherCode(), "the plug-in writes output {} before set_output makes it", index);
  if (shape != nullptr) ATH_RETURN_IF_ERROR(Show(Type::Of(output.tensor()), nullptr, shape));
  const bool is_text = output.tensor().dtype() == DType::kString;
  *data = is_text ? nullptr : output.tensor().mutable_raw();
  return {};
}

Status ath_node::SetString(std::int32_t index, std::int64_t element, const char* text) {
  ATH_RETURN_IF_ERROR(Expect(run_ != nullptr, "set_string"));
  ATH_RETURN_IF_ERROR(CheckIndex("output", index, num_outputs()));
  athanor::Datum& output = run_->out[static_cast<std::size_t>(index)];
  if (!output.IsTensor() || output.tensor().dtype() != DType::kString)
    return Error(OtherCode(), "the plug-in sets a text of output {}, which has none", index);
  if (element < 0 || element >= output.tensor().count() || text == nullptr)
    return Error(OtherCode(), "the plug-in sets text {} of output {}, which has {}", element, index,
                 output.tensor().count());
  output.tensor().MutableData<std::string>()[static_cast<std::size_t>(element)] = text;
  return {};
}

// ---- convert

Result<ValueId> ath_node::Known(ath_value value) const {
  const auto id = static_cast<ValueId>(value);
  const auto is_one_of = [&](const std::vector<ValueId>& values) {
    return std::find(values.begin(), values.end(), id) != values.end();
  };
  if (value >= 0 && value < ath_value{0xFFFFFFFF} &&
      (is_one_of(convert_->inputs) || is_one_of(made_)))
    return id;
  return Error(OtherCode(), "the plug-in uses value {}, which is no input and was not made by it",
               value);
}

Result<ath_value> ath_node::Value(std::int32_t index) const {
  ATH_RETURN_IF_ERROR(Expect(convert_ != nullptr, "value"));
  if (index < 0) return CheckIndex("input", index, num_inputs());
  const auto i = static_cast<std::size_t>(index);
  if (i >= convert_->inputs.size() || convert_->inputs[i] == athanor::kNoValue) return ATH_NO_VALUE;
  return static_cast<ath_value>(convert_->inputs[i]);
}

Status ath_node::TypeOf(ath_value value, ath_tensor* into) {
  ATH_RETURN_IF_ERROR(Expect(convert_ != nullptr, "type_of"));
  ATH_TRY(const ValueId id, Known(value));
  return Show(convert_->graph.value(id).type, convert_->graph.Constant(id), into);
}

Result<ath_value> ath_node::Constant(const ath_tensor* tensor) {
  ATH_RETURN_IF_ERROR(Expect(convert_ != nullptr, "constant"));
  if (tensor == nullptr) return Error(OtherCode(), "the plug-in passes NULL for a constant");
  ATH_TRY(const Tensor view, athanor::ImportTensor(*tensor));
  ATH_TRY(Tensor copy, view.Clone());
  made_.push_back(convert_->graph.AddConstant(std::move(copy)));
  return static_cast<ath_value>(made_.back());
}

Status ath_node::Begin(const char* op) {
  ATH_RETURN_IF_ERROR(Expect(convert_ != nullptr, "begin"));
  if (open_ || op == nullptr)
    return Error(OtherCode(), "the plug-in begins a node {}",
                 open_ ? "before the one before has ended" : "without an operator");
  open_ = Open{op, {}, {}};
  return {};
}

Status ath_node::AddInput(ath_value value) {
  ATH_RETURN_IF_ERROR(Expect(convert_ != nullptr && open_, "add_input"));
  if (value == ATH_NO_VALUE) {
    open_->inputs.push_back(athanor::kNoValue);
    return {};
  }
  ATH_TRY(const ValueId id, Known(value));
  open_->inputs.push_back(id);
  return {};
}

Status ath_node::Put(const char* name, AttrValue value) {
  ATH_RETURN_IF_ERROR(Expect(convert_ != nullptr && open_, "put_..."));
  if (name == nullptr) return Error(OtherCode(), "the plug-in puts an attribute without a name");
  open_->attributes.Set(name, std::move(value));
  return {};
}

Status ath_node::End(ath_value* outputs, std::int32_t count) {
  ATH_RETURN_IF_ERROR(Expect(convert_ != nullptr && open_, "end"));
  if (count < 1 || outputs == nullptr)
    return Error(OtherCode(), "the plug-in ends a node with {} outputs", count);
  Open node = *std::move(open_);
  open_.reset();
  while (!node.inputs.empty() && node.inputs.back() == athanor::kNoValue) node.inputs.pop_back();
  ATH_TRY(const athanor::OpDef* const op, convert_->graph.catalog().Lookup(node.op));
  athanor::Widen(*op, node.attributes);
  ATH_TRY(const athanor::NodeId id,
          convert_->graph.AddNode({.op = node.op,
                                   .inputs = std::move(node.inputs),
                                   .attributes = std::move(node.attributes),
                                   .num_outputs = static_cast<std::size_t>(count),
                                   .name = convert_->name}));
  for (const ValueId output : convert_->graph.node(id).outputs) {
    *outputs++ = static_cast<ath_value>(output);
    made_.push_back(output);
  }
  return {};
}

Status ath_node::Give(std::int32_t index, ath_value value) {
  ATH_RETURN_IF_ERROR(Expect(convert_ != nullptr, "give"));
  ATH_RETURN_IF_ERROR(CheckIndex("output", index, num_outputs()));
  ATH_TRY(const ValueId id, Known(value));
  convert_->outputs.resize(num_outputs(), athanor::kNoValue);
  convert_->outputs[static_cast<std::size_t>(index)] = id;
  return {};
}
