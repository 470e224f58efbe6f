// fuzz_seeds FOLDER [TEXT...]: fills FOLDER/TARGET with small files from which `./dev fuzz` starts:
// every file of the broken corpus that is small, and the graphs of the given texts in every format
// that is written.
// A text may hold several graphs, as those of the rewriting rules do.
#include <zlib.h>

#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/digest.h"
#include "core/file.h"
#include "corpus.h"
#include "frontends/ath/ath.h"
#include "frontends/ath/header.h"
#include "frontends/caffe/export.h"
#include "frontends/ncnn/export.h"
#include "frontends/onnx/export.h"
#include "frontends/openvino/export.h"
#include "frontends/tflite/export.h"
#include "ir/text.h"
#include "ops/catalog.h"

namespace athanor::broken {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kLargest = 16384;

// Named after the contents: the same seed is written once.
Status WriteSeed(const fs::path& folder, const Bytes& bytes) {
  if (bytes.size() > kLargest) return {};
  fs::create_directories(folder);
  return WriteFileAtomically(folder / fmt::format("seed_{:016x}", Digest64(bytes)), bytes);
}

// Both files of a network in one, as its fuzz target takes them: `cut` zero bytes between them.
Status WritePair(const fs::path& folder, std::string_view text, std::size_t cut,
                 const Bytes& weights) {
  Bytes bytes(text.begin(), text.end());
  bytes.resize(bytes.size() + cut);
  bytes.insert(bytes.end(), weights.begin(), weights.end());
  return WriteSeed(folder, bytes);
}

// In every format that has layers for it.
Status WriteForeignForms(const fs::path& folder, const Graph& graph) {
  if (const auto tflite = tflite::ExportTflite(graph); tflite.ok())
    ATH_RETURN_IF_ERROR(WriteSeed(folder / "tflite", *tflite));
  if (const auto ncnn = ncnn::ExportNcnn(graph); ncnn.ok())
    ATH_RETURN_IF_ERROR(WritePair(folder / "ncnn", ncnn->param, 1, ncnn->bin));
  if (const auto openvino = openvino::ExportOpenvino(graph); openvino.ok())
    ATH_RETURN_IF_ERROR(WritePair(folder / "openvino", openvino->xml, 1, openvino->bin));
  if (const auto caffe = caffe::ExportCaffe(graph); caffe.ok())
    ATH_RETURN_IF_ERROR(WritePair(folder / "caffe", caffe->prototxt, 4, caffe->caffemodel));
  return {};
}

// A compressed .ath file as its fuzz target takes it: with the structure before it was deflated.
Result<Bytes> Undeflated(const Graph& graph) {
  ATH_TRY(const Bytes file, ath::Write(graph, {.compress = true}));
  ath::Header header;
  std::memcpy(&header, file.data(), sizeof(header));
  Bytes seed(sizeof(header) + header.structure_deflated_from);
  uLongf size = header.structure_deflated_from;
  if (uncompress(seed.data() + sizeof(header), &size, file.data() + sizeof(header),
                 header.structure_size) != Z_OK)
    return Error(ErrorCode::kInternal, "what was deflated does not inflate");
  header.structure_size = size;
  std::memcpy(seed.data(), &header, sizeof(header));
  seed.insert(seed.end(), file.begin() + static_cast<std::ptrdiff_t>(header.weights_offset),
              file.end());
  return seed;
}

Status WriteGraph(const fs::path& folder, std::string_view text) {
  const Result<Graph> graph = ParseText(text, ops::Standard());
  if (!graph.ok()) return {};  // words between the graphs
  const std::string printed = PrintText(*graph);
  ATH_RETURN_IF_ERROR(WriteSeed(folder / "text", Bytes(printed.begin(), printed.end())));
  const Result<Bytes> flat = ath::Write(*graph);
  if (flat.ok()) ATH_RETURN_IF_ERROR(WriteSeed(folder / "ath", *flat));
  const Result<Bytes> compressed = Undeflated(*graph);
  if (compressed.ok()) ATH_RETURN_IF_ERROR(WriteSeed(folder / "ath", *compressed));
  const Result<Bytes> onnx = onnx::ExportOnnx(*graph);
  if (onnx.ok()) ATH_RETURN_IF_ERROR(WriteSeed(folder / "onnx", *onnx));
  return WriteForeignForms(folder, *graph);
}

Status WriteGraphs(const fs::path& folder, const std::string& path) {
  ATH_TRY(const std::string text, ReadTextFile(path));
  for (std::size_t at = text.find("graph "); at != std::string::npos;) {
    const std::size_t end = text.find("\n}", at);
    if (end == std::string::npos) break;
    ATH_RETURN_IF_ERROR(WriteGraph(folder, std::string_view(text).substr(at, end + 2 - at)));
    at = text.find("\ngraph ", end);
  }
  return {};
}

Status Main(const fs::path& folder, std::span<char*> texts) {
  for (const FamilyEntry& entry : AllFamilies()) {
    const Family family = entry.make();
    const fs::path target = folder / (family.fuzz.empty() ? family.name : family.fuzz);
    for (const File& file : family.good) ATH_RETURN_IF_ERROR(WriteSeed(target, file.bytes));
    for (const File& file : family.bad) ATH_RETURN_IF_ERROR(WriteSeed(target, file.bytes));
  }
  for (const char* path : texts) ATH_RETURN_IF_ERROR(WriteGraphs(folder, path));
  return {};
}

}  // namespace
}  // namespace athanor::broken

int main(int argc, char** argv) {
  if (argc < 2) return 1;
  const athanor::Status status =
      athanor::broken::Main(argv[1], std::span(argv, static_cast<std::size_t>(argc)).subspan(2));
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
