#include "serve/grpc_tensors.h"

#include "serve/datatype.h"
#include "serve/v2_json.h"

namespace athanor::serve {
namespace {

using inference::InferParameter;
using inference::InferTensorContents;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

// A parameter that may come as either kind of whole number.
std::optional<std::uint64_t> WholeNumber(const Parameters& parameters, const std::string& key) {
  const auto found = parameters.find(key);
  if (found == parameters.end()) return {};
  const InferParameter& value = found->second;
  if (value.parameter_choice_case() == InferParameter::kUint64Param) return value.uint64_param();
  if (value.parameter_choice_case() == InferParameter::kInt64Param && value.int64_param() >= 0)
    return static_cast<std::uint64_t>(value.int64_param());
  return {};
}

template <class T, class Field>
Result<Tensor> FromField(DType dtype, Dims shape, const Field& field) {
  ATH_TRY(const std::int64_t count, CountElements(shape));
  if (static_cast<std::int64_t>(field.size()) != count) {
    return Error(ErrorCode::kInvalidInput,
                 "{} elements are in the contents of {}; shape {} takes {}", field.size(),
                 ToV2(dtype), ToString(shape), count);
  }
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, std::move(shape)));
  const std::span<T> out = tensor.MutableData<T>();
  for (int i = 0; i < field.size(); ++i) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (!std::in_range<T>(field.Get(i))) {
        return Error(ErrorCode::kInvalidInput, "element {} is {}, which {} does not hold", i,
                     field.Get(i), ToV2(dtype));
      }
    }
    out[static_cast<std::size_t>(i)] = static_cast<T>(field.Get(i));
  }
  return tensor;
}

// One row per element type: the field of the contents that carries it.
Result<Tensor> FromContents(DType dtype, Dims shape, const InferTensorContents& contents) {
  if (dtype == DType::kBool)
    return FromField<bool>(dtype, std::move(shape), contents.bool_contents());
  if (dtype == DType::kI8)
    return FromField<std::int8_t>(dtype, std::move(shape), contents.int_contents());
  if (dtype == DType::kI16)
    return FromField<std::int16_t>(dtype, std::move(shape), contents.int_contents());
  if (dtype == DType::kI32)
    return FromField<std::int32_t>(dtype, std::move(shape), contents.int_contents());
  if (dtype == DType::kI64)
    return FromField<std::int64_t>(dtype, std::move(shape), contents.int64_contents());
  if (dtype == DType::kU8)
    return FromField<std::uint8_t>(dtype, std::move(shape), contents.uint_contents());
  if (dtype == DType::kU16)
    return FromField<std::uint16_t>(dtype, std::move(shape), contents.uint_contents());
  if (dtype == DType::kU32)
    return FromField<std::uint32_t>(dtype, std::move(shape), contents.uint_contents());
  if (dtype == DType::kU64)
    return FromField<std::uint64_t>(dtype, std::move(shape), contents.uint64_contents());
  if (dtype == DType::kF32)
    return FromField<float>(dtype, std::move(shape), contents.fp32_contents());
  if (dtype == DType::kF64)
    return FromField<double>(dtype, std::move(shape), contents.fp64_contents());
  if (dtype == DType::kString)
    return FromField<std::string>(dtype, std::move(shape), contents.bytes_contents());
  return Error(ErrorCode::kInvalidInput, "{} travels in raw_input_contents only", ToV2(dtype));
}

Result<Tensor> ReadInput(const inference::ModelInferRequest& message, int index,
                         const std::shared_ptr<const void>& owner) {
  const auto& input = message.inputs(index);
  const std::optional<DType> dtype = FromV2(input.datatype());
  if (!dtype) {
    return Error(ErrorCode::kInvalidInput, "datatype is \"{}\"; one of {} is expected",
                 input.datatype().substr(0, 40), AllV2Names());
  }
  if (input.parameters().contains("shared_memory_region"))
    return Unsupported("shared memory is not offered; send the tensor with the request");
  Dims shape(input.shape().begin(), input.shape().end());
  if (message.raw_input_contents_size() == 0)
    return FromContents(*dtype, std::move(shape), input.contents());
  if (input.has_contents()) {
    return Error(ErrorCode::kInvalidInput,
                 "contents and raw_input_contents are both given; one of them is expected");
  }
  const std::string& raw = message.raw_input_contents(index);
  return TensorFromBytes(*dtype, std::move(shape), std::as_bytes(std::span(raw)), owner);
}

}  // namespace

Result<InferRequest> FromMessage(
    const std::shared_ptr<const inference::ModelInferRequest>& message) {
  InferRequest request;
  request.id = message->id();
  if (const auto timeout = WholeNumber(message->parameters(), "timeout");
      timeout && *timeout > 0 && *timeout < std::uint64_t{1} << 53) {
    request.timeout = std::chrono::microseconds(*timeout);
  }
  if (message->parameters().contains("sequence_id") &&
      WholeNumber(message->parameters(), "sequence_id") != 0U)
    return Unsupported("sequences are not offered; send requests without \"sequence_id\"");
  const int raw = message->raw_input_contents_size();
  if (raw != 0 && raw != message->inputs_size()) {
    return Error(ErrorCode::kInvalidInput, "{} raw_input_contents are given for {} inputs", raw,
                 message->inputs_size());
  }
  for (int i = 0; i < message->inputs_size(); ++i) {
    const std::string& name = message->inputs(i).name();
    Result<Tensor> tensor = ReadInput(*message, i, message);
    if (!tensor.ok())
      return std::move(tensor).status().In(fmt::format("input \"{}\"", name.substr(0, 100)));
    request.inputs.push_back({name, *std::move(tensor)});
  }
  for (const auto& output : message->outputs()) {
    if (output.parameters().contains("shared_memory_region"))
      return Unsupported("shared memory is not offered; outputs come with the answer");
    const std::uint64_t top = WholeNumber(output.parameters(), "classification").value_or(0);
    request.outputs.push_back(
        {output.name(), {}, static_cast<std::int64_t>(std::min<std::uint64_t>(top, 1000))});
  }
  return request;
}

Status ToMessage(const ServedModel& model, const InferRequest& request,
                 const std::vector<std::size_t>& outputs, const InferAnswer& answer,
                 inference::ModelInferResponse& message) {
  message.set_model_name(model.name());
  message.set_model_version("1");
  message.set_id(request.id);
  if (!answer.fallback.empty()) {
    (*message.mutable_parameters())["fallback"].set_bool_param(true);
    (*message.mutable_parameters())["fallback_reason"].set_string_param(
        std::string(answer.fallback));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Tensor tensor = answer.outputs[outputs[i]];
    if (!request.outputs.empty() && request.outputs[i].classification > 0) {
      ATH_TRY(tensor, Classify(tensor, request.outputs[i].classification));
    }
    auto* output = message.add_outputs();
    output->set_name(model.outputs()[outputs[i]].name);
    output->set_datatype(std::string(ToV2(tensor.dtype())));
    output->mutable_shape()->Add(tensor.dims().begin(), tensor.dims().end());
    AppendBytes(tensor, *message.add_raw_output_contents());
  }
  return {};
}

}  // namespace athanor::serve
