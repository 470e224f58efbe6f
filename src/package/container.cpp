#include "package/container.h"

#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "package/manifest.h"

namespace athanor::package {
namespace {

constexpr std::uint8_t kMagic[8] = {'A', 'T', 'H', 'P', 'K', 'G', 0x0D, 0x0A};
constexpr std::uint32_t kVersion = 1;
enum Flag : std::uint32_t { kEncrypted = 1, kSigned = 2 };
constexpr std::size_t kAlignment = 64;
constexpr std::uint64_t kMostManifest = std::uint64_t{8} << 20;

struct Head {
  std::uint8_t magic[8];
  std::uint32_t version;
  std::uint32_t flags;
  std::uint64_t manifest_size;
  std::uint64_t file_size;
  std::uint8_t manifest_digest[kDigestSize];
};
static_assert(sizeof(Head) == 64);

std::uint64_t RoundUp(std::uint64_t size) {
  return (size + kAlignment - 1) / kAlignment * kAlignment;
}

View AsView(const Head& head) {
  return {reinterpret_cast<const std::uint8_t*>(&head), sizeof(head)};
}
View AsView(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

void Append(Bytes& to, View more) { to.insert(to.end(), more.begin(), more.end()); }

// Every key encrypts one thing only, so the nonce may count.
Bytes Nonce(std::uint64_t count) {
  Bytes nonce(kNonceSize, 0);
  std::memcpy(nonce.data(), &count, sizeof(count));
  return nonce;
}

// An entry opens only in its own package and under its own name.
Bytes Context(View id, std::string_view name) {
  Bytes context(id.begin(), id.end());
  Append(context, AsView(name));
  return context;
}

constexpr std::string_view kForRecipient = "athanor package 1: content key for a recipient";
constexpr std::string_view kForSeal = "athanor package 1: seal of head and manifest";

Result<Bytes> SealOf(View content_key, View id, const Head& head, std::string_view manifest) {
  ATH_TRY(const Bytes key, DeriveKey(content_key, id, kForSeal));
  return Authenticate(key, {AsView(head), AsView(manifest)});
}

Result<Bytes> KeyForRecipient(View secret, View ephemeral, View recipient) {
  Bytes salt(ephemeral.begin(), ephemeral.end());
  Append(salt, recipient);
  return DeriveKey(secret, salt, kForRecipient);
}

// Wrapping keys are used once; the cipher of the entries plays no part.
Result<Bytes> Wrap(View key, View id, View content_key) {
  return Seal(Cipher::kAes256Gcm, key, Nonce(0), id, content_key);
}

Status WrapKeys(const WriteOptions& options, View content_key, Manifest& manifest) {
  for (const PublicKey& recipient : options.recipients) {
    ATH_TRY(const PrivateKey ephemeral, PrivateKey::Make(KeyKind::kRecipient));
    ATH_TRY(const Bytes secret, ephemeral.AgreeWith(recipient));
    ATH_TRY(const Bytes key,
            KeyForRecipient(secret, ephemeral.public_key().raw(), recipient.raw()));
    WrappedKey wrapped = {.recipient = recipient.Id(), .ephemeral = ephemeral.public_key().raw()};
    ATH_TRY(wrapped.wrapped, Wrap(key, manifest.id, content_key));
    manifest.keys.push_back(std::move(wrapped));
  }
  if (options.passphrase.empty()) return {};
  WrappedKey wrapped = {.recipient = "", .ephemeral = {}};
  wrapped.log_n = kLogN;
  ATH_TRY(wrapped.salt, RandomBytes(kSaltSize));
  ATH_TRY(const Bytes key, DeriveFromPassphrase(options.passphrase, wrapped.salt, kLogN));
  ATH_TRY(wrapped.wrapped, Wrap(key, manifest.id, content_key));
  manifest.keys.push_back(std::move(wrapped));
  return {};
}

std::optional<Bytes> Unwrap(View key, View id, View wrapped) {
  Bytes content_key(kKeySize);
  if (Unseal(Cipher::kAes256Gcm, key, Nonce(0), id, wrapped, content_key).ok()) return content_key;
  return std::nullopt;
}

// Who could open it, for people.
std::string Openers(const Manifest& manifest) {
  std::vector<std::string> names;
  for (const WrappedKey& key : manifest.keys)
    names.push_back(key.recipient.empty() ? "a passphrase" : "key " + key.recipient);
  return Join(names, ", ");
}

Result<Bytes> FindContentKey(const Manifest& manifest, const ReadOptions& options) {
  if (!options.key && options.passphrase.empty()) {
    return Error(ErrorCode::kUsage, "the package is encrypted; it opens with {}", Openers(manifest))
        .Fix("--key NAME.key or --passphrase-file FILE");
  }
  int passphrases = 0;
  for (const WrappedKey& wrapped : manifest.keys) {
    if (wrapped.recipient.empty() && !options.passphrase.empty() && passphrases++ < 2) {
      ATH_TRY(const Bytes key,
              DeriveFromPassphrase(options.passphrase, wrapped.salt, wrapped.log_n));
      if (auto found = Unwrap(key, manifest.id, wrapped.wrapped)) return *found;
    }
    if (!options.key || wrapped.recipient != options.key->public_key().Id()) continue;
    ATH_TRY(const PublicKey ephemeral, PublicKey::FromRaw(KeyKind::kRecipient, wrapped.ephemeral));
    ATH_TRY(const Bytes secret, options.key->AgreeWith(ephemeral));
    ATH_TRY(const Bytes key,
            KeyForRecipient(secret, wrapped.ephemeral, options.key->public_key().raw()));
    if (auto found = Unwrap(key, manifest.id, wrapped.wrapped)) return *found;
    return Error(ErrorCode::kCorruptFile, "the wrapped key for {} was changed", wrapped.recipient);
  }
  const std::string given =
      options.key ? "key " + options.key->public_key().Id() : "the passphrase";
  return Error(ErrorCode::kUsage, "{} does not open the package; it opens with {}", given,
               Openers(manifest))
      .Fix(
          "--key or --passphrase-file with one of these; or pack it for this key: --encrypt "
          "NAME.pub");
}

Result<Head> ReadHead(View file) {
  Head head;
  if (!IsPackage(file)) return Error(ErrorCode::kUnknownFormat, "this is no .athpkg package");
  if (file.size() < sizeof(head)) return Error(ErrorCode::kCorruptFile, "the package ends early");
  std::memcpy(&head, file.data(), sizeof(head));
  if (head.version != kVersion) {
    return Unsupported("packages of version {} are not read; version {} is", head.version,
                       kVersion);
  }
  if (head.file_size != file.size() || head.flags > (kEncrypted | kSigned) ||
      head.manifest_size > kMostManifest || head.manifest_size > file.size() - sizeof(head))
    return Error(ErrorCode::kCorruptFile, "the sizes in the package's head do not fit the file");
  return head;
}

Status CheckSignature(const Manifest& manifest, View signature, View message,
                      const ReadOptions& options) {
  if (manifest.signer.empty()) {
    if (!options.trust) return {};
    return Error(ErrorCode::kUnsafeFile,
                 "the package is not signed; a signature of {} is asked for", options.trust->Id())
        .Fix("athanor pack pipeline.yaml --sign NAME.key");
  }
  ATH_TRY(const PublicKey signer, PublicKey::FromRaw(KeyKind::kSigning, manifest.signer));
  ATH_TRY(const bool holds, signer.Verifies(signature, message));
  if (!holds)
    return Error(ErrorCode::kCorruptFile, "the signature does not hold: bytes were changed");
  if (options.trust && options.trust->raw() != manifest.signer) {
    return Error(ErrorCode::kUnsafeFile,
                 "the package is signed by {}; a signature of {} is asked for", signer.Id(),
                 options.trust->Id())
        .Fix("get the package from whom you trust, or name its signer: --trust NAME.pub");
  }
  return {};
}

}  // namespace

bool IsPackage(View file) {
  return file.size() >= sizeof(kMagic) &&
         std::equal(std::begin(kMagic), std::end(kMagic), file.begin());
}

Result<Bytes> WritePackage(const Contents& contents, const WriteOptions& options) {
  Manifest manifest;
  manifest.name = contents.name;
  manifest.description = contents.description;
  ATH_TRY(manifest.id, RandomBytes(kIdSize));
  if (options.sign) manifest.signer = options.sign->public_key().raw();
  const bool encrypted = !options.recipients.empty() || !options.passphrase.empty();
  Bytes content_key;
  if (encrypted) {
    manifest.cipher = options.cipher;
    ATH_TRY(content_key, RandomBytes(kKeySize));
    ATH_RETURN_IF_ERROR(WrapKeys(options, content_key, manifest));
  }
  std::vector<Bytes> sealed;
  for (const Entry& entry : contents.entries) {
    View stored = entry.data;
    if (encrypted) {
      ATH_TRY(Bytes bytes, Seal(options.cipher, content_key, Nonce(sealed.size()),
                                Context(manifest.id, entry.name), entry.data));
      sealed.push_back(std::move(bytes));
      stored = sealed.back();
    }
    ATH_TRY(Bytes digest, Digest({stored}));
    manifest.entries.push_back({entry.name, stored.size(), std::move(digest)});
  }
  const std::string text = WriteManifest(manifest);
  if (text.size() > kMostManifest)
    return Error(ErrorCode::kResource, "the manifest would take {} bytes", text.size());
  const std::size_t front = sizeof(Head) + text.size() + (encrypted ? kDigestSize : 0) +
                            (options.sign ? kSignatureSize : 0);
  Head head = {};
  std::memcpy(head.magic, kMagic, sizeof(kMagic));
  head.version = kVersion;
  head.flags = (encrypted ? kEncrypted : 0U) | (options.sign ? kSigned : 0U);
  head.manifest_size = text.size();
  head.file_size = front;
  for (const Manifest::Item& item : manifest.entries)
    head.file_size = RoundUp(head.file_size) + item.size;
  ATH_TRY(const Bytes digest, Digest({AsView(text)}));
  std::copy(digest.begin(), digest.end(), head.manifest_digest);
  Bytes file;
  file.reserve(head.file_size);
  Append(file, AsView(head));
  Append(file, AsView(text));
  if (encrypted) {
    ATH_TRY(const Bytes seal, SealOf(content_key, manifest.id, head, text));
    Append(file, seal);
  }
  if (options.sign) {
    ATH_TRY(const Bytes signature, options.sign->Sign(file));
    Append(file, signature);
  }
  for (std::size_t i = 0; i < contents.entries.size(); ++i) {
    file.resize(RoundUp(file.size()), 0);
    Append(file, encrypted ? View(sealed[i]) : contents.entries[i].data);
  }
  return file;
}

Result<Package> Package::Open(View file, std::shared_ptr<const void> owner,
                              const ReadOptions& options) {
  Result<Package> package = Check(file, std::move(owner), options);
  if (package.ok() || package.status().code() != ErrorCode::kCorruptFile) return package;
  return std::move(package).status().Fix(
      "copy the file again from where it was made; athanor pack pipeline.yaml makes it anew");
}

Result<Package> Package::Check(View file, std::shared_ptr<const void> owner,
                               const ReadOptions& options) {
  ATH_TRY(const Head head, ReadHead(file));
  const View text = file.subspan(sizeof(Head), head.manifest_size);
  const std::string_view manifest_text(reinterpret_cast<const char*>(text.data()), text.size());
  ATH_TRY(const Bytes digest, Digest({text}));
  if (!SameBytes(digest, head.manifest_digest))
    return Error(ErrorCode::kCorruptFile, "the package's manifest was changed");
  ATH_TRY(const Manifest manifest, ReadManifest(manifest_text));
  const bool encrypted = (head.flags & kEncrypted) != 0, is_signed = (head.flags & kSigned) != 0;
  const std::size_t seal_at = sizeof(Head) + text.size();
  const std::size_t signature_at = seal_at + (encrypted ? kDigestSize : 0);
  const std::size_t front = signature_at + (is_signed ? kSignatureSize : 0);
  if (encrypted != manifest.cipher.has_value() || is_signed == manifest.signer.empty() ||
      front > file.size())
    return Error(ErrorCode::kCorruptFile, "the package's head and manifest contradict each other");
  ATH_RETURN_IF_ERROR(
      CheckSignature(manifest, is_signed ? file.subspan(signature_at, kSignatureSize) : View(),
                     file.first(signature_at), options));
  Package package;
  if (encrypted) {
    ATH_TRY(package.content_key_, FindContentKey(manifest, options));
    ATH_TRY(const Bytes seal, SealOf(package.content_key_, manifest.id, head, manifest_text));
    if (!SameBytes(seal, file.subspan(seal_at, kDigestSize)))
      return Error(ErrorCode::kCorruptFile, "the seal of the manifest is broken");
  }
  std::uint64_t at = front;
  for (const Manifest::Item& item : manifest.entries) {
    const std::uint64_t start = RoundUp(at);
    if (start > file.size() || item.size > file.size() - start ||
        item.size < (encrypted ? kTagSize : 0))
      return Error(ErrorCode::kCorruptFile, "entry \"{}\" lies outside the file", item.name);
    const View gap = file.subspan(at, start - at), bytes = file.subspan(start, item.size);
    ATH_TRY(const Bytes found, Digest({bytes}));
    const bool clean = std::all_of(gap.begin(), gap.end(), [](auto byte) { return byte == 0; });
    if (!clean || !SameBytes(found, item.digest))
      return Error(ErrorCode::kCorruptFile, "entry \"{}\" was changed", item.name);
    package.entries_.push_back({item.name, bytes});
    at = start + item.size;
  }
  if (at != file.size()) return Error(ErrorCode::kCorruptFile, "bytes follow the last entry");
  package.name_ = manifest.name;
  package.description_ = manifest.description;
  package.cipher_ = manifest.cipher;
  package.id_ = manifest.id;
  package.owner_ = std::move(owner);
  if (is_signed) {
    ATH_TRY(const PublicKey signer, PublicKey::FromRaw(KeyKind::kSigning, manifest.signer));
    package.signer_ = signer.Id();
  }
  return package;
}

std::vector<std::string> Package::EntryNames() const {
  std::vector<std::string> names;
  for (const Stored& entry : entries_) names.push_back(entry.name);
  return names;
}

Result<Blob> Package::Read(const std::string& name) const {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Stored& entry = entries_[i];
    if (entry.name != name) continue;
    if (!cipher_) return Blob{entry.bytes, owner_};
    // Aligned as models want their weights.
    const std::size_t size = entry.bytes.size() - kTagSize;
    std::shared_ptr<std::uint8_t> plain(static_cast<std::uint8_t*>(std::aligned_alloc(
                                            kAlignment, RoundUp(std::max<std::size_t>(size, 1)))),
                                        std::free);
    if (!plain) return Error(ErrorCode::kResource, "no memory for {} bytes", size);
    Status status = Unseal(*cipher_, content_key_, Nonce(i), Context(id_, name), entry.bytes,
                           {plain.get(), size});
    if (!status.ok()) return std::move(status).In(fmt::format("entry \"{}\"", name));
    return Blob{{plain.get(), size}, plain};
  }
  return Error(ErrorCode::kUnknownName, "the package has no entry \"{}\"{}; it has {}", name,
               DidYouMean(name, EntryNames()), Join(EntryNames(), ", "));
}

}  // namespace athanor::package
