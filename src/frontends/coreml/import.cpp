#include "frontends/coreml/import.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/text.h"
#include "frontends/coreml/network.h"
#include "frontends/coreml/program.h"
#include "ops/catalog.h"

namespace athanor::coreml {
namespace {

constexpr int kMaxNesting = 8;             // of pipelines
constexpr std::uint64_t kMlProgram = 502;  // a kind of model
constexpr std::uint64_t kFirstModel = 200, kLastModel = 3000, kLastVersion = 100;

// The field that holds the model, whatever its kind is; 0: none.
std::uint64_t KindOf(Bytes bytes) {
  protobuf::Cursor cursor(bytes);
  while (!cursor.done()) {
    const std::uint64_t tag = cursor.Varint();
    if (tag >> 3 == 0 || cursor.failed()) return 0;
    if (tag >> 3 >= kFirstModel && tag >> 3 < kLastModel &&
        static_cast<protobuf::Wire>(tag & 7U) == protobuf::Wire::kLength)
      return tag >> 3;
    cursor.Skip(static_cast<protobuf::Wire>(tag & 7U));
  }
  return 0;
}

Status NoNetwork(std::uint64_t kind) {
  static constexpr std::pair<std::uint64_t, std::string_view> kNames[] = {
      {300, "a generalised linear regressor"},
      {301, "a support vector regressor"},
      {302, "a tree ensemble regressor"},
      {304, "a Bayesian probit regressor"},
      {400, "a generalised linear classifier"},
      {401, "a support vector classifier"},
      {402, "a tree ensemble classifier"},
      {404, "a nearest neighbours classifier"},
      {501, "a recommender"},
      {555, "a custom model"},
      {556, "a linked model"},
      {600, "a one-hot encoder"},
      {601, "an imputer"},
      {602, "a feature vectorizer"},
      {603, "a dictionary vectorizer"},
      {604, "a scaler"},
      {606, "a categorical mapping"},
      {607, "a normalizer"},
      {609, "an array feature extractor"},
      {610, "non-maximum suppression"}};
  if (kind == kMlProgram)
    return Unsupported("ML Programs are read by themselves, not within pipelines")
        .Fix("convert it as a network: coremltools.convert(model, convert_to='neuralnetwork')");
  for (const auto& [number, name] : kNames) {
    if (number == kind)
      return Unsupported("{} is not read; neural networks and pipelines of them are", name);
  }
  return Unsupported("a model of kind {} is not read; neural networks and pipelines of them are",
                     kind);
}

class Importer {
 public:
  explicit Importer(std::shared_ptr<const void> owner)
      : owner_(std::move(owner)), graph_(ops::Standard(), "coreml") {}

  Result<Graph> Run(Bytes bytes) {
    ATH_TRY(const Model model, protobuf::Parse<Model>(bytes, "Core ML model"));
    ATH_TRY(const Forms forms, FormsOfInputs(model, 0));
    for (const Feature& input : model.description.inputs) {
      Result<Type> type = TypeOfInput(input, forms);
      if (!type.ok()) return std::move(type).status().In(Place("input", input.name));
      if (features_.count(input.name) != 0)
        return InvalidModel("two inputs are named {}", Quote(input.name.substr(0, 100)));
      features_[input.name] = graph_.AddInput(input.name, *std::move(type));
    }
    ATH_RETURN_IF_ERROR(AddModel(bytes, model, 0));
    ATH_RETURN_IF_ERROR(AddOutputs(model.description));
    graph_.ReleaseUnusedConstants();
    ATH_RETURN_IF_ERROR(Verify(graph_));
    return std::move(graph_);
  }

 private:
  static const NeuralNetwork* NetworkOf(const Model& model) {
    for (const auto* network : {&model.network, &model.classifier, &model.regressor}) {
      if (*network) return &**network;
    }
    return nullptr;
  }
  static const Pipeline* PipelineOf(const Model& model) {
    if (model.pipeline) return &*model.pipeline;
    if (model.pipeline_classifier) return &model.pipeline_classifier->pipeline;
    return model.pipeline_regressor ? &model.pipeline_regressor->pipeline : nullptr;
  }

  // The forms of the first network that takes each input.
  Result<Forms> FormsOfInputs(const Model& model, int depth) {
    if (const NeuralNetwork* network = NetworkOf(model)) {
      ATH_TRY(const std::vector<Layer> layers, ReadLayers(*network));
      return FormsOf(*network, model.description, layers);
    }
    Forms all;
    const Pipeline* pipeline = PipelineOf(model);
    if (pipeline == nullptr || depth >= kMaxNesting) return all;
    for (const Bytes bytes : pipeline->models) {
      ATH_TRY(const Model part, protobuf::Parse<Model>(bytes, "Core ML model"));
      ATH_TRY(const Forms forms, FormsOfInputs(part, depth + 1));
      for (const Feature& input : part.description.inputs)
        all.of_input.emplace(input.name, forms.Of(input.name));
    }
    return all;
  }

  Status AddModel(Bytes bytes, const Model& model, int depth) {
    if (const NeuralNetwork* network = NetworkOf(model))
      return AddNetwork(graph_, *network, model.description, owner_, features_);
    const Pipeline* pipeline = PipelineOf(model);
    if (pipeline == nullptr) return NoNetwork(KindOf(bytes));
    if (depth >= kMaxNesting) return InvalidModel("pipelines lie in each other {} deep", depth);
    if (pipeline->models.empty()) return InvalidModel("the pipeline has no models");
    for (std::size_t i = 0; i < pipeline->models.size(); ++i) {
      Status status = [&]() -> Status {
        ATH_TRY(const Model part, protobuf::Parse<Model>(pipeline->models[i], "Core ML model"));
        return AddModel(pipeline->models[i], part, depth + 1);
      }();
      if (!status.ok()) return std::move(status).In(fmt::format("model {} of the pipeline", i));
    }
    return {};
  }

  Status AddOutputs(const Description& description) {
    if (description.outputs.empty()) return InvalidModel("the model gives no results");
    std::set<std::string> names;
    for (const Feature& output : description.outputs) {
      const auto found = features_.find(output.name);
      if (found == features_.end())
        return InvalidModel("nothing makes it").In(Place("output", output.name));
      if (!names.insert(output.name).second)
        return InvalidModel("it is given twice").In(Place("output", output.name));
      graph_.AddOutput(output.name, found->second);
    }
    return {};
  }

  std::shared_ptr<const void> owner_;
  Graph graph_;
  Features features_;
};

}  // namespace

bool IsCoreml(Bytes bytes) {
  constexpr std::uint64_t kVersion = 0x08, kDescription = 0x12;
  protobuf::Cursor cursor(bytes);
  if (cursor.Varint() != kVersion) return false;
  const std::uint64_t version = cursor.Varint();
  return version >= 1 && version <= kLastVersion && cursor.Varint() == kDescription &&
         !cursor.failed() && KindOf(bytes) != 0;
}

Result<Graph> Import(Bytes bytes, std::shared_ptr<const void> owner, const std::string& folder) {
  if (KindOf(bytes) != kMlProgram) return Importer(std::move(owner)).Run(bytes);
  ATH_TRY(const Model model, protobuf::Parse<Model>(bytes, "Core ML model"));
  if (!model.program) return InvalidModel("its program is missing");
  ProgramEnds ends;
  for (const Feature& input : model.description.inputs) ends.inputs.push_back(input.name);
  for (const Feature& output : model.description.outputs) ends.outputs.push_back(output.name);
  return ImportProgram(*model.program, ends, folder);
}

std::string ModelInPackage(const std::string& folder) {
  const auto file = std::filesystem::path(folder) / "Data" / "com.apple.CoreML" / "model.mlmodel";
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored) ? file.string() : "";
}

}  // namespace athanor::coreml
