#include "verify/compare.h"

#include <cmath>

namespace athanor {
namespace {

Difference Mismatch(std::string reason) {
  return {.same_kind = false, .reason = std::move(reason), .cosine = 0, .pass = false};
}

Difference CompareStrings(const Tensor& actual, const Tensor& expected) {
  Difference difference;
  const auto a = actual.Data<std::string>(), b = expected.Data<std::string>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (difference.violations++ == 0)
      difference.reason = fmt::format("element {}: \"{}\", expected \"{}\"", i, a[i], b[i]);
  }
  difference.pass = difference.violations == 0;
  return difference;
}

// Complex numbers as pairs of reals.
Tensor AsReal(const Tensor& tensor) {
  if (!IsComplex(tensor.dtype())) return tensor;
  Dims dims = tensor.dims();
  dims.push_back(2);
  return Tensor::View(tensor.dtype() == DType::kC64 ? DType::kF32 : DType::kF64, std::move(dims),
                      tensor.raw(), tensor.owner());
}

Difference CompareNumbers(const Tensor& actual, const Tensor& expected,
                          const Tolerance& tolerance) {
  const Result<std::vector<double>> a = ToDoubles(AsReal(actual)), b = ToDoubles(AsReal(expected));
  if (!a.ok() || !b.ok()) return Mismatch("the element type cannot be compared");
  Difference result;
  double difference2 = 0, a2 = 0, b2 = 0, dot = 0;
  for (std::size_t i = 0; i < a->size(); ++i) {
    const double x = (*a)[i], y = (*b)[i];
    if ((std::isnan(x) && std::isnan(y)) || x == y) {
      if (std::isfinite(x)) a2 += x * x, b2 += y * y, dot += x * y;
      continue;
    }
    const double distance = std::fabs(x - y);
    // Written so that NaN counts as a violation.
    const bool close = distance <= tolerance.atol + tolerance.rtol * std::fabs(y);
    if (!close && result.violations++ == 0)
      result.reason = fmt::format("element {}: {}, expected {}", i, x, y);
    if (!std::isfinite(distance)) {
      result.max_abs = INFINITY;
      continue;
    }
    result.max_abs = std::max(result.max_abs, distance);
    difference2 += distance * distance;
    a2 += x * x, b2 += y * y, dot += x * y;
  }
  result.rel_l2 = difference2 == 0 ? 0 : std::sqrt(difference2 / (b2 > 0 ? b2 : 1));
  result.cosine = a2 > 0 && b2 > 0 ? dot / std::sqrt(a2 * b2) : (a2 == b2 ? 1 : 0);
  result.pass = result.violations == 0;
  return result;
}

}  // namespace

Difference Compare(const Datum& actual, const Datum& expected, const Tolerance& tolerance) {
  if (actual.IsAbsent() && expected.IsAbsent()) return {};
  if (actual.IsSequence() && expected.IsSequence()) {
    if (actual.items().size() != expected.items().size()) {
      return Mismatch(
          fmt::format("{} items, expected {}", actual.items().size(), expected.items().size()));
    }
    Difference worst;
    for (std::size_t i = 0; i < actual.items().size(); ++i) {
      const Difference difference = Compare(actual.items()[i], expected.items()[i], tolerance);
      if (!difference.pass || difference.rel_l2 > worst.rel_l2) worst = difference;
      if (!difference.pass) return worst;
    }
    return worst;
  }
  if (!actual.IsTensor() || !expected.IsTensor())
    return Mismatch("one is a tensor, the other is not");
  const Tensor& a = actual.tensor();
  const Tensor& b = expected.tensor();
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) {
    return Mismatch(fmt::format("{}{}, expected {}{}", Name(a.dtype()), ToString(a.dims()),
                                Name(b.dtype()), ToString(b.dims())));
  }
  return a.dtype() == DType::kString ? CompareStrings(a, b) : CompareNumbers(a, b, tolerance);
}

}  // namespace athanor
