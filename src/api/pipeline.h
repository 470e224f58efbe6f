// A package made ready to run: the bytes of pictures in, classes or boxes out.
//
// The package room keeps and checks; this file executes (docs/adr/0012-who-runs-a-package.md).
// A runner is immutable; any number of threads may call Run.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "api/boxes.h"
#include "package/container.h"
#include "runtime/session.h"

namespace athanor {

struct ClassResult {
  std::size_t index = 0;
  std::string label;  // "" without labels
  double score = 0;
};

struct BoxResult {
  Box box;  // pixels of the picture as it came
  std::string label;
};

struct PipelineResult {
  io::Size picture;
  std::vector<ClassResult> classes;                     // of a pipeline with top_k
  std::vector<BoxResult> boxes;                         // of a pipeline with nms
  std::vector<std::pair<std::string, Tensor>> outputs;  // of the network, after softmax
};

nlohmann::json ToJson(const PipelineResult& result, const package::Pipeline& pipeline);

class PipelineRunner {
 public:
  // Checks every byte of the file, makes the models ready.
  static Result<std::unique_ptr<PipelineRunner>> Open(const std::string& path,
                                                      const package::ReadOptions& access,
                                                      const SessionOptions& session);
  static Result<std::unique_ptr<PipelineRunner>> Make(package::Package package,
                                                      const SessionOptions& session);

  const package::Package& package() const { return package_; }
  const package::Pipeline& pipeline() const { return pipeline_; }
  const Graph& graph() const { return session_->graph(); }
  // One run of the network may serve several pictures: types allow it, and a trial, made when this
  // is first asked, showed that rows do not depend on each other.
  bool IsBatchable() const;

  // A JPEG, PNG, BMP, WebP or PNM file's bytes.
  Result<PipelineResult> Run(std::span<const std::uint8_t> picture) const;
  // The answer to each, through one run of the network where it is batchable and the pictures are
  // of one size for it. Fails when one of them cannot be read.
  Result<std::vector<PipelineResult>> RunAll(
      std::span<const std::span<const std::uint8_t>> pictures) const;

 private:
  struct Prepared;  // a picture as the network reads it

  explicit PipelineRunner(package::Package package) : package_(std::move(package)) {}
  Status CheckOutputs() const;
  bool RowsAreIndependent() const;
  Result<Prepared> Prepare(std::span<const std::uint8_t> picture) const;
  Result<std::vector<Datum>> RunNetwork(Tensor input) const;
  Result<PipelineResult> Finish(const Prepared& picture, const std::vector<Datum>& outputs) const;

  package::Package package_;
  package::Pipeline pipeline_;
  std::vector<std::string> labels_;
  std::unique_ptr<Session> session_;
  mutable std::once_flag tried_;
  mutable bool is_batchable_ = false;
};

// True when the file at `path` is a package.
bool IsPackageFile(const std::string& path);

}  // namespace athanor
