// The few primitives packages need, from OpenSSL: digests, authenticated ciphers, key derivation.
// Nothing here chooses parameters; container.cpp does.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor::package {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

inline constexpr std::size_t kKeySize = 32, kNonceSize = 12, kTagSize = 16, kDigestSize = 32;

enum class Cipher : std::uint8_t { kAes256Gcm, kChaCha20Poly1305 };
std::string_view Name(Cipher cipher);
Result<Cipher> CipherFromName(std::string_view name);

Result<Bytes> RandomBytes(std::size_t count);
// SHA-256 of the parts after one another.
Result<Bytes> Digest(std::initializer_list<View> parts);
// HMAC-SHA-256.
Result<Bytes> Authenticate(View key, std::initializer_list<View> parts);
// HKDF-SHA-256; 32 bytes.
Result<Bytes> DeriveKey(View secret, View salt, std::string_view purpose);
// scrypt with r = 8, p = 1; 32 bytes. Takes 2^log_n KiB of memory.
Result<Bytes> DeriveFromPassphrase(std::string_view passphrase, View salt, int log_n);

// The cipher text and behind it the tag.
Result<Bytes> Seal(Cipher cipher, View key, View nonce, View context, View plain);
// Into `plain`, kTagSize shorter than `sealed`. kCorruptFile when key, nonce, context or a byte are
// not those of Seal.
Status Unseal(Cipher cipher, View key, View nonce, View context, View sealed,
              std::span<std::uint8_t> plain);

// Takes equally long wherever they differ.
bool SameBytes(View a, View b);
std::string Hex(View bytes);
Result<Bytes> FromHex(std::string_view text, std::size_t size);

}  // namespace athanor::package
