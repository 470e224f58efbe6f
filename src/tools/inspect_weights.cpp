#include "tools/inspect_weights.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/text.h"
#include "frontends/pytorch/pytorch.h"
#include "ir/type.h"
#include "tools/console.h"

namespace athanor::tools {

Result<bool> IsWeights(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return false;  // zoo:NAME, or nothing
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  return pytorch::IsWeights(file->bytes());
}

Status InspectWeights(const std::string& path, const Common& common) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  Result<pytorch::NamedTensors> tensors = pytorch::ReadWeights(file->bytes(), file);
  const std::string name = std::filesystem::path(path).filename().string();
  if (!tensors.ok()) return std::move(tensors).status().In(name);
  Table table({"tensor", "type", ">size"});
  nlohmann::json list = nlohmann::json::array();
  std::int64_t elements = 0;
  std::size_t bytes = 0;
  for (const auto& [tensor_name, tensor] : *tensors) {
    const std::string type = Type::Of(tensor).ToString();
    table.Add({Shorten(tensor_name, 64), type, HumanBytes(static_cast<double>(tensor.bytes()))});
    list.push_back({{"name", tensor_name}, {"type", type}, {"bytes", tensor.bytes()}});
    elements += tensor.count();
    bytes += tensor.bytes();
  }
  PrintText(common, table.ToString() + "\n");
  Say(common, "tensors      {} with {} elements ({}) in {}", tensors->size(), elements,
      HumanCount(static_cast<double>(elements)), HumanBytes(static_cast<double>(bytes)));
  Say(common, "feasible     no: these are weights without a network");
  PrintJson(common, {{"model", path},
                     {"tensors", std::move(list)},
                     {"params", elements},
                     {"feasible", false},
                     {"infeasible_because", "the file holds weights without a network"}});
  return {};
}

}  // namespace athanor::tools
