// Plans for sliding windows over planes, shared by depthwise convolution and pooling.
#pragma once

#include "kernels/conv/spatial.h"
#include "kernels/plane/plane_table.h"

namespace athanor::kernels {

const PlaneTable& Planes(Isa isa);

PlaneGeometry MakePlane(const Spatial2d& spatial);

// MaxPool, AveragePool, GlobalAveragePool on floats.
std::vector<KernelDef> PoolKernels();

}  // namespace athanor::kernels
