// How far two results are apart.
#pragma once

#include <string>

#include "core/datum.h"

namespace athanor {

struct Tolerance {
  double rtol = 1e-3;
  double atol = 1e-7;
};

struct Difference {
  bool same_kind = true;    // dtype, shape and structure agree
  std::string reason = "";  // why not, or where the largest difference lies
  double max_abs = 0;
  double rel_l2 = 0;  // |a - b| / |b|
  double cosine = 1;
  std::int64_t violations = 0;  // elements with |a - b| > atol + rtol * |b|
  bool pass = true;
};

// `expected` is b in the formulas. NaN equals NaN; strings, integers of up to 8 bits excepted, are
// exact.
Difference Compare(const Datum& actual, const Datum& expected, const Tolerance& tolerance);

}  // namespace athanor
