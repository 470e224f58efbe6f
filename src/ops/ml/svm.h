// What support vector machines hold, for their meaning and for those who write them in other forms.
#pragma once

#include <numeric>
#include <string>
#include <vector>

#include "ops/ml/feature_table.h"

namespace athanor::ops {

struct SvmAttrs {
  std::string kernel_type = "LINEAR";
  std::string post_transform = "NONE";
  std::vector<float> kernel_params, coefficients, support_vectors, rho;
  template <class V>
  void Visit(V& v) {
    v("kernel_type", kernel_type, "LINEAR, POLY, RBF or SIGMOID");
    v("kernel_params", kernel_params, "gamma, coef0, degree");
    v("coefficients", coefficients, "of the support vectors, or of the features without any");
    v("support_vectors", support_vectors, "[vectors, features], row by row");
    v("rho", rho, "added to each sum");
    v("post_transform", post_transform, "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
  }
};

struct SvmRegressorAttrs : SvmAttrs {
  std::int64_t n_supports = 0;
  bool one_class = false;
  template <class V>
  void Visit(V& v) {
    SvmAttrs::Visit(v);
    v("n_supports", n_supports, "number of support vectors; 0: a linear model");
    v("one_class", one_class, "1: y is 1 for samples inside, -1 for those outside");
  }
};

struct SvmClassifierAttrs : SvmAttrs {
  std::vector<std::int64_t> classlabels_ints;
  std::vector<std::string> classlabels_strings;
  std::vector<float> prob_a, prob_b;
  std::vector<std::int64_t> vectors_per_class;
  template <class V>
  void Visit(V& v) {
    SvmAttrs::Visit(v);
    v("classlabels_ints", classlabels_ints, "labels, where they are integers");
    v("classlabels_strings", classlabels_strings, "labels, where they are strings");
    v("prob_a", prob_a,
      "per pair of classes: score * prob_a + prob_b is the negative logit of the "
      "first; empty: no probabilities");
    v("prob_b", prob_b, "as many as prob_a");
    v("vectors_per_class", vectors_per_class,
      "support vectors of each class; empty: a linear "
      "model with one row of coefficients per class");
  }
  ClassLabels Labels() const { return {classlabels_ints, classlabels_strings}; }
  std::size_t classes() const { return Labels().size(); }
  std::size_t pairs() const { return classes() * (classes() - 1) / 2; }
  // At most the number of support values, once checked.
  std::int64_t vectors() const {
    return std::accumulate(vectors_per_class.begin(), vectors_per_class.end(), std::int64_t{0});
  }
  bool linear() const { return vectors() == 0; }
  bool probabilities() const { return !prob_a.empty() && !linear(); }
  // Two classes have one score s, given as [-s, s]; more have one per pair.
  std::size_t columns() const {
    return linear() || probabilities() || classes() == 2 ? classes() : pairs();
  }
};

}  // namespace athanor::ops
