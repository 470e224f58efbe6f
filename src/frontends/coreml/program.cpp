#include "frontends/coreml/program.h"

#include <algorithm>
#include <utility>

#include "core/checked.h"
#include "core/text.h"
#include "frontends/inside_folder.h"

namespace athanor::coreml {
namespace {

constexpr std::size_t kMostAxes = 16;

// A type of elements: its number in a program and in the header of a blob (BlobDataType of
// MILBlob, which has none for truth and for numbers of 64 bits). Numbers of fewer than 8 bits take
// a byte each here.
struct Element {
  std::int64_t number = 0;
  std::uint32_t in_blob = 0;
  DType dtype = DType::kUndefined;
  int bits = 0;  // where they are fewer than 8
};
constexpr Element kElements[] = {
    {1, 0, DType::kBool},    {10, 1, DType::kF16},    {11, 2, DType::kF32},
    {12, 0, DType::kF64},    {21, 4, DType::kI8},     {22, 6, DType::kI16},
    {23, 14, DType::kI32},   {24, 0, DType::kI64},    {25, 8, DType::kI8, 4},
    {31, 3, DType::kU8},     {32, 7, DType::kU16},    {33, 15, DType::kU32},
    {35, 11, DType::kU8, 4}, {36, 10, DType::kU8, 2}, {37, 9, DType::kU8, 1},
    {38, 13, DType::kU8, 6}, {39, 12, DType::kU8, 3}};

Result<Element> ElementOf(std::int64_t type) {
  for (const Element& element : kElements) {
    if (element.number == type) return element;
  }
  return Unsupported("elements of type {} are not read", type);
}

// Where a blob lies: behind what describes it, which begins with a mark.
struct BlobHeader {
  std::uint32_t mark = 0, type = 0;
  std::uint64_t size = 0, offset = 0;
};
constexpr std::uint32_t kBlobMark = 0xDEADBEEF;

// The file's wire format holds more bits than the type that it names: a number is never cut.
template <class To>
Result<Tensor> Converted(const Dims& dims, const std::vector<std::int64_t>& values, DType dtype) {
  std::vector<To> converted;
  for (const std::int64_t value : values) {
    if (!std::in_range<To>(value)) return InvalidModel("{} is no {}", value, Name(dtype));
    converted.push_back(static_cast<To>(value));
  }
  return Tensor::FromVector<To>(dims, converted);
}

Result<Tensor> FromBytes(DType dtype, const Dims& dims, std::span<const std::uint8_t> bytes) {
  const auto count = CheckedCount(dims);
  const auto needed =
      count ? CheckedMul(*count, static_cast<std::int64_t>(ElementBytes(dtype))) : std::nullopt;
  if (!needed || *needed != std::ssize(bytes))
    return InvalidModel("{} of {} in {} bytes", Name(dtype), ToString(dims), bytes.size());
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, dims));
  if (dtype == DType::kBool) {
    // Truth is 0 or 1 here, and any byte in a file.
    const auto truth = tensor.MutableData<bool>();
    for (std::size_t i = 0; i < truth.size(); ++i) truth[i] = bytes[i] != 0;
  } else if (!bytes.empty()) {
    std::memcpy(tensor.mutable_raw(), bytes.data(), bytes.size());
  }
  return tensor;
}

// Numbers of few bits, a byte each.
Result<Tensor> FromBits(const Element& element, const Dims& dims,
                        std::span<const std::uint8_t> bytes) {
  const auto count = CheckedCount(dims);
  if (!count) return InvalidModel("a constant of {}", ToString(dims));
  ATH_TRY(const std::vector<std::uint8_t> plain,
          FromPackedBits(bytes, element.bits, *count, element.dtype == DType::kI8));
  return FromBytes(element.dtype, dims, plain);
}

Result<Tensor> FromImmediate(const mil::TensorValue& value, const Element& element,
                             const Dims& dims, std::int64_t count) {
  const DType dtype = element.dtype;
  if (value.bytes && element.bits > 0) return FromBits(element, dims, value.bytes->values);
  const auto fits = [&](const auto& list) { return list && std::ssize(list->values) == count; };
  if (value.bytes) return FromBytes(dtype, dims, value.bytes->values);
  if (dtype == DType::kF32 && fits(value.floats))
    return Tensor::FromVector<float>(dims, value.floats->values);
  if (dtype == DType::kF64 && fits(value.doubles))
    return Tensor::FromVector<double>(dims, value.doubles->values);
  if (dtype == DType::kBool && fits(value.bools)) {
    ATH_TRY(Tensor truth, Tensor::Allocate(dtype, dims));
    auto* out = static_cast<std::uint8_t*>(truth.mutable_raw());
    for (const std::int64_t bit : value.bools->values) *out++ = bit != 0 ? 1 : 0;
    return truth;
  }
  const auto& ints = value.ints ? value.ints : value.longs;
  if (fits(ints)) {
    if (dtype == DType::kI32) return Converted<std::int32_t>(dims, ints->values, dtype);
    if (dtype == DType::kI64) return Converted<std::int64_t>(dims, ints->values, dtype);
    if (dtype == DType::kI16) return Converted<std::int16_t>(dims, ints->values, dtype);
    if (dtype == DType::kU16) return Converted<std::uint16_t>(dims, ints->values, dtype);
  }
  if (count == 0) return Tensor::Allocate(dtype, dims);
  return InvalidModel("{} of {} are not what the file holds", Name(dtype), ToString(dims));
}

}  // namespace

Result<Type> TypeOfValue(const mil::ValueType& value, std::string_view name) {
  if (!value.tensor) return Unsupported("it is no tensor");
  const mil::TensorType& tensor = *value.tensor;
  ATH_TRY(const Element element, ElementOf(tensor.data_type));
  if (tensor.rank < 0 || tensor.dimensions.size() > kMostAxes ||
      tensor.rank != std::ssize(tensor.dimensions))
    return Unsupported("a tensor of rank {} with {} sizes", tensor.rank, tensor.dimensions.size());
  Shape shape;
  for (std::size_t axis = 0; axis < tensor.dimensions.size(); ++axis) {
    const auto& size = tensor.dimensions[axis].constant;
    if (size && (size->value < 0 || size->value > kLargestSize))
      return InvalidModel("its size along axis {} is {}", axis, size->value);
    shape.push_back(size ? Dim(size->value) : Dim::Symbol(fmt::format("{}_{}", name, axis)));
  }
  return Type::Tensor(element.dtype, std::move(shape));
}

Result<std::vector<std::uint8_t>> FromPackedBits(std::span<const std::uint8_t> bytes, int bits,
                                                 std::int64_t count, bool is_signed) {
  const auto all = CheckedMul<std::int64_t>(count, bits);
  if (!all || *all / 8 + (*all % 8 != 0) != std::ssize(bytes))
    return InvalidModel("{} numbers of {} bits in {} bytes", count, bits, bytes.size());
  const unsigned mask = (1U << bits) - 1, sign = is_signed ? 1U << (bits - 1) : 0;
  std::vector<std::uint8_t> plain(static_cast<std::size_t>(count));
  unsigned held = 0;  // bits that are read and not given yet
  int num_held = 0;
  auto next = bytes.begin();
  for (std::uint8_t& number : plain) {
    if (num_held < bits) {
      held |= static_cast<unsigned>(*next++) << num_held;
      num_held += 8;
    }
    number = static_cast<std::uint8_t>(((held & mask) ^ sign) - sign);
    held >>= bits;
    num_held -= bits;
  }
  return plain;
}

Result<Tensor> ProgramConstants::Read(const mil::Value& value) {
  ATH_TRY(const Type type, TypeOfValue(value.type, "constant"));
  const auto dims = type.StaticDims();
  const auto count = dims ? CheckedCount(*dims) : std::nullopt;
  if (!count) return InvalidModel("a constant of {}", type.ToString());
  const std::int64_t number = value.type.tensor->data_type;
  if (value.blob) return FromFile(*value.blob, number, *dims);
  if (!value.immediate || !value.immediate->tensor)
    return Unsupported("a constant that is no tensor is not read");
  ATH_TRY(const Element element, ElementOf(number));
  return FromImmediate(*value.immediate->tensor, element, *dims, *count);
}

Status ProgramConstants::Spend(DType dtype, const Dims& dims) {
  // The most that is written: a vector of 8 numbers of 32 bits for one bit.
  constexpr std::size_t kMostPerByte = 256, kAlways = std::size_t{64} << 20;
  const auto count = CheckedCount(dims);
  const auto bytes =
      count ? CheckedMul(*count, static_cast<std::int64_t>(ElementBytes(dtype))) : std::nullopt;
  const std::size_t most = kAlways + kMostPerByte * held_;
  if (!bytes || static_cast<std::size_t>(*bytes) > most - std::min(made_, most))
    return Error(ErrorCode::kResource, "{} of {} from files of {} bytes", Name(dtype),
                 ToString(dims), held_);
  made_ += static_cast<std::size_t>(*bytes);
  return {};
}

Result<Tensor> ProgramConstants::Allocate(DType dtype, Dims dims) {
  ATH_RETURN_IF_ERROR(Spend(dtype, dims));
  return Tensor::Allocate(dtype, std::move(dims));
}

Result<Tensor> ProgramConstants::FromFile(const mil::BlobFile& blob, std::int64_t type,
                                          const Dims& dims) {
  ATH_TRY(const Element element, ElementOf(type));
  const DType dtype = element.dtype;
  constexpr std::string_view kRoot = "@model_path/";
  if (!blob.name.starts_with(kRoot))
    return Error(ErrorCode::kUnsafeFile, "weights in {}; files beside the model are read",
                 Quote(blob.name.substr(0, 100)));
  ATH_TRY(const std::string path, ResolveInside(folder_, blob.name.substr(kRoot.size())));
  std::shared_ptr<const MappedFile>& file = files_[path];
  if (file == nullptr) {
    ATH_TRY(file, MappedFile::Open(path));
    held_ += file->bytes().size();
  }
  const auto bytes = file->bytes();
  BlobHeader header;
  const auto beyond = [&] {
    return Error(ErrorCode::kCorruptFile, "{} has {} bytes; more are named", Quote(blob.name),
                 bytes.size());
  };
  if (blob.offset > bytes.size() || bytes.size() - blob.offset < sizeof(BlobHeader))
    return beyond();
  std::memcpy(&header, bytes.data() + blob.offset, sizeof(header));
  if (header.mark != kBlobMark)
    return Error(ErrorCode::kCorruptFile, "no weights begin at {} of {}", blob.offset,
                 Quote(blob.name));
  if (element.in_blob == 0 || header.type != element.in_blob)
    return InvalidModel("{} at {} of {}, which says that its numbers are of type {}", Name(dtype),
                        blob.offset, Quote(blob.name.substr(0, 100)), header.type);
  if (header.offset > bytes.size() || header.size > bytes.size() - header.offset) return beyond();
  const auto data = bytes.subspan(header.offset, header.size);
  if (element.bits > 0) {
    ATH_RETURN_IF_ERROR(Spend(dtype, dims));
    return FromBits(element, dims, data);
  }
  const auto needed =
      CheckedMul<std::int64_t>(*CheckedCount(dims), static_cast<std::int64_t>(ElementBytes(dtype)));
  if (!needed || *needed != std::ssize(data))
    return InvalidModel("{} of {} in {} bytes", Name(dtype), ToString(dims), data.size());
  if (reinterpret_cast<std::uintptr_t>(data.data()) % ElementBytes(dtype) != 0)
    return FromBytes(dtype, dims, data);
  return Tensor::View(dtype, dims, data.data(), file);
}

// ---- one operation

ProgramStep::ProgramStep(Graph& graph, const mil::Operation& op, const ProgramRow& row,
                         const ProgramValues& known, ProgramConstants& constants)
    : ValueSteps(graph, op.outputs.empty() ? "" : op.outputs[0].name),
      op(op),
      row(row),
      known_(known),
      constants_(constants) {
  for (const auto& entry : op.inputs) {
    std::vector<Given>& given = arguments_[entry.key];
    given.clear();
    for (const mil::Binding& binding : entry.value.bindings)
      given.push_back({binding.name, binding.value ? &*binding.value : nullptr});
  }
  // Before iOS 18 the parameters of compressed weights were attributes.
  for (const auto& entry : op.attributes)
    arguments_.try_emplace(entry.key, std::vector<Given>{{"", &entry.value}});
}

ValueId ProgramStep::ValueOf(const Given& given) {
  if (given.value != nullptr) {
    Result<Tensor> tensor = constants_.Read(*given.value);
    if (tensor.ok()) return Constant(*std::move(tensor));
    Fail(std::move(tensor).status());
    return kNoValue;
  }
  const auto found = known_.values.find(std::string(given.name));
  if (found != known_.values.end()) return found->second;
  Fail(InvalidModel("nothing before makes {}", Quote(given.name.substr(0, 100))));
  return kNoValue;
}

std::vector<ValueId> ProgramStep::All(std::string_view key) {
  std::vector<ValueId> values;
  const auto found = arguments_.find(key);
  if (!Expect(found != arguments_.end(), "it lacks {}", key)) return values;
  for (const Given& given : found->second) values.push_back(ValueOf(given));
  return values;
}

ValueId ProgramStep::In(std::string_view key) {
  const std::vector<ValueId> values = All(key);
  return Expect(values.size() == 1, "{} is {} values; one is read", key, values.size()) ? values[0]
                                                                                        : kNoValue;
}

const Tensor* ProgramStep::Known(std::string_view key) {
  const ValueId value = In(key);
  if (!ok()) return nullptr;
  const Tensor* constant = graph.Constant(value);
  Expect(constant != nullptr, "{} is computed; constants are read", key);
  return constant;
}

std::vector<std::int64_t> ProgramStep::Numbers(std::string_view key,
                                               std::vector<std::int64_t> otherwise) {
  if (!Has(key)) return otherwise;
  const Tensor* constant = Known(key);
  if (constant == nullptr) return otherwise;
  Result<std::vector<std::int64_t>> numbers = ToInts(*constant);
  if (!numbers.ok()) {
    Fail(std::move(numbers).status());
    return otherwise;
  }
  for (const std::int64_t number : *numbers)
    if (!Expect(number >= -kLargestSize && number <= kLargestSize, "{} holds {}", key, number))
      return otherwise;
  return *numbers;
}

std::int64_t ProgramStep::Whole(std::string_view key, std::int64_t otherwise) {
  if (!Has(key)) return otherwise;
  const std::vector<std::int64_t> numbers = Numbers(key, {otherwise});
  return Expect(numbers.size() == 1, "{} is {} numbers", key, numbers.size()) ? numbers[0]
                                                                              : otherwise;
}

double ProgramStep::Real(std::string_view key, double otherwise) {
  if (!Has(key)) return otherwise;
  const Tensor* constant = Known(key);
  if (constant == nullptr) return otherwise;
  const Result<std::vector<double>> numbers = ToDoubles(*constant);
  if (!Expect(numbers.ok() && numbers->size() == 1, "{} is no single number", key))
    return otherwise;
  return (*numbers)[0];
}

std::string ProgramStep::Text(std::string_view key, std::string otherwise) {
  const auto found = arguments_.find(key);
  if (found == arguments_.end()) return otherwise;
  if (!Expect(found->second.size() == 1, "{} is not one text", key)) return otherwise;
  const Given& given = found->second[0];
  if (given.value != nullptr && given.value->immediate && given.value->immediate->tensor) {
    const auto& texts = given.value->immediate->tensor->strings;
    if (texts && texts->values.size() == 1) return texts->values[0];
  }
  const auto text = known_.texts.find(std::string(given.name));
  return Expect(text != known_.texts.end(), "{} is no text that is known", key) ? text->second
                                                                                : otherwise;
}

}  // namespace athanor::coreml
