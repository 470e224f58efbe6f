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

std::shared_ptr<Bytes> MakePackage(const std::string& output, const package::WriteOptions& options,
                                   const char* network = kMeans) {
  const Result<Graph> graph = ParseText(network, ops::Standard());
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

// 8 x 6, of one colour.
Bytes Picture(std::uint8_t red = 51, std::uint8_t green = 255, std::uint8_t blue = 0) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 48; ++i) pixels.insert(pixels.end(), {red, green, blue});
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

TEST(PipelineRunner, SeveralPicturesShareARunAndOneThatIsBrokenIsNamed) {
  const auto runner = Open(MakePackage("y", {}));
  ASSERT_TRUE(runner.ok()) << runner.status().ToString();
  EXPECT_TRUE((*runner)->IsBatchable());
  const std::vector<Bytes> files = {Picture(), Picture(0, 0, 255), Picture(255, 51, 0)};
  const std::vector<std::span<const std::uint8_t>> pictures(files.begin(), files.end());
  const auto results = (*runner)->RunAll(pictures);
  ASSERT_TRUE(results.ok()) << results.status().ToString();
  ASSERT_EQ(results->size(), 3U);
  const char* best[] = {"green", "blue", "red"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*results)[i].classes[0].label, best[i]);
    EXPECT_NEAR((*results)[i].classes[0].score, 1, 1e-6);
  }
  const Bytes words = AsBytes("no picture");
  const std::vector<std::span<const std::uint8_t>> broken = {files[0], words};
  const auto refused = (*runner)->RunAll(broken);
  EXPECT_NE(refused.status().where().find("picture 1"), std::string::npos);
  EXPECT_EQ((*runner)->RunAll({})->size(), 0U);
}

TEST(PipelineRunner, RowsThatDependOnEachOtherRunOneByOne) {
  // The share of each picture's redness in all of them.
  constexpr const char* kShares = R"(graph shares(x: f32[N, 3, 4, 4]) -> (y) {
  %m = GlobalAveragePool(%x)
  %f = Flatten(%m)
  %y = Softmax(%f) {axis = 0}
})";
  const auto runner = Open(MakePackage("y", {}, kShares));
  ASSERT_TRUE(runner.ok()) << runner.status().ToString();
  EXPECT_FALSE((*runner)->IsBatchable());
  const std::vector<Bytes> files = {Picture(), Picture(0, 0, 255)};
  const std::vector<std::span<const std::uint8_t>> pictures(files.begin(), files.end());
  const auto results = (*runner)->RunAll(pictures);
  ASSERT_TRUE(results.ok()) << results.status().ToString();
  for (const PipelineResult& result : *results) EXPECT_EQ(result.classes[0].score, 1);
}

TEST(PipelineRunner, ANetworkOfSeveralPicturesAtOnceIsRefused) {
  const auto runner = Open(MakePackage("y", {}, R"(graph means(x: f32[4, 3, 4, 4]) -> (y) {
  %m = GlobalAveragePool(%x)
  %y = Flatten(%m)
})"));
  EXPECT_EQ(runner.status().code(), ErrorCode::kUnsupported);
}

// A package in a file of its own.
std::string SavePackage(const package::WriteOptions& options) {
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("athanor_package_test_{}.athpkg", getpid());
  const auto file = MakePackage("y", options);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file->data()),
             static_cast<std::streamsize>(file->size()));
  return path.string();
}

TEST(PipelineRunner, WhatACallerOfPackagesGetsWrongIsRefusedWithACode) {
  ath_value_info info = {};
  ath_tensor tensor = {};
  ath_answer* answer = nullptr;
  EXPECT_EQ(ath_package_run(nullptr, "x", 1, &answer), 1001);
  EXPECT_EQ(ath_package_run_all(nullptr, nullptr, nullptr, 0, &answer), 1001);
  EXPECT_EQ(ath_package_input(nullptr, &info), 1001);
  EXPECT_STREQ(ath_error_message(), "package is NULL");
  EXPECT_EQ(ath_package_output(nullptr, 0, &info), 1001);
  EXPECT_EQ(ath_answer_output(nullptr, 0, &tensor), 1001);
  EXPECT_EQ(ath_package_num_outputs(nullptr), -1);
  EXPECT_EQ(ath_answer_num_outputs(nullptr), -1);
  EXPECT_EQ(ath_package_is_batchable(nullptr), 0);
  EXPECT_EQ(ath_is_package(nullptr), 0);
  EXPECT_STREQ(ath_package_name(nullptr), "");
  EXPECT_STREQ(ath_answer_json(nullptr), "");
  const auto path = SavePackage({});
  ath_package* package = nullptr;
  ASSERT_EQ(ath_package_open(path.c_str(), nullptr, &package), 0) << ath_error_text();
  info.struct_size = sizeof(info);
  EXPECT_EQ(ath_package_output(package, 3, &info), 1001);
  EXPECT_EQ(ath_package_run_all(package, nullptr, nullptr, 1, &answer), 1001);
  EXPECT_EQ(ath_package_run_all(package, nullptr, nullptr, -1, &answer), 1001);
  const void* none = nullptr;
  const std::size_t size = 1;
  EXPECT_EQ(ath_package_run_all(package, &none, &size, 1, &answer), 1001);
  ath_package_destroy(package);
  std::filesystem::remove(path);
}

TEST(PipelineRunner, ProgramsOpenAPackageThroughTheCInterface) {
  const auto path = SavePackage({.passphrase = "open sesame"});
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

// For the tests of the C++ header, which cannot include what makes packages.
std::string MakePackageFile();
std::string MakePackageFile() { return athanor::SavePackage({}); }

// A picture of one colour.
std::string MakePictureFile(int red, int green, int blue);
std::string MakePictureFile(int red, int green, int blue) {
  const athanor::package::Bytes bytes =
      athanor::Picture(static_cast<std::uint8_t>(red), static_cast<std::uint8_t>(green),
                       static_cast<std::uint8_t>(blue));
  return {bytes.begin(), bytes.end()};
}
