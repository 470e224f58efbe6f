#include <algorithm>
#include <cstring>

#include "core/rows.h"
#include "serve/c_interface.h"

namespace athanor::serve {
namespace {

using GetPort = ath_status (*)(const ath_model*, int32_t, ath_value_info*);

Result<std::vector<Port>> ReadPorts(const ath_model* model, std::int32_t count, GetPort get) {
  std::vector<Port> ports;
  for (std::int32_t i = 0; i < count; ++i) {
    ath_value_info info{};
    info.struct_size = sizeof(info);
    if (const ath_status code = get(model, i, &info); code != 0) return LastError(code);
    ATH_TRY(Port port, ToPort(info));
    ports.push_back(std::move(port));
  }
  return ports;
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

class ModelEngine final : public Engine {
 public:
  Status Load(const std::string& path, const ModelOptions& options);

  bool HasRows() const override { return max_batch() > 1; }
  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs) const override;
  Result<std::vector<std::vector<Tensor>>> RunStacked(
      std::span<const std::vector<Tensor>* const> requests) const override;

 private:
  std::string WhyNotStacked() const override;
  void WarmUp() const override;

  bool is_batchable_ = false;  // by its types
  std::shared_ptr<ath_session> session_;
};

Status ModelEngine::Load(const std::string& path, const ModelOptions& options) {
  ath_model* raw_model = nullptr;
  if (const ath_status code = ath_load(path.c_str(), nullptr, &raw_model); code != 0)
    return LastError(code);
  const std::unique_ptr<ath_model, void (*)(ath_model*)> model(raw_model, ath_model_destroy);
  ATH_TRY(inputs_, ReadPorts(raw_model, ath_model_num_inputs(raw_model), ath_model_input));
  ATH_TRY(outputs_, ReadPorts(raw_model, ath_model_num_outputs(raw_model), ath_model_output));
  is_batchable_ = ath_model_is_batchable(raw_model) != 0;
  ath_session_options session_options{};
  session_options.struct_size = sizeof(session_options);
  session_options.device = options.device.c_str();
  session_options.threads = options.threads;
  session_options.precision = options.precision.c_str();
  ath_session* session = nullptr;
  if (const ath_status code = ath_session_create(raw_model, &session_options, &session); code != 0)
    return LastError(code);
  session_.reset(session, ath_session_destroy);
  return {};
}

std::string ModelEngine::WhyNotStacked() const {
  if (!is_batchable_) return "inputs and outputs have no common symbolic first dimension";
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

void ModelEngine::WarmUp() const {
  const auto is_open = [](const Port& port) {
    return !port.has_rank || std::find(port.shape.begin() + (port.shape.empty() ? 0 : 1),
                                       port.shape.end(), -1) != port.shape.end();
  };
  // The shapes of such a model are known only when requests come.
  if (std::any_of(inputs_.begin(), inputs_.end(), is_open)) return;
  for (std::int64_t rows = 1; rows <= max_batch(); rows *= 2) {
    std::vector<Tensor> inputs;
    for (const Port& port : inputs_) {
      const bool fixed = port.shape.empty() || port.shape[0] >= 0;
      Result<Tensor> tensor =
          SampleTensor(port, fixed && !port.shape.empty() ? port.shape[0] : rows, 1);
      if (!tensor.ok()) return;
      inputs.push_back(*std::move(tensor));
    }
    // A sample may break a rule only the model's author knows; real requests will tell.
    if (!Run(inputs).ok()) return;
  }
}

Result<std::vector<Tensor>> ModelEngine::Run(std::span<const Tensor> inputs) const {
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
  const std::shared_ptr<ath_result> owner(result, ath_result_destroy);
  std::vector<Tensor> outputs;
  for (std::int32_t i = 0; i < ath_result_num_outputs(result); ++i) {
    ath_tensor output{};
    output.struct_size = sizeof(output);
    if (const ath_status failed = ath_result_output(result, i, &output); failed != 0)
      return LastError(failed);
    ATH_TRY(Tensor tensor, ToTensor(output, owner));
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

Result<std::vector<std::vector<Tensor>>> ModelEngine::RunStacked(
    std::span<const std::vector<Tensor>* const> requests) const {
  const auto count = static_cast<std::int64_t>(requests.size());
  std::vector<Tensor> stacked;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    std::vector<Tensor> parts;
    for (const std::vector<Tensor>* request : requests) parts.push_back((*request)[i]);
    ATH_TRY(Tensor tensor, StackRows(parts));
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
      answers[static_cast<std::size_t>(k)].push_back(TakeRows(output, k * rows, rows));
  }
  return answers;
}

}  // namespace

Result<std::unique_ptr<Engine>> OpenModel(const std::string& path, const ModelOptions& options) {
  auto made = std::make_unique<ModelEngine>();
  ATH_RETURN_IF_ERROR(made->Load(path, options));
  return std::unique_ptr<Engine>(std::move(made));
}

}  // namespace athanor::serve
