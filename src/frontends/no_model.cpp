#include "frontends/no_model.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "core/text.h"

namespace athanor {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

struct Mark {
  std::size_t at;
  std::string_view bytes;
};

struct OtherFile {
  std::string_view what;
  Mark first;
  Mark second = {0, ""};
};

// The marks of the formats' specifications.
constexpr OtherFile kOtherFiles[] = {
    {"a picture (JPEG)", {0, "\xFF\xD8\xFF"sv}},
    {"a picture (PNG)", {0, "\x89PNG\r\n\x1A\n"sv}},
    {"a picture (GIF)", {0, "GIF8"sv}},
    // The reserved fields of the header are 0: no message of protobuf goes on like this.
    {"a picture (BMP)", {0, "BM"sv}, {6, "\0\0\0\0"sv}},
    {"a picture (WebP)", {0, "RIFF"sv}, {8, "WEBP"sv}},
    {"sound (WAV)", {0, "RIFF"sv}, {8, "WAVE"sv}},
    {"an array (.npy)", {0, "\x93NUMPY"sv}},
    {"a document (PDF)", {0, "%PDF-"sv}},
};

// A network in two files: the one with weights alone, and that with the layers.
struct Companion {
  std::string_view weights, owner;
  std::vector<std::string_view> layers;
};

std::vector<Companion> Companions() {
  return {
      {".weights", "darknet", {".cfg"}},
      {".bin", "ncnn or OpenVINO", {".param", ".xml"}},
      {".params", "MXNet", {"-symbol.json"}},
      {".pdiparams", "PaddlePaddle", {".pdmodel", ".json"}},
  };
}

// How a file of another format becomes one that is read.
struct Way {
  std::string_view extension, fix;
};
constexpr Way kWays[] = {
    {".bst", "save it as JSON with XGBoost: booster.save_model('model.json')"},
    {".joblib", "export it to ONNX with skl2onnx: skl2onnx.to_onnx(model, rows)"},
    {".model", "save it as JSON with XGBoost: booster.save_model('model.json')"},
    {".pkl", "export it to ONNX with skl2onnx: skl2onnx.to_onnx(model, rows)"},
};

bool Bears(std::span<const std::uint8_t> bytes, const Mark& mark) {
  if (bytes.size() < mark.at + mark.bytes.size()) return false;
  return std::equal(
      mark.bytes.begin(), mark.bytes.end(), bytes.begin() + static_cast<std::ptrdiff_t>(mark.at),
      [](char wanted, std::uint8_t byte) { return static_cast<std::uint8_t>(wanted) == byte; });
}

// "give the .cfg file: dog.cfg" for the weights of a network.
std::string GiveLayers(const fs::path& path, const Companion& companion) {
  std::vector<std::string> endings;
  for (const std::string_view ending : companion.layers) {
    fs::path beside = path;
    beside.replace_extension();
    beside += ending;
    std::error_code error;
    if (fs::is_regular_file(beside, error)) return fmt::format("give {}", beside.string());
    endings.emplace_back(ending);
  }
  return fmt::format("if these are weights of {}, give the {} file", companion.owner,
                     Join(endings, " or "));
}

}  // namespace

std::string KnownOtherFile(std::span<const std::uint8_t> bytes) {
  for (const OtherFile& other : kOtherFiles) {
    if (Bears(bytes, other.first) && Bears(bytes, other.second)) return std::string(other.what);
  }
  return "";
}

std::string HowToGetModel(const std::string& path) {
  const std::string extension = fs::path(path).extension().string();
  for (const Companion& companion : Companions()) {
    if (companion.weights == extension) return GiveLayers(path, companion);
  }
  for (const Way& way : kWays) {
    if (way.extension == extension) return std::string(way.fix);
  }
  return "export it to ONNX with the framework that trained it";
}

Status NoModelInFolder(const std::string& folder) {
  return Error(ErrorCode::kFileNotFound,
               "{}: this is a folder; one that stands for a model has a saved_model.pb, an MLmodel "
               "or a PaddlePaddle program in it",
               folder)
      .Fix("give the file of the model");
}

}  // namespace athanor
