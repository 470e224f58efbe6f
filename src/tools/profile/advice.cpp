#include "tools/profile/advice.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/text.h"
#include "tools/console.h"

namespace athanor::tools {
namespace {

constexpr double kWorthSaying = 0.01;  // of the whole time

std::string Plural(std::size_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

double TimeOf(const std::vector<const NodeTime*>& nodes) {
  double ms = 0;
  for (const NodeTime* node : nodes) ms += node->ms;
  return ms;
}

// How near a step comes to its floor, at most 1.
double Efficiency(const NodeTime& node) {
  return node.ms > 0 ? std::min(1.0, node.floor.ms() / node.ms) : 0;
}

class Adviser {
 public:
  Adviser(const ProfileFindings& findings, const Trials& trials)
      : findings_(findings),
        trials_(trials),
        word_(ShellWord(findings.model)),
        threads_(fmt::format(" --threads {}", findings.threads)) {}

  std::vector<Advice> All() {
    Tune();
    Threads();
    if (findings_.plan != nullptr) {
      Reference();
      Int8();
      Bf16();
      Layouts();
      SmallOperators();
      FarLayers();
      Batch();
    } else {
      advice_.push_back({.kind = "device",
                         .text = "the reference device runs plain loops: device cpu has kernels, "
                                 "and its profile knows floors",
                         .gain_ms = 0,
                         .measured = false,
                         .command = fmt::format("athanor profile {} --device cpu", word_)});
    }
    std::erase_if(advice_, [&](const Advice& one) {
      return one.kind != "device" && !(one.gain_ms > kWorthSaying * findings_.total_ms);
    });
    std::stable_sort(advice_.begin(), advice_.end(),
                     [](const Advice& a, const Advice& b) { return a.gain_ms > b.gain_ms; });
    return std::move(advice_);
  }

 private:
  void Add(std::string kind, std::string text, double gain, std::string command,
           bool measured = false) {
    advice_.push_back({std::move(kind), std::move(text), gain, measured, std::move(command)});
  }

  // Whole runs also take what lies between the steps; the share that is saved is the same.
  double GainOf(const Trial& trial) const {
    return trial.as_is_ms > 0
               ? findings_.total_ms * (trial.as_is_ms - trial.other_ms) / trial.as_is_ms
               : 0;
  }

  void Tune() {
    if (!trials_.tuned || trials_.tuned->layers_changed == 0) return;
    const Trial& trial = *trials_.tuned;
    Add("tune",
        fmt::format("{} of {} whose kernels were measured ran one that is not the measured best; "
                    "with the best a run takes {:.3f} ms instead of {:.3f}",
                    trial.layers_changed,
                    Plural(static_cast<std::size_t>(trial.layers_measured), "layer"),
                    trial.other_ms, trial.as_is_ms),
        GainOf(trial), fmt::format("athanor tune {}", word_), true);
  }

  void Threads() {
    if (!trials_.threads) return;
    const Trial& trial = *trials_.threads;
    Add("threads",
        fmt::format("on {} a run takes {:.3f} ms instead of {:.3f}",
                    Plural(static_cast<std::size_t>(trial.threads), "thread"), trial.other_ms,
                    trial.as_is_ms),
        GainOf(trial), fmt::format("athanor bench {} --threads {}", word_, trial.threads), true);
  }

  // Steps without a kernel: as near to the floor as those with one come on average.
  void Reference() {
    std::vector<const NodeTime*> plain;
    double with_kernel_ms = 0, with_kernel_floor = 0, floor = 0;
    std::set<std::string> ops;
    for (const NodeTime& node : findings_.nodes) {
      if (node.floor.bound == Bound::kNothing) continue;  // nothing is known of it
      if (node.kernel != "reference") {
        with_kernel_ms += node.ms;
        with_kernel_floor += std::min(node.floor.ms(), node.ms);
        continue;
      }
      plain.push_back(&node);
      ops.insert(node.op);
      floor += node.floor.ms();
    }
    if (plain.empty()) return;
    const double ms = TimeOf(plain);
    const double efficiency = with_kernel_ms > 0 ? with_kernel_floor / with_kernel_ms : 1;
    const double then = efficiency > 0 ? std::min(ms, floor / efficiency) : floor;
    Add("reference",
        fmt::format("{} of {} ({}) {} no kernel and take{} {:.3f} ms in the operators' plain form; "
                    "as near to the floor as the others (at {:.0f} %) they would take {:.3f}",
                    Plural(plain.size(), "step"), findings_.nodes.size(),
                    Shorten(Join(std::vector<std::string>(ops.begin(), ops.end()), ", "), 60),
                    plain.size() == 1 ? "has" : "have", plain.size() == 1 ? "s" : "", ms,
                    100 * efficiency, then),
        ms - then, fmt::format("athanor explain {}", word_));
  }

  // Products by constant weights in other arithmetic: as near to their floor as they are now.
  // `bytes`: what share of theirs they would move.
  struct Other {
    const char* kind;
    const char* what;  // "on integers"
    Arithmetic arithmetic;
    const std::optional<PeakRate>& peak;
    double bytes;
    std::string command;
  };

  void Int8() {
    InOther({"int8", "on integers", Arithmetic::kInt8, findings_.peaks->int8, 0.25,
             fmt::format("athanor quantize {} --calib DIR -o int8.ath", word_)});
  }

  void Bf16() {
    InOther({"bf16", "with products in bf16", Arithmetic::kBf16, findings_.peaks->bf16, 1,
             fmt::format("athanor bench {} --precision bf16{}", word_, threads_)});
  }

  void InOther(const Other& other) {
    const MachinePeaks& peaks = *findings_.peaks;
    if (!other.peak || other.peak->operations_per_s <= peaks.f32.operations_per_s) return;
    // What is in such arithmetic already was made so on purpose, and so was what is not.
    if (Computes(other.arithmetic)) return;
    const double usual = EfficiencyOfProducts();
    double ms = 0, floor = 0, then = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < findings_.nodes.size(); ++i) {
      const NodeTime& node = findings_.nodes[i];
      const Step& step = findings_.plan->steps[i];
      if (!MultipliesByWeights(step) || IsDepthwise(step)) continue;
      const Floor changed =
          FloorOf(node.flops, other.bytes * node.bytes, other.arithmetic, step.alone, peaks);
      const double efficiency = node.ms < node.floor.ms() ? usual : Efficiency(node);
      if (efficiency <= 0) continue;
      ++count;
      ms += node.ms;
      floor += std::min(node.floor.ms(), node.ms);
      then += std::min(node.ms, changed.ms() / efficiency);
    }
    if (count == 0) return;
    Add(other.kind,
        fmt::format(
            "{} (convolutions, matrix products) take{} {:.3f} ms, at {:.0f} % of the floor; "
            "{}, whose peak is {:.1f} times that of f32 here, at the same share of their "
            "floor they would take {:.3f}, where all of them can be",
            Plural(count, "product"), count == 1 ? "s" : "", ms, 100 * floor / ms, other.what,
            other.peak->operations_per_s / peaks.f32.operations_per_s, then),
        ms - then, other.command);
  }

  bool Computes(Arithmetic arithmetic) const {
    return std::ranges::any_of(
        findings_.nodes, [&](const NodeTime& node) { return node.floor.arithmetic == arithmetic; });
  }

  // It multiplies so little by each weight that other arithmetic is not what it waits for.
  static bool IsDepthwise(const Step& step) {
    return step.kernel->name.find("depthwise") != std::string::npos;
  }

  // Of those that multiply as often as the definition does: kernels for integers all do.
  double EfficiencyOfProducts() const {
    double ms = 0, floor = 0;
    for (std::size_t i = 0; i < findings_.nodes.size(); ++i) {
      const NodeTime& node = findings_.nodes[i];
      if (!MultipliesByWeights(findings_.plan->steps[i]) || node.ms < node.floor.ms()) continue;
      ms += node.ms;
      floor += node.floor.ms();
    }
    return ms > 0 ? floor / ms : 1;
  }

  // A constant of rows and columns, or more: not a scale or an offset.
  bool HasWeights(const Step& step) const {
    if (step.kernel == nullptr || step.in.size() < 2 || step.in[1].storage < 0) return false;
    const auto storage = static_cast<std::size_t>(step.in[1].storage);
    return findings_.plan->storages[storage].where == Storage::Where::kConstant &&
           step.in[1].dims.size() >= 2;
  }

  // More than one operation for each byte tells a product from a sum with a constant.
  bool MultipliesByWeights(const Step& step) const {
    return HasWeights(step) && step.in[0].dtype == DType::kF32 &&
           step.notes.flops > step.notes.bytes;
  }

  // Layers that come half as near to their floor as the model does on average.
  void FarLayers() {
    double floor = 0, ms = 0;
    for (const NodeTime& node : findings_.nodes) {
      if (node.floor.bound == Bound::kNothing) continue;
      floor += std::min(node.floor.ms(), node.ms);
      ms += node.ms;
    }
    const double average = ms > 0 ? floor / ms : 0;
    double far_ms = 0, far_floor = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < findings_.nodes.size(); ++i) {
      const NodeTime& node = findings_.nodes[i];
      const bool starts = node.floor.bound == Bound::kOverhead;
      const bool unknown = node.floor.bound == Bound::kNothing;
      if (!HasWeights(findings_.plan->steps[i]) || starts || unknown ||
          Efficiency(node) > average / 2)
        continue;
      ++count;
      far_ms += node.ms;
      far_floor += node.floor.ms();
    }
    if (count == 0 || average <= 0) return;
    const double then = far_floor / average;
    Add("far-layers",
        fmt::format("{} with weights take{} {:.3f} ms, at {:.0f} % of the floor, where the model "
                    "comes to {:.0f} %; as near as that, {:.3f}",
                    Plural(count, "layer"), count == 1 ? "s" : "", far_ms, 100 * far_floor / far_ms,
                    100 * average, then),
        far_ms - then, fmt::format("athanor bench {} --kernels all", word_));
  }

  void Layouts() {
    std::vector<const NodeTime*> moves;
    for (const NodeTime& node : findings_.nodes) {
      if (node.op == "Reorder" || node.op == "Transpose") moves.push_back(&node);
    }
    if (moves.empty()) return;
    const double ms = TimeOf(moves);
    Add("layout",
        fmt::format("{} between layouts take{} {:.3f} ms, {:.1f} % of the time; that is the most "
                    "another choice of layouts can gain",
                    Plural(moves.size(), "move"), moves.size() == 1 ? "s" : "", ms,
                    100 * ms / findings_.total_ms),
        ms, fmt::format("athanor explain {} --all", word_));
  }

  // An operator that multiplies nothing and yet takes a share one would not expect of it.
  void SmallOperators() {
    constexpr double kBrakes = 0.03, kFar = 0.5;
    std::map<std::string, std::vector<const NodeTime*>> by_op;
    for (std::size_t i = 0; i < findings_.nodes.size(); ++i) {
      const NodeTime& node = findings_.nodes[i];
      const Step& step = findings_.plan->steps[i];
      const bool other = node.kernel == "reference" || node.op == "Reorder" ||
                         node.op == "Transpose" || node.floor.bound == Bound::kNothing;
      // Many operations for each byte: a product, though without weights.
      if (other || HasWeights(step) || step.notes.flops > 8 * step.notes.bytes) continue;
      by_op[node.op].push_back(&node);
    }
    for (const auto& [op, nodes] : by_op) {
      const double ms = TimeOf(nodes);
      double floor = 0;
      for (const NodeTime* node : nodes)
        floor += std::max(node->floor.ms(), node->floor.overhead_ms);
      if (ms < kBrakes * findings_.total_ms || floor > kFar * ms) continue;
      Add("small-operator",
          fmt::format("{} brakes: {} {} {:.3f} ms, {:.1f} % of the time, at {:.0f} % of the "
                      "floor; at the floor, {:.3f}",
                      op, Plural(nodes.size(), "step"), nodes.size() == 1 ? "takes" : "take", ms,
                      100 * ms / findings_.total_ms, 100 * floor / ms, floor),
          ms - floor, fmt::format("athanor explain {} --all", word_));
    }
  }

  // Starting steps, and reading weights that many inputs could share.
  void Batch() {
    constexpr double kInputs = 8;
    double overhead = 0, reads = 0, weights = 0;
    for (std::size_t i = 0; i < findings_.nodes.size(); ++i) {
      const NodeTime& node = findings_.nodes[i];
      if (node.floor.bound == Bound::kNothing) continue;
      overhead += std::min(node.floor.overhead_ms, node.ms);
      if (node.floor.bound != Bound::kMemory || node.bytes <= 0) continue;
      const double constant = ConstantBytes(findings_.plan->steps[i]);
      if (constant < 0.5 * node.bytes) continue;
      weights += constant;
      reads += node.floor.memory_ms * std::min(1.0, constant / node.bytes);
    }
    const double shared = overhead + reads;
    Add("batch",
        fmt::format("{:.3f} ms go into starting steps{}; {:g} inputs in one call share that, and "
                    "each takes so much less",
                    overhead,
                    weights > 0 ? fmt::format(" and {:.3f} into reading {} of weights", reads,
                                              HumanBytes(weights))
                                : "",
                    kInputs),
        shared * (1 - 1 / kInputs),
        fmt::format("athanor bench {}{} --sweep batch=1,{:g}", word_, threads_, kInputs));
  }

  double ConstantBytes(const Step& step) const {
    double bytes = 0;
    std::set<std::int32_t> seen;
    for (const athanor::Place& place : step.in) {
      if (place.storage < 0 || !seen.insert(place.storage).second) continue;
      const Storage& storage = findings_.plan->storages[static_cast<std::size_t>(place.storage)];
      if (storage.where == Storage::Where::kConstant)
        bytes += static_cast<double>(storage.constant.bytes());
    }
    return bytes;
  }

  const ProfileFindings& findings_;
  const Trials& trials_;
  std::string word_, threads_;
  std::vector<Advice> advice_;
};

}  // namespace

std::vector<Advice> AdviceFor(const ProfileFindings& findings, const Trials& trials) {
  return Adviser(findings, trials).All();
}

}  // namespace athanor::tools
