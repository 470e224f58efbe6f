// Folders that MLflow saved a model in: the file `MLmodel` names the file of each flavour.
#pragma once

#include <string>
#include <string_view>

#include "core/status.h"

namespace athanor {

// The name of the model's file in its folder, from the text of `MLmodel`. Read are the flavours
// catboost, lightgbm, onnx, pmml, sklearn and xgboost; a name that leaves the folder is refused.
Result<std::string> MlflowModelFile(std::string_view text);

}  // namespace athanor
