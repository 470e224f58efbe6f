// The outputs of one inference for people and for programs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "tools/verb.h"

namespace athanor::tools {

struct ResultOptions {
  std::vector<std::string> labels;  // one per class
  int top = 5;
};

// One name per line.
Result<std::vector<std::string>> ReadLabels(const std::string& path);

// How many classes the tensor has scores for; nothing when it does not look like scores.
std::optional<std::int64_t> NumClasses(const Tensor& tensor);

struct ClassScore {
  std::size_t index = 0;
  double score = 0;
  double probability = 0;  // the score itself, or its softmax when scores are no probabilities
};

// The classes in falling order when `tensor` looks like scores of classes: [N], [1, N], [1, N, 1,
// 1] with N >= 2; else empty.
std::vector<ClassScore> TopClasses(const Tensor& tensor, int top);

// A table of classes, a few values, or statistics.
std::string OutputText(const std::string& name, const Datum& datum, const ResultOptions& options);
nlohmann::json OutputJson(const std::string& name, const Datum& datum,
                          const ResultOptions& options);

}  // namespace athanor::tools
