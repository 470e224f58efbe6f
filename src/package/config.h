// A tree of settings with the line each came from: read from a person's YAML, kept in packages as
// JSON. pipeline.cpp says what the settings mean.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/status.h"

namespace athanor::package {

struct Config {
  enum class Kind { kNothing, kText, kList, kMap };
  Kind kind = Kind::kNothing;
  std::string text = {};
  std::vector<Config> items = {};
  std::vector<std::pair<std::string, Config>> fields = {};  // in the order of the file
  int line = 0;                                             // from 1; 0: not from a text file
};

// "line 12" or "the package's pipeline".
std::string Where(const Config& config);

Result<Config> ConfigFromYaml(std::string_view text);
Result<Config> ConfigFromJson(std::string_view text);
std::string ToJson(const Config& config);

}  // namespace athanor::package
