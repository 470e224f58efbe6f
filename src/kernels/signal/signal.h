// Kernels of signals: DFT, STFT, and the windows and filters that go with them.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> FourierKernels();
std::vector<KernelDef> SpectrumWindowKernels();

}  // namespace athanor::kernels
