// Labelled pictures and how often a classifier is right on them: for eval and the gate of quantize.
#pragma once

#include <string>
#include <vector>

#include "runtime/session.h"
#include "tools/image_options.h"

namespace athanor::tools {

struct LabelledPicture {
  std::string file;  // as the labels name it
  std::string path;  // "" when there is no such file in the folder
  std::int64_t label = 0;
};

// A table with columns filename and class; names are relative to the folder or to its parent, the
// files are in the folder.
Result<std::vector<LabelledPicture>> ReadLabelled(const std::string& folder,
                                                  const std::string& labels);

// The output that holds the scores: the one asked for, or the only one.
Result<std::size_t> ScoreOutput(const Graph& graph, const std::string& name);

// How many classes score higher than the right one; a tie counts for the lower class number, as
// argmax has it.
Result<std::int64_t> RankOf(const Tensor& scores, std::int64_t label);

struct ClassifyScore {
  std::int64_t n = 0, top1 = 0, top5 = 0, missing = 0;
  // How often the best class is the one after or before the label: labels that are off by one.
  std::int64_t one_more = 0, one_less = 0;
  std::string bad = "filename,class,rank\n";
};

struct ClassifyOptions {
  ImageFlags image;
  std::string output;
  std::int64_t label_offset = 0;
};

// Runs the model on one picture; gives the scores of the classes.
Result<Tensor> ClassScores(Session& session, std::size_t output, const LabelledPicture& picture,
                           const ImageFlags& image);

// Counts one picture.
Status AddToScore(const LabelledPicture& picture, const Tensor& scores, std::int64_t label_offset,
                  ClassifyScore& score);

}  // namespace athanor::tools
