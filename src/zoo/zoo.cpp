#include "zoo/zoo.h"

#include "core/text.h"

namespace athanor::zoo {

// One file per family below this folder.
Result<Graph> BertBase(std::uint64_t seed);
Result<Graph> DenseNet121(std::uint64_t seed);
Result<Graph> DsCnn(std::uint64_t seed);
Result<Graph> EfficientNetB0(std::uint64_t seed);
Result<Graph> LstmTagger(std::uint64_t seed);
Result<Graph> MobileNetV1(std::uint64_t seed);
Result<Graph> MobileNetV2(std::uint64_t seed);
Result<Graph> ResNet18(std::uint64_t seed);
Result<Graph> ResNet50(std::uint64_t seed);
Result<Graph> ShuffleNetV2(std::uint64_t seed);
Result<Graph> SqueezeNet11(std::uint64_t seed);
Result<Graph> Vgg16(std::uint64_t seed);

const std::vector<ZooEntry>& Entries() {
  static const std::vector<ZooEntry> entries = {
      {"bert-base", "text encoder, 12 layers of 768, ids [batch, sequence] (arXiv 1810.04805)",
       BertBase},
      {"densenet121", "image classifier, 3x224x224, 1000 classes (arXiv 1608.06993)", DenseNet121},
      {"ds_cnn", "keyword spotting, 1x49x10, 12 classes (MLPerf Tiny; arXiv 1711.07128)", DsCnn},
      {"efficientnet_b0", "image classifier, 3x224x224, 1000 classes (arXiv 1905.11946)",
       EfficientNetB0},
      {"lstm", "sequence tagger, 2 layers of 256, [sequence, batch, 128] -> 32 tags", LstmTagger},
      {"mobilenet_v1", "image classifier, 3x224x224, 1000 classes (arXiv 1704.04861)", MobileNetV1},
      {"mobilenet_v2", "image classifier, 3x224x224, 1000 classes (arXiv 1801.04381)", MobileNetV2},
      {"resnet18", "image classifier, 3x224x224, 1000 classes (arXiv 1512.03385)", ResNet18},
      {"resnet50", "image classifier, 3x224x224, 1000 classes, v1.5 (arXiv 1512.03385)", ResNet50},
      {"shufflenet_v2", "image classifier, 3x224x224, 1000 classes (arXiv 1807.11164)",
       ShuffleNetV2},
      {"squeezenet1_1", "image classifier, 3x224x224, 1000 classes (arXiv 1602.07360)",
       SqueezeNet11},
      {"vgg16", "image classifier, 3x224x224, 1000 classes (arXiv 1409.1556)", Vgg16},
  };
  return entries;
}

Result<Graph> Make(std::string_view name, std::uint64_t seed) {
  std::vector<std::string> names;
  for (const ZooEntry& entry : Entries()) {
    if (entry.name == name) return entry.make(seed);
    names.emplace_back(entry.name);
  }
  return Error(ErrorCode::kUnknownName, "there is no topology \"{}\"{}; there are: {}", name,
               DidYouMean(name, names), Join(names, ", "));
}

}  // namespace athanor::zoo
