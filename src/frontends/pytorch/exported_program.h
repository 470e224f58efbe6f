// Programs that torch.export saved (.pt2): a graph of ATen operators as JSON beside its weights.
//
// Two layouts are read: archives with models/NAME.json and data/weights (PyTorch 2.8 and newer),
// and the older with serialized_exported_program.json and pickled weights. Symbolic sizes of inputs
// become symbols.
#pragma once

#include "frontends/pytorch/zip.h"
#include "ir/graph.h"

namespace athanor::pytorch {

bool IsExportedProgram(const Archive& archive);
Result<Graph> ReadExportedProgram(const Archive& archive, Bytes file);

}  // namespace athanor::pytorch
