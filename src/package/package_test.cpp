#include <gtest/gtest.h>

#include "package/container.h"
#include "package/pipeline.h"

namespace athanor::package {
namespace {

Bytes Text(std::string_view text) { return {text.begin(), text.end()}; }

PrivateKey Key(KeyKind kind) {
  Result<PrivateKey> key = PrivateKey::Make(kind);
  EXPECT_TRUE(key.ok()) << key.status().ToString();
  return *std::move(key);
}

std::shared_ptr<Bytes> Write(const WriteOptions& options) {
  static const Bytes model(300, 7), labels = Text("one\ntwo\n");
  Result<Bytes> file = WritePackage(
      {"name", "what it does", {{"model.ath", model}, {"labels.txt", labels}}}, options);
  EXPECT_TRUE(file.ok()) << file.status().ToString();
  return std::make_shared<Bytes>(*std::move(file));
}

Result<Package> Open(const std::shared_ptr<Bytes>& file, const ReadOptions& options = {}) {
  return Package::Open(*file, file, options);
}

void ExpectLabels(const Result<Package>& package) {
  ASSERT_TRUE(package.ok()) << package.status().ToString();
  const Result<Blob> blob = package->Read("labels.txt");
  ASSERT_TRUE(blob.ok()) << blob.status().ToString();
  EXPECT_EQ(Bytes(blob->bytes.begin(), blob->bytes.end()), Text("one\ntwo\n"));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(blob->bytes.data()) % 16, 0U);
}

TEST(Package, EntriesComeBackPlainAndEncryptedByEitherCipher) {
  ExpectLabels(Open(Write({})));
  const PrivateKey recipient = Key(KeyKind::kRecipient), other = Key(KeyKind::kRecipient);
  for (const Cipher cipher : {Cipher::kAes256Gcm, Cipher::kChaCha20Poly1305}) {
    const auto file = Write({.recipients = {other.public_key(), recipient.public_key()},
                             .passphrase = "open sesame",
                             .cipher = cipher});
    ExpectLabels(Open(file, {.key = recipient}));
    ExpectLabels(Open(file, {.passphrase = "open sesame"}));
    // Nothing of an entry is in the file.
    EXPECT_EQ(std::string(file->begin(), file->end()).find("one\ntwo"), std::string::npos);
  }
}

TEST(Package, AWrongKeyIsToldFromDamage) {
  const PrivateKey recipient = Key(KeyKind::kRecipient), stranger = Key(KeyKind::kRecipient);
  const auto file = Write({.recipients = {recipient.public_key()}});
  for (const ReadOptions& options :
       {ReadOptions{}, ReadOptions{.key = stranger}, ReadOptions{.passphrase = "guess"}}) {
    const Status status = Open(file, options).status();
    EXPECT_EQ(status.code(), ErrorCode::kUsage) << status.ToString();
    EXPECT_NE(status.message().find(recipient.public_key().Id()), std::string::npos);
  }
}

TEST(Package, OnlyWhatATrustedKeySignedIsOpened) {
  const PrivateKey signer = Key(KeyKind::kSigning), stranger = Key(KeyKind::kSigning);
  const auto file = Write({.sign = signer});
  const Result<Package> package = Open(file, {.trust = signer.public_key()});
  ASSERT_TRUE(package.ok()) << package.status().ToString();
  EXPECT_EQ(package->signer(), signer.public_key().Id());
  EXPECT_EQ(Open(file, {.trust = stranger.public_key()}).status().code(), ErrorCode::kUnsafeFile);
  EXPECT_EQ(Open(Write({}), {.trust = signer.public_key()}).status().code(),
            ErrorCode::kUnsafeFile);
}

// Every bit of a small package, signed and encrypted, plain and signed, and plain.
TEST(Package, NoByteCanChangeUnseen) {
  const PrivateKey recipient = Key(KeyKind::kRecipient), signer = Key(KeyKind::kSigning);
  for (const WriteOptions& options :
       {WriteOptions{}, WriteOptions{.sign = signer},
        WriteOptions{.recipients = {recipient.public_key()}},
        WriteOptions{.sign = signer, .recipients = {recipient.public_key()}}}) {
    const auto file = Write(options);
    ASSERT_TRUE(Open(file, {.key = recipient}).ok());
    for (std::size_t i = 0; i < file->size(); ++i) {
      const auto mask = static_cast<std::uint8_t>(1U << (i % 8));
      (*file)[i] ^= mask;
      EXPECT_FALSE(Open(file, {.key = recipient}).ok()) << "byte " << i;
      (*file)[i] ^= mask;
    }
    file->push_back(0);
    EXPECT_FALSE(Open(file, {.key = recipient}).ok());
    file->resize(file->size() - 2);
    EXPECT_FALSE(Open(file, {.key = recipient}).ok());
  }
}

Status ReadYaml(std::string_view text) {
  Result<Config> config = ConfigFromYaml(text);
  if (!config.ok()) return std::move(config).status();
  Result<Pipeline> pipeline = ReadPipeline(*config);
  return std::move(pipeline).status();
}

constexpr std::string_view kFaces = R"(name: faces
description: where faces are
stages:
  - decode: {colour: rgb}
  - resize: {to: [240, 320]}
  - normalise: {mean: 127, std: 128}
  - model: {file: rfb.param}
  - ssd_decode:
      boxes: boxes
      scores: scores
      variances: [0.1, 0.2]
      priors:
        - {stride: 8, boxes: [10, 16, 24]}
        - {stride: 16, boxes: [32, 48]}
  - nms: {min_score: 0.7, max_overlap: 0.3}
  - labels: {file: labels.txt}
)";

TEST(PackagePipeline, StagesAreReadFromYamlAndAgainFromThePackagesJson) {
  const Result<Config> config = ConfigFromYaml(kFaces);
  ASSERT_TRUE(config.ok()) << config.status().ToString();
  const Result<Config> stored = ConfigFromJson(ToJson(*config));
  ASSERT_TRUE(stored.ok()) << stored.status().ToString();
  const Result<Pipeline> pipeline = ReadPipeline(*stored);
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().ToString();
  EXPECT_EQ(pipeline->stages.size(), 7U);
  EXPECT_EQ(pipeline->Find<Resize>()->to->width, 320);
  EXPECT_EQ(pipeline->Find<SsdDecode>()->priors[0].boxes, (std::vector<double>{10, 16, 24}));
  EXPECT_EQ(FilesOf(*pipeline), (std::vector<std::string>{"rfb.param", "labels.txt"}));
}

void ExpectMistake(std::string_view from, std::string_view to, std::string_view where,
                   std::string_view message) {
  std::string text(kFaces);
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos);
  const Status status = ReadYaml(text.replace(at, from.size(), to));
  EXPECT_EQ(status.where(), where) << status.ToString();
  EXPECT_NE(status.message().find(message), std::string::npos) << status.ToString();
}

TEST(PackagePipeline, MistakesAreNamedWithTheirLineAndTheNearestName) {
  ExpectMistake("min_score", "min_scor", "line 15", "did you mean \"min_score\"");
  ExpectMistake("normalise:", "normalize:", "line 6", "did you mean \"normalise\"");
  ExpectMistake("description:", "descripton:", "line 2", "did you mean \"description\"");
  ExpectMistake("0.7", "high", "line 15", "a number is expected");
  ExpectMistake("rgb", "rbg", "line 4", "did you mean \"rgb\"");
  ExpectMistake("[240, 320]", "[240, 320, 3]", "line 5", "[HEIGHT, WIDTH]");
  ExpectMistake("stride: 8", "stride: 0", "line 13", "a whole number from 1");
  ExpectMistake("  - nms: {min_score: 0.7, max_overlap: 0.3}\n", "", "line 4", "nms is missing");
  ExpectMistake("  - decode: {colour: rgb}\n", "", "", "");  // decode may be left out
}

TEST(PackagePipeline, HostileSettingsAreRefused) {
  EXPECT_FALSE(ReadYaml(std::string(100'000, '[')).ok());
  EXPECT_FALSE(ReadYaml("a: &a [*a]").ok());
  // 9^14 nodes, were the aliases followed.
  std::string laughs = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 15; ++i) {
    laughs += fmt::format("a{0}: &a{0} [", i);
    for (int copy = 0; copy < 9; ++copy) laughs += fmt::format("*a{}, ", i - 1);
    laughs += "x]\n";
  }
  EXPECT_EQ(ReadYaml(laughs).code(), ErrorCode::kResource);
  EXPECT_FALSE(ReadYaml("stages: 7").ok());
  EXPECT_FALSE(ReadYaml("").ok());
  EXPECT_FALSE(ConfigFromJson(std::string(100'000, '[')).ok());
  EXPECT_FALSE(ConfigFromJson("{\"a\": 1}").ok());
}

}  // namespace
}  // namespace athanor::package
