// Writes docs/kernels.md: which kernel runs each operator for each element type, or that none does.
// athanor_kernel_docs SAMPLES FILE. Run by `./dev docs`.
//
// Nodes are planned for the portable instruction set, so that the page is the same on every
// machine.
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <sstream>

#include "core/file.h"
#include "ir/text.h"
#include "ops/catalog.h"
#include "plan/ready_node.h"

namespace athanor {
namespace {

constexpr std::array kTypes = {DType::kF32, DType::kF16, DType::kI8,  DType::kU8,
                               DType::kI32, DType::kI64, DType::kBool};

// What runs the cases of one operator for one element type.
struct Cell {
  bool accepted = false;
  bool reference = false;
  std::set<std::string> kernels = {};
};

struct Row {
  std::string op;
  std::array<Cell, kTypes.size()> cells;
};

struct Tier {
  std::string name;
  std::vector<Row> rows;
};

// "Relu.f32.base" -> "f32"
std::string Variant(const kernels::KernelDef& def) {
  if (def.inner != nullptr) return "f16 through " + Variant(*def.inner);
  std::string name = def.name;
  if (name.starts_with(def.op + ".")) name = name.substr(def.op.size() + 1);
  const std::string isa = "." + std::string(Name(def.isa));
  if (name.ends_with(isa)) name.resize(name.size() - isa.size());
  return name == Name(def.isa) ? "f32" : name;
}

// The kernel that a step without one gets when it is reached, for inputs that hold small numbers.
Result<const kernels::KernelDef*> WhenReached(const Plan& plan, const Step& step,
                                              kernels::PackStore& store) {
  const Node& node = plan.graph.node(step.nodes.back());
  std::vector<Datum> inputs;
  std::vector<const Tensor*> constants;
  for (const ValueId id : node.inputs) {
    const Tensor* constant = plan.graph.Constant(id);
    constants.push_back(constant);
    if (id == kNoValue || constant != nullptr) {
      inputs.push_back(constant != nullptr ? Datum(*constant) : Datum());
      continue;
    }
    const Type& type = plan.graph.value(id).type;
    const std::optional<Dims> dims = type.StaticDims();
    if (!dims) return static_cast<const kernels::KernelDef*>(nullptr);
    ATH_TRY(Tensor tensor, Tensor::Allocate(type.dtype, *dims));
    // 1, then 5: a range has an end behind its begin.
    const float value = inputs.size() == 1 ? 5.0F : 1.0F;
    const Status filled = Dispatch(NumericTypes{}, type.dtype, [&](auto tag) -> Status {
      using T = typename decltype(tag)::Type;
      for (T& x : tensor.MutableData<T>()) x = static_cast<T>(value);
      return {};
    });
    if (!filled.ok()) std::memset(tensor.mutable_raw(), 1, tensor.bytes());  // bool
    inputs.emplace_back(std::move(tensor));
  }
  ATH_TRY(const ReadyNode ready, MakeReady(node, inputs, constants, plan.options, store));
  return ready.kernel;
}

Status Describe(const Graph& parsed, Cell& cell) {
  Graph graph = parsed.Clone();
  std::vector<Type> types;
  for (const ValueId input : graph.inputs()) types.push_back(graph.value(input).type);
  ATH_RETURN_IF_ERROR(OptimizeForPlans(graph));
  kernels::PackStore store;
  ATH_TRY(const auto plan, MakePlan(std::move(graph), types, {.isa = Isa::kBase}, store));
  cell.accepted = true;
  for (const Step& step : plan->steps) {
    const kernels::KernelDef* kernel = step.kernel;
    if (kernel == nullptr) {
      const Result<const kernels::KernelDef*> reached = WhenReached(*plan, step, store);
      cell.accepted = reached.ok();  // what depends on data may be refused only then
      if (!cell.accepted) return {};
      kernel = *reached;
    }
    if (kernel == nullptr) {
      cell.reference = true;
    } else {
      cell.kernels.insert(Variant(*kernel));
    }
  }
  if (plan->steps.empty()) cell.kernels.insert("view");
  return {};
}

// One line of the samples.
struct Sample {
  std::string inputs, constants, node;

  std::string op() const {
    const std::size_t begin = node.find(" = ") + 3;
    return node.substr(begin, node.find('(') - begin);
  }
  bool typed() const { return inputs.find(": T[") != std::string::npos; }
  // Whether the sample says something about the element type.
  bool Concerns(DType dtype) const {
    return typed() || inputs.find(fmt::format(": {}[", Name(dtype))) == 1;
  }
  std::string GraphText(DType dtype) const {
    std::string outputs = node.substr(0, node.find(" = ")), ports = inputs;
    std::erase(outputs, '%');
    for (std::size_t at = 0; (at = ports.find(": T[", at)) != std::string::npos;)
      ports.replace(at + 2, 1, Name(dtype));
    return fmt::format("graph g({}) -> ({}) {{ {} {} }}", ports, outputs, constants, node);
  }
};

Sample ReadSample(const std::string& line) {
  const std::size_t first = line.find(" | "), last = line.rfind(" | ");
  if (first == std::string::npos) return {.inputs = {}, .constants = {}, .node = line};
  return {.inputs = line.substr(0, first),
          .constants = first == last ? "" : line.substr(first + 3, last - first - 3),
          .node = line.substr(last + 3)};
}

// Fails when no element type is accepted: then the sample is wrong.
Status AddSample(const Sample& sample, Tier& tier) {
  const std::string op = sample.op();
  if (tier.rows.empty() || tier.rows.back().op != op) tier.rows.push_back({.op = op, .cells = {}});
  Status refused;
  bool any = false;
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    if (!sample.Concerns(kTypes[i])) continue;
    const Result<Graph> graph = ParseText(sample.GraphText(kTypes[i]), ops::Standard());
    if (!graph.ok()) {
      refused = graph.status();
      continue;
    }
    any = true;
    ATH_RETURN_IF_ERROR(Describe(*graph, tier.rows.back().cells[i]));
  }
  return any ? Status() : refused;
}

Result<std::vector<Tier>> ReadSamples(const std::string& text) {
  std::vector<Tier> tiers;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("= ")) {
      tiers.push_back({.name = line.substr(2), .rows = {}});
      continue;
    }
    ATH_RETURN_IF_ERROR(AddSample(ReadSample(line), tiers.back()).In(line));
  }
  return tiers;
}

std::string Text(const Cell& cell) {
  if (!cell.accepted) return "";
  if (cell.reference) return "**reference**";
  std::string text;
  for (const std::string& kernel : cell.kernels) text += (text.empty() ? "" : ", ") + kernel;
  return text;
}

std::string Page(const std::vector<Tier>& tiers) {
  std::string tables;
  std::size_t accepted = 0, by_kernel = 0, operators = 0;
  for (const Tier& tier : tiers) {
    tables += fmt::format("\n## Tier {}\n\n| operator |", tier.name);
    for (const DType dtype : kTypes) tables += fmt::format(" {} |", Name(dtype));
    tables += "\n|---|---|---|---|---|---|---|---|\n";
    for (const Row& row : tier.rows) {
      ++operators;
      tables += fmt::format("| {} |", row.op);
      for (const Cell& cell : row.cells) {
        accepted += cell.accepted ? 1 : 0;
        by_kernel += cell.accepted && !cell.reference ? 1 : 0;
        tables += fmt::format(" {} |", Text(cell));
      }
      tables += "\n";
    }
  }
  return fmt::format(
             "# Which kernel runs what\n\nMade by `./dev docs` from "
             "`src/tools/kernel_samples.txt`: typical nodes, planned for device `cpu` with the "
             "portable\ninstruction set. A cell names the kernels; **reference**: a case of it "
             "runs on the operator's reference; empty: not\ndefined for the element type.\n\n{} "
             "of {} cells ({} operators) run on kernels.\n",
             by_kernel, accepted, operators) +
         tables;
}

Status Write(const char* samples, const char* file) {
  ATH_TRY(const std::string text, ReadTextFile(samples));
  ATH_TRY(const std::vector<Tier> tiers, ReadSamples(text));
  return WriteFileAtomically(file, Page(tiers));
}

}  // namespace
}  // namespace athanor

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: athanor_kernel_docs SAMPLES FILE\n");
    return 1;
  }
  const athanor::Status status = athanor::Write(argv[1], argv[2]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : athanor::Describe(status.code()).exit_code;
}
