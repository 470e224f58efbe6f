#include "frontends/pytorch/storage.h"

#include <algorithm>
#include <cstring>

#include "core/checked.h"

namespace athanor::pytorch {
namespace {

constexpr std::size_t kMaxRank = 16;

// The index of the last element, counted from `offset`; nothing when it overflows or is negative.
std::optional<std::int64_t> LastIndex(const Dims& sizes, const Dims& strides, std::int64_t offset) {
  std::optional<std::int64_t> last = offset;
  if (offset < 0) return std::nullopt;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (strides[i] < 0) return std::nullopt;
    const auto reach = CheckedMul(sizes[i] - 1, strides[i]);
    last = reach ? CheckedAdd(*last, *reach) : std::nullopt;
    if (!last) return std::nullopt;
  }
  return last;
}

bool IsDense(const Dims& sizes, const Dims& strides) {
  std::int64_t expected = 1;
  for (std::size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] != 1 && strides[i] != expected) return false;
    expected *= sizes[i];
  }
  return true;
}

Result<Tensor> Gathered(DType dtype, const Dims& sizes, const Dims& strides,
                        const std::uint8_t* from) {
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, sizes));
  const std::size_t bytes = ElementBytes(dtype);
  auto* to = static_cast<std::uint8_t*>(tensor.mutable_raw());
  Dims index(sizes.size(), 0);
  for (std::int64_t left = tensor.count(), at = 0; left > 0; --left, to += bytes) {
    std::memcpy(to, from + static_cast<std::size_t>(at) * bytes, bytes);
    for (std::size_t a = sizes.size(); a-- > 0;) {
      at += strides[a];
      if (++index[a] < sizes[a]) break;
      at -= strides[a] * sizes[a];
      index[a] = 0;
    }
  }
  return tensor;
}

// A bool is 0 or 1, whatever byte a file has.
Result<Tensor> Normalised(Tensor tensor) {
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.raw());
  const auto count = static_cast<std::size_t>(tensor.count());
  if (std::all_of(bytes, bytes + count, [](std::uint8_t byte) { return byte <= 1; })) return tensor;
  return Error(ErrorCode::kCorruptFile, "a bool is neither 0 nor 1");
}

}  // namespace

Result<Tensor> StridedTensor(DType dtype, const Dims& sizes, const Dims& strides,
                             std::int64_t offset, const Member& storage, CopyBudget& budget) {
  if (sizes.size() > kMaxRank || sizes.size() != strides.size())
    return InvalidModel("{} sizes and {} strides; up to {} of both are read", sizes.size(),
                        strides.size(), kMaxRank);
  const auto count = CheckedCount(sizes);
  if (!count) return InvalidModel("{} is no shape", ToString(sizes));
  if (*count == 0) return Tensor::Allocate(dtype, sizes);
  const std::size_t bytes = ElementBytes(dtype);
  const auto stored = static_cast<std::int64_t>(storage.bytes.size() / bytes);
  const auto last = LastIndex(sizes, strides, offset);
  if (!last || *last >= stored)
    return Error(ErrorCode::kCorruptFile, "a tensor of shape {} reaches beyond its {} elements",
                 ToString(sizes), stored);
  const std::uint8_t* from = storage.bytes.data() + static_cast<std::size_t>(offset) * bytes;
  const bool aligned = reinterpret_cast<std::uintptr_t>(from) % bytes == 0;
  const bool stays = aligned && IsDense(sizes, strides);
  if (!stays) {
    const auto needed = CheckedMul(static_cast<std::size_t>(*count), bytes);
    if (!needed || *needed > budget.bytes)
      return Error(ErrorCode::kUnsafeFile, "its tensors repeat their storage too often");
    budget.bytes -= *needed;
  }
  Result<Tensor> tensor = stays ? Tensor::View(dtype, sizes, from, storage.owner)
                                : Gathered(dtype, sizes, strides, from);
  if (!tensor.ok() || dtype != DType::kBool) return tensor;
  return Normalised(*std::move(tensor));
}

}  // namespace athanor::pytorch
