#include "corpus.h"
#include "frontends/load.h"
#include "ir/text.h"

namespace athanor::broken {
namespace {

constexpr const char* kMistakes[] = {
    "graph",
    "graph g",
    "graph g() -> (y) {}",
    "graph g() -> (y) { %y = Relu(%x) }",
    "graph g(x: f32[2]) -> (y) { %y = Relo(%x) }",
    "graph g(x: f32[2]) -> (y) { %y = Relu(%x }",
    "graph g(x: f32[2]) -> (y) { %y = Relu() }",
    "graph g(x: f32[2]) -> (y) { %y = Relu(%x, %x) }",
    "graph g(x: f32[2]) -> (y) { %y, %z = Relu(%x) }",
    "graph g(x: f32[2], x: f32[2]) -> (x) {}",
    "graph g(x: f32[2]) -> (y) { %y: f32[3] = Relu(%x) }",
    "graph g(x: f32[2]) -> (y) { %y: i64[2] = Relu(%x) }",
    "graph g(x: f32[2]) -> (y) { %y = Reshape(%x, %y) }",
    "graph g(x: f99[2]) -> (x) {}",
    "graph g(x: f32[2) -> (x) {}",
    "graph g(x: f32[(((((((((((((((((((((((((((((((((((((((1)]) -> (x) {}",
    "graph g(x: f32[99999999999999999999]) -> (x) {}",
    "graph g() -> (w) { const %w: f32[2] = [1] }",
    "graph g() -> (w) { const %w: f32[2] = [1, two] }",
    "graph g() -> (w) { const %w: f32[9999999999] = fill(1) }",
    "graph g() -> (w) { const %w: f32[4294967296, 4294967296] = random(1) }",
    "graph g() -> (w) { const %w: f32[-1] = [] }",
    "graph g() -> (w) { const %w: f32[1] = base64\"AAA\" }",
    "graph g() -> (w) { const %w: f32[1] = base64\"AAAAAAAAAAAA\" }",
    "graph g() -> (w) { const %w: i8[1] = [200] }",
    "graph g() -> (w) { const %w: u4[1] = [16] }",
    "graph g() -> (w) { const %w: string[1] = [\"\\q\"] }",
    "graph g() -> (w) { const %w: f32[N] = [1] }",
    "graph g() -> (w) { const %w: f32[1] = elided(\"00\") }",
    "graph g(x: f32[2]) -> (y) { %y = Relu(%x) } graph",
    "graph g(x: f32[2, 2], i: i64[2]) -> (y) "
    "{ %y = GatherND(%x, %i) {batch_dims = 9223372036854775807} }",
    "graph g(x: f32[2, 2], n: i64[2]) -> (y) { %y = ReverseSequence(%x, %n) "
    "{batch_axis = -9223372036854775808, time_axis = -2} }",
    "graph g(x: f32[2]) -> (y) { %y = Concat(%x, _) {axis = 0} }",
    "graph g(x: f32[2]) -> (y) { %y = Max(_, %x) }",
    "graph g(x: f32[2]) -> (y) { %y = SequenceConstruct(%x, _) }",
};

Status Read(const std::string& path) {
  Result<Graph> graph = LoadModel(path, {.format = "txt"});
  return std::move(graph).status();
}

std::vector<std::uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

}  // namespace

Family TextFamily() {
  Family family = {"txt", {}, {}, Read, "text"};
  for (const Graph& graph : GoodGraphs())
    family.good.push_back({graph.name(), Bytes(PrintText(graph))});
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  for (std::size_t i = 0; i < std::size(kMistakes); ++i)
    family.bad.push_back({fmt::format("mistake_{}", i), Bytes(kMistakes[i]), true});
  family.bad.push_back({"empty", {}, true});
  family.bad.push_back({"brackets", std::vector<std::uint8_t>(1'000'000, '('), true});
  return family;
}

}  // namespace athanor::broken
