#include <cstring>

#include "core/digest.h"
#include "corpus.h"
#include "frontends/ath/ath.h"
#include "frontends/ath/header.h"
#include "frontends/load.h"

namespace athanor::broken {
namespace {

// Makes the digest fit the damaged structure, so that the reader behind it is reached.
void FixDigest(std::vector<std::uint8_t>& bytes) {
  ath::Header header;
  if (bytes.size() < sizeof(header)) return;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.structure_size > bytes.size() - sizeof(header)) return;
  header.structure_digest =
      Digest64(std::span(bytes).subspan(sizeof(header), header.structure_size));
  std::memcpy(bytes.data(), &header, sizeof(header));
}

Status Read(const std::string& path) {
  Result<Graph> graph = LoadModel(path, {.format = "ath"});
  return std::move(graph).status();
}

}  // namespace

Family AthFamily() {
  Family family = {"ath", {}, {}, Read};
  for (const Graph& graph : GoodGraphs()) {
    Result<std::vector<std::uint8_t>> bytes = ath::Write(graph);
    ATH_CHECK(bytes.ok(), "the graphs are good");
    family.good.push_back({graph.name(), *std::move(bytes)});
  }
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) {
      File fixed = bad;
      fixed.name += "_digest_fits";
      FixDigest(fixed.bytes);
      family.bad.push_back(std::move(bad));
      family.bad.push_back(std::move(fixed));
    }
  }
  family.bad.push_back({"empty", {}, true});
  return family;
}

}  // namespace athanor::broken
