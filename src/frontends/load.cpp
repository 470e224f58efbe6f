#include "frontends/load.h"

#include <algorithm>
#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "frontends/ath/ath.h"
#include "frontends/caffe/import.h"
#include "frontends/catboost/catboost.h"
#include "frontends/coreml/import.h"
#include "frontends/darknet/cfg.h"
#include "frontends/darknet/import.h"
#include "frontends/keras/import.h"
#include "frontends/lightgbm/lightgbm.h"
#include "frontends/mindir/import.h"
#include "frontends/mlflow.h"
#include "frontends/mnn/import.h"
#include "frontends/mxnet/import.h"
#include "frontends/ncnn/import.h"
#include "frontends/ncnn/param_file.h"
#include "frontends/no_model.h"
#include "frontends/onnx/import.h"
#include "frontends/openvino/import.h"
#include "frontends/paddle/import.h"
#include "frontends/pickled/pickled.h"
#include "frontends/pmml/pmml.h"
#include "frontends/pytorch/pytorch.h"
#include "frontends/tensorflow/import.h"
#include "frontends/tflite/import.h"
#include "frontends/xgboost/xgboost.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor {
namespace {

struct Source {
  std::shared_ptr<const MappedFile> file;
  std::string folder;
  std::string path;
  bool check_weights = false;
  std::string weights;
  bool states = false;

  std::string_view text() const {
    return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
  }
};

struct Format {
  std::string_view name;
  bool (*recognises)(std::span<const std::uint8_t> bytes);
  Result<Graph> (*read)(const Source& source);
  bool has_digests = false;          // of its weights
  bool weights_can_be_told = false;  // where they are: LoadOptions::weights
  bool keeps_states = false;         // between runs: LoadOptions::states
};

// "graph" after spaces and comments.
bool IsText(std::span<const std::uint8_t> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (;;) {
    const std::size_t start = text.find_first_not_of(" \t\r\n");
    if (start == std::string_view::npos) return false;
    text.remove_prefix(start);
    if (text.substr(0, 2) != "//") return text.substr(0, 5) == "graph";
    text.remove_prefix(std::min(text.size(), text.find('\n')));
  }
}

// An ONNX file has no mark of its own: it starts with one of the fields of its outermost message.
bool IsOnnx(std::span<const std::uint8_t> bytes) {
  constexpr std::uint8_t kFirstBytes[] = {0x08, 0x12, 0x1A, 0x22, 0x28, 0x32,
                                          0x3A, 0x42, 0x72, 0xA2, 0xCA};
  return !bytes.empty() && std::count(std::begin(kFirstBytes), std::end(kFirstBytes), bytes[0]) > 0;
}

Result<Graph> ReadOnnx(const Source& source) {
  return onnx::Import(source.file->bytes(), source.file, {.folder = source.folder});
}

Result<Graph> ReadAth(const Source& source) {
  return ath::Read(source.file->bytes(), source.file, {.check_weights = source.check_weights});
}

Result<Graph> ReadTensorflow(const Source& source) {
  return tensorflow::Import(source.file->bytes(), source.file, source.folder);
}

Result<Graph> ReadTflite(const Source& source) {
  return tflite::Import(source.file->bytes(), source.file, source.states);
}
Result<Graph> ReadKeras(const Source& source) {
  return keras::Import(source.file->bytes(), source.file);
}
Result<Graph> ReadLightgbm(const Source& source) { return lightgbm::Import(source.file->bytes()); }

Result<Graph> ReadPmml(const Source& source) { return pmml::Import(source.file->bytes()); }

Result<Graph> ReadPickle(const Source& source) { return pickled::Import(source.file->bytes()); }

Result<Graph> ReadPytorch(const Source& source) {
  return pytorch::Import(source.file->bytes(), source.file);
}

Result<Graph> ReadCatboost(const Source& source) { return catboost::Import(source.file->bytes()); }

Result<Graph> ReadXgboost(const Source& source) { return xgboost::Import(source.file->bytes()); }

Result<Graph> ReadText(const Source& source) { return ParseText(source.text(), ops::Standard()); }

bool IsCaffe(std::span<const std::uint8_t> bytes) {
  return caffe::IsText(bytes) || caffe::IsBytes(bytes);
}

Result<Graph> ReadCaffe(const Source& source) {
  return caffe::ImportBeside(source.path, source.weights);
}

Result<Graph> ReadCoreml(const Source& source) {
  return coreml::Import(source.file->bytes(), source.file, source.folder);
}

bool IsDarknet(std::span<const std::uint8_t> bytes) {
  return darknet::IsCfg({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<Graph> ReadDarknet(const Source& source) {
  return darknet::ImportBeside(source.text(), source.path, source.weights);
}

Result<Graph> ReadMindir(const Source& source) {
  return mindir::Import(source.file->bytes(), source.file);
}

Result<Graph> ReadMnn(const Source& source) {
  return mnn::Import(source.file->bytes(), source.file);
}

Result<Graph> ReadMxnet(const Source& source) {
  return mxnet::ImportBeside(source.file->bytes(), source.path, source.weights);
}

bool IsNcnn(std::span<const std::uint8_t> bytes) {
  return ncnn::IsParam({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<Graph> ReadNcnn(const Source& source) {
  return ncnn::ImportBeside(source.text(), source.path);
}

Result<Graph> ReadOpenvino(const Source& source) {
  return openvino::ImportBeside(source.text(), source.path);
}

Result<Graph> ReadPaddle(const Source& source) {
  return paddle::ImportBeside(source.file->bytes(), source.path, source.weights);
}

// In the order in which they are tried: the surest mark first.
constexpr Format kFormats[] = {
    {"ath", ath::IsAth, ReadAth, true},
    {"tflite", tflite::IsTflite, ReadTflite, false, false, true},
    {"txt", IsText, ReadText},
    {"mnn", mnn::IsMnn, ReadMnn},
    {"mindir", mindir::IsMindir, ReadMindir},
    {"ncnn", IsNcnn, ReadNcnn},
    {"paddle", paddle::IsPaddle, ReadPaddle, false, true},
    {"caffe", IsCaffe, ReadCaffe, false, true},
    {"darknet", IsDarknet, ReadDarknet, false, true},
    {"keras", keras::IsKeras, ReadKeras},
    {"pytorch", pytorch::IsPytorch, ReadPytorch},
    {"pickle", pickled::IsPickle, ReadPickle},
    {"lightgbm", lightgbm::IsLightgbm, ReadLightgbm},
    {"openvino", openvino::IsOpenvino, ReadOpenvino},
    {"pmml", pmml::IsPmml, ReadPmml},
    {"mxnet", mxnet::IsMxnet, ReadMxnet, false, true},
    {"catboost", catboost::IsCatboost, ReadCatboost},
    {"xgboost", xgboost::IsXgboost, ReadXgboost},
    {"coreml", coreml::IsCoreml, ReadCoreml},
    {"tensorflow", tensorflow::IsTensorflow, ReadTensorflow},
    {"onnx", IsOnnx, ReadOnnx},
};

Result<const Format*> FindFormat(std::span<const std::uint8_t> bytes, const std::string& wanted,
                                 const std::string& path) {
  if (const std::string other = KnownOtherFile(bytes); wanted.empty() && !other.empty()) {
    return Error(ErrorCode::kUnknownFormat, "this is {}, not a model", other)
        .Fix("the model comes first: athanor run MODEL INPUT");
  }
  std::vector<std::string> names;
  for (const Format& format : kFormats) {
    if (wanted.empty() ? format.recognises(bytes) : format.name == wanted) return &format;
    names.emplace_back(format.name);
  }
  if (!wanted.empty()) {
    return Error(ErrorCode::kUnknownFormat, "format \"{}\" is not read{}; {} are", wanted,
                 DidYouMean(wanted, names), Join(names, ", "))
        .Fix("without --format the bytes of the file say what it is");
  }
  if (bytes.empty()) return Error(ErrorCode::kCorruptFile, "the file is empty");
  return Error(ErrorCode::kUnknownFormat, "this is not a model format that is read; {} are",
               Join(names, ", "))
      .Fix(HowToGetModel(path));
}

// The file of a model that is a folder.
Result<std::string> FileOf(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return path;
  const std::filesystem::path folder(path);
  if (const std::string program = paddle::ProgramIn(path); !program.empty()) return program;
  if (const std::string model = coreml::ModelInPackage(path); !model.empty()) return model;
  if (!std::filesystem::exists(folder / "MLmodel", ignored)) {
    const std::filesystem::path saved = folder / "saved_model.pb";
    if (!std::filesystem::exists(saved, ignored)) return NoModelInFolder(path);
    return saved.string();
  }
  ATH_TRY(const auto file, MappedFile::Open((folder / "MLmodel").string()));
  const auto bytes = file->bytes();
  Result<std::string> name =
      MlflowModelFile({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!name.ok()) return std::move(name).status().In("MLmodel");
  return (folder / *name).string();
}

Result<LoadedModel> Load(const std::string& given, const LoadOptions& options) {
  ATH_TRY(const std::string path, FileOf(given));
  ATH_TRY(std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  ATH_TRY(const Format* format, FindFormat(file->bytes(), options.format, path));
  if (options.check_weights && !format->has_digests)
    return Unsupported("{} files hold no digests of their weights; .ath files do", format->name)
        .Fix(fmt::format("athanor convert {} -o model.ath", path));
  if (!options.weights.empty() && !format->weights_can_be_told)
    return Error(ErrorCode::kUsage, "{} files are not read with weights from elsewhere ({})",
                 format->name, options.weights);
  if (options.states && !format->keeps_states)
    return Error(ErrorCode::kUsage,
                 "{} files keep no states between runs; theirs are inputs and outputs already",
                 format->name)
        .Fix("leave --states away");
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  ATH_TRY(Graph graph, format->read({file, parent.empty() ? "." : parent.string(), path,
                                     options.check_weights, options.weights, options.states}));
  return LoadedModel{std::move(graph), format->has_digests ? std::move(file) : nullptr};
}

}  // namespace

Result<LoadedModel> LoadWithFile(const std::string& path, const LoadOptions& options) {
  Result<LoadedModel> loaded = Load(path, options);
  if (loaded.ok()) return loaded;
  const std::string name = std::filesystem::path(path).filename().string();
  Status status = std::move(loaded).status();
  if (status.code() == ErrorCode::kCorruptFile && status.fix().empty())
    status = std::move(status).Fix("compare its size with that of the original and copy it again");
  // A file that cannot be opened is named in full already.
  return status.code() == ErrorCode::kFileNotFound ? status : std::move(status).In(name);
}

Result<Graph> LoadModel(const std::string& path, const LoadOptions& options) {
  ATH_TRY(LoadedModel loaded, LoadWithFile(path, options));
  return std::move(loaded.graph);
}

bool IsCompressedModel(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  const Result<std::shared_ptr<const MappedFile>> file = MappedFile::Open(path);
  return file.ok() && ath::IsCompressed((*file)->bytes());
}

}  // namespace athanor
