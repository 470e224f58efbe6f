#include "frontends/ncnn/weights.h"

#include <cstring>

#include "core/checked.h"

namespace athanor::ncnn {
namespace {

enum Mark : std::uint32_t {
  kMarkF32 = 0,
  kMarkF16 = 0x01306B47,
  kMarkInt8 = 0x000D4B38,
  kMarkScaledF32 = 0x0002C056,  // f32 too; the scales follow elsewhere
};
constexpr std::size_t kTableSize = 256;

Result<std::size_t> Count(const Dims& dims) {
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count || *count <= 0 || *count >= (std::int64_t{1} << 40))
    return InvalidModel("a weight cannot have the shape {}", ToString(dims));
  return static_cast<std::size_t>(*count);
}

std::size_t RoundUpTo4(std::size_t size) { return (size + 3) / 4 * 4; }

}  // namespace

Result<std::span<const std::uint8_t>> WeightReader::Take(std::size_t size) {
  if (size > left()) {
    return Error(ErrorCode::kCorruptFile,
                 "the .bin file is too short: {} bytes are wanted at {}, and it has {}", size,
                 position_, bytes_.size())
        .Fix("take the .bin file that was made together with this .param file");
  }
  position_ += size;
  return bytes_.subspan(position_ - size, size);
}

Result<Tensor> WeightReader::Implied(std::int64_t count, float value) {
  if (count > implied_left_)
    return Error(ErrorCode::kResource,
                 "layers without weights of their own have too many channels");
  implied_left_ -= count;
  return Tensor::FromVector({count}, std::vector<float>(static_cast<std::size_t>(count), value));
}

Result<Tensor> WeightReader::Raw(Dims dims) {
  ATH_TRY(const std::size_t count, Count(dims));
  ATH_TRY(const auto bytes, Take(count * sizeof(float)));
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(float) == 0)
    return Tensor::View(DType::kF32, std::move(dims), bytes.data(), owner_);
  ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kF32, std::move(dims)));
  std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
  return tensor;
}

Result<Tensor> WeightReader::MarkedOrBytes(Dims dims) {
  std::uint32_t mark = 0;
  if (left() >= sizeof(mark)) std::memcpy(&mark, bytes_.data() + position_, sizeof(mark));
  if (mark != kMarkInt8) return Marked(std::move(dims));
  ATH_TRY(const std::size_t count, Count(dims));
  ATH_RETURN_IF_ERROR(Take(sizeof(mark)).status());
  ATH_TRY(const auto bytes, Take(RoundUpTo4(count)));
  return Tensor::View(DType::kI8, std::move(dims), bytes.data(), owner_);
}

Result<Tensor> WeightReader::Marked(Dims dims) {
  ATH_TRY(const std::size_t count, Count(dims));
  ATH_TRY(const auto head, Take(sizeof(std::uint32_t)));
  std::uint32_t mark = 0;
  std::memcpy(&mark, head.data(), sizeof(mark));
  if (mark == kMarkF32 || mark == kMarkScaledF32) return Raw(std::move(dims));
  if (mark == kMarkInt8)
    return Unsupported("8-bit weights of a layer without scales (int8_scale_term) are not read");
  if (mark == kMarkF16) {
    ATH_TRY(const auto bytes, Take(RoundUpTo4(count * sizeof(Half))));
    ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kF32, std::move(dims)));
    const std::span<float> values = tensor.MutableData<float>();
    for (std::size_t i = 0; i < count; ++i) {
      Half half;
      std::memcpy(&half, bytes.data() + i * sizeof(Half), sizeof(Half));
      values[i] = static_cast<float>(half);
    }
    return tensor;
  }
  // Any other mark: 256 numbers, then one index per element.
  ATH_TRY(const auto table, Take(kTableSize * sizeof(float)));
  ATH_TRY(const auto indices, Take(RoundUpTo4(count)));
  ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kF32, std::move(dims)));
  const std::span<float> values = tensor.MutableData<float>();
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(&values[i], table.data() + indices[i] * sizeof(float), sizeof(float));
  return tensor;
}

void WeightWriter::Raw(const Tensor& tensor) {
  const auto* data = static_cast<const std::uint8_t*>(tensor.raw());
  bytes_.insert(bytes_.end(), data, data + tensor.bytes());
}

void WeightWriter::Marked(const Tensor& tensor) {
  bytes_.insert(bytes_.end(), sizeof(std::uint32_t), 0);  // kMarkF32
  Raw(tensor);
}

}  // namespace athanor::ncnn
