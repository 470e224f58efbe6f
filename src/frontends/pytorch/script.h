// TorchScript archives (torch.jit.save): methods as Python source, the module as a pickle.
#pragma once

#include "frontends/pytorch/zip.h"
#include "ir/graph.h"

namespace athanor::pytorch {

bool IsScript(const Archive& archive);
Result<Graph> ReadScript(const Archive& archive, Bytes file);

}  // namespace athanor::pytorch
