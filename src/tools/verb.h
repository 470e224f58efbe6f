// The command line: one verb per file, listed in main.cpp.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "core/status.h"

namespace athanor::tools {

// Options every verb has.
struct Common {
  bool json = false;  // one JSON document on stdout, everything human on stderr
  bool quiet = false;
  bool no_color = false;
  std::string progress = "auto";    // auto, bar, plain, off
  std::string program = "athanor";  // what the reader types to call it again
  // Set by PrintJson, so that an error is not a second document.
  mutable bool json_printed = false;
};

// A verb adds its options to `app` and returns what to do. The returned function gives a Status
// whose code decides the exit code.
using VerbSetup = std::function<Status()> (*)(CLI::App& app, const Common& common);

struct Verb {
  const char* name;
  const char* summary;
  VerbSetup setup;
  const char* example = "";  // shown below --help
};

std::function<Status()> Bench(CLI::App& app, const Common& common);
std::function<Status()> CompareModels(CLI::App& app, const Common& common);
std::function<Status()> Zoo(CLI::App& app, const Common& common);
std::function<Status()> Conformance(CLI::App& app, const Common& common);
std::function<Status()> Convert(CLI::App& app, const Common& common);
std::function<Status()> Demo(CLI::App& app, const Common& common);
std::function<Status()> Doctor(CLI::App& app, const Common& common);
std::function<Status()> Eval(CLI::App& app, const Common& common);
std::function<Status()> Explain(CLI::App& app, const Common& common);
std::function<Status()> GenerateCode(CLI::App& app, const Common& common);
std::function<Status()> Inspect(CLI::App& app, const Common& common);
std::function<Status()> Keys(CLI::App& app, const Common& common);
std::function<Status()> OptimizeModel(CLI::App& app, const Common& common);
std::function<Status()> Pack(CLI::App& app, const Common& common);
std::function<Status()> OpenWorkbench(CLI::App& app, const Common& common);
std::function<Status()> ProfileModel(CLI::App& app, const Common& common);
std::function<Status()> QuantizeModel(CLI::App& app, const Common& common);
std::function<Status()> RunModel(CLI::App& app, const Common& common);
std::function<Status()> ScoreTable(CLI::App& app, const Common& common);
std::function<Status()> Tune(CLI::App& app, const Common& common);
std::function<Status()> Unpack(CLI::App& app, const Common& common);
std::function<Status()> TrainModel(CLI::App& app, const Common& common);
std::function<Status()> Load(CLI::App& app, const Common& common);
std::function<Status()> Serve(CLI::App& app, const Common& common);

}  // namespace athanor::tools
