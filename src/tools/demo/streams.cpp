// Several requests at once: how many pictures a second, and how long each waits.
#include <algorithm>
#include <thread>

#include "core/cpu.h"
#include "tools/demo/demo.h"
#include "tools/describe.h"

namespace athanor::tools::demo {
namespace {

struct Point {
  int streams = 1;
  double per_second = 0, p50_ms = 0, p99_ms = 0;
};

Result<Point> MeasureStreams(Session& session, const train::Examples& examples, int streams,
                             double seconds) {
  std::vector<std::vector<double>> latencies(static_cast<std::size_t>(streams));
  std::vector<Status> problems(static_cast<std::size_t>(streams));
  const Clock::time_point begin = Clock::now();
  const auto work = [&](std::size_t stream) -> Status {
    for (auto i = static_cast<std::int64_t>(stream); Seconds(begin) < seconds; ++i) {
      const std::int64_t picture = i % examples.pixels.dim(0);
      ATH_TRY(Tensor input, ExampleInput(examples, picture, picture + 1));
      const Clock::time_point start = Clock::now();
      ATH_RETURN_IF_ERROR(session.Run({std::move(input)}).status());
      latencies[stream].push_back(1000 * Seconds(start));
    }
    return {};
  };
  std::vector<std::thread> threads;
  for (std::size_t s = 0; s < latencies.size(); ++s)
    threads.emplace_back([&, s] { problems[s] = work(s); });
  for (std::thread& thread : threads) thread.join();
  const double elapsed = Seconds(begin);
  std::vector<double> all;
  for (std::size_t s = 0; s < latencies.size(); ++s) {
    ATH_RETURN_IF_ERROR(problems[s]);
    all.insert(all.end(), latencies[s].begin(), latencies[s].end());
  }
  std::sort(all.begin(), all.end());
  return Point{streams, static_cast<double>(all.size()) / elapsed, Percentile(all, 0.5),
               Percentile(all, 0.99)};
}

// 1, 2, 4 ... up to twice the cores.
std::vector<int> StreamCounts() {
  std::vector<int> counts;
  for (int streams = 1; streams <= std::clamp(2 * Cpu().cores, 4, 32); streams *= 2)
    counts.push_back(streams);
  return counts;
}

// What the two charts show from the first point to the last.
std::string Growth(const nlohmann::json& points) {
  const nlohmann::json &first = points.front(), &last = points.back();
  return fmt::format(
      "With {} requests at once instead of {} the rate is {:.1f} times as high, and half of the "
      "answers take longer than {} instead of {}.",
      last["streams"].get<int>(), first["streams"].get<int>(),
      last["per_second"].get<double>() / first["per_second"].get<double>(),
      HumanTime(last["p50_ms"].get<double>()), HumanTime(first["p50_ms"].get<double>()));
}

LineOptions Axes(double width, double height, bool rate) {
  const auto times = [](double ms) { return HumanTime(ms); };
  const auto count = [](double value) { return fmt::format("{:g}", value); };
  return {.width = width,
          .height = height,
          .x = "requests at once",
          .y = rate ? "pictures per second" : "time of a request",
          .x_text = count,
          .y_text = rate ? std::function<std::string(double)>(count) : times};
}

}  // namespace

Result<Outcome> Streams(State& state) {
  // One thread for each run: the cores are shared by requests, not by the layers of one.
  ATH_TRY(const auto session, Session::Create(state.raw->Clone(), {.threads = 1}));
  Series rate = {"", "gold", {}, true}, half = {"median", "steel", {}, true},
         tail = {"p99", "fire", {}, true};
  Rows rows = {"the numbers", {">requests at once", ">pictures per second", ">median", ">p99"}, {}};
  nlohmann::json points = nlohmann::json::array();
  Point best;
  for (const int streams : StreamCounts()) {
    ATH_TRY(const Point point,
            MeasureStreams(*session, state.held_out, streams, state.seconds / 2));
    if (point.per_second > best.per_second) best = point;
    rate.points.emplace_back(streams, point.per_second);
    half.points.emplace_back(streams, point.p50_ms);
    tail.points.emplace_back(streams, point.p99_ms);
    rows.rows.push_back({std::to_string(streams), fmt::format("{:.0f}", point.per_second),
                         HumanTime(point.p50_ms), HumanTime(point.p99_ms)});
    points.push_back({{"streams", streams},
                      {"per_second", point.per_second},
                      {"p50_ms", point.p50_ms},
                      {"p99_ms", point.p99_ms}});
  }
  state.tiles.emplace_back(fmt::format("{:.0f} / s", best.per_second),
                           fmt::format("pictures with {} requests at once, p99 {}", best.streams,
                                       HumanTime(best.p99_ms)));
  state.highlights.emplace_back("requests at once",
                                LineChart({rate}, Axes(kHighlightWidth, 170, true)));
  Outcome outcome;
  outcome.what = fmt::format("{:.0f} pictures/s with {} requests at once, p99 {}", best.per_second,
                             best.streams, HumanTime(best.p99_ms));
  outcome.section = {
      .id = "streams",
      .title = "Many requests at once",
      .finding = fmt::format(
          "One session serves any number of threads. It carries most with {} requests at once on "
          "the {} cores here: {:.0f} pictures a second, 99 of 100 within {}.",
          best.streams, Cpu().cores, best.per_second, HumanTime(best.p99_ms)),
      .figures = {{LineChart({rate}, Axes(720, 210, true)), ""},
                  {LineChart({half, tail}, Axes(720, 190, false)), Growth(points)}},
      .tables = {std::move(rows)},
      .commands = {fmt::format("athanor bench {} --streams {} --threads 1",
                               state.File("digits.onnx"), best.streams)}};
  outcome.figures = {{"points", std::move(points)}};
  return outcome;
}

}  // namespace athanor::tools::demo
