#include "verify/align.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace athanor {
namespace {

constexpr std::size_t kMostPlaced = 4000;

// What the order of axes does not change.
struct Fingerprint {
  bool tensor = false, integer = false;
  Dims sizes = {};  // sorted, without ones
  double mean = 0, rms = 0, low = 0, high = 0;
};

// Without the numbers.
Fingerprint KindOf(const Datum& datum) {
  Fingerprint print;
  if (!datum.IsTensor()) return print;
  print.tensor = true;
  print.integer = IsInteger(datum.tensor().dtype());
  for (const std::int64_t size : datum.tensor().dims()) {
    if (size != 1) print.sizes.push_back(size);
  }
  std::sort(print.sizes.begin(), print.sizes.end());
  return print;
}

Fingerprint FingerprintOf(const Datum& datum) {
  Fingerprint print = KindOf(datum);
  if (!print.tensor) return print;
  const Result<std::vector<double>> values = ToDoubles(datum.tensor());
  if (!values.ok() || values->empty()) return print;
  double sum = 0, squares = 0;
  print.low = print.high = values->front();
  for (const double value : *values) {
    sum += value, squares += value * value;
    print.low = std::min(print.low, value), print.high = std::max(print.high, value);
  }
  const auto count = static_cast<double>(values->size());
  print.mean = sum / count;
  print.rms = std::sqrt(squares / count);
  return print;
}

// Quantised numbers are no partner of those that they stand for.
bool SameKind(const Fingerprint& a, const Fingerprint& b) {
  return a.tensor == b.tensor && a.integer == b.integer && a.sizes == b.sizes;
}

// Looser than any tolerance a result is judged by: it only finds partners.
bool AboutTheSame(const Fingerprint& a, const Fingerprint& b) {
  constexpr double kShare = 1e-2;
  const double scale = kShare * std::max(std::fabs(a.rms), std::fabs(b.rms));
  const double peak = kShare * std::max(std::fabs(a.high - a.low), std::fabs(b.high - b.low));
  return std::fabs(a.rms - b.rms) <= scale && std::fabs(a.mean - b.mean) <= scale &&
         std::fabs(a.low - b.low) <= peak && std::fabs(a.high - b.high) <= peak;
}

// Values that have no partner yet, with what decides about one.
struct Unplaced {
  std::vector<std::size_t> values;
  std::vector<Fingerprint> prints;
};

Unplaced Rest(const Trace& trace, const std::vector<bool>& placed) {
  Unplaced rest;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    if (placed[i]) continue;
    rest.values.push_back(i);
    rest.prints.push_back(FingerprintOf(trace.values[i].datum));
  }
  return rest;
}

// How well two values go together; 0: not at all. Numbers that agree outweigh every other pairing
// of the two.
std::int32_t Score(const Trace& a, const Trace& b, const Unplaced& left, const Unplaced& right,
                   std::size_t i, std::size_t k) {
  const Fingerprint &x = left.prints[i], &y = right.prints[k];
  if (!SameKind(x, y)) return 0;
  std::int32_t score = 1;
  if (a.values[left.values[i]].op == b.values[right.values[k]].op) ++score;
  if (AboutTheSame(x, y)) score += 8;
  return score;
}

void PlaceInOrder(const Trace& a, const Trace& b, const Unplaced& left, const Unplaced& right,
                  std::vector<AlignedPair>& pairs) {
  const std::size_t rows = left.values.size(), columns = right.values.size();
  if (rows > kMostPlaced || columns > kMostPlaced) return;
  // best[i][k]: the best score of what comes from i and k on.
  std::vector<std::int32_t> best((rows + 1) * (columns + 1), 0);
  const auto at = [&](std::size_t i, std::size_t k) -> std::int32_t& {
    return best[i * (columns + 1) + k];
  };
  for (std::size_t i = rows; i-- > 0;) {
    for (std::size_t k = columns; k-- > 0;) {
      at(i, k) = std::max(at(i + 1, k), at(i, k + 1));
      const std::int32_t score = Score(a, b, left, right, i, k);
      if (score > 0) at(i, k) = std::max(at(i, k), at(i + 1, k + 1) + score);
    }
  }
  for (std::size_t i = 0, k = 0; i < rows && k < columns;) {
    const std::int32_t score = Score(a, b, left, right, i, k);
    if (score > 0 && at(i, k) == at(i + 1, k + 1) + score) {
      pairs.push_back({left.values[i++], right.values[k++], false});
    } else if (at(i, k) == at(i + 1, k)) {
      ++i;
    } else {
      ++k;
    }
  }
}

}  // namespace

std::vector<AlignedPair> Align(const Trace& a, const Trace& b, const AlignOptions& options) {
  std::vector<AlignedPair> pairs = options.known;
  std::vector<bool> placed_a(a.values.size()), placed_b(b.values.size());
  for (const AlignedPair& pair : pairs) placed_a[pair.a] = placed_b[pair.b] = true;
  if (options.by_name) {
    std::unordered_map<std::string_view, std::size_t> names;
    for (std::size_t i = 0; i < a.values.size(); ++i) names.emplace(a.values[i].name, i);
    for (std::size_t k = 0; k < b.values.size(); ++k) {
      const auto found = names.find(b.values[k].name);
      if (found == names.end() || placed_b[k] || placed_a[found->second]) continue;
      if (!SameKind(KindOf(a.values[found->second].datum), KindOf(b.values[k].datum))) continue;
      pairs.push_back({found->second, k, true});
      placed_a[found->second] = placed_b[k] = true;
    }
  }
  PlaceInOrder(a, b, Rest(a, placed_a), Rest(b, placed_b), pairs);
  std::sort(pairs.begin(), pairs.end(),
            [](const AlignedPair& x, const AlignedPair& y) { return x.b < y.b; });
  return pairs;
}

}  // namespace athanor
