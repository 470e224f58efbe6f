#include <array>
#include <cmath>

#include "core/text.h"
#include "frontends/catboost/catboost.h"
#include "frontends/lightgbm/lightgbm.h"
#include "frontends/pickled/arrays.h"
#include "frontends/pickled/pickled.h"
#include "frontends/pytorch/pickle.h"
#include "frontends/xgboost/xgboost.h"

namespace athanor::pickled {
namespace {

using pytorch::Object;
using pytorch::Value;

// What such pickles name besides arrays: what surrounds the model and is not looked at, but for the
// names of classes.
constexpr std::array<std::string_view, 20> kEstimators = {
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

// An estimator, and the model that it holds in its library's own form.
struct Fitted {
  const Object& estimator;
  std::span<const std::uint8_t> model;
};

// A LightGBM classifier numbers its classes for the model, and keeps what they are.
Result<Graph> ImportLightgbm(const Fitted& fitted) {
  const Value* classes = fitted.estimator.Find("_classes");
  if (classes == nullptr || classes->IsNone()) return lightgbm::Import(fitted.model);
  Result<Tensor> names = ArrayOf(*classes);
  if (!names.ok()) return std::move(names).status().In("the classes");
  return lightgbm::ImportWithClasses(fitted.model, *std::move(names));
}

template <Result<Graph> (*kImport)(std::span<const std::uint8_t>)>
Result<Graph> ImportModel(const Fitted& fitted) {
  return kImport(fitted.model);
}

// Where each library keeps its model: an attribute of the estimator, or of its booster; its name in
// older versions.
struct Library {
  std::string_view module;
  std::string_view attribute;
  std::string_view older;
  Result<Graph> (*import)(const Fitted& fitted);
};
constexpr Library kLibraries[] = {
    {"catboost.", "__model", "__model", ImportModel<catboost::Import>},
    {"lightgbm.", "_handle", "handle", ImportLightgbm},
    {"xgboost.", "handle", "handle", ImportModel<xgboost::Import>},
};

// An XGBoost estimator says which number stands for a missing one; its model does not.
Status CheckMissing(const Object& estimator) {
  const Value* missing = estimator.Find("missing");
  if (missing == nullptr || missing->IsNone()) return {};
  if (missing->Is(Value::Kind::kFloat) && std::isnan(missing->real)) return {};
  return Unsupported("the estimator takes a number of its own for missing, which is not read")
      .Fix(
          "save the model itself, save_model('model.json'), and say that number to `athanor score "
          "--missing` or put NaN in its place");
}

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
  std::vector<std::string_view> known(kEstimators.begin(), kEstimators.end());
  known.insert(known.end(), kArrayNames.begin(), kArrayNames.end());
  ATH_TRY(const Value root,
          ReadPickle(bytes, heap, {.opaque = known, .fix = kFix, .following = FollowingOf}));
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
    ATH_RETURN_IF_ERROR(CheckMissing(*root.object));
    ATH_TRY(const std::string_view text, BytesOf(*model));
    return library.import(
        {*root.object, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}});
  }
  return Unsupported("the pickle holds a {}, not an estimator", Quote(type)).Fix(std::string(kFix));
}

}  // namespace athanor::pickled
