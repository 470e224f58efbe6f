#include "api/pipeline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "athanor/athanor.h"
#include "frontends/ath/ath.h"
#include "io/image.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor {
namespace {

using package::Bytes;

// A network that gives the mean of each channel.
constexpr const char* kMeans = R"(graph means(x: f32[N, 3, 4, 4]) -> (y) {
  %m = GlobalAveragePool(%x)
  %y = Flatten(%m)
})";
constexpr std::string_view kStages =
    R"({"stages": [{"resize": {"to": ["4", "4"]}}, {"normalise": {"std": "255"}},
        {"model": {"file": "m.ath"}}, {"top_k": {"count": "2", "output": "OUTPUT"}},
        {"labels": {"file": "names"}}]})";

Bytes AsBytes(std::string_view text) { return {text.begin(), text.end()}; }

std::shared_ptr<Bytes> MakePackage(const std::string& output,
                                   const package::WriteOptions& options) {
  const Result<Graph> graph = ParseText(kMeans, ops::Standard());
  const Result<Bytes> model = ath::Write(*graph);
  std::string text(kStages);
  text.replace(text.find("OUTPUT"), 6, output);
  const Bytes stages = AsBytes(text), names = AsBytes("red\r\ngreen\nblue\n");
  Result<Bytes> file = package::WritePackage(
      {"colours",
       "",
       {{"m.ath", *model}, {"names", names}, {std::string(package::kPipelineEntry), stages}}},
      options);
  return std::make_shared<Bytes>(*std::move(file));
}

// 8 x 6, mostly green.
Bytes Picture() {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 48; ++i) pixels.insert(pixels.end(), {51, 255, 0});
  return *io::EncodePng(Tensor::FromVector<std::uint8_t>({6, 8, 3}, pixels));
}

Result<std::unique_ptr<PipelineRunner>> Open(const std::shared_ptr<Bytes>& file) {
  ATH_TRY(package::Package opened, package::Package::Open(*file, file, {.passphrase = "p"}));
  return PipelineRunner::Make(std::move(opened), {.device = "reference"});
}

TEST(PipelineRunner, APictureGoesThroughAllStages) {
  const auto runner = Open(MakePackage("y", {.passphrase = "p"}));
  ASSERT_TRUE(runner.ok()) << runner.status().ToString();
  const auto result = (*runner)->Run(Picture());
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->picture, (io::Size{6, 8}));
  ASSERT_EQ(result->classes.size(), 2U);
  EXPECT_EQ(result->classes[0].label, "green");
  EXPECT_NEAR(result->classes[0].score, 1, 1e-6);
  EXPECT_EQ(result->classes[1].label, "red");
  EXPECT_NEAR(result->classes[1].score, 0.2, 1e-6);
}

TEST(PipelineRunner, ANameThatTheModelLacksIsFoundBeforeTheFirstPicture) {
  const Status status = Open(MakePackage("yy", {})).status();
  EXPECT_EQ(status.code(), ErrorCode::kUnknownName);
  EXPECT_NE(status.message().find("did you mean \"y\""), std::string::npos) << status.ToString();
}

TEST(PipelineRunner, BytesThatAreNoPictureAreRefused) {
  const auto runner = Open(MakePackage("y", {}));
  ASSERT_TRUE(runner.ok()) << runner.status().ToString();
  EXPECT_FALSE((*runner)->Run(AsBytes("no picture")).ok());
}

TEST(PipelineRunner, ProgramsOpenAPackageThroughTheCInterface) {
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("athanor_package_test_{}.athpkg", getpid());
  const auto file = MakePackage("y", {.passphrase = "open sesame"});
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file->data()),
             static_cast<std::streamsize>(file->size()));
  ath_package_options options = {};
  options.struct_size = sizeof(options);
  ath_package* opened = nullptr;
  EXPECT_NE(ath_package_open(path.c_str(), &options, &opened), 0);
  options.passphrase = "open sesame";
  ASSERT_EQ(ath_package_open(path.c_str(), &options, &opened), 0) << ath_error_text();
  EXPECT_STREQ(ath_package_name(opened), "colours");
  EXPECT_STREQ(ath_package_signer(opened), "");
  const Bytes picture = Picture();
  ath_answer* answer = nullptr;
  ASSERT_EQ(ath_package_run(opened, picture.data(), picture.size(), &answer), 0);
  const auto json = nlohmann::json::parse(ath_answer_json(answer));
  EXPECT_EQ(json["classes"][0]["label"], "green");
  EXPECT_EQ(json["picture"], nlohmann::json({8, 6}));
  ath_answer_destroy(answer);
  ath_package_destroy(opened);
  std::filesystem::remove(path);
}

TEST(DecodeSsd, OffsetsMoveAndScaleThePriors) {
  package::SsdDecode ssd;
  ssd.priors = {{8, {4}}};
  const double twice = std::log(2.0) / ssd.size_variance;
  // One prior: the middle of an input of 8 x 8, half as large.
  const auto still = DecodeSsd(std::vector<double>{0, 0, 0, 0}, ssd, {8, 8});
  ASSERT_TRUE(still.ok()) << still.status().ToString();
  EXPECT_EQ(*still, (std::vector<double>{0.25, 0.25, 0.75, 0.75}));
  const auto moved = DecodeSsd(std::vector<double>{1, 0, twice, 0}, ssd, {8, 8});
  ASSERT_TRUE(moved.ok());
  EXPECT_NEAR((*moved)[0], 0.05, 1e-12);
  EXPECT_NEAR((*moved)[2], 1.05, 1e-12);
  // A map of two by one where the stride does not divide the height.
  ssd.priors = {{16, {4}}};
  const auto even = DecodeSsd(std::vector<double>(8, 0), ssd, {12, 32});
  ASSERT_TRUE(even.ok());
  EXPECT_DOUBLE_EQ((*even)[1] + (*even)[3], 1);
  ssd.centres_by_stride = true;
  const auto apart = DecodeSsd(std::vector<double>(8, 0), ssd, {12, 32});
  EXPECT_DOUBLE_EQ((*apart)[1] + (*apart)[3], 2 * 8.0 / 12);
  ssd.priors = {{8, {4}}};
  EXPECT_FALSE(DecodeSsd(std::vector<double>(8, 0), ssd, {8, 8}).ok());
  EXPECT_FALSE(DecodeSsd(std::vector<double>(4, 0), ssd, {16, 16}).ok());
}

TEST(Boxes, OffsetsAreToldFromCorners) {
  EXPECT_TRUE(AreCorners(std::vector<double>{0.1, 0.1, 0.4, 0.5, 0, 0, 0, 0}));
  EXPECT_FALSE(AreCorners(std::vector<double>{0.5, -1, 0.2, 0.1, 0, 0, 1, 1}));
}

TEST(Boxes, TheWeakerOfTwoThatOverlapGoesUnlessItsClassDiffers) {
  const std::vector<Box> boxes = {
      {1, 0.6, 0, 0, 1, 1}, {1, 0.9, 0, 0, 1, 0.9}, {2, 0.5, 0, 0, 1, 1}, {1, 0.4, 2, 2, 3, 3}};
  const std::vector<Box> kept = Suppress(boxes, {});
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].score, 0.9);
  EXPECT_EQ(kept[1].label, 2U);
  EXPECT_EQ(kept[2].score, 0.4);
}

}  // namespace
}  // namespace athanor
