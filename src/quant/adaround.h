// Rounds weights up or down, each the way that changes the outputs of their product least (Nagel et
// al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020).
//
// The objective is (q - w) * Gram * (q - w)T, summed over the rows. Rounding is relaxed to
// h in [0, 1], a stretched sigmoid, and driven to 0 or 1 by a regulariser; what comes out is
// improved one weight at a time until no single change helps, and is never worse than nearest.
#pragma once

#include "quant/gram.h"
#include "quant/weights.h"

namespace athanor::quant {

struct AdaRoundOptions {
  int iterations = 1000;
  double rate = 0.02;         // of Adam
  double regularizer = 0.05;  // relative to the error that nearest rounding makes, per weight
  double warm_up = 0.2;       // share of the iterations before the regulariser begins
  double first_beta = 20, last_beta = 2;
};

// `weights` has scales, and values rounded to nearest; gives it better values.
Status AdaRound(const Tensor& w, const WeightMatrix& matrix, int bits, const Gram& gram,
                const AdaRoundOptions& options, IntWeights& weights);

// The objective.
double OutputError(const Tensor& w, const WeightMatrix& matrix, const Gram& gram,
                   const IntWeights& weights);

}  // namespace athanor::quant
