#include "frontends/keras/import.h"

#include <algorithm>
#include <set>

#include "frontends/keras/archive.h"
#include "frontends/keras/model.h"
#include "ops/catalog.h"

namespace athanor::keras {
namespace {

using Bytes = std::span<const std::uint8_t>;

Result<Graph> Build(const Config& model, const Weights& weights, const FileInfo& info) {
  Graph graph(ops::Standard());
  ATH_TRY(const ModelEnds ends, AddModel(graph, info, model, weights, {}, 0));
  // Two outputs of one layer are told apart by a number.
  std::set<std::string> used;
  for (std::size_t i = 0; i < ends.outputs.size(); ++i) {
    std::string name = ends.output_names[i];
    for (int number = 1; !used.insert(name).second; ++number)
      name = fmt::format("{}_{}", ends.output_names[i], number);
    graph.AddOutput(name, ends.outputs[i]);
    if (graph.value(ends.outputs[i]).producer != kNoNode) graph.SetName(ends.outputs[i], name);
  }
  graph.ReleaseUnusedConstants();
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

Bytes BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Result<Graph> ImportArchive(Bytes bytes) {
  ATH_TRY(const std::vector<std::uint8_t> config, ReadMember(bytes, "config.json"));
  ATH_TRY(const Config model, tabular::ParseJson(config));
  ATH_TRY(std::vector<std::uint8_t> member, ReadMember(bytes, "model.weights.h5"));
  const auto memory = std::make_shared<const std::vector<std::uint8_t>>(std::move(member));
  ATH_TRY(hdf5::File file, hdf5::File::Open(*memory, memory));
  return Build(model, Weights::Numbered(std::make_shared<const hdf5::File>(std::move(file)), ""),
               {});
}

Result<Graph> ImportHdf5(Bytes bytes, std::shared_ptr<const void> owner) {
  ATH_TRY(hdf5::File opened, hdf5::File::Open(bytes, std::move(owner)));
  const auto file = std::make_shared<const hdf5::File>(std::move(opened));
  if (!file->HasAttribute("", "model_config"))
    return InvalidModel(
               "the file holds weights, but no model_config: how its layers are connected is not "
               "known")
        .Fix("save the whole model: model.save('model.keras')");
  ATH_TRY(const std::vector<std::string> config, file->Strings("", "model_config"));
  if (config.size() != 1) return InvalidModel("model_config has {} parts", config.size());
  ATH_TRY(const Config model, tabular::ParseJson(BytesOf(config[0])));
  FileInfo info;
  if (file->HasAttribute("", "keras_version")) {
    ATH_TRY(const std::vector<std::string> version, file->Strings("", "keras_version"));
    info.is_keras2 = !version.empty() && version[0].starts_with("2.");
  }
  return Build(model, Weights::Named(file, "model_weights"), info);
}

bool IsZip(Bytes bytes) {
  return bytes.size() > 4 && bytes[0] == 'P' && bytes[1] == 'K' && bytes[2] == 3 && bytes[3] == 4;
}

}  // namespace

bool IsKeras(Bytes bytes) {
  if (hdf5::IsHdf5(bytes)) return true;
  constexpr std::string_view kMember = "model.weights.h5";
  // The directory of the archive, which names its members, is at the end.
  const Bytes end = bytes.last(std::min<std::size_t>(bytes.size(), 4096));
  return IsZip(bytes) &&
         std::search(end.begin(), end.end(), kMember.begin(), kMember.end()) != end.end();
}

Result<Graph> Import(Bytes bytes, std::shared_ptr<const void> owner) {
  return IsZip(bytes) ? ImportArchive(bytes) : ImportHdf5(bytes, std::move(owner));
}

}  // namespace athanor::keras
