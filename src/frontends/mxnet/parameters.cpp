#include "frontends/mxnet/parameters.h"

#include "core/checked.h"
#include "core/text.h"
#include "frontends/protobuf/wire.h"
#include "frontends/tensorflow/tensor.h"

namespace athanor::mxnet {
namespace {

constexpr std::uint64_t kListMagic = 0x112;
constexpr std::uint32_t kVersion1 = 0xF993FAC8, kVersion2 = 0xF993FAC9, kVersion3 = 0xF993FACA;
constexpr std::uint32_t kMostAxes = 16;

struct Kind {
  std::int64_t flag;
  std::string_view word;
  DType dtype;
};
constexpr Kind kKinds[] = {{0, "float32", DType::kF32}, {1, "float64", DType::kF64},
                           {2, "float16", DType::kF16}, {3, "uint8", DType::kU8},
                           {4, "int32", DType::kI32},   {5, "int8", DType::kI8},
                           {6, "int64", DType::kI64},   {7, "bool", DType::kBool},
                           {8, "int16", DType::kI16},   {12, "bfloat16", DType::kBF16}};

// Sizes are 64 bits wide, but for files from before version 1, whose first number is the rank.
Result<Dims> ReadDims(protobuf::Cursor& cursor, std::uint32_t rank, bool is_wide) {
  if (rank > kMostAxes) return Unsupported("rank {} is not read", rank);
  Dims dims;
  for (std::uint32_t axis = 0; axis < rank; ++axis)
    dims.push_back(is_wide ? cursor.Fixed<std::int64_t>()
                           : std::int64_t{cursor.Fixed<std::uint32_t>()});
  return dims;
}

// version, storage (dense: 0), shape, device, element type, elements
Result<Tensor> ReadTensor(protobuf::Cursor& cursor, const std::shared_ptr<const void>& owner) {
  const auto version = cursor.Fixed<std::uint32_t>();
  const bool is_marked = version >= kVersion1 && version <= kVersion3;
  if (version == kVersion2 || version == kVersion3) {
    const auto storage = cursor.Fixed<std::int32_t>();
    if (!cursor.failed() && storage != 0)
      return Unsupported("sparse storage is not read; dense is")
          .Fix("store it as dense in MXNet: array.tostype('default')");
  }
  const std::uint32_t rank = is_marked ? cursor.Fixed<std::uint32_t>() : version;
  ATH_TRY(Dims dims, ReadDims(cursor, rank, is_marked));
  if (!cursor.failed() && rank == 0 && version != kVersion3)
    return InvalidModel("it has no elements");
  (void)cursor.Fixed<std::int32_t>();  // what device it was on, and which of its kind
  (void)cursor.Fixed<std::int32_t>();
  const auto flag = cursor.Fixed<std::int32_t>();
  if (cursor.failed()) return Error(ErrorCode::kCorruptFile, "the file ends within it");
  const DType dtype = DTypeOfFlag(flag);
  if (dtype == DType::kUndefined)
    return Error(ErrorCode::kUnsupportedType, "element type {} is not read", flag);
  const auto count = CheckedCount(dims);
  const auto size =
      count ? CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(*count), ElementBytes(dtype))
            : std::nullopt;
  if (!size) return InvalidModel("its shape is {}", ToString(dims));
  const Bytes elements = cursor.Take(*size);
  if (cursor.failed()) return Error(ErrorCode::kCorruptFile, "the file ends within it");
  return tensorflow::ViewOrCopy(dtype, std::move(dims), elements, owner);
}

std::string_view WithoutKind(std::string_view name) {
  return name.starts_with("arg:") || name.starts_with("aux:") ? name.substr(4) : name;
}

}  // namespace

DType DTypeOfFlag(std::int64_t flag) {
  for (const Kind& kind : kKinds) {
    if (kind.flag == flag) return kind.dtype;
  }
  return DType::kUndefined;
}

DType DTypeOfWord(std::string_view word) {
  for (const Kind& kind : kKinds) {
    if (kind.word == word) return kind.dtype;
  }
  return DType::kUndefined;
}

bool IsParameters(Bytes bytes) {
  protobuf::Cursor cursor(bytes);
  return cursor.Fixed<std::uint64_t>() == kListMagic && cursor.Fixed<std::uint64_t>() == 0 &&
         !cursor.failed();
}

Result<Parameters> ReadParameters(Bytes bytes, const std::shared_ptr<const void>& owner) {
  if (!IsParameters(bytes))
    return Error(ErrorCode::kCorruptFile, "this is no .params file of MXNet");
  protobuf::Cursor cursor(bytes.subspan(2 * sizeof(std::uint64_t)));
  const auto count = cursor.Fixed<std::uint64_t>();
  std::vector<Tensor> tensors;
  for (std::uint64_t i = 0; i < count; ++i) {
    Result<Tensor> tensor = ReadTensor(cursor, owner);
    if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("tensor {}", i));
    tensors.push_back(*std::move(tensor));
  }
  const auto names = cursor.Fixed<std::uint64_t>();
  if (cursor.failed()) return Error(ErrorCode::kCorruptFile, "the file ends before its names");
  if (names != tensors.size())
    return Error(ErrorCode::kCorruptFile, "the file has {} tensors and {} names", tensors.size(),
                 names);
  Parameters parameters;
  for (Tensor& tensor : tensors) {
    const Bytes text = cursor.Take(cursor.Fixed<std::uint64_t>());
    if (cursor.failed()) return Error(ErrorCode::kCorruptFile, "the file ends within its names");
    const std::string_view name =
        WithoutKind({reinterpret_cast<const char*>(text.data()), text.size()});
    if (!parameters.emplace(name, std::move(tensor)).second)
      return InvalidModel("two tensors are named {}", Quote(name.substr(0, 100)));
  }
  if (!cursor.done())
    return Error(ErrorCode::kCorruptFile, "bytes follow the names of the tensors");
  return parameters;
}

}  // namespace athanor::mxnet
