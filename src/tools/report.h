// One self-contained HTML page from measured facts: inline SVG, no scripts to fetch, no network.
// The page shows only what was measured in the run that made it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace athanor::tools {

struct Report {
  std::string title;
  std::string verdict;                                           // one sentence, the result
  std::vector<std::pair<std::string, std::string>> environment;  // "CPU" -> "..."
  std::vector<std::pair<std::string, std::string>> model;        // "inputs" -> "..."

  // The optimisation ladder: each rung is the same network run another way.
  struct Rung {
    std::string name, what;
    double milliseconds = 0;
    double accuracy = 0;        // share of the held-out set, 0..1
    double max_difference = 0;  // of the outputs against the first rung
  };
  std::vector<Rung> ladder;

  struct Layer {
    std::string name, op, kernel;
    double microseconds = 0;
    double gflops = 0;  // achieved, per second; 0 when the layer does no arithmetic
  };
  std::vector<Layer> layers;  // slowest first

  std::vector<double> latencies_ms;  // of single runs, in any order

  struct StreamPoint {
    int streams = 1;
    double per_second = 0;
    double p99_ms = 0;
  };
  std::vector<StreamPoint> streams;

  struct Picture {
    std::vector<std::uint8_t> png;
    std::string truth, answer;
    double confidence = 0;  // of the answer, 0..1
  };
  std::vector<Picture> pictures;

  std::vector<std::pair<std::string, std::string>> tabular;   // facts of the tabular leg
  std::vector<std::pair<std::string, std::string>> commands;  // command -> what it does
};

std::string RenderHtml(const Report& report);

}  // namespace athanor::tools
