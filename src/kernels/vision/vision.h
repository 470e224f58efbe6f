// Kernels of images: Resize, GridSample, AffineGrid, RoiAlign, MaxRoiPool, NonMaxSuppression, and
// pooling that no faster kernel does (any number of axes, indices, integers, p-norms).
#pragma once

#include "kernels/kernel.h"
#include "kernels/vision/resize_table.h"

namespace athanor::kernels {

std::vector<KernelDef> NmsKernels();
std::vector<KernelDef> ResizeKernels();
std::vector<KernelDef> RoiKernels();
std::vector<KernelDef> SampleKernels();
std::vector<KernelDef> WindowKernels();

const ResizeTable& Resizes(Isa isa);

}  // namespace athanor::kernels
