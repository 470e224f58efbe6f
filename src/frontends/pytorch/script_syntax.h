// The Python that TorchScript writes (torch/csrc/jit/serialization/python_print): classes and
// functions of assignments, calls, if, for and while. Types are read over. Hostile input: nesting
// is bounded.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor::pytorch {

struct Expression {
  enum class Kind : std::uint8_t {
    kName,       // text
    kAttribute,  // items[0] . text
    kCall,       // items[0] ( items[1..] ); kKeyword among them
    kKeyword,    // text = items[0]
    kSubscript,  // items[0] [ items[1] ]
    kInt,
    kFloat,
    kString,  // text without quotes, escapes undone in `owned`
    kList,
    kTuple,
    kDict,    // key, value, key, value
    kChoice,  // items[1] if items[0] else items[2]
    kUnary,   // text ("not", "-") items[0]
    kBinary,  // items[0] text items[1]
    kTrue,
    kFalse,
    kNone,
  };
  Kind kind = Kind::kNone;
  std::string_view text;
  std::string owned;
  std::vector<Expression> items;
  std::size_t at = 0;  // byte in the file
};

struct Statement {
  enum class Kind : std::uint8_t { kAssign, kEvaluate, kReturn, kIf, kWhile, kFor, kPass };
  Kind kind = Kind::kPass;
  std::vector<Expression> targets;  // of kAssign; one for kFor
  bool unpacks = false;             // a, b = ...
  Expression value;                 // the condition of kIf and kWhile, what kFor runs over
  std::vector<Statement> body, otherwise;
  std::size_t at = 0;
};

struct ScriptFunction {
  std::vector<std::string_view> parameters;
  std::vector<Expression> defaults;  // of the last parameters
  std::vector<Statement> body;
};

struct ScriptClass {
  std::map<std::string_view, ScriptFunction> methods;
  std::map<std::string_view, Expression> constants;  // name : Final[int] = 4
  std::vector<std::string_view> fields;              // in order; of a NamedTuple its items
  bool is_tuple = false;
};

struct ScriptFile {
  std::map<std::string_view, ScriptClass> classes;
  std::map<std::string_view, ScriptFunction> functions;
};

// The text must outlive the result.
Result<ScriptFile> ParseScript(std::string_view text);

}  // namespace athanor::pytorch
