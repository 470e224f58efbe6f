// What `athanor quantize` is asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "quant/correct.h"
#include "quant/dynamic.h"
#include "quant/weight_only.h"
#include "tools/arguments.h"
#include "tools/classify.h"
#include "tools/open_model.h"
#include "tools/package_options.h"

namespace athanor::tools {

struct QuantizeRequest {
  ModelOptions model;
  std::string dump;    // --dump-ir
  AccessFlags access;  // of a package
  ClassifyOptions classify;
  std::string calib, out, method = "minmax", correct, max_drop, data, labels, report;
  std::string table, save_table, agree = "values", share, ranges = "asymmetric",
                                 weight_ranges = "symmetric", arithmetic = "float",
                                 activations = "auto";
  std::string weights = "8";
  std::int64_t samples = 128, limit = 0, group = 128;
  double tail = 1e-4, target_ratio = 0;
  int threads = 0, tune = 0;
  bool per_tensor = false, measured = false, allow_overlap = false;
  bool climbs = false;  // --auto

  // Checked once by CheckRequest, from `max_drop`, `share` and `correct`.
  std::optional<double> drop = {};
  std::optional<double> float_share = {};  // see share_in_float
  quant::Corrections corrections = {};
  bool free_corrections = false;  // none were asked for, and some may be added

  int weight_bits() const {
    constexpr int kHalf = 16, kFour = 4, kEight = 8;
    return halves() ? kHalf : weights == "4" ? kFour : kEight;
  }
  bool zeros_of_weights() const { return weight_ranges == "asymmetric"; }
  bool symmetric() const { return ranges == "symmetric"; }
  bool fits_size() const { return target_ratio > 0; }
  bool tries_recipes() const { return correct == "auto"; }
  // fixed31 is for machines without floats: no products there unless --max-drop asks for them.
  double share_in_float() const { return float_share.value_or(arithmetic == "float" ? 0.15 : 0); }
  // Weights of 16 bits: nothing is calibrated.
  bool halves() const { return weights == "f16" || weights == "bf16"; }
  // Whether activations may stay floats where 8 bits of them are too coarse: when nothing was asked
  // for that says how they become integers.
  bool may_keep_activations() const {
    const QuantizeRequest usual;
    return activations == "auto" && (free_corrections || tries_recipes()) && !drop &&
           !float_share && weights == usual.weights && method == usual.method &&
           arithmetic == usual.arithmetic && ranges == usual.ranges && !per_tensor &&
           table.empty() && save_table.empty();
  }
  // Scales of the activations are those of each run: nothing is calibrated.
  bool dynamic() const { return activations == "dynamic"; }
  bool weights_only() const { return activations == "float" || fits_size() || halves(); }
};

// What is corrected when nothing is asked for, and what --target-ratio corrects by itself.
inline constexpr const char* kUsualCorrections = "gptq,bias";
inline constexpr const char* kFittedCorrections = "gptq,refit,empirical";

void AddQuantizeOptions(Arguments app, QuantizeRequest& request);
// What can be seen to be wrong before any file is read; fills in what it checks.
Status CheckRequest(QuantizeRequest& request);
// "bias,adaround" or "none".
Result<quant::Corrections> ParseCorrections(const std::string& text);
quant::QuantizeOptions HowToQuantize(const QuantizeRequest& request);
// With --activations float.
quant::WeightOnlyOptions HowToQuantizeWeights(const QuantizeRequest& request);

}  // namespace athanor::tools
