// PIR, the JSON that PaddlePaddle 3 writes.
// Source: paddle/fluid/pir/serialize_deserialize (schema.h, ir_serialize.cc, deserialize_utils.h).
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "core/small_types.h"
#include "core/text.h"
#include "frontends/json_document.h"
#include "frontends/paddle/program.h"

namespace athanor::paddle {
namespace {

using Json = simdjson::dom::element;
using Array = simdjson::dom::array;

template <class T>
Result<T> Get(const Json& object, std::string_view name) {
  T value;
  if (object[name].get(value) == simdjson::SUCCESS) return value;
  return InvalidModel("\"{}\" is missing or of the wrong kind", name);
}

template <class T>
std::optional<T> Maybe(const Json& value) {
  T read;
  if (value.get(read) == simdjson::SUCCESS) return read;
  return std::nullopt;
}

// Dialects have numbers: "0.split" is builtin.split, "1.conv2d" pd_op.conv2d. A "_" at the end
// marks an operator that may work in place.
std::string OperatorName(std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> kDialects[] = {
      {"0.", "builtin."}, {"1.", ""}, {"2.", "cf."}, {"3.", "custom_op."}, {"4.", "dist."}};
  std::string name(text);
  for (const auto& [number, dialect] : kDialects) {
    if (!name.starts_with(number)) continue;
    name = std::string(dialect) + name.substr(number.size());
    break;
  }
  if (name.ends_with('_')) name.pop_back();
  return name;
}

// The words that stand for floating-point numbers which JSON cannot write.
std::optional<double> SpecialNumber(std::string_view word) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (word == "NAN") return std::numeric_limits<double>::quiet_NaN();
  if (word == "INF") return kInfinity;
  if (word == "-INF") return -kInfinity;
  return std::nullopt;
}

std::optional<IntList> IntsOf(const Array& array) {
  IntList list;
  for (const Json item : array) {
    const auto number = Maybe<std::int64_t>(item);
    if (!number) return std::nullopt;
    list.push_back(*number);
  }
  return list;
}

// ["float32", 1.5]
std::optional<Attribute> ScalarOf(const Json& data) {
  std::string_view dtype;
  Json number;
  if (data.at(0).get(dtype) != simdjson::SUCCESS || data.at(1).get(number) != simdjson::SUCCESS)
    return std::nullopt;
  const auto bits = [&] {
    return static_cast<std::uint16_t>(Maybe<std::int64_t>(number).value_or(0));
  };
  if (dtype == "float16")
    return static_cast<double>(static_cast<float>(std::bit_cast<Half>(bits())));
  if (dtype == "bfloat16")
    return static_cast<double>(static_cast<float>(std::bit_cast<BFloat16>(bits())));
  if (const auto truth = Maybe<bool>(number)) return std::int64_t{*truth};
  if (const auto integer = Maybe<std::int64_t>(number)) return *integer;
  if (const auto real = Maybe<double>(number)) return *real;
  return std::nullopt;
}

std::optional<Attribute> AttributeOf(const Json& json);

// A list of attributes of one kind.
std::optional<Attribute> ListOf(const Array& array) {
  IntList ints;
  RealList reals;
  TextList texts;
  for (const Json item : array) {
    const std::optional<Attribute> value = AttributeOf(item);
    if (!value) return std::nullopt;
    if (const auto* integer = std::get_if<std::int64_t>(&*value)) {
      ints.push_back(*integer);
      reals.push_back(static_cast<double>(*integer));
    } else if (const auto* real = std::get_if<double>(&*value)) {
      reals.push_back(*real);
    } else if (const auto* text = std::get_if<std::string>(&*value)) {
      texts.push_back(*text);
    } else {
      return std::nullopt;
    }
  }
  if (ints.size() == array.size()) return ints;
  if (reals.size() == array.size()) return reals;
  if (texts.size() == array.size()) return texts;
  return std::nullopt;
}

// {"#": KIND, "D": VALUE}. Nothing for kinds that no operator here reads (places, layouts).
std::optional<Attribute> AttributeOf(const Json& json) {
  std::string_view kind, word;
  if (json["#"].get(kind) != simdjson::SUCCESS) return std::nullopt;
  if (json["VD"].get(word) == simdjson::SUCCESS) {
    if (const auto number = SpecialNumber(word)) return *number;
  }
  Json data;
  if (json["D"].get(data) != simdjson::SUCCESS) return std::nullopt;
  if (kind == "1.a_scalar") return ScalarOf(data);
  if (kind == "0.a_f32" || kind == "0.a_f64") {
    if (const auto real = Maybe<double>(data)) return *real;
    return std::nullopt;
  }
  if (const auto array = Maybe<Array>(data)) {
    if (kind == "0.a_array") return ListOf(*array);
    if (kind != "1.a_intarray") return std::nullopt;
    if (const auto list = IntsOf(*array)) return *list;
    return std::nullopt;
  }
  if (const auto truth = Maybe<bool>(data)) return std::int64_t{*truth};
  if (const auto integer = Maybe<std::int64_t>(data)) return *integer;
  if (const auto text = Maybe<std::string_view>(data)) return std::string(*text);
  return std::nullopt;
}

// "0.t_f32"
DType DTypeOfKind(std::string_view kind) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"0.t_bool", DType::kBool}, {"0.t_bf16", DType::kBF16}, {"0.t_f16", DType::kF16},
      {"0.t_f32", DType::kF32},   {"0.t_f64", DType::kF64},   {"0.t_i8", DType::kI8},
      {"0.t_ui8", DType::kU8},    {"0.t_i16", DType::kI16},   {"0.t_i32", DType::kI32},
      {"0.t_i64", DType::kI64}};
  for (const auto& [name, dtype] : kTypes) {
    if (name == kind) return dtype;
  }
  return DType::kUndefined;
}

class PirReader {
 public:
  Result<Program> Run(const Json& root) {
    Json program;
    if (root["program"].get(program) != simdjson::SUCCESS)
      return InvalidModel("there is no \"program\"");
    program_.is_pir = true;
    ATH_TRY(const Array regions, Get<Array>(program, "regions"));
    if (regions.size() != 1)
      return InvalidModel("the program has {} regions; 1 is expected", regions.size());
    ATH_RETURN_IF_ERROR(ReadRegion(regions.at(0).value(), 0).status());
    return std::move(program_);
  }

 private:
  // The number of the block that the region consists of.
  Result<std::size_t> ReadRegion(const Json& region, int depth) {
    if (depth > kMaxDepth)
      return Error(ErrorCode::kResource, "blocks are nested more than {} deep", kMaxDepth);
    ATH_TRY(const Array blocks, Get<Array>(region, "blocks"));
    if (blocks.size() != 1)
      return Unsupported("a region of {} blocks is not read; of 1 is", blocks.size());
    const std::size_t number = program_.blocks.size();
    program_.blocks.emplace_back();
    const Json json = blocks.at(0).value();
    ATH_TRY(const Array arguments, Get<Array>(json, "args"));
    Block block;
    for (const Json argument : arguments) {
      ATH_TRY(const std::size_t variable, Define(argument, "#"));
      block.arguments.push_back(variable);
    }
    ATH_TRY(const Array operators, Get<Array>(json, "ops"));
    for (const Json op : operators) {
      ATH_TRY(const std::string_view type, Get<std::string_view>(op, "#"));
      Status status = type == "p" ? ReadParameter(op) : ReadOperator(op, type, block, depth);
      if (!status.ok())
        return std::move(status).In(fmt::format("operator {}", Quote(OperatorName(type))));
    }
    program_.blocks[number] = std::move(block);
    return number;
  }

  // A value of the program where it is made. Arguments of blocks have their number under "#".
  Result<std::size_t> Define(const Json& value, std::string_view key = "%") {
    auto id = Get<std::int64_t>(value, key);
    if (!id.ok() && key == "#") id = Get<std::int64_t>(value, "%");
    ATH_TRY(const std::int64_t number, std::move(id));
    if (number == 0) return kNoVariable;
    Variable variable = {fmt::format("value{}", number)};
    Json type;
    std::string_view kind;
    if (value["TT"].get(type) == simdjson::SUCCESS && type["#"].get(kind) == simdjson::SUCCESS &&
        kind == "0.t_dtensor") {
      ATH_RETURN_IF_ERROR(ReadType(type, variable));
    }
    if (!ids_.emplace(number, program_.variables.size()).second)
      return InvalidModel("value {} is made twice", number);
    program_.variables.push_back(std::move(variable));
    return program_.variables.size() - 1;
  }

  // {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, [1, 3], "NCHW", [], 0]}
  static Status ReadType(const Json& type, Variable& variable) {
    std::string_view element;
    Array dims;
    if (type["D"].at(0)["#"].get(element) != simdjson::SUCCESS ||
        type["D"].at(1).get(dims) != simdjson::SUCCESS)
      return InvalidModel("the type of a value is not complete");
    const auto list = IntsOf(dims);
    if (!list) return InvalidModel("the sizes of a value are no integers");
    variable.dtype = DTypeOfKind(element);
    variable.dims = *list;
    return {};
  }

  // {"#": "p", "A": [0, 1, 1, NAME], "O": VALUE, "OA": [PERSISTABLE, ...]}
  Status ReadParameter(const Json& op) {
    Json value;
    std::string_view name;
    if (op["O"].get(value) != simdjson::SUCCESS || op["A"].at(3).get(name) != simdjson::SUCCESS)
      return InvalidModel("a parameter is not complete");
    // What is not in the file of parameters is a place of training, and left out here.
    std::int64_t persistable = 1;
    if (op["OA"].at(0).get(persistable) == simdjson::SUCCESS && persistable == 0) {
      ATH_TRY(const std::int64_t id, Get<std::int64_t>(value, "%"));
      ids_.emplace(id, kNoVariable);
      return {};
    }
    ATH_TRY(const std::size_t variable, Define(value));
    if (variable == kNoVariable) return InvalidModel("a parameter has no value");
    program_.variables[variable].name = std::string(name);
    program_.variables[variable].is_parameter = true;
    return {};
  }

  Status ReadOperator(const Json& json, std::string_view type, Block& block, int depth) {
    Operator op = {OperatorName(type)};
    ATH_TRY(const Array inputs, Get<Array>(json, "I"));
    for (const Json input : inputs) {
      ATH_TRY(const std::int64_t id, Get<std::int64_t>(input, "%"));
      const auto found = ids_.find(id);
      if (id != 0 && found == ids_.end())
        return InvalidModel("value {} is used before an operator makes it", id);
      op.inputs.push_back({"", {id == 0 ? kNoVariable : found->second}});
    }
    ATH_RETURN_IF_ERROR(ReadAttributes(json, op));
    Array regions;
    if (json["regions"].get(regions) == simdjson::SUCCESS) {
      for (const Json region : regions) {
        ATH_TRY(const std::size_t number, ReadRegion(region, depth + 1));
        op.blocks.push_back(number);
      }
    }
    ATH_TRY(const Array outputs, Get<Array>(json, "O"));
    for (const Json output : outputs) {
      ATH_TRY(const std::size_t variable, Define(output));
      op.outputs.push_back({"", {variable}});
    }
    block.operators.push_back(std::move(op));
    return {};
  }

  static Status ReadAttributes(const Json& json, Operator& op) {
    ATH_TRY(const Array attributes, Get<Array>(json, "A"));
    for (const Json attribute : attributes) {
      ATH_TRY(const std::string_view name, Get<std::string_view>(attribute, "N"));
      Json value;
      if (attribute["AT"].get(value) != simdjson::SUCCESS) continue;
      if (auto read = AttributeOf(value)) op.attributes.emplace_back(name, *std::move(read));
    }
    return {};
  }

  Program program_;
  std::unordered_map<std::int64_t, std::size_t> ids_;
};

}  // namespace

DType DTypeOfName(std::string_view name) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"bool", DType::kBool},   {"bfloat16", DType::kBF16}, {"float16", DType::kF16},
      {"float32", DType::kF32}, {"float64", DType::kF64},   {"int8", DType::kI8},
      {"uint8", DType::kU8},    {"int16", DType::kI16},     {"int32", DType::kI32},
      {"int64", DType::kI64}};
  for (const auto& [word, dtype] : kTypes) {
    if (word == name) return dtype;
  }
  return DType::kUndefined;
}

bool IsPir(Bytes bytes) {
  constexpr std::size_t kHead = 256;
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), kHead));
  const std::size_t start = head.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && head[start] == '{' &&
         head.find("\"base_code\"") != std::string_view::npos &&
         head.find("\"pir\"") != std::string_view::npos;
}

Result<Program> ReadPir(Bytes bytes) {
  simdjson::dom::parser parser;
  ATH_TRY(const Json root,
          ParseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, parser));
  return PirReader().Run(root);
}

}  // namespace athanor::paddle
