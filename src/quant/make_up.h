// Rounds the weights of a product that computes on integers: one after another, later ones making
// up for earlier ones (RowRounding), then one at a time by a step while that brings the outputs
// nearer (Behdin et al., "QuantEase", 2023). Below 8 bits the scale of each row is fitted to what
// came out.
//
// The objective is AdaRound's; a weight may end more than one step from its real value.
#pragma once

#include "quant/gram.h"
#include "quant/weights.h"

namespace athanor::quant {

// `weights` has scales, and values rounded to nearest; gives it values that are never worse.
Status RoundMakingUp(const Tensor& w, const WeightMatrix& matrix, const WeightForm& form,
                     const Gram& gram, IntWeights& weights);

}  // namespace athanor::quant
