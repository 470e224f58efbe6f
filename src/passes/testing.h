// What the tests of passes share: graphs from text, random inputs, comparison of results.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::passes {

inline Graph Parse(std::string_view text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString() << "\n" << text;
  return graph.ok() ? *std::move(graph) : Graph(ops::Standard());
}

// Numbers between -2 and 2; symbols and unknown dimensions become `symbol`.
inline Datum RandomDatum(const Type& type, std::mt19937& random, std::int64_t symbol = 3) {
  Dims dims;
  if (type.shape) {
    for (const Dim& dim : *type.shape) dims.push_back(dim.IsConst() ? dim.value() : symbol);
  }
  Result<Tensor> tensor = Tensor::Allocate(type.dtype, dims);
  EXPECT_TRUE(tensor.ok());
  std::uniform_real_distribution<float> uniform(-2, 2);
  const auto fill = [&](auto sample) {
    using T = decltype(sample);
    for (T& value : tensor->MutableData<T>()) value = static_cast<T>(uniform(random));
  };
  if (type.dtype == DType::kF32) fill(0.0F);
  if (type.dtype == DType::kF64) fill(0.0);
  if (type.dtype == DType::kF16) {
    for (Half& value : tensor->MutableData<Half>()) value = Half(uniform(random));
  }
  if (type.dtype == DType::kI64) fill(std::int64_t{0});
  if (type.dtype == DType::kI32) fill(std::int32_t{0});
  if (type.dtype == DType::kU8) {
    for (std::uint8_t& value : tensor->MutableData<std::uint8_t>())
      value = static_cast<std::uint8_t>(random() % 256);
  }
  if (type.dtype == DType::kBool) {
    for (bool& value : tensor->MutableData<bool>()) value = uniform(random) > 0;
  }
  return *std::move(tensor);
}

inline std::vector<Datum> RandomInputs(const Graph& graph, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Datum> inputs;
  for (const ValueId input : graph.inputs())
    inputs.push_back(RandomDatum(graph.value(input).type, random));
  return inputs;
}

// |a - b| <= tolerance * max(1, largest |b|), NaN equals NaN. Rewrites reorder float arithmetic.
inline ::testing::AssertionResult Near(const Datum& actual, const Datum& expected,
                                       double tolerance = 2e-5) {
  if (!actual.IsTensor() || !expected.IsTensor())
    return ::testing::AssertionFailure() << "not a tensor";
  const Tensor& a = actual.tensor();
  const Tensor& b = expected.tensor();
  if (a.dtype() != b.dtype() || a.dims() != b.dims()) {
    return ::testing::AssertionFailure() << Name(a.dtype()) << ToString(a.dims()) << " against "
                                         << Name(b.dtype()) << ToString(b.dims());
  }
  const Result<std::vector<double>> x = ToDoubles(a), y = ToDoubles(b);
  if (!x.ok() || !y.ok()) return ::testing::AssertionFailure() << "not numeric";
  if (a.dtype() == DType::kF16) tolerance = 4e-3;
  double scale = 1;
  for (const double value : *y)
    scale = std::isfinite(value) ? std::max(scale, std::abs(value)) : scale;
  for (std::size_t i = 0; i < x->size(); ++i) {
    const double p = (*x)[i], q = (*y)[i];
    if (p == q || (std::isnan(p) && std::isnan(q)) || std::abs(p - q) <= tolerance * scale)
      continue;
    return ::testing::AssertionFailure() << "element " << i << ": " << p << " against " << q;
  }
  return ::testing::AssertionSuccess();
}

// Both give the same on random inputs.
inline void ExpectSameResults(const Graph& before, const Graph& after, unsigned seed,
                              double tolerance = 2e-5) {
  const std::vector<Datum> inputs = RandomInputs(before, seed);
  const Result<std::vector<Datum>> expected = Evaluate(before, inputs);
  ASSERT_TRUE(expected.ok()) << expected.status().ToString() << "\n" << PrintText(before);
  const Result<std::vector<Datum>> actual = Evaluate(after, inputs);
  ASSERT_TRUE(actual.ok()) << actual.status().ToString() << "\n" << PrintText(after);
  ASSERT_EQ(actual->size(), expected->size());
  for (std::size_t i = 0; i < expected->size(); ++i)
    EXPECT_TRUE(Near((*actual)[i], (*expected)[i], tolerance)) << "before\n"
                                                               << PrintText(before) << "after\n"
                                                               << PrintText(after);
}

}  // namespace athanor::passes
