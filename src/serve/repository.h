// The models a server offers, by name. Models may be unloaded and loaded again while requests run:
// a request keeps the model it began with.
#pragma once

#include "serve/scheduler.h"

namespace athanor::serve {

struct ModelSpec {
  std::string name;
  std::string path;
  std::string default_json = {};  // "": no default answer
  Access access = {};             // opens it, when it is a package
  std::optional<std::chrono::microseconds> deadline = {};
};

struct RepositoryEntry {
  ModelSpec spec;
  std::shared_ptr<ModelLine> line;
  std::shared_ptr<const ServedModel> model;  // null while unloaded
  std::shared_ptr<const DefaultAnswer> fallback;
  std::string reason;  // why it is not ready
  Status failure;      // of its first load
};

class Repository {
 public:
  // Loads every model. Those that fail are kept as not ready, with the reason; when none is ready,
  // the first failure is the error.
  static Result<std::unique_ptr<Repository>> Open(const std::vector<ModelSpec>& specs,
                                                  const ModelOptions& options);

  std::vector<RepositoryEntry> List() const;
  bool AllReady() const;
  // A model that is loaded. `version` is "" or "1".
  Result<RepositoryEntry> Find(std::string_view name, std::string_view version) const;
  Status Load(const std::string& name);
  Status Unload(const std::string& name);

 private:
  explicit Repository(const ModelOptions& options) : options_(options) {}
  Status LoadEntry(RepositoryEntry& entry) const;
  Result<std::size_t> IndexOf(std::string_view name) const;

  ModelOptions options_;
  mutable std::mutex mutex_;  // guards entries_; names never change
  std::vector<RepositoryEntry> entries_;
};

}  // namespace athanor::serve
