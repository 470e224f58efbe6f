#include "zoo/zoo.h"

#include <gtest/gtest.h>

namespace athanor::zoo {
namespace {

// Floating-point constants; of a BatchNormalization only scale and bias are parameters.
std::int64_t CountParameters(const Graph& graph) {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const Node& node = graph.node(static_cast<NodeId>(i));
    if (node.op == nullptr) continue;
    const std::size_t inputs = node.op->name == "BatchNormalization" ? 3 : node.inputs.size();
    for (std::size_t k = 0; k < inputs; ++k) {
      const Tensor* constant = graph.Constant(node.inputs[k]);
      if (constant != nullptr && constant->dtype() == DType::kF32 && constant->rank() > 0)
        count += constant->count();
    }
  }
  return count;
}

struct Known {
  const char* name;
  std::int64_t parameters;  // as torchvision and the papers' own code count them
};

class KnownTopology : public testing::TestWithParam<Known> {};

TEST_P(KnownTopology, HasThePublishedNumberOfParameters) {
  const Result<Graph> graph = Make(GetParam().name);
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  EXPECT_EQ(CountParameters(*graph), GetParam().parameters);
}

INSTANTIATE_TEST_SUITE_P(
    Zoo, KnownTopology,
    testing::Values(Known{"resnet18", 11689512}, Known{"resnet50", 25557032},
                    Known{"vgg16", 138357544}, Known{"mobilenet_v1", 4231976},
                    Known{"mobilenet_v2", 3504872}, Known{"squeezenet1_1", 1235496},
                    Known{"shufflenet_v2", 2278604}, Known{"densenet121", 7978856},
                    Known{"efficientnet_b0", 5288548}, Known{"bert-base", 109482240}),
    [](const auto& info) {
      std::string name = info.param.name;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

TEST(Zoo, EveryTopologyIsBuilt) {
  for (const ZooEntry& entry : Entries()) {
    const Result<Graph> graph = entry.make(7);
    EXPECT_TRUE(graph.ok()) << entry.name << ": " << graph.status().ToString();
  }
}

TEST(Zoo, TheSameSeedGivesTheSameWeights) {
  const Result<Graph> a = Make("ds_cnn", 3), b = Make("ds_cnn", 3), c = Make("ds_cnn", 4);
  ASSERT_TRUE(a.ok() && b.ok() && c.ok());
  const auto first_weight = [](const Graph& graph) {
    return *graph.Constant(graph.node(NodeId{0}).inputs[1]);
  };
  EXPECT_TRUE(first_weight(*a).SameAs(first_weight(*b)));
  EXPECT_FALSE(first_weight(*a).SameAs(first_weight(*c)));
}

TEST(Zoo, AWrongNameSuggestsTheRightOne) {
  const Result<Graph> graph = Make("resnet5O");
  ASSERT_FALSE(graph.ok());
  EXPECT_NE(graph.status().message().find("resnet50"), std::string::npos);
}

}  // namespace
}  // namespace athanor::zoo
