#include "frontends/onnx/tensor.h"

#include <array>
#include <complex>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/inside_folder.h"

namespace athanor::onnx {
namespace {

// Index = TensorProto.DataType.
constexpr std::array kDTypes = {
    DType::kUndefined,  DType::kF32,  DType::kU8,     DType::kI8,         DType::kU16,
    DType::kI16,        DType::kI32,  DType::kI64,    DType::kString,     DType::kBool,
    DType::kF16,        DType::kF64,  DType::kU32,    DType::kU64,        DType::kC64,
    DType::kC128,       DType::kBF16, DType::kF8E4M3, DType::kF8E4M3Fnuz, DType::kF8E5M2,
    DType::kF8E5M2Fnuz, DType::kU4,   DType::kI4,     DType::kF4E2M1,     DType::kF8E8M0,
    DType::kU2,         DType::kI2,
};

// Elements of 2 bits become 4 times as large in memory, and some tensors share bytes.
constexpr std::uint64_t kCopiesPerByte = 8, kMinCopyBytes = std::uint64_t{64} << 20;

bool IsPacked(DType dtype) { return ElementBits(dtype) > 0 && ElementBits(dtype) < 8; }

// Any byte but 0 is true in files; in memory only 1 is.
Result<Tensor> BoolsFromBytes(const Dims& dims, Bytes bytes) {
  ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kBool, dims));
  const auto out = tensor.MutableData<bool>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = bytes[i] != 0;
  return tensor;
}

// Elements from the bytes of a file: in place when aligned, else copied; packed types are unpacked.
Result<Tensor> FromBytes(DType dtype, const Dims& dims, Bytes bytes,
                         const std::shared_ptr<const void>& owner, AlignedCopies& copies) {
  if (dtype == DType::kString) return InvalidModel("strings may not be stored as raw bytes");
  if (IsPacked(dtype)) return UnpackBits(dtype, dims, bytes);
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count) return InvalidModel("shape {} is negative or too large", ToString(dims));
  const auto expected =
      CheckedMul<std::int64_t>(*count, static_cast<std::int64_t>(ElementBytes(dtype)));
  if (!expected || static_cast<std::uint64_t>(*expected) != bytes.size()) {
    return Error(ErrorCode::kCorruptFile, "{} bytes are stored for {}{}", bytes.size(), Name(dtype),
                 ToString(dims));
  }
  if (dtype == DType::kBool) return BoolsFromBytes(dims, bytes);
  const bool aligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % ElementBytes(dtype) == 0;
  if (aligned && owner != nullptr) return Tensor::View(dtype, dims, bytes.data(), owner);
  return copies.Copy(dtype, dims, bytes);
}

Status CheckCount(std::size_t given, const Tensor& tensor) {
  if (given == static_cast<std::size_t>(tensor.count())) return {};
  return Error(ErrorCode::kCorruptFile, "{} values are stored for {}{}", given,
               Name(tensor.dtype()), ToString(tensor.dims()));
}

// int32_data holds every type of up to 32 bits, floats of up to 16 bits by their bits.
template <class T>
T FromInt32(std::int32_t value) {
  if constexpr (requires { T{}.bits; }) {
    T result;
    result.bits = static_cast<decltype(T::bits)>(value);
    return result;
  } else {
    return static_cast<T>(value);
  }
}

template <class T, class From>
Status Fill(Tensor& tensor, const std::vector<From>& values) {
  ATH_RETURN_IF_ERROR(CheckCount(values.size(), tensor));
  const auto out = tensor.MutableData<T>();
  for (std::size_t i = 0; i < out.size(); ++i) {
    if constexpr (std::is_same_v<From, std::int32_t>) {
      out[i] = FromInt32<T>(values[i]);
    } else {
      out[i] = static_cast<T>(values[i]);
    }
  }
  return {};
}

// Pairs of (real, imaginary) in float_data or double_data.
template <class T>
Status FillComplex(Tensor& tensor, const std::vector<T>& values) {
  if (values.size() % 2 != 0)
    return Error(ErrorCode::kCorruptFile, "a complex number has no imaginary part");
  ATH_RETURN_IF_ERROR(CheckCount(values.size() / 2, tensor));
  const auto out = tensor.MutableData<std::complex<T>>();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = {values[2 * i], values[2 * i + 1]};
  return {};
}

using Int32Types = TypeList<std::int32_t, std::int16_t, std::int8_t, std::uint16_t, std::uint8_t,
                            bool, Half, BFloat16, F8E4M3, F8E4M3Fnuz, F8E5M2, F8E5M2Fnuz, F8E8M0>;

Result<Tensor> FromTypedFields(const TensorProto& proto, DType dtype, const Dims& dims) {
  if (IsPacked(dtype)) {
    std::vector<std::uint8_t> packed;
    for (const std::int32_t value : proto.int32_data)
      packed.push_back(static_cast<std::uint8_t>(value));
    return UnpackBits(dtype, dims, packed);
  }
  // Checked before memory is taken: a few bytes of file must not claim gigabytes.
  const std::size_t stored = proto.float_data.size() + proto.int32_data.size() +
                             proto.int64_data.size() + proto.double_data.size() +
                             proto.uint64_data.size() + proto.string_data.size();
  const std::optional<std::int64_t> count = CheckedCount(dims);
  if (!count || static_cast<std::uint64_t>(*count) > stored) {
    return Error(ErrorCode::kCorruptFile, "{} values are stored for {}{}", stored, Name(dtype),
                 ToString(dims));
  }
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, dims));
  Status filled;
  if (dtype == DType::kF32) {
    filled = Fill<float>(tensor, proto.float_data);
  } else if (dtype == DType::kF64) {
    filled = Fill<double>(tensor, proto.double_data);
  } else if (dtype == DType::kI64) {
    filled = Fill<std::int64_t>(tensor, proto.int64_data);
  } else if (dtype == DType::kU64) {
    filled = Fill<std::uint64_t>(tensor, proto.uint64_data);
  } else if (dtype == DType::kU32) {
    filled = Fill<std::uint32_t>(tensor, proto.uint64_data);
  } else if (dtype == DType::kC64) {
    filled = FillComplex(tensor, proto.float_data);
  } else if (dtype == DType::kC128) {
    filled = FillComplex(tensor, proto.double_data);
  } else if (dtype == DType::kString) {
    filled = CheckCount(proto.string_data.size(), tensor);
    const auto out = tensor.MutableData<std::string>();
    for (std::size_t i = 0; filled.ok() && i < out.size(); ++i) {
      out[i].assign(reinterpret_cast<const char*>(proto.string_data[i].data()),
                    proto.string_data[i].size());
    }
  } else {
    filled = Dispatch(Int32Types{}, dtype, [&](auto tag) {
      return Fill<typename decltype(tag)::Type>(tensor, proto.int32_data);
    });
  }
  ATH_RETURN_IF_ERROR(std::move(filled));
  return tensor;
}

// "123" -> 123; nothing on anything else.
std::optional<std::uint64_t> ParseSize(const std::string& text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto scaled = CheckedMul<std::uint64_t>(value, 10);
    const auto sum =
        scaled ? CheckedAdd(*scaled, static_cast<std::uint64_t>(c - '0')) : std::nullopt;
    if (!sum) return std::nullopt;
    value = *sum;
  }
  return text.empty() ? std::nullopt : std::optional(value);
}

Result<Tensor> FromExternalFile(const TensorProto& proto, DType dtype, const Dims& dims,
                                const TensorSource& source) {
  std::string location;
  std::optional<std::uint64_t> offset = 0, length;
  for (const StringEntry& entry : proto.external_data) {
    if (entry.key == "location") location = entry.value;
    if (entry.key == "offset") offset = ParseSize(entry.value);
    if (entry.key == "length") length = ParseSize(entry.value);
  }
  ATH_TRY(const std::string path, ResolveInside(source.folder, location));
  // Mapped once for all tensors: the system limits how many mappings a process may have.
  ExternalFile& external = source.state->files[path];
  if (external.file == nullptr) {
    ATH_TRY(external.file, MappedFile::Open(path));
    external.copy_bytes = kMinCopyBytes + kCopiesPerByte * external.file->bytes().size();
  }
  const Bytes bytes = external.file->bytes();
  if (!offset || *offset > bytes.size() || (length && *length > bytes.size() - *offset)) {
    return Error(ErrorCode::kCorruptFile, "external data \"{}\" has {} bytes; more are named",
                 location, bytes.size());
  }
  const std::optional<std::int64_t> count = CheckedCount(dims);
  const auto needed = count ? CheckedMul<std::int64_t>(*count, ElementBits(dtype)) : std::nullopt;
  if (!needed) return InvalidModel("shape {} is negative or too large", ToString(dims));
  const std::uint64_t size = length.value_or((static_cast<std::uint64_t>(*needed) + 7) / 8);
  if (size > bytes.size() - *offset) {
    return Error(ErrorCode::kCorruptFile, "external data \"{}\" has {} bytes; {} are needed at {}",
                 location, bytes.size(), size, *offset);
  }
  const Bytes stored =
      bytes.subspan(static_cast<std::size_t>(*offset), static_cast<std::size_t>(size));
  ATH_TRY(Tensor tensor, FromBytes(dtype, dims, stored, external.file, source.state->copies));
  if (tensor.raw() == stored.data()) return tensor;
  const std::uint64_t copied = tensor.bytes();
  if (copied > external.copy_bytes) {
    return Error(ErrorCode::kResource,
                 "the tensors stored in external data \"{}\" take more than {} times its size",
                 location, kCopiesPerByte);
  }
  external.copy_bytes -= copied;
  return tensor;
}

}  // namespace

std::optional<DType> DTypeFromOnnx(std::int32_t data_type) {
  if (data_type <= 0 || static_cast<std::size_t>(data_type) >= kDTypes.size()) return std::nullopt;
  return kDTypes[static_cast<std::size_t>(data_type)];
}

std::int32_t OnnxFromDType(DType dtype) {
  for (std::size_t i = 0; i < kDTypes.size(); ++i) {
    if (kDTypes[i] == dtype) return static_cast<std::int32_t>(i);
  }
  return 0;
}

Result<Tensor> ReadTensor(const TensorProto& proto, const TensorSource& source) {
  const std::optional<DType> dtype = DTypeFromOnnx(proto.data_type);
  if (!dtype) return InvalidModel("element type number {} is not known", proto.data_type);
  if (proto.data_location == 1) return FromExternalFile(proto, *dtype, proto.dims, source);
  if (proto.raw_data)
    return FromBytes(*dtype, proto.dims, *proto.raw_data, source.owner, source.state->copies);
  return FromTypedFields(proto, *dtype, proto.dims);
}

Result<Tensor> ReadSparseTensor(const SparseTensorProto& proto, const TensorSource& source) {
  ATH_TRY(const Tensor values, ReadTensor(proto.values, source));
  ATH_TRY(const Tensor indices, ReadTensor(proto.indices, source));
  const std::optional<std::int64_t> count = CheckedCount(proto.dims);
  const auto width_bytes = static_cast<std::int64_t>(ElementBytes(values.dtype()));
  if (!count || *count > source.state->dense_bytes / width_bytes) {
    return Error(ErrorCode::kResource, "sparse tensors of more than {} made dense are not read",
                 HumanBytes(static_cast<double>(SourceState{}.dense_bytes)));
  }
  source.state->dense_bytes -= *count * width_bytes;
  ATH_TRY(Tensor dense, Tensor::Allocate(values.dtype(), proto.dims));
  if (values.dtype() == DType::kString || indices.dtype() != DType::kI64) {
    return Unsupported("sparse tensors of {} with {} indices", Name(values.dtype()),
                       Name(indices.dtype()));
  }
  const auto rank = static_cast<std::int64_t>(proto.dims.size());
  const std::int64_t width = indices.rank() == 2 ? rank : 1;  // linear or coordinate indices
  if (indices.count() != values.count() * width)
    return InvalidModel("a sparse tensor has {} values and {} indices", values.count(),
                        indices.count());
  const std::size_t size = ElementBytes(values.dtype());
  std::memset(dense.mutable_raw(), 0, dense.bytes());
  const auto index = indices.Data<std::int64_t>();
  for (std::int64_t i = 0; i < values.count(); ++i) {
    std::int64_t linear = 0;
    for (std::int64_t axis = 0; axis < width; ++axis) {
      const std::int64_t coordinate = index[static_cast<std::size_t>(i * width + axis)];
      const std::int64_t limit =
          width == 1 ? dense.count() : proto.dims[static_cast<std::size_t>(axis)];
      if (coordinate < 0 || coordinate >= limit)
        return InvalidModel("a sparse index {} is outside [0, {})", coordinate, limit);
      linear = linear * limit + coordinate;
    }
    std::memcpy(
        static_cast<std::uint8_t*>(dense.mutable_raw()) + static_cast<std::size_t>(linear) * size,
        static_cast<const std::uint8_t*>(values.raw()) + static_cast<std::size_t>(i) * size, size);
  }
  return dense;
}

Result<Datum> ReadSequence(const SequenceProto& proto, const TensorSource& source) {
  std::vector<Datum> items;
  for (const TensorProto& item : proto.tensor_values) {
    ATH_TRY(Tensor tensor, ReadTensor(item, source));
    items.emplace_back(std::move(tensor));
  }
  for (const SequenceProto& item : proto.sequence_values) {
    ATH_TRY(Datum sequence, ReadSequence(item, source));
    items.push_back(std::move(sequence));
  }
  for (const OptionalProto& item : proto.optional_values) {
    ATH_TRY(Datum optional, ReadOptional(item, source));
    items.push_back(std::move(optional));
  }
  return Datum::Sequence(std::move(items));
}

Result<Datum> ReadOptional(const OptionalProto& proto, const TensorSource& source) {
  if (proto.tensor_value) {
    ATH_TRY(Tensor tensor, ReadTensor(*proto.tensor_value, source));
    return Datum(std::move(tensor));
  }
  if (proto.sequence_value) return ReadSequence(*proto.sequence_value, source);
  if (proto.optional_value) return ReadOptional(*proto.optional_value, source);
  return Datum();
}

// Exporters write expressions ("2*N + 1") and free names ("batch-size", "unk__12", "?").
Dim SymbolicDim(const std::string& text) {
  // A minus without spaces is part of a name.
  const std::size_t minus = text.find('-');
  const bool hyphen = minus != std::string::npos && minus > 0 && text[minus - 1] != ' ';
  if (hyphen) return Dim::Symbol(text);
  const Result<Dim> parsed = Dim::Parse(text);
  return parsed.ok() ? *parsed : Dim::Symbol(text);
}

Result<Type> ReadType(const TypeProto& proto) {
  if (proto.sequence && proto.sequence->elem_type) {
    ATH_TRY(Type element, ReadType(*proto.sequence->elem_type));
    return Type::Sequence(std::move(element));
  }
  if (proto.optional && proto.optional->elem_type) {
    ATH_TRY(Type element, ReadType(*proto.optional->elem_type));
    return Type::Optional(std::move(element));
  }
  if (!proto.tensor)
    return Unsupported(
        "a value is a map or a sparse tensor; tensors, sequences and optionals are accepted");
  const std::optional<DType> dtype = DTypeFromOnnx(proto.tensor->elem_type);
  if (!dtype) return InvalidModel("element type number {} is not known", proto.tensor->elem_type);
  if (!proto.tensor->shape) return Type::TensorOfUnknownRank(*dtype);
  Shape shape;
  for (const DimProto& dim : proto.tensor->shape->dim) {
    if (dim.value) {
      // Some exporters write -1 or 0 for "any".
      shape.push_back(*dim.value < 0 ? Dim::Unknown() : Dim(*dim.value));
    } else if (dim.symbol && !dim.symbol->empty()) {
      shape.push_back(SymbolicDim(*dim.symbol));
    } else {
      shape.push_back(Dim::Unknown());
    }
  }
  return Type::Tensor(*dtype, std::move(shape));
}

}  // namespace athanor::onnx
