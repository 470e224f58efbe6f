// Calibration tables of other tools: written from our ranges, and read instead of estimating.
//
// TensorRT's cache (`.cache`): one line per tensor, "name: hex", where hex is the big-endian f32
// of largest / 127. ncnn's table (`.table`): per product "node_param_0 s s ..." with 127 / largest
// weight of each output channel, and "node s" with 127 / largest value of what it reads. Both hold
// one magnitude per tensor; which side of 0 it is on comes from the samples.
#pragma once

#include <map>
#include <string>

#include "quant/candidates.h"
#include "quant/estimate.h"

namespace athanor::quant {

// The largest |x| that 8 bits shall cover, by name: of a tensor (cache) or of a node (table).
struct CalibrationTable {
  bool by_node = false;
  std::map<std::string, float> largest;
};

// Hostile input: lines of another form, and scales that are not finite and positive, are refused.
Result<CalibrationTable> ParseTable(std::string_view text);
Result<std::string> FormatCache(const Graph& graph, const Calibration& calibration);
Result<std::string> FormatNcnnTable(const Graph& graph, const Candidates& candidates,
                                    const Calibration& calibration);

// Ranges of the tensors that the table names become what it says. Gives how many those were; none
// is an error.
Result<std::size_t> ApplyTable(const CalibrationTable& table, const Graph& graph,
                               const Candidates& candidates, Calibration& calibration);

}  // namespace athanor::quant
