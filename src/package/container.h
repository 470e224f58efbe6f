// The .athpkg file: named entries in one file, of which no byte can change unseen.
//
//   head      64 bytes: magic, version, flags, size of the manifest, size of the file, its digest
//   manifest  JSON: name, description, entries with size and SHA-256, signer, wrapped keys
//   seal      32 bytes when encrypted: HMAC of head and manifest under a key from the content key
//   signature 64 bytes when signed: Ed25519 over everything before it
//   entries   each at a multiple of 64, zeros between; encrypted ones carry a tag of 16 bytes
//
// Encrypted entries use AES-256-GCM or ChaCha20-Poly1305 under a random content key, which stands
// in the manifest once per recipient (X25519, HKDF) and once for a passphrase (scrypt).
// docs/packages.md tells users about it.
#pragma once

#include <memory>
#include <optional>

#include "package/keys.h"

namespace athanor::package {

struct Entry {
  std::string name;
  View data;
};

struct Contents {
  std::string name, description;
  std::vector<Entry> entries;
};

struct WriteOptions {
  std::optional<PrivateKey> sign = {};
  std::vector<PublicKey> recipients = {};
  std::string passphrase = "";
  Cipher cipher = Cipher::kAes256Gcm;
};

// The whole file. Encrypted when there is a recipient or a passphrase.
Result<Bytes> WritePackage(const Contents& contents, const WriteOptions& options);

struct ReadOptions {
  std::optional<PrivateKey> key = {};  // of a recipient
  std::string passphrase = "";
  std::optional<PublicKey> trust = {};  // only what this key has signed is opened
};

struct Blob {
  View bytes;
  std::shared_ptr<const void> owner;  // keeps the bytes
};

// A package whose every byte has been checked.
class Package {
 public:
  // `owner` keeps `file` alive. kCorruptFile when any byte was changed.
  static Result<Package> Open(View file, std::shared_ptr<const void> owner,
                              const ReadOptions& options);

  const std::string& name() const { return name_; }
  const std::string& description() const { return description_; }
  const std::string& signer() const { return signer_; }  // id of the key; "" when not signed
  std::optional<Cipher> cipher() const { return cipher_; }
  std::vector<std::string> EntryNames() const;
  // The entry as it was packed; decrypted in memory only.
  Result<Blob> Read(const std::string& name) const;

 private:
  struct Stored {
    std::string name;
    View bytes;
  };
  static Result<Package> Check(View file, std::shared_ptr<const void> owner,
                               const ReadOptions& options);

  std::string name_, description_, signer_;
  std::optional<Cipher> cipher_;
  Bytes content_key_, id_;
  std::vector<Stored> entries_;
  std::shared_ptr<const void> owner_;
};

bool IsPackage(View file);

}  // namespace athanor::package
