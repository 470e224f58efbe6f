// One inference and how people and programs see its outputs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/session.h"
#include "tools/boxes.h"
#include "tools/inputs.h"
#include "tools/results.h"

namespace athanor::tools {

struct Answer {
  std::string name;  // of the input
  std::vector<Datum> outputs;
  double ms = 0;
};

struct AnswerOptions {
  ResultOptions results;
  std::optional<BoxOptions> boxes;  // show the boxes of a detector instead of its tensors
};

Result<Answer> RunOne(Session& session, InputSet set);

// The outputs that are tensors.
std::vector<NamedOutput> Tensors(const Graph& graph, const Answer& answer);

std::string AnswerText(const Graph& graph, const Answer& answer, const AnswerOptions& options);
nlohmann::json AnswerJson(const Graph& graph, const Answer& answer, const AnswerOptions& options);

}  // namespace athanor::tools
