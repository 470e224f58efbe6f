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
};

// A verb adds its options to `app` and returns what to do. The returned function gives a Status
// whose code decides the exit code.
using VerbSetup = std::function<Status()> (*)(CLI::App& app, const Common& common);

struct Verb {
  const char* name;
  const char* summary;
  VerbSetup setup;
};

std::function<Status()> Conformance(CLI::App& app, const Common& common);

}  // namespace athanor::tools
