// Element types of TFLite tensors.
#pragma once

#include "core/dtype.h"
#include "core/status.h"
#include "frontends/tflite/tflite_generated.h"

namespace athanor::tflite {

// Fails, naming the type, when tensors of it are not read.
Result<DType> DTypeOf(schema::TensorType type);

}  // namespace athanor::tflite
