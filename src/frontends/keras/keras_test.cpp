#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/file.h"
#include "frontends/keras/import.h"
#include "frontends/keras/layer_import.h"
#include "frontends/load.h"
#include "ir/evaluate.h"

namespace athanor::keras {
namespace {

using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;

std::vector<float> AnswerOf(const std::string& path) {
  const Result<Graph> graph = LoadModel(path);
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  if (!graph.ok()) return {};
  EXPECT_EQ(graph->value(graph->inputs()[0]).name, "x");
  EXPECT_EQ(graph->outputs()[0].name, "y");
  std::vector<float> ramp;
  for (int i = 0; i < 12; ++i) ramp.push_back(static_cast<float>(i - 6) / 3);
  Result<std::vector<Datum>> results = Evaluate(*graph, {Tensor::FromVector({1, 4, 3}, ramp)});
  EXPECT_TRUE(results.ok()) << results.status().ToString();
  if (!results.ok()) return {};
  const auto data = (*results)[0].tensor().Data<float>();
  return {data.begin(), data.end()};
}

// One network saved by Keras 3.15 in both forms: weights by number in one, by name in the other.
TEST(Keras, ReadsBothKindsOfFilesAlike) {
  const std::vector<float> archive = AnswerOf("tests/broken/keras_small.keras");
  const std::vector<float> hdf5 = AnswerOf("tests/broken/keras_small.h5");
  ASSERT_EQ(archive.size(), 2U);
  EXPECT_THAT(archive, Pointwise(FloatNear(1e-6F), hdf5));
  EXPECT_NEAR(archive[0] + archive[1], 1, 1e-5F);
}

TEST(Keras, TableHasEachLayerOnce) {
  for (std::size_t i = 1; i < Table().size(); ++i)
    EXPECT_LT(Table()[i - 1].layer, Table()[i].layer);
}

TEST(Keras, TheDocumentListsEveryLayer) {
  const Result<std::string> text = ReadTextFile("docs/formats/keras.md");
  ASSERT_TRUE(text.ok());
  const std::string list = text->substr(text->find("## Layers"));
  EXPECT_EQ(std::count(list.begin(), list.end(), '`'),
            2 * static_cast<std::ptrdiff_t>(Table().size()));
  for (const Row& row : Table()) EXPECT_THAT(list, HasSubstr(fmt::format("`{}`", row.layer)));
}

TEST(Hdf5, ReadsNamesNumbersAndText) {
  const auto mapped = MappedFile::Open("tests/broken/keras_small.h5");
  ASSERT_TRUE(mapped.ok());
  const Result<hdf5::File> file = hdf5::File::Open((*mapped)->bytes(), *mapped);
  ASSERT_TRUE(file.ok()) << file.status().ToString();
  const auto names = file->Strings("model_weights", "layer_names");
  ASSERT_TRUE(names.ok()) << names.status().ToString();
  EXPECT_THAT(*names, testing::ElementsAre("x", "conv", "norm", "flat", "y"));
  const auto kernel = file->Read("model_weights/conv/conv/kernel");
  ASSERT_TRUE(kernel.ok()) << kernel.status().ToString();
  EXPECT_EQ(kernel->dims(), (Dims{2, 3, 2}));
  EXPECT_EQ(kernel->dtype(), DType::kF32);
  EXPECT_THAT(file->Read("model_weights/conv/conv/bios").status().ToString(),
              HasSubstr("no \"bios\""));
  EXPECT_FALSE(file->HasAttribute("", "model_confog"));
}

}  // namespace
}  // namespace athanor::keras
