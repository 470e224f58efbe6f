#include "frontends/paddle/import.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/file.h"
#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/paddle/op_import.h"
#include "frontends/paddle/parameters.h"
#include "frontends/unread_kinds.h"
#include "ops/catalog.h"

namespace athanor::paddle {
namespace {

constexpr std::size_t kMaxRank = 16, kMaxProblems = 100, kMaxNodes = 300'000;

// The value of a text attribute; "" when there is none.
std::string TextOf(const Operator& op, std::string_view name) {
  const Attribute* value = op.Find(name);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return text == nullptr ? "" : *text;
}

bool IsFeed(const Operator& op) { return op.type == "feed" || op.type == "data"; }
bool IsFetch(const Operator& op) {
  return op.type == "fetch" || op.type == "builtin.shadow_output";
}
bool IsYield(const Operator& op) { return op.type == "cf.yield"; }

Result<Type> TypeOf(const Variable& variable, const std::string& name) {
  if (variable.dtype == DType::kUndefined)
    return Error(ErrorCode::kUnsupportedType, "its element type is not read");
  if (variable.dims.size() > kMaxRank)
    return Unsupported("rank {} is not read", variable.dims.size());
  Shape shape;
  for (std::size_t axis = 0; axis < variable.dims.size(); ++axis) {
    const std::int64_t size = variable.dims[axis];
    if (size < -1) return InvalidModel("size {} of axis {}", size, axis);
    shape.push_back(size >= 0 ? Dim(size)
                              : Dim::Symbol(fmt::format("{}_{}", name.substr(0, 100), axis)));
  }
  return Type::Tensor(variable.dtype, std::move(shape));
}

// The parameters in the order of the file: by name.
std::vector<std::size_t> ParameterOrder(const Program& program) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < program.variables.size(); ++i) {
    if (program.variables[i].is_parameter) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return program.variables[a].name < program.variables[b].name;
  });
  return order;
}

class Importer : public Blocks {
 public:
  Importer(const Program& program, std::vector<Tensor> parameters)
      : program_(program), parameters_(std::move(parameters)) {}

  Result<Graph> Run() {
    ATH_RETURN_IF_ERROR(CheckOperators());
    Graph graph(ops::Standard(), "paddle");
    Environment variables;
    ATH_RETURN_IF_ERROR(AddParameters(graph, variables));
    ATH_RETURN_IF_ERROR(Fill(0, graph, variables).status());
    ATH_RETURN_IF_ERROR(Status::All(std::move(problems_)));
    if (graph.outputs().empty()) return InvalidModel("the program gives no results");
    graph.ReleaseUnusedConstants();
    return graph;
  }

  Result<std::vector<ValueId>> Fill(std::size_t block, Graph& graph,
                                    Environment& variables) override {
    if (depth_ == kMaxDepth)
      return Error(ErrorCode::kResource, "blocks are nested more than {} deep", kMaxDepth);
    ++depth_;
    std::vector<ValueId> given;
    std::set<std::size_t> lost;  // what operators with a recorded problem would have made
    Status status;
    for (const Operator& op : program_.blocks[block].operators) {
      if (problems_.size() >= kMaxProblems || !status.ok()) break;
      status = AddOperator(op, graph, variables, lost, given);
    }
    --depth_;
    ATH_RETURN_IF_ERROR(status);
    if (block != 0 && !lost.empty()) return InvalidModel("block {} cannot be read", block);
    return given;
  }

  std::vector<std::size_t> Reads(std::size_t block) const override {
    std::set<std::size_t> made, read;
    AddReads(block, made, read, 0);
    return {read.begin(), read.end()};
  }

 private:
  // Every operator that is not read, each kind once.
  Status CheckOperators() const {
    UnreadKinds unread;
    for (const Block& block : program_.blocks) {
      for (const Operator& op : block.operators) {
        const bool known = IsFeed(op) || IsFetch(op) || IsYield(op) ||
                           FindRow(op.type, program_.is_pir) != nullptr ||
                           IsForeign("paddle", ForeignName(op));
        if (!known) unread.Add(std::string(ForeignName(op)));
      }
    }
    return unread.Problems("operator", Names(program_.is_pir), [](const std::string& type) {
      return "paddle2onnx writes ONNX, if it knows the operator; or " + ForeignFix("paddle", type);
    });
  }

  Status AddParameters(Graph& graph, Environment& variables) const {
    const std::vector<std::size_t> order = ParameterOrder(program_);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const Variable& variable = program_.variables[order[i]];
      const Tensor& tensor = parameters_[i];
      const bool fits = std::equal(
          variable.dims.begin(), variable.dims.end(), tensor.dims().begin(), tensor.dims().end(),
          [](std::int64_t a, std::int64_t b) { return a == b || a == -1; });
      if (!fits)
        return InvalidModel("parameter {} has the shape {}; the file of parameters holds {} there",
                            Quote(variable.name), ToString(variable.dims), ToString(tensor.dims()))
            .Fix("take the .pdiparams file that was saved together with the program");
      variables[order[i]] = {graph.AddConstant(tensor, variable.name)};
    }
    return {};
  }

  Status AddOperator(const Operator& op, Graph& graph, Environment& variables,
                     std::set<std::size_t>& lost, std::vector<ValueId>& given) {
    if (++operators_read_ > kMaxNodes)
      return Error(ErrorCode::kResource, "the program has more than {} operators", kMaxNodes);
    const auto is_lost = [&](const Slot& slot) {
      return std::any_of(slot.variables.begin(), slot.variables.end(),
                         [&](std::size_t variable) { return lost.count(variable) != 0; });
    };
    Status status;
    const bool waits = std::any_of(op.inputs.begin(), op.inputs.end(), is_lost);
    if (!waits) status = AddOne(op, graph, variables, given);
    if (!waits && status.ok()) return {};
    for (const Slot& slot : op.outputs) lost.insert(slot.variables.begin(), slot.variables.end());
    lost.erase(kNoVariable);
    if (!waits) problems_.push_back(std::move(status).In(PlaceOf(op)));
    // A branch or a loop that cannot be finished is reported by its operator.
    return {};
  }

  std::string PlaceOf(const Operator& op) const {
    for (const Slot& slot : op.outputs) {
      for (const std::size_t variable : slot.variables) {
        if (variable == kNoVariable) continue;
        return fmt::format("operator {} of {}", Quote(op.type),
                           Quote(program_.variables[variable].name.substr(0, 100)));
      }
    }
    return fmt::format("operator {}", Quote(op.type));
  }

  Status AddOne(const Operator& op, Graph& graph, Environment& variables,
                std::vector<ValueId>& given) {
    if (IsFeed(op)) return AddInput(op, graph, variables);
    if (IsFetch(op)) return AddOutput(op, graph, variables);
    if (IsYield(op)) {
      for (const Slot& slot : op.inputs) {
        ATH_TRY(const ValueId value, ValueOf(slot, variables));
        given.push_back(value);
      }
      return {};
    }
    if (const Row* row = FindRow(op.type, program_.is_pir)) {
      OpImport ctx(graph, *this, variables, program_, op, *row);
      if (ctx.ok()) row->make(ctx);
      ATH_RETURN_IF_ERROR(ctx.Store());
    } else {
      ATH_RETURN_IF_ERROR(ReadForeignOperator(graph, variables, program_, op));
    }
    for (const Slot& slot : op.outputs) NameValues(slot, graph, variables);
    return {};
  }

  void NameValues(const Slot& slot, Graph& graph, const Environment& variables) const {
    for (const std::size_t variable : slot.variables) {
      const auto made = variables.find(variable);
      if (made == variables.end() || made->second.size() != 1) continue;
      const Value& value = graph.value(made->second[0]);
      if (value.producer != kNoNode && value.name.empty())
        graph.SetName(made->second[0], program_.variables[variable].name);
    }
  }

  Result<ValueId> ValueOf(const Slot& slot, const Environment& variables) const {
    if (slot.variables.size() != 1 || slot.variables[0] == kNoVariable)
      return InvalidModel("one tensor is expected");
    const auto found = variables.find(slot.variables[0]);
    if (found == variables.end())
      return InvalidModel("variable {} is used before an operator makes it",
                          Quote(program_.variables[slot.variables[0]].name));
    if (found->second.size() != 1) return Unsupported("a list is not read as a result");
    return found->second[0];
  }

  Status AddInput(const Operator& op, Graph& graph, Environment& variables) const {
    if (depth_ != 1) return InvalidModel("an input inside a block");
    if (op.outputs.size() != 1 || op.outputs[0].variables.size() != 1 ||
        op.outputs[0].variables[0] == kNoVariable)
      return InvalidModel("an input has one output");
    const std::size_t number = op.outputs[0].variables[0];
    const Variable& variable = program_.variables[number];
    const std::string name = program_.is_pir ? TextOf(op, "name") : variable.name;
    ATH_TRY(Type type, TypeOf(variable, name));
    variables[number] = {graph.AddInput(name, std::move(type))};
    return {};
  }

  Status AddOutput(const Operator& op, Graph& graph, const Environment& variables) const {
    if (depth_ != 1 || op.inputs.size() != 1) return InvalidModel("an output has one input");
    ATH_TRY(const ValueId value, ValueOf(op.inputs[0], variables));
    std::string name = program_.variables[op.inputs[0].variables[0]].name;
    if (program_.is_pir) name = TextOf(op, op.type == "fetch" ? "name" : "output_name");
    graph.AddOutput(name, value);
    if (graph.value(value).producer != kNoNode) graph.SetName(value, name);
    return {};
  }

  void AddReads(std::size_t block, std::set<std::size_t> made, std::set<std::size_t>& read,
                int depth) const {
    if (depth > kMaxDepth) return;
    const Block& source = program_.blocks[block];
    made.insert(source.arguments.begin(), source.arguments.end());
    for (const Operator& op : source.operators) {
      for (const Slot& slot : op.inputs) {
        for (const std::size_t variable : slot.variables) {
          if (variable != kNoVariable && made.count(variable) == 0) read.insert(variable);
        }
      }
      for (const std::size_t inner : op.blocks) AddReads(inner, made, read, depth + 1);
      for (const Slot& slot : op.outputs) made.insert(slot.variables.begin(), slot.variables.end());
    }
  }

  const Program& program_;
  std::vector<Tensor> parameters_;
  std::vector<Status> problems_;
  std::size_t operators_read_ = 0;
  int depth_ = 0;
};

Result<Program> ReadProgram(Bytes bytes) {
  return IsPir(bytes) ? ReadPir(bytes) : ReadProgramDesc(bytes);
}

Result<Graph> ImportProgram(const Program& program, Bytes parameters,
                            const std::shared_ptr<const void>& owner) {
  Result<std::vector<Tensor>> tensors =
      ReadParameters(parameters, ParameterOrder(program).size(), owner);
  if (!tensors.ok()) return std::move(tensors).status().In("parameters");
  ATH_TRY(Graph graph, Importer(program, *std::move(tensors)).Run());
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

// model.pdmodel, model.json: model.pdiparams. __model__, of old programs: __params__.
std::string ParametersBeside(const std::filesystem::path& path) {
  if (path.filename() == "__model__") return (path.parent_path() / "__params__").string();
  return std::filesystem::path(path).replace_extension(".pdiparams").string();
}

}  // namespace

bool IsPaddle(Bytes bytes) { return IsPir(bytes) || IsProgramDesc(bytes); }

Result<Graph> Import(Bytes program, Bytes parameters, std::shared_ptr<const void> owner) {
  ATH_TRY(const Program read, ReadProgram(program));
  return ImportProgram(read, parameters, owner);
}

Result<Graph> ImportBeside(Bytes program, const std::string& path, const std::string& weights) {
  ATH_TRY(const Program read, ReadProgram(program));
  if (ParameterOrder(read).empty()) return ImportProgram(read, {}, nullptr);
  const std::string file_name = weights.empty() ? ParametersBeside(path) : weights;
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::Open(file_name);
  if (!file.ok()) {
    return Error(ErrorCode::kFileNotFound, "{}: the parameters of {} are not there", file_name,
                 std::filesystem::path(path).filename().string())
        .Fix("put the .pdiparams file beside the program, or say --weights FILE");
  }
  return ImportProgram(read, (*file)->bytes(), *file);
}

std::string ProgramIn(const std::string& folder) {
  std::error_code ignored;
  for (const char* name :
       {"inference.json", "inference.pdmodel", "model.json", "model.pdmodel", "__model__"}) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    if (std::filesystem::exists(path, ignored)) return path.string();
  }
  return "";
}

}  // namespace athanor::paddle
