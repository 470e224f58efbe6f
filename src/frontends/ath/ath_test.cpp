#include "frontends/ath/ath.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <filesystem>

#include "core/digest.h"
#include "core/file.h"
#include "frontends/ath/header.h"
#include "frontends/load.h"
#include "frontends/save.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::ath {
namespace {

constexpr std::string_view kModel =
    R"(graph main(x: f32[N, 2], "in:1": seq(optional(i64[?]))) -> (y: f32[N, 2], z = %x: f32[N, 2]) {
  const %w: f32[2] = [1.5, -2]
  %t: f32[N, 2] = Add(%x, %w) @"add one"
  const %shape: i64[2] = [-1, 2]
  %y: f32[N, 2] = Reshape(%t, %shape) {allowzero = 1}
}
)";

Graph Read(std::string_view text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return graph.ok() ? *std::move(graph) : Graph(ops::Standard());
}

std::vector<std::uint8_t> Bytes(std::string_view text) {
  Result<std::vector<std::uint8_t>> bytes = Write(Read(text));
  EXPECT_TRUE(bytes.ok()) << bytes.status().ToString();
  return *std::move(bytes);
}

std::string TextOf(const std::vector<std::uint8_t>& bytes, const ReadOptions& options = {}) {
  auto owner = std::make_shared<std::vector<std::uint8_t>>(bytes);
  const Result<Graph> graph = ath::Read(*owner, owner, options);
  return graph.ok() ? PrintText(*graph) : graph.status().ToString();
}

TEST(Ath, AGraphComesBackTheSame) { EXPECT_EQ(TextOf(Bytes(kModel)), kModel); }

TEST(Ath, TheSameGraphGivesTheSameBytes) { EXPECT_EQ(Bytes(kModel), Bytes(kModel)); }

// 0 half of the time, 1 a quarter, and so on: their entropy is 2 bits less what is cut off.
Graph Halving() {
  std::vector<std::int8_t> values;
  std::uint32_t random = 1;
  for (int i = 0; i < 20000; ++i) {
    random = random * 1664525 + 1013904223;
    values.push_back(static_cast<std::int8_t>(std::min(std::countl_zero(random), 7) - 3));
  }
  Graph graph(ops::Standard());
  graph.AddOutput("w", graph.AddConstant(Tensor::FromVector<std::int8_t>({100, 200}, values)));
  return graph;
}

TEST(Ath, CodedWeightsComeBackInTheirEntropy) {
  const Graph graph = Halving();
  const auto plain = Write(graph), coded = Write(graph, {.compress = true});
  ASSERT_TRUE(plain.ok() && coded.ok());
  EXPECT_EQ(TextOf(*coded), TextOf(*plain));
  // 0 to 6 have probability 2^-(i + 1), 7 has 2^-7: 127 / 64 bits.
  const double entropy = 20000 * 127.0 / 64 / 8;
  Header header;
  std::memcpy(&header, coded->data(), sizeof(header));
  EXPECT_NEAR(static_cast<double>(header.weights_size), entropy, 0.02 * entropy);
}

TEST(Ath, CompressedFilesKeepNamesOnlyOfInputsOutputsAndNodes) {
  const Result<Graph> graph =
      ParseText("graph g(x: f32[2]) -> (y) { %secret = Relu(%x) @first %y = Neg(%secret) @second }",
                ops::Standard());
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto bytes = Write(*graph, {.compress = true});
  ASSERT_TRUE(bytes.ok());
  const std::string text = TextOf(*bytes);
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  for (const char* name : {"x", "y", "first", "second"})
    EXPECT_NE(text.find(name), std::string::npos) << name;
}

// Their weights follow one another, at odd places, and share one digest.
TEST(Ath, CompressedWeightsOfAnySizeComeBackAndDamageInThemIsFoundOnRequest) {
  const std::string text =
      R"(graph g() -> (a: i8[3], b: f32[2], c: string[1], d: u4[3], e: i16[1]) {
  const %a: i8[3] = [-8, 0, 7]
  const %b: f32[2] = [0.5, -2]
  const %c: string[1] = ["z"]
  const %d: u4[3] = [1, 15, 3]
  const %e: i16[1] = [-300]
}
)";
  const Graph graph = Read(text);
  const auto bytes = Write(graph, {.compress = true}), plain = Write(graph);
  ASSERT_TRUE(bytes.ok() && plain.ok());
  const Result<Graph> back = ath::Read(*bytes, nullptr, {.check_weights = true});
  ASSERT_TRUE(back.ok()) << back.status().ToString();
  const std::string again = PrintText(*back);
  for (const char* value : {"[-8, 0, 7]", "[0.5, -2]", R"(["z"])", "[1, 15, 3]", "[-300]"})
    EXPECT_NE(again.find(value), std::string::npos) << value << "\n" << again;
  std::vector<std::uint8_t> damaged = *bytes;
  damaged.back() ^= 1U;
  EXPECT_NE(TextOf(damaged, {.check_weights = true}).find("ATH-2002"), std::string::npos);
  EXPECT_NE(StoredDigest(*bytes), StoredDigest(*plain));
}

TEST(Ath, ADamagedCodeOfWeightsIsRefused) {
  const auto coded = Write(Halving(), {.compress = true});
  ASSERT_TRUE(coded.ok());
  Header header;
  std::memcpy(&header, coded->data(), sizeof(header));
  int refused = 0;
  for (std::size_t i = 0; i < 600; ++i) {
    std::vector<std::uint8_t> bytes = *coded;
    bytes[header.weights_offset + i] ^= 0x15;
    refused += TextOf(bytes).find("is damaged") != std::string::npos ? 1 : 0;
  }
  // All but other values in the table, which only the digest shows (`check_weights`).
  constexpr int kValues = 8;
  EXPECT_GE(refused, 600 - kValues);
}

TEST(Ath, WeightsOfEveryElementTypeComeBack) {
  const std::string text =
      R"(graph g() -> (a: i4[3], b: bool[2], c: string[2], d: f16[1], e: c64[1], f: f32[0], g: u2[5]) {
  const %a: i4[3] = [-8, 0, 7]
  const %b: bool[2] = [true, false]
  const %c: string[2] = ["", "\x00z"]
  const %d: f16[1] = [0.5]
  const %e: c64[1] = base64"AACAPwAAAEA="
  const %f: f32[0] = []
  const %g: u2[5] = [0, 1, 2, 3, 1]
}
)";
  EXPECT_EQ(TextOf(Bytes(text)), text);
}

TEST(Ath, WeightsAreMappedNotCopied) {
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("athanor_{}.ath", getpid())).string();
  ASSERT_TRUE(SaveModel(Read(kModel), path).ok());
  const Result<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok());
  const Result<Graph> graph = ath::Read((*file)->bytes(), *file);
  ASSERT_TRUE(graph.ok()) << graph.status().ToString();
  const auto bytes = (*file)->bytes();
  int constants = 0;
  for (std::size_t i = 0; i < graph->value_capacity(); ++i) {
    const Tensor* tensor = graph->Constant(static_cast<ValueId>(i));
    if (tensor == nullptr) continue;
    ++constants;
    const auto* at = static_cast<const std::uint8_t*>(tensor->raw());
    EXPECT_TRUE(at >= bytes.data() && at < bytes.data() + bytes.size());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % kAlignment, 0U);
  }
  EXPECT_EQ(constants, 2);
  const Result<Graph> loaded = LoadModel(path);
  ASSERT_TRUE(loaded.ok()) << loaded.status().ToString();
  EXPECT_EQ(PrintText(*loaded), kModel);
  std::filesystem::remove(path);
}

TEST(Ath, DamageInAWeightIsFoundOnRequest) {
  std::vector<std::uint8_t> bytes = Bytes("graph g() -> (w) { const %w: f32[4] = [1, 2, 3, 4] }");
  bytes[bytes.size() - 60] ^= 1U;
  EXPECT_EQ(TextOf(bytes).find("error"), std::string::npos);
  EXPECT_NE(TextOf(bytes, {.check_weights = true}).find("ATH-2002"), std::string::npos);
}

TEST(Ath, EveryDamagedByteOfHeaderAndStructureIsRefusedOrHarmless) {
  const std::vector<std::uint8_t> good = Bytes(kModel);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::uint8_t> bad = good;
    bad[i] ^= 0x41U;
    TextOf(bad);
    // The same with a digest that fits, so that the reader itself is put to the test.
    Header header;
    std::memcpy(&header, bad.data(), sizeof(header));
    if (header.structure_size > bad.size() - sizeof(header)) continue;
    header.structure_digest =
        Digest64(std::span(bad).subspan(sizeof(header), header.structure_size));
    std::memcpy(bad.data(), &header, sizeof(header));
    TextOf(bad);
  }
}

TEST(Ath, TruncatedFilesAndOtherVersionsAreRefused) {
  const std::vector<std::uint8_t> good = Bytes(kModel);
  for (std::size_t size = 8; size < good.size(); size += 16) {
    const std::vector<std::uint8_t> part(good.begin(),
                                         good.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_NE(TextOf(part).find("ATH-2002"), std::string::npos) << size;
  }
  std::vector<std::uint8_t> newer = good;
  newer[8] = 5;
  EXPECT_NE(TextOf(newer).find("version 5 of .ath is not read; 1, 3 and 4 are"), std::string::npos);
}

}  // namespace
}  // namespace athanor::ath
