#include "tools/quantize/worth.h"

#include <algorithm>

#include "core/text.h"
#include "quant/candidates.h"
#include "quant/layer_errors.h"
#include "tools/console.h"

namespace athanor::tools {
namespace {

// What is won has to be more than a clock and a cost model are off by.
constexpr double kWon = 0.98, kWonByEstimate = 0.97;

Worth Describe(const Graph& graph, const std::vector<NodeId>& products,
               const quant::TimedProducts& timed, const std::vector<bool>& returns) {
  Worth worth = {.float_ms = timed.real / kNsPerMs, .int8_ms = timed.integers / kNsPerMs};
  for (std::size_t i = 0; i < products.size(); ++i) {
    const quant::ProductTimes& one = timed.products[i];
    if (!one.known) continue;
    worth.products.push_back({.node = products[i],
                              .name = quant::NameOf(graph, products[i]),
                              .op = graph.node(products[i]).op->name,
                              .float_ms = one.real / kNsPerMs,
                              .int8_ms = one.integers / kNsPerMs,
                              .conversions_ms = one.conversions / kNsPerMs,
                              .on_integers = one.on_integers,
                              .pays = one.on_integers && !returns[i]});
  }
  return worth;
}

class Weigher {
 public:
  Weigher(const Maker& maker, const QuantizeRequest& request, const Common& common, Judge* judge,
          Choice& choice)
      : maker_(maker), request_(request), common_(common), judge_(judge), choice_(choice) {}

  Status Run() {
    ATH_TRY(const quant::Candidates candidates, quant::FindCandidates(real()));
    for (const quant::Candidate& one : candidates.nodes) {
      if (one.weights) products_.push_back(one.node);
    }
    for (std::size_t i = 0; i < choice_.in_float; ++i) in_float_.insert(choice_.ranked[i].node);
    ATH_TRY(inputs_, maker_.source()(0));
    // On integers alone (fixed31) no more is in float than accuracy asks for.
    return request_.measured && request_.arithmetic == "float" ? Measure() : Estimate();
  }

 private:
  const Graph& real() const { return maker_.prepared().graph; }

  Result<quant::TimedProducts> Time(const Graph& made, quant::TimedBy by) const {
    return quant::TimeProducts(real(), made, products_, inputs_, request_.threads, by);
  }

  std::set<NodeId> Chosen(const std::vector<bool>& returns) const {
    std::set<NodeId> chosen;
    for (std::size_t i = 0; i < products_.size(); ++i) {
      if (returns[i]) chosen.insert(products_[i]);
    }
    return chosen;
  }

  std::set<NodeId> WithThose(const std::set<NodeId>& more) const {
    std::set<NodeId> all = in_float_;
    all.insert(more.begin(), more.end());
    return all;
  }

  // What would return to float is told where the network that it leaves is estimated to be faster.
  Status Estimate() {
    ATH_TRY(const quant::TimedProducts timed, Time(choice_.made.graph, quant::TimedBy::kEstimate));
    std::vector<bool> returns = quant::NotWorthIntegers(timed);
    const std::set<NodeId> chosen = Chosen(returns);
    if (!chosen.empty()) {
      quant::QuantizeOptions options = maker_.options();
      options.in_float = WithThose(chosen);
      options.store_in_float = true;
      options.grams = nullptr;  // how weights are rounded is no matter of time
      quant::QuantizeReport ignored;
      ATH_TRY(const Graph other,
              quant::InsertPairs(real(), maker_.prepared().calibration, options, ignored));
      ATH_TRY(const quant::TimedProducts after, Time(other, quant::TimedBy::kEstimate));
      if (after.integers > kWonByEstimate * timed.integers) returns.assign(returns.size(), false);
    }
    choice_.worth = Describe(real(), products_, timed, returns);
    return {};
  }

  Status Measure() {
    constexpr int kMostRounds = 3;  // each may only add to what is in float
    for (int round = 0; round < kMostRounds; ++round) {
      ATH_TRY(const quant::TimedProducts timed,
              Time(choice_.made.graph, quant::TimedBy::kMeasurement));
      const std::vector<bool> returns = quant::NotWorthIntegers(timed);
      if (round == 0) {
        choice_.worth = Describe(real(), products_, timed, std::vector<bool>(returns.size()));
        choice_.worth.measured = true;
      }
      const std::set<NodeId> chosen = Chosen(returns);
      if (chosen.empty()) break;
      ATH_TRY(const bool taken, Take(WithThose(chosen)));
      if (!taken) break;
    }
    ATH_RETURN_IF_ERROR(TryAllInFloat());
    for (Worth::Product& one : choice_.worth.products) {
      if (choice_.worth.returned.contains(one.node)) one.pays = false;
    }
    GiveReasons();
    return {};
  }

  // Where nothing is worth its integers, weights of 8 bits in the file are what is left.
  Status TryAllInFloat() {
    const std::set<NodeId> all(products_.begin(), products_.end());
    if (in_float_.size() == all.size()) return {};
    ATH_TRY(const std::vector<double> ms,
            quant::LeastTimes({&choice_.made.graph, &real()}, inputs_, request_.threads));
    if (ms[1] > kWon * ms[0]) return {};
    return Take(all).status();
  }

  // Whether the network is faster with these in float, and as accurate as asked.
  Result<bool> Take(const std::set<NodeId>& in_float) {
    const bool store = request_.arithmetic == "float" && (choice_.in_float == 0 || choice_.stored);
    ATH_TRY(quant::Quantized made, maker_.Make(in_float, store));
    ATH_TRY(
        const std::vector<double> ms,
        quant::LeastTimes({&choice_.made.graph, &made.graph, &real()}, inputs_, request_.threads));
    Note(common_, "{} of {} products in float: {:.3f} ms instead of {:.3f}, all in float {:.3f}",
         in_float.size(), products_.size(), ms[1], ms[0], ms[2]);
    if (ms[1] > kWon * ms[0]) return false;
    if (request_.drop) {
      ATH_TRY(const Verdict verdict, judge_->Rate(made.graph));
      if (judge_->real().value - verdict.value > *request_.drop + 1e-12) {
        Note(common_, "but a drop of more than is allowed");
        return false;
      }
    }
    if (!choice_.worth.change) choice_.worth.change = {.before_ms = ms[0]};
    choice_.worth.change->after_ms = ms[1];
    choice_.worth.change->float_ms = ms[2];
    for (const NodeId id : in_float) {
      if (!in_float_.contains(id)) choice_.worth.returned.insert(id);
    }
    in_float_ = in_float;
    choice_.made = std::move(made);
    if (!request_.drop) return UpdateDistance();
    return true;
  }

  // How near the outputs of what is written are.
  Result<bool> UpdateDistance() {
    if (!choice_.decibels) return true;
    ATH_TRY(const double error,
            quant::OutputError(real(), choice_.made.graph, std::min(kNearSamples, maker_.count()),
                               maker_.source(), request_.threads));
    choice_.decibels = quant::Sqnr(1, error);
    if (choice_.farthest) {
      ATH_TRY(choice_.farthest, Farthest(maker_, choice_.made, request_.threads));
    }
    return true;
  }

  void GiveReasons() {
    for (quant::Skipped& skipped : choice_.made.report.skipped) {
      if (!choice_.worth.returned.contains(skipped.id)) continue;
      const auto one = std::ranges::find(choice_.worth.products, skipped.id, &Worth::Product::node);
      if (one == choice_.worth.products.end()) continue;
      skipped.reason = fmt::format(
          "{:.4f} ms on integers, {:.4f} in float{}", one->int8_ms, one->float_ms,
          one->int8_ms > one->float_ms ? "" : ", and its neighbours do not read or give integers");
    }
  }

  const Maker& maker_;
  const QuantizeRequest& request_;
  const Common& common_;
  Judge* judge_;
  Choice& choice_;
  std::vector<NodeId> products_;
  std::set<NodeId> in_float_;
  std::vector<Datum> inputs_;
};

std::string NamesOf(const std::vector<const Worth::Product*>& products) {
  constexpr std::size_t kMostNamed = 3, kWidth = 40;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min(kMostNamed, products.size()); ++i)
    names.push_back("\"" + Shorten(products[i]->name, kWidth) + "\"");
  if (products.size() > kMostNamed)
    names.push_back(fmt::format("{} more", products.size() - kMostNamed));
  return Join(names, ", ");
}

}  // namespace

Status WeighProducts(const Maker& maker, const QuantizeRequest& request, const Common& common,
                     Judge* judge, Choice& choice) {
  return Weigher(maker, request, common, judge, choice).Run();
}

void SayWorth(const Common& common, const QuantizeRequest& request, const Choice& choice) {
  const Worth& worth = choice.worth;
  const char* const many = worth.returned.size() == 1 ? "" : "s";
  if (worth.change)
    return Say(
        common,
        "{} product{} returned to float, where integers do not pay on this processor: {:.3f} "
        "ms instead of {:.3f} with them on integers",
        worth.returned.size(), many, worth.change->after_ms, worth.change->before_ms);
  if (worth.measured && !choice.weights_alone)
    return Say(common,
               "no product returned to float: measured, none made the network faster there");
  std::vector<const Worth::Product*> slow;
  double integers = 0, real = 0;
  for (const Worth::Product& one : worth.products) {
    if (!one.on_integers || one.pays) continue;
    slow.push_back(&one);
    integers += one.int8_ms;
    real += one.float_ms;
  }
  if (slow.empty() || request.arithmetic != "float") return;
  Say(common,
      "integers may not pay on this processor for {} of the products, estimated {:.3f} ms, {:.3f} "
      "in float: {}; --measured times them and returns to float what does not pay",
      slow.size(), integers, real, NamesOf(slow));
}

void SayIfSlower(const Common& common, const QuantizeRequest& request, const Choice* choice,
                 double float_ms, double after_ms) {
  constexpr double kAsFast = 0.995;  // what is shown as 1.00 times as fast
  const bool has_integers =
      request.dynamic() || (choice != nullptr && choice->made.report.quantized > 0);
  if (!has_integers || request.arithmetic != "float" || float_ms >= kAsFast * after_ms) return;
  Say(common, "slower than in float on this processor: {}",
      request.dynamic() || request.measured
          ? "all that integers win here is size"
          : "--measured returns to float what does not pay on integers");
}

}  // namespace athanor::tools
