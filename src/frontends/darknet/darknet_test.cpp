#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "frontends/answer_for_test.h"
#include "frontends/darknet/import.h"
#include "frontends/darknet/layer_import.h"

namespace athanor::darknet {
namespace {

using Floats = std::vector<float>;

Result<Graph> Read(const std::string& layers, const Floats& weights, const std::string& net) {
  auto bytes = std::make_shared<std::vector<std::uint8_t>>(20, 0);
  (*bytes)[4] = 2;  // version 0.2
  const std::size_t head = bytes->size();
  bytes->resize(head + weights.size() * sizeof(float));
  if (!weights.empty())
    std::memcpy(bytes->data() + head, weights.data(), weights.size() * sizeof(float));
  return Import("[net]\n" + net + "\n" + layers, *bytes, bytes);
}

constexpr const char* kRow = "width=4\nheight=1\nchannels=1";

TEST(DarknetImport, NumbersStandAsBiasScaleMeanVarianceWeights) {
  const auto graph =
      Read("[convolutional]\nbatch_normalize = 1\nfilters=1\nsize=1\nactivation=leaky\n",
           {1, 2, 3, 4, 5}, kRow);
  // (5 x - 3) / sqrt(4) * 2 + 1
  const Floats y = Answer(graph, {1, 1, 1, 4}, {0, 1, -1, 2});
  const Floats want = {-0.2F, 3, -0.7F, 8};
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(y[i], want[i], 1e-4);
}

TEST(DarknetImport, MaxPoolingOfStrideOneKeepsTheSize) {
  const auto graph = Read("[maxpool]\nsize=2\nstride=1\n", {}, "width=3\nheight=1\nchannels=1");
  EXPECT_EQ(Answer(graph, {1, 1, 1, 3}, {1, 3, 2}), (Floats{3, 3, 2}));
}

TEST(DarknetImport, RoutesTakeGroupsAndShortcutsCountBack) {
  const auto graph = Read(
      "[activation]\nactivation=relu\n[route]\nlayers=0\ngroups=2\ngroup_id=1\n"
      "[route]\nlayers=-1,-1\n[shortcut]\nfrom=-3\nactivation=linear\n",
      {}, "width=1\nheight=1\nchannels=2");
  EXPECT_EQ(Answer(graph, {1, 2, 1, 1}, {-5, 7}), (Floats{7, 14}));
}

TEST(DarknetImport, BoxesAreDecodedInPartsOfThePicture) {
  const auto graph = Read("[yolo]\nmask=1\nanchors=1,1, 2,4\nnum=2\nclasses=1\nscale_x_y=2\n", {},
                          "width=2\nheight=1\nchannels=6");
  // Cells of one row: x, y, width, height, objectness, score; each 0 in the first cell.
  Floats x(12, 0.0F);
  x[3] = 1;               // y of the second cell
  x[5] = std::log(0.5F);  // width
  const Floats y = Answer(graph, {1, 6, 1, 2}, x);
  ASSERT_EQ(y.size(), 12U);
  const float sigmoid = 1 / (1 + std::exp(-1.0F));
  const Floats want = {0.25F, 0.5F, 1,    4,    0.5F, 0.25F, 0.75F, 2 * sigmoid - 0.5F,
                       0.5F,  4,    0.5F, 0.25F};
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(y[i], want[i], 1e-5) << i;
}

TEST(DarknetImport, EveryUnknownLayerIsListedWithItsLine) {
  const std::string message = Read("[convolution]\n\n[crnn]\n", {}, kRow).status().ToString();
  EXPECT_NE(message.find("line 5, layer 0 [convolution]"), std::string::npos) << message;
  EXPECT_NE(message.find("did you mean \"convolutional\""), std::string::npos) << message;
  EXPECT_NE(message.find("[crnn]"), std::string::npos) << message;
}

TEST(DarknetImport, AKeyThatNobodyReadsIsRefused) {
  const std::string message = Read("[maxpool]\nsice=2\n", {}, kRow).status().ToString();
  EXPECT_NE(message.find("did you mean \"size\""), std::string::npos) << message;
}

TEST(DarknetImport, WeightsMustFit) {
  const std::string layer = "[connected]\noutput=1\nactivation=linear\n";
  EXPECT_EQ(Answer(Read(layer, {1, 1, 2, 3, 4}, kRow), {1, 1, 1, 4}, {1, 1, 1, 1}), (Floats{11}));
  EXPECT_EQ(Read(layer, {1, 1, 2, 3}, kRow).status().code(), ErrorCode::kCorruptFile);
  EXPECT_EQ(Read(layer, {1, 1, 2, 3, 4, 5}, kRow).status().code(), ErrorCode::kCorruptFile);
}

TEST(DarknetDocument, ListsEveryLayer) {
  std::stringstream file;
  file << std::ifstream("docs/formats/darknet.md").rdbuf();
  for (const Row& row : Table())
    EXPECT_NE(file.str().find(fmt::format("`{}`", row.type)), std::string::npos) << row.type;
}

}  // namespace
}  // namespace athanor::darknet
