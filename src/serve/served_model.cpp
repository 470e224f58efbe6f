#include "serve/served_model.h"

#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "serve/datatype.h"

namespace athanor::serve {
namespace {

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

Result<Tensor> OneString(Dims dims, std::span<const std::byte> bytes) {
  ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kString, std::move(dims)));
  tensor.MutableData<std::string>()[0].assign(reinterpret_cast<const char*>(bytes.data()),
                                              bytes.size());
  return tensor;
}

}  // namespace

Result<std::shared_ptr<const ServedModel>> ServedModel::Load(const std::string& name,
                                                             const std::string& path,
                                                             const ModelOptions& options,
                                                             const Access& access) {
  std::shared_ptr<ServedModel> made(new ServedModel());
  made->name_ = name;
  ATH_TRY(made->engine_, Engine::Open(path, options, access));
  return std::shared_ptr<const ServedModel>(std::move(made));
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
  std::vector<Tensor> bound(inputs().size());
  for (const NamedTensor& given : request.inputs) {
    const std::size_t index = IndexOf(inputs(), given.name);
    if (index == inputs().size()) {
      const std::vector<std::string> names = Names(inputs());
      return Error(ErrorCode::kInvalidInput, "model \"{}\" has no input \"{}\"{}; it has {}", name_,
                   given.name, DidYouMean(given.name, names), Join(names, ", "));
    }
    if (bound[index].defined())
      return Error(ErrorCode::kInvalidInput, "input \"{}\" is given twice", given.name);
    const Port& port = inputs()[index];
    Tensor tensor = given.tensor;
    if (port.is_file && tensor.dtype() == DType::kU8 && tensor.rank() == 1) {
      ATH_TRY(tensor,
              OneString({1}, {static_cast<const std::byte*>(tensor.raw()), tensor.bytes()}));
    }
    ATH_RETURN_IF_ERROR(CheckShape(port, tensor));
    bound[index] = std::move(tensor);
  }
  for (std::size_t i = 0; i < inputs().size(); ++i) {
    if (!bound[i].defined()) {
      return Error(ErrorCode::kInvalidInput, "input \"{}\" ({}) is missing", inputs()[i].name,
                   inputs()[i].type);
    }
    if (has_rows() && bound[i].dim(0) != bound[0].dim(0)) {
      return Error(ErrorCode::kInvalidInput, "input \"{}\" has {} rows, input \"{}\" has {}",
                   inputs()[i].name, bound[i].dim(0), inputs()[0].name, bound[0].dim(0));
    }
  }
  return bound;
}

Result<std::vector<std::size_t>> ServedModel::BindOutputs(
    const std::vector<WantedOutput>& wanted) const {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; wanted.empty() && i < outputs().size(); ++i) indices.push_back(i);
  for (const WantedOutput& output : wanted) {
    const std::size_t index = IndexOf(outputs(), output.name);
    if (index == outputs().size()) {
      const std::vector<std::string> names = Names(outputs());
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
  if (inputs().size() != 1 || !inputs()[0].has_rank) {
    return Error(ErrorCode::kInvalidInput,
                 "a raw request needs a model with one input of known rank; \"{}\" has {} inputs",
                 name_, inputs().size());
  }
  const Port& port = inputs()[0];
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
    ATH_TRY(Tensor tensor, OneString(std::move(dims), bytes));
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

}  // namespace athanor::serve
