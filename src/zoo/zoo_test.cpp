#include "zoo/zoo.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace athanor::zoo {
namespace {

// What is learned: constants with a rank, but not the statistics of BatchNormalization nor grids,
// anchors and the like, which the builder calls "fixed". Shared weights count once.
std::int64_t CountParameters(const Graph& graph) {
  std::set<ValueId> learned;
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const Node& node = graph.node(static_cast<NodeId>(i));
    if (node.op == nullptr) continue;
    const std::size_t inputs = node.op->name == "BatchNormalization" ? 3 : node.inputs.size();
    for (std::size_t k = 0; k < inputs; ++k) {
      const Tensor* constant = graph.Constant(node.inputs[k]);
      if (constant != nullptr && constant->dtype() == DType::kF32 && constant->rank() > 0 &&
          graph.value(node.inputs[k]).name != "fixed")
        learned.insert(node.inputs[k]);
    }
  }
  std::int64_t count = 0;
  for (const ValueId id : learned) count += graph.Constant(id)->count();
  return count;
}

// Dimensions of the inputs that are symbols become 1.
Status BindSymbols(Graph& graph) {
  for (const ValueId id : graph.inputs()) {
    Type type = graph.value(id).type;
    for (Dim& dim : *type.shape) dim = dim.IsConst() ? dim : Dim(1);
    graph.SetInputType(id, std::move(type));
  }
  return graph.InferTypes();
}

// 10^9 multiply-adds of convolutions, matrix products and recurrent layers, as far as their shapes
// do not depend on the data. The addition of a bias counts as half of one.
double CountGmac(const Graph& graph) {
  const std::set<std::string> counted = {"Conv", "ConvTranspose", "Gemm", "GRU", "LSTM", "MatMul"};
  double operations = 0;
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const Node& node = graph.node(static_cast<NodeId>(i));
    if (node.op == nullptr || !counted.contains(node.op->name)) continue;
    std::vector<const Type*> in;
    std::vector<Type> out;
    for (const ValueId id : node.inputs)
      in.push_back(id == kNoValue ? nullptr : &graph.value(id).type);
    for (const ValueId id : node.outputs)
      out.push_back(id == kNoValue ? Type() : graph.value(id).type);
    const Dim flops = Flops(*node.op, {.in = in, .out = out, .attributes = node.attributes});
    if (flops.IsConst()) operations += static_cast<double>(flops.value());
  }
  return operations / 2e9;
}

TEST(Zoo, EveryTopologyHasTheFiguresOfItsEntry) {
  for (const ZooEntry& entry : Entries()) {
    Result<Graph> graph = entry.make(7);
    ASSERT_TRUE(graph.ok()) << entry.name << ": " << graph.status().ToString();
    const Status bound = BindSymbols(*graph);
    ASSERT_TRUE(bound.ok()) << entry.name << ": " << bound.ToString();
    EXPECT_EQ(CountParameters(*graph), entry.parameters) << entry.name;
    const double gmac = CountGmac(*graph);
    EXPECT_NEAR(entry.gmac, gmac, 1e-3 * gmac) << entry.name;
  }
}

// What others publish. Parameters exactly, where the source counts exactly; torchvision's detectors
// keep BatchNormalization's 53 120 scales and biases frozen and do not count them.
struct Published {
  const char* name;
  double parameters, parameter_tolerance;
  double gmac, gmac_tolerance;  // relative; 0 GMAC: not published for this input
  const char* source;
};

constexpr double kFrozen = 53120;
constexpr Published kPublished[] = {
    {"alexnet", 60965224, 0, 0.724, 0.01, "Caffe's bvlc_alexnet, which has the paper's groups"},
    {"autoencoder", 267928, 0, 264192e-9, 0.01, "MLPerf Tiny's reference model"},
    {"bert-base", 109482240, 0, 0, 0, "Hugging Face bert-base-uncased with pooler"},
    {"centernet_resnet18", 15820372, 0, 0, 0,
     "torchvision's ResNet-18 without fc, and by hand: 4 195 840 to upsample, 448 020 in heads"},
    {"cornernet_squeeze", 31.77e6 - 3521702, 0.001, 0, 0,
     "the paper's code: 31.77 M, 3 521 702 of them in outputs of the first hourglass for training"},
    {"densenet121", 7978856, 0, 2.834, 0.01, "torchvision"},
    {"detr", 41524768 + kFrozen, 0, 0, 0, "the paper's code, detr_resnet50"},
    {"ds_cnn", 23756, 0, 2.66e-3, 0.02, "MLPerf Tiny: 24 908 with the statistics"},
    {"efficientnet_b0", 5288548, 0, 0.386, 0.02, "torchvision"},
    {"faster_rcnn", 41755286 + kFrozen, 0, 0, 0, "torchvision, fasterrcnn_resnet50_fpn"},
    {"fcos", 32269600 + kFrozen, 0, 0, 0, "torchvision, fcos_resnet50_fpn"},
    {"googlenet", 6998552, 0, 1.5, 0.06, "Caffe's bvlc_googlenet without auxiliaries; the paper"},
    {"gpt2", 124439808, 0, 0, 0, "Hugging Face gpt2"},
    {"gru", 699424, 0, 0, 0, "by hand: 3 (128 + 256 + 2) 256 + 3 (256 + 256 + 2) 256 + 257 * 32"},
    {"inception_v3", 23834568, 0, 5.713, 0.01, "torchvision without auxiliary classifier"},
    {"lstm", 929824, 0, 0, 0, "by hand: 4 (128 + 256 + 2) 256 + 4 (256 + 256 + 2) 256 + 257 * 32"},
    {"mask_rcnn", 44401393 + kFrozen, 0, 0, 0, "torchvision, maskrcnn_resnet50_fpn"},
    {"mlp", 266610, 0, 266200e-9, 0.003, "LeNet-300-100"},
    {"mnasnet1_0", 4383312, 0, 0.314, 0.02, "torchvision"},
    {"mobilenet_v1", 4231976, 0, 0.569, 0.01, "table 4 of the paper: 4.2 M, 569 M"},
    {"mobilenet_v2", 3504872, 0, 0.301, 0.01, "torchvision"},
    {"mobilenet_v3_large", 5483032, 0, 0.217, 0.02, "torchvision"},
    {"mobilenet_v3_small", 2542856, 0, 0.057, 0.02, "torchvision"},
    {"regnet_y_400mf", 4344144, 0, 0.402, 0.01, "torchvision"},
    {"repvgg_a0", 9.11e6, 0.002, 1.52, 0.01, "timm, repvgg_a0 before re-parameterisation"},
    {"resnet101", 44549160, 0, 7.801, 0.01, "torchvision"},
    {"resnet18", 11689512, 0, 1.814, 0.01, "torchvision"},
    {"resnet34", 21797672, 0, 3.664, 0.01, "torchvision"},
    {"resnet50", 25557032, 0, 4.089, 0.01, "torchvision"},
    {"resnet8", 78186, 0, 12.5e-3, 0.01, "MLPerf Tiny: 78 666 with the statistics"},
    {"retinanet", 34014999 + kFrozen, 0, 97.0 / 4, 0.03,
     "torchvision; 97 G at twice the side: EfficientDet, arXiv 1911.09070, table 2"},
    {"shufflenet_v1", 1.9e6, 0.03, 0.140, 0.05, "table 5 of the paper: 140 M"},
    {"shufflenet_v2", 2278604, 0, 0.145, 0.02, "torchvision"},
    {"squeezenet1_1", 1235496, 0, 0.349, 0.01, "torchvision"},
    {"ssd_mobilenet_v1", 6.8e6, 0.01, 1.2, 0.05, "table 13 of MobileNet v1's paper"},
    {"swin_t", 28288354, 0, 4.5, 0.02, "torchvision; table 1 of the paper"},
    {"tcn", 70e3, 0.06, 0, 0, "table 1 of the paper: about 70 K, weight normalisation included"},
    {"unet", 31037698, 0, 48.17, 0.01, "milesial/Pytorch-UNet for 2 classes; by hand, per layer"},
    {"vgg16", 138357544, 0, 15.47, 0.01, "torchvision"},
    {"vit_b_16", 86567656, 0, 17.564, 0.01, "torchvision"},
    {"vww", 213586, 0, 7.49e-3, 0.02, "MLPerf Tiny: 221 794 with 2736 biases and 5472 statistics"},
    {"yolov4_tiny", 6.06e6, 0.005, 6.91 / 2, 0.02, "Darknet: 6.9 BFLOP, two per multiply-add"},
    {"yolov5s", 7235389, 0, 16.5 / 2, 0.02, "ultralytics: 16.5 GFLOP, two per multiply-add"},
    {"yolov8n", 3157200, 0, 8.7 / 2, 0.02, "ultralytics: 8.7 GFLOP, two per multiply-add"},
};

TEST(Zoo, TheFiguresAreThoseThatOthersPublish) {
  for (const Published& published : kPublished) {
    SCOPED_TRACE(std::string(published.name) + ": " + published.source);
    const auto entry = std::find_if(Entries().begin(), Entries().end(),
                                    [&](const ZooEntry& e) { return e.name == published.name; });
    ASSERT_NE(entry, Entries().end());
    EXPECT_NEAR(static_cast<double>(entry->parameters), published.parameters,
                published.parameter_tolerance * published.parameters);
    if (published.gmac == 0) continue;
    EXPECT_NEAR(entry->gmac, published.gmac, published.gmac_tolerance * published.gmac);
  }
}

TEST(Zoo, TheEntriesAreInAlphabeticalOrder) {
  EXPECT_TRUE(std::is_sorted(Entries().begin(), Entries().end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
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
