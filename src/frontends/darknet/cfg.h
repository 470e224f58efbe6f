// A darknet .cfg file: sections with KEY=VALUE lines, one section per layer.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace athanor::darknet {

struct Section {
  std::string type;  // "convolutional"
  std::size_t line = 0;
  std::map<std::string, std::string, std::less<>> values;
};

// Whether a text starts with the section [net] or [network].
bool IsCfg(std::string_view text);

Result<std::vector<Section>> ParseCfg(std::string_view text);

// The values of one section, and which were read: one that nobody looks at is refused.
class Options {
 public:
  Options(const Section& section, Status& problem) : section_(section), problem_(problem) {}

  bool Has(std::string_view key) const { return section_.values.count(key) != 0; }
  // A value of the wrong kind is remembered in `problem`.
  std::int64_t Int(std::string_view key, std::int64_t otherwise);
  float Float(std::string_view key, float otherwise);
  std::string Text(std::string_view key, std::string_view otherwise);
  std::vector<std::int64_t> Ints(std::string_view key);
  std::vector<float> Floats(std::string_view key);

  Status CheckAllRead() const;

 private:
  const std::string* Find(std::string_view key);

  const Section& section_;
  Status& problem_;
  std::set<std::string, std::less<>> read_;
};

}  // namespace athanor::darknet
