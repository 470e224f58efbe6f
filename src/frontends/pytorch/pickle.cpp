#include "frontends/pytorch/pickle.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "core/text.h"
#include "frontends/pytorch/scalar_type.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;
using Call = std::span<const Value>;

class Unpickler {
 public:
  Unpickler(Bytes bytes, Heap& heap, const PickleOptions& options)
      : bytes_(bytes), heap_(heap), options_(options) {}

  Result<Value> Run() {
    if (options_.position != nullptr) at_ = *options_.position;
    while (!stopped_) {
      const std::size_t start = at_;
      Status status = Step();
      if (!status.ok()) return std::move(status).In(fmt::format("byte {} of the pickle", start));
    }
    if (options_.position != nullptr) *options_.position = at_;
    return Pop();
  }

 private:
  struct Opcode {
    std::uint8_t code = 0;
    Status (Unpickler::*run)() = nullptr;
  };
  struct Function {
    std::string_view name;
    Result<Value> (Unpickler::*call)(Call arguments) = nullptr;
  };

  Status Step() {
    ATH_TRY(const std::uint8_t code, Read<std::uint8_t>());
    static const std::vector<Opcode> opcodes = Opcodes();
    for (const Opcode& opcode : opcodes) {
      if (opcode.code == code) return (this->*opcode.run)();
    }
    return Error(ErrorCode::kUnsafeFile, "opcode 0x{:02X} is not followed", code);
  }

  // ---- bytes
  template <class T>
  Result<T> Read() {
    if (bytes_.size() - at_ < sizeof(T)) return Error(ErrorCode::kCorruptFile, "it ends early");
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  Result<std::string_view> ReadText(std::uint64_t size) {
    if (bytes_.size() - at_ < size) return Error(ErrorCode::kCorruptFile, "it ends early");
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + at_, size);
    at_ += size;
    return text;
  }
  Result<std::string_view> ReadLine() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_,
                                bytes_.size() - at_);
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) return Error(ErrorCode::kCorruptFile, "it ends early");
    at_ += end + 1;
    return rest.substr(0, end);
  }

  // ---- the stack
  Status Push(Value value) {
    stack_.push_back(value);
    return {};
  }
  Result<Value> Pop() {
    if (stack_.empty()) return Error(ErrorCode::kCorruptFile, "its stack is empty");
    const Value value = stack_.back();
    stack_.pop_back();
    return value;
  }
  Result<Value> PopOf(Kind kind) {
    ATH_TRY(const Value value, Pop());
    if (value.kind != kind)
      return InvalidModel("{} is where {} is expected", NameOf(value.kind), NameOf(kind));
    return value;
  }
  Result<Value*> Top(Kind kind) {
    if (stack_.empty() || stack_.back().kind != kind)
      return InvalidModel("{} is expected", NameOf(kind));
    return &stack_.back();
  }
  // What lies above the last mark, which goes too.
  Result<std::vector<Value>> PopMark() {
    for (std::size_t i = stack_.size(); i-- > 0;) {
      if (!stack_[i].Is(Kind::kMark)) continue;
      std::vector<Value> values(stack_.begin() + static_cast<std::ptrdiff_t>(i) + 1, stack_.end());
      stack_.resize(i);
      return values;
    }
    return Error(ErrorCode::kCorruptFile, "a mark is missing");
  }

  // ---- opcodes
  static std::vector<Opcode> Opcodes();
  Status Protocol() {
    ATH_TRY(const std::uint8_t version, Read<std::uint8_t>());
    if (version <= 5) return {};
    return Unsupported("pickle protocol {} is not read; up to 5 are", version);
  }
  Status Frame() { return Read<std::uint64_t>().status(); }
  Status Stop() {
    stopped_ = true;
    return {};
  }
  Status Mark() { return Push({.kind = Kind::kMark}); }
  Status Drop() { return Pop().status(); }
  Status None() { return Push({}); }
  Status True() { return Push(Value::Bool(true)); }
  Status False() { return Push(Value::Bool(false)); }
  template <class T>
  Status Integer() {
    ATH_TRY(const T value, Read<T>());
    return Push(Value::Int(static_cast<std::int64_t>(value)));
  }
  // Little endian, two's complement, of any length; up to 8 bytes are read.
  Status LongInteger() {
    ATH_TRY(const std::uint8_t size, Read<std::uint8_t>());
    ATH_TRY(const std::string_view text, ReadText(size));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < text.size() && i < 8; ++i)
      value |= static_cast<std::uint64_t>(static_cast<std::uint8_t>(text[i])) << (8 * i);
    if (size > 0 && size < 8 && (static_cast<std::uint8_t>(text.back()) & 0x80U) != 0)
      value |= ~std::uint64_t{0} << (8 * size);
    // Longer ones are magic numbers of the old format, which only need to be equal to themselves.
    return Push(Value::Int(static_cast<std::int64_t>(value)));
  }
  Status Real() {
    ATH_TRY(const std::uint64_t big, Read<std::uint64_t>());
    const std::uint64_t bits = __builtin_bswap64(big);
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return Push(Value::Float(value));
  }
  template <class Size>
  Status Text() {
    ATH_TRY(const Size size, Read<Size>());
    ATH_TRY(const std::string_view text, ReadText(size));
    return Push(heap_.String(text));
  }
  Status EmptyList() { return Push(heap_.List()); }
  Status EmptyTuple() { return Push(heap_.Tuple({})); }
  Status EmptyDict() { return Push(heap_.Dict()); }
  Status TupleOfMark() {
    ATH_TRY(std::vector<Value> values, PopMark());
    return Push(heap_.Tuple(std::move(values)));
  }
  Status ListOfMark() {
    ATH_TRY(std::vector<Value> values, PopMark());
    return Push(heap_.List(std::move(values)));
  }
  template <std::size_t kCount>
  Status TupleOf() {
    std::vector<Value> values(kCount);
    for (std::size_t i = kCount; i-- > 0;) {
      ATH_TRY(values[i], Pop());
    }
    return Push(heap_.Tuple(std::move(values)));
  }
  Status Append() {
    ATH_TRY(const Value value, Pop());
    ATH_TRY(Value * list, Top(Kind::kList));
    list->items->values.push_back(value);
    return {};
  }
  Status Appends() {
    ATH_TRY(const std::vector<Value> values, PopMark());
    ATH_TRY(Value * list, Top(Kind::kList));
    list->items->values.insert(list->items->values.end(), values.begin(), values.end());
    return {};
  }
  Status SetItem() {
    ATH_TRY(const Value value, Pop());
    ATH_TRY(const Value key, Pop());
    ATH_TRY(Value * dict, Top(Kind::kDict));
    dict->dictionary->entries.emplace_back(key, value);
    return {};
  }
  Status SetItems() {
    ATH_TRY(const std::vector<Value> values, PopMark());
    ATH_TRY(Value * dict, Top(Kind::kDict));
    if (values.size() % 2 != 0) return Error(ErrorCode::kCorruptFile, "a key has no value");
    for (std::size_t i = 0; i < values.size(); i += 2)
      dict->dictionary->entries.emplace_back(values[i], values[i + 1]);
    return {};
  }
  template <class T>
  Status Put() {
    ATH_TRY(const T index, Read<T>());
    if (stack_.empty()) return Error(ErrorCode::kCorruptFile, "its stack is empty");
    memo_[index] = stack_.back();
    return {};
  }
  Status Memoize() {
    if (stack_.empty()) return Error(ErrorCode::kCorruptFile, "its stack is empty");
    memo_[memo_.size()] = stack_.back();
    return {};
  }
  template <class T>
  Status Get() {
    ATH_TRY(const T index, Read<T>());
    const auto found = memo_.find(index);
    if (found == memo_.end())
      return Error(ErrorCode::kCorruptFile, "nothing was remembered as {}", index);
    return Push(found->second);
  }
  Status Global() {
    ATH_TRY(const std::string_view module, ReadLine());
    ATH_TRY(const std::string_view name, ReadLine());
    return PushGlobal(module, name);
  }
  Status StackGlobal() {
    ATH_TRY(const Value name, PopOf(Kind::kString));
    ATH_TRY(const Value module, PopOf(Kind::kString));
    return PushGlobal(*module.text, *name.text);
  }
  Status PushGlobal(std::string_view module, std::string_view name);
  Status Persistent();
  Status Reduce() {
    ATH_TRY(const Value arguments, PopOf(Kind::kTuple));
    ATH_TRY(const Value function, PopOf(Kind::kGlobal));
    for (const Function& known : Functions()) {
      if (known.name != *function.text) continue;
      Result<Value> made = (this->*known.call)(arguments.items->values);
      if (!made.ok()) return std::move(made).status().In(std::string(known.name));
      return Push(*made);
    }
    if (!IsOpaque(*function.text)) return InvalidModel("{} is no function", *function.text);
    const Value object = heap_.NewObject(function.text);
    object.object->Set(heap_.Text("__args__"), arguments);
    return Push(object);
  }
  Status NewObject() {
    ATH_TRY(const Value arguments, PopOf(Kind::kTuple));
    ATH_TRY(const Value type, PopOf(Kind::kGlobal));
    if ((!IsClass(*type.text) && !IsOpaque(*type.text)) || !arguments.items->values.empty())
      return InvalidModel("{} is no class that is read", *type.text);
    return Push(heap_.NewObject(type.text));
  }
  Status Build() {
    ATH_TRY(const Value state, Pop());
    if (stack_.empty()) return Error(ErrorCode::kCorruptFile, "its stack is empty");
    const Value& target = stack_.back();
    // An ordered dictionary may have attributes of its own, such as the versions of its modules.
    if (target.Is(Kind::kDict)) return {};
    if (!target.Is(Kind::kObject)) return InvalidModel("{} has no state", NameOf(target.kind));
    if (!state.Is(Kind::kDict)) {
      target.object->Set(heap_.Text("__state__"), state);
      return {};
    }
    for (const auto& [key, value] : state.dictionary->entries) {
      if (!key.Is(Kind::kString)) return InvalidModel("an attribute has no name");
      target.object->attributes.emplace_back(key.text, value);
    }
    return options_.following ? TakeFollowing(*target.object) : Status();
  }
  Status TakeFollowing(Object& object) {
    ATH_TRY(const Following following, options_.following(object));
    if (following.kind == Following::Kind::kNothing) return {};
    const std::string* name = heap_.Text("__following__");
    if (following.kind == Following::Kind::kPickle) {
      PickleOptions inner = options_;
      inner.following = nullptr;
      std::size_t position = at_;
      inner.position = &position;
      ATH_TRY(const Value value, ReadPickle(bytes_, heap_, inner));
      at_ = position;
      object.Set(name, value);
      return {};
    }
    if (following.padded) {
      ATH_TRY(const std::uint8_t padding, Read<std::uint8_t>());
      ATH_RETURN_IF_ERROR(ReadText(padding).status());
    }
    ATH_TRY(const std::string_view bytes, ReadText(following.bytes));
    object.Set(name, heap_.String(bytes));
    return {};
  }

  // ---- functions that may be called, and what they mean
  static std::span<const Function> Functions();
  bool IsClass(std::string_view name) const {
    return !options_.classes.empty() && name.starts_with(options_.classes);
  }
  bool IsOpaque(std::string_view name) const {
    return std::find(options_.opaque.begin(), options_.opaque.end(), name) != options_.opaque.end();
  }
  Result<Value> DefaultDict(Call) { return heap_.Dict(); }
  Result<Value> OrderedDict(Call arguments) {
    const Value dict = heap_.Dict();
    if (arguments.empty()) return dict;
    // From pairs, as protocol 2 had it.
    if (!arguments[0].IsSequence()) return InvalidModel("pairs are expected");
    for (const Value& pair : arguments[0].items->values) {
      if (!pair.IsSequence() || pair.items->values.size() != 2)
        return InvalidModel("pairs are expected");
      dict.dictionary->entries.emplace_back(pair.items->values[0], pair.items->values[1]);
    }
    return dict;
  }
  Result<Value> FirstArgument(Call arguments) {
    if (arguments.empty()) return InvalidModel("an argument is missing");
    return arguments[0];
  }
  Result<Value> Device(Call arguments) {
    if (arguments.empty() || !arguments[0].Is(Kind::kString)) return heap_.String("cpu");
    return arguments[0];
  }
  Result<Value> ListOfInts(Call arguments) {
    if (arguments.empty() || !arguments[0].IsSequence()) return InvalidModel("a list is expected");
    return arguments[0];
  }
  Result<Value> Size(Call arguments) {
    if (arguments.empty() || !arguments[0].IsSequence()) return InvalidModel("sizes are expected");
    return arguments[0];
  }
  Result<Value> RebuildTensor(Call arguments);
  Result<Dims> IntsOf(const Value& value) const;

  Bytes bytes_;
  Heap& heap_;
  const PickleOptions& options_;
  std::size_t at_ = 0;
  bool stopped_ = false;
  std::vector<Value> stack_;
  std::unordered_map<std::uint64_t, Value> memo_;
};

std::vector<Unpickler::Opcode> Unpickler::Opcodes() {
  using U = Unpickler;
  return {
      {'(', &U::Mark},
      {')', &U::EmptyTuple},
      {'.', &U::Stop},
      {'0', &U::Drop},
      {'B', &U::Text<std::uint32_t>},
      {'C', &U::Text<std::uint8_t>},
      {'G', &U::Real},
      {'J', &U::Integer<std::int32_t>},
      {'K', &U::Integer<std::uint8_t>},
      {'M', &U::Integer<std::uint16_t>},
      {'N', &U::None},
      {'Q', &U::Persistent},
      {'R', &U::Reduce},
      {'T', &U::Text<std::uint32_t>},
      {'U', &U::Text<std::uint8_t>},
      {'X', &U::Text<std::uint32_t>},
      {']', &U::EmptyList},
      {'a', &U::Append},
      {'b', &U::Build},
      {'c', &U::Global},
      {'e', &U::Appends},
      {'h', &U::Get<std::uint8_t>},
      {'j', &U::Get<std::uint32_t>},
      {'l', &U::ListOfMark},
      {'q', &U::Put<std::uint8_t>},
      {'r', &U::Put<std::uint32_t>},
      {'s', &U::SetItem},
      {'t', &U::TupleOfMark},
      {'u', &U::SetItems},
      {'}', &U::EmptyDict},
      {0x80, &U::Protocol},
      {0x81, &U::NewObject},
      {0x85, &U::TupleOf<1>},
      {0x86, &U::TupleOf<2>},
      {0x87, &U::TupleOf<3>},
      {0x88, &U::True},
      {0x89, &U::False},
      {0x8A, &U::LongInteger},
      {0x8C, &U::Text<std::uint8_t>},
      {0x8D, &U::Text<std::uint64_t>},
      {0x8E, &U::Text<std::uint64_t>},
      {0x93, &U::StackGlobal},
      {0x94, &U::Memoize},
      {0x95, &U::Frame},
      {0x96, &U::Text<std::uint64_t>},
  };
}

std::span<const Unpickler::Function> Unpickler::Functions() {
  using U = Unpickler;
  static const std::vector<Function> functions = {
      {"collections OrderedDict", &U::OrderedDict},
      {"collections defaultdict", &U::DefaultDict},
      {"torch Size", &U::Size},
      {"torch device", &U::Device},
      {"torch._utils _rebuild_parameter", &U::FirstArgument},
      {"torch._utils _rebuild_parameter_with_state", &U::FirstArgument},
      {"torch._utils _rebuild_tensor_v2", &U::RebuildTensor},
      {"torch._utils _rebuild_tensor", &U::RebuildTensor},
      {"torch.jit._pickle build_boollist", &U::ListOfInts},
      {"torch.jit._pickle build_doublelist", &U::ListOfInts},
      {"torch.jit._pickle build_intlist", &U::ListOfInts},
      {"torch.jit._pickle build_tensorlist", &U::ListOfInts},
      {"torch.jit._pickle restore_type_tag", &U::FirstArgument},
  };
  return functions;
}

// Element types and storages are names too: "torch float32", "torch FloatStorage".
Status Unpickler::PushGlobal(std::string_view module, std::string_view name) {
  const std::string whole = fmt::format("{} {}", module, name);
  bool known = IsClass(whole) || IsOpaque(whole);
  for (const Function& function : Functions()) known = known || function.name == whole;
  if (module == "torch" && DTypeOfName(name) != DType::kUndefined) known = true;
  if (whole == "torch.storage UntypedStorage") known = true;
  if (!known)
    return Error(ErrorCode::kUnsafeFile, "the file asks to load {}, which could execute code",
                 Quote(fmt::format("{}.{}", module, name)))
        .Fix(std::string(options_.fix));
  return Push({.kind = Kind::kGlobal, .text = heap_.Text(whole)});
}

// ("storage", type, key, device, number of elements)
Status Unpickler::Persistent() {
  ATH_TRY(const Value id, PopOf(Kind::kTuple));
  const std::vector<Value>& parts = id.items->values;
  if (parts.size() < 5 || !parts[1].Is(Kind::kGlobal) || !parts[2].Is(Kind::kString))
    return InvalidModel("a storage is not described as one");
  Value storage = heap_.Tuple(parts);
  storage.kind = Kind::kStorage;
  return Push(storage);
}

Result<Dims> Unpickler::IntsOf(const Value& value) const {
  if (!value.IsSequence()) return InvalidModel("a list of sizes is expected");
  Dims sizes;
  for (const Value& item : value.items->values) {
    if (!item.Is(Kind::kInt)) return InvalidModel("a size is {}", NameOf(item.kind));
    sizes.push_back(item.integer);
  }
  return sizes;
}

// (storage, offset, sizes, strides, ...)
Result<Value> Unpickler::RebuildTensor(Call arguments) {
  if (arguments.size() < 4 || !arguments[0].Is(Kind::kStorage) || !arguments[1].Is(Kind::kInt))
    return InvalidModel("a tensor is not described as one");
  const std::vector<Value>& storage = arguments[0].items->values;
  const std::string& type = *storage[1].text;
  const DType dtype = DTypeOfName(std::string_view(type).substr(type.find(' ') + 1));
  if (dtype == DType::kUndefined) return Unsupported("{} has no element type", type);
  ATH_TRY(const Dims sizes, IntsOf(arguments[2]));
  ATH_TRY(const Dims strides, IntsOf(arguments[3]));
  Member bytes;
  if (options_.storage) {
    ATH_TRY(bytes, options_.storage(*storage[2].text, dtype));
  }
  if (options_.only_types) return heap_.Tuple({Value::Int(ScalarTypeOf(dtype)), arguments[2]});
  if (!options_.storage || options_.budget == nullptr)
    return Unsupported("tensors are not read here");
  ATH_TRY(Tensor tensor,
          StridedTensor(dtype, sizes, strides, arguments[1].integer, bytes, *options_.budget));
  return heap_.NewWeight(std::move(tensor), "");
}

}  // namespace

Result<Value> ReadPickle(Bytes bytes, Heap& heap, const PickleOptions& options) {
  return Unpickler(bytes, heap, options).Run();
}

}  // namespace athanor::pytorch
