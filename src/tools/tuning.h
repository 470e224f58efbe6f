// The options that decide between kernels, for every verb that runs a model.
#pragma once

#include <string>

#include "runtime/session.h"
#include "tools/verb.h"

namespace athanor::tools {

struct TuningOptions {
  bool strict = false;
  std::string precision = "f32";
  std::string select = "measured";
  std::string budget = "0";                  // seconds of measuring, or "unlimited"
  std::int64_t memory = 0;                   // bytes of one run, at most; 0: no bound
  double memory_price = 1e3 * kMemoryPrice;  // microseconds that a megabyte of weights counts for
  std::string cache;  // "": in the current folder or beside the model, when one is there
};

// Adds --precision, --strict, --select, --budget, --mem-budget, --memory-price and --plan-cache.
void AddTuningOptions(Arguments app, TuningOptions& options);

// --precision alone, for verbs that choose nothing else.
void AddPrecisionOption(Arguments app, std::string& precision);
// --precision-b, for verbs that look at two models; "": as --precision says.
void AddOtherPrecisionOption(Arguments app, std::string& precision);
// Refuses bf16 on device reference, of a verb that looks at two sides. `both`: a command of that
// verb which asks about bf16.
Status CheckSidePrecision(const std::string& device, const std::string& precision,
                          const std::string& both);

// Where tune writes without -o: the model's file name with .athplan, in the current folder.
std::string TuningFile(const std::string& model);

// "0", "2.5", "unlimited"
Result<double> BudgetSeconds(const std::string& text);

// Fills in all that decides between kernels; of the cost model it probes this machine. A cache that
// cannot be used is named on stderr and ignored, unless it was asked for by name and is not there.
Status ApplyTuning(const TuningOptions& options, const std::string& model, const Common& common,
                   SessionOptions& session);

}  // namespace athanor::tools
