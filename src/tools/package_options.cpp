#include "tools/package_options.h"

#include "core/file.h"

namespace athanor::tools {

void AddAccessOptions(CLI::App& app, AccessFlags& flags) {
  app.add_option("--key", flags.key, "a recipient's NAME.key that opens an encrypted package");
  app.add_option("--passphrase-file", flags.passphrase_file,
                 "a file whose first line opens an encrypted package");
  app.add_option("--trust", flags.trust, "a NAME.pub: open only what this key has signed");
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
