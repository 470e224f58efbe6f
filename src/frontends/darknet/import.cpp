#include "frontends/darknet/import.h"

#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "frontends/darknet/layer_import.h"
#include "ops/catalog.h"

namespace athanor::darknet {
namespace {

std::string Place(const Section& section, std::size_t index) {
  return fmt::format("line {}, layer {} [{}]", section.line, index, section.type);
}

std::vector<Status> CheckLayers(std::span<const Section> layers) {
  std::vector<std::string> names;
  for (const Row& row : Table()) names.emplace_back(row.type);
  std::vector<Status> problems;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (FindRow(layers[i].type) != nullptr) continue;
    problems.push_back(Error(ErrorCode::kUnknownOperator, "this layer is not read{}",
                             DidYouMean(layers[i].type, names))
                           .In(Place(layers[i], i)));
  }
  return problems;
}

Result<ValueId> AddInput(const Section& net, NetState& state) {
  Status problem;
  Options options(net, problem);
  state.width = options.Int("width", 0);
  state.height = options.Int("height", 0);
  const std::int64_t channels = options.Int("channels", 3);
  ATH_RETURN_IF_ERROR(problem);
  ATH_RETURN_IF_ERROR(options.CheckAllRead());
  constexpr std::int64_t kMost = 1 << 16;
  for (const std::int64_t size : {state.width, state.height, channels}) {
    if (size < 1 || size > kMost)
      return InvalidModel("pictures of {} x {} x {} make no sense", channels, state.height,
                          state.width);
  }
  return state.graph.AddInput(
      "data", Type::Tensor(DType::kF32, {Dim::Symbol("N"), channels, state.height, state.width}));
}

Result<Made> AddLayer(NetState& state, const Section& section, std::size_t index, ValueId input) {
  LayerImport ctx(state, section, index, input);
  Result<Made> made = FindRow(section.type)->make(ctx);
  ATH_RETURN_IF_ERROR(ctx.problem());
  ATH_RETURN_IF_ERROR(made.status());
  ATH_RETURN_IF_ERROR(ctx.options.CheckAllRead());
  return made;
}

Result<Graph> Read(std::string_view cfg, Weights& weights) {
  ATH_TRY(const std::vector<Section> sections, ParseCfg(cfg));
  if (sections[0].type != "net" && sections[0].type != "network")
    return InvalidModel("the first section is [{}]; [net] is expected", sections[0].type);
  const std::span<const Section> layers = std::span(sections).subspan(1);
  std::vector<Status> problems = CheckLayers(layers);
  if (!problems.empty()) return Status::All(std::move(problems));
  Graph graph(ops::Standard(), "darknet");
  NetState state = {graph, weights};
  Result<ValueId> input = AddInput(sections[0], state);
  if (!input.ok()) return std::move(input).status().In("[net]");
  ValueId value = *input;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    Result<Made> made = AddLayer(state, layers[i], i, value);
    if (!made.ok()) return std::move(made).status().In(Place(layers[i], i));
    state.layers.push_back(*made);
    value = made->value;
    const std::string name = LayerImport::NameOf(layers[i], i);
    const bool head = made->detections != kNoValue;
    if (head) {
      graph.SetName(made->detections, name);
      graph.AddOutput(name, made->detections);
    } else if (graph.value(value).name.empty()) {
      graph.SetName(value, name);
    }
    if (!head && i + 1 == layers.size()) graph.AddOutput(name, value);
  }
  if (graph.outputs().empty()) return InvalidModel("the network has no layers");
  if (weights.left() != 0)
    return Error(ErrorCode::kCorruptFile,
                 "the .weights file has {} numbers more than the layers use", weights.left())
        .Fix("take the .weights file that was trained with this .cfg file");
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

}  // namespace

Result<Graph> Import(std::string_view cfg, std::span<const std::uint8_t> weights,
                     std::shared_ptr<const void> owner) {
  ATH_TRY(const std::unique_ptr<Weights> reader, ReadWeights(weights, std::move(owner)));
  return Read(cfg, *reader);
}

Result<Graph> ImportSeeded(std::string_view cfg) { return Read(cfg, *MadeUpWeights()); }

Result<Graph> ImportBeside(std::string_view cfg, const std::string& path,
                           const std::string& weights) {
  if (weights == "random") return ImportSeeded(cfg);
  const std::string file_name =
      weights.empty() ? std::filesystem::path(path).replace_extension(".weights").string()
                      : weights;
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::Open(file_name);
  if (!file.ok()) {
    return Error(ErrorCode::kFileNotFound, "{}: the weights of {} are not there", file_name,
                 std::filesystem::path(path).filename().string())
        .Fix(
            "put the .weights file beside the .cfg file, or say --weights FILE; --weights random "
            "makes weights up");
  }
  return Import(cfg, (*file)->bytes(), *file);
}

}  // namespace athanor::darknet
