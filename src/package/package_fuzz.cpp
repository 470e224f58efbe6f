// libFuzzer: any bytes as a package, with a digest that fits so that the manifest's reader is
// reached, and as the settings of a pipeline. `./dev fuzz package 60`.
#include <cstring>

#include "package/container.h"
#include "package/pipeline.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athanor::package;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = ConfigFromJson(text);
  if (config.ok()) (void)ReadPipeline(*config).ok();
  const auto bytes = std::make_shared<Bytes>(data, data + size);
  constexpr std::size_t kHead = 64, kManifestSize = 16, kFileSize = 24, kDigest = 32;
  if (size >= kHead) {
    std::uint64_t manifest = 0;
    const std::uint64_t whole = size;
    std::memcpy(&manifest, bytes->data() + kManifestSize, sizeof(manifest));
    std::memcpy(bytes->data() + kFileSize, &whole, sizeof(whole));
    if (manifest <= size - kHead) {
      const auto digest = Digest({View(*bytes).subspan(kHead, manifest)});
      if (digest.ok()) std::memcpy(bytes->data() + kDigest, digest->data(), kDigestSize);
    }
  }
  const auto package = Package::Open(*bytes, bytes, {});
  if (!package.ok()) return 0;
  for (const std::string& name : package->EntryNames()) (void)package->Read(name).ok();
  return 0;
}
