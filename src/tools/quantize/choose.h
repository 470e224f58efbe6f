// Makes the quantised model: all products, or as many as the allowed drop of accuracy leaves.
#pragma once

#include <map>
#include <memory>

#include "quant/correct.h"
#include "quant/decide.h"
#include "quant/pays.h"
#include "tools/quantize/judge.h"

namespace athanor::tools {

// Outputs this near to those of the float model are left as they are, and samples that tell.
inline constexpr double kNearDecibels = 30;
inline constexpr std::size_t kNearSamples = 16;
// Outputs, or what they are joined from, that are not even this near move boxes and classes.
inline constexpr double kFarDecibels = 20;
inline constexpr double kNsPerMs = 1e6;

// Makes the same model for any choice of products that stay in float.
class Maker {
 public:
  static Result<Maker> Prepare(const Graph& plain, const Graph& original, SampleCache& samples,
                               std::size_t count, const QuantizeRequest& request,
                               const Common& common);
  // `store`: those in float have weights of 8 bits in the file.
  Result<quant::Quantized> Make(std::set<NodeId> in_float, bool store = false) const;

  const quant::Prepared& prepared() const { return *prepared_; }
  // With the rounding of weights that Make uses.
  const quant::QuantizeOptions& options() const { return options_; }
  std::size_t count() const { return count_; }
  const quant::SampleSource& source() const { return source_; }

 private:
  Maker(const QuantizeRequest& request, quant::Prepared prepared, quant::SampleSource source,
        std::size_t count);

  quant::Corrections corrections_;
  std::unique_ptr<quant::Prepared> prepared_;  // where it stays: the options point into it
  quant::SampleSource source_;
  std::size_t count_;
  quant::QuantizeOptions options_;
};

// The ranges as --save-table asks for them; nothing when it does not.
Status SaveRanges(const QuantizeRequest& request, const Common& common,
                  const quant::Prepared& prepared);

// Milliseconds of products in float and on integers, see tools/quantize/worth.h.
struct Worth {
  struct Product {
    NodeId node = kNoNode;
    std::string name, op;
    double float_ms = 0;
    double int8_ms = 0;         // with what its integers make necessary
    double conversions_ms = 0;  // of these
    bool on_integers = false;   // when it was timed
    bool pays = false;          // it is better there
  };
  // What products that returned to float changed: one run of the whole network.
  struct Change {
    double before_ms = 0, after_ms = 0, float_ms = 0;
  };
  std::vector<Product> products = {};
  double float_ms = 0, int8_ms = 0;  // of all steps
  bool measured = false;             // else estimated
  std::set<NodeId> returned = {};    // with --measured
  std::optional<Change> change = {};
};

struct Choice {
  struct Trial {
    std::size_t in_float = 0;
    double value = 0;  // accuracy or agreement
    double saved = 0;  // share of the operations that compute on integers
    // What the cost model says of one run; only for a report.
    std::optional<double> milliseconds = {};
  };
  // What products in float without --max-drop are worth.
  struct Spared {
    double work = 0;               // their share of the operations
    double before = 0, after = 0;  // SQNR of the outputs
  };
  quant::Quantized made;
  std::vector<quant::RankedProduct> ranked = {};  // only when some had to stay in float
  std::size_t in_float = 0;                       // the first of them
  bool stored = false;                            // their weights have 8 bits in the file
  std::vector<Trial> trials = {};
  std::map<NodeId, quant::ProductTimes> times = {};  // with --max-drop --measured
  Worth worth = {};
  std::optional<Spared> spared = {};
  std::optional<double> decibels = {};  // SQNR of the outputs on a few samples, without --max-drop
  // The same of what is farthest of all that outputs are joined from.
  std::optional<double> farthest = {};
  bool weights_alone = false;  // all products are in float
  bool met = true;
};

// "28.3 dB"; what rounds to 0 has no sign.
std::string Decibels(double sqnr);

// Without --max-drop all products but a few that cost most of the accuracy and hardly any time, see
// --float-share. `judge` may then be null.
Result<Choice> ChooseProducts(const Maker& maker, const QuantizeRequest& request,
                              const Common& common, Judge* judge);

// All products in float with weights of 8 bits in the file; `coarse` is what integers made of them.
Result<Choice> ChooseWeightsAlone(const Maker& maker, const QuantizeRequest& request,
                                  const Choice& coarse);

// SQNR of what is farthest of all that outputs are joined from.
Result<double> Farthest(const Maker& maker, const quant::Quantized& made, int threads);

// What each correction adds to the ones before it.
struct AblationRow {
  std::string name;
  double sqnr = 0;                   // of the outputs on some samples
  std::optional<double> value = {};  // accuracy or agreement
};
Result<std::vector<AblationRow>> Ablate(const Graph& plain, const Graph& original,
                                        SampleCache& samples, std::size_t count,
                                        const QuantizeRequest& request, const Common& common,
                                        const std::set<NodeId>& in_float, Judge* judge);
// The same of weights alone, with --activations float.
Result<std::vector<AblationRow>> AblateWeights(const Graph& plain, SampleCache& samples,
                                               std::size_t count, const QuantizeRequest& request,
                                               const Common& common, Judge* judge);

}  // namespace athanor::tools
