// Archives of arrays: the .npz half of npy.h.
#include <zip.h>

#include <memory>

#include "core/file.h"
#include "io/npy.h"

namespace athanor::io {
namespace {

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};
struct FreeSource {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;
using Source = std::unique_ptr<zip_source_t, FreeSource>;

std::string Explain(zip_error_t& error) {
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

// The source stays ours: the archive takes its own reference.
Result<Archive> OpenArchive(zip_source_t* source, int flags) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_keep(source);
  Archive archive(zip_open_from_source(source, flags, &error));
  if (!archive) {
    zip_source_free(source);
    return Error(ErrorCode::kCorruptFile, "not a readable npz (zip) archive: {}", Explain(error));
  }
  zip_error_fini(&error);
  return archive;
}

Result<Source> BufferSource(const void* data, std::size_t size) {
  zip_error_t error;
  zip_error_init(&error);
  Source source(zip_source_buffer_create(data, size, 0, &error));
  if (!source) return Error(ErrorCode::kResource, "zip: {}", Explain(error));
  zip_error_fini(&error);
  return source;
}

// A member's size on record, refused when it breaks a limit. `left` is what remains of max_bytes.
Result<std::size_t> CheckMember(const zip_stat_t& stat, std::size_t archive_bytes, std::size_t left,
                                const NpyOptions& options) {
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_NAME;
  if ((stat.valid & kNeeded) != kNeeded)
    return Error(ErrorCode::kCorruptFile, "a member has no size");
  if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE)
    return Error(ErrorCode::kInvalidInput, "the member is encrypted; plain members are read");
  if (stat.comp_size > archive_bytes)  // libzip believes it, and so would the ratio below
    return Error(ErrorCode::kCorruptFile, "the member is longer than the file");
  if (stat.size > left) {
    return Error(ErrorCode::kUnsafeFile, "the archive unpacks to more than {} bytes",
                 options.max_bytes);
  }
  if (stat.size > options.ratio_from && stat.size / options.max_ratio > stat.comp_size) {
    return Error(ErrorCode::kUnsafeFile, "{} bytes unpack to {}: more than {} times as many",
                 stat.comp_size, stat.size, options.max_ratio)
        .Fix("save it without compression: np.savez instead of np.savez_compressed");
  }
  return static_cast<std::size_t>(stat.size);
}

Result<std::vector<std::uint8_t>> ReadMember(zip_t* archive, zip_uint64_t index, std::size_t size) {
  const std::unique_ptr<zip_file_t, CloseMember> member(zip_fopen_index(archive, index, 0));
  if (!member) return Error(ErrorCode::kCorruptFile, "{}", zip_strerror(archive));
  // The size on record may lie: memory grows with the data that really come.
  constexpr std::size_t kChunk = 1 << 20;
  std::vector<std::uint8_t> bytes;
  while (bytes.size() < size) {
    const std::size_t start = bytes.size(), want = std::min(size - start, std::max(kChunk, start));
    bytes.resize(start + want);
    const zip_int64_t got = zip_fread(member.get(), bytes.data() + start, want);
    if (got <= 0)
      return Error(ErrorCode::kCorruptFile, "the member is damaged: {}",
                   zip_file_strerror(member.get()));
    bytes.resize(start + static_cast<std::size_t>(got));
  }
  // Reading past the end makes libzip compare the checksum.
  std::uint8_t more;
  if (zip_fread(member.get(), &more, 1) != 0)
    return Error(ErrorCode::kCorruptFile, "the member is damaged: {}",
                 zip_file_strerror(member.get()));
  return bytes;
}

Result<Tensor> ReadArray(zip_t* archive, zip_uint64_t index, const zip_stat_t& stat,
                         std::size_t archive_bytes, std::size_t& left, const NpyOptions& options) {
  ATH_TRY(const std::size_t size, CheckMember(stat, archive_bytes, left, options));
  ATH_TRY(const std::vector<std::uint8_t> bytes, ReadMember(archive, index, size));
  NpyOptions member = options;
  member.max_bytes = left;
  ATH_TRY(Tensor tensor, ParseNpy(bytes, member));
  left -= std::min(left, std::max(size, tensor.bytes()));
  return tensor;
}

constexpr std::string_view kSuffix = ".npy";

Result<std::vector<std::uint8_t>> TakeBytes(zip_source_t* source) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_source_open(source) != 0 || zip_source_stat(source, &stat) != 0)
    return Error(ErrorCode::kResource, "zip: {}", zip_error_strerror(zip_source_error(source)));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(stat.size));
  const zip_int64_t got = zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  if (got != static_cast<zip_int64_t>(bytes.size()))
    return Error(ErrorCode::kResource, "zip: the archive cannot be read back");
  return bytes;
}

Status AddMember(zip_t* archive, const std::string& name, const std::vector<std::uint8_t>& bytes) {
  zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
  const zip_int64_t index =
      source == nullptr ? -1 : zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    if (source != nullptr) zip_source_free(source);
    return Error(ErrorCode::kFileWrite, "member \"{}\": {}", name, zip_strerror(archive));
  }
  const auto at = static_cast<zip_uint64_t>(index);
  constexpr zip_uint16_t kDate1980 = (1 << 5) | 1;
  if (zip_set_file_compression(archive, at, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, at, 0, kDate1980, 0) != 0)
    return Error(ErrorCode::kFileWrite, "member \"{}\": {}", name, zip_strerror(archive));
  return {};
}

}  // namespace

Result<NamedTensors> ParseNpz(std::span<const std::uint8_t> bytes, const NpyOptions& options) {
  // To libzip a file of no bytes is an archive of no members.
  if (bytes.empty()) return Error(ErrorCode::kCorruptFile, "the npz (zip) archive is empty");
  ATH_TRY(const Source source, BufferSource(bytes.data(), bytes.size()));
  ATH_TRY(const Archive archive, OpenArchive(source.get(), ZIP_RDONLY));
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  NamedTensors tensors;
  std::size_t left = options.max_bytes, unpacked = 0;
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(archive.get(), static_cast<zip_uint64_t>(i), 0, &stat) != 0)
      return Error(ErrorCode::kCorruptFile, "member {}: {}", i, zip_strerror(archive.get()));
    std::string name = stat.name == nullptr ? "" : stat.name;
    if (!name.ends_with(kSuffix))
      return Error(ErrorCode::kInvalidInput, "member \"{}\" is not an array (.npy)", name);
    name.erase(name.size() - kSuffix.size());
    Result<Tensor> tensor =
        ReadArray(archive.get(), static_cast<zip_uint64_t>(i), stat, bytes.size(), left, options);
    if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("array \"{}\"", name));
    unpacked += tensor->bytes();
    // Together the members obey the ratio too: many small ones may share their packed bytes, and
    // empty strings take next to nothing in the file.
    if (unpacked > options.ratio_from && unpacked / options.max_ratio > bytes.size()) {
      return Error(ErrorCode::kUnsafeFile, "{} bytes unpack to {}: more than {} times as many",
                   bytes.size(), unpacked, options.max_ratio)
          .Fix("save it without compression: np.savez instead of np.savez_compressed");
    }
    tensors.emplace_back(std::move(name), *std::move(tensor));
  }
  return tensors;
}

Result<NamedTensors> ReadNpz(const std::string& path, const NpyOptions& options) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  Result<NamedTensors> tensors = ParseNpz(file->bytes(), options);
  if (!tensors.ok()) return std::move(tensors).status().In(path);
  return tensors;
}

Status WriteNpz(const std::string& path, const NamedTensors& tensors) {
  ATH_TRY(const Source source, BufferSource(nullptr, 0));
  ATH_TRY(Archive archive, OpenArchive(source.get(), ZIP_TRUNCATE));
  std::vector<std::vector<std::uint8_t>> members;  // must live until the archive is closed
  for (const auto& [name, tensor] : tensors) {
    ATH_TRY(std::vector<std::uint8_t> bytes, FormatNpy(tensor));
    members.push_back(std::move(bytes));
    ATH_RETURN_IF_ERROR(AddMember(archive.get(), name + std::string(kSuffix), members.back()));
  }
  if (zip_close(archive.get()) != 0)
    return Error(ErrorCode::kFileWrite, "{}: {}", path, zip_strerror(archive.get()));
  (void)archive.release();  // closing freed it
  // An archive without members has no bytes at all; 22 bytes are an empty zip.
  if (tensors.empty()) {
    std::vector<std::uint8_t> empty(22, 0);
    empty[0] = 'P', empty[1] = 'K', empty[2] = 5, empty[3] = 6;
    return WriteFileAtomically(path, empty);
  }
  ATH_TRY(const std::vector<std::uint8_t> bytes, TakeBytes(source.get()));
  return WriteFileAtomically(path, bytes);
}

}  // namespace athanor::io
