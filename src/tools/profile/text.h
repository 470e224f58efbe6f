// A profile as people read it, and as a JSON document.
#pragma once

#include <nlohmann/json.hpp>

#include "tools/profile/findings.h"

namespace athanor::tools {

struct OperatorSum {
  std::size_t count = 0;
  double ms = 0, floor_ms = 0;
};
// What takes longest first.
std::vector<std::pair<std::string, OperatorSum>> ByOperator(const ProfileFindings& findings);

std::string PercentText(const NodeTime& node);                // "83 %", "" where there is no floor
std::string GainText(const Advice& advice, double total_ms);  // "1.20 ms (12.0 %)"
// "0.107 ms in 10 nodes, the fastest of 3 runs on device cpu"
std::string SummaryText(const ProfileFindings& findings);
// Where most memory is in use, and by what.
std::string PeakText(const ProfileFindings& findings);

// The table of the `top` slowest nodes, the sums by operator, the memory and the advice.
std::string ProfileText(const ProfileFindings& findings, std::size_t top);
nlohmann::json ProfileJson(const ProfileFindings& findings);
nlohmann::json AdviceJson(const ProfileFindings& findings);

}  // namespace athanor::tools
