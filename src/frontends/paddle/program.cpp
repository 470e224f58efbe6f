// ProgramDesc, the protocol buffer of a .pdmodel file.
#include "frontends/paddle/program.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>

#include "core/text.h"
#include "frontends/paddle/schema.h"

namespace athanor::paddle {
namespace {

enum AttributeType : std::int32_t {
  kInt,
  kFloat,
  kString,
  kInts,
  kFloats,
  kStrings,
  kBoolean,
  kBooleans,
  kBlock,
  kLong,
  kBlocks,
  kLongs,
  kFloat64s,
  kVar,
  kVars,
  kFloat64,
  kScalar,
  kScalars
};

template <class To, class From>
To ListOf(const From& from) {
  return To(from.begin(), from.end());
}

double RealOf(const ScalarDesc& scalar) {
  constexpr std::int32_t kReal = 3, kLongScalar = 2;
  if (scalar.type == kReal) return scalar.r;
  return scalar.type == kLongScalar ? static_cast<double>(scalar.i) : scalar.b;
}

// Nothing for kinds that no operator here reads.
std::optional<Attribute> AttributeOf(const AttributeDesc& desc) {
  switch (desc.type) {
    case kInt:
      return std::int64_t{desc.i};
    case kLong:
      return desc.l;
    case kBoolean:
      return std::int64_t{desc.b != 0};
    case kFloat:
      return static_cast<double>(desc.f);
    case kFloat64:
      return desc.float64;
    case kString:
      return desc.s;
    case kInts:
      return ListOf<IntList>(desc.ints);
    case kLongs:
      return ListOf<IntList>(desc.longs);
    case kBooleans:
      return ListOf<IntList>(desc.bools);
    case kFloats:
      return ListOf<RealList>(desc.floats);
    case kFloat64s:
      return ListOf<RealList>(desc.float64s);
    case kStrings:
      return ListOf<TextList>(desc.strings);
    case kScalar:
      if (!desc.scalar) return std::nullopt;
      return RealOf(*desc.scalar);
    case kScalars: {
      RealList reals;
      for (const ScalarDesc& scalar : desc.scalars) reals.push_back(RealOf(scalar));
      return reals;
    }
    default:
      return std::nullopt;
  }
}

class DescReader {
 public:
  explicit DescReader(const ProgramDesc& desc) : desc_(desc) {}

  Result<Program> Run() {
    if (desc_.blocks.empty()) return InvalidModel("the program has no blocks");
    names_.resize(desc_.blocks.size());
    for (std::size_t i = 0; i < desc_.blocks.size(); ++i) AddVariables(i);
    for (std::size_t i = 0; i < desc_.blocks.size(); ++i) {
      program_.blocks.emplace_back();
      for (const OpDesc& op : desc_.blocks[i].ops) {
        Result<Operator> read = ReadOperator(i, op);
        if (!read.ok())
          return std::move(read).status().In(fmt::format("operator {}", Quote(op.type)));
        program_.blocks.back().operators.push_back(*std::move(read));
      }
    }
    return std::move(program_);
  }

 private:
  void AddVariables(std::size_t block) {
    constexpr std::int32_t kLodTensor = 7;
    for (const VarDesc& var : desc_.blocks[block].vars) {
      const TensorDesc& tensor = var.type.lod_tensor.tensor;
      names_[block].emplace(var.name, program_.variables.size());
      program_.variables.push_back({var.name, DTypeOfVarType(tensor.data_type), tensor.dims,
                                    var.persistable && block == 0 && var.type.type == kLodTensor});
    }
  }

  // Looked for in the block and those around it.
  Result<std::size_t> Find(std::size_t block, const std::string& name) const {
    for (int depth = 0; depth < kMaxDepth; ++depth) {
      const auto found = names_[block].find(name);
      if (found != names_[block].end()) return found->second;
      const std::int32_t parent = desc_.blocks[block].parent.value_or(-1);
      if (parent < 0 || static_cast<std::size_t>(parent) >= names_.size()) break;
      block = static_cast<std::size_t>(parent);
    }
    return InvalidModel("variable {} is not declared", Quote(name.substr(0, 100)));
  }

  Result<std::vector<Slot>> ReadSlots(std::size_t block, const std::vector<SlotDesc>& descs) const {
    std::vector<Slot> slots;
    for (const SlotDesc& desc : descs) {
      Slot slot = {desc.parameter, {}};
      for (const std::string& name : desc.arguments) {
        // A gradient's or an output's place that stays free.
        if (name == "@EMPTY@") {
          slot.variables.push_back(kNoVariable);
          continue;
        }
        ATH_TRY(const std::size_t variable, Find(block, name));
        slot.variables.push_back(variable);
      }
      slots.push_back(std::move(slot));
    }
    return slots;
  }

  Result<Operator> ReadOperator(std::size_t block, const OpDesc& desc) {
    Operator op = {desc.type};
    ATH_TRY(op.inputs, ReadSlots(block, desc.inputs));
    ATH_TRY(op.outputs, ReadSlots(block, desc.outputs));
    for (const AttributeDesc& attribute : desc.attrs) {
      if (attribute.type == kBlock) {
        if (attribute.block <= 0 ||
            static_cast<std::size_t>(attribute.block) >= desc_.blocks.size())
          return InvalidModel("block {} does not exist", attribute.block);
        // So that what is inside a block is read once.
        if (!used_blocks_.insert(attribute.block).second)
          return InvalidModel("block {} belongs to two operators", attribute.block);
        op.blocks.push_back(static_cast<std::size_t>(attribute.block));
      } else if (auto value = AttributeOf(attribute)) {
        op.attributes.emplace_back(attribute.name, *std::move(value));
      }
    }
    return op;
  }

  const ProgramDesc& desc_;
  Program program_;
  std::vector<std::unordered_map<std::string, std::size_t>> names_;  // by block
  std::set<std::int32_t> used_blocks_;
};

}  // namespace

const Attribute* Operator::Find(std::string_view name) const {
  for (const auto& [key, value] : attributes) {
    if (key == name) return &value;
  }
  return nullptr;
}

DType DTypeOfVarType(std::int64_t type) {
  static constexpr std::pair<std::int64_t, DType> kTypes[] = {
      {0, DType::kBool}, {1, DType::kI16}, {2, DType::kI32}, {3, DType::kI64}, {4, DType::kF16},
      {5, DType::kF32},  {6, DType::kF64}, {20, DType::kU8}, {21, DType::kI8}, {22, DType::kBF16}};
  for (const auto& [number, dtype] : kTypes) {
    if (number == type) return dtype;
  }
  return DType::kUndefined;
}

bool IsProgramDesc(Bytes bytes) {
  constexpr std::uint64_t kBlocks = 0x0A, kIndex = 0x08, kParent = 0x10;
  protobuf::Cursor cursor(bytes);
  if (cursor.Varint() != kBlocks) return false;
  cursor.Varint();
  return cursor.Varint() == kIndex && cursor.Varint() == 0 && cursor.Varint() == kParent &&
         cursor.Varint() == ~std::uint64_t{0} && !cursor.failed();
}

Result<Program> ReadProgramDesc(Bytes bytes) {
  ATH_TRY(const ProgramDesc desc, protobuf::Parse<ProgramDesc>(bytes, "PaddlePaddle program"));
  return DescReader(desc).Run();
}

}  // namespace athanor::paddle
