#include "frontends/save.h"

#include <algorithm>
#include <filesystem>

#include "core/file.h"
#include "core/text.h"
#include "core/writing.h"
#include "frontends/ath/ath.h"
#include "frontends/caffe/export.h"
#include "frontends/ncnn/export.h"
#include "frontends/onnx/export.h"
#include "frontends/openvino/export.h"
#include "frontends/tflite/export.h"
#include "ir/text.h"

namespace athanor {
namespace {

struct Writer {
  std::string_view format;
  Status (*write)(const Graph&, const std::string&, const SaveOptions&);
  std::string_view weights = {};  // the ending of the file of weights beside it
};

Status WriteOnnx(const Graph& graph, const std::string& path, const SaveOptions& options) {
  return onnx::SaveOnnx(graph, path, {.opset = options.opset});
}

Status WriteAth(const Graph& graph, const std::string& path, const SaveOptions& options) {
  return ath::Save(graph, path, {.compress = options.compress});
}

Status WriteNcnn(const Graph& graph, const std::string& path, const SaveOptions&) {
  return ncnn::SaveNcnn(graph, path);
}

Status WriteOpenvino(const Graph& graph, const std::string& path, const SaveOptions&) {
  return openvino::SaveOpenvino(graph, path);
}

Status WriteCaffe(const Graph& graph, const std::string& path, const SaveOptions& options) {
  return caffe::SaveCaffe(graph, path, options.dialect);
}

Status WriteTflite(const Graph& graph, const std::string& path, const SaveOptions&) {
  return tflite::SaveTflite(graph, path);
}

Status WriteText(const Graph& graph, const std::string& path, const SaveOptions&) {
  return WriteFileAtomically(path, std::string_view(PrintText(graph)));
}

constexpr Writer kWriters[] = {
    {"ath", WriteAth},
    {"onnx", WriteOnnx},
    {"param", WriteNcnn, ".bin"},
    {"prototxt", WriteCaffe, ".caffemodel"},
    {"tflite", WriteTflite},
    {"txt", WriteText},
    {"xml", WriteOpenvino, ".bin"},
};

// Of a name that is a folder's, "." or "models/", a file in it.
std::string NameInOnnx(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  std::error_code failed;
  if (name.empty() || name == "." || name == ".." || std::filesystem::is_directory(path, failed))
    return (path / "model.onnx").lexically_normal().string();
  return std::filesystem::path(path).replace_extension(".onnx").string();
}

Result<Writer> FindWriter(const std::string& path, const SaveOptions& options) {
  std::string format = options.format;
  if (format.empty()) {
    format = std::filesystem::path(path).extension().string();
    if (!format.empty()) format.erase(0, 1);
  }
  std::vector<std::string> known;
  for (const Writer& writer : kWriters) {
    if (writer.format == format) return writer;
    known.emplace_back(writer.format);
  }
  known.insert(known.end(), options.others.begin(), options.others.end());
  std::ranges::sort(known);
  return Error(ErrorCode::kUnknownFormat, "{}: models are not written as \"{}\"{}; {} are", path,
               format, DidYouMean(format, known), Join(known, ", "))
      .Fix(fmt::format("-o {}", NameInOnnx(path)));
}

}  // namespace

Status CheckSaveFormat(const std::string& path, const SaveOptions& options) {
  ATH_RETURN_IF_ERROR(FindWriter(path, options).status());
  return caffe::CheckDialect(options.dialect);
}

std::vector<std::string> SavedFiles(const std::string& path, const SaveOptions& options) {
  std::vector<std::string> files = {path};
  const Result<Writer> writer = FindWriter(path, options);
  if (writer.ok() && !writer->weights.empty())
    files.push_back(std::filesystem::path(path).replace_extension(writer->weights).string());
  return files;
}

Status SaveModel(const Graph& graph, const std::string& path, const SaveOptions& options) {
  ATH_TRY(const Writer writer, FindWriter(path, options));
  return OfWriting(writer.write(graph, path, options));
}

std::vector<std::string> OwnOperators(const Graph& graph, const std::string& path,
                                      const SaveOptions& options) {
  const Result<Writer> writer = FindWriter(path, options);
  if (!writer.ok() || writer->format != "onnx") return {};
  const std::set<std::string> own = onnx::OwnOperators(graph, {.opset = options.opset});
  return {own.begin(), own.end()};
}

}  // namespace athanor
