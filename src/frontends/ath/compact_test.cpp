#include "frontends/ath/compact.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "core/digest.h"
#include "frontends/ath/ath.h"
#include "frontends/ath/ath_generated.h"
#include "frontends/ath/header.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::ath {
namespace {

// Sub-graphs, types of types, all kinds of attributes, an omitted input and an unused constant.
constexpr std::string_view kModel =
    R"(graph main(x: f32[N, 2], "in:1": seq(optional(i64[?])), c: bool[]) -> (y: f32[N, 2], z = %x: f32[N, 2], s) {
  const %w: f32[2] = [1.5, -2]
  %t: f32[N, 2] = Add(%x, %w) @"add one"
  const %shape: i64[2] = [-1, 2]
  %u: f32[N, 2] = Reshape(%t, %shape) {allowzero = 1}
  const %high: f32[] = 6
  %v: f32[N, 2] = Clip(%u, _, %high)
  %y: f32[N, 2] = Add(%v, %w)
  %s: f32[1] = If(%c)
    then_branch = graph then() -> (a: f32[1]) {
      const %a: f32[1] = [1]
    }
    else_branch = graph else() -> (b: f32[1]) {
      const %k: f32[1] = [2]
      %b: f32[1] = Neg(%k)
    }
}
)";

// The flatbuffer of a plain file.
std::vector<std::uint8_t> Structure(const Graph& graph) {
  const auto bytes = Write(graph);
  EXPECT_TRUE(bytes.ok());
  Header header;
  std::memcpy(&header, bytes->data(), sizeof(header));
  const auto from = bytes->begin() + sizeof(header);
  return {from, from + static_cast<std::ptrdiff_t>(header.structure_size)};
}

Graph Parse(std::string_view text) {
  Result<Graph> graph = ParseText(text, ops::Standard());
  EXPECT_TRUE(graph.ok()) << graph.status().ToString();
  return graph.ok() ? *std::move(graph) : Graph(ops::Standard());
}

constexpr std::uint64_t kPlenty = 1 << 20;

TEST(Compact, TheStructureComesBackWithoutPlacesAndDigestsOfWeights) {
  const std::vector<std::uint8_t> structure = Structure(Parse(kModel));
  const auto expanded = Expand(Compact(structure), kPlenty);
  ASSERT_TRUE(expanded.ok()) << expanded.status().ToString();
  schema::ModelT wanted, got;
  schema::GetModel(structure.data())->UnPackTo(&wanted);
  schema::GetModel(expanded->data())->UnPackTo(&got);
  for (auto& weight : wanted.weights) weight->offset = weight->digest = 0;
  flatbuffers::FlatBufferBuilder one, two;
  one.Finish(schema::Model::Pack(one, &wanted));
  two.Finish(schema::Model::Pack(two, &got));
  ASSERT_EQ(one.GetSize(), two.GetSize());
  EXPECT_EQ(std::memcmp(one.GetBufferPointer(), two.GetBufferPointer(), one.GetSize()), 0);
}

// A hundred layers of one kind: what is new in each is a byte or two.
TEST(Compact, RepeatedLayersTakeFewBytes) {
  std::string text = "graph g(x: f32[8, 16]) -> (y100) {\n  %y0 = Identity(%x)\n";
  for (int i = 0; i < 100; ++i) {
    text += fmt::format("  const %w{}: f32[16, 16] = random({})\n", i, i);
    text += fmt::format("  %p{0} = MatMul(%y{0}, %w{0})\n  %y{1} = Relu(%p{0})\n", i, i + 1);
  }
  const std::vector<std::uint8_t> structure = Structure(Parse(text + "}\n"));
  std::vector<std::uint8_t> compact = Compact(structure), deflated(compressBound(compact.size()));
  uLongf size = deflated.size();
  ASSERT_EQ(compress2(deflated.data(), &size, compact.data(), compact.size(), 9), Z_OK);
  EXPECT_LT(size, structure.size() / 20);
}

TEST(Compact, DamagedBytesAreRefusedOrExpandToSomethingBounded) {
  const std::vector<std::uint8_t> good = Compact(Structure(Parse(kModel)));
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const int by : {1, 2, 0x41, 0x80, 0xFF}) {
      std::vector<std::uint8_t> bad = good;
      bad[i] = static_cast<std::uint8_t>(bad[i] ^ by);
      const auto expanded = Expand(bad, kPlenty);
      if (expanded.ok()) {
        EXPECT_LT(expanded->size(), 4 * kPlenty);
      }
    }
    EXPECT_FALSE(Expand(std::span(good).first(i), kPlenty).ok());
  }
}

TEST(Compact, MoreThanAllowedIsRefused) {
  const std::vector<std::uint8_t> compact = Compact(Structure(Parse(kModel)));
  EXPECT_EQ(Expand(compact, 1000).status().code(), ErrorCode::kCorruptFile);
}

// Files of the version before, whose structure is a flatbuffer that was deflated.
TEST(Compact, TheThirdVersionIsStillRead) {
  const Graph graph = Parse("graph g() -> (w: f32[2]) {\n  const %w: f32[2] = [0.5, -2]\n}\n");
  const std::vector<std::uint8_t> structure = Structure(graph);
  std::vector<std::uint8_t> deflated(compressBound(structure.size()));
  uLongf size = deflated.size();
  ASSERT_EQ(compress2(deflated.data(), &size, structure.data(), structure.size(), 9), Z_OK);
  deflated.resize(size);
  Header header;
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kDeflatedVersion;
  header.structure_size = size;
  header.structure_deflated_from = structure.size();
  header.structure_digest = Digest64(deflated);
  header.weights_offset = Align(sizeof(Header) + size);
  header.weights_size = 2 * sizeof(float);
  std::vector<std::uint8_t> bytes(header.weights_offset + header.weights_size, 0);
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), deflated.data(), size);
  const float values[] = {0.5F, -2.0F};
  std::memcpy(bytes.data() + header.weights_offset, values, sizeof(values));
  const Result<Graph> read = Read(bytes, nullptr);
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(PrintText(*read), PrintText(graph));
}

}  // namespace
}  // namespace athanor::ath
