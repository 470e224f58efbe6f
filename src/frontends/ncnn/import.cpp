#include "frontends/ncnn/import.h"

#include <filesystem>
#include <unordered_map>

#include "core/file.h"
#include "core/text.h"
#include "frontends/foreign.h"
#include "frontends/ncnn/layer_import.h"
#include "ops/catalog.h"

namespace athanor::ncnn {
namespace {

std::vector<Status> CheckLayers(const std::vector<Layer>& layers) {
  std::vector<std::string> names;
  for (const Row& row : Table()) names.emplace_back(row.type);
  std::vector<Status> problems;
  for (const Layer& layer : layers) {
    const Row* row = FindRowOrForeign(layer.type);
    if (row == nullptr) {
      problems.push_back(Error(ErrorCode::kUnknownOperator, "this layer is not read{}",
                               DidYouMean(layer.type, names))
                             .In(Place(layer))
                             .Fix(ForeignFix("ncnn", layer.type)));
      continue;
    }
    const auto wrong = [](int expected, std::size_t given) {
      return expected < 0 ? given == 0 : given != static_cast<std::size_t>(expected);
    };
    if (wrong(row->inputs, layer.bottoms.size()) || wrong(row->outputs, layer.tops.size())) {
      problems.push_back(Unsupported("this layer with {} inputs and {} outputs is not read",
                                     layer.bottoms.size(), layer.tops.size())
                             .In(Place(layer)));
    }
  }
  return problems;
}

class NetImport {
 public:
  NetImport(const std::vector<Layer>& layers, WeightReader& weights)
      : layers_(layers), weights_(weights), graph_(ops::Standard()) {}

  Result<Graph> Run() {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      for (const std::string& blob : layers_[i].bottoms) readers_[blob].push_back(i);
    }
    for (const Layer& layer : layers_) {
      Status status = layer.type == "Input" ? AddInput(layer) : AddLayer(layer);
      if (!status.ok()) return std::move(status).In(Place(layer));
    }
    AddOutputs();
    if (graph_.outputs().empty())
      return InvalidModel("the network has no output: every blob is read by a layer");
    return std::move(graph_);
  }

 private:
  Status Define(const std::string& blob, ValueId value) {
    if (!blobs_.emplace(blob, value).second) return InvalidModel("blob \"{}\" is made twice", blob);
    if (graph_.value(value).name.empty()) graph_.SetName(value, blob);
    return {};
  }

  Status AddLayer(const Layer& layer) {
    std::vector<ValueId> inputs;
    for (const std::string& blob : layer.bottoms) {
      const auto found = blobs_.find(blob);
      if (found == blobs_.end())
        return InvalidModel("no layer above makes the blob \"{}\"{}", blob,
                            DidYouMean(blob, BlobNames()));
      inputs.push_back(found->second);
    }
    LayerImport ctx(graph_, layer, weights_, std::move(inputs));
    Status status = FindRowOrForeign(layer.type)->make(ctx);
    ATH_RETURN_IF_ERROR(ctx.problem());
    ATH_RETURN_IF_ERROR(status);
    for (std::size_t i = 0; i < layer.tops.size(); ++i)
      ATH_RETURN_IF_ERROR(Define(layer.tops[i], ctx.outputs[i]));
    return {};
  }

  std::vector<std::string> BlobNames() const {
    std::vector<std::string> names;
    for (const auto& [name, value] : blobs_) names.push_back(name);
    return names;
  }

  Status AddInput(const Layer& layer) {
    const LayerImport ctx(graph_, layer, weights_, {});
    const std::string& blob = layer.tops[0];
    Shape shape = {Dim::Symbol("N")};
    // Outermost first: channels, depth, height, width; 0 is not said.
    for (const int id : {2, 11, 1, 0}) {
      const std::int64_t size = ctx.Int(id, 0);
      if (size < 0) return InvalidModel("an input cannot have a size of {}", size);
      if (size > 0) shape.push_back(size);
    }
    ATH_RETURN_IF_ERROR(ctx.problem());
    Type type = Type::Tensor(DType::kF32, std::move(shape));
    if (type.rank() == 1) type = GuessInput(blob);
    return Define(blob, graph_.AddInput(blob, std::move(type)));
  }

  // Many files leave the input's shape out; the first layer with weights tells its channels.
  Type GuessInput(const std::string& blob) {
    constexpr int kMostBlobs = 1000;  // a layer read by many is met many times
    const Type unknown = Type::TensorOfUnknownRank(DType::kF32);
    const auto readers = readers_.find(blob);
    if (readers == readers_.end() || ++blobs_guessed_from_ > kMostBlobs) return unknown;
    for (const std::size_t i : readers->second) {
      const Layer& reader = layers_[i];
      const LayerImport ctx(graph_, reader, weights_, {});
      if (reader.type == "Convolution" || reader.type == "ConvolutionDepthWise") {
        const std::int64_t width = ctx.Int(1, 0), height = ctx.Int(11, width);
        const std::int64_t filters = ctx.Int(0, 0), group = ctx.Int(7, 1);
        if (width < 1 || height < 1 || filters < 1 || group < 1) return unknown;
        const std::int64_t channels = ctx.Int(6, 0) / filters / width / height * group;
        return Type::Tensor(DType::kF32,
                            {Dim::Symbol("N"), channels, Dim::Symbol("H"), Dim::Symbol("W")});
      }
      if (reader.tops.empty()) continue;
      Type further = GuessInput(reader.tops[0]);
      if (further.HasRank()) return further;
    }
    return unknown;
  }

  // What nobody reads is a result.
  void AddOutputs() {
    for (const Layer& layer : layers_) {
      for (const std::string& blob : layer.tops) {
        if (layer.type != "Input" && readers_.count(blob) == 0)
          graph_.AddOutput(blob, blobs_.at(blob));
      }
    }
  }

  const std::vector<Layer>& layers_;
  WeightReader& weights_;
  Graph graph_;
  std::unordered_map<std::string, ValueId> blobs_;
  std::unordered_map<std::string, std::vector<std::size_t>> readers_;  // of a blob: layers
  int blobs_guessed_from_ = 0;
};

}  // namespace

std::string WeightsPath(const std::string& path) {
  return std::filesystem::path(path).replace_extension(".bin").string();
}

Result<Graph> Import(std::string_view param, std::span<const std::uint8_t> weights,
                     std::shared_ptr<const void> owner) {
  ATH_TRY(const std::vector<Layer> layers, ParseParam(param));
  std::vector<Status> problems = CheckLayers(layers);
  if (!problems.empty()) return Status::All(std::move(problems));
  WeightReader reader(weights, std::move(owner));
  ATH_TRY(Graph graph, NetImport(layers, reader).Run());
  if (reader.left() != 0) {
    return Error(ErrorCode::kCorruptFile, "the .bin file has {} bytes more than the layers use",
                 reader.left())
        .Fix("take the .bin file that was made together with this .param file");
  }
  ATH_RETURN_IF_ERROR(Verify(graph));
  return graph;
}

Result<Graph> ImportBeside(std::string_view param, const std::string& path) {
  const std::string weights = WeightsPath(path);
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::Open(weights);
  if (!file.ok()) {
    return Error(ErrorCode::kFileNotFound, "{}: the weights of {} are not there", weights,
                 std::filesystem::path(path).filename().string())
        .Fix("an ncnn network is two files; put the .bin file beside the .param file");
  }
  return Import(param, (*file)->bytes(), *file);
}

}  // namespace athanor::ncnn
