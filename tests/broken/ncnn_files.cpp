#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include "core/file.h"
#include "corpus.h"
#include "frontends/load.h"

namespace athanor::broken {
namespace {

using Bytes = std::vector<std::uint8_t>;

// One file of the corpus is both files of a network: the text, a 0 byte, the weights.
constexpr const char* kNetwork = R"(7767517
9 10
Input        data   0 1 data 0=6 1=6 2=4
Convolution  conv   1 1 data conv 0=4 1=3 4=1 5=1 6=144 9=2 -23310=1,0.1
Split        split  1 2 conv a b
ConvolutionDepthWise depth 1 1 a depth 0=4 1=3 4=1 6=36 7=4
BatchNorm    norm   1 1 depth norm 0=4 1=0.001
BinaryOp     add    2 1 norm b sum 0=0
Pooling      pool   1 1 sum pool 0=1 4=1
InnerProduct full   1 1 pool full 0=2 1=1 2=8
Softmax      prob   1 1 full prob 0=0 1=1
)";
// conv, its bias, depth, norm, full, its bias, in numbers; marks of 4 bytes before three of them.
constexpr std::size_t kWeightBytes = 4 * (144 + 4 + 36 + 16 + 8 + 2) + 3 * 4;

// On 8 bits: a mark, 4 weights, their scales, those of the input and the output.
constexpr const char* kBytes = R"(7767517
2 2
Input        data 0 1 data 0=4
Convolution  full 1 1 data full 0=1 1=1 6=4 8=101
)";
Bytes PackBytes(std::vector<float> scales, std::uint32_t mark = 0x000D4B38) {
  Bytes bytes(kBytes, kBytes + std::string_view(kBytes).size() + 1);
  const auto put = [&bytes](const auto& value) {
    const auto* raw = reinterpret_cast<const std::uint8_t*>(&value);
    bytes.insert(bytes.end(), raw, raw + sizeof(value));
  };
  put(mark);
  put(std::uint32_t{0x7F01807F});
  for (const float scale : scales) put(scale);
  return bytes;
}

constexpr const char* kMistakes[] = {
    "7767517",
    "7767517\n",
    "7767517\n1 1\n",
    "7767517\n1 1\nInput",
    "7767517\n1 1\nInput data 0 99999999999 data\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nReLU relu 1 1 dat out\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nRelu relu 1 1 data out\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nReLU relu 1 1 data data\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nReLU relu 1 1 data out 0=x\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nReLU relu 1 1 data out 0=1 0=2\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nReLU relu 1 1 data out -23300=5,1\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nReLU relu 1 1 data out 999=1\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nSoftmax s 1 1 data out 0=7\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nInnerProduct f 1 1 data out 0=0 2=4\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nInnerProduct f 1 1 data out 0=1 2=4 8=101\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nInnerProduct f 1 1 data out 0=1 2=4 8=-1\n",
    "7767517\n2 2\nInput data 0 1 data 0=4\nInnerProduct f 1 1 data out 0=2147483647 "
    "2=2147483647\n",
    "7767517\n2 2\nInput data 0 1 data 0=4 1=4 2=3\nConvolution c 1 1 data out 0=1 1=-3 6=9\n",
    "7767517\n2 2\nInput data 0 1 data 0=4 1=4 2=3\nConvolution c 1 1 data out 0=1 1=2147483647 "
    "6=2147483647\n",
    "7767517\n2 2\nInput data 0 1 data 0=4 1=4 2=3\nPermute p 1 1 data out 0=9\n",
    "7767517\n2 2\nInput data 0 1 data 0=4 1=4 2=3\nReshape r 1 1 data out 0=7\n",
    "7767517\n2 2\nInput data 0 1 data 0=4 1=4 2=3\nShuffleChannel s 1 1 data out 0=2\n",
    "7767517\n2 3\nInput data 0 1 data 0=4 1=4 2=3\nSlice s 1 2 data a b -23300=2,-5,9\n",
    "7767517\n2 3\nInput data 0 1 data 0=4 1=4 2=3\nSlice s 1 2 data a b -23302=1,-9\n",
    "7767517\n2 2\nInput data 0 1 data 0=4 1=4 2=3\nInstanceNorm n 1 1 data out 0=2147483647 2=0\n",
    "7767517\n2 2\nInput data 0 1 data 0=2147483647\nLayerNorm n 1 1 data out 0=2147483647 2=0\n",
    "7767517\n2 2\nInput data 0 1 data 0=4 1=4 2=2147483647\nGroupNorm n 1 1 data out 0=1 "
    "1=2147483647 3=0\n",
};

Bytes Pack(std::string_view text, std::size_t weight_bytes) {
  Bytes bytes(text.begin(), text.end());
  bytes.resize(bytes.size() + 1 + weight_bytes, 0);
  return bytes;
}

Status Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t cut = std::min(all.find('\0'), all.size());
  const std::string param = path + ".param", bin = path + ".bin";
  std::ofstream(param, std::ios::binary) << all.substr(0, cut);
  std::ofstream(bin, std::ios::binary) << all.substr(std::min(cut + 1, all.size()));
  Result<Graph> graph = LoadModel(param, {.format = "ncnn"});
  return std::move(graph).status();
}

}  // namespace

Family NcnnFamily() {
  Family family = {"ncnn", {{"network", Pack(kNetwork, kWeightBytes)}}, {}, Read};
  for (File& bad : Damage(family.good[0])) family.bad.push_back(std::move(bad));
  for (std::size_t i = 0; i < std::size(kMistakes); ++i)
    family.bad.push_back({fmt::format("mistake_{}", i), Pack(kMistakes[i], 0), true});
  family.bad.push_back({"empty", {}, true});
  family.bad.push_back({"short_weights", Pack(kNetwork, kWeightBytes - 1), true});
  family.bad.push_back({"long_weights", Pack(kNetwork, kWeightBytes + 1), true});
  family.good.push_back({"bytes", PackBytes({10, 20, 30})});
  for (File& bad : Damage(family.good[1])) family.bad.push_back(std::move(bad));
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::pair<const char*, std::vector<float>> scales[] = {
      {"no_scales", {}},
      {"scale_of_output_missing", {10, 20}},
      {"scale_zero", {10, 0, 30}},
      {"scale_negative", {-10, 20, 30}},
      {"scale_nan", {10, kNan, 30}},
      {"scale_tiny", {10, 1e-40F, 30}},
      {"scale_too_many", {10, 20, 30, 40}}};
  for (const auto& [name, numbers] : scales) family.bad.push_back({name, PackBytes(numbers), true});
  family.bad.push_back({"bytes_of_another_mark", PackBytes({10, 20, 30}, 0x01306B47), true});
  // Every layer reads the first one many times over: guessing the input's shape must end.
  std::string wide = "7767517\n301 600\nInput data 0 1 b0\n";
  for (int i = 0; i < 300; ++i) wide += fmt::format("Split s{} 1 2 b{} b{} c{}\n", i, i, i + 1, i);
  family.bad.push_back({"many_splits", Pack(wide, 0)});
  return family;
}

}  // namespace athanor::broken
