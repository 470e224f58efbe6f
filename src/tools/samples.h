// Samples of a model's inputs for calibration and accuracy: a folder with one file each, the rows
// of an archive's arrays or of one array, or those of a table.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/classify.h"
#include "tools/inputs.h"

namespace athanor::tools {

class Samples {
 public:
  // `most`: no more than so many are used, spread evenly over those there are.
  static Result<Samples> Open(const Graph& graph, const std::string& name, const ImageFlags& image,
                              std::int64_t most);
  std::size_t count() const { return std::min(available_, most_); }
  // The inputs that pixels go into as 0..255, since nothing was said of their range.
  std::vector<std::string> RawPictureInputs() const;
  // Whether --mean, --std and --scale say something of them; a folder may hold pictures.
  bool ReadPixels() const;
  // The array or column "labels" that stands beside the inputs; null: none.
  const Tensor* labels() const { return labels_ ? &*labels_ : nullptr; }
  // One datum per input of the graph.
  Result<std::vector<Datum>> Read(std::size_t i) const;
  // The same; an error that names the sample where a number is not finite.
  Result<std::vector<Datum>> ReadFinite(std::size_t i) const;

 private:
  Result<InputSet> ReadNamed(std::size_t i) const;
  Samples(const Graph& graph, const std::string& name, const ImageFlags& image, std::int64_t most)
      : graph_(&graph), name_(name), image_(image), most_(static_cast<std::size_t>(most)) {}

  // An array or column "labels" is no input.
  Status OpenArchive();
  Status OpenTable();
  // Row `at` of an array, as the input wants it; bytes for a real input are pixels.
  Result<Tensor> RowOf(std::size_t input, std::int64_t at) const;
  Result<Tensor> Normalize(const Tensor& pixels, const Type& type) const;

  const Graph* graph_;
  std::string name_;
  ImageFlags image_;
  std::size_t most_;
  std::size_t available_ = 0;
  std::optional<InputPlan> plan_;
  std::vector<Tensor> rows_;  // one array per input
  std::optional<Tensor> labels_;
};

// Whether the samples in this file have classes beside them.
Result<bool> HoldLabels(const std::string& path);

// What accuracy is measured on: pictures in a folder, or the rows of an archive with an array, or
// of a table with a column, "labels".
struct LabelledSet {
  std::vector<LabelledPicture> rows;
  std::optional<Samples> archive;
  std::int64_t missing = 0;  // rows of the table whose picture is not in the folder
};

// --data is a folder with --labels, or an .npz or .csv that holds the labels itself.
Status CheckLabelledOptions(const std::string& data, const std::string& labels);

// `labels`: a table when `data` is a folder, else "". `limit` 0: all.
Result<LabelledSet> OpenLabelled(const Graph& graph, const std::string& data,
                                 const std::string& labels, const ImageFlags& image,
                                 std::int64_t limit);
// Says how many rows of the table have no picture in the folder, when some do not.
void NoteLeftOut(const Common& common, const LabelledSet& set, const std::string& labels,
                 const std::string& data);
// Runs the model on one row; gives the scores of the classes.
Result<Tensor> ScoresOf(Session& session, std::size_t output, const LabelledSet& set,
                        std::size_t row, const ImageFlags& image);

}  // namespace athanor::tools
