#include "frontends/aligned_copy.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

namespace athanor {
namespace {

// Copies 12 MiB from an odd address six times and looks at all of them afterwards.
void CopyBeyondWhatMemoryTakes() {
  const std::size_t count = std::size_t{3} << 20;
  std::vector<std::uint8_t> file(count * sizeof(float) + 1);
  for (std::size_t i = 0; i < file.size(); ++i)
    file[i] = static_cast<std::uint8_t>(i * 7 + i / 999);
  const std::span<const std::uint8_t> bytes = std::span<const std::uint8_t>(file).subspan(1);
  AlignedCopies copies;
  std::vector<Tensor> tensors;
  for (int i = 0; i < 6; ++i) {
    Result<Tensor> made = copies.Copy(DType::kF32, {static_cast<std::int64_t>(count)}, bytes);
    ASSERT_TRUE(made.ok());
    tensors.push_back(*std::move(made));
  }
  for (const Tensor& tensor : tensors) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.raw()) % 64, 0U);
    ASSERT_EQ(tensor.bytes(), bytes.size());
    EXPECT_EQ(std::memcmp(tensor.raw(), bytes.data(), bytes.size()), 0);
  }
}

TEST(AlignedCopies, HoldTheSameBytesWhereverTheyAre) { CopyBeyondWhatMemoryTakes(); }

TEST(AlignedCopies, TakeMemoryWhereNoFileCanBeMade) {
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", "/no/such/folder", 1);
  CopyBeyondWhatMemoryTakes();
  before == nullptr ? unsetenv("TMPDIR") : setenv("TMPDIR", kept.c_str(), 1);
}

}  // namespace
}  // namespace athanor
