// Models that PyTorch saved: exported programs (.pt2), TorchScript archives (.pt), and files of
// weights
// (.pth of torch.save, .safetensors), which hold no network. Nothing of a file is executed.
#pragma once

#include "frontends/pytorch/weights.h"
#include "ir/graph.h"

namespace athanor::pytorch {

// An archive, a pickle of torch.save, or safetensors.
bool IsPytorch(std::span<const std::uint8_t> bytes);
// Weights alone are refused: there is nothing to run. `owner` keeps `bytes`.
Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner);

// Whether calls of "aten::NAME" are read.
bool Reads(std::string_view op);

// Whether the file holds weights and no network.
bool IsWeights(std::span<const std::uint8_t> bytes);
// The tensors by name, in the order of the file; those of a network too. They share the file's
// memory.
Result<NamedTensors> ReadWeights(std::span<const std::uint8_t> bytes,
                                 std::shared_ptr<const void> owner);

}  // namespace athanor::pytorch
