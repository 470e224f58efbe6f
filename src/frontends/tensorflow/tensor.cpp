#include "frontends/tensorflow/tensor.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/checked.h"

namespace athanor::tensorflow {
namespace {

constexpr std::size_t kMaxRank = 32;
// A few bytes of a file may stand for a constant of equal elements, up to this many.
constexpr std::int64_t kMaxRepeated = std::int64_t{1} << 24;

Result<Dims> DimsOf(const ShapeProto& shape) {
  if (shape.unknown_rank) return InvalidModel("a constant has no known rank");
  if (shape.dim.size() > kMaxRank)
    return InvalidModel("rank {} is not read; at most {} is", shape.dim.size(), kMaxRank);
  Dims dims;
  for (const DimProto& dim : shape.dim) dims.push_back(dim.size);
  if (!CheckedCount(dims)) return InvalidModel("a constant has shape {}", ToString(dims));
  return dims;
}

// The last value given stands for all that follow; none stands for zeros.
template <class T, class From, class Convert>
Status Fill(Tensor& tensor, const std::vector<From>& values, Convert convert) {
  const std::span<T> out = tensor.MutableData<T>();
  if (values.size() > out.size())
    return InvalidModel("a constant of {} elements has {} values", out.size(), values.size());
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = values.empty() ? T{} : convert(values[std::min(i, values.size() - 1)]);
  return {};
}

template <class T, class From>
Status FillWith(Tensor& tensor, const std::vector<From>& values) {
  return Fill<T>(tensor, values, [](const From& value) { return static_cast<T>(value); });
}

Status FillValues(Tensor& tensor, const TensorProto& proto) {
  using Filler = Status (*)(Tensor&, const TensorProto&);
  static constexpr std::pair<DType, Filler> kFillers[] = {
      {DType::kF32,
       [](Tensor& t, const TensorProto& p) { return FillWith<float>(t, p.float_val); }},
      {DType::kF64,
       [](Tensor& t, const TensorProto& p) { return FillWith<double>(t, p.double_val); }},
      {DType::kI32,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::int32_t>(t, p.int_val); }},
      {DType::kI64,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::int64_t>(t, p.int64_val); }},
      {DType::kI16,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::int16_t>(t, p.int_val); }},
      {DType::kI8,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::int8_t>(t, p.int_val); }},
      {DType::kU8,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::uint8_t>(t, p.int_val); }},
      {DType::kU16,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::uint16_t>(t, p.int_val); }},
      {DType::kU32,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::uint32_t>(t, p.uint32_val); }},
      {DType::kU64,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::uint64_t>(t, p.uint64_val); }},
      {DType::kBool,
       [](Tensor& t, const TensorProto& p) {
         return Fill<bool>(t, p.bool_val, [](std::int32_t value) { return value != 0; });
       }},
      {DType::kF16,
       [](Tensor& t, const TensorProto& p) {
         return Fill<Half>(t, p.half_val, [](std::int32_t bits) {
           return std::bit_cast<Half>(static_cast<std::uint16_t>(bits));
         });
       }},
      {DType::kBF16,
       [](Tensor& t, const TensorProto& p) {
         return Fill<BFloat16>(t, p.half_val, [](std::int32_t bits) {
           return std::bit_cast<BFloat16>(static_cast<std::uint16_t>(bits));
         });
       }},
      {DType::kString,
       [](Tensor& t, const TensorProto& p) { return FillWith<std::string>(t, p.string_val); }},
  };
  for (const auto& [dtype, fill] : kFillers) {
    if (dtype == tensor.dtype()) return fill(tensor, proto);
  }
  return Unsupported("constants of {} are not read", Name(tensor.dtype()));
}

}  // namespace

Result<DType> DTypeOf(std::int32_t type) {
  // A reference to a variable of type T has type T + 100.
  constexpr std::int32_t kReference = 100;
  static constexpr std::pair<std::int32_t, DType> kTypes[] = {
      {1, DType::kF32},   {2, DType::kF64},   {3, DType::kI32},    {4, DType::kU8},
      {5, DType::kI16},   {6, DType::kI8},    {7, DType::kString}, {8, DType::kC64},
      {9, DType::kI64},   {10, DType::kBool}, {14, DType::kBF16},  {17, DType::kU16},
      {18, DType::kC128}, {19, DType::kF16},  {22, DType::kU32},   {23, DType::kU64}};
  for (const auto& [number, dtype] : kTypes) {
    if (number == type || number + kReference == type) return dtype;
  }
  if (type == 0) return InvalidModel("an element type is missing");
  return Error(ErrorCode::kUnsupportedType, "element type {} is not read{}", type,
               type >= 11 && type <= 16 ? ": quantised types of TensorFlow 1" : "");
}

Result<Type> TypeOf(std::int32_t dtype, const ShapeProto& shape, std::string_view name) {
  ATH_TRY(const DType element, DTypeOf(dtype));
  if (shape.unknown_rank) return Type::TensorOfUnknownRank(element);
  if (shape.dim.size() > kMaxRank)
    return InvalidModel("rank {} is not read; at most {} is", shape.dim.size(), kMaxRank);
  Shape dims;
  for (std::size_t axis = 0; axis < shape.dim.size(); ++axis) {
    const std::int64_t size = shape.dim[axis].size;
    if (size < -1) return InvalidModel("size {} of axis {}", size, axis);
    dims.push_back(size >= 0 ? Dim(size)
                             : Dim::Symbol(fmt::format("{}_{}", name.substr(0, 100), axis)));
  }
  return Type::Tensor(element, std::move(dims));
}

Result<Tensor> ViewOrCopy(DType dtype, Dims dims, Bytes bytes,
                          const std::shared_ptr<const void>& owner) {
  const auto count = CheckedCount(dims);
  const std::size_t width = ElementBytes(dtype);
  const auto needed =
      count ? CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(*count), width) : std::nullopt;
  if (!needed || *needed != bytes.size())
    return InvalidModel("{} of shape {} has {} bytes of data", Name(dtype), ToString(dims),
                        bytes.size());
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % width == 0)
    return Tensor::View(dtype, std::move(dims), bytes.data(), owner);
  ATH_TRY(Tensor copy, Tensor::Allocate(dtype, std::move(dims)));
  if (!bytes.empty()) std::memcpy(copy.mutable_raw(), bytes.data(), bytes.size());
  return copy;
}

Result<Tensor> ReadTensor(const TensorProto& proto, const std::shared_ptr<const void>& owner) {
  ATH_TRY(const DType dtype, DTypeOf(proto.dtype));
  ATH_TRY(Dims dims, DimsOf(proto.shape));
  if (!proto.content.empty()) {
    if (dtype == DType::kString) return Unsupported("packed strings are not read");
    return ViewOrCopy(dtype, std::move(dims), proto.content, owner);
  }
  if (*CheckedCount(dims) > kMaxRepeated)
    return Error(ErrorCode::kResource, "a constant of shape {} repeats one element",
                 ToString(dims));
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, std::move(dims)));
  ATH_RETURN_IF_ERROR(FillValues(tensor, proto));
  return tensor;
}

}  // namespace athanor::tensorflow
