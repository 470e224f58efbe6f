#include "frontends/darknet/cfg.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/text.h"

namespace athanor::darknet {
namespace {

// darknet itself drops all white space, so "batch_normalize = 1" is read too.
std::string WithoutSpace(std::string_view line) {
  std::string text;
  for (const char c : line) {
    if (c != ' ' && c != '\t' && c != '\r') text += c;
  }
  return text;
}

class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  // The next line that says something, without white space.
  bool Next(std::string& line) {
    while (!rest_.empty()) {
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      line = WithoutSpace(rest_.substr(0, end));
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++number_;
      if (!line.empty() && line[0] != '#' && line[0] != ';') return true;
    }
    return false;
  }
  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

// Fields that say how a network is trained, shown or tested, in any section.
constexpr std::string_view kTraining[] = {"absolute",
                                          "adversarial_lr",
                                          "angle",
                                          "assisted_excitation",
                                          "aspect",
                                          "attention",
                                          "B1",
                                          "B2",
                                          "bad_label",
                                          "beta_nms",
                                          "bias_match",
                                          "blur",
                                          "burnin_update",
                                          "cls_normalizer",
                                          "clip",
                                          "coord_scale",
                                          "cost_normalizer",
                                          "counters_per_class",
                                          "decay",
                                          "delta_normalizer",
                                          "dontload",
                                          "dontsave",
                                          "ema_alpha",
                                          "eps",
                                          "exposure",
                                          "flip",
                                          "focal_loss",
                                          "gamma",
                                          "hue",
                                          "ignore_thresh",
                                          "iou_loss",
                                          "iou_normalizer",
                                          "iou_thresh",
                                          "iou_thresh_kind",
                                          "jitter",
                                          "label_smooth_eps",
                                          "learning_rate",
                                          "letter_box",
                                          "map",
                                          "max",
                                          "max_batches",
                                          "max_delta",
                                          "mixup",
                                          "momentum",
                                          "mosaic",
                                          "mosaic_bound",
                                          "nms_kind",
                                          "noobject_scale",
                                          "obj_normalizer",
                                          "object_scale",
                                          "objectness_smooth",
                                          "onlyforward",
                                          "policy",
                                          "power",
                                          "probability",
                                          "random",
                                          "rescore",
                                          "resize",
                                          "saturation",
                                          "scale_thresh",
                                          "scales",
                                          "show_details",
                                          "smooth",
                                          "stopbackward",
                                          "steps",
                                          "subdivisions",
                                          "thresh",
                                          "track",
                                          "truth_thresh",
                                          "uc_normalizer",
                                          "use_cuda_graph",
                                          "batch",
                                          "burn_in",
                                          "class_scale",
                                          "seq_scales",
                                          "step",
                                          "scale",
                                          "min_crop",
                                          "max_crop",
                                          "try_fix_nan",
                                          "optimized_memory",
                                          "workspace_size_limit_MB",
                                          "num_steps",
                                          "adam",
                                          "contrastive",
                                          "sequential_subdivisions",
                                          "time_steps",
                                          "dropblock",
                                          "size_percentage"};

}  // namespace

bool IsCfg(std::string_view text) {
  Lines lines(text.substr(0, 65536));
  std::string line;
  return lines.Next(line) && (line == "[net]" || line == "[network]");
}

Result<std::vector<Section>> ParseCfg(std::string_view text) {
  std::vector<Section> sections;
  Lines lines(text);
  std::string line;
  while (lines.Next(line)) {
    if (line[0] == '[') {
      if (line.back() != ']' || line.size() < 3)
        return InvalidModel("line {}: [TYPE] is expected, not {}", lines.number(),
                            Quote(line.substr(0, 40)));
      sections.push_back({line.substr(1, line.size() - 2), lines.number(), {}});
      continue;
    }
    const std::size_t equals = line.find('=');
    if (sections.empty() || equals == std::string::npos || equals == 0)
      return InvalidModel("line {}: KEY=VALUE in a section is expected, not {}", lines.number(),
                          Quote(line.substr(0, 40)));
    // Of a key that is given twice, darknet takes the first.
    sections.back().values.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  if (sections.empty()) return Error(ErrorCode::kCorruptFile, "the file has no sections");
  return sections;
}

const std::string* Options::Find(std::string_view key) {
  read_.emplace(key);
  const auto found = section_.values.find(key);
  return found == section_.values.end() ? nullptr : &found->second;
}

std::vector<float> Options::Floats(std::string_view key) {
  std::vector<float> values;
  const std::string* text = Find(key);
  if (text == nullptr) return values;
  std::string_view rest = *text;
  while (!rest.empty()) {
    std::string_view word = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    if (!word.empty() && word[0] == '+') word.remove_prefix(1);
    float value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) {
      if (problem_.ok())
        problem_ = InvalidModel("{} is {}; numbers are expected", key, Quote(text->substr(0, 40)));
      return {};
    }
    values.push_back(value);
  }
  return values;
}

std::vector<std::int64_t> Options::Ints(std::string_view key) {
  constexpr float kMost = 16777216.0F;  // up to here, every whole number is a float
  std::vector<std::int64_t> values;
  for (const float value : Floats(key)) {
    if (value != std::floor(value) || std::abs(value) > kMost) {
      if (problem_.ok())
        problem_ = InvalidModel("{} is {}; a whole number is expected", key, value);
      return {};
    }
    values.push_back(static_cast<std::int64_t>(value));
  }
  return values;
}

std::int64_t Options::Int(std::string_view key, std::int64_t otherwise) {
  const std::vector<std::int64_t> values = Ints(key);
  return values.empty() ? otherwise : values[0];
}

float Options::Float(std::string_view key, float otherwise) {
  const std::vector<float> values = Floats(key);
  return values.empty() ? otherwise : values[0];
}

std::string Options::Text(std::string_view key, std::string_view otherwise) {
  const std::string* text = Find(key);
  return text == nullptr ? std::string(otherwise) : *text;
}

Status Options::CheckAllRead() const {
  for (const auto& [key, value] : section_.values) {
    const bool training =
        std::find(std::begin(kTraining), std::end(kTraining), key) != std::end(kTraining);
    if (training || read_.count(key) != 0) continue;
    const std::vector<std::string> known(read_.begin(), read_.end());
    return Unsupported("{}={} is not read{}", key, value.substr(0, 40), DidYouMean(key, known));
  }
  return {};
}

}  // namespace athanor::darknet
