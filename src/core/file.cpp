#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "core/opened_files.h"
#include "core/output_path.h"
#include "core/text.h"

namespace athanor {
namespace {

namespace fs = std::filesystem;

// What a signal handler can read: fixed memory, one flag each. A name that finds no room is only
// not removed by Ctrl-C.
struct Slot {
  enum State { kFree, kFilling, kReady };
  std::atomic<int> state = kFree;
  char name[4096];
};
static_assert(std::atomic<int>::is_always_lock_free);
constinit std::array<Slot, 16> slots = {};

int ClaimSlot(const std::string& name) {
  if (name.size() >= sizeof(Slot::name)) return -1;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    int expected = Slot::kFree;
    if (!slots[i].state.compare_exchange_strong(expected, Slot::kFilling)) continue;
    std::memcpy(slots[i].name, name.c_str(), name.size() + 1);
    slots[i].state = Slot::kReady;
    return static_cast<int>(i);
  }
  return -1;
}

void ReleaseSlot(int slot) {
  if (slot >= 0) slots[static_cast<std::size_t>(slot)].state = Slot::kFree;
}

// What a reader may have meant by a file that is not there: one of nearly this name beside it.
std::string NearestFile(const fs::path& path) {
  constexpr std::size_t kMostNames = 4096;  // folders can be as large as data sets
  std::error_code error;
  std::vector<std::string> names;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (names.size() == kMostNames) break;
    names.push_back(at->path().filename().string());
  }
  const std::string nearest = Nearest(path.filename().string(), names);
  return nearest.empty() ? "" : (path.parent_path() / nearest).string();
}

Status NotOpened(const std::string& path, int error) {
  if (error != ENOENT) return Error(ErrorCode::kFileNotFound, "{}: {}", path, std::strerror(error));
  Status status = Error(ErrorCode::kFileNotFound, "{}: no such file", path);
  const std::string nearest = NearestFile(path);
  if (!nearest.empty()) return std::move(status).Fix(fmt::format("did you mean {}?", nearest));
  std::error_code unknown;
  const fs::path here = fs::current_path(unknown);
  if (unknown || fs::path(path).is_absolute()) return status;
  return std::move(status).Fix(fmt::format("the path is taken from {}", here.string()));
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NotOpened(path, errno);
  struct stat info = {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return Error(ErrorCode::kFileNotFound, "{}: not a regular file", path);
  }
  OpenedFiles::Note(info);
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->size_ = static_cast<std::size_t>(info.st_size);
  if (file->size_ > 0) {
    void* memory = mmap(nullptr, file->size_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED) {
      close(fd);
      file->size_ = 0;
      return Error(ErrorCode::kFileNotFound, "{}: cannot be mapped: {}", path,
                   std::strerror(errno));
    }
    file->data_ = static_cast<const std::uint8_t*>(memory);
  }
  close(fd);
  return std::shared_ptr<const MappedFile>(std::move(file));
}

MappedFile::~MappedFile() {
  if (size_ > 0) munmap(const_cast<std::uint8_t*>(data_), size_);
}

Result<std::string> ReadTextFile(const std::string& path) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const auto bytes = file->bytes();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Result<PartialFile> PartialFile::For(const std::string& path) {
  static std::atomic<unsigned> count = 0;
  ATH_TRY(std::string target, OutputTarget(path));
  PartialFile file;
  file.target_ = std::move(target);
  file.partial_ = fmt::format("{}.partial.{}.{}", file.target_, getpid(), count++);
  file.slot_ = ClaimSlot(file.partial_);
  return file;
}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : target_(std::move(other.target_)),
      partial_(std::exchange(other.partial_, {})),
      slot_(std::exchange(other.slot_, -1)) {}

PartialFile::~PartialFile() {
  if (!partial_.empty()) std::remove(partial_.c_str());
  ReleaseSlot(slot_);
}

Status PartialFile::Commit() {
  if (std::rename(partial_.c_str(), target_.c_str()) != 0)
    return Error(ErrorCode::kFileWrite, "{}: {}", target_, std::strerror(errno));
  partial_.clear();
  OpenedFiles::Written(target_);
  return {};
}

void RemovePartialFiles() {
  for (const Slot& slot : slots) {
    if (slot.state == Slot::kReady) unlink(slot.name);
  }
}

Status WriteFileAtomically(const std::string& path, std::span<const std::uint8_t> bytes) {
  ATH_TRY(PartialFile partial, PartialFile::For(path));
  std::FILE* file = std::fopen(partial.name().c_str(), "wb");
  if (file == nullptr) return Error(ErrorCode::kFileWrite, "{}: {}", path, std::strerror(errno));
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  int reason = errno;
  const bool closed = std::fclose(file) == 0;
  if (written && !closed) reason = errno;
  if (!written || !closed)
    return Error(ErrorCode::kFileWrite, "{}: {}", path, std::strerror(reason));
  return partial.Commit();
}

Status WriteFileAtomically(const std::string& path, std::string_view text) {
  return WriteFileAtomically(
      path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace athanor
