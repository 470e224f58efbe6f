// Labelled pictures in an .npz file, for verbs that learn from them or are judged by them.
#pragma once

#include <string>

#include "runtime/session.h"
#include "train/trainer.h"

namespace athanor::tools {

// Arrays pixels u8 [count, h, w] or [count, c, h, w], and labels. The network reads
// (pixel - mean) / std.
Result<train::Examples> ReadExamples(const std::string& path, float mean, float std);

// Pictures `begin` to `end` as the network's input, f32 [end - begin, c, h, w].
Result<Tensor> ExampleInput(const train::Examples& examples, std::int64_t begin, std::int64_t end);

struct Accuracy {
  std::int64_t right = 0, count = 0;
  double share() const { return static_cast<double>(right) / static_cast<double>(count); }
};

// How often the best of the scores of a picture is the one of its label; one by one.
Result<Accuracy> MeasureAccuracy(Session& session, const train::Examples& examples);

}  // namespace athanor::tools
