// A PaddlePaddle program in one form, whichever of its two files it was read from: variables, and
// blocks of operators that read and make them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/dtype.h"

namespace athanor::paddle {

using Bytes = std::span<const std::uint8_t>;
using IntList = std::vector<std::int64_t>;
using RealList = std::vector<double>;
using TextList = std::vector<std::string>;

// Truth is an integer. Element types are numbers of VarType in a .pdmodel, names in JSON.
using Attribute = std::variant<std::int64_t, double, std::string, IntList, RealList, TextList>;

inline constexpr std::size_t kNoVariable = SIZE_MAX;
inline constexpr int kMaxDepth = 16;  // of blocks

struct Slot {
  std::string name;                    // "" in JSON, where the place says which one it is
  std::vector<std::size_t> variables;  // kNoVariable: left out
};

struct Operator {
  std::string type;  // "conv2d"; of other dialects than pd_op with the dialect: "cf.yield"
  std::vector<Slot> inputs = {}, outputs = {};
  std::vector<std::pair<std::string, Attribute>> attributes = {};
  std::vector<std::size_t> blocks = {};

  const Attribute* Find(std::string_view name) const;
};

struct Variable {
  std::string name;
  DType dtype = DType::kUndefined;
  IntList dims = {};  // -1: not known
  bool is_parameter = false;
};

struct Block {
  std::vector<std::size_t> arguments = {};
  std::vector<Operator> operators = {};
};

struct Program {
  bool is_pir = false;
  std::vector<Variable> variables = {};
  std::vector<Block> blocks = {};  // the first is the program's
};

// kUndefined for what has no counterpart.
DType DTypeOfVarType(std::int64_t type);
DType DTypeOfName(std::string_view name);  // "float32"

// A .pdmodel: a protocol buffer whose first message is block 0, which has no parent.
bool IsProgramDesc(Bytes bytes);
Result<Program> ReadProgramDesc(Bytes bytes);

// The JSON that PaddlePaddle 3 writes of its intermediate representation (PIR).
bool IsPir(Bytes bytes);
Result<Program> ReadPir(Bytes bytes);

}  // namespace athanor::paddle
