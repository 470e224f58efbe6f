#include "serve/default_answer.h"

#include <cstring>

#include "core/text.h"
#include "serve/datatype.h"
#include "serve/json_tensor.h"

namespace athanor::serve {
namespace {

using simdjson::dom::element;

// A default must not become a bomb when a request claims very many rows.
constexpr std::size_t kMostDefaultBytes = std::size_t{64} << 20;

// The shape of one row, or nothing when the model leaves more than the rows open.
std::optional<Dims> RowShape(const Port& port, bool per_row) {
  if (!port.has_rank) return {};
  Dims dims = port.shape;
  if (per_row) dims[0] = 1;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return {};
  }
  return dims;
}

// `value` repeated as JSON text, so that one reader serves all forms.
Result<Tensor> Filled(DType dtype, const Dims& shape, element value) {
  ATH_TRY(const std::int64_t count, CountElements(shape));
  if (count > (std::int64_t{1} << 24))
    return Error(ErrorCode::kUsage, "shape {} is too large for a default", ToString(shape));
  const std::string one = simdjson::minify(value);
  std::string all = "[";
  for (std::int64_t i = 0; i < count; ++i) all += (i > 0 ? "," : "") + one;
  all += "]";
  simdjson::dom::parser parser;
  ATH_TRY(const element data, ParseJson(parser, all));
  return TensorFromJson(dtype, shape, data);
}

Result<Tensor> ReadValue(const Port& port, bool per_row, element value) {
  const std::optional<Dims> shape = RowShape(port, per_row);
  if (value.is_object()) {
    element given_shape, data;
    if (value["shape"].get(given_shape) != simdjson::SUCCESS ||
        value["data"].get(data) != simdjson::SUCCESS) {
      return Error(ErrorCode::kUsage, "an object must have \"shape\" and \"data\"");
    }
    ATH_TRY(Dims dims, ShapeFromJson(given_shape));
    if (per_row && (dims.empty() || dims[0] != 1))
      return Error(ErrorCode::kUsage, "the default is for one row: its shape begins with 1");
    return TensorFromJson(port.dtype, std::move(dims), data);
  }
  if (!shape) {
    return Error(ErrorCode::kUsage,
                 "the model leaves its shape open ({}): give {{\"shape\": [...], \"data\": [...]}}",
                 port.type);
  }
  if (value.is_array()) return TensorFromJson(port.dtype, *shape, value);
  return Filled(port.dtype, *shape, value);
}

}  // namespace

Result<std::shared_ptr<const DefaultAnswer>> DefaultAnswer::Parse(std::string_view json,
                                                                  const ServedModel& model) {
  simdjson::dom::parser parser;
  ATH_TRY(const element document, ParseJson(parser, json));
  simdjson::dom::object values;
  if (document.get(values) != simdjson::SUCCESS)
    return Error(ErrorCode::kUsage, "an object of outputs is expected: {{\"OUTPUT\": VALUE}}");
  std::vector<std::string> names;
  for (const Port& port : model.outputs()) names.push_back(port.name);
  for (const auto field : values) {
    const std::string name(field.key);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return Error(ErrorCode::kUnknownName, "model \"{}\" has no output \"{}\"{}; it has {}",
                   model.name(), name, DidYouMean(name, names), Join(names, ", "));
    }
  }
  std::shared_ptr<DefaultAnswer> made(new DefaultAnswer());
  made->per_row_ = model.has_rows();
  for (const Port& port : model.outputs()) {
    element value;
    if (values[port.name].get(value) != simdjson::SUCCESS)
      return Error(ErrorCode::kUsage, "output \"{}\" has no default", port.name);
    Result<Tensor> tensor = ReadValue(port, made->per_row_, value);
    if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("output \"{}\"", port.name));
    made->outputs_.push_back(*std::move(tensor));
  }
  return std::shared_ptr<const DefaultAnswer>(std::move(made));
}

Result<std::vector<Tensor>> DefaultAnswer::Outputs(std::int64_t rows) const {
  if (!per_row_ || rows == 1) return outputs_;
  std::vector<Tensor> all;
  for (const Tensor& row : outputs_) {
    if (row.bytes() > 0 && static_cast<std::size_t>(rows) > kMostDefaultBytes / row.bytes())
      return Error(ErrorCode::kDeadline, "no answer in time; {} rows are too many for the default",
                   rows);
    Dims dims = row.dims();
    dims[0] = rows;
    ATH_TRY(Tensor tensor, Tensor::Allocate(row.dtype(), std::move(dims)));
    if (row.dtype() == DType::kString) {
      const auto from = row.Data<std::string>();
      const auto to = tensor.MutableData<std::string>();
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = from[i % from.size()];
    } else if (row.bytes() > 0) {
      for (std::int64_t i = 0; i < rows; ++i) {
        std::memcpy(static_cast<std::byte*>(tensor.mutable_raw()) +
                        static_cast<std::size_t>(i) * row.bytes(),
                    row.raw(), row.bytes());
      }
    }
    all.push_back(std::move(tensor));
  }
  return all;
}

}  // namespace athanor::serve
