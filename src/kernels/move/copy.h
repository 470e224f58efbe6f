// Operators that only move elements of any type: Transpose, Concat, Split, Slice, Expand, Tile.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

std::vector<KernelDef> CopyKernels();
std::vector<KernelDef> TileKernels();
// Concat of channels in blocks.
std::vector<KernelDef> BlockedConcatKernels();

}  // namespace athanor::kernels
