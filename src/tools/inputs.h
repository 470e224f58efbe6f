// From what stands on the command line to the inputs of a model.
//
// A source is a picture, an .npy, .npz, .csv, .wav or text file, a folder of pictures and arrays,
// or the word "random"; "NAME=" before it says which input it is for. NAME=NUMBER fills an input of
// one element.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "tools/image_options.h"
#include "verify/quantised.h"
#include "verify/random_inputs.h"

namespace athanor::tools {

struct InputOptions {
  std::vector<std::string> sources;  // positional and --input, in order
  std::vector<std::string> drop;     // columns of a table that are no features
  std::uint64_t seed = 0;
  ImageFlags image;
};

void AddInputOptions(Arguments app, InputOptions& options, bool positional);

// One inference: what it is called and what to feed.
struct InputSet {
  std::string name;
  std::vector<Datum> values;
};

// The runs that the sources ask for; each set is read when it is its turn.
class InputPlan {
 public:
  static Result<InputPlan> Make(const Graph& graph, const InputOptions& options);
  std::size_t size() const { return items_.empty() ? 1 : items_.size(); }
  // True when some input is random and has symbols.
  bool counts_symbols_as_one() const;
  // The inputs that pictures go into as 0..255, since nothing was said of their range.
  std::vector<std::string> RawPictureInputs() const;
  // Draws this input from the range where it is random; whether it is.
  bool DrawWithin(std::size_t input, const RealRange& range);
  // The i-th inference, checked against the model's inputs.
  Result<InputSet> Read(std::size_t i) const;

 private:
  struct Bound {
    std::size_t input = 0;
    std::string path;
  };
  InputPlan(const Graph& graph, const InputOptions& options) : graph_(&graph), options_(options) {}
  Status Assign(const std::vector<std::string>& sources);
  Status AssignNamed(const std::string& name, const std::string& path);
  Result<Tensor> ReadNamed(const std::string& path, std::size_t input) const;
  Status AssignUnnamed(const std::string& source);
  Status AssignItems(const std::string& source);
  Status BindArchive(const std::string& path);
  Status BindTable(const std::string& path);
  Result<bool> BindColumns(const std::string& path);
  Result<Tensor> ReadFile(const std::string& path, std::size_t input) const;
  std::optional<std::size_t> FirstFree() const;

  const Graph* graph_;
  InputOptions options_;
  std::vector<Datum> fixed_;        // same in every run; absent: from items_ or random
  std::vector<bool> random_;        // asked for by name or by "random"
  std::vector<DrawnFrom> drawn_;    // those that are random
  std::vector<bool> pictures_;      // inputs that read one
  std::size_t item_input_ = 0;      // which input the items are for
  std::vector<std::string> items_;  // files, one run each
  std::string first_name_ = "random";
};

}  // namespace athanor::tools
