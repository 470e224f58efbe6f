// Do two models answer the same, whatever the last digits: the class, the boxes, what each pixel
// is.
#pragma once

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/boxes.h"
#include "tools/verb.h"
#include "verify/parity.h"

namespace athanor::tools {

struct TaskOptions {
  std::string task;           // "classify", "boxes" or "segment"; "" for none
  double min_agreement = 1;   // the share of answers that must be the same
  double min_overlap = 0.99;  // of boxes that count as the same (intersection over union)
  double min_score = 0.5;     // of boxes that must be the same; weaker ones are only shown
};

// Adds --task, --min-agreement and --min-score.
void AddTaskOptions(Arguments app, TaskOptions& options);

// Takes the runs of a comparison one by one.
class TaskComparison {
 public:
  explicit TaskComparison(const TaskOptions& options) : options_(options) {}

  // The outputs of one run under the names of the first model.
  Status Add(const Parity& parity);
  // Within [0, 1]: of pictures with the same best class, of boxes of min_score and above that have
  // a box of their class over them in the other model, both ways; or the mean over classes and
  // pictures of intersection over union of what pixels are.
  double Agreement() const;
  bool pass() const { return Agreement() >= options_.min_agreement; }
  void Print(const Common& common) const;
  nlohmann::json ToJson() const;

 private:
  // Boxes whose score lies in one range, of the first model and of the second.
  struct Band {
    double low = 0, high = 0;
    std::int64_t boxes = 0, found = 0;
    double least_overlap = 1, score_off = 0;  // of those that were found
  };

  Status AddClasses(const std::vector<NamedOutput>& a, const std::vector<NamedOutput>& b);
  Status AddBoxes(const std::vector<NamedOutput>& a, const std::vector<NamedOutput>& b);
  Status AddPixels(const std::vector<NamedOutput>& a, const std::vector<NamedOutput>& b);
  void CountBoxes(const std::vector<Box>& from, const std::vector<Box>& in);

  const TaskOptions& options_;
  std::int64_t pictures_ = 0, same_best_ = 0;
  double same_top5_ = 0;                    // the sum of shares
  double overlap_ = 0, worst_overlap_ = 1;  // of pixels: the sum over pictures
  std::array<Band, 5> bands_ = {{{0.05, 0.1}, {0.1, 0.2}, {0.2, 0.5}, {0.5, 0.7}, {0.7, 1.01}}};
};

}  // namespace athanor::tools
