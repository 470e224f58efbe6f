// Plans for sliding windows over planes, shared by depthwise convolution and pooling.
#pragma once

#include "kernels/conv/spatial.h"
#include "kernels/plane/plane_table.h"

namespace athanor::kernels {

const PlaneTable& Planes(Isa isa);

PlaneGeometry MakePlane(const Spatial2d& spatial);

// How many taps of each output position count in an average, as a factor; then 16 zeros.
std::vector<float> AverageFactors(const ops::WindowAxis& axis, bool include_pad);

// MaxPool, AveragePool, GlobalAveragePool on floats.
std::vector<KernelDef> PoolKernels();
// The same and depthwise convolution, on channels in blocks.
std::vector<KernelDef> BlockedWindowKernels();
// MaxPool and AveragePool over three and more axes.
std::vector<KernelDef> VolumeKernels();

}  // namespace athanor::kernels
