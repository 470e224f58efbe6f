// What quantising did and what it cost, as one JSON document and one page.
#pragma once

#include <nlohmann/json.hpp>

#include "quant/dynamic.h"
#include "quant/fit_size.h"
#include "quant/half_weights.h"
#include "quant/layer_errors.h"
#include "tools/quantize/recipe.h"
#include "tools/quantize/stored_products.h"
#include "tools/quantize/task.h"
#include "tools/report/page.h"

namespace athanor::tools {

// The model before or after.
struct Form {
  std::unique_ptr<Session> session;
  double milliseconds = 0;  // median of one inference
  std::uint64_t bytes = 0;  // of the file; before: of the weights as they would lie in one
  std::optional<Verdict> verdict = {};
};

// What --auto tried.
struct Rung {
  std::string name;
  std::uint64_t bytes = 0;
  double value = 0;  // accuracy or agreement
  bool met = false;
  std::string reason = {};  // why there is no such file; bytes and value are 0 then
};

struct QuantizeFindings {
  const QuantizeRequest* request = nullptr;
  const CommandLine* line = nullptr;
  std::size_t samples = 0;
  Task task = Task::kOther;
  const quant::Prepared* prepared = nullptr;  // absent when only weights were quantised
  const Choice* choice = nullptr;
  double far = 0;  // SQNR of what is farthest of the outputs with activations of 8 bits
  Form before, after;
  bool labelled = false, has_classes = false;
  std::int64_t rows = 0;  // that were judged; 0: none
  int evaluations = 0;
  std::vector<quant::LayerError> layers = {};
  std::vector<AblationRow> ablation = {};
  std::vector<TriedRecipe> tried = {};        // with --correct auto
  quant::WeightOnlyReport weights_only = {};  // with --activations float
  quant::DynamicReport dynamic = {};          // with --activations dynamic
  // There, with samples: SQNR of the outputs on some of them.
  std::optional<double> decibels = {};
  quant::FitSizeReport fitted = {};  // with --target-ratio
  quant::HalfReport halves = {};     // with --weight-bits f16 or bf16
  std::size_t recurrent = 0;         // matrices of recurrent nodes with 8 bits
  std::vector<Rung> rungs = {};      // with --auto
  std::vector<StoredWeights> stored_before = {}, stored = {};
  bool pass = true;
};

// What the quantised form is called: "int8", "int4", "coded", "f16" or "bf16".
std::string FormName(const QuantizeFindings& findings);
// Integers of weights and floats for activations, asked for or chosen.
bool WeightsAlone(const QuantizeFindings& findings);
// The same for people: weights alone on integers are no integers that anything computes on.
std::string FormLabel(const QuantizeFindings& findings);
nlohmann::json FindingsJson(const QuantizeFindings& findings);
Page FindingsPage(const QuantizeFindings& findings);
// `name`: a folder for both, or one file.
Status WriteReport(const QuantizeFindings& findings, const std::string& name);
Status CheckReportName(const std::string& name);

}  // namespace athanor::tools
