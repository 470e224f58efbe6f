// libFuzzer: any bytes as the structure of a compressed .ath file, before it is deflated, and the
// codes of its weights. `./dev fuzz compact 60`.
#include <zlib.h>

#include <cstring>

#include "core/digest.h"
#include "frontends/ath/ath.h"
#include "frontends/ath/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athanor;
  if (size < 2) return 0;
  // The first two bytes say how many of the others are the structure.
  const std::size_t wanted = data[0] | static_cast<std::size_t>(data[1]) << 8;
  const std::size_t structure = std::min(wanted, size - 2);
  std::vector<std::uint8_t> deflated(compressBound(structure));
  uLongf taken = deflated.size();
  if (compress2(deflated.data(), &taken, data + 2, structure, 1) != Z_OK) return 0;
  deflated.resize(taken);
  ath::Header header;
  std::memcpy(header.magic, ath::kMagic, sizeof(header.magic));
  header.version = ath::kCompressedVersion;
  header.structure_size = taken;
  header.structure_deflated_from = structure;
  header.structure_digest = Digest64(deflated);
  header.weights_offset = ath::Align(sizeof(header) + taken);
  header.weights_size = size - 2 - structure;
  std::vector<std::uint8_t> bytes(header.weights_offset, 0);
  std::memcpy(bytes.data(), &header, sizeof(header));
  std::memcpy(bytes.data() + sizeof(header), deflated.data(), taken);
  bytes.insert(bytes.end(), data + 2 + structure, data + size);
  (void)ath::Read(bytes, nullptr).ok();
  return 0;
}
