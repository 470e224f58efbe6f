// Classical models, domain ai.onnx.ml. One row per operator and change of its form.
#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// One row per line keeps the table easy to scan and to merge.
// clang-format off
std::vector<Row> MlRows() {
  return {
      {.onnx = "ArrayFeatureExtractor", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "Binarizer", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "FeatureVectorizer", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "Imputer", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "Normalizer", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "Scaler", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "TreeEnsemble", .domain = "ai.onnx.ml", .since = 5, .make = Same()},
      {.onnx = "TreeEnsembleClassifier", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
      {.onnx = "TreeEnsembleRegressor", .domain = "ai.onnx.ml", .since = 1, .make = Same()},
  };
}
// clang-format on

}  // namespace athanor::onnx
