#include "package/pipeline.h"

#include <charconv>
#include <cmath>
#include <functional>

#include "core/text.h"

namespace athanor::package {
namespace {

Status Wrong(const Config& at, std::string_view name, std::string_view expected) {
  const std::string given = at.kind == Config::Kind::kText ? Quote(at.text.substr(0, 60)) : "this";
  return InvalidModel("{}: {} is given; {} is expected", name, given, expected).In(Where(at));
}

template <class T>
bool ParseNumber(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

constexpr std::int64_t kLargest = 1 << 24;

// The settings of one stage. Each is asked for by name; Done reports what nobody asked for.
class Settings {
 public:
  Settings(const Config& config, std::string_view stage) : config_(config), stage_(stage) {
    const bool map = config.kind == Config::Kind::kMap || config.kind == Config::Kind::kNothing;
    if (!map) Fail(Wrong(config, stage, "a list of NAME: VALUE"));
  }

  const Config* Find(const std::string& name) {
    asked_.push_back(name);
    for (const auto& [field, value] : config_.fields) {
      if (field == name) return &value;
    }
    return nullptr;
  }

  void Text(const std::string& name, std::string& value) {
    const Config* found = Find(name);
    if (found == nullptr) return;
    if (found->kind != Config::Kind::kText) return Fail(Wrong(*found, name, "a text"));
    value = found->text;
  }

  void Int(const std::string& name, std::int64_t& value, std::int64_t least) {
    const Config* found = Find(name);
    if (found == nullptr) return;
    if (found->kind != Config::Kind::kText || !ParseNumber(found->text, value) || value < least ||
        value > kLargest)
      Fail(Wrong(*found, name, fmt::format("a whole number from {} to {}", least, kLargest)));
  }

  void Number(const std::string& name, double& value) {
    const Config* found = Find(name);
    if (found == nullptr) return;
    if (found->kind != Config::Kind::kText || !ParseNumber(found->text, value) ||
        !std::isfinite(value))
      Fail(Wrong(*found, name, "a number"));
  }

  // One number, or a list of them.
  void Numbers(const std::string& name, std::vector<double>& values) {
    const Config* found = Find(name);
    if (found == nullptr) return;
    values.clear();
    const bool list = found->kind == Config::Kind::kList;
    for (const Config& item : list ? found->items : std::vector<Config>{*found}) {
      double& value = values.emplace_back();
      if (item.kind != Config::Kind::kText || !ParseNumber(item.text, value) ||
          !std::isfinite(value))
        return Fail(Wrong(item, name, "a number or a list of numbers"));
    }
    if (values.empty()) Fail(Wrong(*found, name, "at least one number"));
  }

  // [HEIGHT, WIDTH] or one number for both.
  void Size(const std::string& name, std::optional<io::Size>& size) {
    if (Find(name) == nullptr) return;
    std::vector<double> values;
    Numbers(name, values);
    if (!status_.ok()) return;
    for (const double value : values) {
      if (value != std::floor(value) || value < 1 || value > 65536)
        return Fail(Wrong(*Find(name), name, "sizes from 1 to 65536"));
    }
    if (values.size() > 2) return Fail(Wrong(*Find(name), name, "[HEIGHT, WIDTH]"));
    size = io::Size{static_cast<std::int64_t>(values.front()),
                    static_cast<std::int64_t>(values.back())};
  }

  template <std::size_t kCount>
  std::size_t Choice(const std::string& name, const char* const (&choices)[kCount]) {
    const Config* found = Find(name);
    if (found == nullptr) return 0;
    const std::vector<std::string> names(std::begin(choices), std::end(choices));
    for (std::size_t i = 0; i < kCount; ++i) {
      if (found->text == names[i]) return i;
    }
    Fail(Wrong(*found, name, Join(names, ", ") + DidYouMean(found->text, names)));
    return 0;
  }

  void Require(bool condition, std::string_view what) {
    if (!condition) Fail(InvalidModel("{}: {}", stage_, what).In(Where(config_)));
  }

  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  Status Done() {
    for (const auto& [field, value] : config_.fields) {
      if (std::find(asked_.begin(), asked_.end(), field) != asked_.end()) continue;
      Fail(Error(ErrorCode::kUnknownName, "{} has no setting {}{}; it has {}", stage_, Quote(field),
                 DidYouMean(field, asked_), asked_.empty() ? "none" : Join(asked_, ", "))
               .In(Where(value)));
    }
    return status_;
  }

 private:
  const Config& config_;
  std::string stage_;
  std::vector<std::string> asked_;
  Status status_;
};

Result<Stage> ReadDecode(Settings& s) {
  const std::size_t colour = s.Choice("colour", {"rgb", "bgr", "grey"});
  return Stage(Decode{.bgr = colour == 1, .grey = colour == 2});
}

Result<Stage> ReadResize(Settings& s) {
  Resize resize;
  s.Size("to", resize.to);
  std::int64_t side = 0;
  s.Int("short_side", side, 1);
  if (side > 65536) s.Require(false, "short_side is at most 65536");
  if (side > 0) resize.short_side = side;
  s.Size("crop", resize.crop);
  s.Require(resize.to || resize.short_side || resize.crop, "to, short_side or crop is expected");
  return Stage(resize);
}

Result<Stage> ReadNormalise(Settings& s) {
  Normalise normalise;
  s.Numbers("mean", normalise.mean);
  s.Numbers("std", normalise.std);
  const std::size_t layout = s.Choice("layout", {"auto", "nchw", "nhwc"});
  if (layout != 0) normalise.layout = layout == 1 ? io::Layout::kNchw : io::Layout::kNhwc;
  for (const double value : normalise.std) s.Require(value != 0, "std must not be 0");
  return Stage(normalise);
}

Result<Stage> ReadModel(Settings& s) {
  RunModel model;
  s.Text("file", model.file);
  s.Require(!model.file.empty(), "file is missing");
  return Stage(model);
}

Result<Stage> ReadSoftmax(Settings& s) {
  Softmax softmax;
  s.Text("output", softmax.output);
  return Stage(softmax);
}

Result<Stage> ReadTopK(Settings& s) {
  TopK top;
  s.Int("count", top.count, 1);
  s.Int("skip", top.skip, 0);
  s.Text("output", top.output);
  return Stage(top);
}

Result<Stage> ReadSsd(Settings& s) {
  SsdDecode ssd;
  s.Text("boxes", ssd.boxes);
  s.Text("scores", ssd.scores);
  std::vector<double> variances = {ssd.centre_variance, ssd.size_variance};
  s.Numbers("variances", variances);
  s.Require(variances.size() == 2, "variances are two numbers: of the centre and of the size");
  if (variances.size() == 2) {
    ssd.centre_variance = variances[0];
    ssd.size_variance = variances[1];
  }
  ssd.centres_by_stride = s.Choice("centres", {"even", "stride"}) == 1;
  const Config* priors = s.Find("priors");
  s.Require(priors != nullptr && priors->kind == Config::Kind::kList && !priors->items.empty() &&
                priors->items.size() <= 64,
            "priors is a list of {stride: 8, boxes: [10, 16, 24]}");
  for (std::size_t i = 0; priors != nullptr && i < std::min<std::size_t>(priors->items.size(), 64);
       ++i) {
    Settings item(priors->items[i], "priors");
    PriorMap map;
    item.Int("stride", map.stride, 1);
    item.Numbers("boxes", map.boxes);
    item.Require(map.stride > 0 && !map.boxes.empty() && map.boxes.size() <= 64,
                 "stride and 1 to 64 boxes are expected");
    ATH_RETURN_IF_ERROR(item.Done());
    ssd.priors.push_back(std::move(map));
  }
  return Stage(std::move(ssd));
}

Result<Stage> ReadBoxes(Settings& s) {
  Boxes boxes;
  s.Text("boxes", boxes.boxes);
  s.Text("scores", boxes.scores);
  boxes.pixels = s.Choice("unit", {"fraction", "pixel"}) == 1;
  return Stage(std::move(boxes));
}

Result<Stage> ReadSuppress(Settings& s) {
  Suppress suppress;
  s.Number("min_score", suppress.min_score);
  s.Number("max_overlap", suppress.max_overlap);
  s.Int("most", suppress.most, 1);
  return Stage(suppress);
}

Result<Stage> ReadLabels(Settings& s) {
  Labels labels;
  s.Text("file", labels.file);
  s.Require(!labels.file.empty(), "file is missing");
  return Stage(std::move(labels));
}

// In the order in which they run.
struct StageKind {
  std::string name;
  std::function<Result<Stage>(Settings&)> read;
  int place;  // stages stand in rising order of their places
};

const std::vector<StageKind>& StageKinds() {
  static const std::vector<StageKind> kinds = {
      {"decode", ReadDecode, 0},  {"resize", ReadResize, 1},   {"normalise", ReadNormalise, 2},
      {"model", ReadModel, 3},    {"softmax", ReadSoftmax, 4}, {"top_k", ReadTopK, 5},
      {"ssd_decode", ReadSsd, 4}, {"boxes", ReadBoxes, 4},     {"nms", ReadSuppress, 5},
      {"labels", ReadLabels, 6}};
  return kinds;
}

const StageKind* FindKind(const std::string& name) {
  for (const StageKind& kind : StageKinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

Status ReadStages(const Config& list, Pipeline& pipeline) {
  std::vector<std::string> names;
  for (const StageKind& kind : StageKinds()) names.push_back(kind.name);
  if (list.kind != Config::Kind::kList || list.items.empty() || list.items.size() > 32)
    return Wrong(list, "stages", "a list of 1 to 32 stages");
  const StageKind* before = nullptr;
  for (const Config& item : list.items) {
    // A stage is `name:` with settings, or the bare name.
    const bool bare = item.kind == Config::Kind::kText;
    if (!bare && (item.kind != Config::Kind::kMap || item.fields.size() != 1))
      return Wrong(item, "stages", "NAME: {SETTING: VALUE, ...}");
    const std::string& name = bare ? item.text : item.fields[0].first;
    const StageKind* kind = FindKind(name);
    if (kind == nullptr) {
      return Error(ErrorCode::kUnknownName, "there is no stage {}{}; there are {}", Quote(name),
                   DidYouMean(name, names), Join(names, ", "))
          .In(Where(item));
    }
    if (before != nullptr && before->place >= kind->place) {
      return InvalidModel("{} cannot stand behind {}", name, before->name).In(Where(item));
    }
    before = kind;
    const Config none;
    Settings settings(bare ? none : item.fields[0].second, name);
    Result<Stage> stage = kind->read(settings);
    if (!stage.ok()) return std::move(stage).status();
    ATH_RETURN_IF_ERROR(settings.Done());
    pipeline.stages.push_back(*std::move(stage));
  }
  return {};
}

// What one stage needs of the others.
Status CheckWhole(const Pipeline& p, const Config& list) {
  const bool decoded = p.Find<SsdDecode>() != nullptr || p.Find<Boxes>() != nullptr;
  std::string_view problem;
  if (p.Find<RunModel>() == nullptr) problem = "a model stage is missing";
  if (p.Find<Suppress>() != nullptr && !decoded)
    problem = "nms needs ssd_decode or boxes before it";
  if (decoded && p.Find<Suppress>() == nullptr) problem = "nms is missing behind the boxes";
  if (p.Find<TopK>() != nullptr && decoded) problem = "top_k is for classes, nms for boxes";
  if (p.Find<Labels>() != nullptr && !decoded && p.Find<TopK>() == nullptr)
    problem = "labels need top_k or nms before them";
  if (problem.empty()) return {};
  return InvalidModel("{}", problem).In(Where(list));
}

}  // namespace

Result<Pipeline> ReadPipeline(const Config& config) {
  Settings top(config, "a pipeline");
  Pipeline pipeline;
  top.Text("name", pipeline.name);
  top.Text("description", pipeline.description);
  const Config* stages = top.Find("stages");
  top.Require(stages != nullptr, "stages are missing");
  ATH_RETURN_IF_ERROR(top.Done());
  ATH_RETURN_IF_ERROR(ReadStages(*stages, pipeline));
  ATH_RETURN_IF_ERROR(CheckWhole(pipeline, *stages));
  return pipeline;
}

std::vector<std::string> FilesOf(const Pipeline& pipeline) {
  std::vector<std::string> files;
  if (const auto* model = pipeline.Find<RunModel>()) files.push_back(model->file);
  if (const auto* labels = pipeline.Find<Labels>()) files.push_back(labels->file);
  return files;
}

}  // namespace athanor::package
