#include "frontends/pytorch/exported_program.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/json_document.h"
#include "frontends/pytorch/foreign.h"
#include "frontends/pytorch/numbers.h"
#include "frontends/pytorch/op_import.h"
#include "frontends/pytorch/pickle.h"
#include "frontends/pytorch/scalar_type.h"
#include "frontends/pytorch/storage.h"
#include "frontends/pytorch/weights.h"
#include "ops/catalog.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;
using Json = simdjson::dom::element;

constexpr std::string_view kOldProgram = "serialized_exported_program.json";
constexpr int kMostNested = 32;  // graphs within graphs

// ---- members of the document

Result<Json> MemberOf(const Json& object, std::string_view name) {
  Json member;
  if (object[name].get(member) == simdjson::SUCCESS) return member;
  return InvalidModel("there is no \"{}\"", name);
}
template <class T>
Result<T> Get(const Json& object, std::string_view name) {
  T value;
  if (object[name].get(value) == simdjson::SUCCESS) return value;
  return InvalidModel("\"{}\" is missing or of the wrong kind", name);
}
std::string_view TextOr(const Json& object, std::string_view name,
                        std::string_view otherwise = "") {
  std::string_view text;
  return object[name].get(text) == simdjson::SUCCESS ? text : otherwise;
}
std::int64_t IntOr(const Json& object, std::string_view name, std::int64_t otherwise) {
  std::int64_t number;
  return object[name].get(number) == simdjson::SUCCESS ? number : otherwise;
}
// {"as_tensor": {...}}: the kind and what it holds.
Result<std::pair<std::string_view, Json>> OneOf(const Json& choice) {
  simdjson::dom::object object;
  if (choice.get(object) != simdjson::SUCCESS || object.size() != 1)
    return InvalidModel("one of several kinds is expected");
  const auto field = *object.begin();
  return std::pair<std::string_view, Json>(field.key, field.value);
}

// ---- tensors as the file describes them

struct Meta {
  DType dtype = DType::kUndefined;
  Shape shape;
};

// {"as_int": 3} or {"as_expr": {"expr_str": "2*s0"}}. `symbol`: an expression that is not
// understood becomes a symbol of its own, otherwise it is unknown.
Result<Dim> ReadSize(const Json& size, bool symbol) {
  std::int64_t number;
  if (size["as_int"].get(number) == simdjson::SUCCESS) {
    if (number < 0) return InvalidModel("a size is {}", number);
    return Dim(number);
  }
  std::string_view text;
  if (size["as_expr"]["expr_str"].get(text) != simdjson::SUCCESS)
    return InvalidModel("a size is neither a number nor an expression");
  Result<Dim> dim = Dim::Parse(text);
  if (dim.ok() && (!dim->IsConst() || dim->value() >= 0)) return dim;
  return symbol ? Dim::Symbol(text) : Dim::Unknown();
}

Result<Meta> ReadMeta(const Json& json, bool symbols) {
  Meta meta;
  ATH_TRY(meta.dtype, DTypeOfExported(IntOr(json, "dtype", 0)));
  ATH_TRY(const simdjson::dom::array sizes, Get<simdjson::dom::array>(json, "sizes"));
  for (const Json size : sizes) {
    ATH_TRY(Dim dim, ReadSize(size, symbols));
    meta.shape.push_back(std::move(dim));
  }
  return meta;
}

Result<Dims> ReadNumbers(const Json& json, std::string_view name) {
  ATH_TRY(const simdjson::dom::array sizes, Get<simdjson::dom::array>(json, name));
  Dims numbers;
  for (const Json size : sizes) {
    ATH_TRY(const std::int64_t number, Get<std::int64_t>(size, "as_int"));
    numbers.push_back(number);
  }
  return numbers;
}

// The last place of the user's own code in a Python traceback: "net.py:13".
std::string UserLine(std::string_view trace) {
  std::string line;
  while (!trace.empty()) {
    const std::string_view row = trace.substr(0, trace.find('\n'));
    trace.remove_prefix(std::min(row.size() + 1, trace.size()));
    const std::size_t file = row.find("File \""), end = row.find("\", line ");
    if (file == std::string_view::npos || end == std::string_view::npos) continue;
    const std::string_view path = row.substr(file + 6, end - file - 6);
    if (path.find("site-packages/torch/") != std::string_view::npos || path.starts_with("torch/"))
      continue;
    const std::string_view number = row.substr(end + 8, row.find(',', end + 8) - end - 8);
    line = fmt::format("{}:{}", path.substr(path.rfind('/') + 1), number);
  }
  return line;
}

// "L__self__m.0.c,m.0.c,torch.nn.modules.conv.Conv2d" is the last entry: "m.0.c".
std::string ModulePath(std::string_view stack) {
  const std::string_view last = stack.substr(stack.rfind(';') + 1);
  const std::size_t comma = last.find(',');
  if (comma == std::string_view::npos) return "";
  const std::string_view rest = last.substr(comma + 1);
  return std::string(rest.substr(0, rest.find(',')));
}

class Importer {
 public:
  Importer(const Archive& archive, Bytes file)
      : archive_(archive),
        budget_(CopyBudget::For(file)),
        graph_(ops::Standard(), "pytorch"),
        operators_(graph_, heap_) {}

  Result<Graph> Run() {
    ATH_RETURN_IF_ERROR(OpenProgram());
    ATH_TRY(const Json module, MemberOf(root_, "graph_module"));
    ATH_TRY(const Json graph, MemberOf(module, "graph"));
    ATH_TRY(const Json signature, MemberOf(module, "signature"));
    ATH_RETURN_IF_ERROR(CheckOperators(graph));
    ATH_RETURN_IF_ERROR(ReadMetas(graph));
    ATH_RETURN_IF_ERROR(AddInputs(signature));
    ATH_RETURN_IF_ERROR(RunNodes(graph, 0));
    ATH_RETURN_IF_ERROR(AddOutputs(signature));
    return std::move(graph_);
  }

 private:
  // ---- the archive
  Status OpenProgram() {
    std::string name(kOldProgram);
    if (!archive_.Has(name)) {
      const std::vector<std::string> models = archive_.Names("models/", ".json");
      if (models.empty()) return InvalidModel("the archive has no models/*.json");
      if (models.size() > 1)
        return Unsupported("the archive holds several models: {}", Join(models, ", "))
            .Fix("save them one by one: torch.export.save(program, 'model.pt2')");
      name = models[0];
    }
    ATH_TRY(program_, archive_.Read(name));
    ATH_TRY(root_, ParseJson(program_.text(), parser_));
    if (archive_.Has("byteorder")) {
      ATH_TRY(const Member order, archive_.Read("byteorder"));
      if (!order.text().starts_with("little"))
        return Unsupported("weights of another byte order are not read; little endian ones are");
    }
    if (name == kOldProgram) return OpenPickledWeights();
    const std::string model = name.substr(7, name.size() - 7 - 5);
    ATH_RETURN_IF_ERROR(OpenConfig("data/weights/", model + "_weights_config.json"));
    return OpenConfig("data/constants/", model + "_constants_config.json");
  }

  Status OpenPickledWeights() {
    for (const std::string_view name : {"serialized_state_dict.pt", "serialized_constants.pt"}) {
      if (!archive_.Has(name)) continue;
      ATH_TRY(const Member member, archive_.Read(name));
      if (member.bytes.empty()) continue;
      Result<NamedTensors> tensors = ReadPickledWeights(member.bytes, member.owner, budget_);
      if (!tensors.ok()) return std::move(tensors).status().In(std::string(name));
      for (auto& [key, tensor] : *tensors) weights_.emplace(std::move(key), std::move(tensor));
    }
    return {};
  }

  // {"config": {"l.weight": {"path_name": "weight_4", "tensor_meta": {...}}}}
  Status OpenConfig(const std::string& folder, const std::string& name) {
    if (!archive_.Has(folder + name)) return {};
    ATH_TRY(const Member member, archive_.Read(folder + name));
    simdjson::dom::parser parser;
    ATH_TRY(const Json root, ParseJson(member.text(), parser));
    ATH_TRY(const simdjson::dom::object config, Get<simdjson::dom::object>(root, "config"));
    for (const auto field : config) {
      Status status = OpenWeight(folder, field.key, field.value);
      if (!status.ok()) return std::move(status).In(fmt::format("weight \"{}\"", field.key));
    }
    return {};
  }
  Status OpenWeight(const std::string& folder, std::string_view name, const Json& entry) {
    ATH_TRY(const std::string_view path, Get<std::string_view>(entry, "path_name"));
    ATH_TRY(const Member bytes, archive_.Read(folder + std::string(path)));
    bool pickled = false;
    if (entry["use_pickle"].get(pickled) == simdjson::SUCCESS && pickled) {
      ATH_TRY(Tensor tensor, ReadPickledTensor(bytes.bytes, bytes.owner, budget_));
      weights_.emplace(name, std::move(tensor));
      return {};
    }
    ATH_TRY(const Json meta, MemberOf(entry, "tensor_meta"));
    ATH_TRY(const DType dtype, DTypeOfExported(IntOr(meta, "dtype", 0)));
    ATH_TRY(const Dims sizes, ReadNumbers(meta, "sizes"));
    ATH_TRY(const Dims strides, ReadNumbers(meta, "strides"));
    ATH_TRY(const Json start, MemberOf(meta, "storage_offset"));
    const std::int64_t offset = IntOr(start, "as_int", 0);
    ATH_TRY(Tensor tensor, StridedTensor(dtype, sizes, strides, offset, bytes, budget_));
    weights_.emplace(name, std::move(tensor));
    return {};
  }

  // ---- before anything is built
  // "aten.conv2d.default": "conv2d"; "" for what is no operator of PyTorch.
  static std::string_view OperatorOf(std::string_view target) {
    for (const std::string_view prefix : {"torch.ops.aten.", "aten."}) {
      if (!target.starts_with(prefix)) continue;
      target.remove_prefix(prefix.size());
      return target.substr(0, target.find('.'));
    }
    // "torch.ops.my.roll.default": "my.roll", where a plug-in reads it.
    constexpr std::string_view kOthers = "torch.ops.";
    if (!target.starts_with(kOthers)) return "";
    target.remove_prefix(kOthers.size());
    target = target.substr(0, target.rfind('.'));
    return IsForeignCall(target) ? target : "";
  }
  // Checks that only say what was true while exporting.
  static bool IsAssertion(std::string_view op) {
    return op.starts_with("_assert") || op.starts_with("sym_constrain_range");
  }
  // "_operator.mul" on sizes: "mul".
  static std::string_view SizeOperation(std::string_view target) {
    static constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
        {"math.ceil", "ceil"},        {"math.floor", "floor"},     {"math.trunc", "trunc"},
        {"torch.sym_float", "float"}, {"torch.sym_int", "int"},    {"torch.sym_max", "max"},
        {"torch.sym_min", "min"},     {"torch.sym_not", "not"},    {"_operator.and_", "and"},
        {"_operator.or_", "or"},      {"torch._sym_sqrt", "sqrt"}, {"builtins.round", "round"}};
    for (const auto& [name, op] : kOthers) {
      if (name == target) return op;
    }
    if (!target.starts_with("_operator.")) return "";
    target.remove_prefix(10);
    return IsNumberOperation(target) ? target : "";
  }
  static constexpr std::string_view kGradientMode =
      "torch.ops.higher_order.wrap_with_set_grad_enabled";

  // Every operator that is not read, with how often and where first.
  Status CheckOperators(const Json& graph) {
    struct Unknown {
      int count = 0;
      std::string line;
    };
    std::map<std::string, Unknown> unknown;
    ATH_TRY(const simdjson::dom::array nodes, Get<simdjson::dom::array>(graph, "nodes"));
    for (const Json node : nodes) {
      ATH_TRY(const std::string_view target, Get<std::string_view>(node, "target"));
      const std::string_view op = OperatorOf(target);
      if (op.empty() ? target == kGradientMode || !SizeOperation(target).empty()
                     : IsOperator(op) || IsForeignCall(op) || IsAssertion(op) || op == "item" ||
                           op == "_local_scalar_dense")
        continue;
      Unknown& entry = unknown[std::string(target)];
      if (entry.count++ == 0) entry.line = LineOf(node);
    }
    std::vector<Status> problems;
    for (const auto& [target, entry] : unknown) {
      Status status =
          Error(ErrorCode::kUnknownOperator, "operator {} is not read (used {} time{}{})", target,
                entry.count, entry.count == 1 ? "" : "s",
                entry.line.empty() ? "" : ", first in " + entry.line);
      problems.push_back(std::move(status).Fix(FixOf(target)));
    }
    return Status::All(std::move(problems));
  }
  static std::string FixOf(std::string_view target) {
    constexpr std::string_view kOps = "torch.ops.", kAten = "torch.ops.aten.";
    if (!target.starts_with(kOps) || target.starts_with(kAten))
      return "decompose it: torch.export.export(model, (input,)).run_decompositions()";
    target.remove_prefix(kOps.size());
    return ForeignFix("pytorch", QualifiedName(target.substr(0, target.rfind('.'))));
  }
  static std::string LineOf(const Json& node) {
    std::string_view trace;
    if (node["metadata"]["stack_trace"].get(trace) != simdjson::SUCCESS) return "";
    return UserLine(trace);
  }

  Status ReadMetas(const Json& graph) {
    ATH_TRY(const simdjson::dom::object values, Get<simdjson::dom::object>(graph, "tensor_values"));
    for (const auto field : values) metas_.emplace(field.key, field.value);
    return {};
  }

  // ---- inputs
  Status AddInputs(const Json& signature) {
    ATH_TRY(const simdjson::dom::array specs, Get<simdjson::dom::array>(signature, "input_specs"));
    for (const Json spec : specs) {
      ATH_TRY(const auto choice, OneOf(spec));
      Status status = AddInput(choice.first, choice.second);
      if (!status.ok()) return std::move(status).In("the inputs");
    }
    return {};
  }
  Status AddInput(std::string_view kind, const Json& spec) {
    if (kind == "user_input") return AddUserInput(spec);
    if (kind == "constant_input") {
      ATH_TRY(const std::string_view name, Get<std::string_view>(spec, "name"));
      ATH_TRY(const Json value, MemberOf(spec, "value"));
      ATH_TRY(const Value constant, ReadArgument(value));
      values_[std::string(name)] = constant;
      return {};
    }
    static constexpr std::pair<std::string_view, std::string_view> kWeights[] = {
        {"parameter", "parameter_name"},
        {"buffer", "buffer_name"},
        {"tensor_constant", "tensor_constant_name"}};
    for (const auto& [wanted, field] : kWeights) {
      if (wanted != kind) continue;
      ATH_TRY(const Json arg, MemberOf(spec, "arg"));
      ATH_TRY(const std::string_view name, Get<std::string_view>(arg, "name"));
      ATH_TRY(const std::string_view weight, Get<std::string_view>(spec, field));
      const auto found = weights_.find(std::string(weight));
      if (found == weights_.end())
        return Error(ErrorCode::kCorruptFile, "the archive has no weight \"{}\"", weight);
      values_[std::string(name)] = heap_.NewWeight(found->second, std::string(weight));
      return {};
    }
    return Unsupported("inputs of kind {} are not read", kind);
  }
  Status AddUserInput(const Json& spec) {
    ATH_TRY(const Json arg, MemberOf(spec, "arg"));
    ATH_TRY(const auto choice, OneOf(arg));
    if (choice.first == "as_tensor") {
      ATH_TRY(const std::string_view name, Get<std::string_view>(choice.second, "name"));
      const auto meta = metas_.find(name);
      if (meta == metas_.end()) return InvalidModel("nothing is said of input {}", name);
      ATH_TRY(Meta read, ReadMeta(meta->second, true));
      const ValueId id =
          graph_.AddInput(std::string(name), Type::Tensor(read.dtype, std::move(read.shape)));
      values_[std::string(name)] = heap_.NewTensor(id);
      return {};
    }
    if (choice.first == "as_sym_int")
      return Unsupported("an input that is a number is not read; tensors are");
    return {};  // numbers and None that the program was exported with
  }

  // ---- nodes
  Status RunNodes(const Json& graph, int depth) {
    if (depth > kMostNested) return Error(ErrorCode::kResource, "graphs are nested too deep");
    ATH_TRY(const simdjson::dom::array nodes, Get<simdjson::dom::array>(graph, "nodes"));
    for (const Json node : nodes) {
      Status status = RunNode(node, depth);
      if (status.ok()) continue;
      const std::string line = LineOf(node);
      const std::string_view name = TextOr(node, "name"), target = TextOr(node, "target");
      return std::move(status).In(
          fmt::format("node \"{}\" ({}){}", name, target, line.empty() ? "" : " in " + line));
    }
    return {};
  }

  Status RunNode(const Json& node, int depth) {
    ATH_TRY(const std::string_view target, Get<std::string_view>(node, "target"));
    if (target == kGradientMode) return RunInner(node, depth);
    const std::string_view op = OperatorOf(target);
    if (!op.empty() && IsAssertion(op)) return {};
    Arguments arguments;
    ATH_TRY(const simdjson::dom::array inputs, Get<simdjson::dom::array>(node, "inputs"));
    for (const Json input : inputs) {
      ATH_TRY(const std::string_view name, Get<std::string_view>(input, "name"));
      ATH_TRY(const Json arg, MemberOf(input, "arg"));
      ATH_TRY(const Value value, ReadArgument(arg));
      arguments.named.emplace_back(name, value);
    }
    Value result;
    if (op.empty()) {
      std::vector<Value> numbers;
      for (const auto& [name, value] : arguments.named) numbers.push_back(value);
      ATH_TRY(result, NumberOperation(graph_, SizeOperation(target), numbers));
    } else if (op == "item" || op == "_local_scalar_dense") {
      if (arguments.named.empty() || !arguments.named[0].second.Is(Kind::kTensor))
        return InvalidModel("a tensor is expected");
      ATH_TRY(const ValueId tensor, Operators::Read(graph_, *arguments.named[0].second.tensor));
      ATH_TRY(result, NumberOfTensor(graph_, tensor));
    } else {
      std::string_view stack;
      std::string name;
      if (node["metadata"]["nn_module_stack"].get(stack) == simdjson::SUCCESS)
        name = ModulePath(stack);
      if (name.empty()) name = TextOr(node, "name");
      ATH_TRY(result, operators_.Call(op, arguments, name));
    }
    return BindOutputs(node, result);
  }

  // The body runs at once: gradients are of no interest.
  Status RunInner(const Json& node, int depth) {
    ATH_TRY(const simdjson::dom::array inputs, Get<simdjson::dom::array>(node, "inputs"));
    Json body;
    bool has_body = false;
    std::vector<Value> values;
    for (const Json input : inputs) {
      ATH_TRY(const Json arg, MemberOf(input, "arg"));
      ATH_TRY(const auto choice, OneOf(arg));
      if (choice.first == "as_graph") {
        ATH_TRY(body, MemberOf(choice.second, "graph"));
        has_body = true;
      } else if (has_body) {
        ATH_TRY(const Value value, ReadArgument(arg));
        values.push_back(value);
      }
    }
    if (!has_body) return InvalidModel("it has no body");
    ATH_RETURN_IF_ERROR(CheckOperators(body));
    ATH_RETURN_IF_ERROR(ReadMetas(body));
    ATH_TRY(const simdjson::dom::array names, Get<simdjson::dom::array>(body, "inputs"));
    if (names.size() != values.size())
      return InvalidModel("its body takes {} inputs, {} are given", names.size(), values.size());
    std::size_t next = 0;
    for (const Json name : names) {
      ATH_TRY(const auto choice, OneOf(name));
      const std::string_view key = choice.first == "as_sym_int" ? "as_name" : "name";
      ATH_TRY(const std::string_view text, Get<std::string_view>(choice.second, key));
      values_[std::string(text)] = values[next++];
    }
    ATH_RETURN_IF_ERROR(RunNodes(body, depth + 1));
    ATH_TRY(const simdjson::dom::array outputs, Get<simdjson::dom::array>(body, "outputs"));
    std::vector<Value> results;
    for (const Json output : outputs) {
      ATH_TRY(const Value value, ReadArgument(output));
      results.push_back(value);
    }
    return BindOutputs(node, results.size() == 1 ? results[0] : heap_.Tuple(std::move(results)));
  }

  Status BindOutputs(const Json& node, const Value& result) {
    ATH_TRY(const simdjson::dom::array outputs, Get<simdjson::dom::array>(node, "outputs"));
    std::vector<std::string_view> names;
    for (const Json output : outputs) {
      ATH_TRY(const auto choice, OneOf(output));
      if (choice.first == "as_tensors") {
        simdjson::dom::array list;
        if (choice.second.get(list) != simdjson::SUCCESS) return InvalidModel("a list is expected");
        for (const Json item : list) names.push_back(TextOr(item, "name"));
      } else if (choice.first == "as_sym_int" || choice.first == "as_sym_float" ||
                 choice.first == "as_sym_bool") {
        names.push_back(TextOr(choice.second, "as_name"));
      } else {
        names.push_back(TextOr(choice.second, "name"));
      }
    }
    const bool many = names.size() > 1 || (result.IsSequence() && names.size() == 1);
    if (!many) {
      if (names.empty()) return {};
      return Bind(names[0], result);
    }
    // Outputs that nobody uses have no name.
    const std::size_t given = result.IsSequence() ? result.items->values.size() : 1;
    if (given < names.size())
      return InvalidModel("{} outputs are expected, {} are made", names.size(), given);
    for (std::size_t i = 0; i < names.size(); ++i) {
      ATH_RETURN_IF_ERROR(Bind(names[i], result.items->values[i]));
    }
    return {};
  }

  Status Bind(std::string_view name, const Value& value) {
    if (name.empty()) return {};
    values_[std::string(name)] = value;
    if (!value.Is(Kind::kTensor)) return {};
    ATH_TRY(const ValueId id, Operators::Read(graph_, *value.tensor));
    const auto found = metas_.find(name);
    if (found == metas_.end() || graph_.Constant(id) != nullptr) return {};
    // What the file says must agree with what the operator gives.
    ATH_TRY(Meta meta, ReadMeta(found->second, false));
    if (graph_.value(id).producer != kNoNode) graph_.SetName(id, std::string(name));
    return graph_.RefineType(id, Type::Tensor(meta.dtype, std::move(meta.shape)));
  }

  // ---- arguments
  Result<Value> Lookup(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    if (found == values_.end()) return InvalidModel("\"{}\" is used before it is made", name);
    return found->second;
  }
  // {"as_name": "sym_size_int_1"} or a number.
  Result<Value> ReadSymbolic(const Json& json) {
    std::string_view name;
    if (json["as_name"].get(name) == simdjson::SUCCESS) return Lookup(name);
    return ReadArgument(json);
  }
  Result<Value> ReadList(const Json& json, Result<Value> (Importer::*read)(const Json&)) {
    simdjson::dom::array array;
    if (json.get(array) != simdjson::SUCCESS) return InvalidModel("a list is expected");
    std::vector<Value> values;
    for (const Json item : array) {
      ATH_TRY(const Value value, (this->*read)(item));
      values.push_back(value);
    }
    return heap_.List(std::move(values));
  }
  Result<Value> ReadPlain(const Json& json) {
    bool truth;
    if (json.get(truth) == simdjson::SUCCESS) return Value::Bool(truth);
    std::int64_t integer;
    if (json.get(integer) == simdjson::SUCCESS) return Value::Int(integer);
    double real;
    if (json.get(real) == simdjson::SUCCESS) return Value::Float(real);
    std::string_view text;
    if (json.get(text) == simdjson::SUCCESS) return heap_.String(text);
    return InvalidModel("a number or a text is expected");
  }
  // Also numbers that JSON has no form of: "Infinity".
  Result<Value> ReadReal(const Json& json) {
    double real;
    if (json.get(real) == simdjson::SUCCESS) return Value::Float(real);
    std::string_view text;
    if (json.get(text) != simdjson::SUCCESS) return InvalidModel("a number is expected");
    if (text == "Infinity" || text == "inf") return Value::Float(HUGE_VAL);
    if (text == "-Infinity" || text == "-inf") return Value::Float(-HUGE_VAL);
    return Value::Float(std::nan(""));
  }
  Result<Value> ReadNone(const Json&) { return Value(); }
  Result<Value> ReadTensorName(const Json& json) {
    ATH_TRY(const std::string_view name, Get<std::string_view>(json, "name"));
    return Lookup(name);
  }
  Result<Value> ReadScalarType(const Json& json) {
    std::int64_t number = 0;
    if (json.get(number) != simdjson::SUCCESS) return InvalidModel("an element type is expected");
    ATH_TRY(const DType dtype, DTypeOfExported(number));
    return Value::Int(ScalarTypeOf(dtype));
  }
  Result<Value> ReadTensors(const Json& json) { return ReadList(json, &Importer::ReadTensorName); }
  Result<Value> ReadMaybeTensors(const Json& json) {
    return ReadList(json, &Importer::ReadArgument);
  }
  Result<Value> ReadPlainList(const Json& json) { return ReadList(json, &Importer::ReadPlain); }
  Result<Value> ReadReals(const Json& json) { return ReadList(json, &Importer::ReadReal); }
  Result<Value> ReadSymbols(const Json& json) { return ReadList(json, &Importer::ReadSymbolic); }

  Result<Value> ReadArgument(const Json& json) {
    struct Form {
      std::string_view name;
      Result<Value> (Importer::*read)(const Json&) = nullptr;
    };
    static constexpr Form kForms[] = {
        {"as_bool", &Importer::ReadPlain},
        {"as_bools", &Importer::ReadPlainList},
        {"as_device", &Importer::ReadNone},
        {"as_float", &Importer::ReadReal},
        {"as_floats", &Importer::ReadReals},
        {"as_int", &Importer::ReadPlain},
        {"as_ints", &Importer::ReadPlainList},
        {"as_layout", &Importer::ReadNone},
        {"as_memory_format", &Importer::ReadNone},
        {"as_none", &Importer::ReadNone},
        {"as_optional_tensor", &Importer::ReadArgument},
        {"as_optional_tensors", &Importer::ReadMaybeTensors},
        {"as_scalar_type", &Importer::ReadScalarType},
        {"as_string", &Importer::ReadPlain},
        {"as_strings", &Importer::ReadPlainList},
        {"as_sym_bool", &Importer::ReadSymbolic},
        {"as_sym_float", &Importer::ReadSymbolic},
        {"as_sym_int", &Importer::ReadSymbolic},
        {"as_sym_ints", &Importer::ReadSymbols},
        {"as_tensor", &Importer::ReadTensorName},
        {"as_tensors", &Importer::ReadTensors},
    };
    ATH_TRY(const auto choice, OneOf(json));
    for (const Form& form : kForms) {
      if (form.name == choice.first) return (this->*form.read)(choice.second);
    }
    return Unsupported("arguments of kind {} are not read", choice.first);
  }

  // ---- outputs
  Status AddOutputs(const Json& signature) {
    ATH_TRY(const simdjson::dom::array specs, Get<simdjson::dom::array>(signature, "output_specs"));
    for (const Json spec : specs) {
      ATH_TRY(const auto choice, OneOf(spec));
      if (choice.first == "buffer_mutation" || choice.first == "user_input_mutation")
        return Unsupported("the model changes {} as it runs; models without a state are read",
                           choice.first == "buffer_mutation" ? TextOr(choice.second, "buffer_name")
                                                             : "its input")
            .Fix("export it after model.eval()");
      if (choice.first != "user_output") continue;
      ATH_TRY(const Json arg, MemberOf(choice.second, "arg"));
      ATH_TRY(const auto form, OneOf(arg));
      ATH_TRY(const Value value, ReadArgument(arg));
      if (value.IsNone()) continue;
      if (!value.Is(Kind::kTensor)) return Unsupported("an output that is {}", NameOf(value.kind));
      ATH_TRY(const ValueId id, Operators::Read(graph_, *value.tensor));
      graph_.AddOutput(std::string(TextOr(form.second, "name", "output")), id);
    }
    if (graph_.outputs().empty()) return InvalidModel("it has no outputs");
    return {};
  }

  const Archive& archive_;
  CopyBudget budget_;
  Heap heap_;
  Graph graph_;
  Operators operators_;
  Member program_;
  simdjson::dom::parser parser_;
  Json root_;
  std::unordered_map<std::string, Tensor> weights_;
  std::unordered_map<std::string_view, Json> metas_;
  std::unordered_map<std::string, Value> values_;
};

}  // namespace

bool IsExportedProgram(const Archive& archive) {
  return archive.Has(kOldProgram) || !archive.Names("models/", ".json").empty() ||
         archive.Has("archive_format");
}

Result<Graph> ReadExportedProgram(const Archive& archive, Bytes file) {
  return Importer(archive, file).Run();
}

}  // namespace athanor::pytorch
