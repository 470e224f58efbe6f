#include "tools/compare_task.h"

#include <algorithm>
#include <map>

#include "tools/console.h"
#include "tools/results.h"

namespace athanor::tools {
namespace {

// What each pixel is.
struct LabelMap {
  std::vector<std::int64_t> labels;
};

// The class of the largest score: scores [1, classes, H, W] or [1, H, W, classes]. The axis of
// classes is that which is shorter than both others.
Result<LabelMap> BestOfScores(const Tensor& tensor) {
  ATH_TRY(const std::vector<double> scores, ToDoubles(tensor));
  const bool last = tensor.dim(3) < tensor.dim(1);
  const std::int64_t classes = last ? tensor.dim(3) : tensor.dim(1);
  const std::int64_t pixels = classes > 0 ? tensor.count() / classes : 0;
  LabelMap map;
  for (std::int64_t i = 0; i < pixels; ++i) {
    std::int64_t best = 0;
    const auto score = [&](std::int64_t c) {
      return scores[static_cast<std::size_t>(last ? i * classes + c : c * pixels + i)];
    };
    for (std::int64_t c = 1; c < classes; ++c) {
      if (score(c) > score(best)) best = c;
    }
    map.labels.push_back(best);
  }
  return map;
}

// The first output that says what pixels are: scores, or labels [1, H, W], [1, 1, H, W].
Result<LabelMap> LabelsOf(const std::vector<NamedOutput>& outputs) {
  for (const NamedOutput& output : outputs) {
    const Tensor& t = output.tensor;
    if (IsInteger(t.dtype()) && t.rank() >= 2 && t.count() > 1) {
      ATH_TRY(std::vector<std::int64_t> labels, ToInts(t));
      return LabelMap{std::move(labels)};
    }
    if (t.rank() == 4 && t.dim(0) == 1 && IsFloat(t.dtype()) && t.count() > 0)
      return BestOfScores(t);
  }
  return Error(ErrorCode::kInvalidInput,
               "no output says what pixels are: [1, classes, H, W], [1, H, W, classes] or integers "
               "[1, H, W]");
}

// The mean over the classes that occur in either: |a and b| / |a or b|.
double MeanOverlap(const LabelMap& a, const LabelMap& b) {
  struct Counts {
    std::int64_t both = 0, either = 0;
  };
  std::map<std::int64_t, Counts> counts;
  for (std::size_t i = 0; i < a.labels.size(); ++i) {
    const std::int64_t x = a.labels[i], y = b.labels[i];
    ++counts[x].either;
    if (x == y)
      ++counts[x].both;
    else
      ++counts[y].either;
  }
  double sum = 0;
  for (const auto& [label, c] : counts)
    sum += static_cast<double>(c.both) / static_cast<double>(c.either);
  return counts.empty() ? 1 : sum / static_cast<double>(counts.size());
}

std::vector<NamedOutput> Named(const Parity& parity, const std::vector<Datum>& answers) {
  std::vector<NamedOutput> outputs;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].IsTensor()) outputs.push_back({parity.outputs[i].name, answers[i].tensor()});
  }
  return outputs;
}

}  // namespace

Status TaskComparison::Add(const Parity& parity) {
  const std::vector<NamedOutput> a = Named(parity, parity.expected),
                                 b = Named(parity, parity.actual);
  ++pictures_;
  if (options_.task == "classify") return AddClasses(a, b);
  if (options_.task == "boxes") return AddBoxes(a, b);
  return AddPixels(a, b);
}

Status TaskComparison::AddClasses(const std::vector<NamedOutput>& a,
                                  const std::vector<NamedOutput>& b) {
  constexpr int kTop = 5;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const std::vector<ClassScore> x = TopClasses(a[i].tensor, kTop),
                                  y = TopClasses(b[i].tensor, kTop);
    if (x.empty() || y.empty()) continue;
    if (x[0].index == y[0].index) ++same_best_;
    const auto shared = std::count_if(x.begin(), x.end(), [&](const ClassScore& one) {
      return std::any_of(y.begin(), y.end(),
                         [&](const ClassScore& other) { return other.index == one.index; });
    });
    same_top5_ += static_cast<double>(shared) / static_cast<double>(x.size());
    return {};
  }
  return Error(ErrorCode::kInvalidInput, "no output looks like scores of classes: [1, classes]");
}

void TaskComparison::CountBoxes(const std::vector<Box>& from, const std::vector<Box>& in) {
  std::vector<bool> used(in.size());
  for (const Box& box : from) {
    const auto band = std::find_if(bands_.begin(), bands_.end(), [&](const Band& one) {
      return box.score >= one.low && box.score < one.high;
    });
    if (band == bands_.end()) continue;
    ++band->boxes;
    std::size_t best = in.size();
    double overlap = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (used[i] || in[i].label != box.label || Overlap(in[i], box) <= overlap) continue;
      best = i, overlap = Overlap(in[i], box);
    }
    if (best == in.size() || overlap < options_.min_overlap) continue;
    used[best] = true;
    ++band->found;
    band->least_overlap = std::min(band->least_overlap, overlap);
    band->score_off = std::max(band->score_off, std::abs(in[best].score - box.score));
  }
}

Status TaskComparison::AddBoxes(const std::vector<NamedOutput>& a,
                                const std::vector<NamedOutput>& b) {
  // A box at the edge of the lowest band may have its partner just below it.
  const BoxOptions all = {.min_score = bands_[0].low / 2};
  ATH_TRY(const std::vector<Box> x, FindBoxes(a, all));
  ATH_TRY(const std::vector<Box> y, FindBoxes(b, all));
  CountBoxes(x, y);
  CountBoxes(y, x);
  return {};
}

Status TaskComparison::AddPixels(const std::vector<NamedOutput>& a,
                                 const std::vector<NamedOutput>& b) {
  ATH_TRY(const LabelMap x, LabelsOf(a));
  ATH_TRY(const LabelMap y, LabelsOf(b));
  if (x.labels.size() != y.labels.size())
    return Error(ErrorCode::kInvalidInput, "{} pixels and {} pixels are not compared",
                 x.labels.size(), y.labels.size());
  const double overlap = MeanOverlap(x, y);
  overlap_ += overlap;
  worst_overlap_ = std::min(worst_overlap_, overlap);
  return {};
}

double TaskComparison::Agreement() const {
  const auto pictures = static_cast<double>(std::max<std::int64_t>(pictures_, 1));
  if (options_.task == "classify") return static_cast<double>(same_best_) / pictures;
  if (options_.task == "segment") return overlap_ / pictures;
  std::int64_t boxes = 0, found = 0;
  for (const Band& band : bands_) {
    if (band.low < options_.min_score) continue;
    boxes += band.boxes, found += band.found;
  }
  return boxes == 0 ? 1 : static_cast<double>(found) / static_cast<double>(boxes);
}

void TaskComparison::Print(const Common& common) const {
  if (options_.task == "classify") {
    Say(common, "best class   the same on {} of {} inputs; of the best five {:.1f} % are shared",
        same_best_, pictures_, 100 * same_top5_ / static_cast<double>(pictures_));
  } else if (options_.task == "segment") {
    Say(common, "pixels       mean intersection over union {:.4f}, on the worst input {:.4f}",
        Agreement(), worst_overlap_);
  } else {
    Table table({"score", ">boxes of both", ">have a partner", ">least overlap", ">score off by"});
    for (const Band& band : bands_) {
      if (band.boxes == 0) continue;
      table.Add({fmt::format("{:g} to {:g}", band.low, std::min(band.high, 1.0)),
                 std::to_string(band.boxes), std::to_string(band.found),
                 fmt::format("{:.4f}", band.least_overlap), fmt::format("{:.4f}", band.score_off)});
    }
    if (table.empty()) Say(common, "boxes        neither finds any");
    PrintText(common, table.empty() ? "" : table.ToString());
  }
}

nlohmann::json TaskComparison::ToJson() const {
  nlohmann::json json = {{"task", options_.task},
                         {"agreement", Agreement()},
                         {"min_agreement", options_.min_agreement},
                         {"pass", pass()}};
  if (options_.task == "classify")
    json["top5_shared"] = same_top5_ / static_cast<double>(std::max<std::int64_t>(pictures_, 1));
  if (options_.task == "segment") json["worst"] = worst_overlap_;
  if (options_.task != "boxes") return json;
  json["bands"] = nlohmann::json::array();
  for (const Band& band : bands_) {
    json["bands"].push_back({{"from", band.low},
                             {"to", std::min(band.high, 1.0)},
                             {"boxes", band.boxes},
                             {"found", band.found},
                             {"least_overlap", band.least_overlap},
                             {"score_off", band.score_off}});
  }
  return json;
}

void AddTaskOptions(Arguments app, TaskOptions& options) {
  app.Option("--task", options.task,
             "classify, boxes or segment: compare the answers, which then decide, and show the "
             "outputs' differences only")
      .OneOf({"classify", "boxes", "segment"});
  app.Option("--min-agreement", options.min_agreement, "of --task: the share that must be the same")
      .Range(0.0, 1.0)
      .ShowDefault();
  app.Option("--min-score", options.min_score, "of --task boxes: weaker ones are only shown")
      .Range(0.0, 1.0)
      .ShowDefault();
}

}  // namespace athanor::tools
