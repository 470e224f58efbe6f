#include "tools/run_package.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "api/pipeline.h"
#include "core/file.h"
#include "core/opened_files.h"
#include "io/image.h"
#include "io/npy.h"
#include "tools/console.h"
#include "tools/output_file.h"
#include "tools/progress.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

std::string Named(const std::string& label, std::size_t index) {
  return label.empty() ? std::to_string(index) : Shorten(label, 40);
}

std::string Text(const PipelineResult& result, const package::Pipeline& pipeline) {
  if (pipeline.Find<package::Suppress>() != nullptr) {
    if (result.boxes.empty()) return "  nothing found\n";
    Table table({"class", ">score", ">x1", ">y1", ">x2", ">y2"});
    for (const BoxResult& b : result.boxes) {
      table.Add({Named(b.label, b.box.label), fmt::format("{:.3f}", b.box.score),
                 fmt::format("{:.1f}", b.box.x1), fmt::format("{:.1f}", b.box.y1),
                 fmt::format("{:.1f}", b.box.x2), fmt::format("{:.1f}", b.box.y2)});
    }
    return table.ToString();
  }
  if (pipeline.Find<package::TopK>() != nullptr) {
    Table table({">class", "label", ">score"});
    for (const ClassResult& c : result.classes)
      table.Add({std::to_string(c.index), Shorten(c.label, 40), fmt::format("{:.4f}", c.score)});
    return table.ToString();
  }
  std::string text;
  for (const auto& [name, tensor] : result.outputs)
    text += fmt::format("  {}  {}{}\n", name, Name(tensor.dtype()), ToString(tensor.dims()));
  return text;
}

// A frame of two pixels or more in a colour that differs from class to class.
void Draw(Tensor& image, const Box& box) {
  constexpr std::uint8_t kColours[][3] = {{255, 64, 64}, {64, 200, 64},  {64, 128, 255},
                                          {255, 200, 0}, {200, 64, 255}, {0, 220, 220}};
  const auto& colour = kColours[box.label % std::size(kColours)];
  const std::int64_t height = image.dim(0), width = image.dim(1);
  const std::int64_t thick = std::max<std::int64_t>(2, std::min(height, width) / 200);
  const auto at = [](double value, std::int64_t most) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(value), 0, most - 1);
  };
  const std::int64_t x1 = at(box.x1, width), x2 = at(box.x2, width), y1 = at(box.y1, height),
                     y2 = at(box.y2, height);
  const auto pixels = image.MutableData<std::uint8_t>();
  for (std::int64_t y = y1; y <= y2; ++y) {
    for (std::int64_t x = x1; x <= x2; ++x) {
      const bool inside = x >= x1 + thick && x <= x2 - thick && y >= y1 + thick && y <= y2 - thick;
      if (inside) continue;
      std::copy_n(colour, 3, &pixels[static_cast<std::size_t>((y * width + x) * 3)]);
    }
  }
}

Status Save(const std::string& path, const std::string& picture, const PipelineResult& result,
            const nlohmann::json& json) {
  if (path.ends_with(".json"))
    return WriteFileAtomically(path, std::string_view(json.dump(2) + "\n"));
  if (path.ends_with(".npz")) {
    return io::WriteNpz(path, {result.outputs.begin(), result.outputs.end()});
  }
  ATH_TRY(Tensor image, io::ReadImage(picture));
  for (const BoxResult& b : result.boxes) Draw(image, b.box);
  return io::WritePng(path, image);
}

// With several pictures, NAME.json becomes NAME.PICTURE.json.
std::string SavePath(const std::string& path, const std::string& picture, bool several) {
  if (!several || path.empty()) return path;
  const fs::path whole(path);
  return (whole.parent_path() / fmt::format("{}.{}{}", whole.stem().string(),
                                            fs::path(picture).stem().string(),
                                            whole.extension().string()))
      .string();
}

}  // namespace

Result<std::vector<std::string>> PictureFiles(const std::vector<std::string>& sources) {
  std::vector<std::string> files;
  for (const std::string& source : sources) {
    const std::size_t equals = source.find('=');
    const std::string path =
        equals != std::string::npos && !fs::exists(source) ? source.substr(equals + 1) : source;
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> inside;
    for (const auto& entry : fs::directory_iterator(path)) {
      if (entry.is_regular_file()) inside.push_back(entry.path().string());
    }
    std::sort(inside.begin(), inside.end());
    files.insert(files.end(), inside.begin(), inside.end());
  }
  if (files.empty())
    return Error(ErrorCode::kUsage, "a package runs on pictures; none is given")
        .Fix("athanor run PACKAGE.athpkg photo.jpg");
  return files;
}

Status RunPackage(const PackageRun& options, const Common& common) {
  using Clock = std::chrono::steady_clock;
  OpenedFiles::Note(options.path);
  ATH_RETURN_IF_ERROR(CheckOutput(options.save, "--save", {".json", ".npz", ".png"}));
  ATH_TRY(const package::ReadOptions access, ToReadOptions(options.access));
  ATH_TRY(const auto runner,
          PipelineRunner::Open(options.path, access,
                               {.device = options.device, .threads = options.threads}));
  ATH_TRY(const std::vector<std::string> pictures, PictureFiles(options.pictures));
  Progress progress(common, "run", static_cast<std::int64_t>(pictures.size()));
  nlohmann::json runs = nlohmann::json::array(), saved = nlohmann::json::array();
  std::string text;
  for (const std::string& picture : pictures) {
    ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(picture));
    const auto start = Clock::now();
    Result<PipelineResult> result = runner->Run(file->bytes());
    if (!result.ok()) return std::move(result).status().In(picture);
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
    progress.Advance();
    nlohmann::json json = ToJson(*result, runner->pipeline());
    json["input"] = picture;
    json["ms"] = ms;
    text += fmt::format("{}  {:.2f} ms\n{}", picture, ms, Text(*result, runner->pipeline()));
    const std::string path = SavePath(options.save, picture, pictures.size() > 1);
    if (!path.empty()) {
      ATH_RETURN_IF_ERROR(Save(path, picture, *result, json));
      saved.push_back(path);
    }
    runs.push_back(std::move(json));
  }
  progress.Finish();
  PrintText(common, text);
  for (const auto& path : saved) Say(common, "saved {}", path.get<std::string>());
  PrintJson(common, {{"package", options.path},
                     {"name", runner->package().name()},
                     {"signer", runner->package().signer()},
                     {"device", options.device},
                     {"saved", std::move(saved)},
                     {"runs", std::move(runs)}});
  const std::string with = ToText(options.access);
  if (!options.save.empty()) {
    Next(common, fmt::format("athanor serve {}{}", ShellWord(options.path), with));
    return {};
  }
  const bool detects = runner->pipeline().Find<package::Suppress>() != nullptr;
  Next(common, fmt::format("athanor run {} {}{} --save {}", ShellWord(options.path),
                           ShellWord(pictures[0]), with, detects ? "boxes.png" : "answer.json"));
  return {};
}

}  // namespace athanor::tools
