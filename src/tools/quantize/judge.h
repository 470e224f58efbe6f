// What a quantised model is worth: right classes where there are labels, else how far it agrees
// with the float model. The same rows for every candidate, read once where memory allows.
#pragma once

#include <optional>

#include "quant/observe.h"
#include "tools/progress.h"
#include "tools/quantize/options.h"
#include "tools/samples.h"

namespace athanor::tools {

// Samples kept in memory up to a bound, and read again beyond it.
class SampleCache {
 public:
  SampleCache(std::size_t count, quant::SampleSource read);
  std::size_t count() const { return kept_.size(); }
  Result<std::vector<Datum>> Read(std::size_t i);
  // A digest of what the model is fed.
  Result<std::uint64_t> DigestOf(std::size_t i);
  quant::SampleSource source() {
    return [this](std::size_t i) { return Read(i); };
  }

 private:
  quant::SampleSource read_;
  std::vector<std::optional<std::vector<Datum>>> kept_;
  std::size_t bytes_ = 0;
};

struct Verdict {
  ClassifyScore score;           // of labelled rows
  double value = 0;              // top1, or the agreement: what --max-drop is about
  std::int64_t same_class = 0;   // rows whose best class is that of the float model
  std::vector<bool> right = {};  // per labelled row
};

class Judge {
 public:
  // Without --data the last quarter of the samples is kept from calibration and judged on.
  // `samples`: how many are left for calibration afterwards.
  static Result<Judge> Open(const Graph& graph, const QuantizeRequest& request,
                            const Common& common, SampleCache& calibration, std::size_t& samples);

  bool labelled() const { return labelled_.has_value(); }
  std::size_t rows() const { return cache_->count(); }
  // Whether the rows have one best class each.
  bool has_classes() const { return has_classes_; }
  int evaluations() const { return evaluations_; }
  // Whether its rows are pictures; those kept from calibration are what the others are.
  bool reads_pictures() const { return reads_pictures_; }
  const Verdict& real() const { return real_; }
  Result<Verdict> Rate(const Graph& graph);

 private:
  Judge(const QuantizeRequest& request, const Common& common)
      : request_(&request), common_(&common) {}
  Status CheckOverlap(SampleCache& calibration, std::size_t samples);
  // Options that say more of labels, or of classes, than these rows have.
  Status CheckOptions() const;
  Status RateFloat(const Graph& graph);

  const QuantizeRequest* request_;
  const Common* common_;
  std::optional<LabelledSet> labelled_;
  std::unique_ptr<SampleCache> cache_;
  std::size_t output_ = 0;
  bool has_classes_ = false, reads_pictures_ = false;
  std::vector<std::size_t> best_ = {};            // of the float model
  std::vector<std::vector<Datum>> outputs_ = {};  // of the float model
  Verdict real_;
  int evaluations_ = 0;
};

// McNemar's exact test of two classifiers on the same rows: how often chance alone gives a
// difference as large (two-sided).
struct Paired {
  std::int64_t only_first = 0, only_second = 0;  // rows that one of the two has right
  double p = 1;
};
Paired ComparePaired(const std::vector<bool>& first, const std::vector<bool>& second);

}  // namespace athanor::tools
