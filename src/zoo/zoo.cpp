#include "zoo/zoo.h"

#include "core/text.h"

namespace athanor::zoo {

// One file per family in this folder.
Result<Graph> AlexNet(std::uint64_t seed);
Result<Graph> Autoencoder(std::uint64_t seed);
Result<Graph> BertBase(std::uint64_t seed);
Result<Graph> CenterNet(std::uint64_t seed);
Result<Graph> CornerNet(std::uint64_t seed);
Result<Graph> DenseNet121(std::uint64_t seed);
Result<Graph> Detr(std::uint64_t seed);
Result<Graph> DsCnn(std::uint64_t seed);
Result<Graph> EfficientNetB0(std::uint64_t seed);
Result<Graph> FasterRcnn(std::uint64_t seed);
Result<Graph> Fcos(std::uint64_t seed);
Result<Graph> GoogLeNet(std::uint64_t seed);
Result<Graph> Gpt2(std::uint64_t seed);
Result<Graph> GruTagger(std::uint64_t seed);
Result<Graph> InceptionV3(std::uint64_t seed);
Result<Graph> LstmTagger(std::uint64_t seed);
Result<Graph> MaskRcnn(std::uint64_t seed);
Result<Graph> Mlp(std::uint64_t seed);
Result<Graph> MnasNet(std::uint64_t seed);
Result<Graph> MobileNetV1(std::uint64_t seed);
Result<Graph> MobileNetV2(std::uint64_t seed);
Result<Graph> MobileNetV3Large(std::uint64_t seed);
Result<Graph> MobileNetV3Small(std::uint64_t seed);
Result<Graph> RegNetY400M(std::uint64_t seed);
Result<Graph> RepVggA0(std::uint64_t seed);
Result<Graph> ResNet101(std::uint64_t seed);
Result<Graph> ResNet18(std::uint64_t seed);
Result<Graph> ResNet34(std::uint64_t seed);
Result<Graph> ResNet50(std::uint64_t seed);
Result<Graph> ResNet8(std::uint64_t seed);
Result<Graph> RetinaNet(std::uint64_t seed);
Result<Graph> ShuffleNetV1(std::uint64_t seed);
Result<Graph> ShuffleNetV2(std::uint64_t seed);
Result<Graph> SqueezeNet11(std::uint64_t seed);
Result<Graph> SsdMobileNet(std::uint64_t seed);
Result<Graph> SwinT(std::uint64_t seed);
Result<Graph> Tcn(std::uint64_t seed);
Result<Graph> UNet(std::uint64_t seed);
Result<Graph> Vgg16(std::uint64_t seed);
Result<Graph> VisualWakeWords(std::uint64_t seed);
Result<Graph> VitB16(std::uint64_t seed);
Result<Graph> YoloV4Tiny(std::uint64_t seed);
Result<Graph> YoloV5s(std::uint64_t seed);
Result<Graph> YoloV8n(std::uint64_t seed);

const std::vector<ZooEntry>& Entries() {
  // clang-format off
  static const std::vector<ZooEntry> entries = {
      {"alexnet", "image classifier", "3x227x227", "NIPS 2012", 60965224, 0.7247, AlexNet},
      {"autoencoder", "anomaly detection (MLPerf Tiny ad01)", "640", "arXiv 2106.07597", 267928, 0.000265, Autoencoder},
      {"bert-base", "text encoder", "ids [batch, sequence]", "arXiv 1810.04805", 109482240, 0.08554, BertBase},
      {"centernet_resnet18", "object detector, peaks", "3x256x256", "arXiv 1904.07850", 15820372, 5.68, CenterNet},
      {"cornernet_squeeze", "object detector, paired corners", "3x256x256", "arXiv 1904.08900", 28250150, 12.81, CornerNet},
      {"densenet121", "image classifier", "3x224x224", "arXiv 1608.06993", 7978856, 2.834, DenseNet121},
      {"detr", "object detector, raw heads", "3x320x320", "arXiv 2005.12872", 41577888, 10.23, Detr},
      {"ds_cnn", "keyword spotting (MLPerf Tiny kws01)", "1x49x10", "arXiv 1711.07128", 23756, 0.002693, DsCnn},
      {"efficientnet_b0", "image classifier", "3x224x224", "arXiv 1905.11946", 5288548, 0.3858, EfficientNetB0},
      {"faster_rcnn", "object detector, two stages, NMS", "3x320x320", "arXiv 1506.01497", 41808406, 19.21, FasterRcnn},
      {"fcos", "object detector, NMS", "3x320x320", "arXiv 1904.01355", 32322720, 20.51, Fcos},
      {"googlenet", "image classifier", "3x224x224", "arXiv 1409.4842", 6998552, 1.584, GoogLeNet},
      {"gpt2", "next token, small", "ids [batch, sequence]", "Radford 2019", 124439808, 0.1236, Gpt2},
      {"gru", "sequence tagger", "[sequence, batch, 128]", "arXiv 1406.1078", 699424, 0.0006963, GruTagger},
      {"inception_v3", "image classifier", "3x299x299", "arXiv 1512.00567", 23834568, 5.713, InceptionV3},
      {"lstm", "sequence tagger", "[sequence, batch, 128]", "Hochreiter 1997", 929824, 0.0009257, LstmTagger},
      {"mask_rcnn", "instance masks, two stages, NMS", "3x320x320", "arXiv 1703.06870", 44454513, 19.21, MaskRcnn},
      {"mlp", "digit classifier", "784", "LeCun 1998", 266610, 0.0002664, Mlp},
      {"mnasnet1_0", "image classifier", "3x224x224", "arXiv 1807.11626", 4383312, 0.3144, MnasNet},
      {"mobilenet_v1", "image classifier", "3x224x224", "arXiv 1704.04861", 4231976, 0.5687, MobileNetV1},
      {"mobilenet_v2", "image classifier", "3x224x224", "arXiv 1801.04381", 3504872, 0.3008, MobileNetV2},
      {"mobilenet_v3_large", "image classifier", "3x224x224", "arXiv 1905.02244", 5483032, 0.2166, MobileNetV3Large},
      {"mobilenet_v3_small", "image classifier", "3x224x224", "arXiv 1905.02244", 2542856, 0.05651, MobileNetV3Small},
      {"regnet_y_400mf", "image classifier", "3x224x224", "arXiv 2003.13678", 4344144, 0.4018, RegNetY400M},
      {"repvgg_a0", "image classifier, training form", "3x224x224", "arXiv 2101.03697", 9108968, 1.513, RepVggA0},
      {"resnet101", "image classifier", "3x224x224", "arXiv 1512.03385", 44549160, 7.801, ResNet101},
      {"resnet18", "image classifier", "3x224x224", "arXiv 1512.03385", 11689512, 1.814, ResNet18},
      {"resnet34", "image classifier", "3x224x224", "arXiv 1512.03385", 21797672, 3.664, ResNet34},
      {"resnet50", "image classifier, v1.5", "3x224x224", "arXiv 1512.03385", 25557032, 4.089, ResNet50},
      {"resnet8", "image classifier (MLPerf Tiny ic01)", "3x32x32", "arXiv 2106.07597", 78186, 0.01254, ResNet8},
      {"retinanet", "object detector, NMS", "3x320x320", "arXiv 1708.02002", 34068119, 24.24, RetinaNet},
      {"shufflenet_v1", "image classifier", "3x224x224", "arXiv 1707.01083", 1865728, 0.1375, ShuffleNetV1},
      {"shufflenet_v2", "image classifier", "3x224x224", "arXiv 1807.11164", 2278604, 0.1449, ShuffleNetV2},
      {"squeezenet1_1", "image classifier", "3x224x224", "arXiv 1602.07360", 1235496, 0.3504, SqueezeNet11},
      {"ssd_mobilenet_v1", "object detector, NMS", "3x300x300", "arXiv 1512.02325", 6819839, 1.237, SsdMobileNet},
      {"swin_t", "image classifier", "3x224x224", "arXiv 2103.14030", 28288354, 4.491, SwinT},
      {"tcn", "sequence classifier", "1x784", "arXiv 1803.01271", 66510, 0.05177, Tcn},
      {"unet", "segmentation mask", "3x256x256", "arXiv 1505.04597", 31037698, 48.17, UNet},
      {"vgg16", "image classifier", "3x224x224", "arXiv 1409.1556", 138357544, 15.48, Vgg16},
      {"vit_b_16", "image classifier", "3x224x224", "arXiv 2010.11929", 86567656, 17.56, VitB16},
      {"vww", "person or not (MLPerf Tiny vww01)", "3x96x96", "arXiv 1704.04861", 213586, 0.00749, VisualWakeWords},
      {"yolov4_tiny", "object detector, NMS", "3x416x416", "arXiv 2011.08036", 6056606, 3.454, YoloV4Tiny},
      {"yolov5s", "object detector, NMS", "3x640x640", "ultralytics/yolov5", 7235389, 8.218, YoloV5s},
      {"yolov8n", "object detector, NMS", "3x640x640", "ultralytics/ultralytics", 3157200, 4.373, YoloV8n},
  };
  // clang-format on
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
