#include "tools/quantize/unused_options.h"

#include <algorithm>
#include <filesystem>

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

using Names = std::vector<std::string_view>;

// An option that leaves others without effect.
struct Leader {
  std::string name;
  bool asked = false;
  std::string does = {};  // "which ..." or "where ..."
  Names unused = {};
};

bool IsOneOf(const std::string& word, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

constexpr std::string_view kOfPixels[] = {"--mean", "--scale", "--std"};

bool IsGiven(const CommandLine& line, std::string_view name) {
  return std::ranges::any_of(line.options, [&](const auto& one) { return one.name == name; });
}

bool IsFile(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// "--calib rows.csv" where pictures are read from nowhere; "" where one of the sources may hold
// some. `endings`: of files that hold none.
std::string SourceWithout(const QuantizeRequest& request,
                          std::initializer_list<std::string_view> endings) {
  std::string name;
  for (const auto& [option, path] :
       {std::pair("--data", request.data), {"--calib", request.calib}}) {
    if (path.empty()) continue;
    if (!IsFile(path) || !IsOneOf(fs::path(path).extension().string(), endings)) return "";
    name = fmt::format("{} {}", option, path);
  }
  return name;
}

// Whatever decides most stands first.
std::vector<Leader> Leaders(const QuantizeRequest& request) {
  const std::string table = SourceWithout(request, {".csv"});
  const std::string rows = SourceWithout(request, {".csv", ".npy", ".npz"});
  const bool zeros = request.zeros_of_weights();
  return {
      {"--activations dynamic",
       request.dynamic(),
       "where all matrix products have weights of 8 bits and scales come from the data of each run",
       {"--arithmetic", "--auto", "--correct", "--float-share", "--group", "--max-drop",
        "--measured", "--method", "--ranges", "--save-table", "--table", "--tail", "--target-ratio",
        "--tune", "--weight-bits"}},
      {"--auto",
       request.climbs,
       "which chooses how many bits there are",
       {"--activations", "--arithmetic", "--float-share", "--group", "--save-table", "--table",
        "--target-ratio", "--tune", "--weight-bits"}},
      {"--weight-bits " + request.weights,
       request.halves(),
       "which rounds numbers by themselves and calibrates nothing",
       {"--activations", "--arithmetic", "--float-share", "--group", "--max-drop", "--measured",
        "--method", "--per-tensor", "--ranges", "--samples", "--save-table", "--table", "--tail",
        "--target-ratio", "--tune", "--weight-ranges"}},
      {"--target-ratio",
       request.fits_size(),
       "which chooses a step for each output channel and leaves activations in float",
       {"--activations", "--arithmetic", "--float-share", "--group", "--max-drop", "--measured",
        "--method", "--per-tensor", "--ranges", "--save-table", "--table", "--tail",
        "--weight-bits", "--weight-ranges"}},
      {"--activations float",
       request.activations == "float",
       "where weights alone become integers, in groups, and all products compute in float",
       {"--arithmetic", "--float-share", "--max-drop", "--measured", "--method", "--per-tensor",
        "--ranges", "--save-table", "--table", "--tail", "--tune", "--weight-ranges"}},
      {"--max-drop",
       !request.max_drop.empty(),
       "which keeps as many products in float as the drop asks for",
       {"--float-share"}},
      {"--arithmetic fixed31",
       request.arithmetic == "fixed31",
       "where only --max-drop returns products to float",
       {"--float-share"}},
      {"--arithmetic fixed31",
       request.arithmetic == "fixed31" && request.max_drop.empty(),
       "where only --max-drop returns products to float",
       {"--measured"}},
      {"--arithmetic fixed31",
       request.arithmetic == "fixed31" && zeros,
       "whose weights have no zero point",
       {"--weight-ranges"}},
      {"--weight-bits 4",
       request.weights == "4" && zeros,
       "whose weights have no zero point",
       {"--weight-ranges"}},
      {"--save-table " + request.save_table,
       request.save_table.ends_with(".table") && zeros,
       "which says scales of symmetric weights",
       {"--weight-ranges"}},
      {"--method " + request.method,
       IsOneOf(request.method, {"average", "mse", "entropy", "aciq"}),
       "which cuts off no share of the values",
       {"--tail"}},
      {"--data " + request.data,
       IsFile(request.data),
       "which holds its labels itself",
       {"--labels"}},
      {"--labels", !request.labels.empty(), "which say what is right", {"--agree"}},
      {rows,
       !rows.empty(),
       "whose rows go in as they lie",
       {"--bgr", "--crop", "--layout", "--resize", "--rgb"}},
      {table,
       !table.empty(),
       "which holds no pictures",
       {std::begin(kOfPixels), std::end(kOfPixels)}},
  };
}

// Options that say more about another one.
struct Follower {
  std::string_view name, needs;
  bool has = false;
  std::string_view why, fix;
};

std::vector<Follower> Followers(const QuantizeRequest& request) {
  const bool measures = !request.data.empty();
  const bool judges = measures || !request.max_drop.empty() || request.climbs;
  const bool pictures = measures || !request.calib.empty();
  constexpr std::string_view kRange = "how pixels become numbers", kData = "--data FOLDER";
  return {
      {"--agree", "--data or --max-drop", judges, "nothing is compared without", kData},
      {"--allow-overlap", "--data", measures, "rows could be in both", kData},
      {"--group", "--activations float", request.activations == "float",
       "weights have a scale for each output channel otherwise", "--activations float"},
      {"--label-offset", "--data", measures, "labels are read with it", kData},
      {"--labels", "--data", measures, "they name its pictures", kData},
      {"--limit", "--data", measures, "it counts its rows", kData},
      {"--mean", "--calib or --data", pictures, kRange, ""},
      {"--output", "--data or --max-drop", judges, "nothing is compared without", kData},
      {"--scale", "--calib or --data", pictures, kRange, ""},
      {"--std", "--calib or --data", pictures, kRange, ""},
      {"--tune", "--target-ratio", request.fits_size(), "which rounds the weights that are trained",
       "--target-ratio 8"},
  };
}

}  // namespace

Status CheckUnused(const CommandLine& line, const QuantizeRequest& request) {
  const auto given = [&line](std::string_view name) { return IsGiven(line, name); };
  for (const Leader& leader : Leaders(request)) {
    if (!leader.asked) continue;
    for (const std::string_view name : leader.unused) {
      if (given(name))
        return Error(ErrorCode::kUsage, "{} does not go with {}, {}", name, leader.name,
                     leader.does);
    }
  }
  for (const Follower& follower : Followers(request)) {
    if (follower.has || !given(follower.name)) continue;
    Status refused =
        Error(ErrorCode::kUsage, "{} needs {}: {}", follower.name, follower.needs, follower.why);
    return follower.fix.empty() ? refused : std::move(refused).Fix(std::string(follower.fix));
  }
  return {};
}

Status CheckPictureOptions(const CommandLine& line, const QuantizeRequest& request,
                           bool reads_pictures) {
  if (reads_pictures) return {};
  for (const std::string_view name : kOfPixels) {
    if (IsGiven(line, name))
      return Error(
          ErrorCode::kUsage,
          "{} does not go with {}: only arrays of bytes are taken for pixels, others go in "
          "as they are",
          name, request.calib.empty() ? "--data " + request.data : "--calib " + request.calib);
  }
  return {};
}

}  // namespace athanor::tools
