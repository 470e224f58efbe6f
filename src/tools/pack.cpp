// athanor pack PIPELINE.yaml: models, labels and the stages around them in one file.
// athanor unpack PACKAGE: the parts again. athanor keys NAME: a pair of keys.
#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "tools/console.h"
#include "tools/output_file.h"
#include "tools/package_options.h"
#include "tools/package_parts.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using package::Bytes;

struct PackOptions {
  std::string yaml, out, sign, passphrase_file, cipher = "aes-256-gcm";
  std::vector<std::string> recipients;
};

Result<package::WriteOptions> ToWriteOptions(const PackOptions& options) {
  package::WriteOptions write;
  ATH_TRY(write.cipher, package::CipherFromName(options.cipher));
  if (!options.sign.empty()) {
    ATH_TRY(package::PrivateKey key, package::PrivateKey::Read(options.sign));
    write.sign = std::move(key);
  }
  for (const std::string& path : options.recipients) {
    ATH_TRY(package::PublicKey key, package::PublicKey::Read(path));
    if (key.kind() != package::KeyKind::kRecipient) {
      return Error(ErrorCode::kUsage, "{} is a signing key; a recipient's is expected", path)
          .Fix("athanor keys NAME --kind recipient");
    }
    write.recipients.push_back(std::move(key));
  }
  if (!options.passphrase_file.empty()) {
    ATH_TRY(write.passphrase, ReadPassphrase(options.passphrase_file));
  }
  return write;
}

Status RunPack(PackOptions options, const Common& common) {
  if (options.out.empty()) options.out = fs::path(options.yaml).stem().string() + ".athpkg";
  ATH_TRY(const package::WriteOptions write, ToWriteOptions(options));
  ATH_RETURN_IF_ERROR(CheckOutput(options.out));
  Result<PackageParts> read = ReadPackageParts(options.yaml);
  const std::string ending = fs::path(options.yaml).extension().string();
  if (!read.ok() && read.status().code() != ErrorCode::kFileNotFound && ending != ".yaml" &&
      ending != ".yml") {
    return Error(ErrorCode::kUsage, "{}: a pipeline is expected, a .yaml file that names the model",
                 options.yaml)
        .Fix("docs/packages.md shows one; athanor pack pipeline.yaml");
  }
  ATH_TRY(const PackageParts parts, std::move(read));
  ATH_RETURN_IF_ERROR(CheckOutput(options.out));  // none of the parts
  ATH_TRY(const Bytes file, package::WritePackage(parts.Contents(), write));
  ATH_RETURN_IF_ERROR(WriteFileAtomically(options.out, file));
  const bool encrypted = !write.recipients.empty() || !write.passphrase.empty();
  Table table({"entry", ">bytes"});
  nlohmann::json entries = nlohmann::json::array();
  for (const PackageParts::Part& part : parts.parts) {
    table.Add({part.name, std::to_string(part.bytes.size())});
    entries.push_back({{"name", part.name}, {"bytes", part.bytes.size()}});
  }
  const std::string signer = write.sign ? write.sign->public_key().Id() : "";
  PrintText(common, table.ToString());
  Say(common, "signed      {}", signer.empty() ? "no" : "by key " + signer);
  Say(common, "encrypted   {}", encrypted ? std::string(package::Name(write.cipher)) : "no");
  Say(common, "wrote {} ({})", options.out, HumanBytes(static_cast<double>(file.size())));
  PrintJson(common,
            {{"out", options.out},
             {"bytes", file.size()},
             {"name", parts.name},
             {"entries", std::move(entries)},
             {"signer", signer},
             {"cipher", encrypted ? nlohmann::json(package::Name(write.cipher)) : nullptr}});
  const std::string with = !options.recipients.empty() ? " --key RECIPIENT.key"
                           : encrypted ? " --passphrase-file " + ShellWord(options.passphrase_file)
                                       : "";
  Next(common, fmt::format("athanor run {} photo.jpg{}", ShellWord(options.out), with));
  return {};
}

struct UnpackOptions {
  std::string path, out;
  AccessFlags access;
};

// A name is a file in the folder and nothing else, and none is the package.
Status CheckEntries(const package::Package& opened, const std::string& folder) {
  for (const std::string& name : opened.EntryNames()) {
    if (name.empty() || name[0] == '.' || fs::path(name).filename().string() != name)
      return Error(ErrorCode::kUnsafeFile, "entry {} is no plain file name", Quote(name));
    ATH_RETURN_IF_ERROR(CheckOutput(fs::path(folder) / name));
  }
  return {};
}

Status RunUnpack(UnpackOptions options, const Common& common) {
  ATH_TRY(const package::Package opened, OpenPackage(options.path, options.access));
  if (options.out.empty()) options.out = fs::path(options.path).stem().string();
  std::error_code error;
  fs::create_directories(options.out, error);
  Status entries_fit = CheckEntries(opened, options.out);
  if (!entries_fit.ok()) return std::move(entries_fit).In(options.path);
  Table table({"entry", ">bytes"});
  nlohmann::json entries = nlohmann::json::array();
  std::string model;
  for (const std::string& name : opened.EntryNames()) {
    Result<package::Blob> blob = opened.Read(name);
    if (!blob.ok()) return std::move(blob).status().In(options.path);
    ATH_RETURN_IF_ERROR(WriteFileAtomically((fs::path(options.out) / name).string(), blob->bytes));
    table.Add({name, std::to_string(blob->bytes.size())});
    entries.push_back({{"name", name}, {"bytes", blob->bytes.size()}});
    if (name.ends_with(".ath")) model = name;
  }
  PrintText(common, table.ToString());
  Say(common, "signed      {}", opened.signer().empty() ? "no" : "by key " + opened.signer());
  Say(common, "wrote {}/", options.out);
  PrintJson(common, {{"out", options.out},
                     {"name", opened.name()},
                     {"signer", opened.signer()},
                     {"entries", std::move(entries)}});
  if (!model.empty()) {
    Next(common,
         fmt::format("athanor inspect {}", ShellWord((fs::path(options.out) / model).string())));
  }
  return {};
}

struct KeyOptions {
  std::string name, kind = "signing";
};

Status RunKeys(const KeyOptions& options, const Common& common) {
  const bool signing = options.kind == "signing";
  if (!signing && options.kind != "recipient")
    return Error(ErrorCode::kUsage, "--kind {}: signing or recipient is expected", options.kind);
  ATH_RETURN_IF_ERROR(CheckOutput(options.name + ".key", "NAME"));
  ATH_TRY(const package::PrivateKey key,
          package::PrivateKey::Make(signing ? package::KeyKind::kSigning
                                            : package::KeyKind::kRecipient));
  ATH_RETURN_IF_ERROR(key.Save(options.name));
  const std::string id = key.public_key().Id();
  Say(common, "wrote {}.key (secret: keep it) and {}.pub (give it away)", options.name,
      options.name);
  Say(common, "key id      {}", id);
  PrintJson(common, {{"kind", options.kind},
                     {"id", id},
                     {"private", options.name + ".key"},
                     {"public", options.name + ".pub"}});
  Next(common,
       signing
           ? fmt::format("athanor pack pipeline.yaml --sign {}.key", ShellWord(options.name))
           : fmt::format("athanor pack pipeline.yaml --encrypt {}.pub", ShellWord(options.name)));
  return {};
}

}  // namespace

std::function<Status()> Pack(Arguments app, const Common& common) {
  auto options = std::make_shared<PackOptions>();
  app.Option("pipeline", options->yaml, "the stages, in YAML").Required();
  app.Option("--out,-o", options->out, "default: PIPELINE.athpkg in the current folder");
  app.Option("--sign", options->sign, "a signing NAME.key");
  app.Option("--encrypt", options->recipients, "a recipient's NAME.pub who may open it").Repeated();
  app.Option("--passphrase-file", options->passphrase_file, "a file whose first line opens it too");
  app.Option("--cipher", options->cipher, "aes-256-gcm or chacha20-poly1305").ShowDefault();
  return [options, &common] { return RunPack(*options, common); };
}

std::function<Status()> Unpack(Arguments app, const Common& common) {
  auto options = std::make_shared<UnpackOptions>();
  app.Option("package", options->path, "an .athpkg file").Required();
  app.Option("--out,-o", options->out,
             "the folder to write to; default: the package's name, in the current folder");
  AddAccessOptions(app, options->access);
  return [options, &common] { return RunUnpack(*options, common); };
}

std::function<Status()> Keys(Arguments app, const Common& common) {
  auto options = std::make_shared<KeyOptions>();
  app.Option("name", options->name, "writes NAME.key and NAME.pub").Required();
  app.Option("--kind", options->kind, "signing, or recipient for one who may open packages")
      .ShowDefault();
  return [options, &common] { return RunKeys(*options, common); };
}

}  // namespace athanor::tools
