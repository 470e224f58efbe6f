// LSTM, GRU and RNN.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> RecurrentKernels();

}  // namespace athanor::kernels
