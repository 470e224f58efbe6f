#include <algorithm>
#include <set>

#include "core/text.h"
#include "frontends/coreml/program.h"
#include "frontends/unread_kinds.h"
#include "ops/catalog.h"

namespace athanor::coreml {
namespace {

std::string OperationPlace(const mil::Operation& op) {
  return fmt::format("operation {} ({})",
                     Quote(op.outputs.empty() ? "" : op.outputs[0].name.substr(0, 100)),
                     op.type.substr(0, 100));
}

const std::vector<ProgramRow>& AllRows() {
  static const std::vector<ProgramRow> table = [] {
    std::vector<ProgramRow> rows;
    for (const auto& list : {ProgramLayerRows(), ProgramMathRows(), ProgramWeightRows()})
      rows.insert(rows.end(), list.begin(), list.end());
    return rows;
  }();
  return table;
}

// Operations are added to a graph, and know the values before them there: the program's, or a
// body's.
struct Region {
  Graph& graph;
  ProgramValues known = {};
};

// The condition of a loop is there twice, before the loop and in its body, and bodies may lie in
// each other: a small file could ask for very many.
constexpr std::size_t kMostOperations = 300'000;
constexpr int kMostDepth = 8;

bool IsControl(const mil::Operation& op) { return op.type == "cond" || op.type == "while_loop"; }

class ProgramImport {
 public:
  ProgramImport(const ProgramEnds& ends, const std::string& folder, std::size_t bytes)
      : ends_(ends), constants_(folder, bytes), graph_(ops::Standard(), "coreml") {}

  Result<Graph> Run(const mil::Program& program) {
    ATH_TRY(const mil::Function* function, MainOf(program));
    const mil::Block* block = nullptr;
    for (const auto& entry : function->blocks) {
      if (entry.key == function->opset) block = &entry.value;
    }
    if (block == nullptr)
      return InvalidModel("there are no operations for {}", Quote(function->opset.substr(0, 100)));
    ATH_RETURN_IF_ERROR(CheckTypes(*block));
    ATH_RETURN_IF_ERROR(AddInputs(*function));
    ATH_RETURN_IF_ERROR(AddOperations(*block, main_));
    ATH_RETURN_IF_ERROR(AddOutputs(*block));
    graph_.ReleaseUnusedConstants();
    ATH_RETURN_IF_ERROR(Verify(graph_));
    return std::move(graph_);
  }

 private:
  static Result<const mil::Function*> MainOf(const mil::Program& program) {
    if (program.functions.size() == 1) return &program.functions[0].value;
    for (const auto& entry : program.functions) {
      if (entry.key == "main") return &entry.value;
    }
    return Unsupported("{} functions and none of them is main; one function is read",
                       program.functions.size());
  }

  static void FindUnread(const mil::Block& block, UnreadKinds& unread) {
    for (const mil::Operation& op : block.operations) {
      for (const mil::Block& body : op.blocks) FindUnread(body, unread);
      if (op.type == "const" || IsControl(op) || FindProgramRow(op.type) != nullptr) continue;
      unread.Add(op.type, [&] { return OperationPlace(op); });
    }
  }

  // Every type of operation that is not read, once.
  static Status CheckTypes(const mil::Block& block) {
    UnreadKinds unread;
    FindUnread(block, unread);
    std::vector<std::string> names = {"cond", "while_loop"};
    for (const ProgramRow& row : AllRows()) names.emplace_back(row.type);
    return unread.Problems("operation", names, [](const std::string&) {
      return "give athanor the model that it was converted from, as ONNX or .pt2";
    });
  }

  Status AddInputs(const mil::Function& function) {
    // In the order of the description; those that it does not name come last.
    std::map<std::string_view, std::size_t> places;
    for (const std::string& name : ends_.inputs) places.emplace(name, places.size());
    std::vector<std::pair<std::size_t, const mil::NamedType*>> inputs;
    for (const mil::NamedType& input : function.inputs) {
      const auto found = places.find(input.name);
      inputs.emplace_back(found == places.end() ? places.size() : found->second, &input);
    }
    std::stable_sort(inputs.begin(), inputs.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [place, input] : inputs) {
      Result<Type> type = TypeOfValue(input->type, input->name);
      const std::string where = fmt::format("input {}", Quote(input->name.substr(0, 100)));
      if (!type.ok()) return std::move(type).status().In(where);
      if (main_.known.values.count(input->name) > 0)
        return InvalidModel("it is there twice").In(where);
      main_.known.values[input->name] = graph_.AddInput(input->name, *std::move(type));
    }
    return {};
  }

  Status AddOperations(const mil::Block& block, Region& region) {
    for (const mil::Operation& op : block.operations) {
      if (operations_left_-- == 0)
        return Error(ErrorCode::kResource, "more than {} operations", kMostOperations);
      Status status = op.type == "const" ? AddConstant(op, region)
                      : IsControl(op)    ? AddControl(op, region)
                                         : AddOperation(op, region);
      if (!status.ok()) return std::move(status).In(OperationPlace(op));
    }
    return {};
  }

  Status AddControl(const mil::Operation& op, Region& region) {
    if (op.blocks.size() != 2) return InvalidModel("{} blocks; two are expected", op.blocks.size());
    if (depth_ == kMostDepth)
      return Error(ErrorCode::kResource, "more than {} bodies within each other", kMostDepth);
    ++depth_;
    Status status = op.type == "cond" ? AddCondition(op, region) : AddLoop(op, region);
    --depth_;
    return status;
  }

  Status AddConstant(const mil::Operation& op, Region& region) {
    if (op.outputs.size() != 1) return InvalidModel("{} results", op.outputs.size());
    const mil::NamedType& output = op.outputs[0];
    const mil::Value* value = nullptr;
    for (const auto& entry : op.attributes) {
      if (entry.key == "val") value = &entry.value;
    }
    if (value == nullptr) return InvalidModel("its value is missing");
    if (value->immediate && value->immediate->tensor && value->immediate->tensor->strings) {
      const auto& texts = value->immediate->tensor->strings->values;
      if (texts.size() == 1) region.known.texts[output.name] = texts[0];
      return {};
    }
    ATH_TRY(Tensor tensor, constants_.Read(*value));
    return Define(output, region.graph.AddConstant(std::move(tensor), output.name), region);
  }

  Status Define(const mil::NamedType& output, ValueId value, Region& region) {
    ATH_RETURN_IF_ERROR(CheckDeclared(output, region.graph.value(value).type));
    if (region.known.values.emplace(output.name, value).second) return {};
    return InvalidModel("{} is made twice", Quote(output.name.substr(0, 100)));
  }

  // What the file says of a result must be what the operation makes: where it is not, one of them
  // was misunderstood, and the answers would be wrong without a word.
  static Status CheckDeclared(const mil::NamedType& output, const Type& made) {
    if (!output.type.tensor) return {};
    ATH_TRY(const Type declared, TypeOfValue(output.type, "size"));
    bool agrees = declared.dtype == made.dtype;
    if (agrees && made.HasRank()) {
      agrees = made.rank() == declared.rank();
      for (std::int64_t axis = 0; agrees && axis < made.rank(); ++axis) {
        const Dim &size = made.dim(axis), &wanted = declared.dim(axis);
        agrees = !size.IsConst() || !wanted.IsConst() || size.value() == wanted.value();
      }
    }
    if (agrees) return {};
    return InvalidModel("{} is {}, where the file says {}", Quote(output.name.substr(0, 100)),
                        made.ToString(), declared.ToString());
  }

  Status DefineAll(const mil::Operation& op, const std::vector<ValueId>& values, Region& region) {
    if (values.size() != op.outputs.size())
      return InvalidModel("{} results are named; there are {}", op.outputs.size(), values.size());
    for (std::size_t i = 0; i < op.outputs.size(); ++i)
      ATH_RETURN_IF_ERROR(Define(op.outputs[i], values[i], region));
    return {};
  }

  Status AddOperation(const mil::Operation& op, Region& region) {
    const ProgramRow& row = *FindProgramRow(op.type);
    ProgramStep step(region.graph, op, row, region.known, constants_);
    row.make(step);
    ATH_RETURN_IF_ERROR(step.problem());
    return DefineAll(op, step.outputs, region);
  }

  // ---- operations with bodies, which see the values of the region around them

  static void FindNames(const mil::Block& block, std::set<std::string>& names) {
    names.insert(block.outputs.begin(), block.outputs.end());
    for (const mil::Operation& op : block.operations) {
      for (const auto& entry : op.inputs) {
        for (const mil::Binding& binding : entry.value.bindings) names.insert(binding.name);
      }
      for (const mil::Block& body : op.blocks) FindNames(body, names);
    }
  }

  // What the bodies of an operation read of the region: what is computed they capture, constants
  // each has again. No more than that, as a file may have many bodies and many values.
  static ProgramValues Captured(const mil::Operation& op, const Region& region) {
    std::set<std::string> names;
    for (const mil::Block& body : op.blocks) FindNames(body, names);
    ProgramValues captured;
    for (const std::string& name : names) {
      const auto value = region.known.values.find(name);
      if (value != region.known.values.end()) captured.values.insert(*value);
      const auto text = region.known.texts.find(name);
      if (text != region.known.texts.end()) captured.texts.insert(*text);
    }
    return captured;
  }

  // Adds what a body captures, in order. `inputs` takes the values of the region.
  static void Capture(const ProgramValues& captured, const Region& region, Region& body,
                      std::vector<ValueId>* inputs) {
    body.known.texts = captured.texts;
    for (const auto& [name, value] : captured.values) {
      if (const Tensor* constant = region.graph.Constant(value)) {
        body.known.values[name] = body.graph.AddConstant(*constant, name);
        continue;
      }
      body.known.values[name] = body.graph.AddInput(name, region.graph.value(value).type);
      if (inputs != nullptr) inputs->push_back(value);
    }
  }

  // What a block gives, by the names that it says.
  static Result<std::vector<ValueId>> Results(const mil::Block& block, const Region& region) {
    std::vector<ValueId> values;
    for (const std::string& name : block.outputs) {
      const auto found = region.known.values.find(name);
      if (found == region.known.values.end())
        return InvalidModel("nothing in its block makes {}", Quote(name.substr(0, 100)));
      values.push_back(found->second);
    }
    return values;
  }

  Status AddCondition(const mil::Operation& op, Region& region) {
    static const ProgramRow kRow = {.type = "cond"};
    ProgramStep step(region.graph, op, kRow, region.known, constants_);
    Graph::NewNode node = {.op = "If",
                           .inputs = {step.In("pred")},
                           .num_outputs = op.outputs.size(),
                           .name = op.outputs.empty() ? "" : op.outputs[0].name};
    ATH_RETURN_IF_ERROR(step.problem());
    const ProgramValues captured = Captured(op, region);
    for (const mil::Block& block : op.blocks) {
      auto graph = std::make_unique<Graph>(region.graph.catalog(), "branch");
      Region body = {*graph};
      Capture(captured, region, body, &block == &op.blocks[0] ? &node.inputs : nullptr);
      ATH_RETURN_IF_ERROR(AddOperations(block, body));
      ATH_TRY(const std::vector<ValueId> results, Results(block, body));
      for (std::size_t i = 0; i < results.size(); ++i)
        graph->AddOutput(block.outputs[i], results[i]);
      graph->ReleaseUnusedConstants();
      node.bodies.push_back(std::move(graph));
    }
    node.captures = static_cast<int>(node.inputs.size()) - 1;
    ATH_TRY(const NodeId id, region.graph.AddNode(std::move(node)));
    return DefineAll(op, std::vector<ValueId>(region.graph.node(id).outputs), region);
  }

  // Whether to go on, as the first block of a loop computes it from its variables.
  Result<ValueId> GoesOn(const mil::Block& block, const std::vector<ValueId>& variables,
                         Region region) {
    if (block.inputs.size() != variables.size() || block.outputs.size() != 1)
      return InvalidModel("a condition of {} values for {} variables", block.outputs.size(),
                          variables.size());
    for (std::size_t i = 0; i < variables.size(); ++i)
      region.known.values[block.inputs[i].name] = variables[i];
    ATH_RETURN_IF_ERROR(AddOperations(block, region));
    ATH_TRY(const std::vector<ValueId> results, Results(block, region));
    return results[0];
  }

  Status AddLoop(const mil::Operation& op, Region& region) {
    static const ProgramRow kRow = {.type = "while_loop"};
    ProgramStep step(region.graph, op, kRow, region.known, constants_);
    const std::vector<ValueId> variables = step.All("loop_vars");
    ATH_RETURN_IF_ERROR(step.problem());
    const mil::Block &condition = op.blocks[0], &block = op.blocks[1];
    if (block.inputs.size() != variables.size() || block.outputs.size() != variables.size())
      return InvalidModel("a body of {} values, of which it gives {}, for {} variables",
                          block.inputs.size(), block.outputs.size(), variables.size());
    const ProgramValues captured = Captured(op, region);
    ATH_TRY(const ValueId first, GoesOn(condition, variables, {region.graph, captured}));
    Graph::NewNode node = {.op = "Loop",
                           .inputs = {kNoValue, first},
                           .num_outputs = variables.size(),
                           .name = op.outputs.empty() ? "" : op.outputs[0].name};
    node.inputs.insert(node.inputs.end(), variables.begin(), variables.end());
    auto graph = std::make_unique<Graph>(region.graph.catalog(), "body");
    Region body = {*graph};
    graph->AddInput("iteration", Type::Tensor(DType::kI64, {}));
    graph->AddInput("condition", Type::Tensor(DType::kBool, {}));
    std::vector<ValueId> states;
    for (const mil::NamedType& input : block.inputs) {
      ATH_TRY(Type type, TypeOfValue(input.type, input.name));
      // A size that is open may be another one in each iteration.
      if (!type.StaticDims()) type = Type::TensorOfUnknownRank(type.dtype);
      states.push_back(graph->AddInput(input.name, std::move(type)));
    }
    Capture(captured, region, body, &node.inputs);
    node.captures = static_cast<int>(node.inputs.size() - variables.size()) - 2;
    const ProgramValues outer = body.known;
    for (std::size_t i = 0; i < states.size(); ++i)
      body.known.values[block.inputs[i].name] = states[i];
    ATH_RETURN_IF_ERROR(AddOperations(block, body));
    ATH_TRY(const std::vector<ValueId> results, Results(block, body));
    ATH_TRY(const ValueId again, GoesOn(condition, results, {*graph, outer}));
    graph->AddOutput("goes_on", again);
    for (std::size_t i = 0; i < results.size(); ++i) graph->AddOutput(block.outputs[i], results[i]);
    graph->ReleaseUnusedConstants();
    node.bodies.push_back(std::move(graph));
    ATH_TRY(const NodeId id, region.graph.AddNode(std::move(node)));
    return DefineAll(op, std::vector<ValueId>(region.graph.node(id).outputs), region);
  }

  Status AddOutputs(const mil::Block& block) {
    std::vector<std::string> names = ends_.outputs;
    const std::set<std::string> given(block.outputs.begin(), block.outputs.end());
    if (given != std::set<std::string>(names.begin(), names.end())) names = block.outputs;
    if (names.empty()) return InvalidModel("the program gives nothing");
    std::set<std::string> seen;
    for (const std::string& name : names) {
      const auto found = main_.known.values.find(name);
      const std::string where = fmt::format("output {}", Quote(name.substr(0, 100)));
      if (found == main_.known.values.end()) return InvalidModel("nothing makes it").In(where);
      if (!seen.insert(name).second) return InvalidModel("it is given twice").In(where);
      graph_.AddOutput(name, found->second);
    }
    return {};
  }

  const ProgramEnds& ends_;
  ProgramConstants constants_;
  Graph graph_;
  Region main_ = {graph_};
  std::size_t operations_left_ = kMostOperations;
  int depth_ = 0;  // of bodies
};

}  // namespace

const ProgramRow* FindProgramRow(std::string_view type) {
  for (const ProgramRow& row : AllRows()) {
    if (row.type == type) return &row;
  }
  return nullptr;
}

Result<Graph> ImportProgram(protobuf::Bytes bytes, const ProgramEnds& ends,
                            const std::string& folder) {
  ATH_TRY(const mil::Program program, protobuf::Parse<mil::Program>(bytes, "ML Program"));
  return ProgramImport(ends, folder, bytes.size()).Run(program);
}

}  // namespace athanor::coreml
