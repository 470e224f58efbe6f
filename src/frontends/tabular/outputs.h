// From the scores of boosted trees to the outputs of a model.
#pragma once

#include <optional>

#include "ir/graph.h"

namespace athanor::tabular {

enum class Link : std::uint8_t {
  kIdentity,
  kExp,
  kLogistic,        // a number between 0 and 1
  kSquare,          // sign(x) * x * x
  kLog1pExp,        // log(1 + exp(x))
  kBinaryLogistic,  // one score per target: label and probabilities of two classes
  kHinge,           // the same, without doubt
  kSoftmax,         // one score per class: label and probabilities
  kSoftmaxLabel,    // the same, for a library that gives the label only
  kOneVersusAll,    // one score per class, each a probability of its own
};

struct OutputForm {
  Link link = Link::kIdentity;
  double slope = 1;  // multiplies the score before a logistic link
  // A row is of the second of two classes where its score is above; without, where its probability
  // is above 1/2.
  std::optional<double> score_border = {};
  // The classes' names in their order, i64 or strings; without, their numbers.
  std::optional<Tensor> labels = {};
};

// Adds the outputs for scores [rows, targets or classes]. Numbers: `prediction` [rows, targets].
// Classes: `label` i64 or string [rows] and `probability` [rows, classes]; with several targets of
// two classes, i64 [rows, targets] and [rows, targets] for the second class.
Status AddOutputs(Graph& graph, ValueId scores, const OutputForm& form);

}  // namespace athanor::tabular
