// libFuzzer: any bytes as an .ath file, with a digest that fits so that the reader behind it is
// reached. `./dev fuzz ath 60`.
#include <cstring>

#include "core/digest.h"
#include "frontends/ath/ath.h"
#include "frontends/ath/header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athanor;
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(data, data + size);
  ath::Header header;
  if (size >= sizeof(header)) {
    std::memcpy(&header, bytes->data(), sizeof(header));
    std::memcpy(header.magic, ath::kMagic, sizeof(header.magic));
    if (header.structure_size <= size - sizeof(header))
      header.structure_digest =
          Digest64(std::span(*bytes).subspan(sizeof(header), header.structure_size));
    std::memcpy(bytes->data(), &header, sizeof(header));
  }
  (void)ath::Read(*bytes, bytes).ok();
  return 0;
}
