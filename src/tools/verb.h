// The command line: one verb per file, listed in main.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/status.h"
#include "tools/arguments.h"

namespace athanor::tools {

// What the reader typed, as far as the next command may want it again.
struct CommandLine {
  struct Option {
    std::string name;   // "--threads"
    std::string value;  // "" of a flag
  };
  std::vector<Option> options;      // those that were given, in the order of --help
  std::vector<std::string> models;  // the models they are about
  std::function<bool(const std::string& verb, const std::string& option)> takes;
};

// Options every verb has.
struct Common {
  bool json = false;  // one JSON document on stdout, everything human on stderr
  bool quiet = false;
  bool no_color = false;
  std::string progress = "auto";     // auto, bar, plain, off
  std::vector<std::string> plugins;  // shared libraries that are loaded before the verb runs
  std::string program = "athanor";   // what the reader types to call it again
  CommandLine given;
  // Set by PrintJson, so that an error is not a second document.
  mutable bool json_printed = false;
};

// A verb adds its options to `app` and returns what to do. The returned function gives a Status
// whose code decides the exit code.
using VerbSetup = std::function<Status()> (*)(Arguments app, const Common& common);

struct Verb {
  const char* name;
  const char* summary;
  VerbSetup setup;
  const char* example = "";  // shown below --help
};

std::function<Status()> Bench(Arguments app, const Common& common);
std::function<Status()> BisectModels(Arguments app, const Common& common);
std::function<Status()> CompareModels(Arguments app, const Common& common);
std::function<Status()> Zoo(Arguments app, const Common& common);
std::function<Status()> Conformance(Arguments app, const Common& common);
std::function<Status()> Convert(Arguments app, const Common& common);
std::function<Status()> Demo(Arguments app, const Common& common);
std::function<Status()> Doctor(Arguments app, const Common& common);
std::function<Status()> Eval(Arguments app, const Common& common);
std::function<Status()> Explain(Arguments app, const Common& common);
std::function<Status()> GenerateCode(Arguments app, const Common& common);
std::function<Status()> Inspect(Arguments app, const Common& common);
std::function<Status()> Keys(Arguments app, const Common& common);
std::function<Status()> OptimizeModel(Arguments app, const Common& common);
std::function<Status()> Pack(Arguments app, const Common& common);
std::function<Status()> OpenWorkbench(Arguments app, const Common& common);
std::function<Status()> ProfileModel(Arguments app, const Common& common);
std::function<Status()> QuantizeModel(Arguments app, const Common& common);
std::function<Status()> ReduceModel(Arguments app, const Common& common);
std::function<Status()> RunModel(Arguments app, const Common& common);
std::function<Status()> ScoreTable(Arguments app, const Common& common);
std::function<Status()> Tune(Arguments app, const Common& common);
std::function<Status()> Unpack(Arguments app, const Common& common);
std::function<Status()> TrainModel(Arguments app, const Common& common);
std::function<Status()> Load(Arguments app, const Common& common);
std::function<Status()> Serve(Arguments app, const Common& common);

}  // namespace athanor::tools
