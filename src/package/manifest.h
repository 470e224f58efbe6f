// What stands in a package's manifest, as JSON and back. Hostile input: kinds and sizes are
// checked, nothing is believed before container.cpp has compared it with the bytes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "package/keys.h"

namespace athanor::package {

// The content key, encrypted.
struct WrappedKey {
  std::string recipient = {};  // id of the key; "" for a passphrase
  Bytes ephemeral = {};        // public key of the sender, made for this package; recipients only
  Bytes salt = {};             // passphrases only
  int log_n = 0;
  Bytes wrapped = {};
};

struct Manifest {
  struct Item {
    std::string name;
    std::uint64_t size = 0;  // as stored
    Bytes digest;            // of the stored bytes
  };
  std::string name, description;
  Bytes id;      // random: entries of one package do not open in another
  Bytes signer;  // public key; empty when not signed
  std::optional<Cipher> cipher;
  std::vector<WrappedKey> keys;
  std::vector<Item> entries;
};

inline constexpr std::size_t kIdSize = 16, kSaltSize = 16;
inline constexpr int kLogN = 15, kMostLogN = 17;  // 32 MiB, 128 MiB

std::string WriteManifest(const Manifest& manifest);
Result<Manifest> ReadManifest(std::string_view text);

}  // namespace athanor::package
