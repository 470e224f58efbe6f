// What CatBoost notes beside a model: the loss, the names of the classes, the border of
// probabilities.
#pragma once

#include "frontends/catboost/model.h"
#include "frontends/tabular/document.h"

namespace athanor::catboost {

// `information`: an object whose members are documents, or the text of one.
Status ReadInformation(const tabular::Value& information, Model& model);

}  // namespace athanor::catboost
