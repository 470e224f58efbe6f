// Which convolutions Winograd's algorithm may compute, in any precision.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

// Windows of 3 by 3 with stride 1 and known weights, without groups, where sums may be rounded
// more than those of products. Says nothing of types and layouts.
Fit FitsWinograd(const KernelQuery& query);
// The same where nothing is rounded.
Fit FitsWinogradWindow(const KernelQuery& query);

}  // namespace athanor::kernels
