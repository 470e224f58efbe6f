#include "frontends/pytorch/script.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "core/number.h"
#include "core/text.h"
#include "frontends/pytorch/numbers.h"
#include "frontends/pytorch/pickle.h"
#include "frontends/pytorch/scalar_type.h"
#include "frontends/pytorch/script_builtins.h"
#include "frontends/pytorch/script_places.h"
#include "frontends/pytorch/script_syntax.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::pytorch {
namespace {

using Kind = Value::Kind;
using EKind = Expression::Kind;

constexpr int kDeepestCall = 600;             // expressions within expressions, calls within calls
constexpr std::int64_t kMostSteps = 1 << 19;  // statements, loops counted every time round
constexpr std::string_view kTypesFile = "extra/athanor_inputs.txt";

// A file of code, read when something in it is first wanted.
struct Code {
  std::string path;  // in the archive
  Member member;
  ScriptFile file;
};
// The code that is being run, innermost last.
struct Place {
  const Code* code = nullptr;
  std::size_t at = 0;
};
using Locals = std::unordered_map<std::string_view, Value>;

// "__torch__.torch.nn.modules.conv.Conv2d" -> the file's name, "Conv2d"
std::pair<std::string, std::string_view> SplitName(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  std::string file(name.substr(0, dot == std::string_view::npos ? 0 : dot));
  std::replace(file.begin(), file.end(), '.', '/');
  return {"code/" + file + ".py", name.substr(dot + 1)};
}

class Runner {
 public:
  Runner(const Archive& archive, Bytes file)
      : archive_(archive),
        budget_(CopyBudget::For(file)),
        graph_(ops::Standard(), "pytorch"),
        operators_(graph_, heap_) {}

  Result<Graph> Run() {
    ATH_TRY(const Value module, ReadMember("data.pkl", "data/"));
    if (!module.Is(Kind::kObject)) return InvalidModel("data.pkl holds no module");
    if (archive_.Has("constants.pkl")) {
      ATH_TRY(constants_, ReadMember("constants.pkl", "constants/"));
    }
    ATH_TRY(const ScriptFunction* forward, Method(*module.object, "forward"));
    std::vector<Value> arguments = {module};
    ATH_RETURN_IF_ERROR(AddInputs(*forward, arguments));
    Result<Value> result = CallFunction(*forward, *code_, {arguments, {}});
    if (!result.ok()) return std::move(result).status().In(PlaceOfError());
    std::vector<std::pair<std::string, Value>> outputs;
    ATH_RETURN_IF_ERROR(CollectOutputs(*result, "output", 0, outputs));
    for (const auto& [name, value] : outputs) {
      ATH_TRY(const ValueId id, Operators::Read(graph_, *value.tensor));
      graph_.AddOutput(name, id);
    }
    if (outputs.empty()) return InvalidModel("its forward method gives no tensor");
    return std::move(graph_);
  }

 private:
  // ---- the archive
  Result<Value> ReadMember(const std::string& name, const std::string& folder) {
    ATH_TRY(const Member member, archive_.Read(name));
    PickleOptions options;
    options.classes = "__torch__";
    options.budget = &budget_;
    options.storage = [this, folder](std::string_view key, DType) {
      return archive_.Read(folder + std::string(key));
    };
    Result<Value> value = ReadPickle(member.bytes, heap_, options);
    if (!value.ok()) return std::move(value).status().In(name);
    NameWeights(*value, "", 0);
    return value;
  }
  // "layer1.0.weight", as state dictionaries have it.
  void NameWeights(const Value& value, const std::string& name, int depth) {
    if (depth > 64) return;
    if (value.Is(Kind::kTensor) && value.tensor->name.empty()) value.tensor->name = name;
    if (!value.Is(Kind::kObject) || !paths_.emplace(value.object, name).second) return;
    for (const auto& [key, item] : value.object->attributes)
      NameWeights(item, name.empty() ? *key : name + "." + *key, depth + 1);
  }

  Result<Code*> OpenCode(const std::string& path) {
    const auto found = codes_.find(path);
    if (found != codes_.end()) return &found->second;
    ATH_TRY(Member member, archive_.Read(path));
    Result<ScriptFile> file = ParseScript(member.text());
    if (!file.ok()) return std::move(file).status().In(path);
    return &codes_.emplace(path, Code{path, std::move(member), *std::move(file)}).first->second;
  }
  // The class of a qualified name; code_ becomes the file it is in.
  Result<const ScriptClass*> ClassOf(std::string_view name) {
    const auto [path, last] = SplitName(name);
    ATH_TRY(code_, OpenCode(path));
    const auto found = code_->file.classes.find(last);
    if (found == code_->file.classes.end()) return InvalidModel("{} has no class {}", path, last);
    return &found->second;
  }
  Result<const ScriptFunction*> Method(const Object& object, std::string_view name) {
    std::string type = *object.type;
    std::replace(type.begin(), type.end(), ' ', '.');
    ATH_TRY(const ScriptClass* script, ClassOf(type));
    auto found = script->methods.find(name);
    // Of an overloaded method the first takes tensors.
    if (found == script->methods.end()) found = script->methods.find(std::string(name) + "__0");
    if (found == script->methods.end())
      return InvalidModel("class {} has no method {}", type, name);
    return &found->second;
  }

  // ---- inputs: a trace keeps those it was made with; else the file must say
  Status AddInputs(const ScriptFunction& forward, std::vector<Value>& arguments) {
    std::vector<Type> types;
    if (archive_.Has(kTypesFile)) {
      ATH_TRY(types, WrittenTypes());
    } else if (archive_.Has("traced_inputs.pkl")) {
      ATH_TRY(types, TracedTypes());
    } else {
      return Unsupported("a TorchScript file does not say the shapes of its inputs")
          .Fix(
              "save it with them: torch.jit.save(module, 'model.pt', "
              "_extra_files={'athanor_inputs.txt': 'f32[1, 3, 224, 224]'})");
    }
    if (types.size() >= forward.parameters.size())
      return InvalidModel("{} inputs are described; forward takes {}", types.size(),
                          forward.parameters.empty() ? 0 : forward.parameters.size() - 1);
    for (std::size_t i = 0; i < types.size(); ++i)
      arguments.push_back(heap_.NewTensor(
          graph_.AddInput(std::string(forward.parameters[i + 1]), std::move(types[i]))));
    return {};
  }
  // One type per line, as graphs are printed: "f32[N, 3, 224, 224]".
  Result<std::vector<Type>> WrittenTypes() {
    ATH_TRY(const Member member, archive_.Read(kTypesFile));
    std::vector<Type> types;
    std::string_view text = member.text();
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      if (line.find_first_not_of(" \r\t") == std::string_view::npos) continue;
      Result<Type> type = ParseType(line);
      if (!type.ok()) return std::move(type).status().In(std::string(kTypesFile));
      types.push_back(*std::move(type));
    }
    return types;
  }
  static Result<Type> ParseType(std::string_view line) {
    const std::size_t open = line.find('['), close = line.rfind(']');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open)
      return InvalidModel("{} is no type; f32[1, 3, 224, 224] is", Quote(line));
    const std::optional<DType> dtype = DTypeFromName(line.substr(0, open));
    if (!dtype) return InvalidModel("{} is no element type", Quote(line.substr(0, open)));
    Shape shape;
    std::string_view dims = line.substr(open + 1, close - open - 1);
    while (!dims.empty()) {
      const std::string_view item = dims.substr(0, dims.find(','));
      dims.remove_prefix(std::min(item.size() + 1, dims.size()));
      ATH_TRY(Dim dim, Dim::Parse(item.substr(std::min(item.find_first_not_of(' '), item.size()))));
      if (dim.IsConst() && dim.value() < 0) return InvalidModel("a size is {}", dim.value());
      shape.push_back(std::move(dim));
    }
    return Type::Tensor(*dtype, std::move(shape));
  }
  // {"forward": [(element type, sizes), ...]}
  Result<std::vector<Type>> TracedTypes() {
    ATH_TRY(const Member member, archive_.Read("traced_inputs.pkl"));
    PickleOptions options;
    options.only_types = true;
    ATH_TRY(const Value root, ReadPickle(member.bytes, heap_, options));
    const Value* list = root.Is(Kind::kDict) ? root.dictionary->Find("forward") : nullptr;
    if (list == nullptr || !list->IsSequence())
      return InvalidModel("traced_inputs.pkl has no inputs");
    std::vector<Type> types;
    for (const Value& input : list->items->values) {
      if (!input.Is(Kind::kTuple) || input.items->values.size() != 2 ||
          !input.items->values[1].IsSequence())
        return Unsupported("an input that is no tensor is not read");
      ATH_TRY(const DType dtype, DTypeOfScalarType(input.items->values[0].integer));
      Shape shape;
      for (const Value& size : input.items->values[1].items->values) {
        if (!size.Is(Kind::kInt) || size.integer < 0) return InvalidModel("a size is none");
        shape.emplace_back(size.integer);
      }
      types.push_back(Type::Tensor(dtype, std::move(shape)));
    }
    return types;
  }

  Status CollectOutputs(const Value& value, const std::string& name, int depth,
                        std::vector<std::pair<std::string, Value>>& outputs) {
    if (depth > 16 || outputs.size() > (1 << 12))
      return Error(ErrorCode::kResource, "there are too many outputs");
    if (value.Is(Kind::kTensor)) outputs.emplace_back(name, value);
    if (value.IsSequence()) {
      std::size_t index = 0;
      for (const Value& item : value.items->values) {
        ATH_RETURN_IF_ERROR(
            CollectOutputs(item, fmt::format("{}_{}", name, index++), depth + 1, outputs));
      }
    }
    if (value.Is(Kind::kDict)) {
      for (const auto& [key, item] : value.dictionary->entries) {
        ATH_RETURN_IF_ERROR(
            CollectOutputs(item, key.Is(Kind::kString) ? *key.text : name, depth + 1, outputs));
      }
    }
    return {};
  }

  // ---- where it went wrong: the user's line if it is known, and the code's
  std::string PlaceOfError() const {
    std::string user, code;
    for (std::size_t i = error_places_.size(); i-- > 0;) {
      const auto& [file, at] = error_places_[i];
      if (code.empty()) {
        const std::string_view text = file->member.text();
        const auto line =
            1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n');
        code = fmt::format("{} line {}", file->path, line);
      }
      const UserPlace place = FindUserPlace(archive_, file->path, at);
      if (place.line.empty()) continue;
      if (user.empty() || !place.is_library) user = place.line;
      if (!place.is_library) break;
    }
    return user.empty() ? code : fmt::format("{} ({})", user, code);
  }

  // ---- running
  Result<Value> CallFunction(const ScriptFunction& function, const Code& code,
                             const Arguments& arguments) {
    Locals locals;
    const std::size_t count = function.parameters.size();
    if (arguments.positional.size() > count)
      return InvalidModel("{} arguments are given, {} are taken", arguments.positional.size(),
                          count);
    for (std::size_t i = 0; i < arguments.positional.size(); ++i)
      locals[function.parameters[i]] = arguments.positional[i];
    for (const auto& [name, value] : arguments.named) locals[name] = value;
    places_.push_back({&code, 0});
    Result<Value> result = RunBody(function, locals);
    // The places of an error stay for the message.
    if (!result.ok() && error_places_.empty()) error_places_ = places_;
    places_.pop_back();
    return result;
  }
  Result<Value> RunBody(const ScriptFunction& function, Locals& locals) {
    const std::size_t count = function.parameters.size(), defaults = function.defaults.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (locals.count(function.parameters[i]) != 0) continue;
      if (i + defaults < count)
        return InvalidModel("argument {} is missing", function.parameters[i]);
      ATH_TRY(locals[function.parameters[i]],
              Evaluate(function.defaults[i + defaults - count], locals));
    }
    Value result;
    ATH_RETURN_IF_ERROR(RunBlock(function.body, locals, result).status());
    return result;
  }
  // Gives whether the function has returned.
  Result<bool> RunBlock(const std::vector<Statement>& block, Locals& locals, Value& result) {
    for (const Statement& statement : block) {
      if (++steps_ > kMostSteps)
        return Error(ErrorCode::kResource, "the script takes more than {} steps", kMostSteps);
      places_.back().at = statement.at;
      ATH_TRY(const bool returned, RunStatement(statement, locals, result));
      if (returned) return true;
    }
    return false;
  }
  Result<bool> RunStatement(const Statement& statement, Locals& locals, Value& result) {
    using SKind = Statement::Kind;
    if (statement.kind == SKind::kPass) return false;
    if (statement.kind == SKind::kFor) return RunFor(statement, locals, result);
    if (statement.kind == SKind::kWhile) return RunWhile(statement, locals, result);
    ATH_TRY(const Value value, Evaluate(statement.value, locals));
    if (statement.kind == SKind::kReturn) {
      result = value;
      return true;
    }
    if (statement.kind == SKind::kIf) {
      ATH_TRY(const bool holds, TruthOf(graph_, value));
      return RunBlock(holds ? statement.body : statement.otherwise, locals, result);
    }
    if (statement.kind == SKind::kEvaluate) return false;
    if (!statement.unpacks) {
      ATH_RETURN_IF_ERROR(Assign(statement.targets[0], value, locals));
      return false;
    }
    if (!value.IsSequence() || value.items->values.size() != statement.targets.size())
      return InvalidModel("{} targets take {}", statement.targets.size(), NameOf(value.kind));
    const std::vector<Value> items = value.items->values;
    for (std::size_t i = 0; i < items.size(); ++i) {
      ATH_RETURN_IF_ERROR(Assign(statement.targets[i], items[i], locals));
    }
    return false;
  }
  Status Assign(const Expression& target, const Value& value, Locals& locals) {
    if (target.kind == EKind::kName) {
      locals[target.text] = value;
      return {};
    }
    if (target.kind == EKind::kAttribute) {
      ATH_TRY(const Value object, Evaluate(target.items[0], locals));
      if (!object.Is(Kind::kObject))
        return InvalidModel("{} has no attributes", NameOf(object.kind));
      object.object->Set(heap_.Text(target.text), value);
      return {};
    }
    if (target.kind != EKind::kSubscript) return InvalidModel("nothing can be assigned there");
    ATH_TRY(const Value container, Evaluate(target.items[0], locals));
    ATH_TRY(const Value index, Evaluate(target.items[1], locals));
    if (container.Is(Kind::kDict)) {
      container.dictionary->entries.emplace_back(index, value);
      return {};
    }
    return CallNamed("_set_item", {{container, index, value}, {}}).status();
  }
  Result<bool> RunFor(const Statement& statement, Locals& locals, Value& result) {
    ATH_TRY(const Value over, Evaluate(statement.value, locals));
    if (!over.IsSequence()) return Unsupported("a loop over {}", NameOf(over.kind));
    const std::vector<Value> items = over.items->values;
    for (const Value& item : items) {
      ATH_RETURN_IF_ERROR(Assign(statement.targets[0], item, locals));
      ATH_TRY(const bool returned, RunBlock(statement.body, locals, result));
      if (returned) return true;
    }
    return false;
  }
  Result<bool> RunWhile(const Statement& statement, Locals& locals, Value& result) {
    for (;;) {
      if (++steps_ > kMostSteps)
        return Error(ErrorCode::kResource, "the script takes more than {} steps", kMostSteps);
      ATH_TRY(const Value condition, Evaluate(statement.value, locals));
      ATH_TRY(const bool holds, TruthOf(graph_, condition));
      if (!holds) return false;
      ATH_TRY(const bool returned, RunBlock(statement.body, locals, result));
      if (returned) return true;
    }
  }

  // ---- expressions
  Result<Value> Evaluate(const Expression& expression, Locals& locals) {
    if (depth_ >= kDeepestCall) return Error(ErrorCode::kResource, "calls are nested too deep");
    ++depth_;
    Result<Value> value = EvaluateKind(expression, locals);
    --depth_;
    return value;
  }
  Result<Value> EvaluateKind(const Expression& expression, Locals& locals) {
    using Evaluator = Result<Value> (Runner::*)(const Expression&, Locals&);
    static constexpr Evaluator kEvaluators[] = {
        &Runner::EvaluateName,     &Runner::EvaluateAttribute, &Runner::EvaluateCall,
        &Runner::EvaluateWrong,    &Runner::EvaluateSubscript, &Runner::EvaluateInt,
        &Runner::EvaluateFloat,    &Runner::EvaluateString,    &Runner::EvaluateSequence,
        &Runner::EvaluateSequence, &Runner::EvaluateDict,      &Runner::EvaluateChoice,
        &Runner::EvaluateUnary,    &Runner::EvaluateBinary,    &Runner::EvaluateTrue,
        &Runner::EvaluateFalse,    &Runner::EvaluateNone};
    return (this->*kEvaluators[static_cast<std::size_t>(expression.kind)])(expression, locals);
  }
  Result<Value> EvaluateWrong(const Expression&, Locals&) {
    return InvalidModel("a keyword stands alone");
  }
  Result<Value> EvaluateTrue(const Expression&, Locals&) { return Value::Bool(true); }
  Result<Value> EvaluateFalse(const Expression&, Locals&) { return Value::Bool(false); }
  Result<Value> EvaluateNone(const Expression&, Locals&) { return Value(); }
  Result<Value> EvaluateInt(const Expression& expression, Locals&) {
    const std::optional<std::int64_t> number = athanor::ReadInteger(expression.text);
    if (!number) return InvalidModel("{} is no int", expression.text);
    return Value::Int(*number);
  }
  Result<Value> EvaluateFloat(const Expression& expression, Locals&) {
    std::string_view text = expression.text;
    if (text.ends_with('.')) text.remove_suffix(1);
    const std::optional<double> number = athanor::ReadReal(text);
    if (!number) return InvalidModel("{} is no number", expression.text);
    return Value::Float(*number);
  }
  Result<Value> EvaluateString(const Expression& expression, Locals&) {
    return heap_.String(expression.owned);
  }
  Result<Value> EvaluateSequence(const Expression& expression, Locals& locals) {
    std::vector<Value> values;
    for (const Expression& item : expression.items) {
      ATH_TRY(const Value value, Evaluate(item, locals));
      values.push_back(value);
    }
    return heap_.Sequence(expression.kind == EKind::kList ? Kind::kList : Kind::kTuple,
                          std::move(values));
  }
  Result<Value> EvaluateDict(const Expression& expression, Locals& locals) {
    const Value dict = heap_.Dict();
    for (std::size_t i = 0; i + 1 < expression.items.size(); i += 2) {
      ATH_TRY(const Value key, Evaluate(expression.items[i], locals));
      ATH_TRY(const Value value, Evaluate(expression.items[i + 1], locals));
      dict.dictionary->entries.emplace_back(key, value);
    }
    return dict;
  }
  Result<Value> EvaluateChoice(const Expression& expression, Locals& locals) {
    ATH_TRY(const Value condition, Evaluate(expression.items[0], locals));
    ATH_TRY(const bool holds, TruthOf(graph_, condition));
    return Evaluate(expression.items[holds ? 1 : 2], locals);
  }
  Result<Value> EvaluateUnary(const Expression& expression, Locals& locals) {
    ATH_TRY(const Value value, Evaluate(expression.items[0], locals));
    return CallNamed(expression.text == "-" ? "neg" : "__not__", {{value}, {}});
  }
  Result<Value> EvaluateBinary(const Expression& expression, Locals& locals) {
    static constexpr std::pair<std::string_view, std::string_view> kSigns[] = {
        {"!=", "ne"},     {"%", "remainder"}, {"*", "mul"},
        {"**", "pow"},    {"+", "add"},       {"-", "sub"},
        {"/", "div"},     {"//", "floordiv"}, {"<", "lt"},
        {"<=", "le"},     {"==", "eq"},       {">", "gt"},
        {">=", "ge"},     {"and", "__and__"}, {"&", "__and__"},
        {"in", "in"},     {"is", "__is__"},   {"is not", "__isnot__"},
        {"or", "__or__"}, {"|", "__or__"}};
    ATH_TRY(const Value a, Evaluate(expression.items[0], locals));
    ATH_TRY(const Value b, Evaluate(expression.items[1], locals));
    for (const auto& [sign, name] : kSigns) {
      if (sign != expression.text) continue;
      if (name == "in") return CallNamed("__contains__", {{b, a}, {}});
      return CallNamed(name, {{a, b}, {}});
    }
    return InvalidModel("{} is no operation", expression.text);
  }
  Result<Value> EvaluateSubscript(const Expression& expression, Locals& locals) {
    ATH_TRY(const Value container, Evaluate(expression.items[0], locals));
    ATH_TRY(const Value index, Evaluate(expression.items[1], locals));
    return ItemAt(container, index);
  }
  Result<Value> EvaluateName(const Expression& expression, Locals& locals) {
    const auto found = locals.find(expression.text);
    if (found != locals.end()) return found->second;
    static constexpr std::pair<std::string_view, double> kNumbers[] = {{"inf", HUGE_VAL}};
    for (const auto& [name, number] : kNumbers) {
      if (name == expression.text) return Value::Float(number);
    }
    // The start of a function's or class's name.
    return Value{.kind = Kind::kGlobal, .text = heap_.Text(expression.text)};
  }
  Result<Value> EvaluateAttribute(const Expression& expression, Locals& locals) {
    ATH_TRY(const Value object, Evaluate(expression.items[0], locals));
    if (object.Is(Kind::kObject)) return AttributeOf(*object.object, expression.text);
    if (!object.Is(Kind::kGlobal))
      return Unsupported("attribute {} of {}", expression.text, NameOf(object.kind));
    if (*object.text == "CONSTANTS") return ConstantAt(expression.text);
    return Value{.kind = Kind::kGlobal,
                 .text = heap_.Text(fmt::format("{}.{}", *object.text, expression.text))};
  }
  Result<Value> AttributeOf(const Object& object, std::string_view name) {
    if (const Value* found = object.Find(name)) return *found;
    std::string type = *object.type;
    std::replace(type.begin(), type.end(), ' ', '.');
    ATH_TRY(const ScriptClass* script, ClassOf(type));
    const auto constant = script->constants.find(name);
    if (constant == script->constants.end())
      return InvalidModel("an object of class {} has no attribute {}", type, name);
    Locals none;
    return Evaluate(constant->second, none);
  }
  // CONSTANTS.c3
  Result<Value> ConstantAt(std::string_view name) {
    std::size_t index = 0;
    const char* end = name.data() + name.size();
    if (!name.starts_with('c') || std::from_chars(name.data() + 1, end, index).ptr != end ||
        !constants_.IsSequence() || index >= constants_.items->values.size())
      return InvalidModel("there is no constant {}", name);
    return constants_.items->values[index];
  }

  // ---- calls
  Result<Value> EvaluateCall(const Expression& expression, Locals& locals) {
    const Expression& callee = expression.items[0];
    Value self;
    if (callee.kind == EKind::kAttribute) {
      ATH_TRY(self, Evaluate(callee.items[0], locals));
    }
    std::string name;
    if (!self.Is(Kind::kObject)) {
      ATH_TRY(const Value function, Evaluate(callee, locals));
      if (!function.Is(Kind::kGlobal)) return InvalidModel("{} is called", NameOf(function.kind));
      name = *function.text;
    }
    Arguments arguments;
    // Types, as the first argument of these, are read over.
    const std::size_t first = name == "annotate" || name == "unchecked_cast" ? 2 : 1;
    if (name == "uninitialized") return Value();
    if (name == "isinstance") return IsInstance(expression, locals);
    for (std::size_t i = first; i < expression.items.size(); ++i) {
      const Expression& item = expression.items[i];
      const bool named = item.kind == EKind::kKeyword;
      ATH_TRY(const Value value, Evaluate(named ? item.items[0] : item, locals));
      if (named) {
        arguments.named.emplace_back(item.text, value);
      } else {
        arguments.positional.push_back(value);
      }
    }
    if (self.Is(Kind::kObject)) {
      ATH_TRY(const ScriptFunction* method, Method(*self.object, callee.text));
      const Code& code = *code_;
      arguments.positional.insert(arguments.positional.begin(), self);
      const auto path = paths_.find(self.object);
      const std::string outer = module_;
      if (path != paths_.end()) module_ = path->second;
      Result<Value> result = CallFunction(*method, code, arguments);
      module_ = outer;
      return result;
    }
    return CallGlobal(name, arguments);
  }
  Result<Value> CallGlobal(std::string_view name, const Arguments& arguments) {
    if (name.starts_with("__torch__.")) {
      const auto [path, last] = SplitName(name);
      ATH_TRY(const Code* code, OpenCode(path));
      const auto function = code->file.functions.find(last);
      if (function != code->file.functions.end())
        return CallFunction(function->second, *code, arguments);
      const auto made = code->file.classes.find(last);
      if (made == code->file.classes.end()) return InvalidModel("{} is not in the archive", name);
      if (made->second.is_tuple) return MakeNamedTuple(name, made->second, arguments);
      return Unsupported("objects of class {} are made while running, which is not read", name);
    }
    for (const std::string_view prefix : {"torch.", "ops.aten.", "ops."}) {
      if (name.starts_with(prefix)) return CallNamed(name.substr(prefix.size()), arguments);
    }
    if (name == "annotate" || name == "unchecked_cast") {
      if (arguments.positional.size() != 1)
        return InvalidModel("{} takes a type and a value", name);
      return arguments.positional[0];
    }
    if (name == "getattr" && arguments.positional.size() == 2 &&
        arguments.positional[0].Is(Kind::kObject) && arguments.positional[1].Is(Kind::kString))
      return AttributeOf(*arguments.positional[0].object, *arguments.positional[1].text);
    if (name == "range") return RangeOf(arguments.positional);
    if (name == "float" && arguments.positional.size() == 1 &&
        arguments.positional[0].Is(Kind::kString)) {
      const std::string& text = *arguments.positional[0].text;
      if (text == "inf" || text == "-inf")
        return Value::Float(text[0] == '-' ? -HUGE_VAL : HUGE_VAL);
      return Value::Float(std::nan(""));
    }
    return CallNamed(name, arguments);
  }
  // Items of a NamedTuple are reached by name and by place.
  Result<Value> MakeNamedTuple(std::string_view name, const ScriptClass& type,
                               const Arguments& arguments) {
    if (arguments.positional.size() != type.fields.size())
      return InvalidModel("{} takes {} items", name, type.fields.size());
    return heap_.Tuple(arguments.positional);
  }
  Result<Value> RangeOf(const std::vector<Value>& arguments) {
    Ints numbers;
    for (const Value& argument : arguments) {
      const Value number = Settled(graph_, argument);
      if (!number.Is(Kind::kInt) || number.IsSymbol())
        return Unsupported("a loop runs as often as is known only while running")
            .Fix("trace it instead: torch.jit.trace(model, (input,))");
      numbers.push_back(number.integer);
    }
    if (numbers.empty() || numbers.size() > 3)
      return InvalidModel("a range of {} numbers", numbers.size());
    const std::int64_t begin = numbers.size() > 1 ? numbers[0] : 0;
    const std::int64_t end = numbers.size() > 1 ? numbers[1] : numbers[0];
    const std::int64_t step = numbers.size() > 2 ? numbers[2] : 1;
    std::vector<Value> values;
    if (step == 0) return InvalidModel("a range with a step of 0");
    for (std::int64_t i = begin; step > 0 ? i < end : i > end;) {
      values.push_back(Value::Int(i));
      if (static_cast<std::int64_t>(values.size()) > kMostSteps)
        return Error(ErrorCode::kResource, "a loop runs more than {} times", kMostSteps);
      if (__builtin_add_overflow(i, step, &i)) break;
    }
    return heap_.List(std::move(values));
  }
  // isinstance(x, Tensor) and the like, by the kind of value.
  Result<Value> IsInstance(const Expression& expression, Locals& locals) {
    if (expression.items.size() != 3) return InvalidModel("isinstance takes a value and a type");
    ATH_TRY(const Value value, Evaluate(expression.items[1], locals));
    const Expression& type = expression.items[2];
    static constexpr std::pair<std::string_view, Kind> kTypes[] = {
        {"Tensor", Kind::kTensor}, {"int", Kind::kInt},     {"float", Kind::kFloat},
        {"bool", Kind::kBool},     {"str", Kind::kString},  {"NoneType", Kind::kNone},
        {"List", Kind::kList},     {"Tuple", Kind::kTuple}, {"Dict", Kind::kDict}};
    const std::string_view name = type.kind == EKind::kSubscript ? type.items[0].text : type.text;
    for (const auto& [known, kind] : kTypes) {
      if (known == name) return Value::Bool(value.Is(kind));
    }
    return Unsupported("isinstance of type {} is not read", name);
  }
  Result<Value> CallNamed(std::string_view name, const Arguments& arguments) {
    ATH_TRY(const std::optional<Value> done, CallBuiltin({graph_, heap_}, name, arguments));
    if (done) return *done;
    Result<Value> result = operators_.Call(name, arguments, module_);
    if (result.ok()) return result;
    return std::move(result).status().In(fmt::format("torch.{}", name));
  }

  const Archive& archive_;
  CopyBudget budget_;
  Heap heap_;
  Graph graph_;
  Operators operators_;
  Value constants_;
  std::map<std::string, Code> codes_;
  const Code* code_ = nullptr;                            // where the last class was found
  std::unordered_map<const Object*, std::string> paths_;  // of modules
  std::string module_;                                    // that is being run
  std::vector<Place> places_, error_places_;
  std::int64_t steps_ = 0;
  int depth_ = 0;
};

}  // namespace

bool IsScript(const Archive& archive) {
  return archive.Has("data.pkl") && !archive.Names("code/", ".py").empty();
}

Result<Graph> ReadScript(const Archive& archive, Bytes file) { return Runner(archive, file).Run(); }

}  // namespace athanor::pytorch
