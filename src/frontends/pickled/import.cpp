#include <array>

#include "core/text.h"
#include "frontends/catboost/catboost.h"
#include "frontends/lightgbm/lightgbm.h"
#include "frontends/pickled/pickled.h"
#include "frontends/pytorch/pickle.h"
#include "frontends/xgboost/xgboost.h"

namespace athanor::pickled {
namespace {

using pytorch::Object;
using pytorch::Value;

// What such pickles name besides the estimators: what surrounds the model and is not looked at.
constexpr std::array<std::string_view, 26> kKnown = {
    "builtins bytearray",
    "catboost.core CatBoost",
    "catboost.core CatBoostClassifier",
    "catboost.core CatBoostRanker",
    "catboost.core CatBoostRegressor",
    "lightgbm.basic Booster",
    "lightgbm.compat _LGBMLabelEncoder",
    "lightgbm.sklearn LGBMClassifier",
    "lightgbm.sklearn LGBMModel",
    "lightgbm.sklearn LGBMRanker",
    "lightgbm.sklearn LGBMRegressor",
    "numpy dtype",
    "numpy ndarray",
    "numpy._core.multiarray _reconstruct",
    "numpy._core.multiarray scalar",
    "numpy.core.multiarray _reconstruct",
    "numpy.core.multiarray scalar",
    "sklearn.preprocessing._label LabelEncoder",
    "sklearn.preprocessing.label LabelEncoder",
    "xgboost.core Booster",
    "xgboost.sklearn XGBClassifier",
    "xgboost.sklearn XGBModel",
    "xgboost.sklearn XGBRFClassifier",
    "xgboost.sklearn XGBRFRegressor",
    "xgboost.sklearn XGBRanker",
    "xgboost.sklearn XGBRegressor",
};

constexpr std::string_view kFix =
    "save the model itself: save_model('model.json') of XGBoost and CatBoost, booster_.save_model "
    "of "
    "LightGBM, skl2onnx.to_onnx(model, rows) or sklearn2pmml of scikit-learn";

// Where each library keeps its model: an attribute of the estimator, or of its booster; its name in
// older versions.
struct Library {
  std::string_view module;
  std::string_view attribute;
  std::string_view older;
  Result<Graph> (*import)(std::span<const std::uint8_t> bytes);
};
constexpr Library kLibraries[] = {
    {"catboost.", "__model", "__model", catboost::Import},
    {"lightgbm.", "_handle", "handle", lightgbm::Import},
    {"xgboost.", "handle", "handle", xgboost::Import},
};

// The bytes of a text, or what a bytearray was made of.
Result<std::string_view> BytesOf(const Value& value) {
  if (value.Is(Value::Kind::kString)) return std::string_view(*value.text);
  const Value* made = value.Is(Value::Kind::kObject) ? value.object->Find("__args__") : nullptr;
  if (made != nullptr && made->IsSequence() && made->items->values.size() == 1 &&
      made->items->values[0].Is(Value::Kind::kString))
    return std::string_view(*made->items->values[0].text);
  return InvalidModel("the model is {}, not bytes", NameOf(value.kind));
}

}  // namespace

bool IsPickle(std::span<const std::uint8_t> bytes) {
  return bytes.size() > 4 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5;
}

Result<Graph> Import(std::span<const std::uint8_t> bytes) {
  pytorch::Heap heap;
  ATH_TRY(const Value root, ReadPickle(bytes, heap, {.opaque = kKnown, .fix = kFix}));
  if (!root.Is(Value::Kind::kObject))
    return Unsupported("the pickle holds {}, not an estimator", NameOf(root.kind))
        .Fix(std::string(kFix));
  const std::string& type = *root.object->type;
  for (const Library& library : kLibraries) {
    if (!type.starts_with(library.module)) continue;
    const Value* booster = root.object->Find("_Booster");
    const Object* holder =
        booster != nullptr && booster->Is(Value::Kind::kObject) ? booster->object : root.object;
    const Value* model = holder->Find(library.attribute);
    if (model == nullptr) model = holder->Find(library.older);
    if (model == nullptr || model->IsNone())
      return InvalidModel("the {} holds no model: it was not fitted", Quote(type));
    ATH_TRY(const std::string_view text, BytesOf(*model));
    return library.import({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
  return Unsupported("the pickle holds a {}, not an estimator", Quote(type)).Fix(std::string(kFix));
}

}  // namespace athanor::pickled
