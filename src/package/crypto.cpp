#include "package/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <limits>

#include "core/text.h"
#include "package/openssl.h"

namespace athanor::package {
namespace {

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, Free<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Free<EVP_KDF_CTX_free>>;
using Mac = std::unique_ptr<EVP_MAC, Free<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Free<EVP_MAC_CTX_free>>;

const EVP_CIPHER* Evp(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
}

// OpenSSL counts in int: long data go in pieces.
constexpr std::size_t kPiece = std::size_t{1} << 30;

OSSL_PARAM Octets(const char* name, View bytes) {
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()),
                                           bytes.size());
}

Result<Bytes> RunKdf(const char* name, const OSSL_PARAM* params) {
  const Kdf kdf(EVP_KDF_fetch(nullptr, name, nullptr));
  const KdfContext context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
  Bytes key(kKeySize);
  if (!context || EVP_KDF_derive(context.get(), key.data(), key.size(), params) != 1)
    return OpenSslFailed("derive a key");
  return key;
}

}  // namespace

std::string_view Name(Cipher cipher) {
  return cipher == Cipher::kAes256Gcm ? "aes-256-gcm" : "chacha20-poly1305";
}

Result<Cipher> CipherFromName(std::string_view name) {
  const std::vector<std::string> names = {"aes-256-gcm", "chacha20-poly1305"};
  if (name == names[0]) return Cipher::kAes256Gcm;
  if (name == names[1]) return Cipher::kChaCha20Poly1305;
  return Error(ErrorCode::kUsage, "cipher {} is not known{}; {} are", Quote(name),
               DidYouMean(name, names), Join(names, " and "));
}

Result<Bytes> RandomBytes(std::size_t count) {
  Bytes bytes(count);
  if (RAND_bytes(bytes.data(), static_cast<int>(count)) != 1)
    return OpenSslFailed("draw random bytes");
  return bytes;
}

Result<Bytes> Digest(std::initializer_list<View> parts) {
  const DigestContext context(EVP_MD_CTX_new());
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const View part : parts)
    good = good && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  Bytes digest(kDigestSize);
  if (!good || EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1)
    return OpenSslFailed("digest");
  return digest;
}

Result<Bytes> Authenticate(View key, std::initializer_list<View> parts) {
  const Mac mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  const MacContext context(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
  bool good = context && EVP_MAC_init(context.get(), key.data(), key.size(), params) == 1;
  for (const View part : parts)
    good = good && EVP_MAC_update(context.get(), part.data(), part.size()) == 1;
  Bytes tag(kDigestSize);
  std::size_t size = 0;
  if (!good || EVP_MAC_final(context.get(), tag.data(), &size, tag.size()) != 1)
    return OpenSslFailed("authenticate");
  return tag;
}

Result<Bytes> DeriveKey(View secret, View salt, std::string_view purpose) {
  char digest[] = "SHA256";
  const View info(reinterpret_cast<const std::uint8_t*>(purpose.data()), purpose.size());
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                               Octets(OSSL_KDF_PARAM_KEY, secret),
                               Octets(OSSL_KDF_PARAM_SALT, salt), Octets(OSSL_KDF_PARAM_INFO, info),
                               OSSL_PARAM_construct_end()};
  return RunKdf("HKDF", params);
}

Result<Bytes> DeriveFromPassphrase(std::string_view passphrase, View salt, int log_n) {
  std::uint64_t n = std::uint64_t{1} << log_n, most_memory = (n + 64) * 1024 * 2;
  std::uint32_t r = 8, p = 1;
  const View secret(reinterpret_cast<const std::uint8_t*>(passphrase.data()), passphrase.size());
  const OSSL_PARAM params[] = {
      Octets(OSSL_KDF_PARAM_PASSWORD, secret),
      Octets(OSSL_KDF_PARAM_SALT, salt),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
      OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
      OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &most_memory),
      OSSL_PARAM_construct_end()};
  return RunKdf("SCRYPT", params);
}

Result<Bytes> Seal(Cipher cipher, View key, View nonce, View context, View plain) {
  const CipherContext ctx(EVP_CIPHER_CTX_new());
  Bytes sealed(plain.size() + kTagSize);
  int size = 0;
  bool good =
      ctx && EVP_EncryptInit_ex(ctx.get(), Evp(cipher), nullptr, key.data(), nonce.data()) == 1;
  good = good && EVP_EncryptUpdate(ctx.get(), nullptr, &size, context.data(),
                                   static_cast<int>(context.size())) == 1;
  for (std::size_t at = 0; good && at < plain.size(); at += kPiece) {
    const std::size_t count = std::min(kPiece, plain.size() - at);
    good = EVP_EncryptUpdate(ctx.get(), sealed.data() + at, &size, plain.data() + at,
                             static_cast<int>(count)) == 1;
  }
  good = good && EVP_EncryptFinal_ex(ctx.get(), sealed.data() + plain.size(), &size) == 1;
  good = good && EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize,
                                     sealed.data() + plain.size()) == 1;
  if (!good) return OpenSslFailed("encrypt");
  return sealed;
}

Status Unseal(Cipher cipher, View key, View nonce, View context, View sealed,
              std::span<std::uint8_t> plain) {
  const CipherContext ctx(EVP_CIPHER_CTX_new());
  std::array<std::uint8_t, kTagSize> tag{};
  const View stored = sealed.subspan(plain.size(), kTagSize);
  std::copy(stored.begin(), stored.end(), tag.begin());
  int size = 0;
  bool good =
      ctx && EVP_DecryptInit_ex(ctx.get(), Evp(cipher), nullptr, key.data(), nonce.data()) == 1;
  good = good && EVP_DecryptUpdate(ctx.get(), nullptr, &size, context.data(),
                                   static_cast<int>(context.size())) == 1;
  for (std::size_t at = 0; good && at < plain.size(); at += kPiece) {
    const std::size_t count = std::min(kPiece, plain.size() - at);
    good = EVP_DecryptUpdate(ctx.get(), plain.data() + at, &size, sealed.data() + at,
                             static_cast<int>(count)) == 1;
  }
  good = good && EVP_CIPHER_CTX_ctrl(ctx.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1;
  std::uint8_t rest[kTagSize];
  if (good && EVP_DecryptFinal_ex(ctx.get(), rest, &size) == 1) return {};
  OPENSSL_cleanse(plain.data(), plain.size());
  return Error(ErrorCode::kCorruptFile, "its seal is broken: the bytes were changed");
}

bool SameBytes(View a, View b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string Hex(View bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

Result<Bytes> FromHex(std::string_view text, std::size_t size) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  Bytes bytes;
  for (std::size_t i = 0; text.size() == 2 * size && i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) break;
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  if (bytes.size() != size || text.size() != 2 * size)
    return Error(ErrorCode::kCorruptFile, "{} hexadecimal digits are expected", 2 * size);
  return bytes;
}

}  // namespace athanor::package
