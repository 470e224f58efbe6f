#include "tools/compare_packages.h"

#include <algorithm>
#include <filesystem>

#include "api/pipeline.h"
#include "core/file.h"
#include "core/opened_files.h"
#include "io/image.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "tools/output_file.h"
#include "tools/progress.h"
#include "tools/report/charts.h"
#include "tools/report/page.h"
#include "tools/run_package.h"
#include "verify/parity.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

// One picture and what each package sees in it.
struct Seen {
  std::string path;
  std::vector<std::uint8_t> small;  // a JPEG for the report
  io::Size size;                    // of the original
  std::vector<PipelineResult> results = {};
};

// How a package compares with the first.
struct Verdict {
  std::string name;
  double max_abs = 0;
  double least_overlap = 1;  // of boxes that belong together
  std::size_t boxes = 0;
  // What it answers decides: boxes, classes, or the network's outputs where it makes neither.
  bool pass = true;
  std::string reason = {};
  // The network's outputs, which may differ in the last digits where the answers are the same.
  std::string outputs_reason = {};  // "" when they are within the tolerance
};

void Fail(Verdict& verdict, const std::string& where, const std::string& reason) {
  if (verdict.pass) verdict.reason = where + ": " + reason;
  verdict.pass = false;
}

std::string Remark(const Verdict& verdict) {
  if (!verdict.pass) return "DIFFERS: " + verdict.reason;
  if (verdict.outputs_reason.empty()) return "same";
  return "same; outputs differ: " + verdict.outputs_reason;
}

// Whether the package makes boxes or classes of the network's outputs.
bool Answers(const package::Pipeline& pipeline) {
  return pipeline.Find<package::Suppress>() != nullptr || pipeline.Find<package::TopK>() != nullptr;
}

// The names of a detector's outputs, which differ from format to format: boxes, then scores.
std::vector<std::string> RolesOf(const package::Pipeline& pipeline) {
  if (const auto* ssd = pipeline.Find<package::SsdDecode>()) return {ssd->boxes, ssd->scores};
  if (const auto* boxes = pipeline.Find<package::Boxes>()) return {boxes->boxes, boxes->scores};
  return {};
}

std::vector<std::string> NamesOf(const PipelineResult& result) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : result.outputs) names.push_back(name);
  return names;
}

// By what they are for a detector, else by name.
Result<std::vector<std::size_t>> MatchOutputs(const PipelineRunner& actual,
                                              const PipelineRunner& expected,
                                              const std::vector<std::string>& actual_names,
                                              std::vector<std::string> expected_names) {
  const std::vector<std::string> from = RolesOf(expected.pipeline()),
                                 to = RolesOf(actual.pipeline());
  for (std::string& name : expected_names) {
    const auto role = std::find(from.begin(), from.end(), name);
    if (role != from.end() && from.size() == to.size())
      name = to[static_cast<std::size_t>(role - from.begin())];
  }
  return MatchByName(expected_names, actual_names, "output");
}

void CompareOutputs(const PipelineResult& actual, const PipelineResult& expected,
                    const std::vector<std::size_t>& match, const Tolerance& tolerance,
                    const std::string& where, Verdict& verdict) {
  for (std::size_t i = 0; i < match.size(); ++i) {
    const Difference d =
        Compare(actual.outputs[match[i]].second, expected.outputs[i].second, tolerance);
    verdict.max_abs = std::max(verdict.max_abs, d.max_abs);
    if (!d.pass && verdict.outputs_reason.empty())
      verdict.outputs_reason =
          fmt::format("{}: {}: {}", where, expected.outputs[i].first, d.reason);
  }
}

// Each box belongs to the one of the same class that covers it best; each is used once.
void CompareBoxes(const PipelineResult& actual, const PipelineResult& expected, double min_overlap,
                  const std::string& where, Verdict& verdict) {
  verdict.boxes += actual.boxes.size();
  if (actual.boxes.size() != expected.boxes.size()) {
    return Fail(verdict, where,
                fmt::format("{} boxes instead of {}", actual.boxes.size(), expected.boxes.size()));
  }
  std::vector<bool> used(actual.boxes.size());
  for (const BoxResult& want : expected.boxes) {
    std::size_t best = used.size();
    double overlap = 0;
    for (std::size_t i = 0; i < used.size(); ++i) {
      const Box& box = actual.boxes[i].box;
      if (used[i] || box.label != want.box.label || Overlap(box, want.box) <= overlap) continue;
      best = i, overlap = Overlap(box, want.box);
    }
    if (best < used.size()) used[best] = true;
    verdict.least_overlap = std::min(verdict.least_overlap, overlap);
    if (overlap < min_overlap)
      Fail(verdict, where, fmt::format("a box overlaps by {:.4f} only", overlap));
  }
}

void CompareClasses(const PipelineResult& actual, const PipelineResult& expected,
                    const std::string& where, Verdict& verdict) {
  if (actual.classes.empty() || expected.classes.empty()) return;
  if (actual.classes[0].index != expected.classes[0].index) {
    Fail(verdict, where,
         fmt::format("class {} instead of {}", actual.classes[0].index, expected.classes[0].index));
  }
}

Result<std::vector<Verdict>> Judge(const PackageComparison& options,
                                   const std::vector<std::unique_ptr<PipelineRunner>>& runners,
                                   const std::vector<Seen>& pictures) {
  std::vector<Verdict> verdicts;
  for (std::size_t k = 0; k < options.packages.size(); ++k) {
    Verdict verdict = {.name = fs::path(options.packages[k]).filename().string()};
    ATH_TRY(const std::vector<std::size_t> match,
            MatchOutputs(*runners[k], *runners[0], NamesOf(pictures[0].results[k]),
                         NamesOf(pictures[0].results[0])));
    for (const Seen& seen : pictures) {
      const std::string where = fs::path(seen.path).filename().string();
      const PipelineResult &actual = seen.results[k], &expected = seen.results[0];
      CompareOutputs(actual, expected, match, options.tolerance, where, verdict);
      CompareBoxes(actual, expected, options.min_overlap, where, verdict);
      CompareClasses(actual, expected, where, verdict);
    }
    if (!Answers(runners[0]->pipeline()) && !verdict.outputs_reason.empty()) {
      verdict.pass = false;
      verdict.reason = verdict.outputs_reason;
    }
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

// For a report of some hundred kilobytes: sharp enough at the width it is shown.
Result<std::vector<std::uint8_t>> SmallJpeg(const Tensor& picture) {
  constexpr std::int64_t kWide = 520;
  const io::Size size = {std::max<std::int64_t>(1, picture.dim(0) * kWide / picture.dim(1)), kWide};
  if (picture.dim(1) <= kWide) return io::EncodeJpeg(picture);
  ATH_TRY(const Tensor small, io::Resize(picture, size));
  return io::EncodeJpeg(small, 80);
}

Result<std::vector<Seen>> Look(const PackageComparison& options, const Common& common,
                               const std::vector<std::unique_ptr<PipelineRunner>>& runners) {
  ATH_TRY(const std::vector<std::string> files, PictureFiles(options.pictures));
  Progress progress(common, "compare", std::ssize(files));
  std::vector<Seen> pictures;
  for (const std::string& path : files) {
    ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
    Result<Tensor> picture = io::DecodeImage(file->bytes());
    if (!picture.ok()) return std::move(picture).status().In(path);
    Seen seen = {.path = path, .small = {}, .size = {picture->dim(0), picture->dim(1)}};
    if (!options.report.empty()) {
      ATH_TRY(seen.small, SmallJpeg(*picture));
    }
    for (const std::unique_ptr<PipelineRunner>& runner : runners) {
      Result<PipelineResult> result = runner->Run(file->bytes());
      if (!result.ok()) return std::move(result).status().In(path);
      seen.results.push_back(*std::move(result));
    }
    pictures.push_back(std::move(seen));
    progress.Advance();
  }
  return pictures;
}

// ---- the report

constexpr const char* kColours[] = {"gold", "steel", "fire", "leaf"};

std::string What(const PipelineResult& result) {
  if (!result.classes.empty()) {
    const ClassResult& best = result.classes[0];
    return fmt::format("{} {:.1f} %", best.label.empty() ? std::to_string(best.index) : best.label,
                       100 * best.score);
  }
  return fmt::format("{} box{}", result.boxes.size(), result.boxes.size() == 1 ? "" : "es");
}

// The picture `width` wide, with the boxes of each package around those of the package before it.
Drawing Annotated(const Seen& seen, double width) {
  constexpr double kStep = 2.5;
  const double scale = width / static_cast<double>(seen.size.width);
  const double height = scale * static_cast<double>(seen.size.height);
  const std::string name = fs::path(seen.path).filename().string();
  Drawing drawing = {width, height + 24, Image(0, 0, width, height, "image/jpeg", seen.small, name),
                     name};
  for (std::size_t k = 0; k < seen.results.size(); ++k) {
    const double out = kStep * static_cast<double>(k);
    for (const BoxResult& b : seen.results[k].boxes) {
      drawing.body += Rectangle(b.box.x1 * scale - out, b.box.y1 * scale - out,
                                (b.box.x2 - b.box.x1) * scale + 2 * out,
                                (b.box.y2 - b.box.y1) * scale + 2 * out,
                                fmt::format("frame {}", kColours[k % std::size(kColours)]));
    }
  }
  drawing.body += Text(0, height + 16, name, "small strong");
  drawing.body += Text(width, height + 16, What(seen.results[0]), "small soft right");
  return drawing;
}

// The pictures beside each other, and above them whose boxes have which colour.
Drawing Gallery(const std::vector<Seen>& pictures, const std::vector<Verdict>& verdicts) {
  constexpr double kWidth = 820, kGap = 14;
  constexpr std::size_t kColumns = 3;
  constexpr double kWide = (kWidth - kGap * (kColumns - 1)) / kColumns;
  Drawing drawing = {kWidth, 0, "", "pictures with boxes"};
  double x = 0, y = 30;
  for (std::size_t k = 0; k < verdicts.size(); ++k) {
    drawing.body += Rectangle(x, 4, 14, 10, kColours[k % std::size(kColours)]);
    drawing.body += Text(x + 20, 13, verdicts[k].name, "small");
    x += TextWidth(verdicts[k].name, 11) + 44;
  }
  for (std::size_t i = 0; i < pictures.size(); i += kColumns) {
    double tall = 0;
    for (std::size_t k = i; k < std::min(i + kColumns, pictures.size()); ++k) {
      const Drawing picture = Annotated(pictures[k], kWide);
      drawing.body += Place(picture, static_cast<double>(k - i) * (kWide + kGap), y);
      tall = std::max(tall, picture.height);
    }
    y += tall + 8;
  }
  drawing.height = y;
  return drawing;
}

bool SameOutputs(const std::vector<Verdict>& verdicts) {
  return std::all_of(verdicts.begin(), verdicts.end(),
                     [](const Verdict& verdict) { return verdict.outputs_reason.empty(); });
}

std::string Command(const PackageComparison& options) {
  std::string command = "athanor compare";
  for (std::size_t i = 0; i < options.packages.size(); ++i)
    command += (i < 2 ? " " : " --and ") + ShellWord(options.packages[i]);
  for (const std::string& picture : options.pictures) command += " --input " + ShellWord(picture);
  return command + " --report " + ShellWord(options.report);
}

Status WriteReport(const PackageComparison& options, const std::vector<Seen>& pictures,
                   const std::vector<Verdict>& verdicts, bool pass) {
  Rows rows = {
      "the numbers", {"package", ">largest difference", ">boxes", ">least overlap", "verdict"}, {}};
  for (const Verdict& v : verdicts) {
    rows.rows.push_back({v.name, fmt::format("{:.2e}", v.max_abs), std::to_string(v.boxes),
                         fmt::format("{:.4f}", v.least_overlap), Remark(v)});
  }
  const std::string verdict = fmt::format(
      "{} packages on {} pictures: {}.", verdicts.size(), pictures.size(),
      !pass                   ? "they do NOT see the same"
      : SameOutputs(verdicts) ? "they see the same"
                              : "they see the same, from outputs that differ by more than "
                                "the tolerance");
  const Page page = {
      .title = "What each package sees",
      .verdict = verdict,
      .sections = {{.id = "pictures",
                    .title = "The pictures",
                    .finding = fmt::format(
                        "Outputs are compared within {:g} + {:g} |a|; boxes are the same when they "
                        "overlap by {:g} or more.",
                        options.tolerance.atol, options.tolerance.rtol, options.min_overlap),
                    .figures = {{Gallery(pictures, verdicts),
                                 "Boxes of later packages are drawn around those of the first."}},
                    .tables = {std::move(rows)},
                    .commands = {Command(options)}}},
      .environment = {{"device", options.device}}};
  return WriteFileAtomically(options.report, std::string_view(RenderPage(page)));
}

void Print(const Common& common, const PackageComparison& options,
           const std::vector<Verdict>& verdicts, std::size_t pictures, bool pass) {
  Table table({"package", ">max abs", ">boxes", ">least overlap", "verdict"});
  nlohmann::json list = nlohmann::json::array();
  for (const Verdict& v : verdicts) {
    table.Add({v.name, fmt::format("{:.3g}", v.max_abs), std::to_string(v.boxes),
               fmt::format("{:.4f}", v.least_overlap), Remark(v)});
    list.push_back({{"package", v.name},
                    {"max_abs", NumberJson(v.max_abs)},
                    {"boxes", v.boxes},
                    {"least_overlap", v.least_overlap},
                    {"pass", v.pass},
                    {"reason", v.reason},
                    {"outputs_pass", v.outputs_reason.empty()},
                    {"outputs_reason", v.outputs_reason}});
  }
  PrintText(common, table.ToString());
  Say(common, "{} over {} pictures", pass ? Green(common, "same") : Red(common, "different"),
      pictures);
  if (!options.report.empty()) Say(common, "report {}", options.report);
  PrintJson(common, {{"packages", std::move(list)},
                     {"pictures", pictures},
                     {"pass", pass},
                     {"report", options.report}});
}

}  // namespace

Status ComparePackages(const PackageComparison& options, const Common& common) {
  for (const std::string& path : options.packages) OpenedFiles::Note(path);
  ATH_RETURN_IF_ERROR(CheckOutput(options.report, "--report"));
  ATH_TRY(const package::ReadOptions access, ToReadOptions(options.access));
  std::vector<std::unique_ptr<PipelineRunner>> runners;
  for (const std::string& path : options.packages) {
    ATH_TRY(std::unique_ptr<PipelineRunner> runner,
            PipelineRunner::Open(path, access, {.device = options.device}));
    runners.push_back(std::move(runner));
  }
  ATH_TRY(const std::vector<Seen> pictures, Look(options, common, runners));
  ATH_TRY(const std::vector<Verdict> verdicts, Judge(options, runners, pictures));
  const bool pass = std::all_of(verdicts.begin(), verdicts.end(),
                                [](const Verdict& verdict) { return verdict.pass; });
  if (!options.report.empty()) ATH_RETURN_IF_ERROR(WriteReport(options, pictures, verdicts, pass));
  Print(common, options, verdicts, pictures.size(), pass);
  if (!pass) return Error(ErrorCode::kAccuracy, "the packages do not see the same");
  Next(common, fmt::format("athanor run {} {}{}", ShellWord(options.packages[0]),
                           ShellWord(pictures[0].path), ToText(options.access)));
  return {};
}

}  // namespace athanor::tools
