#include "serve/c_interface.h"

#include "serve/datatype.h"

namespace athanor::serve {

Status LastError(ath_status code) {
  Status status(static_cast<ErrorCode>(code), ath_error_message());
  if (*ath_error_where() != '\0') status = std::move(status).In(ath_error_where());
  if (*ath_error_fix() != '\0') status = std::move(status).Fix(ath_error_fix());
  return status;
}

Result<Port> ToPort(const ath_value_info& info) {
  Port port = {.name = info.name,
               .dtype = static_cast<DType>(info.dtype),
               .has_rank = info.rank >= 0,
               .shape = {},
               .type = info.type};
  if (port.has_rank) port.shape.assign(info.dims, info.dims + info.rank);
  if (ToV2(port.dtype).empty()) {
    return Unsupported("\"{}\" is {}; the inference protocol carries {}", port.name, port.type,
                       AllV2Names());
  }
  return port;
}

Result<Tensor> ToTensor(const ath_tensor& raw, const std::shared_ptr<const void>& owner) {
  const auto dtype = static_cast<DType>(raw.dtype);
  Dims dims(raw.dims, raw.dims + raw.rank);
  if (dtype != DType::kString) return Tensor::View(dtype, std::move(dims), raw.data, owner);
  ATH_TRY(Tensor strings, Tensor::Allocate(dtype, std::move(dims)));
  const auto* texts = static_cast<const char* const*>(raw.data);
  for (std::string& text : strings.MutableData<std::string>()) text = *texts++;
  return strings;
}

Result<std::unique_ptr<Engine>> Engine::Open(const std::string& path, const ModelOptions& options,
                                             const Access& access) {
  const bool is_package = ath_is_package(path.c_str()) != 0;
  if (!is_package && !access.empty()) {
    return Error(ErrorCode::kUsage, "{} is no package: keys open packages only", path)
        .Fix("name the package that a key is for: --key NAME=FILE, --trust NAME=FILE");
  }
  ATH_TRY(std::unique_ptr<Engine> made,
          is_package ? OpenPackage(path, options, access) : OpenModel(path, options));
  made->batch_note_ = options.max_batch > 1 ? made->WhyNotStacked() : "stacking is switched off";
  if (made->batch_note_.empty()) made->max_batch_ = options.max_batch;
  made->WarmUp();
  return made;
}

}  // namespace athanor::serve
