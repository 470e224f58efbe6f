// What quantising did and what it cost, as one JSON document and one page.
#pragma once

#include <nlohmann/json.hpp>

#include "quant/fit_size.h"
#include "quant/layer_errors.h"
#include "tools/quantize/recipe.h"
#include "tools/report/page.h"

namespace athanor::tools {

// The model before or after.
struct Form {
  std::unique_ptr<Session> session;
  double milliseconds = 0;  // median of one inference
  std::uint64_t bytes = 0;  // of the file; before: of the weights as they would lie in one
  std::optional<Verdict> verdict = {};
};

struct QuantizeFindings {
  const QuantizeRequest* request = nullptr;
  std::size_t samples = 0;
  const quant::Prepared* prepared = nullptr;  // absent when only weights were quantised
  const Choice* choice = nullptr;
  Form before, after;
  bool labelled = false, has_classes = false;
  std::int64_t rows = 0;  // that were judged; 0: none
  int evaluations = 0;
  std::vector<quant::LayerError> layers = {};
  std::vector<AblationRow> ablation = {};
  std::vector<TriedRecipe> tried = {};         // with --correct auto
  std::vector<std::string> weights_only = {};  // products
  quant::FitSizeReport fitted = {};            // with --target-ratio
  bool pass = true;
};

nlohmann::json FindingsJson(const QuantizeFindings& findings);
Page FindingsPage(const QuantizeFindings& findings);
// `name`: a folder for both, or one file.
Status WriteReport(const QuantizeFindings& findings, const std::string& name);
Status CheckReportName(const std::string& name);

}  // namespace athanor::tools
