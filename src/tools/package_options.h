// What opens a package: --key, --passphrase-file, --trust; the same for every verb that reads one.
#pragma once

#include "package/container.h"
#include "tools/verb.h"

namespace athanor::tools {

struct AccessFlags {
  std::string key, passphrase_file, trust;
  bool empty() const { return key.empty() && passphrase_file.empty() && trust.empty(); }
};

void AddAccessOptions(CLI::App& app, AccessFlags& flags);
Result<package::ReadOptions> ToReadOptions(const AccessFlags& flags);

// The first line of the file, without its end.
Result<std::string> ReadPassphrase(const std::string& path);

}  // namespace athanor::tools
