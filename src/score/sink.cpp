#include "score/sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "core/output_path.h"

namespace athanor::score {
namespace {

constexpr int kOwnerAndOthers = 0666;  // less the umask

std::string PartOf(const std::string& path) { return path + ".part"; }

}  // namespace

Result<Sink> Sink::Open(const std::string& path) {
  Sink sink;
  sink.path_ = path;
  if (path == "-") {
    sink.file_ = STDOUT_FILENO;
    return sink;
  }
  ATH_TRY(PartialFile partial, PartialFile::For(path));
  sink.partial_.emplace(std::move(partial));
  sink.file_ = ::open(sink.partial_->name().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                      kOwnerAndOthers);
  if (sink.file_ < 0) return sink.Failed();
  return sink;
}

Result<Sink> Sink::OpenArrow(ArrowFileOptions options) {
  Sink sink;
  sink.path_ = options.path;
  ATH_TRY(PartialFile partial, PartialFile::For(options.path));
  sink.partial_.emplace(std::move(partial));
  options.target = sink.partial_->name();
  ATH_TRY(ChildProcess writer, WriteArrowFile(options));
  sink.writer_.emplace(std::move(writer));
  return sink;
}

Result<Sink> Sink::Resume(const std::string& path, std::uint64_t bytes) {
  Sink sink;
  sink.path_ = path;
  sink.part_ = PartOf(path);
  sink.bytes_ = bytes;
  ATH_RETURN_IF_ERROR(OutputTarget(sink.path_).status());
  ATH_RETURN_IF_ERROR(OutputTarget(sink.part_).status());
  sink.file_ = ::open(sink.part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, kOwnerAndOthers);
  if (sink.file_ < 0 || ::ftruncate(sink.file_, static_cast<off_t>(bytes)) != 0 ||
      ::lseek(sink.file_, 0, SEEK_END) < 0)
    return sink.Failed();
  return sink;
}

std::optional<std::uint64_t> Sink::Kept(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(PartOf(path), error);
  if (error) return std::nullopt;
  return size;
}

Sink::Sink(Sink&& other) noexcept
    : path_(std::move(other.path_)),
      part_(std::move(other.part_)),
      partial_(std::move(other.partial_)),
      writer_(std::move(other.writer_)),
      file_(std::exchange(other.file_, -1)),
      bytes_(other.bytes_) {}

Sink::~Sink() {
  if (file_ >= 0 && file_ != STDOUT_FILENO) ::close(file_);
}

Status Sink::Failed() const {
  return Error(ErrorCode::kFileWrite, "{}: {}", path_, std::strerror(errno));
}

Status Sink::Write(std::string_view text) {
  if (writer_) {
    Status status = writer_->Write(text);
    if (!status.ok()) return ArrowFileFailure(std::move(status)).In(path_);
    bytes_ += text.size();
    return {};
  }
  while (!text.empty()) {
    const ssize_t n = ::write(file_, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return Error(ErrorCode::kFileWrite, "{}: {}",
                   path_ == "-" ? std::string("the standard output") : path_, std::strerror(errno));
    bytes_ += static_cast<std::uint64_t>(n);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Status Sink::Sync() { return ::fdatasync(file_) == 0 ? Status() : Failed(); }

Status Sink::Commit() {
  if (path_ == "-") return {};
  if (writer_) {
    Status status = writer_->Finish();
    return status.ok() ? partial_->Commit() : ArrowFileFailure(std::move(status)).In(path_);
  }
  if (!part_.empty()) ATH_RETURN_IF_ERROR(Sync());
  if (::close(std::exchange(file_, -1)) != 0) return Failed();
  if (partial_) return partial_->Commit();
  if (std::rename(part_.c_str(), path_.c_str()) != 0) return Failed();
  return {};
}

}  // namespace athanor::score
