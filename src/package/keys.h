// Key pairs of packages: Ed25519 to sign, X25519 to be the one who may open. Files are PEM, as the
// openssl tool reads and writes them: NAME.key is secret, NAME.pub is for others.
#pragma once

#include <memory>
#include <string>

#include "package/crypto.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace athanor::package {

enum class KeyKind : std::uint8_t { kSigning, kRecipient };
std::string_view Name(KeyKind kind);

inline constexpr std::size_t kPublicKeySize = 32, kSignatureSize = 64;

class PublicKey {
 public:
  static Result<PublicKey> Read(const std::string& path);
  static Result<PublicKey> FromRaw(KeyKind kind, View raw);

  KeyKind kind() const { return kind_; }
  const Bytes& raw() const { return raw_; }
  // Eight bytes of the key's digest: what people compare.
  std::string Id() const;
  Result<bool> Verifies(View signature, View message) const;

 private:
  friend class PrivateKey;
  KeyKind kind_ = KeyKind::kSigning;
  Bytes raw_;
  std::shared_ptr<evp_pkey_st> key_;
};

class PrivateKey {
 public:
  static Result<PrivateKey> Make(KeyKind kind);
  static Result<PrivateKey> Read(const std::string& path);

  const PublicKey& public_key() const { return public_; }
  Result<Bytes> Sign(View message) const;
  // The secret that only the two owners of the keys can compute.
  Result<Bytes> AgreeWith(const PublicKey& other) const;
  // NAME.key, readable by its owner only, and NAME.pub. Never replaces a file.
  Status Save(const std::string& name) const;

 private:
  static Result<PrivateKey> From(std::shared_ptr<evp_pkey_st> key);
  PublicKey public_;
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace athanor::package
