#include "codegen/table/row_program.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "codegen/boundary.h"
#include "codegen/table/lowering.h"
#include "core/checked.h"
#include "core/text.h"
#include "passes/pipeline.h"

namespace athanor::codegen {
namespace {

constexpr std::size_t kMostTerms = std::size_t{1} << 20;

bool IsTermType(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kI64 ||
         dtype == DType::kBool || dtype == DType::kString;
}

Status CheckEdge(const Value& value, std::string_view what, std::string_view name) {
  const auto dims = value.type.StaticDims();
  const bool one_row = dims && (dims->empty() || (dims->size() <= 2 && dims->front() == 1));
  if (one_row && IsTermType(value.type.dtype)) return {};
  return Unsupported(
      "{} \"{}\" is {}; a row is written for columns [N, 1] or a matrix [N, features] of f32, f64, "
      "i64, bool or string",
      what, name, value.type.ToString());
}

// A small file may ask for large tensors.
Status CheckSize(const Type& type) {
  const auto dims = type.StaticDims();
  if (!dims) return Unsupported("a result of {}, whose shape is not known", type.ToString());
  const auto count = CheckedCount(*dims);
  if (count && *count <= static_cast<std::int64_t>(kMostTerms)) return {};
  return Error(ErrorCode::kResource, "{} has more than {} elements", type.ToString(), kMostTerms);
}

Status CheckEdges(const Graph& graph) {
  std::vector<Status> problems;
  const auto check = [&](ValueId id, std::string_view what, std::string_view name) {
    Status status = CheckEdge(graph.value(id), what, name);
    if (!status.ok()) problems.push_back(std::move(status));
  };
  for (const ValueId id : graph.inputs()) check(id, "input", graph.value(id).name);
  for (const GraphOutput& output : graph.outputs()) check(output.value, "output", output.name);
  return Status::All(std::move(problems));
}

class Reader {
 public:
  explicit Reader(const Graph& graph) : graph_(graph), make_(program_) {}

  Result<RowProgram> Read() {
    program_.name = graph_.name();
    program_.nodes.emplace_back("input");
    ATH_TRY(const std::vector<NodeId> order, graph_.Order());
    ATH_RETURN_IF_ERROR(CheckOperators(order));
    ATH_RETURN_IF_ERROR(CheckEdges(graph_));
    for (const ValueId id : graph_.inputs()) AddInput(id);
    for (const NodeId id : order) ATH_RETURN_IF_ERROR(AddNode(graph_.node(id)));
    for (const GraphOutput& output : graph_.outputs()) {
      ATH_TRY(const Elements elements, ElementsOf(output.value));
      program_.outputs.push_back(
          {output.name, graph_.value(output.value).type.dtype, elements.terms});
    }
    return std::move(program_);
  }

 private:
  Status CheckOperators(const std::vector<NodeId>& order) const {
    std::map<std::string, std::vector<std::string>> without;
    for (const NodeId id : order) {
      const Node& node = graph_.node(id);
      if (FindLowering(node.op->name) == nullptr) without[node.op->name].push_back(node.name);
    }
    std::vector<Status> problems;
    for (const auto& [op, nodes] : without) {
      const std::string count = nodes.size() > 1 ? fmt::format(" ({} nodes)", nodes.size()) : "";
      Status problem = Unsupported("there is no formula of {}{}", op, count)
                           .Fix("athanor score MODEL TABLE runs the model itself");
      if (!nodes[0].empty()) problem = std::move(problem).In(fmt::format("node \"{}\"", nodes[0]));
      problems.push_back(std::move(problem));
    }
    return Status::All(std::move(problems));
  }

  void AddInput(ValueId id) {
    const Value& value = graph_.value(id);
    Elements elements = {*value.type.StaticDims(), value.type.dtype, {}};
    const auto width = static_cast<std::size_t>(*CheckedCount(elements.dims));
    for (std::size_t i = 0; i < width; ++i) {
      program_.columns.push_back({ElementName(value.name, width, i), value.type.dtype});
      elements.terms.push_back(make_.Input(program_.columns.size() - 1, value.type.dtype));
    }
    elements_[id] = std::move(elements);
  }

  Result<Elements> ElementsOf(ValueId id) {
    const auto found = elements_.find(id);
    if (found != elements_.end()) return found->second;
    const Tensor* tensor = graph_.Constant(id);
    ATH_CHECK(tensor != nullptr, "nodes are read in order, so only constants are new");
    ATH_RETURN_IF_ERROR(CheckSize(graph_.value(id).type));
    return ElementsOfConstant(make_, *tensor);
  }

  Status AddNode(const Node& node) {
    program_.nodes.push_back(node.name.empty()
                                 ? node.op->name
                                 : fmt::format("node \"{}\" ({})", node.name, node.op->name));
    make_.SetNode(program_.nodes.size() - 1);
    Lowering lowering(graph_, node, make_);
    Status status = Lower(node, lowering);
    if (!status.ok()) return std::move(status).In(program_.nodes.back());
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != kNoValue) elements_[node.outputs[i]] = std::move(lowering.out[i]);
    }
    return {};
  }

  Status Lower(const Node& node, Lowering& lowering) {
    for (const ValueId output : node.outputs)
      if (output != kNoValue) ATH_RETURN_IF_ERROR(CheckSize(graph_.value(output).type));
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (input == kNoValue || lowering.Skips(i)) continue;
      ATH_TRY(lowering.in[i], ElementsOf(input));
    }
    ATH_RETURN_IF_ERROR(FindLowering(node.op->name)->lower(lowering));
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      const std::int64_t count = *CheckedCount(*graph_.value(node.outputs[i]).type.StaticDims());
      if (static_cast<std::int64_t>(lowering.out[i].terms.size()) != count)
        return Unsupported("an axis without elements");
    }
    if (program_.terms.size() > kMostTerms)
      return Error(ErrorCode::kResource, "the formulas have more than {} terms", kMostTerms);
    return {};
  }

  const Graph& graph_;
  RowProgram program_;
  TermMaker make_;
  std::map<ValueId, Elements> elements_;
};

}  // namespace

std::string ElementName(const std::string& name, std::size_t width, std::size_t at) {
  return width == 1 ? name : fmt::format("{}({})", name, at);
}

std::string_view Name(Fn fn) {
  constexpr std::array kNames = {"Abs",
                                 "Acos",
                                 "Add",
                                 "And",
                                 "Asin",
                                 "Atan",
                                 "Cast",
                                 "Ceil",
                                 "Cos",
                                 "Cosh",
                                 "Div",
                                 "Equal",
                                 "Erf",
                                 "Exp",
                                 "Floor",
                                 "Greater",
                                 "GreaterOrEqual",
                                 "IsNaN",
                                 "Less",
                                 "LessOrEqual",
                                 "Log",
                                 "Max",
                                 "Min",
                                 "Mul",
                                 "Neg",
                                 "Not",
                                 "Or",
                                 "Pow",
                                 "Round",
                                 "Sigmoid",
                                 "Sin",
                                 "Sinh",
                                 "Sqrt",
                                 "Square",
                                 "Sub",
                                 "Tan",
                                 "Tanh",
                                 "Where",
                                 "Xor"};
  return kNames[static_cast<std::size_t>(fn)];
}

bool Lookup::CountsUp() const {
  if (keys.dtype() != DType::kI64) return false;
  const auto numbers = keys.Data<std::int64_t>();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

const std::vector<TermId>& RowProgram::ArgsOf(const Term& term) const {
  return term.kind == Term::Kind::kTrees ? rows[sums[term.index].row] : term.args;
}

double RowProgram::LeafWeight(const ops::Forest& forest, std::size_t leaf, std::int64_t target) {
  double sum = 0;
  for (const ops::Forest::Weight& weight : forest.WeightsOf(leaf)) {
    if (weight.target == target) sum += weight.value;
  }
  return sum;
}

std::optional<std::vector<double>> RowProgram::LeavesOf(TermId id) const {
  const Term* term = &terms[id];
  while (term->kind == Term::Kind::kCall && term->fn == Fn::kCast) term = &terms[term->args[0]];
  if (term->kind != Term::Kind::kTrees) return std::nullopt;
  const TreeSum& sum = sums[term->index];
  const ops::Forest& forest = forests[sum.forest];
  if (sum.trees.size() != 1 || forest.is_linear()) return std::nullopt;
  std::vector<double> leaves;
  std::vector<bool> seen(forest.nodes().size(), false);
  std::vector<ops::Forest::Child> open = {forest.roots()[sum.trees[0]]};
  while (!open.empty()) {
    const ops::Forest::Child at = open.back();
    open.pop_back();
    if (at < 0) {
      leaves.push_back(LeafWeight(forest, static_cast<std::size_t>(-1 - at), sum.target));
      continue;
    }
    const auto number = static_cast<std::size_t>(at);
    if (seen[number]) continue;
    seen[number] = true;
    open.push_back(forest.nodes()[number].no);
    open.push_back(forest.nodes()[number].yes);
  }
  std::sort(leaves.begin(), leaves.end());
  leaves.erase(std::unique(leaves.begin(), leaves.end()), leaves.end());
  return leaves;
}

bool RowProgram::IsNeverMissing(TermId id) const {
  const Term& term = terms[id];
  if (term.kind == Term::Kind::kConstant) return !std::isnan(term.number);
  if (term.kind == Term::Kind::kLookup) {
    const Lookup& lookup = lookups[term.index];
    const auto numbers = ToDoubles(lookup.values), other = ToDoubles(lookup.otherwise);
    return numbers.ok() && other.ok() && !std::isnan((*other)[0]) &&
           std::none_of(numbers->begin(), numbers->end(), [](double x) { return std::isnan(x); });
  }
  if (term.kind != Term::Kind::kCall || term.fn != Fn::kWhere) return false;
  // A missing number with something in its place.
  const Term& condition = terms[term.args[0]];
  return condition.kind == Term::Kind::kCall && condition.fn == Fn::kIsNan &&
         condition.args[0] == term.args[2] && IsNeverMissing(term.args[1]);
}

void RemoveUnused(RowProgram& program) {
  std::vector<bool> used(program.terms.size(), false);
  for (const RowProgram::Output& output : program.outputs) {
    for (const TermId id : output.values) used[id] = true;
  }
  for (TermId id = program.terms.size(); id-- > 0;) {
    if (!used[id]) continue;
    for (const TermId arg : program.ArgsOf(program.terms[id])) used[arg] = true;
  }
  std::vector<TermId> moved(program.terms.size(), 0);
  std::vector<Term> kept;
  for (TermId id = 0; id < program.terms.size(); ++id) {
    if (!used[id]) continue;
    moved[id] = kept.size();
    kept.push_back(std::move(program.terms[id]));
    for (TermId& arg : kept.back().args) arg = moved[arg];
  }
  program.terms = std::move(kept);
  for (std::vector<TermId>& row : program.rows) {
    for (TermId& id : row) id = moved[id];
  }
  for (RowProgram::Output& output : program.outputs) {
    for (TermId& id : output.values) id = moved[id];
  }
}

TermId TermMaker::Add(Term term) {
  Key key = {term.kind, term.dtype, term.fn,
             term.args, term.index, std::bit_cast<std::uint64_t>(term.number),
             term.text};
  const auto [found, is_new] = known_.emplace(std::move(key), program_.terms.size());
  if (is_new) {
    term.node = node_;
    program_.terms.push_back(std::move(term));
  }
  return found->second;
}

TermId TermMaker::Input(std::size_t column, DType dtype) {
  return Add({.kind = Term::Kind::kInput, .dtype = dtype, .index = column});
}

TermId TermMaker::Number(DType dtype, double number) {
  return Add({.dtype = dtype, .number = number});
}

TermId TermMaker::Text(std::string text) {
  return Add({.dtype = DType::kString, .text = std::move(text)});
}

TermId TermMaker::Call(Fn fn, DType dtype, std::vector<TermId> args) {
  return Add({.kind = Term::Kind::kCall, .dtype = dtype, .fn = fn, .args = std::move(args)});
}

TermId TermMaker::Cast(DType dtype, TermId x) {
  return program_.terms[x].dtype == dtype ? x : Call(Fn::kCast, dtype, {x});
}

TermId TermMaker::Trees(DType dtype, TreeSum sum) {
  program_.sums.push_back(std::move(sum));
  return Add({.kind = Term::Kind::kTrees, .dtype = dtype, .index = program_.sums.size() - 1});
}

TermId TermMaker::Find(TermId x, std::size_t lookup) {
  return Add({.kind = Term::Kind::kLookup,
              .dtype = program_.lookups[lookup].values.dtype(),
              .args = {x},
              .index = lookup});
}

std::size_t TermMaker::Row(const std::vector<TermId>& terms) {
  const auto [found, is_new] = rows_.emplace(terms, program_.rows.size());
  if (is_new) program_.rows.push_back(terms);
  return found->second;
}

Result<RowProgram> RowProgramOf(Graph graph) {
  ATH_RETURN_IF_ERROR(FixBatch(graph));
  ATH_RETURN_IF_ERROR(passes::Optimize(graph).status());
  ATH_TRY(RowProgram program, Reader(graph).Read());
  RemoveUnused(program);
  return program;
}

}  // namespace athanor::codegen
