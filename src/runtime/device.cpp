#include "runtime/device.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "plan/stages.h"
#include "runtime/bound_cores.h"
#include "runtime/cpu_session.h"
#include "runtime/reference_session.h"

namespace athanor {
namespace {

// What a step costs besides its arithmetic.
constexpr double kStepNs = 1000;

std::optional<double> CostOnReference(const Graph& graph, NodeId id, const SessionOptions&) {
  constexpr double kFlopsPerNs = 0.1;
  const Dim flops = plan::FlopsOf(graph, graph.node(id));
  return kStepNs + (flops.IsConst() ? static_cast<double>(flops.value()) / kFlopsPerNs : 0);
}

Isa IsaOf(const SessionOptions& options) {
  return std::min(options.isa.value_or(Isa::kAvx512), BestIsa());
}

Precision PrecisionOnReference(const SessionOptions&) { return Precision::kF32; }

Precision PrecisionOnCpu(const SessionOptions& options) {
  return Resolved(options.precision, IsaOf(options));
}

// A node has code of its own there when it has a kernel for these types, or bodies, which are
// planned, or is quantised, which planning brings into a form that has kernels. Where sizes are not
// known, kernels are looked for while running.
std::optional<double> CostOnCpu(const Graph& graph, NodeId id, const SessionOptions& options) {
  const Node& node = graph.node(id);
  if (!node.bodies.empty() || HasQuantSpec(node.attributes)) return kStepNs;
  if (!kernels::AnyKernel(*node.op)) return std::nullopt;
  PlanOptions plan;
  plan.isa = IsaOf(options);
  plan.precision = PrecisionOnCpu(options);
  kernels::KernelQuery query;
  if (!plan::MakeQuery(graph, node, plan, query).empty()) return kStepNs;
  const std::vector<kernels::Candidate> candidates = kernels::Candidates(query, plan.isa);
  if (candidates.empty() || !candidates[0].fit.yes()) return std::nullopt;
  return candidates[0].cost_ns;
}

std::optional<std::int64_t> ReadNumber(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end ? std::optional(number) : std::nullopt;
}

// "3" or "2-5", among the cores that the process may use, counted from 0.
Result<std::vector<int>> ReadCores(std::string_view text) {
  const std::vector<int>& usable = UsableCores();
  const auto most = static_cast<std::int64_t>(usable.size()) - 1;
  const std::size_t dash = text.find('-');
  const std::optional<std::int64_t> first = ReadNumber(text.substr(0, dash));
  const std::optional<std::int64_t> last =
      dash == std::string_view::npos ? first : ReadNumber(text.substr(dash + 1));
  if (!first || !last || *first < 0 || *last < *first || *last > most) {
    return Error(ErrorCode::kUnknownName,
                 "device \"cpu.{}\": cores are named by a number or a range such as 0-3; this "
                 "process may use 0 to {}",
                 text, most);
  }
  return std::vector<int>(usable.begin() + *first, usable.begin() + *last + 1);
}

}  // namespace

struct Device::Kind {
  std::string name;
  bool has_cores = false;  // may be followed by those it is bound to
  Result<std::unique_ptr<Session>> (*create)(Graph graph, const SessionOptions& options);
  std::optional<double> (*cost_ns)(const Graph& graph, NodeId node, const SessionOptions& options);
  Precision (*precision)(const SessionOptions& options);
};

const std::vector<Device::Kind>& Device::Kinds() {
  static const std::vector<Kind> kinds = {
      {"cpu", true, CpuSession::Create, CostOnCpu, PrecisionOnCpu},
      {"reference", false, ReferenceSession::Create, CostOnReference, PrecisionOnReference},
  };
  return kinds;
}

std::vector<std::string> Device::Names() {
  std::vector<std::string> names;
  for (const Kind& kind : Kinds()) names.push_back(kind.name);
  return names;
}

Result<Device> Device::Find(std::string_view name, const SessionOptions& options) {
  const std::size_t dot = name.find('.');
  const std::string_view stem = name.substr(0, dot);
  for (const Kind& kind : Kinds()) {
    if (stem != kind.name || (dot != std::string_view::npos && !kind.has_cores)) continue;
    SessionOptions own = options;
    own.device = name;
    if (dot != std::string_view::npos) {
      ATH_TRY(own.cores, ReadCores(name.substr(dot + 1)));
    }
    return Device(kind, std::move(own));
  }
  const std::vector<std::string> names = Names();
  return Error(ErrorCode::kUnknownName,
               "there is no device \"{}\"{}; there are {}, cpu on some cores (cpu.0, cpu.2-5), and "
               "several under one name (MULTI:A,B and HETERO:A,B)",
               name, DidYouMean(stem, names), Join(names, ", "));
}

Result<std::vector<Device>> Device::FindAll(std::string_view names, const SessionOptions& options) {
  std::vector<Device> devices;
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.size(), names.find(',', begin));
    ATH_TRY(Device device, Find(names.substr(begin, end - begin), options));
    devices.push_back(std::move(device));
    begin = end + 1;
  }
  if (devices.size() >= 2) return devices;
  return Error(ErrorCode::kUsage,
               "device \"{}\" alone is no choice; two or more are needed, with commas between",
               names);
}

Result<std::unique_ptr<Session>> Device::Open(Graph graph) const {
  return kind_->create(std::move(graph), options_);
}

Precision Device::precision() const { return kind_->precision(options_); }

std::optional<double> Device::CostNs(const Graph& graph, NodeId node) const {
  return kind_->cost_ns(graph, node, options_);
}

}  // namespace athanor
