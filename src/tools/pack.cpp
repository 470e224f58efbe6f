// athanor pack PIPELINE.yaml: models, labels and the stages around them in one file.
// athanor unpack PACKAGE: the parts again. athanor keys NAME: a pair of keys.
#include <filesystem>
#include <set>

#include "api/open_model.h"
#include "api/pipeline.h"
#include "core/file.h"
#include "core/text.h"
#include "frontends/ath/ath.h"
#include "tools/console.h"
#include "tools/package_options.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;
using package::Bytes;
using package::Config;

struct PackOptions {
  std::string yaml, out, sign, passphrase_file, cipher = "aes-256-gcm";
  std::vector<std::string> recipients;
};

// A part on its way into the package.
struct Part {
  std::string name;
  Bytes bytes;
};

Config* Field(Config& map, std::string_view name) {
  for (auto& [field, value] : map.fields) {
    if (field == name) return &value;
  }
  return nullptr;
}

// The file that a stage names, which becomes the name of an entry.
Config* FileOf(Config& pipeline, std::string_view stage) {
  Config* stages = Field(pipeline, "stages");
  for (std::size_t i = 0; stages != nullptr && i < stages->items.size(); ++i) {
    if (Config* found = Field(stages->items[i], stage)) return Field(*found, "file");
  }
  return nullptr;
}

// Reads the files that stages name, relative to the pipeline's folder, and renames them in it.
Result<std::vector<Part>> ReadParts(Config& pipeline, const fs::path& folder) {
  std::vector<Part> parts;
  Config* model = FileOf(pipeline, "model");
  const bool from_zoo = model->text.starts_with("zoo:");
  const std::string path = from_zoo ? model->text : (folder / model->text).string();
  Result<Graph> graph = OpenModel(path);
  if (!graph.ok()) return std::move(graph).status().In(package::Where(*model));
  model->text = (from_zoo ? model->text.substr(4) : fs::path(path).stem().string()) + ".ath";
  ATH_TRY(Bytes bytes, ath::Write(*graph));
  parts.push_back({model->text, std::move(bytes)});
  if (Config* labels = FileOf(pipeline, "labels")) {
    const Result<std::string> text = ReadTextFile((folder / labels->text).string());
    if (!text.ok()) return text.status().In(package::Where(*labels));
    labels->text = fs::path(labels->text).filename().string();
    parts.push_back({labels->text, Bytes(text->begin(), text->end())});
  }
  const std::string json = package::ToJson(pipeline);
  parts.push_back({std::string(package::kPipelineEntry), Bytes(json.begin(), json.end())});
  std::set<std::string> names;
  for (const Part& part : parts) {
    if (!names.insert(part.name).second)
      return Error(ErrorCode::kUsage, "two parts would be called \"{}\"", part.name);
  }
  return parts;
}

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

// The same bytes without locks: proves that the pipeline fits its model before anything is written.
Status Prove(const package::Contents& contents) {
  ATH_TRY(Bytes bytes, package::WritePackage(contents, {}));
  const auto owner = std::make_shared<Bytes>(std::move(bytes));
  ATH_TRY(package::Package plain, package::Package::Open(*owner, owner, {}));
  return PipelineRunner::Make(std::move(plain), {.device = "reference"}).status();
}

Status RunPack(PackOptions options, const Common& common) {
  const fs::path source(options.yaml);
  ATH_TRY(const std::string text, ReadTextFile(options.yaml));
  const auto in_file = [&](Status status) {
    return std::move(status).In(source.filename().string());
  };
  Result<Config> config = package::ConfigFromYaml(text);
  if (!config.ok()) return in_file(std::move(config).status());
  const Result<package::Pipeline> pipeline = package::ReadPipeline(*config);
  if (!pipeline.ok()) return in_file(pipeline.status());
  Result<std::vector<Part>> parts = ReadParts(*config, source.parent_path());
  if (!parts.ok()) return in_file(std::move(parts).status());
  package::Contents contents = {
      pipeline->name.empty() ? source.stem().string() : pipeline->name, pipeline->description, {}};
  for (const Part& part : *parts) contents.entries.push_back({part.name, part.bytes});
  Status proof = Prove(contents);
  if (!proof.ok()) return in_file(std::move(proof));
  ATH_TRY(const package::WriteOptions write, ToWriteOptions(options));
  ATH_TRY(const Bytes file, package::WritePackage(contents, write));
  if (options.out.empty())
    options.out = (source.parent_path() / (source.stem().string() + ".athpkg")).string();
  ATH_RETURN_IF_ERROR(WriteFileAtomically(options.out, file));
  const bool encrypted = !write.recipients.empty() || !write.passphrase.empty();
  Table table({"entry", ">bytes"});
  nlohmann::json entries = nlohmann::json::array();
  for (const Part& part : *parts) {
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
             {"name", contents.name},
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

Status RunUnpack(UnpackOptions options, const Common& common) {
  ATH_TRY(const package::ReadOptions access, ToReadOptions(options.access));
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(options.path));
  Result<package::Package> opened = package::Package::Open(file->bytes(), file, access);
  if (!opened.ok()) return std::move(opened).status().In(options.path);
  if (options.out.empty()) options.out = fs::path(options.path).replace_extension("").string();
  std::error_code error;
  fs::create_directories(options.out, error);
  Table table({"entry", ">bytes"});
  nlohmann::json entries = nlohmann::json::array();
  for (const std::string& name : opened->EntryNames()) {
    // A name is a file in the folder and nothing else.
    if (name.empty() || name[0] == '.' || fs::path(name).filename().string() != name)
      return Error(ErrorCode::kUnsafeFile, "entry {} is no plain file name", Quote(name))
          .In(options.path);
    Result<package::Blob> blob = opened->Read(name);
    if (!blob.ok()) return std::move(blob).status().In(options.path);
    ATH_RETURN_IF_ERROR(WriteFileAtomically((fs::path(options.out) / name).string(), blob->bytes));
    table.Add({name, std::to_string(blob->bytes.size())});
    entries.push_back({{"name", name}, {"bytes", blob->bytes.size()}});
  }
  PrintText(common, table.ToString());
  Say(common, "signed      {}", opened->signer().empty() ? "no" : "by key " + opened->signer());
  Say(common, "wrote {}/", options.out);
  PrintJson(common, {{"out", options.out},
                     {"name", opened->name()},
                     {"signer", opened->signer()},
                     {"entries", std::move(entries)}});
  Next(common, fmt::format("athanor inspect {}/MODEL.ath", ShellWord(options.out)));
  return {};
}

struct KeyOptions {
  std::string name, kind = "signing";
};

Status RunKeys(const KeyOptions& options, const Common& common) {
  const bool signing = options.kind == "signing";
  if (!signing && options.kind != "recipient")
    return Error(ErrorCode::kUsage, "--kind {}: signing or recipient is expected", options.kind);
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

std::function<Status()> Pack(CLI::App& app, const Common& common) {
  auto options = std::make_shared<PackOptions>();
  app.add_option("pipeline", options->yaml, "the stages, in YAML")->required();
  app.add_option("--out,-o", options->out, "default: PIPELINE.athpkg beside it");
  app.add_option("--sign", options->sign, "a signing NAME.key");
  app.add_option("--encrypt", options->recipients, "a recipient's NAME.pub who may open it")
      ->take_all();
  app.add_option("--passphrase-file", options->passphrase_file,
                 "a file whose first line opens it too");
  app.add_option("--cipher", options->cipher, "aes-256-gcm or chacha20-poly1305")
      ->capture_default_str();
  return [options, &common] { return RunPack(*options, common); };
}

std::function<Status()> Unpack(CLI::App& app, const Common& common) {
  auto options = std::make_shared<UnpackOptions>();
  app.add_option("package", options->path, "an .athpkg file")->required();
  app.add_option("--out,-o", options->out, "the folder to write to; default: the package's name");
  AddAccessOptions(app, options->access);
  return [options, &common] { return RunUnpack(*options, common); };
}

std::function<Status()> Keys(CLI::App& app, const Common& common) {
  auto options = std::make_shared<KeyOptions>();
  app.add_option("name", options->name, "writes NAME.key and NAME.pub")->required();
  app.add_option("--kind", options->kind, "signing, or recipient for one who may open packages")
      ->capture_default_str();
  return [options, &common] { return RunKeys(*options, common); };
}

}  // namespace athanor::tools
