// What opens a package: --key, --passphrase-file, --trust; the same for every verb that reads one.
#pragma once

#include "package/container.h"
#include "tools/verb.h"

namespace athanor::tools {

struct AccessFlags {
  std::string key, passphrase_file, trust;
  bool empty() const { return key.empty() && passphrase_file.empty() && trust.empty(); }
};

void AddAccessOptions(Arguments app, AccessFlags& flags);
Result<package::ReadOptions> ToReadOptions(const AccessFlags& flags);

// Whether the file is a package. kCorruptFile when it is called .athpkg and does not start as one:
// its first bytes were changed.
Result<bool> IsPackage(const std::string& path);

// kUsage when there are keys, and the file is no package.
Status NeedsPackage(const AccessFlags& access, const std::string& path);

// Opens it with these keys, every byte checked.
Result<package::Package> OpenPackage(const std::string& path, const AccessFlags& access);

// The flags again, as a command needs them: " --key customer.key"; "" for none.
std::string ToText(const AccessFlags& flags);

// The first line of the file, without its end.
Result<std::string> ReadPassphrase(const std::string& path);

}  // namespace athanor::tools
