// libFuzzer: any bytes as an .ath file, with a digest that fits so that the reader behind it is
// reached. The structure of a compressed file stands here as it is before it is deflated.
// `./dev fuzz ath 60`.
#include <zlib.h>

#include <cstring>

#include "core/digest.h"
#include "frontends/ath/ath.h"
#include "frontends/ath/header.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

// The file that the bytes stand for, behind a header that is whole.
Bytes FileOf(athanor::ath::Header header, std::span<const std::uint8_t> after) {
  using athanor::ath::Align;
  std::memcpy(header.magic, athanor::ath::kMagic, sizeof(header.magic));
  header.structure_size = std::min<std::uint64_t>(header.structure_size, after.size());
  Bytes structure(after.begin(),
                  after.begin() + static_cast<std::ptrdiff_t>(header.structure_size));
  std::span<const std::uint8_t> weights = after.subspan(structure.size());
  if (header.version != athanor::ath::kPlainVersion) {
    Bytes deflated(compressBound(structure.size()));
    uLongf size = deflated.size();
    if (compress2(deflated.data(), &size, structure.data(), structure.size(), 0) != Z_OK) return {};
    deflated.resize(size);
    header.structure_deflated_from = structure.size();
    header.structure_size = size;
    header.weights_offset = Align(sizeof(header) + size);
    header.weights_size = weights.size();
    structure = std::move(deflated);
  }
  header.structure_digest = athanor::Digest64(structure);
  Bytes file(sizeof(header));
  std::memcpy(file.data(), &header, sizeof(header));
  file.insert(file.end(), structure.begin(), structure.end());
  if (header.version != athanor::ath::kPlainVersion) file.resize(header.weights_offset);
  file.insert(file.end(), weights.begin(), weights.end());
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athanor;
  auto bytes = std::make_shared<Bytes>(data, data + size);
  ath::Header header;
  if (size >= sizeof(header)) {
    std::memcpy(&header, data, sizeof(header));
    *bytes = FileOf(header, std::span(data, size).subspan(sizeof(header)));
  }
  (void)ath::Read(*bytes, bytes).ok();
  return 0;
}
