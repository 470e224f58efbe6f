// The demo's legs: each shows one part of the product on files that stand in the program, measures
// it, and writes a section of the report. demo.cpp lists them in the order they run.
#pragma once

#include <nlohmann/json.hpp>

#include "runtime/session.h"
#include "tools/console.h"
#include "tools/demo/measure.h"
#include "tools/examples.h"
#include "tools/report/charts.h"
#include "tools/report/page.h"

namespace athanor::tools::demo {

// The same network, run one more way.
struct Rung {
  std::string name, what;
  double milliseconds = 0;
  double accuracy = 0;        // share of the held-out pictures, 0..1
  double max_difference = 0;  // of the scores, against the first rung
};

// Of the drawings in the summary picture, which shows two side by side.
inline constexpr double kHighlightWidth = 374;

// What legs hand on to later ones.
struct State {
  const Common& common;
  std::string folder;    // holds the files of the program, and what legs write
  bool fast = false;     // shorter measurements
  double seconds = 1.0;  // of one measurement

  std::optional<Graph> raw = {},
                       plain = {};  // the network as written, and after the portable passes
  train::Examples held_out = {};
  std::vector<float> expected = {};  // scores of the reference
  std::vector<Rung> ladder = {};
  std::unique_ptr<Session> fastest = {};
  double fastest_ms = 0;
  // Pieces of the summary picture, in the order of their legs.
  std::vector<std::pair<std::string, Drawing>> highlights = {};
  std::vector<std::pair<std::string, std::string>> tiles = {};

  std::string File(std::string_view name) const { return folder + "/" + std::string(name); }
};

struct Outcome {
  std::string what;        // the line on the terminal, without the leg's name
  Section section;         // its id is the leg's name
  nlohmann::json figures;  // of the JSON document
};

struct Leg {
  const char* name;
  Result<Outcome> (*run)(State& state);
};

Result<Outcome> Inspect(State& state);
Result<Outcome> Formats(State& state);
Result<Outcome> Naive(State& state);
Result<Outcome> Passes(State& state);
Result<Outcome> Kernels(State& state);
Result<Outcome> Int8(State& state);
Result<Outcome> Streams(State& state);
Result<Outcome> Package(State& state);
Result<Outcome> Server(State& state);
Result<Outcome> Tabular(State& state);
Result<Outcome> CCode(State& state);
Result<Outcome> Training(State& state);

// Runs `graph` on the reference device, which takes seconds, and adds that to the ladder.
Result<Rung> AddReferenceRung(State& state, const Graph& graph, std::string name, std::string what);
nlohmann::json ToJson(const Rung& rung);
// The ladder as bars: every way so far.
Drawing LadderChart(const std::vector<Rung>& ladder, double width);

// A picture of the whole run, for a page that cannot hold the report.
Drawing Summary(const State& state, const std::string& verdict);

}  // namespace athanor::tools::demo
