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

// Ends with ATH-4002 where the run takes longer than `deadline_ms`; 0: it may take any time.
Result<Answer> RunOne(Session& session, InputSet set, double deadline_ms = 0);

// The outputs that are tensors.
std::vector<NamedOutput> Tensors(const Graph& graph, const Answer& answer);

std::string AnswerText(const Graph& graph, const Answer& answer, const AnswerOptions& options);
nlohmann::json AnswerJson(const Graph& graph, const Answer& answer, const AnswerOptions& options);

}  // namespace athanor::tools
