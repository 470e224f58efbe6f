// What a package does with a picture: a list of stages, from pipeline.yaml. This file knows what
// the stages are and which settings they take; api/pipeline.h runs them.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "io/preprocess.h"
#include "package/config.h"

namespace athanor::package {

struct Decode {
  bool bgr = false;
  bool grey = false;
};

// To exactly this size, or the short side to `short_side`, then the middle of `crop`.
struct Resize {
  std::optional<io::Size> to = {};
  std::optional<std::int64_t> short_side = {};
  std::optional<io::Size> crop = {};
};

// y = (x - mean) / std
struct Normalise {
  std::vector<double> mean = {0};
  std::vector<double> std = {1};
  std::optional<io::Layout> layout = {};  // nothing: what the model's input looks like
};

struct RunModel {
  std::string file;  // an entry of the package; in pipeline.yaml a path
};

// Exponentials of the scores, normalised along the last axis.
struct Softmax {
  std::string output = "";  // of the model; "" when it has one
};

struct TopK {
  std::int64_t count = 5;
  std::string output = "";
  std::int64_t skip = 0;  // classes at the front that are none, such as "background"
};

// One map of features of an SSD detector: where its priors stand and how large they are, in pixels.
struct PriorMap {
  std::int64_t stride = 0;
  std::vector<double> boxes = {};
};

// Raw offsets to boxes. Where the stride does not divide the input's size, the centres of priors
// are spread evenly over it, unless they stand one stride apart.
struct SsdDecode {
  std::string boxes = "boxes", scores = "scores";
  std::vector<PriorMap> priors = {};
  double centre_variance = 0.1, size_variance = 0.2;
  bool centres_by_stride = false;
};

// For networks that decode boxes themselves: corners in fractions of the input or in pixels.
struct Boxes {
  std::string boxes = "boxes", scores = "scores";
  bool pixels = false;
};

struct Suppress {
  double min_score = 0.5, max_overlap = 0.45;
  std::int64_t most = 200;
};

struct Labels {
  std::string file = "";
};

using Stage = std::variant<Decode, Resize, Normalise, RunModel, Softmax, TopK, SsdDecode, Boxes,
                           Suppress, Labels>;

struct Pipeline {
  std::string name, description;
  std::vector<Stage> stages;

  template <class T>
  const T* Find() const {
    for (const Stage& stage : stages) {
      if (const T* found = std::get_if<T>(&stage)) return found;
    }
    return nullptr;
  }
};

// Settings checked: unknown names are suggested, stages stand in an order that can run.
Result<Pipeline> ReadPipeline(const Config& config);

// The files that the stages name, in order.
std::vector<std::string> FilesOf(const Pipeline& pipeline);

inline constexpr std::string_view kPipelineEntry = "pipeline.json";

}  // namespace athanor::package
