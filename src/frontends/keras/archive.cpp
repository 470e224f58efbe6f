#include "frontends/keras/archive.h"

#include <zip.h>

#include <memory>

#include "core/text.h"

namespace athanor::keras {
namespace {

constexpr zip_uint64_t kMaxRatio = 200;                     // real members are stored as they are
constexpr zip_uint64_t kRatioFrom = zip_uint64_t{1} << 24;  // small members may pack better

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};

Status Damaged(std::string_view what) {
  return Error(ErrorCode::kCorruptFile, "the .keras file (zip) is damaged: {}", what);
}

Status CheckSize(const zip_stat_t& stat, std::size_t archive_bytes) {
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_INDEX;
  if ((stat.valid & kNeeded) != kNeeded) return Damaged("a member has no size");
  if (stat.comp_size > archive_bytes) return Damaged("a member is longer than the file");
  if (stat.size > kRatioFrom && stat.size / kMaxRatio > stat.comp_size)
    return Error(ErrorCode::kUnsafeFile, "{} bytes unpack to {}: more than {} times as many",
                 stat.comp_size, stat.size, kMaxRatio);
  return {};
}

}  // namespace

Result<std::vector<std::uint8_t>> ReadMember(std::span<const std::uint8_t> archive,
                                             const std::string& name) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(archive.data(), archive.size(), 0, &error);
  if (source == nullptr) return Damaged("it cannot be opened");
  // Opening takes the source over, unless it fails.
  const std::unique_ptr<zip_t, Discard> zip(zip_open_from_source(source, ZIP_RDONLY, &error));
  if (!zip) {
    zip_source_free(source);
    const std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    return Damaged(text);
  }
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat(zip.get(), name.c_str(), 0, &stat) != 0)
    return InvalidModel("there is no {} in the .keras file", Quote(name));
  ATH_RETURN_IF_ERROR(CheckSize(stat, archive.size()));
  const std::unique_ptr<zip_file_t, Discard> member(zip_fopen_index(zip.get(), stat.index, 0));
  if (!member) return Damaged(zip_strerror(zip.get()));
  std::vector<std::uint8_t> bytes(stat.size);
  std::uint8_t more = 0;
  // Reading past the end makes libzip compare the checksum.
  if (zip_fread(member.get(), bytes.data(), bytes.size()) !=
          static_cast<zip_int64_t>(bytes.size()) ||
      zip_fread(member.get(), &more, 1) != 0)
    return Damaged(zip_file_strerror(member.get()));
  return bytes;
}

}  // namespace athanor::keras
