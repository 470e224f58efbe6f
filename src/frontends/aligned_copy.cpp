#include "frontends/aligned_copy.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace athanor {
namespace {

constexpr std::size_t kLarge = std::size_t{1} << 20;  // what a mapping of its own is worth

bool WriteAll(int file, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

// The bytes in a temporary file that is mapped and has no name; nullptr when there is no room.
std::shared_ptr<const void> InTemporaryFile(std::span<const std::uint8_t> bytes) {
  std::error_code failed;
  std::string name =
      (std::filesystem::temp_directory_path(failed) / "athanor-weights-XXXXXX").string();
  const int file = failed ? -1 : mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) return nullptr;
  unlink(name.c_str());
  // Written, not only mapped: a full disk is noticed here, not when the weights are read.
  void* mapped = WriteAll(file, bytes) ? mmap(nullptr, bytes.size(), PROT_READ, MAP_SHARED, file, 0)
                                       : MAP_FAILED;
  close(file);
  if (mapped == MAP_FAILED) return nullptr;
  return {mapped, [size = bytes.size()](void* memory) { munmap(memory, size); }};
}

}  // namespace

Result<Tensor> AlignedCopies::Copy(DType dtype, Dims dims, std::span<const std::uint8_t> bytes) {
  if (bytes.size() >= kLarge && bytes.size() > in_memory_left_) {
    if (std::shared_ptr<const void> owner = InTemporaryFile(bytes))
      return Tensor::View(dtype, std::move(dims), owner.get(), owner);
  }
  in_memory_left_ -= std::min(in_memory_left_, bytes.size());
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, std::move(dims)));
  if (!bytes.empty()) std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
  return tensor;
}

}  // namespace athanor
