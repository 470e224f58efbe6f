// What flows inside a model during one run: its range, the first number that is none, and the
// values themselves as files.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/session.h"
#include "tools/verb.h"

namespace athanor::tools {

struct InsideOptions {
  bool watch = false;
  std::vector<std::string> dump;  // NODE or "all", and where to: a folder or an .npz

  bool wanted() const { return watch || !dump.empty(); }
};

void AddInsideOptions(Arguments app, InsideOptions& options);

// Runs the graph once and shows or writes what was asked for, also where the run ends with an
// error. Adds "watch" and "dumped" to the document.
Status LookInside(const InsideOptions& options, const Common& common, Graph graph,
                  const SessionOptions& session, std::vector<Datum> inputs,
                  nlohmann::json& document);

}  // namespace athanor::tools
