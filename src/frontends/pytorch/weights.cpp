#include "frontends/pytorch/weights.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "core/checked.h"
#include "frontends/pytorch/pickle.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;

constexpr int kDeepest = 32;                   // of nested dictionaries
constexpr std::size_t kMostTensors = 1 << 20;  // one may be reached in many ways

Status CollectTensors(const Value& value, const std::string& name, int depth, NamedTensors& out) {
  if (depth > kDeepest) return Error(ErrorCode::kResource, "dictionaries are nested too deep");
  if (out.size() > kMostTensors) return Error(ErrorCode::kResource, "there are too many tensors");
  if (value.Is(Kind::kTensor)) {
    if (value.tensor->constant) out.emplace_back(name, *value.tensor->constant);
    return {};
  }
  const auto below = [&](const std::string& part) {
    return name.empty() ? part : name + "." + part;
  };
  if (value.Is(Kind::kDict)) {
    for (const auto& [key, item] : value.dictionary->entries) {
      const std::string part = key.Is(Kind::kString) ? *key.text : std::to_string(key.integer);
      ATH_RETURN_IF_ERROR(CollectTensors(item, below(part), depth + 1, out));
    }
  }
  if (value.IsSequence()) {
    std::size_t index = 0;
    for (const Value& item : value.items->values) {
      ATH_RETURN_IF_ERROR(CollectTensors(item, below(std::to_string(index++)), depth + 1, out));
    }
  }
  return {};
}

Result<Value> ReadArchived(Bytes file, std::shared_ptr<const void> owner, Heap& heap,
                           CopyBudget& budget) {
  ATH_TRY(const Archive archive, Archive::Open(file, std::move(owner)));
  ATH_TRY(const Member pickle, archive.Read("data.pkl"));
  if (archive.Has("byteorder")) {
    ATH_TRY(const Member order, archive.Read("byteorder"));
    if (!order.text().starts_with("little"))
      return Unsupported("weights of another byte order are not read; little endian ones are");
  }
  PickleOptions options;
  options.budget = &budget;
  options.storage = [&](std::string_view key, DType) {
    return archive.Read("data/" + std::string(key));
  };
  return ReadPickle(pickle.bytes, heap, options);
}

// Before PyTorch 1.6: pickles of a magic number, a version, facts of the machine, the object and
// the keys of its storages, then each storage as a count (i64) and its elements. The object comes
// before its storages, so it is read twice: first for their element types.
Result<Value> ReadOld(Bytes file, const std::shared_ptr<const void>& owner, Heap& heap,
                      CopyBudget& budget) {
  std::size_t at = 0;
  PickleOptions plain;
  plain.position = &at;
  for (int i = 0; i < 3; ++i) {
    ATH_RETURN_IF_ERROR(ReadPickle(file, heap, plain).status());
  }
  std::size_t object = at;
  std::map<std::string, DType, std::less<>> types;
  PickleOptions first = plain;
  first.only_types = true;
  first.storage = [&](std::string_view key, DType dtype) -> Result<Member> {
    types[std::string(key)] = dtype;
    return Member();
  };
  ATH_RETURN_IF_ERROR(ReadPickle(file, heap, first).status());
  ATH_TRY(const Value keys, ReadPickle(file, heap, plain));
  if (!keys.IsSequence()) return InvalidModel("the list of storages is missing");
  std::map<std::string, Member, std::less<>> storages;
  for (const Value& key : keys.items->values) {
    const auto type = key.Is(Kind::kString) ? types.find(*key.text) : types.end();
    if (type == types.end()) return InvalidModel("a storage belongs to no tensor");
    std::int64_t count = 0;
    if (file.size() - at < sizeof count) return Error(ErrorCode::kCorruptFile, "it ends early");
    std::memcpy(&count, file.data() + at, sizeof count);
    at += sizeof count;
    const auto bytes =
        CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(count), ElementBytes(type->second));
    if (count < 0 || !bytes || file.size() - at < *bytes)
      return Error(ErrorCode::kCorruptFile, "storage {} ends early", *key.text);
    storages[*key.text] = {file.subspan(at, *bytes), owner};
    at += *bytes;
  }
  PickleOptions second;
  second.position = &object;
  second.budget = &budget;
  second.storage = [&](std::string_view key, DType) -> Result<Member> {
    const auto found = storages.find(key);
    if (found == storages.end())
      return Error(ErrorCode::kCorruptFile, "there is no storage {}", key);
    return found->second;
  };
  return ReadPickle(file, heap, second);
}

Result<Value> ReadObject(Bytes file, std::shared_ptr<const void> owner, Heap& heap,
                         CopyBudget& budget) {
  if (IsZip(file)) return ReadArchived(file, std::move(owner), heap, budget);
  return ReadOld(file, owner, heap, budget);
}

}  // namespace

Result<NamedTensors> ReadPickledWeights(Bytes file, std::shared_ptr<const void> owner,
                                        CopyBudget& budget) {
  Heap heap;
  ATH_TRY(const Value object, ReadObject(file, std::move(owner), heap, budget));
  NamedTensors tensors;
  ATH_RETURN_IF_ERROR(CollectTensors(object, "", 0, tensors));
  return tensors;
}

Result<Tensor> ReadPickledTensor(Bytes file, std::shared_ptr<const void> owner,
                                 CopyBudget& budget) {
  Heap heap;
  ATH_TRY(const Value object, ReadObject(file, std::move(owner), heap, budget));
  if (!object.Is(Kind::kTensor) || !object.tensor->constant)
    return InvalidModel("a tensor is expected, {} is there", NameOf(object.kind));
  return *std::move(object.tensor->constant);
}

bool IsOldPickle(Bytes file) {
  // Protocol 2, then a long integer of 10 bytes: the magic number 0x1950A86A20F9469CFC6C.
  constexpr std::uint8_t kMagic[] = {0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C,
                                     0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19};
  return file.size() >= sizeof kMagic && std::memcmp(file.data(), kMagic, sizeof kMagic) == 0;
}

bool IsSafetensors(Bytes file) {
  if (file.size() < 10 || file[8] != '{') return false;
  std::uint64_t size;
  std::memcpy(&size, file.data(), sizeof size);
  return size >= 2 && size <= file.size() - 8;
}

Result<NamedTensors> ReadSafetensors(Bytes file, std::shared_ptr<const void> owner) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"BF16", DType::kBF16},      {"BOOL", DType::kBool}, {"F16", DType::kF16},
      {"F32", DType::kF32},        {"F64", DType::kF64},   {"F8_E4M3", DType::kF8E4M3},
      {"F8_E5M2", DType::kF8E5M2}, {"I16", DType::kI16},   {"I32", DType::kI32},
      {"I64", DType::kI64},        {"I8", DType::kI8},     {"U16", DType::kU16},
      {"U32", DType::kU32},        {"U64", DType::kU64},   {"U8", DType::kU8}};
  if (!IsSafetensors(file))
    return Error(ErrorCode::kCorruptFile, "the header does not fit the file");
  std::uint64_t size;
  std::memcpy(&size, file.data(), sizeof size);
  const Bytes data = file.subspan(8 + size);
  simdjson::dom::parser parser;
  simdjson::dom::object root;
  const auto error = parser.parse(reinterpret_cast<const char*>(file.data()) + 8, size).get(root);
  if (error != simdjson::SUCCESS)
    return Error(ErrorCode::kCorruptFile, "the header is broken: {}",
                 simdjson::error_message(error));
  CopyBudget budget = CopyBudget::For(file);
  NamedTensors tensors;
  for (const auto field : root) {
    if (field.key == "__metadata__") continue;
    const auto read = [&]() -> Result<Tensor> {
      std::string_view type;
      simdjson::dom::array shape, offsets;
      if (field.value["dtype"].get(type) != simdjson::SUCCESS ||
          field.value["shape"].get(shape) != simdjson::SUCCESS ||
          field.value["data_offsets"].get(offsets) != simdjson::SUCCESS || offsets.size() != 2)
        return InvalidModel("it has no dtype, shape and data_offsets");
      const auto* found = std::find_if(std::begin(kTypes), std::end(kTypes),
                                       [&](const auto& known) { return known.first == type; });
      if (found == std::end(kTypes)) return Unsupported("element type {} is not read", type);
      Dims dims, strides;
      for (const simdjson::dom::element item : shape) {
        std::int64_t dim;
        if (item.get(dim) != simdjson::SUCCESS || dim < 0) return InvalidModel("a size is none");
        dims.push_back(dim);
      }
      std::uint64_t begin = 0, end = 0;
      const auto count = CheckedCount(dims);
      const auto bytes = count ? CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(*count),
                                                           ElementBytes(found->second))
                               : std::nullopt;
      if (offsets.at(0).get(begin) != simdjson::SUCCESS ||
          offsets.at(1).get(end) != simdjson::SUCCESS || begin > end || end > data.size() ||
          !bytes || *bytes != end - begin)
        return Error(ErrorCode::kCorruptFile, "its bytes do not fit its shape {}", ToString(dims));
      strides.assign(dims.size(), 1);
      for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
      return StridedTensor(found->second, dims, strides, 0,
                           {data.subspan(begin, end - begin), owner}, budget);
    };
    Result<Tensor> tensor = read();
    if (!tensor.ok()) return std::move(tensor).status().In(fmt::format("tensor \"{}\"", field.key));
    tensors.emplace_back(std::string(field.key), *std::move(tensor));
  }
  return tensors;
}

}  // namespace athanor::pytorch
