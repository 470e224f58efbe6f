#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace athanor {

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error(ErrorCode::kFileNotFound, "{}: {}", path, std::strerror(errno));
  struct stat info = {};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return Error(ErrorCode::kFileNotFound, "{}: not a regular file", path);
  }
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

Status WriteFileAtomically(const std::string& path, std::span<const std::uint8_t> bytes) {
  const std::string partial = fmt::format("{}.partial.{}", path, getpid());
  std::FILE* file = std::fopen(partial.c_str(), "wb");
  if (file == nullptr) return Error(ErrorCode::kFileWrite, "{}: {}", path, std::strerror(errno));
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  const bool closed = std::fclose(file) == 0;
  if (!written || !closed || std::rename(partial.c_str(), path.c_str()) != 0) {
    const int reason = errno;
    std::remove(partial.c_str());
    return Error(ErrorCode::kFileWrite, "{}: {}", path, std::strerror(reason));
  }
  return {};
}

Status WriteFileAtomically(const std::string& path, std::string_view text) {
  return WriteFileAtomically(
      path, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace athanor
