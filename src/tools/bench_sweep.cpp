#include "tools/bench_sweep.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace athanor::tools {
namespace {

constexpr std::int64_t kMostValue = 1 << 20, kMostStreams = 1024;
constexpr std::size_t kMostPoints = 256;
constexpr const char* kFix = "--sweep streams=1,2 batch=1,4,16 threads=1,2, behind the model";

std::vector<std::int64_t> PowersOfTwo(std::int64_t most) {
  std::vector<std::int64_t> values;
  for (std::int64_t value = 1; value < most; value *= 2) values.push_back(value);
  values.push_back(most);
  return values;
}

Result<std::vector<std::int64_t>> Values(const std::string& word, std::string_view text,
                                         std::int64_t most) {
  std::vector<std::int64_t> values;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + comma, value);
    if (error != std::errc() || end != text.data() + comma || value < 1 || value > most) {
      return Error(ErrorCode::kUsage, "--sweep {}: numbers from 1 to {} are expected", Quote(word),
                   most)
          .Fix(kFix);
    }
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
    if (comma == text.size()) return values;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

Result<Sweep> ParseSweep(const std::vector<std::string>& words, int cores) {
  Sweep sweep;
  for (const std::string& word : words) {
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string name = word.substr(0, equals);
    const bool is_batch = name == "batch";
    std::vector<std::int64_t>* const values = name == "streams"   ? &sweep.streams
                                              : name == "threads" ? &sweep.threads
                                              : is_batch          ? &sweep.batch
                                                                  : nullptr;
    if (values == nullptr) {
      return Error(ErrorCode::kUsage,
                   "--sweep {}: streams, batch or threads is expected, each with values or without",
                   Quote(word))
          .Fix(kFix);
    }
    if (!values->empty()) return Error(ErrorCode::kUsage, "--sweep: {} is given twice", name);
    if (equals == word.size()) {
      *values = PowersOfTwo(is_batch ? 16 : cores);
      continue;
    }
    ATH_TRY(*values, Values(word, std::string_view(word).substr(equals + 1),
                            is_batch ? kMostValue : kMostStreams));
  }
  std::size_t points = 1;
  for (const auto* list : {&sweep.streams, &sweep.batch, &sweep.threads})
    points *= std::max<std::size_t>(list->size(), 1);
  if (points > kMostPoints)
    return Error(ErrorCode::kUsage, "--sweep: {} combinations; at most {} are measured", points,
                 kMostPoints);
  return sweep;
}

std::vector<BenchSetting> SettingsOf(const Sweep& sweep, const BenchSetting& base, int cores) {
  const auto or_base = [](const std::vector<std::int64_t>& values, std::int64_t value) {
    return values.empty() ? std::vector<std::int64_t>{value} : values;
  };
  std::vector<BenchSetting> settings;
  for (const std::int64_t batch : or_base(sweep.batch, base.batch)) {
    for (const std::int64_t streams : or_base(sweep.streams, base.streams)) {
      const int shared = std::max(1, cores / static_cast<int>(streams));
      const int fixed = base.threads > 0 ? base.threads : shared;
      for (const std::int64_t threads : or_base(sweep.threads, fixed))
        settings.push_back({static_cast<int>(threads), static_cast<int>(streams), batch});
    }
  }
  return settings;
}

SweepFindings FindKnee(const std::vector<SweepPoint>& points, double share) {
  SweepFindings findings;
  std::vector<std::size_t> order(points.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (points[a].latency_ms != points[b].latency_ms)
      return points[a].latency_ms < points[b].latency_ms;
    return points[a].per_second > points[b].per_second;
  });
  for (const std::size_t i : order) {
    const bool first = findings.frontier.empty();
    if (!first && points[i].per_second <= points[findings.frontier.back()].per_second) continue;
    findings.frontier.push_back(i);
    if (first) {
      findings.knee = i;
      continue;
    }
    const SweepPoint &from = points[findings.knee], &to = points[i];
    const double grows = to.per_second / from.per_second - 1;
    const double later = to.latency_ms / from.latency_ms - 1;
    if (grows >= share * later) findings.knee = i;
  }
  return findings;
}

}  // namespace athanor::tools
