// Will the model run here, which of its parts will not, and what can be done about them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "frontends/onnx/partition.h"
#include "tools/open_model.h"

namespace athanor::tools {

// Of a model that could not be opened: all that stops it, the same reasons together. An ONNX file
// is taken apart first (frontends/onnx/partition.h), so that what other problems hide is seen as
// well. Gives the error for the exit code.
Status ReportInfeasible(const ModelOptions& model, const Status& failed, const Common& common);

// Of a model that was opened: steps without code of their own on the device, sizes that are open
// and shapes that depend on data. Fills "feasibility" of the document.
Status ReportFeasible(Graph graph, const std::string& device, const Common& common,
                      nlohmann::json& document);

// The parts of an ONNX file. An error that says so for other files.
Result<onnx::Partition> ReadPartition(const ModelOptions& model);

// What is not read, operator by operator.
std::string UnreadText(const std::vector<onnx::UnreadNode>& unread);
nlohmann::json UnreadJson(const std::vector<onnx::UnreadNode>& unread);

// "stage 0: 12 nodes here; stage 1: 1 node (com.acme.Op) elsewhere"
std::string StagesText(const onnx::Partition& partition);

}  // namespace athanor::tools
