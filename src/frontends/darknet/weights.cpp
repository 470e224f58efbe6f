#include "frontends/darknet/weights.h"

#include <cstring>
#include <map>

#include "core/checked.h"

namespace athanor::darknet {
namespace {

class FileWeights : public Weights {
 public:
  FileWeights(std::span<const std::uint8_t> bytes, bool transposed,
              std::shared_ptr<const void> owner)
      : bytes_(bytes), transposed_(transposed), owner_(std::move(owner)) {}

  Result<Tensor> Next(const std::string&, const Dims& dims, Fill) override {
    const std::optional<std::int64_t> count = CheckedCount(dims);
    if (!count || *count < 1)
      return InvalidModel("a weight cannot have the shape {}", ToString(dims));
    if (static_cast<std::uint64_t>(*count) > left())
      return Error(ErrorCode::kCorruptFile,
                   "the .weights file is too short: {} numbers are wanted, and {} are left", *count,
                   left())
          .Fix("take the .weights file that was trained with this .cfg file");
    const std::uint8_t* data = bytes_.data();
    const std::size_t size = static_cast<std::size_t>(*count) * sizeof(float);
    bytes_ = bytes_.subspan(size);
    if (reinterpret_cast<std::uintptr_t>(data) % alignof(float) == 0)
      return Tensor::View(DType::kF32, dims, data, owner_);
    ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kF32, dims));
    std::memcpy(tensor.mutable_raw(), data, size);
    return tensor;
  }

  bool transposed() const override { return transposed_; }
  std::size_t left() const override { return bytes_.size() / sizeof(float); }

 private:
  std::span<const std::uint8_t> bytes_;
  bool transposed_;
  std::shared_ptr<const void> owner_;
};

class MadeUp : public Weights {
 public:
  Result<Tensor> Next(const std::string& layer, const Dims& dims, Fill fill) override {
    return seeded_.Draw(layer, numbers_[layer]++, dims, fill);
  }

 private:
  SeededWeights seeded_;
  std::map<std::string, std::size_t> numbers_;
};

}  // namespace

Result<std::unique_ptr<Weights>> ReadWeights(std::span<const std::uint8_t> bytes,
                                             std::shared_ptr<const void> owner) {
  std::int32_t version[3] = {};  // major, minor, revision
  if (bytes.size() < sizeof(version) + sizeof(std::uint32_t))
    return Error(ErrorCode::kCorruptFile, "the .weights file is too short: it has no head");
  std::memcpy(version, bytes.data(), sizeof(version));
  const bool sane = version[0] >= 0 && version[1] >= 0 && version[0] < 10000 && version[1] < 10000;
  // How many pictures the network has seen: 64 bits since version 0.2.
  const bool wide =
      sane && version[0] * 10 + version[1] >= 2 && version[0] < 1000 && version[1] < 1000;
  const std::size_t head = sizeof(version) + (wide ? sizeof(std::uint64_t) : sizeof(std::uint32_t));
  if (!sane || bytes.size() < head || (bytes.size() - head) % sizeof(float) != 0)
    return Error(ErrorCode::kCorruptFile, "{} bytes of version {}.{} are not a whole .weights file",
                 bytes.size(), version[0], version[1]);
  const bool transposed = version[0] > 1000 || version[1] > 1000;
  return std::unique_ptr<Weights>(
      std::make_unique<FileWeights>(bytes.subspan(head), transposed, std::move(owner)));
}

std::unique_ptr<Weights> MadeUpWeights() { return std::make_unique<MadeUp>(); }

}  // namespace athanor::darknet
