// Files of named tensors without a network: state dictionaries (torch.save) and safetensors.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "frontends/pytorch/storage.h"

namespace athanor::pytorch {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// What torch.save wrote: an archive with data.pkl, or the older form of several pickles in a row.
// Nested dictionaries give names with dots between; what is no tensor is left out.
Result<NamedTensors> ReadPickledWeights(Bytes file, std::shared_ptr<const void> owner,
                                        CopyBudget& budget);
// The same where the file is one tensor.
Result<Tensor> ReadPickledTensor(Bytes file, std::shared_ptr<const void> owner, CopyBudget& budget);
// The older form starts so.
bool IsOldPickle(Bytes file);

bool IsSafetensors(Bytes file);
Result<NamedTensors> ReadSafetensors(Bytes file, std::shared_ptr<const void> owner);

}  // namespace athanor::pytorch
