#include "core/file.h"
#include "corpus.h"
#include "package/container.h"
#include "package/pipeline.h"

namespace athanor::broken {
namespace {

using package::Bytes;

constexpr std::string_view kPipeline =
    R"({"stages": [{"model": {"file": "model.ath"}}, {"top_k": {"count": "5"}}]})";
constexpr std::string_view kPassphrase = "corpus";

Bytes AsBytes(std::string_view text) { return {text.begin(), text.end()}; }

Bytes Write(bool sign, bool encrypt, std::string_view pipeline = kPipeline) {
  const Bytes model(200, 1), settings = AsBytes(pipeline);
  package::WriteOptions options;
  if (sign) {
    Result<package::PrivateKey> key = package::PrivateKey::Make(package::KeyKind::kSigning);
    ATH_CHECK(key.ok(), "keys can be made");
    options.sign = *std::move(key);
  }
  if (encrypt) options.passphrase = kPassphrase;
  Result<Bytes> file = package::WritePackage(
      {"corpus", "", {{"model.ath", model}, {std::string(package::kPipelineEntry), settings}}},
      options);
  ATH_CHECK(file.ok(), "packages can be written");
  return *std::move(file);
}

Status Read(const std::string& path) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const auto read = [&]() -> Status {
    ATH_TRY(const package::Package opened,
            package::Package::Open(file->bytes(), file, {.passphrase = std::string(kPassphrase)}));
    for (const std::string& name : opened.EntryNames())
      ATH_RETURN_IF_ERROR(opened.Read(name).status());
    ATH_TRY(const package::Blob text, opened.Read(std::string(package::kPipelineEntry)));
    ATH_TRY(const package::Config config,
            package::ConfigFromJson(
                {reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size()}));
    return package::ReadPipeline(config).status();
  };
  return read().In(path);
}

}  // namespace

// No change at all may pass, so every damaged file must fail.
Family PackageFamily() {
  Family family = {"athpkg", {}, {}, Read};
  for (const auto& [name, sign, encrypt] :
       {std::tuple("plain", false, false), std::tuple("signed", true, false),
        std::tuple("encrypted", true, true)})
    family.good.push_back({name, Write(sign, encrypt)});
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) {
      bad.must_fail = bad.bytes != good.bytes;
      family.bad.push_back(std::move(bad));
    }
    // One bit somewhere in each stretch of the file.
    for (std::size_t at = 0; at < good.bytes.size(); at += 37) {
      File bad = {fmt::format("{}_bit_{}", good.name, at), good.bytes, true};
      bad.bytes[at] ^= static_cast<std::uint8_t>(1U << (at % 8));
      family.bad.push_back(std::move(bad));
    }
  }
  for (const char* pipeline :
       {"", "[", "{}", "[]", "7", R"({"stages": []})", R"({"stages": [{"model": {}}]})",
        R"({"stages": [{"modle": {"file": "a"}}]})",
        R"({"stages": [{"model": {"file": "a", "b": "c"}}]})", R"({"stages": [{"nms": {}}]})",
        R"({"stages": [{"model": {"file": "a"}}, {"decode": {}}]})",
        R"({"stages": [{"model": {"file": "a"}}, {"top_k": {"count": "-1"}}]})",
        R"({"stages": [{"resize": {"to": ["1e99"]}}, {"model": {"file": "a"}}]})"})
    family.bad.push_back(
        {fmt::format("pipeline_{}", family.bad.size()), Write(false, false, pipeline), true});
  family.bad.push_back({"empty", {}, true});
  return family;
}

}  // namespace athanor::broken
