#include "frontends/pytorch/pytorch.h"

#include "frontends/pytorch/exported_program.h"
#include "frontends/pytorch/script.h"

namespace athanor::pytorch {
namespace {

Status OnlyWeights(std::size_t count) {
  return Unsupported("the file holds weights ({} tensors) but no network to run them", count)
      .Fix(
          "save the whole model: torch.export.save(torch.export.export(model.eval(), (input,)), "
          "'model.pt2')");
}

}  // namespace

bool IsPytorch(std::span<const std::uint8_t> bytes) {
  return IsZip(bytes) || IsOldPickle(bytes) || IsSafetensors(bytes);
}

bool IsWeights(std::span<const std::uint8_t> bytes) {
  if (!IsZip(bytes)) return IsOldPickle(bytes) || IsSafetensors(bytes);
  const Result<Archive> archive = Archive::Open(bytes, nullptr);
  return archive.ok() && archive->Has("data.pkl") && !IsScript(*archive) &&
         !IsExportedProgram(*archive);
}

Result<NamedTensors> ReadWeights(std::span<const std::uint8_t> bytes,
                                 std::shared_ptr<const void> owner) {
  if (IsSafetensors(bytes)) return ReadSafetensors(bytes, std::move(owner));
  CopyBudget budget = CopyBudget::For(bytes);
  return ReadPickledWeights(bytes, std::move(owner), budget);
}

Result<Graph> Import(std::span<const std::uint8_t> bytes, std::shared_ptr<const void> owner) {
  if (IsZip(bytes)) {
    ATH_TRY(const Archive archive, Archive::Open(bytes, owner));
    if (IsExportedProgram(archive)) return ReadExportedProgram(archive, bytes);
    if (IsScript(archive)) return ReadScript(archive, bytes);
    if (!archive.Has("data.pkl"))
      return Error(ErrorCode::kUnknownFormat, "the zip archive is none that PyTorch wrote");
  }
  ATH_TRY(const NamedTensors tensors, ReadWeights(bytes, std::move(owner)));
  return OnlyWeights(tensors.size());
}

}  // namespace athanor::pytorch
