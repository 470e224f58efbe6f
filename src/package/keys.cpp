#include "package/keys.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/file.h"
#include "package/openssl.h"

namespace athanor::package {
namespace {

using Key = std::shared_ptr<EVP_PKEY>;

Key Own(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }

using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;

int OpenSslType(KeyKind kind) {
  return kind == KeyKind::kSigning ? EVP_PKEY_ED25519 : EVP_PKEY_X25519;
}

Result<KeyKind> KindOf(const EVP_PKEY& key) {
  for (const KeyKind kind : {KeyKind::kSigning, KeyKind::kRecipient}) {
    if (EVP_PKEY_get_id(&key) == OpenSslType(kind)) return kind;
  }
  return Error(ErrorCode::kInvalidInput, "an Ed25519 or X25519 key is expected");
}

// A key of a file without a passphrase; OpenSSL must not ask for one on the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

Result<Bio> ReadPem(const std::string& path, std::string& text) {
  ATH_TRY(text, ReadTextFile(path));
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Result<std::string> ToPem(const EVP_PKEY& key, bool secret) {
  const Bio bio(BIO_new(BIO_s_mem()));
  auto* mutable_key = const_cast<EVP_PKEY*>(&key);
  const bool good = bio && (secret ? PEM_write_bio_PrivateKey(bio.get(), mutable_key, nullptr,
                                                              nullptr, 0, nullptr, nullptr)
                                   : PEM_write_bio_PUBKEY(bio.get(), mutable_key)) == 1;
  if (!good) return OpenSslFailed("write a key");
  char* data = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(bio.get(), &data));
  return std::string(data, size);
}

Status WriteNewFile(const std::string& path, std::string_view text, mode_t mode) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL, mode);
  if (file < 0 && errno == EEXIST) {
    return Error(ErrorCode::kFileWrite, "{}: it is there already; keys are never overwritten", path)
        .Fix("another NAME, or move the old pair away first");
  }
  if (file < 0) return Error(ErrorCode::kFileWrite, "{}: {}", path, std::strerror(errno));
  const ssize_t written = write(file, text.data(), text.size());
  if (close(file) == 0 && written == static_cast<ssize_t>(text.size())) return {};
  unlink(path.c_str());
  return Error(ErrorCode::kFileWrite, "{}: cannot be written", path);
}

}  // namespace

std::string_view Name(KeyKind kind) { return kind == KeyKind::kSigning ? "signing" : "recipient"; }

Result<PublicKey> PublicKey::FromRaw(KeyKind kind, View raw) {
  PublicKey made;
  made.kind_ = kind;
  made.raw_.assign(raw.begin(), raw.end());
  made.key_ = Own(EVP_PKEY_new_raw_public_key(OpenSslType(kind), nullptr, raw.data(), raw.size()));
  if (!made.key_) return Error(ErrorCode::kInvalidInput, "this is no public key");
  return made;
}

Result<PublicKey> PublicKey::Read(const std::string& path) {
  std::string text;
  ATH_TRY(const Bio bio, ReadPem(path, text));
  const Key key = Own(PEM_read_bio_PUBKEY(bio.get(), nullptr, NoPassphrase, nullptr));
  if (!key) {
    return Error(ErrorCode::kInvalidInput, "{}: a public key in PEM form is expected", path)
        .Fix("athanor keys NAME makes NAME.key and NAME.pub; the .pub file is for others");
  }
  ATH_TRY(const KeyKind kind, KindOf(*key));
  Bytes raw(kPublicKeySize);
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1)
    return OpenSslFailed("read a key");
  return FromRaw(kind, raw);
}

std::string PublicKey::Id() const {
  const Result<Bytes> digest = Digest({raw_});
  return digest.ok() ? Hex(View(*digest).first(8)) : "";
}

Result<bool> PublicKey::Verifies(View signature, View message) const {
  if (kind_ != KeyKind::kSigning) return Error(ErrorCode::kUsage, "a signing key is expected");
  const DigestContext context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1)
    return OpenSslFailed("check a signature");
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

Result<PrivateKey> PrivateKey::From(std::shared_ptr<evp_pkey_st> key) {
  ATH_TRY(const KeyKind kind, KindOf(*key));
  Bytes raw(kPublicKeySize);
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), raw.data(), &size) != 1)
    return OpenSslFailed("read a key");
  PrivateKey made;
  ATH_TRY(made.public_, PublicKey::FromRaw(kind, raw));
  made.key_ = std::move(key);
  return made;
}

Result<PrivateKey> PrivateKey::Make(KeyKind kind) {
  const KeyContext context(EVP_PKEY_CTX_new_id(OpenSslType(kind), nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_keygen_init(context.get()) != 1 ||
      EVP_PKEY_keygen(context.get(), &key) != 1)
    return OpenSslFailed("make a key");
  return From(Own(key));
}

Result<PrivateKey> PrivateKey::Read(const std::string& path) {
  std::string text;
  ATH_TRY(const Bio bio, ReadPem(path, text));
  Key key = Own(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (!key) {
    return Error(ErrorCode::kInvalidInput, "{}: a private key in PEM form is expected", path)
        .Fix("athanor keys NAME makes NAME.key and NAME.pub; the .key file is the private one");
  }
  return From(std::move(key));
}

Result<Bytes> PrivateKey::Sign(View message) const {
  if (public_.kind() != KeyKind::kSigning)
    return Error(ErrorCode::kUsage, "a signing key is expected, not a recipient's")
        .Fix("athanor keys NAME --kind signing");
  const DigestContext context(EVP_MD_CTX_new());
  Bytes signature(kSignatureSize);
  std::size_t size = signature.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1)
    return OpenSslFailed("sign");
  return signature;
}

Result<Bytes> PrivateKey::AgreeWith(const PublicKey& other) const {
  if (public_.kind() != KeyKind::kRecipient || other.kind() != KeyKind::kRecipient)
    return Error(ErrorCode::kUsage, "a recipient's key is expected, not a signing key")
        .Fix("athanor keys NAME --kind recipient");
  const KeyContext context(EVP_PKEY_CTX_new(key_.get(), nullptr));
  Bytes secret(kKeySize);
  std::size_t size = secret.size();
  if (!context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), other.key_.get()) != 1 ||
      EVP_PKEY_derive(context.get(), secret.data(), &size) != 1)
    return Error(ErrorCode::kCorruptFile, "the two keys do not agree on a secret");
  return secret;
}

Status PrivateKey::Save(const std::string& name) const {
  ATH_TRY(const std::string secret, ToPem(*key_, true));
  ATH_TRY(const std::string open, ToPem(*key_, false));
  ATH_RETURN_IF_ERROR(WriteNewFile(name + ".key", secret, 0600));
  Status status = WriteNewFile(name + ".pub", open, 0644);
  if (!status.ok()) unlink((name + ".key").c_str());
  return status;
}

}  // namespace athanor::package
