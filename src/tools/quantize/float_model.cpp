#include "tools/quantize/float_model.h"

#include <fmt/ranges.h>

#include "frontends/ath/ath.h"
#include "frontends/save.h"
#include "package/pipeline.h"

namespace athanor::tools {
namespace {

bool SaysSomething(const ImageFlags& flags) {
  return !KeepsRange(flags) || flags.rgb || flags.bgr || !flags.layout.empty() ||
         !flags.crop.empty() || !flags.resize.empty();
}

std::string SizeText(io::Size size) { return fmt::format("{}x{}", size.height, size.width); }

// The options that do what the stages before the network do.
Result<ImageFlags> FlagsOf(const package::Pipeline& pipeline) {
  ImageFlags flags;
  if (const auto* decode = pipeline.Find<package::Decode>()) flags.bgr = decode->bgr;
  if (const auto* resize = pipeline.Find<package::Resize>()) {
    if (resize->to && resize->short_side)
      return Unsupported("the package scales pictures twice; quantise its model by itself");
    if (resize->to) flags.resize = SizeText(*resize->to);
    if (resize->short_side) flags.resize = std::to_string(*resize->short_side);
    if (resize->crop) flags.crop = SizeText(*resize->crop);
  }
  if (const auto* normalise = pipeline.Find<package::Normalise>()) {
    flags.mean = fmt::format("{}", fmt::join(normalise->mean, ","));
    flags.std = fmt::format("{}", fmt::join(normalise->std, ","));
    if (normalise->layout) flags.layout = *normalise->layout == io::Layout::kNhwc ? "nhwc" : "nchw";
  }
  return flags;
}

Status CheckNoOtherOptions(const QuantizeRequest& request) {
  if (SaysSomething(request.classify.image))
    return Error(ErrorCode::kUsage,
                 "a package says itself how its network reads pictures: --mean, --std, --scale, "
                 "--rgb, --bgr, --layout, --crop and --resize do not go with it");
  const ModelOptions& model = request.model;
  if (!model.format.empty() || !model.weights.empty() || !model.set_dims.empty() || model.states)
    return Error(ErrorCode::kUsage,
                 "a package holds a finished model: --format, --weights, --set-dim and --states do "
                 "not go with it");
  return {};
}

Result<Graph> OpenPacked(QuantizeRequest& request) {
  ATH_RETURN_IF_ERROR(CheckNoOtherOptions(request));
  ATH_TRY(package::Package packed, OpenPackage(request.model.path, request.access));
  ATH_TRY(const package::Blob text, packed.Read(std::string(package::kPipelineEntry)));
  const std::string_view json(reinterpret_cast<const char*>(text.bytes.data()), text.bytes.size());
  ATH_TRY(const package::Config config, package::ConfigFromJson(json));
  ATH_TRY(const package::Pipeline pipeline, package::ReadPipeline(config));
  const auto* decode = pipeline.Find<package::Decode>();
  ATH_TRY(request.classify.image, FlagsOf(pipeline));
  const std::string& name = pipeline.Find<package::RunModel>()->file;
  ATH_TRY(const package::Blob bytes, packed.Read(name));
  Result<Graph> graph = ath::Read(bytes.bytes, bytes.owner);
  if (!graph.ok()) return std::move(graph).status().In(name);
  if (decode == nullptr || !decode->grey || graph->inputs().empty()) return graph;
  ATH_TRY(const io::ImageInput input,
          ImageInputOf(graph->value(graph->inputs()[0]).type, request.classify.image));
  if (input.channels != 1)
    return Unsupported("the package makes pictures grey before its network reads {} channels",
                       input.channels);
  return graph;
}

}  // namespace

Result<Graph> OpenFloatModel(QuantizeRequest& request) {
  ATH_TRY(const bool packed, IsPackage(request.model.path));
  if (!packed) {
    ATH_RETURN_IF_ERROR(NeedsPackage(request.access, request.model.path));
    return OpenModel(request.model, SavedFiles(request.out));
  }
  Result<Graph> graph = OpenPacked(request);
  if (!graph.ok()) return std::move(graph).status().In(request.model.path);
  return graph;
}

}  // namespace athanor::tools
