#include "serve/served_model.h"

#include <athanor/athanor.h>

#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "serve/datatype.h"

namespace athanor::serve {
namespace {

// The last failure of the C interface on this thread.
Status LastError(ath_status code) {
  Status status(static_cast<ErrorCode>(code), ath_error_message());
  if (*ath_error_where() != '\0') status = std::move(status).In(ath_error_where());
  if (*ath_error_fix() != '\0') status = std::move(status).Fix(ath_error_fix());
  return status;
}

using GetPort = ath_status (*)(const ath_model*, int32_t, ath_value_info*);

Result<std::vector<Port>> ReadPorts(const ath_model* model, std::int32_t count, GetPort get) {
  std::vector<Port> ports;
  for (std::int32_t i = 0; i < count; ++i) {
    ath_value_info info{};
    info.struct_size = sizeof(info);
    if (const ath_status code = get(model, i, &info); code != 0) return LastError(code);
    Port port = {info.name, static_cast<DType>(info.dtype), info.rank >= 0, {}, info.type};
    if (port.has_rank) port.shape.assign(info.dims, info.dims + info.rank);
    if (ToV2(port.dtype).empty()) {
      return Unsupported("\"{}\" is {}; the inference protocol carries {}", port.name, port.type,
                         AllV2Names());
    }
    ports.push_back(std::move(port));
  }
  return ports;
}

std::vector<std::string> Names(const std::vector<Port>& ports) {
  std::vector<std::string> names;
  for (const Port& port : ports) names.push_back(port.name);
  return names;
}

std::size_t IndexOf(const std::vector<Port>& ports, std::string_view name) {
  const auto found =
      std::find_if(ports.begin(), ports.end(), [&](const Port& port) { return port.name == name; });
  return static_cast<std::size_t>(found - ports.begin());
}

// Small numbers that differ from element to element, and are valid indices almost everywhere.
Result<Tensor> SampleTensor(const Port& port, std::int64_t rows, std::uint64_t seed) {
  Dims dims = port.shape;
  for (std::int64_t& dim : dims) dim = dim < 0 ? 1 : dim;
  if (!dims.empty()) dims[0] = rows;
  ATH_TRY(Tensor tensor, Tensor::Allocate(port.dtype, dims));
  if (port.dtype == DType::kString) return tensor;
  std::memset(tensor.mutable_raw(), 0, tensor.bytes());
  std::uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
  const auto next = [&state] {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(state >> 33);
  };
  if (port.dtype == DType::kF32) {
    for (float& x : tensor.MutableData<float>())
      x = static_cast<float>(next() % 2001) / 1000.0F - 1.0F;
  } else if (port.dtype == DType::kF64) {
    for (double& x : tensor.MutableData<double>()) x = next() % 2001 / 1000.0 - 1.0;
  } else if (port.dtype == DType::kU8 || port.dtype == DType::kI8) {
    auto* bytes = static_cast<std::uint8_t*>(tensor.mutable_raw());
    for (std::int64_t i = 0; i < tensor.count(); ++i)
      bytes[i] = static_cast<std::uint8_t>(next() % 100);
  } else if (port.dtype == DType::kI64) {
    for (std::int64_t& x : tensor.MutableData<std::int64_t>()) x = next() % 2;
  } else if (port.dtype == DType::kI32) {
    for (std::int32_t& x : tensor.MutableData<std::int32_t>())
      x = static_cast<std::int32_t>(next() % 2);
  }
  return tensor;
}

// Rows [begin, begin + rows) of a tensor, sharing its memory.
Tensor Rows(const Tensor& tensor, std::int64_t begin, std::int64_t rows) {
  Dims dims = tensor.dims();
  const std::int64_t row_count = tensor.dim(0) == 0 ? 0 : tensor.count() / tensor.dim(0);
  dims[0] = rows;
  const std::size_t offset =
      static_cast<std::size_t>(begin * row_count) * ElementBytes(tensor.dtype());
  return Tensor::View(tensor.dtype(), std::move(dims),
                      static_cast<const std::byte*>(tensor.raw()) + offset, tensor.owner());
}

Result<Tensor> Stack(std::span<const std::vector<Tensor>* const> requests, std::size_t input) {
  const Tensor& first = (*requests[0])[input];
  Dims dims = first.dims();
  dims[0] *= static_cast<std::int64_t>(requests.size());
  ATH_TRY(Tensor stacked, Tensor::Allocate(first.dtype(), std::move(dims)));
  std::size_t at = 0;
  for (const std::vector<Tensor>* request : requests) {
    const Tensor& part = (*request)[input];
    if (part.dtype() == DType::kString) {
      const auto texts = part.Data<std::string>();
      std::copy(texts.begin(), texts.end(),
                stacked.MutableData<std::string>().begin() + static_cast<std::ptrdiff_t>(at));
      at += texts.size();
    } else if (part.bytes() > 0) {
      std::memcpy(static_cast<std::byte*>(stacked.mutable_raw()) + at, part.raw(), part.bytes());
      at += part.bytes();
    }
  }
  return stacked;
}

Result<std::vector<Tensor>> ReadResult(const std::shared_ptr<ath_result>& result) {
  std::vector<Tensor> outputs;
  for (std::int32_t i = 0; i < ath_result_num_outputs(result.get()); ++i) {
    ath_tensor raw{};
    raw.struct_size = sizeof(raw);
    if (const ath_status code = ath_result_output(result.get(), i, &raw); code != 0)
      return LastError(code);
    const auto dtype = static_cast<DType>(raw.dtype);
    Dims dims(raw.dims, raw.dims + raw.rank);
    if (dtype != DType::kString) {
      outputs.push_back(Tensor::View(dtype, std::move(dims), raw.data, result));
      continue;
    }
    ATH_TRY(Tensor strings, Tensor::Allocate(dtype, std::move(dims)));
    const auto* texts = static_cast<const char* const*>(raw.data);
    for (std::string& text : strings.MutableData<std::string>()) text = *texts++;
    outputs.push_back(std::move(strings));
  }
  return outputs;
}

bool Near(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) return false;
  const auto x = ToDoubles(a), y = ToDoubles(b);
  if (!x.ok() || !y.ok()) return a.SameAs(b);
  for (std::size_t i = 0; i < x->size(); ++i) {
    const double difference = std::abs((*x)[i] - (*y)[i]);
    const bool both_nan = (*x)[i] != (*x)[i] && (*y)[i] != (*y)[i];
    if (!both_nan && !(difference <= 1e-3 + 1e-3 * std::abs((*y)[i]))) return false;
  }
  return true;
}

}  // namespace

Result<std::shared_ptr<const ServedModel>> ServedModel::Load(const std::string& name,
                                                             const std::string& path,
                                                             const ModelOptions& options) {
  ath_model* raw_model = nullptr;
  if (const ath_status code = ath_load(path.c_str(), nullptr, &raw_model); code != 0)
    return LastError(code);
  const std::unique_ptr<ath_model, void (*)(ath_model*)> model(raw_model, ath_model_destroy);
  std::shared_ptr<ServedModel> made(new ServedModel());
  made->name_ = name;
  ATH_TRY(made->inputs_, ReadPorts(raw_model, ath_model_num_inputs(raw_model), ath_model_input));
  ATH_TRY(made->outputs_, ReadPorts(raw_model, ath_model_num_outputs(raw_model), ath_model_output));
  ath_session_options session_options{};
  session_options.struct_size = sizeof(session_options);
  session_options.device = options.device.c_str();
  session_options.threads = options.threads;
  ath_session* session = nullptr;
  if (const ath_status code = ath_session_create(raw_model, &session_options, &session); code != 0)
    return LastError(code);
  made->session_.reset(session, ath_session_destroy);
  if (options.max_batch <= 1) {
    made->batch_note_ = "stacking is switched off";
  } else if (ath_model_is_batchable(raw_model) == 0) {
    made->batch_note_ = "inputs and outputs have no common symbolic first dimension";
  } else {
    made->batch_note_ = made->TryStacking();
    if (made->batch_note_.empty()) made->max_batch_ = options.max_batch;
  }
  ATH_RETURN_IF_ERROR(made->WarmUp());
  return std::shared_ptr<const ServedModel>(std::move(made));
}

std::string ServedModel::TryStacking() const {
  std::vector<std::vector<Tensor>> singles(2);
  for (const Port& port : inputs_) {
    for (std::size_t row = 0; row < singles.size(); ++row) {
      Result<Tensor> tensor = SampleTensor(port, 1, row + 1);
      if (!tensor.ok()) return "a sample row cannot be made";
      singles[row].push_back(*std::move(tensor));
    }
  }
  const std::vector<const std::vector<Tensor>*> both = {&singles[0], &singles[1]};
  const auto stacked = RunStacked(both);
  if (!stacked.ok()) return "a stacked sample does not run: " + stacked.status().message();
  for (std::size_t row = 0; row < singles.size(); ++row) {
    const auto single = Run(singles[row]);
    if (!single.ok()) return "a sample row does not run: " + single.status().message();
    for (std::size_t i = 0; i < single->size(); ++i) {
      if (!Near((*stacked)[row][i], (*single)[i]))
        return fmt::format("rows of output \"{}\" depend on each other", outputs_[i].name);
    }
  }
  return "";
}

Status ServedModel::WarmUp() const {
  const auto is_open = [](const Port& port) {
    return !port.has_rank || std::find(port.shape.begin() + (port.shape.empty() ? 0 : 1),
                                       port.shape.end(), -1) != port.shape.end();
  };
  // The shapes of such a model are known only when requests come.
  if (std::any_of(inputs_.begin(), inputs_.end(), is_open)) return {};
  for (std::int64_t rows = 1; rows <= max_batch_; rows *= 2) {
    std::vector<Tensor> inputs;
    for (const Port& port : inputs_) {
      const bool fixed = port.shape.empty() || port.shape[0] >= 0;
      ATH_TRY(Tensor tensor,
              SampleTensor(port, fixed && !port.shape.empty() ? port.shape[0] : rows, 1));
      inputs.push_back(std::move(tensor));
    }
    // A sample may break a rule only the model's author knows; real requests will tell.
    if (!Run(inputs).ok()) return {};
  }
  return {};
}

Status ServedModel::CheckShape(const Port& port, const Tensor& tensor) const {
  if (tensor.dtype() != port.dtype) {
    return Error(ErrorCode::kInvalidInput, "input \"{}\" is {}; the model expects {} ({})",
                 port.name, ToV2(tensor.dtype()), ToV2(port.dtype), port.type);
  }
  if (!port.has_rank) return {};
  bool fits = tensor.dims().size() == port.shape.size();
  for (std::size_t i = 0; fits && i < port.shape.size(); ++i)
    fits = port.shape[i] < 0 || port.shape[i] == tensor.dims()[i];
  if (fits) return {};
  return Error(ErrorCode::kInvalidInput, "input \"{}\" has shape {}; the model expects {}",
               port.name, ToString(tensor.dims()), port.type);
}

Result<std::vector<Tensor>> ServedModel::Bind(const InferRequest& request) const {
  std::vector<Tensor> bound(inputs_.size());
  for (const NamedTensor& given : request.inputs) {
    const std::size_t index = IndexOf(inputs_, given.name);
    if (index == inputs_.size()) {
      const std::vector<std::string> names = Names(inputs_);
      return Error(ErrorCode::kInvalidInput, "model \"{}\" has no input \"{}\"{}; it has {}", name_,
                   given.name, DidYouMean(given.name, names), Join(names, ", "));
    }
    if (bound[index].defined())
      return Error(ErrorCode::kInvalidInput, "input \"{}\" is given twice", given.name);
    ATH_RETURN_IF_ERROR(CheckShape(inputs_[index], given.tensor));
    bound[index] = given.tensor;
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!bound[i].defined()) {
      return Error(ErrorCode::kInvalidInput, "input \"{}\" ({}) is missing", inputs_[i].name,
                   inputs_[i].type);
    }
    if (max_batch_ > 1 && bound[i].dim(0) != bound[0].dim(0)) {
      return Error(ErrorCode::kInvalidInput, "input \"{}\" has {} rows, input \"{}\" has {}",
                   inputs_[i].name, bound[i].dim(0), inputs_[0].name, bound[0].dim(0));
    }
  }
  return bound;
}

Result<std::vector<std::size_t>> ServedModel::BindOutputs(
    const std::vector<WantedOutput>& wanted) const {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; wanted.empty() && i < outputs_.size(); ++i) indices.push_back(i);
  for (const WantedOutput& output : wanted) {
    const std::size_t index = IndexOf(outputs_, output.name);
    if (index == outputs_.size()) {
      const std::vector<std::string> names = Names(outputs_);
      return Error(ErrorCode::kInvalidInput, "model \"{}\" has no output \"{}\"{}; it has {}",
                   name_, output.name, DidYouMean(output.name, names), Join(names, ", "));
    }
    if (std::find(indices.begin(), indices.end(), index) != indices.end())
      return Error(ErrorCode::kInvalidInput, "output \"{}\" is asked for twice", output.name);
    indices.push_back(index);
  }
  return indices;
}

Result<NamedTensor> ServedModel::FromRawBytes(std::span<const std::byte> bytes,
                                              const std::shared_ptr<const void>& owner) const {
  if (inputs_.size() != 1 || !inputs_[0].has_rank) {
    return Error(ErrorCode::kInvalidInput,
                 "a raw request needs a model with one input of known rank; \"{}\" has {} inputs",
                 name_, inputs_.size());
  }
  const Port& port = inputs_[0];
  Dims dims = port.shape;
  const auto open = std::count(dims.begin(), dims.end(), -1);
  if (open > 1)
    return Error(ErrorCode::kInvalidInput, "the shape {} cannot be found from raw bytes",
                 port.type);
  if (port.dtype == DType::kString) {
    // One string: the whole body.
    std::replace(dims.begin(), dims.end(), std::int64_t{-1}, std::int64_t{1});
    ATH_TRY(const std::int64_t count, CountElements(dims));
    if (count != 1)
      return Error(ErrorCode::kInvalidInput, "a raw request is one string; the model takes {}",
                   port.type);
    ATH_TRY(Tensor tensor, Tensor::Allocate(port.dtype, dims));
    tensor.MutableData<std::string>()[0].assign(reinterpret_cast<const char*>(bytes.data()),
                                                bytes.size());
    return NamedTensor{port.name, std::move(tensor)};
  }
  if (open == 1) {
    const auto free = std::find(dims.begin(), dims.end(), -1);
    *free = 1;
    ATH_TRY(const std::int64_t count, CountElements(dims));
    const std::size_t unit = static_cast<std::size_t>(count) * ElementBytes(port.dtype);
    if (unit == 0 || bytes.size() % unit != 0) {
      return Error(ErrorCode::kInvalidInput, "{} raw bytes are no multiple of the {} that {} takes",
                   bytes.size(), unit, port.type);
    }
    *free = static_cast<std::int64_t>(bytes.size() / unit);
  }
  ATH_TRY(Tensor tensor, TensorFromBytes(port.dtype, std::move(dims), bytes, owner));
  return NamedTensor{port.name, std::move(tensor)};
}

Result<std::vector<Tensor>> ServedModel::Run(std::span<const Tensor> inputs) const {
  std::vector<ath_tensor> raw;
  std::vector<std::vector<const char*>> texts(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& tensor = inputs[i];
    const void* data = tensor.raw();
    if (tensor.dtype() == DType::kString) {
      for (const std::string& text : tensor.Data<std::string>()) {
        // The C interface ends a string at its first zero byte: better refused than cut.
        if (text.find('\0') != std::string::npos) {
          return Error(ErrorCode::kInvalidInput, "input \"{}\": a string has a zero byte in it",
                       inputs_[i].name);
        }
        texts[i].push_back(text.c_str());
      }
      data = texts[i].data();
    }
    raw.push_back({sizeof(ath_tensor), static_cast<std::int32_t>(tensor.dtype()),
                   static_cast<std::int32_t>(tensor.rank()), tensor.dims().data(), data});
  }
  ath_result* result = nullptr;
  const ath_status code =
      ath_session_run(session_.get(), raw.data(), static_cast<std::int32_t>(raw.size()), &result);
  if (code != 0) return LastError(code);
  return ReadResult(std::shared_ptr<ath_result>(result, ath_result_destroy));
}

Result<std::vector<std::vector<Tensor>>> ServedModel::RunStacked(
    std::span<const std::vector<Tensor>* const> requests) const {
  const auto count = static_cast<std::int64_t>(requests.size());
  std::vector<Tensor> stacked;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    ATH_TRY(Tensor tensor, Stack(requests, i));
    stacked.push_back(std::move(tensor));
  }
  const std::int64_t rows = (*requests[0])[0].dim(0);
  ATH_TRY(const std::vector<Tensor> outputs, Run(stacked));
  std::vector<std::vector<Tensor>> answers(requests.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    if (output.rank() == 0 || output.dim(0) != rows * count) {
      return Error(ErrorCode::kInternal, "output \"{}\" has shape {} for {} stacked rows",
                   outputs_[i].name, ToString(output.dims()), rows * count);
    }
    for (std::int64_t k = 0; k < count; ++k)
      answers[static_cast<std::size_t>(k)].push_back(Rows(output, k * rows, rows));
  }
  return answers;
}

}  // namespace athanor::serve
