#include "tools/package_options.h"

#include <filesystem>

#include "api/pipeline.h"
#include "core/file.h"
#include "tools/console.h"

namespace athanor::tools {

void AddAccessOptions(Arguments app, AccessFlags& flags) {
  app.Option("--key", flags.key, "a recipient's NAME.key that opens an encrypted package");
  app.Option("--passphrase-file", flags.passphrase_file,
             "a file whose first line opens an encrypted package");
  app.Option("--trust", flags.trust, "a NAME.pub: open only what this key has signed");
}

Result<bool> IsPackage(const std::string& path) {
  std::error_code failed;
  if (IsPackageFile(path)) return true;
  if (!path.ends_with(".athpkg") || !std::filesystem::is_regular_file(path, failed)) return false;
  return Error(ErrorCode::kCorruptFile,
               "{}: it does not start as a package does: damaged, or not one", path)
      .Fix("copy the file again from where it was made; athanor pack pipeline.yaml makes it anew");
}

Status NeedsPackage(const AccessFlags& access, const std::string& path) {
  if (access.empty()) return {};
  return Error(ErrorCode::kUsage, "{} is no package: keys open packages only", path);
}

Result<package::Package> OpenPackage(const std::string& path, const AccessFlags& access) {
  ATH_TRY(const package::ReadOptions options, ToReadOptions(access));
  ATH_RETURN_IF_ERROR(IsPackage(path).status());
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  Result<package::Package> opened = package::Package::Open(file->bytes(), file, options);
  if (!opened.ok()) return std::move(opened).status().In(path);
  return opened;
}

std::string ToText(const AccessFlags& flags) {
  std::string text;
  const auto add = [&text](const char* option, const std::string& value) {
    if (!value.empty()) text += fmt::format(" {} {}", option, ShellWord(value));
  };
  add("--key", flags.key);
  add("--passphrase-file", flags.passphrase_file);
  add("--trust", flags.trust);
  return text;
}

Result<std::string> ReadPassphrase(const std::string& path) {
  ATH_TRY(std::string text, ReadTextFile(path));
  text.resize(std::min(text.find_first_of("\r\n"), text.size()));
  if (text.empty()) return Error(ErrorCode::kUsage, "{}: the passphrase is empty", path);
  return text;
}

Result<package::ReadOptions> ToReadOptions(const AccessFlags& flags) {
  package::ReadOptions options;
  if (!flags.key.empty()) {
    ATH_TRY(package::PrivateKey key, package::PrivateKey::Read(flags.key));
    options.key = std::move(key);
  }
  if (!flags.passphrase_file.empty()) {
    ATH_TRY(options.passphrase, ReadPassphrase(flags.passphrase_file));
  }
  if (!flags.trust.empty()) {
    ATH_TRY(package::PublicKey trust, package::PublicKey::Read(flags.trust));
    options.trust = std::move(trust);
  }
  return options;
}

}  // namespace athanor::tools
