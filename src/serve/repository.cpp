#include "serve/repository.h"

#include <algorithm>

#include "core/text.h"

namespace athanor::serve {

Status Repository::LoadEntry(RepositoryEntry& entry) const {
  ATH_TRY(entry.model,
          ServedModel::Load(entry.spec.name, entry.spec.path, options_, entry.spec.access));
  entry.reason.clear();
  entry.failure = {};
  if (entry.spec.default_json.empty()) return {};
  auto fallback = DefaultAnswer::Parse(entry.spec.default_json, *entry.model);
  if (!fallback.ok())
    return std::move(fallback).status().In(fmt::format("default of \"{}\"", entry.spec.name));
  entry.fallback = *std::move(fallback);
  return {};
}

Result<std::unique_ptr<Repository>> Repository::Open(const std::vector<ModelSpec>& specs,
                                                     const ModelOptions& options) {
  std::unique_ptr<Repository> made(new Repository(options));
  for (const ModelSpec& spec : specs) {
    if (made->IndexOf(spec.name).ok()) {
      return Error(ErrorCode::kUsage, "two models are named \"{}\"", spec.name)
          .Fix(fmt::format("other={}", spec.path));
    }
    RepositoryEntry entry = {spec, std::make_shared<ModelLine>(), nullptr, nullptr, "", {}};
    entry.line->name = spec.name;
    entry.line->deadline = spec.deadline;
    if (Status status = made->LoadEntry(entry); !status.ok()) {
      entry.model = nullptr;
      // Clients learn what is wrong, not where the file lies.
      entry.reason = status.message();
      entry.failure = std::move(status);
    }
    made->entries_.push_back(std::move(entry));
  }
  const auto& entries = made->entries_;
  const bool any_ready = std::any_of(entries.begin(), entries.end(),
                                     [](const RepositoryEntry& e) { return e.model != nullptr; });
  if (!any_ready && !entries.empty()) return entries[0].failure;
  return made;
}

std::vector<RepositoryEntry> Repository::List() const {
  const std::scoped_lock lock(mutex_);
  return entries_;
}

bool Repository::AllReady() const {
  const std::scoped_lock lock(mutex_);
  return !entries_.empty() &&
         std::all_of(entries_.begin(), entries_.end(),
                     [](const RepositoryEntry& entry) { return entry.model != nullptr; });
}

Result<std::size_t> Repository::IndexOf(std::string_view name) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i].spec.name == name) return i;
    names.push_back(entries_[i].spec.name);
  }
  return Error(ErrorCode::kUnknownName, "there is no model \"{}\"{}", name.substr(0, 100),
               DidYouMean(name.substr(0, 100), names));
}

Result<RepositoryEntry> Repository::Find(std::string_view name, std::string_view version) const {
  const std::scoped_lock lock(mutex_);
  ATH_TRY(const std::size_t index, IndexOf(name));
  if (!version.empty() && version != "1") {
    return Error(ErrorCode::kUnknownName, "model \"{}\" has no version \"{}\"; it has 1", name,
                 version.substr(0, 100));
  }
  if (entries_[index].model == nullptr) {
    return Error(ErrorCode::kCancelled, "model \"{}\" is not ready: {}", name,
                 entries_[index].reason);
  }
  return entries_[index];
}

Status Repository::Load(const std::string& name) {
  RepositoryEntry entry;
  {
    const std::scoped_lock lock(mutex_);
    ATH_TRY(const std::size_t index, IndexOf(name));
    entry = entries_[index];
  }
  // What runs stays when the new file cannot be loaded.
  ATH_RETURN_IF_ERROR(LoadEntry(entry));
  const std::scoped_lock lock(mutex_);
  ATH_TRY(const std::size_t index, IndexOf(name));
  entries_[index] = std::move(entry);
  return {};
}

Status Repository::Unload(const std::string& name) {
  std::shared_ptr<const ServedModel> last;  // freed outside the lock
  const std::scoped_lock lock(mutex_);
  ATH_TRY(const std::size_t index, IndexOf(name));
  last = std::exchange(entries_[index].model, nullptr);
  entries_[index].reason = "unloaded";
  return {};
}

}  // namespace athanor::serve
