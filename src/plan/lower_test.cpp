#include <gtest/gtest.h>

#include <cmath>

#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/catalog.h"
#include "plan/stages.h"

namespace athanor::plan {
namespace {

Tensor Numbers(DType dtype, const Dims& dims, float seed) {
  Tensor tensor = *Tensor::Allocate(dtype, dims);
  float i = seed;
  for (std::int64_t k = 0; k < tensor.count(); ++k) {
    const float x = 9 * std::sin(0.7F * ++i);
    if (dtype == DType::kF32) tensor.MutableData<float>()[static_cast<std::size_t>(k)] = x;
    if (dtype == DType::kI32)
      tensor.MutableData<std::int32_t>()[static_cast<std::size_t>(k)] = static_cast<int>(x);
  }
  return tensor;
}

// The graph means the same as before and has no such node any more, unless it `stays`.
void ExpectLowered(const std::string& text, std::string_view op, bool stays = false) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  std::vector<Datum> inputs;
  for (const ValueId id : graph->inputs()) {
    const Type& type = graph->value(id).type;
    inputs.emplace_back(Numbers(type.dtype, *type.StaticDims(), static_cast<float>(inputs.size())));
  }
  const std::vector<Datum> expected = *Evaluate(*graph, inputs);
  const Result<bool> changed = LowerForKernels(*graph);
  ASSERT_TRUE(changed.ok()) << changed.status().ToString();
  EXPECT_EQ(*changed, !stays) << text;
  const Status verified = Verify(*graph);
  ASSERT_TRUE(verified.ok()) << verified.ToString();
  const std::vector<NodeId> order = *graph->Order();
  for (const NodeId id : order) EXPECT_EQ(graph->node(id).op->name == op, stays) << text;
  const std::vector<Datum> actual = *Evaluate(*graph, inputs);
  ASSERT_EQ(actual[0].tensor().dims(), expected[0].tensor().dims()) << text;
  const std::vector<double> a = *ToDoubles(actual[0].tensor()),
                            b = *ToDoubles(expected[0].tensor());
  for (std::size_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a[i], b[i], 1e-4 * (1 + std::abs(b[i]))) << text;
}

std::string Einsum(const std::string& inputs, const std::string& values,
                   const std::string& equation) {
  return "graph g(" + inputs + ") -> (y) { %y = Einsum(" + values + ") {equation = \"" + equation +
         "\"} }";
}

TEST(LowerForKernels, WritesEinsumAsAProductOfMatrices) {
  const std::string two = "a: f32[2, 5, 3, 4], b: f32[2, 6, 3, 4]";
  for (const char* equation : {"bqhd,bkhd->bhqk", "bqhd, bkhd -> bkhq", "abcd,aecd->be",
                               "abcd,efgh->ae", "abcd,aecd->ebadc", "abcd,aecd->"})
    ExpectLowered(Einsum(two, "%a, %b", equation), "Einsum");
  ExpectLowered(Einsum("a: f32[3, 4], b: f32[4, 5], c: f32[5, 2]", "%a, %b, %c", "ij,jk,kl->il"),
                "Einsum");
  ExpectLowered(Einsum("a: f32[3, 4, 5]", "%a", "ijk->kj"), "Einsum");
  ExpectLowered(Einsum("a: f32[2, 3, 4, 5], b: f32[2, 3, 5, 6]", "%a, %b", "...ij,...jk->...ik"),
                "Einsum");
}

TEST(LowerForKernels, LeavesADiagonalAndBroadcastSizesAlone) {
  ExpectLowered(Einsum("a: f32[4, 4]", "%a", "ii->i"), "Einsum", true);
  ExpectLowered(Einsum("a: f32[1, 4], b: f32[3, 4]", "%a, %b", "ij,ij->i"), "Einsum", true);
}

TEST(LowerForKernels, TakesAGemmApartThatNoKernelHas) {
  const auto gemm = [](const std::string& inputs, const std::string& attributes) {
    return "graph g(" + inputs + ") -> (y) { %y = Gemm(%a, %b, %c) {" + attributes + "} }";
  };
  ExpectLowered(gemm("a: i32[7, 5], b: i32[6, 7], c: i32[5, 1]", "transA = 1, transB = 1"), "Gemm");
  for (const char* c : {"c: f32[5, 6]", "c: f32[]", "c: f32[5, 1]"}) {
    const std::string text =
        gemm(std::string("a: f32[5, 7], b: f32[7, 6], ") + c, "alpha = 2, beta = 0.5");
    // The product stays a Gemm, without the sum.
    Result<Graph> graph = ParseText(text, ops::Standard());
    ASSERT_TRUE(graph.ok());
    EXPECT_TRUE(*LowerForKernels(*graph));
    const std::vector<NodeId> order = *graph->Order();
    for (const NodeId id : order) {
      if (graph->node(id).op->name != "Gemm") continue;
      EXPECT_EQ(graph->node(id).inputs.size(), 2U);
    }
  }
}

}  // namespace
}  // namespace athanor::plan
