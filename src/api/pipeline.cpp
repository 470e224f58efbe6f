#include "api/pipeline.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "api/batch.h"
#include "core/file.h"
#include "core/rows.h"
#include "core/text.h"
#include "frontends/ath/ath.h"
#include "io/image.h"
#include "verify/compare.h"
#include "verify/random_inputs.h"

namespace athanor {
namespace {

using package::Pipeline;

// Where the network's picture lies in the picture that came.
struct Placement {
  double scale_x = 1, scale_y = 1;  // pixels of the network's picture per pixel of the original
  double left = 0, top = 0;         // of the crop, in scaled pixels
};

Result<io::ImageInput> InputOf(const Graph& graph, const Pipeline& pipeline) {
  if (graph.inputs().size() != 1)
    return Unsupported("a pipeline's model has one input; this one has {}", graph.inputs().size());
  const Type& type = graph.value(graph.inputs()[0]).type;
  const auto is_channels = [](const Dim& dim) { return dim.Is(1) || dim.Is(3); };
  if (!type.HasRank() || type.rank() != 4 ||
      (!is_channels(type.dim(1)) && !is_channels(type.dim(3))))
    return Unsupported("the model reads {}; a picture [N, C, H, W] or [N, H, W, C] is expected",
                       type.ToString());
  if (type.dim(0).IsConst() && !type.dim(0).Is(1))
    return Unsupported("the model reads {}, several pictures at once; a pipeline gives it one",
                       type.ToString());
  const auto* normalise = pipeline.Find<package::Normalise>();
  io::ImageInput input = {.dtype = type.dtype};
  input.layout = is_channels(type.dim(1)) ? io::Layout::kNchw : io::Layout::kNhwc;
  if (normalise != nullptr && normalise->layout) input.layout = *normalise->layout;
  const bool nchw = input.layout == io::Layout::kNchw;
  const Dim &channels = type.dim(nchw ? 1 : 3), &height = type.dim(nchw ? 2 : 1),
            &width = type.dim(nchw ? 3 : 2);
  if (!is_channels(channels))
    return Unsupported("the model reads {}, which has no channels there", type.ToString());
  input.channels = channels.value();
  if (height.IsConst() && width.IsConst()) input.size = io::Size{height.value(), width.value()};
  return input;
}

io::Size SizeOf(const Tensor& picture) { return {picture.dim(0), picture.dim(1)}; }

// Scales and crops as the resize stage says, then to the size the network has.
Result<Tensor> Fit(Tensor picture, const Pipeline& pipeline, const io::ImageInput& input,
                   Placement& at) {
  const auto scale = [&](io::Size to) -> Status {
    const io::Size from = SizeOf(picture);
    ATH_TRY(picture, io::Resize(picture, to));
    at.scale_x *= static_cast<double>(to.width) / static_cast<double>(from.width);
    at.scale_y *= static_cast<double>(to.height) / static_cast<double>(from.height);
    at.left *= static_cast<double>(to.width) / static_cast<double>(from.width);
    at.top *= static_cast<double>(to.height) / static_cast<double>(from.height);
    return {};
  };
  if (const auto* resize = pipeline.Find<package::Resize>()) {
    if (resize->short_side)
      ATH_RETURN_IF_ERROR(scale(io::ShortSideTo(SizeOf(picture), *resize->short_side)));
    if (resize->to) ATH_RETURN_IF_ERROR(scale(*resize->to));
    if (resize->crop) {
      const io::Size from = SizeOf(picture), to = *resize->crop;
      ATH_TRY(picture, io::CentreCrop(picture, to));
      at.left += static_cast<double>(std::llrint(static_cast<double>(from.width - to.width) / 2));
      at.top += static_cast<double>(std::llrint(static_cast<double>(from.height - to.height) / 2));
    }
  }
  if (input.size && SizeOf(picture) != *input.size) ATH_RETURN_IF_ERROR(scale(*input.size));
  return picture;
}

// Over the last axis, in double.
Result<Tensor> SoftmaxOf(const Tensor& scores) {
  ATH_TRY(const std::vector<double> values, ToDoubles(scores));
  ATH_TRY(Tensor out, Tensor::Allocate(DType::kF32, scores.dims()));
  if (scores.rank() == 0 || scores.count() == 0) return out;
  const auto row = static_cast<std::size_t>(scores.dim(scores.rank() - 1));
  const auto target = out.MutableData<float>();
  for (std::size_t start = 0; start < values.size(); start += row) {
    const double top = *std::max_element(&values[start], &values[start] + row);
    double sum = 0;
    for (std::size_t i = 0; i < row; ++i) sum += std::exp(values[start + i] - top);
    for (std::size_t i = 0; i < row; ++i)
      target[start + i] = static_cast<float>(std::exp(values[start + i] - top) / sum);
  }
  return out;
}

using Outputs = std::vector<std::pair<std::string, Tensor>>;

// The output of this name; "" is the only one.
Result<std::size_t> FindOutput(const std::vector<std::string>& names, const std::string& wanted) {
  if (wanted.empty() && names.size() == 1) return std::size_t{0};
  const auto found = std::find(names.begin(), names.end(), wanted);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  if (wanted.empty())
    return Error(ErrorCode::kUnknownName, "the model has several outputs; name one of {}",
                 Join(names, ", "));
  return Error(ErrorCode::kUnknownName, "the model has no output {}{}; it has {}", Quote(wanted),
               DidYouMean(wanted, names), Join(names, ", "));
}

Result<Tensor> OutputOf(const Outputs& outputs, const std::string& wanted) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : outputs) names.push_back(name);
  ATH_TRY(const std::size_t index, FindOutput(names, wanted));
  return outputs[index].second;
}

std::string LabelOf(const std::vector<std::string>& labels, std::size_t index) {
  return index < labels.size() ? labels[index] : "";
}

Result<std::vector<ClassResult>> BestClasses(const Tensor& scores, const package::TopK& top,
                                             const std::vector<std::string>& labels) {
  ATH_TRY(const std::vector<double> values, ToDoubles(scores));
  const auto skip = static_cast<std::size_t>(top.skip);
  if (values.size() <= skip)
    return Error(ErrorCode::kInvalidInput, "{} scores, of which {} are skipped", values.size(),
                 skip);
  std::vector<std::size_t> order(values.size() - skip);
  std::iota(order.begin(), order.end(), skip);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(top.count)));
  std::vector<ClassResult> classes;
  for (const std::size_t i : order)
    classes.push_back({i - skip, LabelOf(labels, i - skip), values[i]});
  return classes;
}

// Corners in fractions of the network's picture.
Result<std::vector<double>> Corners(const Outputs& outputs, const Pipeline& pipeline,
                                    io::Size network, std::string& scores) {
  if (const auto* ssd = pipeline.Find<package::SsdDecode>()) {
    scores = ssd->scores;
    ATH_TRY(const Tensor tensor, OutputOf(outputs, ssd->boxes));
    ATH_TRY(const std::vector<double> offsets, ToDoubles(tensor));
    return DecodeSsd(offsets, *ssd, network);
  }
  const auto* boxes = pipeline.Find<package::Boxes>();
  scores = boxes->scores;
  ATH_TRY(const Tensor tensor, OutputOf(outputs, boxes->boxes));
  ATH_TRY(std::vector<double> corners, ToDoubles(tensor));
  if (!AreCorners(corners)) {
    return Error(ErrorCode::kInvalidInput, "{} are no corners (x1, y1, x2, y2)",
                 Quote(boxes->boxes))
        .Fix("if they are offsets of an SSD detector, use the stage ssd_decode");
  }
  for (std::size_t i = 0; boxes->pixels && i < corners.size(); ++i)
    corners[i] /= static_cast<double>(i % 2 == 0 ? network.width : network.height);
  return corners;
}

Result<std::vector<BoxResult>> FindBoxes(const Outputs& outputs, const Pipeline& pipeline,
                                         io::Size network, const Placement& at, io::Size picture,
                                         const std::vector<std::string>& labels) {
  const auto& nms = *pipeline.Find<package::Suppress>();
  std::string scores_name;
  ATH_TRY(const std::vector<double> corners, Corners(outputs, pipeline, network, scores_name));
  ATH_TRY(const Tensor scores, OutputOf(outputs, scores_name));
  ATH_TRY(const std::vector<double> values, ToDoubles(scores));
  const std::size_t rows = corners.size() / 4;
  const std::size_t classes = rows == 0 ? 0 : values.size() / rows;
  if (corners.size() % 4 != 0 || classes == 0 || classes * rows != values.size())
    return Error(ErrorCode::kInvalidInput, "{} corners and {} scores do not belong together",
                 corners.size(), values.size());
  std::vector<BoxResult> found;
  const BoxOptions options = {.min_score = nms.min_score, .max_overlap = nms.max_overlap};
  for (Box box : Suppress(FromPairs(corners, values, classes, nms.min_score), options)) {
    const auto x = [&](double fraction) {
      const double pixel = (fraction * static_cast<double>(network.width) + at.left) / at.scale_x;
      return std::clamp(pixel, 0.0, static_cast<double>(picture.width));
    };
    const auto y = [&](double fraction) {
      const double pixel = (fraction * static_cast<double>(network.height) + at.top) / at.scale_y;
      return std::clamp(pixel, 0.0, static_cast<double>(picture.height));
    };
    box.x1 = x(box.x1), box.x2 = x(box.x2), box.y1 = y(box.y1), box.y2 = y(box.y2);
    found.push_back({box, LabelOf(labels, box.label)});
    if (found.size() == static_cast<std::size_t>(nms.most)) break;
  }
  return found;
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string_view AsText(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<std::unique_ptr<PipelineRunner>> PipelineRunner::Open(const std::string& path,
                                                             const package::ReadOptions& access,
                                                             const SessionOptions& session) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  Result<package::Package> package = package::Package::Open(file->bytes(), file, access);
  if (!package.ok()) return std::move(package).status().In(path);
  Result<std::unique_ptr<PipelineRunner>> made = Make(*std::move(package), session);
  if (!made.ok()) return std::move(made).status().In(path);
  return made;
}

Result<std::unique_ptr<PipelineRunner>> PipelineRunner::Make(package::Package package,
                                                             const SessionOptions& session) {
  std::unique_ptr<PipelineRunner> made(new PipelineRunner(std::move(package)));
  ATH_TRY(const package::Blob text, made->package_.Read(std::string(package::kPipelineEntry)));
  ATH_TRY(const package::Config config, package::ConfigFromJson(AsText(text.bytes)));
  ATH_TRY(made->pipeline_, package::ReadPipeline(config));
  if (const auto* labels = made->pipeline_.Find<package::Labels>()) {
    ATH_TRY(const package::Blob lines, made->package_.Read(labels->file));
    made->labels_ = Lines(AsText(lines.bytes));
  }
  const std::string& model = made->pipeline_.Find<package::RunModel>()->file;
  ATH_TRY(const package::Blob bytes, made->package_.Read(model));
  Result<Graph> graph = ath::Read(bytes.bytes, bytes.owner);
  if (!graph.ok()) return std::move(graph).status().In(model);
  ATH_TRY(made->session_, Session::Create(*std::move(graph), session));
  ATH_RETURN_IF_ERROR(InputOf(made->graph(), made->pipeline_).status());
  ATH_RETURN_IF_ERROR(made->CheckOutputs());
  return made;
}

// Names that stages speak of must be there before the first picture.
Status PipelineRunner::CheckOutputs() const {
  std::vector<std::string> names, wanted;
  for (const GraphOutput& output : graph().outputs()) names.push_back(output.name);
  if (const auto* stage = pipeline_.Find<package::Softmax>()) wanted.push_back(stage->output);
  if (const auto* stage = pipeline_.Find<package::TopK>()) wanted.push_back(stage->output);
  if (const auto* stage = pipeline_.Find<package::SsdDecode>())
    wanted.insert(wanted.end(), {stage->boxes, stage->scores});
  if (const auto* stage = pipeline_.Find<package::Boxes>())
    wanted.insert(wanted.end(), {stage->boxes, stage->scores});
  for (const std::string& name : wanted) ATH_RETURN_IF_ERROR(FindOutput(names, name).status());
  return {};
}

bool PipelineRunner::IsBatchable() const {
  std::call_once(tried_,
                 [this] { is_batchable_ = athanor::IsBatchable(graph()) && RowsAreIndependent(); });
  return is_batchable_;
}

bool PipelineRunner::RowsAreIndependent() const {
  constexpr std::int64_t kOpenSize = 64;  // of a network that reads pictures of any size
  // Kernels may add in another order for another number of rows.
  constexpr Tolerance kSame = {.rtol = 1e-3, .atol = 1e-3};
  const auto try_rows = [&]() -> Result<bool> {
    Type row = graph().value(graph().inputs()[0]).type;
    (*row.shape)[0] = 1;
    std::vector<Tensor> rows;
    for (const std::uint64_t seed : {1, 2}) {
      ATH_TRY(Tensor tensor, RandomTensor(row, seed, kOpenSize));
      rows.push_back(std::move(tensor));
    }
    ATH_TRY(Tensor stacked, StackRows(rows));
    ATH_TRY(const std::vector<Datum> both, RunNetwork(std::move(stacked)));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ATH_TRY(const std::vector<Datum> one, RunNetwork(rows[i]));
      for (std::size_t k = 0; k < one.size(); ++k) {
        const Tensor& all = both[k].tensor();
        if (all.rank() == 0 || all.dim(0) != 2) return false;
        const Tensor part = TakeRows(all, static_cast<std::int64_t>(i), 1);
        if (!Compare(part, one[k], kSame).pass) return false;
      }
    }
    return true;
  };
  const Result<bool> same = try_rows();
  return same.ok() && *same;
}

// Everything of a picture that later stages ask for.
struct PipelineRunner::Prepared {
  io::Size picture, fitted;  // as it came, as the network sees it
  Placement at;
  Tensor tensor;
};

Result<PipelineRunner::Prepared> PipelineRunner::Prepare(
    std::span<const std::uint8_t> bytes) const {
  ATH_TRY(const io::ImageInput input, InputOf(graph(), pipeline_));
  const auto* decode = pipeline_.Find<package::Decode>();
  const bool grey = input.channels == 1 || (decode != nullptr && decode->grey);
  ATH_TRY(const Tensor picture,
          io::DecodeImage(bytes, {.colour = grey ? io::Colour::kGrey : io::Colour::kRgb}));
  Prepared prepared;
  prepared.picture = SizeOf(picture);
  ATH_TRY(const Tensor fitted, Fit(picture, pipeline_, input, prepared.at));
  prepared.fitted = SizeOf(fitted);
  io::Preprocess steps;
  steps.bgr = decode != nullptr && decode->bgr;
  if (const auto* normalise = pipeline_.Find<package::Normalise>()) {
    steps.mean = normalise->mean;
    steps.std = normalise->std;
  }
  ATH_TRY(prepared.tensor, io::ToNetworkInput(fitted, steps, input));
  return prepared;
}

Result<std::vector<Datum>> PipelineRunner::RunNetwork(Tensor input) const {
  std::vector<Datum> feed;
  feed.emplace_back(std::move(input));
  return session_->Run(std::move(feed));
}

Result<PipelineResult> PipelineRunner::Finish(const Prepared& picture,
                                              const std::vector<Datum>& outputs) const {
  PipelineResult result;
  result.picture = picture.picture;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].IsTensor())
      result.outputs.emplace_back(graph().outputs()[i].name, outputs[i].tensor());
  }
  if (const auto* softmax = pipeline_.Find<package::Softmax>()) {
    std::vector<std::string> names;
    for (const auto& [name, output] : result.outputs) names.push_back(name);
    ATH_TRY(const std::size_t index, FindOutput(names, softmax->output));
    ATH_TRY(result.outputs[index].second, SoftmaxOf(result.outputs[index].second));
  }
  if (const auto* top = pipeline_.Find<package::TopK>()) {
    ATH_TRY(const Tensor scores, OutputOf(result.outputs, top->output));
    ATH_TRY(result.classes, BestClasses(scores, *top, labels_));
  }
  if (pipeline_.Find<package::Suppress>() != nullptr) {
    ATH_TRY(result.boxes, FindBoxes(result.outputs, pipeline_, picture.fitted, picture.at,
                                    result.picture, labels_));
  }
  return result;
}

Result<PipelineResult> PipelineRunner::Run(std::span<const std::uint8_t> picture) const {
  ATH_TRY(Prepared prepared, Prepare(picture));
  ATH_TRY(const std::vector<Datum> outputs, RunNetwork(std::move(prepared.tensor)));
  return Finish(prepared, outputs);
}

Result<std::vector<PipelineResult>> PipelineRunner::RunAll(
    std::span<const std::span<const std::uint8_t>> pictures) const {
  std::vector<Prepared> prepared;
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    Result<Prepared> one = Prepare(pictures[i]);
    if (!one.ok()) return std::move(one).status().In(fmt::format("picture {}", i));
    inputs.push_back(std::exchange(one->tensor, {}));
    prepared.push_back(*std::move(one));
  }
  const bool together = inputs.size() > 1 && IsBatchable() &&
                        std::all_of(inputs.begin(), inputs.end(), [&](const Tensor& input) {
                          return input.dims() == inputs[0].dims();
                        });
  std::vector<Datum> all;
  if (together) {
    ATH_TRY(Tensor stacked, StackRows(inputs));
    ATH_TRY(all, RunNetwork(std::move(stacked)));
  }
  const auto count = static_cast<std::int64_t>(prepared.size());
  for (const Datum& output : all) {
    if (output.tensor().rank() == 0 || output.tensor().dim(0) != count)
      return Error(ErrorCode::kInternal, "an output has shape {} for {} pictures",
                   ToString(output.tensor().dims()), count);
  }
  std::vector<PipelineResult> results;
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    std::vector<Datum> outputs;
    if (together) {
      for (const Datum& output : all)
        outputs.emplace_back(TakeRows(output.tensor(), static_cast<std::int64_t>(i), 1));
    } else {
      ATH_TRY(outputs, RunNetwork(std::move(inputs[i])));
    }
    ATH_TRY(PipelineResult result, Finish(prepared[i], outputs));
    results.push_back(std::move(result));
  }
  return results;
}

nlohmann::json ToJson(const PipelineResult& result, const Pipeline& pipeline) {
  nlohmann::json document = {{"picture", {result.picture.width, result.picture.height}}};
  if (pipeline.Find<package::TopK>() != nullptr) {
    document["classes"] = nlohmann::json::array();
    for (const ClassResult& c : result.classes)
      document["classes"].push_back({{"class", c.index}, {"label", c.label}, {"score", c.score}});
  }
  if (pipeline.Find<package::Suppress>() != nullptr) {
    document["boxes"] = nlohmann::json::array();
    for (const BoxResult& b : result.boxes) {
      document["boxes"].push_back({{"class", b.box.label},
                                   {"label", b.label},
                                   {"score", b.box.score},
                                   {"box", {b.box.x1, b.box.y1, b.box.x2, b.box.y2}}});
    }
  }
  return document;
}

bool IsPackageFile(const std::string& path) {
  std::uint8_t start[8] = {};
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(start), sizeof(start));
  return file.gcount() == sizeof(start) && package::IsPackage(start);
}

}  // namespace athanor
