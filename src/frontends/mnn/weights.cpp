#include "frontends/mnn/weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "core/checked.h"

namespace athanor::mnn {
namespace {

using ByteSpan = std::span<const std::uint8_t>;

// Numbers one after the other; reading beyond the end is remembered.
class Reader {
 public:
  explicit Reader(ByteSpan bytes) : bytes_(bytes) {}

  template <class T>
  T Number() {
    T value{};
    const ByteSpan from = Take(sizeof(T));
    if (!from.empty()) std::memcpy(&value, from.data(), sizeof(T));
    return value;
  }
  ByteSpan Take(std::uint64_t count) {
    if (count > bytes_.size()) {
      is_short_ = true;
      return {};
    }
    const ByteSpan taken = bytes_.first(static_cast<std::size_t>(count));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  ByteSpan TakeBits(std::uint64_t count, std::uint64_t width) {
    const auto bits = CheckedMul(count, width);
    return Take(bits ? *bits / 8 + (*bits % 8 != 0) : ~std::uint64_t{0});
  }
  bool is_short() const { return is_short_; }

 private:
  ByteSpan bytes_;
  bool is_short_ = false;
};

// Number `i` of those packed into `width` bits each (at most 8), the highest bit first.
std::uint8_t Packed(ByteSpan bytes, std::uint64_t i, std::uint32_t width) {
  const std::uint64_t bit = i * width;
  const std::size_t at = static_cast<std::size_t>(bit / 8);
  const std::uint32_t next = at + 1 < bytes.size() ? bytes[at + 1] : 0;
  const std::uint32_t both = static_cast<std::uint32_t>(bytes[at]) << 8 | next;
  return static_cast<std::uint8_t>(both >> (16 - bit % 8 - width) & ((1U << width) - 1));
}

std::vector<std::int8_t> ReadTable(Reader& reader) {
  std::size_t count = reader.Number<std::uint8_t>();
  if (count == 0) count = 256;
  std::vector<std::int8_t> table;
  for (const std::uint8_t byte : reader.Take(count))
    table.push_back(static_cast<std::int8_t>(byte));
  std::sort(table.begin(), table.end());
  return table;
}

std::uint32_t BitsFor(std::size_t count) {
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::bit_width(count - 1)));
}

Status TooShort() {
  return Error(ErrorCode::kCorruptFile, "the packed weights end before the last of them");
}

// Reads the sizes in front of packed weights: `count` is what they must come to.
Status CheckCount(Reader& reader, bool wide, std::int64_t count) {
  Dims dims(reader.Number<std::uint8_t>());
  if (dims.size() > 4) return InvalidModel("packed weights have {} axes", dims.size());
  for (std::int64_t& dim : dims)
    dim = wide ? reader.Number<std::uint32_t>() : reader.Number<std::uint16_t>();
  if (dims.empty() || CheckedCount(dims) != count)
    return InvalidModel("packed weights are {}; {} weights are expected", ToString(dims), count);
  return {};
}

Status UnpackDense(Reader& reader, std::span<std::int8_t> weights) {
  const std::vector<std::int8_t> table = ReadTable(reader);
  if (reader.is_short()) return TooShort();
  const std::uint32_t width = BitsFor(table.size());
  const ByteSpan places = reader.TakeBits(weights.size(), width);
  if (reader.is_short()) return TooShort();
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t place = Packed(places, i, width);
    if (place >= table.size())
      return InvalidModel("a packed weight is number {} of {}", place, table.size());
    weights[i] = table[place];
  }
  return {};
}

// w = q * scale + shift for each of `rows` equal parts of the weights.
struct Scales {
  std::vector<float> scale, shift;
};

Result<Scales> ReadScales(const schema::QuantizedWeights& from, std::int64_t count) {
  std::vector<float> alpha;
  if (from.alpha() != nullptr) alpha.assign(from.alpha()->begin(), from.alpha()->end());
  if (alpha.empty() && from.alpha_half() != nullptr) {
    for (const std::uint16_t bits : *from.alpha_half()) alpha.push_back(FloatFromHalf(bits));
  }
  // Files from before `read_type` was written hold pairs with type 4.
  const bool old_pairs =
      from.type() == 4 && from.min() == 0 && std::abs(from.quant_scale()) < 1e-6F;
  const bool pairs = from.read_type() != 0 || old_pairs;
  const float factor = old_pairs || from.has_scale_int() ? 1.0F : from.quant_scale();
  const float least = from.min() == 0 ? -128.0F : static_cast<float>(from.min());
  const std::size_t rows = pairs ? alpha.size() / 2 : alpha.size();
  if (rows == 0 || count % static_cast<std::int64_t>(rows) != 0)
    return InvalidModel("{} weights have {} scales", count, rows);
  Scales scales;
  for (std::size_t i = 0; i < rows; ++i) {
    const float scale = pairs ? alpha[2 * i + 1] : alpha[i];
    scales.scale.push_back(scale * factor);
    scales.shift.push_back(pairs ? (alpha[2 * i] - least * scale) * factor : 0.0F);
  }
  return scales;
}

// Where most weights stand for 0, a file says only the others: what 0 is for each filter.
void FillWithZero(const schema::QuantizedWeights& from, std::int64_t filters, std::uint32_t bits,
                  std::span<std::int8_t> weights) {
  if (from.alpha() == nullptr || from.alpha()->size() != 2 * static_cast<std::uint64_t>(filters))
    return;
  const std::size_t area = weights.size() / static_cast<std::size_t>(filters);
  for (std::size_t i = 0; i < static_cast<std::size_t>(filters); ++i) {
    const float least = from.alpha()->Get(static_cast<flatbuffers::uoffset_t>(2 * i));
    const float scale = from.alpha()->Get(static_cast<flatbuffers::uoffset_t>(2 * i + 1));
    float zero = -std::ldexp(1.0F, static_cast<int>(bits) - 1);
    if (scale > 1e-6F) zero += std::round(-least / scale);
    // What is not a number, in a damaged file, stands for the lowest.
    const auto value = static_cast<std::int8_t>(zero > -128.0F ? std::min(zero, 127.0F) : -128.0F);
    std::fill_n(weights.begin() + static_cast<std::ptrdiff_t>(i * area), area, value);
  }
}

Status UnpackSparse(Reader& reader, const schema::QuantizedWeights& from, std::int64_t filters,
                    std::span<std::int8_t> weights) {
  const std::uint32_t count = reader.Number<std::uint32_t>();
  const std::uint32_t step_width = reader.Number<std::uint8_t>();
  if (step_width > 8) return InvalidModel("steps of {} bits between weights", step_width);
  const ByteSpan steps = reader.TakeBits(count, step_width);
  std::vector<std::int8_t> table = ReadTable(reader);
  if (reader.is_short() || (step_width == 0 && count > weights.size())) return TooShort();
  const std::uint32_t width = BitsFor(table.size());
  table.erase(std::unique(table.begin(), table.end()), table.end());
  const ByteSpan places = reader.TakeBits(count, width);
  if (reader.is_short()) return TooShort();
  FillWithZero(from, filters, width, weights);
  std::uint64_t at = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (step_width > 0) at += Packed(steps, i, step_width);
    const std::size_t place = Packed(places, i, width);
    if (at >= weights.size() || place >= table.size())
      return InvalidModel("packed weight {} of {} lies outside", i, count);
    weights[at] = table[place];
  }
  return {};
}

ByteSpan BufferOf(const schema::QuantizedWeights& from) {
  if (from.buffer() == nullptr) return {};
  return {reinterpret_cast<const std::uint8_t*>(from.buffer()->Data()), from.buffer()->size()};
}

Status ReadBytes(const schema::QuantizedWeights& from, std::int64_t filters,
                 std::span<std::int8_t> weights) {
  Reader reader(BufferOf(from));
  if (from.type() == 4) {
    const ByteSpan bytes = reader.Take(weights.size());
    if (reader.is_short()) return TooShort();
    std::memcpy(weights.data(), bytes.data(), bytes.size());
    return {};
  }
  if (from.type() != 1 && from.type() != 2)
    return Unsupported("weights packed in way {} are not read; ways 1 to 4 are", from.type());
  ATH_RETURN_IF_ERROR(
      CheckCount(reader, from.shape_int32(), static_cast<std::int64_t>(weights.size())));
  if (from.type() == 1) return UnpackDense(reader, weights);
  return UnpackSparse(reader, from, filters, weights);
}

Status Scatter(const schema::QuantizedWeights& from, std::span<float> weights) {
  const std::size_t count = from.index()->size();
  if (from.alpha() == nullptr || from.alpha()->size() != count)
    return InvalidModel("{} places have other than {} weights", count, count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t at = from.index()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (at >= weights.size())
      return InvalidModel("a weight stands at {} of {}", at, weights.size());
    weights[at] = from.alpha()->Get(static_cast<flatbuffers::uoffset_t>(i));
  }
  return {};
}

}  // namespace

// A packed weight takes at least one bit, or shares its step of 8 bits with 255 zeros.
WeightSource::WeightSource(std::size_t file_size, std::shared_ptr<const void> owner)
    : owner_(std::move(owner)), elements_left_(256 * std::uint64_t{file_size} + (1U << 16)) {}

Status WeightSource::Spend(std::uint64_t elements) {
  if (elements > elements_left_)
    return Error(ErrorCode::kResource, "the file is too small for all of its weights");
  elements_left_ -= elements;
  return {};
}

Result<Tensor> WeightSource::Floats(const flatbuffers::Vector<float>* values, const Dims& dims) {
  const std::optional<std::int64_t> count = CheckedCount(dims);
  const std::int64_t given = values == nullptr ? 0 : values->size();
  if (!count || *count != given)
    return InvalidModel("{} weights do not fill {}", given, ToString(dims));
  const std::uint8_t* data = values == nullptr ? nullptr : values->Data();
  if (given > 0 && reinterpret_cast<std::uintptr_t>(data) % alignof(float) == 0)
    return Tensor::View(DType::kF32, dims, data, owner_);
  ATH_RETURN_IF_ERROR(Spend(static_cast<std::uint64_t>(given)));
  ATH_TRY(Tensor copy, Tensor::Allocate(DType::kF32, dims));
  if (given > 0) std::memcpy(copy.mutable_raw(), data, copy.bytes());
  return copy;
}

Result<Tensor> WeightSource::Bytes(const flatbuffers::Vector<std::int8_t>* values,
                                   const Dims& dims) {
  const std::int64_t given = values == nullptr ? 0 : values->size();
  if (given == 0 || CheckedCount(dims) != given)
    return InvalidModel("{} weights do not fill {}", given, ToString(dims));
  return Tensor::View(DType::kI8, dims, values->Data(), owner_);
}

Result<Tensor> WeightSource::Widened(const schema::QuantizedWeights& from, const Dims& dims) {
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count || *count < 1) return InvalidModel("weights of {}", ToString(dims));
  ATH_RETURN_IF_ERROR(Spend(static_cast<std::uint64_t>(*count)));
  ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kF32, dims));
  const std::span<float> weights = tensor.MutableData<float>();
  if (from.index() != nullptr) {
    std::fill(weights.begin(), weights.end(), 0.0F);
    ATH_RETURN_IF_ERROR(Scatter(from, weights));
    return tensor;
  }
  if (from.type() == 3) {
    const ByteSpan halves = BufferOf(from);
    if (halves.size() != 2 * weights.size())
      return InvalidModel("{} bytes of half precision do not fill {}", halves.size(),
                          ToString(dims));
    for (std::size_t i = 0; i < weights.size(); ++i)
      weights[i] = FloatFromHalf(static_cast<std::uint16_t>(
          halves[2 * i] | static_cast<unsigned>(halves[2 * i + 1]) << 8));
    return tensor;
  }
  std::vector<std::int8_t> bytes(weights.size());
  ATH_RETURN_IF_ERROR(ReadBytes(from, dims[0], bytes));
  ATH_TRY(const Scales scales, ReadScales(from, *count));
  const std::size_t part = bytes.size() / scales.scale.size();
  for (std::size_t i = 0; i < bytes.size(); ++i)
    weights[i] = static_cast<float>(bytes[i]) * scales.scale[i / part] + scales.shift[i / part];
  return tensor;
}

namespace {

// The bytes of a constant's elements, as they are stored, and their type there.
struct Stored {
  DType dtype = DType::kUndefined;
  const std::uint8_t* data = nullptr;
  std::size_t count = 0;
};

template <class T>
Stored StoredAs(DType dtype, const flatbuffers::Vector<T>* list, std::size_t per_element = 1) {
  if (list == nullptr) return {dtype, nullptr, 0};
  return {dtype, list->Data(), list->size() / per_element};
}

Result<Stored> FindStored(const schema::Blob& blob) {
  switch (blob.type()) {
    case schema::DataType_FLOAT:
      return StoredAs(DType::kF32, blob.float32s());
    case schema::DataType_HALF:
      return StoredAs(DType::kF16, blob.uint8s(), 2);
    case schema::DataType_BFLOAT16:
      return StoredAs(DType::kBF16, blob.uint8s(), 2);
    case schema::DataType_INT32:
    case schema::DataType_BOOL:
      return StoredAs(DType::kI32, blob.int32s());
    case schema::DataType_INT64:
      return StoredAs(DType::kI64, blob.int64s());
    case schema::DataType_UINT8:
      return StoredAs(DType::kU8, blob.uint8s());
    case schema::DataType_INT8:
      return StoredAs(DType::kI8, blob.int8s());
    default:
      return Unsupported("constants of type {} are not read",
                         schema::EnumNameDataType(blob.type()));
  }
}

}  // namespace

Result<Tensor> WeightSource::Constant(const schema::Blob& blob) {
  if (blob.external() != nullptr)
    return Unsupported("weights in a file of their own are not read")
        .Fix("convert the network again without --saveExternalData");
  Dims dims;
  if (blob.dims() != nullptr) dims.assign(blob.dims()->begin(), blob.dims()->end());
  ATH_TRY(const Stored stored, FindStored(blob));
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (dims.size() > 16 || !count || *count != static_cast<std::int64_t>(stored.count))
    return InvalidModel("a constant of shape {} has {} elements", ToString(dims), stored.count);
  const bool aligned =
      reinterpret_cast<std::uintptr_t>(stored.data) % ElementBytes(stored.dtype) == 0;
  if (*count > 0 && aligned) return Tensor::View(stored.dtype, dims, stored.data, owner_);
  ATH_RETURN_IF_ERROR(Spend(stored.count));
  ATH_TRY(Tensor copy, Tensor::Allocate(stored.dtype, dims));
  if (*count > 0) std::memcpy(copy.mutable_raw(), stored.data, copy.bytes());
  return copy;
}

}  // namespace athanor::mnn
