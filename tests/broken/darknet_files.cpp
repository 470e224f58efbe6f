#include <algorithm>
#include <fstream>

#include "corpus.h"
#include "frontends/load.h"

namespace athanor::broken {
namespace {

using Bytes = std::vector<std::uint8_t>;

// One file of the corpus is both files of a network: the text, a 0 byte, the weights.
constexpr const char* kNetwork = R"([net]
width=8
height=8
channels=3

[convolutional]
filters=4
size=3
stride=1
pad=1
batch_normalize=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=4
size=1
groups=2
activation=linear

[shortcut]
from=-2
activation=relu

[route]
layers=-1,-3

[upsample]
stride=2

[convolutional]
filters=14
size=1
activation=linear

[yolo]
mask=0,1
anchors=2,3, 4,5
classes=2
num=2
)";
// Head; biases, scales, means, variances, weights; biases, weights; biases, weights.
constexpr std::size_t kWeightBytes = 20 + 4 * (4 * 4 + 4 * 3 * 9 + 4 + 4 * 2 + 14 + 14 * 8);

constexpr const char* kNet = "[net]\nwidth=8\nheight=8\nchannels=4\n";

constexpr const char* kLayers[] = {
    "",
    "[conv",
    "[]\n",
    "filters\n",
    "[convolution]\nfilters=4\n",
    "[convolutional]\nfilters=0\n",
    "[convolutional]\nfilters=99999999\nsize=1\n",
    "[convolutional]\nfilters=4\nsize=0\n",
    "[convolutional]\nfilters=4\nsize=3\n",
    "[convolutional]\nfilters=4\nsize=1\ngroups=3\n",
    "[convolutional]\nfilters=4\nsize=1\nstride=0\n",
    "[convolutional]\nfilters=4\nsize=1\nactivation=leeky\n",
    "[convolutional]\nfilters=4\nsize=1\nfilter=3\n",
    "[convolutional]\nfilters=x\n",
    "[convolutional]\nfilters=4\nsize=1048576\n",
    "[maxpool]\nsize=2\nstride=2\npadding=-3\n",
    "[maxpool]\nsize=99\nstride=2\npadding=0\n",
    "[maxpool]\nsize=2\nmaxpool_depth=1\n",
    "[route]\n",
    "[route]\nlayers=-1\n",
    "[route]\nlayers=5\n",
    "[route]\nlayers=0\n",
    "[dropout]\n[route]\nlayers=0\ngroups=3\n",
    "[dropout]\n[route]\nlayers=0\ngroups=2\ngroup_id=2\n",
    "[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=-2\n",
    "[shortcut]\nfrom=-9999999999\n",
    "[upsample]\nstride=0\n",
    "[upsample]\nstride=1048577\n",
    "[reorg]\nstride=3\n",
    "[reorg]\nstride=0\n",
    "[softmax]\ngroups=3\n",
    "[softmax]\ntemperature=0\n",
    "[connected]\noutput=0\n",
    "[connected]\noutput=1048576\n",
    "[yolo]\nclasses=2\nnum=2\nanchors=1,2,3,4\n",
    "[yolo]\nclasses=-1\nnum=2\n",
    "[yolo]\nnum=2\nmask=7\nanchors=1,2,3,4\n",
    "[region]\ncoords=5\n",
    "[region]\nanchors=1,2\nnum=1\nclasses=99999\n",
    "[local]\nfilters=4\nsize=99\n",
    "[local]\nfilters=4\nsize=3\n",
    "[crnn]\noutput=5\n",
};

Bytes Pack(std::string_view text, std::size_t weight_bytes) {
  Bytes bytes(text.begin(), text.end());
  bytes.resize(bytes.size() + 1 + weight_bytes, 0);
  if (weight_bytes > 8) bytes[text.size() + 1 + 4] = 2;  // version 0.2
  return bytes;
}

Status Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string all((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t cut = std::min(all.find('\0'), all.size());
  const std::string cfg = path + ".cfg", weights = path + ".weights";
  std::ofstream(cfg, std::ios::binary) << all.substr(0, cut);
  std::ofstream(weights, std::ios::binary) << all.substr(std::min(cut + 1, all.size()));
  Result<Graph> graph = LoadModel(cfg, {.format = "darknet"});
  return std::move(graph).status();
}

}  // namespace

Family DarknetFamily() {
  Family family = {"darknet", {{"network", Pack(kNetwork, kWeightBytes)}}, {}, Read};
  for (File& bad : Damage(family.good[0])) family.bad.push_back(std::move(bad));
  for (std::size_t i = 0; i < std::size(kLayers); ++i)
    family.bad.push_back(
        {fmt::format("mistake_{}", i), Pack(std::string(kNet) + kLayers[i], 20), true});
  for (const char* net :
       {"[net]\nwidth=0\n[dropout]\n", "[net]\nwidth=8\nheight=99999999\n[dropout]\n",
        "[dropout]\n", "width=8\n"})
    family.bad.push_back({fmt::format("net_{}", family.bad.size()), Pack(net, 20), true});
  family.bad.push_back({"empty", {}, true});
  family.bad.push_back({"no_head", Pack(kNetwork, 8), true});
  family.bad.push_back({"short_weights", Pack(kNetwork, kWeightBytes - 4), true});
  family.bad.push_back({"odd_weights", Pack(kNetwork, kWeightBytes + 1), true});
  family.bad.push_back({"long_weights", Pack(kNetwork, kWeightBytes + 4), true});
  return family;
}

}  // namespace athanor::broken
