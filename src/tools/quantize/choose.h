// Makes the quantised model: all products, or as many as the allowed drop of accuracy leaves.
#pragma once

#include <map>

#include "quant/correct.h"
#include "quant/decide.h"
#include "tools/quantize/judge.h"

namespace athanor::tools {

// Makes the same model for any choice of products that stay in float.
class Maker {
 public:
  static Result<Maker> Prepare(const Graph& plain, const Graph& original, SampleCache& samples,
                               std::size_t count, const QuantizeRequest& request,
                               const Common& common);
  Result<quant::Quantized> Make(std::set<NodeId> in_float) const;

  const quant::Prepared& prepared() const { return prepared_; }
  const quant::QuantizeOptions& options() const { return options_; }
  std::size_t count() const { return count_; }
  const quant::SampleSource& source() const { return source_; }

 private:
  Maker(const QuantizeRequest& request, quant::Prepared prepared, quant::SampleSource source,
        std::size_t count);

  quant::Corrections corrections_;
  quant::Prepared prepared_;
  quant::SampleSource source_;
  std::size_t count_;
  quant::QuantizeOptions options_;
};

// The ranges as --save-table asks for them; nothing when it does not.
Status SaveRanges(const QuantizeRequest& request, const Common& common,
                  const quant::Prepared& prepared);

// Milliseconds of a product in float and on integers, by name.
struct ProductTimes {
  double real = 0, integers = 0;
};

struct Choice {
  struct Trial {
    std::size_t in_float = 0;
    double value = 0;  // accuracy or agreement
    double saved = 0;  // share of the operations that compute on integers
  };
  quant::Quantized made;
  std::vector<quant::RankedProduct> ranked = {};  // only when some had to stay in float
  std::size_t in_float = 0;                       // the first of them
  std::vector<Trial> trials = {};
  std::map<std::string, ProductTimes> times = {};  // with --measured
  bool met = true;
};

// Without --max-drop all products. `judge` may then be null.
Result<Choice> ChooseProducts(const Maker& maker, const QuantizeRequest& request,
                              const Common& common, Judge* judge);

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

}  // namespace athanor::tools
