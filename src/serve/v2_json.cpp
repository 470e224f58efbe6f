#include "serve/v2_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "http/json_text.h"
#include "serve/datatype.h"
#include "serve/json_tensor.h"

namespace athanor::serve {

using http::AppendJsonString;

namespace {

using simdjson::dom::element;
using simdjson::dom::object;

Status Wrong(std::string_view what, std::string_view expected) {
  return Error(ErrorCode::kInvalidInput, "{} must be {}", what, expected);
}

// A member that may be missing; another type than T is an error.
template <class T>
Result<std::optional<T>> Member(object from, std::string_view key, std::string_view expected) {
  element found;
  if (from[key].get(found) != simdjson::SUCCESS || found.is_null()) return std::optional<T>();
  T value{};
  if (found.get(value) != simdjson::SUCCESS) return Wrong(fmt::format("\"{}\"", key), expected);
  return std::optional<T>(value);
}

struct Binary {
  std::span<const std::byte> rest;
  const std::shared_ptr<const void>& owner;
};

Result<NamedTensor> ParseInput(object input, Binary& binary) {
  ATH_TRY(const auto name, Member<std::string_view>(input, "name", "a string"));
  if (!name) return Error(ErrorCode::kInvalidInput, "an input has no \"name\"");
  const auto parse = [&]() -> Result<Tensor> {
    ATH_TRY(const auto datatype, Member<std::string_view>(input, "datatype", "a string"));
    const std::optional<DType> dtype = datatype ? FromV2(*datatype) : std::nullopt;
    if (!dtype) {
      return Error(ErrorCode::kInvalidInput, "\"datatype\" is {}; one of {} is expected",
                   datatype ? std::string(*datatype) : "missing", AllV2Names());
    }
    element shape;
    if (input["shape"].get(shape) != simdjson::SUCCESS)
      return Error(ErrorCode::kInvalidInput, "\"shape\" is missing");
    ATH_TRY(Dims dims, ShapeFromJson(shape));
    ATH_TRY(const auto parameters, Member<object>(input, "parameters", "an object"));
    if (parameters) {
      if (parameters->at_key("shared_memory_region").error() == simdjson::SUCCESS)
        return Unsupported("shared memory is not offered; send the tensor with the request");
      ATH_TRY(const auto size,
              Member<std::uint64_t>(*parameters, "binary_data_size", "a whole number >= 0"));
      if (size) {
        if (*size > binary.rest.size()) {
          return Error(ErrorCode::kInvalidInput,
                       "\"binary_data_size\" is {}, but {} bytes are left in the body", *size,
                       binary.rest.size());
        }
        const auto bytes = binary.rest.first(*size);
        binary.rest = binary.rest.subspan(*size);
        return TensorFromBytes(*dtype, std::move(dims), bytes, binary.owner);
      }
    }
    element data;
    if (input["data"].get(data) != simdjson::SUCCESS)
      return Error(ErrorCode::kInvalidInput, "neither \"data\" nor \"binary_data_size\" is given");
    return TensorFromJson(*dtype, std::move(dims), data);
  };
  Result<Tensor> tensor = parse();
  if (!tensor.ok())
    return std::move(tensor).status().In(fmt::format("input \"{}\"", name->substr(0, 100)));
  return NamedTensor{std::string(*name), *std::move(tensor)};
}

Result<WantedOutput> ParseOutput(object output) {
  ATH_TRY(const auto name, Member<std::string_view>(output, "name", "a string"));
  if (!name) return Error(ErrorCode::kInvalidInput, "an output has no \"name\"");
  WantedOutput wanted = {std::string(*name), {}, 0};
  ATH_TRY(const auto parameters, Member<object>(output, "parameters", "an object"));
  if (!parameters) return wanted;
  if (parameters->at_key("shared_memory_region").error() == simdjson::SUCCESS)
    return Unsupported("shared memory is not offered; outputs come with the answer");
  ATH_TRY(wanted.binary, Member<bool>(*parameters, "binary_data", "true or false"));
  ATH_TRY(const auto top,
          Member<std::uint64_t>(*parameters, "classification", "a whole number >= 0"));
  wanted.classification = static_cast<std::int64_t>(std::min<std::uint64_t>(top.value_or(0), 1000));
  return wanted;
}

Status ParseParameters(object parameters, InferRequest& request) {
  ATH_TRY(const auto binary, Member<bool>(parameters, "binary_data_output", "true or false"));
  request.binary_outputs = binary.value_or(false);
  ATH_TRY(const auto timeout, Member<std::uint64_t>(parameters, "timeout", "microseconds"));
  if (timeout && *timeout > 0 && *timeout < std::uint64_t{1} << 53)
    request.timeout = std::chrono::microseconds(*timeout);
  element sequence;
  if (parameters["sequence_id"].get(sequence) == simdjson::SUCCESS) {
    std::int64_t id = 1;
    if (sequence.get(id) != simdjson::SUCCESS || id != 0)
      return Unsupported("sequences are not offered; send requests without \"sequence_id\"");
  }
  return {};
}

template <class T>
void AppendNumber(T value, std::string& json) {
  if constexpr (std::is_same_v<T, bool>) {
    json += value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    fmt::format_to(std::back_inserter(json), "{}", value);
  } else {
    using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;
    const auto wide = static_cast<Wide>(value);
    // JSON has no words for these: null reads as NaN, an overflow as infinity.
    if (wide != wide)
      json += "null";
    else if (wide - wide != 0)
      json += wide > 0 ? "1e999" : "-1e999";
    else
      fmt::format_to(std::back_inserter(json), "{}", wide);
  }
}

void AppendData(const Tensor& tensor, std::string& json) {
  json += '[';
  if (tensor.dtype() == DType::kString) {
    bool first = true;
    for (const std::string& text : tensor.Data<std::string>()) {
      if (!std::exchange(first, false)) json += ',';
      AppendJsonString(text, json);
    }
  } else {
    using All =
        TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t,
                 std::int8_t, std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t, bool>;
    const Status status = Dispatch(All{}, tensor.dtype(), [&](auto tag) -> Status {
      using T = typename decltype(tag)::Type;
      bool first = true;
      for (const T value : tensor.Data<T>()) {
        if (!std::exchange(first, false)) json += ',';
        AppendNumber(value, json);
      }
      return {};
    });
    ATH_CHECK(status.ok(), "models with other types are not served");
  }
  json += ']';
}

}  // namespace

Result<InferRequest> ParseInferRequest(std::string_view body,
                                       std::optional<std::size_t> json_length,
                                       const std::shared_ptr<const void>& owner) {
  if (json_length && *json_length > body.size()) {
    return Error(ErrorCode::kInvalidInput,
                 "Inference-Header-Content-Length is {}, the body has {} bytes", *json_length,
                 body.size());
  }
  const std::string_view json = body.substr(0, json_length.value_or(body.size()));
  Binary binary = {std::as_bytes(std::span(body.substr(json.size()))), owner};
  simdjson::dom::parser parser;
  ATH_TRY(const element document, ParseJson(parser, json));
  object root;
  if (document.get(root) != simdjson::SUCCESS) return Wrong("the request", "a JSON object");
  InferRequest request;
  ATH_TRY(const auto id, Member<std::string_view>(root, "id", "a string"));
  request.id = id.value_or("");
  ATH_TRY(const auto parameters, Member<object>(root, "parameters", "an object"));
  if (parameters) ATH_RETURN_IF_ERROR(ParseParameters(*parameters, request));
  ATH_TRY(const auto inputs, Member<simdjson::dom::array>(root, "inputs", "an array"));
  if (!inputs) return Error(ErrorCode::kInvalidInput, "the request has no \"inputs\"");
  for (const element item : *inputs) {
    object input;
    if (item.get(input) != simdjson::SUCCESS) return Wrong("each input", "an object");
    ATH_TRY(NamedTensor tensor, ParseInput(input, binary));
    request.inputs.push_back(std::move(tensor));
  }
  if (!binary.rest.empty()) {
    return Error(ErrorCode::kInvalidInput, "{} bytes of the body belong to no input",
                 binary.rest.size());
  }
  ATH_TRY(const auto outputs, Member<simdjson::dom::array>(root, "outputs", "an array"));
  if (!outputs) return request;
  for (const element item : *outputs) {
    object output;
    if (item.get(output) != simdjson::SUCCESS) return Wrong("each output", "an object");
    ATH_TRY(WantedOutput wanted, ParseOutput(output));
    request.outputs.push_back(std::move(wanted));
  }
  return request;
}

Result<Tensor> Classify(const Tensor& scores, std::int64_t top) {
  if (scores.rank() == 0 || scores.dtype() == DType::kString)
    return Error(ErrorCode::kInvalidInput, "classes need a numeric output with at least one axis");
  ATH_TRY(std::vector<double> values, ToDoubles(scores));
  // Not-a-number has no place in an order: it comes last.
  for (double& value : values) value = value == value ? value : -HUGE_VAL;
  const std::int64_t classes = scores.dim(scores.rank() - 1);
  top = std::min(top, classes);
  Dims dims = scores.dims();
  dims.back() = top;
  ATH_TRY(Tensor names, Tensor::Allocate(DType::kString, std::move(dims)));
  const std::span<std::string> out = names.MutableData<std::string>();
  std::vector<std::int64_t> order(static_cast<std::size_t>(classes));
  for (std::size_t at = 0, row = 0; at < out.size(); ++row) {
    const double* begin = values.data() + row * order.size();
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    std::partial_sort(order.begin(), order.begin() + top, order.end(),
                      [&](std::int64_t a, std::int64_t b) { return begin[a] > begin[b]; });
    for (std::int64_t i = 0; i < top; ++i) {
      const std::int64_t index = order[static_cast<std::size_t>(i)];
      out[at++] = fmt::format("{:f}:{}", begin[index], index);
    }
  }
  return names;
}

Result<InferBody> RenderInferAnswer(const ServedModel& model, const InferRequest& request,
                                    const std::vector<std::size_t>& outputs,
                                    const InferAnswer& answer) {
  InferBody result;
  std::string& json = result.body;
  std::vector<Tensor> binary;
  json += "{\"model_name\":";
  AppendJsonString(model.name(), json);
  json += ",\"model_version\":\"1\"";
  if (!request.id.empty()) {
    json += ",\"id\":";
    AppendJsonString(request.id, json);
  }
  if (!answer.fallback.empty()) {
    json += ",\"parameters\":{\"fallback\":true,\"fallback_reason\":";
    AppendJsonString(answer.fallback, json);
    json += '}';
  }
  json += ",\"outputs\":[";
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const WantedOutput wanted = request.outputs.empty() ? WantedOutput{} : request.outputs[i];
    Tensor tensor = answer.outputs[outputs[i]];
    if (wanted.classification > 0) {
      ATH_TRY(tensor, Classify(tensor, wanted.classification));
    }
    if (i > 0) json += ',';
    json += "{\"name\":";
    AppendJsonString(model.outputs()[outputs[i]].name, json);
    fmt::format_to(std::back_inserter(json), ",\"datatype\":\"{}\",\"shape\":[{}],",
                   ToV2(tensor.dtype()), fmt::join(tensor.dims(), ","));
    if (wanted.binary.value_or(request.binary_outputs)) {
      fmt::format_to(std::back_inserter(json), "\"parameters\":{{\"binary_data_size\":{}}}}}",
                     BytesOf(tensor));
      binary.push_back(std::move(tensor));
    } else {
      json += "\"data\":";
      AppendData(tensor, json);
      json += '}';
    }
  }
  json += "]}";
  if (binary.empty()) return result;
  result.json_length = json.size();
  for (const Tensor& tensor : binary) AppendBytes(tensor, json);
  return result;
}

}  // namespace athanor::serve
