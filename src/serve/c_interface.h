// The C interface's words as the server's own, for the engines.
#pragma once

#include <athanor/athanor.h>

#include "serve/engine.h"

namespace athanor::serve {

// The last failure of the C interface on this thread.
Status LastError(ath_status code);
// Refuses types that the inference protocol does not carry.
Result<Port> ToPort(const ath_value_info& info);
// The elements are viewed and `owner` is kept; strings are copied.
Result<Tensor> ToTensor(const ath_tensor& raw, const std::shared_ptr<const void>& owner);

Result<std::unique_ptr<Engine>> OpenModel(const std::string& path, const ModelOptions& options);
Result<std::unique_ptr<Engine>> OpenPackage(const std::string& path, const ModelOptions& options,
                                            const Access& access);

}  // namespace athanor::serve
