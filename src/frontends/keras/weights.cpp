#include "frontends/keras/weights.h"

#include <algorithm>

#include "core/text.h"

namespace athanor::keras {
namespace {

constexpr std::size_t kMaxNames = 100'000;

// Keras 2 numbers the outputs of variables, as TensorFlow does.
std::string_view WithoutOutput(std::string_view name) { return name.substr(0, name.find(':')); }

std::string_view LastComponent(std::string_view name) {
  return WithoutOutput(name.substr(name.rfind('/') + 1));
}

bool HasComponent(std::string_view name, std::string_view component) {
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('/'), name.size());
    if (name.substr(0, end) == component) return true;
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return false;
}

// A list of strings too long for one attribute is in several, numbered ones.
Result<std::vector<std::string>> ReadNames(const hdf5::File& file, const std::string& group) {
  if (!file.HasAttribute(group, "weight_names0")) return file.Strings(group, "weight_names");
  std::vector<std::string> names;
  for (int part = 0; names.size() < kMaxNames; ++part) {
    const std::string attribute = fmt::format("weight_names{}", part);
    if (!file.HasAttribute(group, attribute)) break;
    ATH_TRY(const std::vector<std::string> more, file.Strings(group, attribute));
    names.insert(names.end(), more.begin(), more.end());
  }
  return names;
}

}  // namespace

Weights Weights::Numbered(std::shared_ptr<const hdf5::File> file, std::string path) {
  Weights weights;
  weights.file_ = std::move(file);
  weights.path_ = std::move(path);
  return weights;
}

Weights Weights::Named(std::shared_ptr<const hdf5::File> file, std::string group) {
  Weights weights = Numbered(std::move(file), std::move(group));
  weights.is_numbered_ = false;
  weights.is_root_ = true;
  return weights;
}

Weights Weights::Part(std::string_view attribute, std::string_view component) const {
  Weights part = *this;
  if (is_numbered_) {
    part.path_ += fmt::format("/{}", attribute);
    return part;
  }
  if (is_root_) {
    part.is_root_ = false;
    part.path_ += fmt::format("/{}", component);
    // A layer without weights may have no group; one that asks for a weight then says so.
    Result<std::vector<std::string>> names = ReadNames(*file_, part.path_);
    if (names.ok()) part.names_ = *std::move(names);
    return part;
  }
  std::erase_if(part.names_,
                [&](const std::string& name) { return !HasComponent(name, component); });
  return part;
}

Result<Tensor> Weights::Find(std::size_t number, std::string_view name) const {
  if (!file_) return InvalidModel("an operation without weights asks for {}", Quote(name));
  if (is_numbered_) return file_->Read(fmt::format("{}/vars/{}", path_, number));
  std::string found;
  for (const std::string& candidate : names_) {
    if (LastComponent(candidate) != name) continue;
    if (!found.empty()) return InvalidModel("two variables are called {}", Quote(name));
    found = candidate;
  }
  if (found.empty())
    return InvalidModel("there is no variable {}{}", Quote(name), DidYouMean(name, names_));
  return file_->Read(fmt::format("{}/{}", path_, found));
}

Result<std::vector<Tensor>> Weights::All() const {
  std::vector<std::string> paths;
  if (file_ && is_numbered_) {
    while (paths.size() < kMaxNames) {
      std::string path = fmt::format("{}/vars/{}", path_, paths.size());
      if (!file_->Has(path)) break;
      paths.push_back(std::move(path));
    }
  }
  for (const std::string& name : names_) paths.push_back(fmt::format("{}/{}", path_, name));
  std::vector<Tensor> tensors;
  for (const std::string& path : paths) {
    ATH_TRY(tensors.emplace_back(), file_->Read(path));
  }
  return tensors;
}

}  // namespace athanor::keras
