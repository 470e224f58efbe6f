#include "quant/path_rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/trellis.h"

namespace athanor::quant {
namespace {

constexpr int kLargestValue = 127;
constexpr double kNever = std::numeric_limits<double>::infinity();

// How a path comes to a state.
struct Arrival {
  double cost = kNever;
  std::uint8_t from = 0;
  std::int8_t value = 0;
};
using Arrivals = std::array<Arrival, trellis::kStates>;

class Search {
 public:
  Search(const RowRounding& rounding, std::span<const double> row, const PathOptions& options,
         const IndexBits& bits)
      : rounding_(rounding),
        options_(options),
        bits_(bits),
        states_(options.trellis ? trellis::kStates : 1) {
    cost_.fill(kNever);
    cost_[0] = 0;
    const int paths = options.make_up ? states_ : 1;
    for (int state = 0; state < paths; ++state) rows_[at(state)].assign(row.begin(), row.end());
  }

  void Run(std::span<std::int8_t> integers) {
    std::vector<Arrivals> history(integers.size());
    for (std::size_t k = 0; k < integers.size(); ++k) Advance(k, history[k]);
    auto state = static_cast<std::size_t>(std::ranges::min_element(cost_) - cost_.begin());
    for (std::size_t k = integers.size(); k-- > 0;) {
      integers[k] = history[k][state].value;
      state = history[k][state].from;
    }
  }

 private:
  static std::size_t at(int state) { return static_cast<std::size_t>(state); }
  std::vector<double>& RowOf(int state) { return rows_[options_.make_up ? at(state) : 0]; }

  void Advance(std::size_t k, Arrivals& arrivals) {
    const double weight = options_.make_up ? rounding_.CostOf(k) : rounding_.importance()[k];
    for (int state = 0; state < states_; ++state) {
      if (cost_[at(state)] == kNever) continue;
      const double wanted = RowOf(state)[k] / options_.step;
      const int nearest = IndexNear(state, wanted);
      for (const int index : {0, nearest - 1, nearest, nearest + 1})
        Offer(state, index, wanted, weight, arrivals);
    }
    for (int state = 0; state < states_; ++state) cost_[at(state)] = arrivals[at(state)].cost;
    if (options_.make_up) FollowPaths(k, arrivals);
  }

  int IndexNear(int state, double wanted) const {
    const double most = options_.trellis ? kLargestValue / 2 : kLargestValue;
    if (!options_.trellis) return static_cast<int>(std::clamp(std::nearbyint(wanted), -most, most));
    const double odd = state % 2 == 0 ? 0 : std::copysign(1.0, wanted);
    return static_cast<int>(std::clamp(std::nearbyint((wanted + odd) / 2), -most, most));
  }

  void Offer(int state, int index, double wanted, double weight, Arrivals& arrivals) const {
    const int value = options_.trellis ? trellis::ValueOf(state, index) : index;
    if (std::abs(value) > kLargestValue) return;
    const double away = (wanted - value) * options_.step;
    const double cost = cost_[at(state)] + weight * away * away + options_.price * bits_.Of(index);
    Arrival& arrival = arrivals[at(options_.trellis ? trellis::Next(state, index) : 0)];
    if (cost >= arrival.cost) return;
    arrival = {cost, static_cast<std::uint8_t>(state), static_cast<std::int8_t>(value)};
  }

  // Each path that goes on takes along what its later weights make up for.
  void FollowPaths(std::size_t k, const Arrivals& arrivals) {
    for (int state = 0; state < states_; ++state) {
      const Arrival& arrival = arrivals[at(state)];
      if (arrival.cost == kNever) continue;
      const std::vector<double>& before = rows_[arrival.from];
      std::vector<double>& after = next_[at(state)];
      after.resize(before.size());
      std::copy(before.begin() + static_cast<std::ptrdiff_t>(k), before.end(),
                after.begin() + static_cast<std::ptrdiff_t>(k));
      rounding_.MakeUp(after, k, before[k] - arrival.value * options_.step);
    }
    std::swap(rows_, next_);
  }

  const RowRounding& rounding_;
  const PathOptions& options_;
  const IndexBits& bits_;
  int states_;
  std::array<double, trellis::kStates> cost_ = {};
  std::array<std::vector<double>, trellis::kStates> rows_ = {}, next_ = {};  // of each path
};

}  // namespace

IndexBits::IndexBits(std::span<const std::uint64_t> counts) {
  double all = 0;
  for (const std::uint64_t count : counts) all += static_cast<double>(count);
  double last = 0;
  for (std::size_t magnitude = 0; magnitude < counts.size(); ++magnitude) {
    const auto count = static_cast<double>(counts[magnitude]);
    const double sign = magnitude == 0 ? 0 : 1;
    // What does not occur costs a bit more than what is a step smaller.
    last = count > 0 ? std::log2(all / count) + sign : last + 1;
    bits_.push_back(last);
  }
}

double RoundAlongPath(const RowRounding& rounding, std::span<const double> row,
                      const PathOptions& options, const IndexBits& bits,
                      std::span<std::int8_t> integers) {
  Search(rounding, row, options, bits).Run(integers);
  double error = 0;
  for (std::size_t k = 0; k < row.size(); ++k) {
    const double away = row[k] - integers[k] * options.step;
    error += rounding.importance()[k] * away * away;
  }
  return error;
}

}  // namespace athanor::quant
