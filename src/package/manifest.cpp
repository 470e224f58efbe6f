#include "package/manifest.h"

#include <nlohmann/json.hpp>
#include <set>

namespace athanor::package {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kMostEntries = 4096, kMostKeys = 256, kMostEntryText = 65536;

Status Wrong(std::string_view key) {
  return Error(ErrorCode::kCorruptFile, "the manifest's \"{}\" is missing or of the wrong kind",
               key);
}

Result<std::string> Text(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return Wrong(key);
  std::string text = found->get<std::string>();
  if (text.size() > kMostEntryText) return Wrong(key);
  return text;
}

Result<Bytes> Binary(const Json& object, const char* key, std::size_t size) {
  ATH_TRY(const std::string text, Text(object, key));
  Result<Bytes> bytes = FromHex(text, size);
  if (!bytes.ok()) return Wrong(key);
  return bytes;
}

Result<std::uint64_t> Number(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return Wrong(key);
  return found->get<std::uint64_t>();
}

Result<WrappedKey> ReadKey(const Json& object) {
  if (!object.is_object()) return Wrong("keys");
  WrappedKey key;
  ATH_TRY(key.wrapped, Binary(object, "wrapped", kKeySize + kTagSize));
  if (object.contains("recipient")) {
    ATH_TRY(key.recipient, Text(object, "recipient"));
    ATH_TRY(key.ephemeral, Binary(object, "ephemeral", kPublicKeySize));
    if (key.recipient.empty()) return Wrong("recipient");
    return key;
  }
  ATH_TRY(key.salt, Binary(object, "salt", kSaltSize));
  ATH_TRY(const std::uint64_t log_n, Number(object, "log_n"));
  if (log_n < 10 || log_n > kMostLogN) return Wrong("log_n");
  key.log_n = static_cast<int>(log_n);
  return key;
}

Status ReadEncryption(const Json& object, Manifest& manifest) {
  if (!object.is_object()) return Wrong("encryption");
  ATH_TRY(const std::string name, Text(object, "cipher"));
  const Result<Cipher> cipher = CipherFromName(name);
  if (!cipher.ok()) return Wrong("cipher");
  manifest.cipher = *cipher;
  const auto keys = object.find("keys");
  if (keys == object.end() || !keys->is_array() || keys->empty() || keys->size() > kMostKeys)
    return Wrong("keys");
  for (const Json& item : *keys) {
    ATH_TRY(WrappedKey key, ReadKey(item));
    manifest.keys.push_back(std::move(key));
  }
  return {};
}

Status ReadEntries(const Json& entries, Manifest& manifest) {
  if (!entries.is_array() || entries.size() > kMostEntries) return Wrong("entries");
  std::set<std::string> names;
  for (const Json& object : entries) {
    if (!object.is_object()) return Wrong("entries");
    Manifest::Item item;
    ATH_TRY(item.name, Text(object, "name"));
    ATH_TRY(item.size, Number(object, "size"));
    ATH_TRY(item.digest, Binary(object, "sha256", kDigestSize));
    if (!names.insert(item.name).second)
      return Error(ErrorCode::kCorruptFile, "entry \"{}\" stands in the manifest twice", item.name);
    manifest.entries.push_back(std::move(item));
  }
  return {};
}

}  // namespace

std::string WriteManifest(const Manifest& manifest) {
  Json entries = Json::array();
  for (const Manifest::Item& item : manifest.entries)
    entries.push_back({{"name", item.name}, {"size", item.size}, {"sha256", Hex(item.digest)}});
  Json document = {{"name", manifest.name},
                   {"description", manifest.description},
                   {"id", Hex(manifest.id)},
                   {"entries", std::move(entries)}};
  if (!manifest.signer.empty()) document["signer"] = Hex(manifest.signer);
  if (manifest.cipher) {
    Json keys = Json::array();
    for (const WrappedKey& key : manifest.keys) {
      Json object = {{"wrapped", Hex(key.wrapped)}};
      if (!key.recipient.empty()) {
        object["recipient"] = key.recipient;
        object["ephemeral"] = Hex(key.ephemeral);
      } else {
        object["salt"] = Hex(key.salt);
        object["log_n"] = key.log_n;
      }
      keys.push_back(std::move(object));
    }
    document["encryption"] = {{"cipher", Name(*manifest.cipher)}, {"keys", std::move(keys)}};
  }
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Manifest> ReadManifest(std::string_view text) {
  const Json document = Json::parse(text, nullptr, false);
  if (!document.is_object())
    return Error(ErrorCode::kCorruptFile, "the manifest is no JSON object");
  Manifest manifest;
  ATH_TRY(manifest.name, Text(document, "name"));
  ATH_TRY(manifest.description, Text(document, "description"));
  ATH_TRY(manifest.id, Binary(document, "id", kIdSize));
  if (document.contains("signer")) {
    ATH_TRY(manifest.signer, Binary(document, "signer", kPublicKeySize));
  }
  if (document.contains("encryption"))
    ATH_RETURN_IF_ERROR(ReadEncryption(document["encryption"], manifest));
  if (!document.contains("entries")) return Wrong("entries");
  ATH_RETURN_IF_ERROR(ReadEntries(document["entries"], manifest));
  return manifest;
}

}  // namespace athanor::package
