#include "tools/inside.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/file.h"
#include "core/text.h"
#include "io/npy.h"
#include "runtime/own_memory.h"
#include "tools/console.h"
#include "tools/describe.h"
#include "verify/trace.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAll = "all";
constexpr double kLargestHalf = 65504;

struct ValueRange {
  std::string name, op, type;
  Statistics numbers;
  std::int64_t nan = 0, infinite = 0;
  std::vector<std::string> inputs;
};

ValueRange RangeOf(const TracedValue& value) {
  ValueRange range = {.name = value.name,
                      .op = value.op,
                      .type = Type::Of(value.datum).ToString(),
                      .numbers = {},
                      .inputs = {}};
  for (const TracedInput& input : value.inputs) range.inputs.push_back(input.name);
  if (!value.datum.IsTensor()) return range;
  const Result<std::vector<double>> numbers = ToDoubles(value.datum.tensor());
  if (!numbers.ok()) return range;
  range.numbers = StatisticsOf(*numbers);
  range.nan = std::count_if(numbers->begin(), numbers->end(),
                            [](double number) { return std::isnan(number); });
  range.infinite = range.numbers.not_finite - range.nan;
  return range;
}

std::string NotFinite(const ValueRange& range) {
  std::vector<std::string> parts;
  if (range.nan > 0) parts.push_back(fmt::format("{} NaN", range.nan));
  if (range.infinite > 0) parts.push_back(fmt::format("{} infinite", range.infinite));
  return Join(parts, ", ");
}

// Where a value would not fit into 16 bits.
bool ExceedsHalf(const ValueRange& range) {
  return std::max(std::fabs(range.numbers.min), std::fabs(range.numbers.max)) > kLargestHalf;
}

// A name as a file of a folder, each once.
class FileNames {
 public:
  std::string For(const std::string& name) {
    std::string plain;
    for (const char c : name.substr(0, kLongest)) {
      const bool keep = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
      plain += keep ? c : '_';
    }
    if (plain.empty() || plain[0] == '.') plain = "_" + plain;
    std::string file = plain;
    for (int i = 2; !taken_.insert(file).second; ++i) file = fmt::format("{}-{}", plain, i);
    return file + ".npy";
  }

 private:
  static constexpr std::size_t kLongest = 120;
  std::set<std::string> taken_;
};

// Takes the values of one run as they come.
class Looker {
 public:
  explicit Looker(const InsideOptions& options) : options_(options) {
    if (options.dump.empty()) return;
    node_ = options.dump[0];
    to_ = options.dump[1];
  }

  Status Prepare() const {
    if (to_.empty() || to_archive()) return {};
    std::error_code error;
    fs::create_directories(to_, error);
    if (error) return Error(ErrorCode::kFileWrite, "{}: {}", to_, error.message());
    return {};
  }

  void See(const TracedValue& value) {
    if (options_.watch) ranges_.push_back(RangeOf(value));
    if (to_.empty() || !problem_.ok()) return;
    names_.push_back(value.name);
    if (node_ == kAll || node_ == value.name || node_ == value.node) problem_ = Write(value);
  }

  // Writes what is left, once the run is over.
  Status Finish() {
    ATH_RETURN_IF_ERROR(problem_);
    if (to_.empty()) return {};
    if (files_.empty()) {
      return Error(ErrorCode::kUnknownName, "no value or node {} is written by this device{}",
                   Quote(node_), DidYouMean(node_, names_))
          .Fix("--device reference runs, and shows, every node on its own");
    }
    if (to_archive()) return io::WriteNpz(to_, arrays_);
    return WriteFileAtomically(
        (fs::path(to_) / "values.json").string(),
        std::string_view(files_.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) +
                         "\n"));
  }

  void Print(const Common& common, nlohmann::json& document) const {
    if (options_.watch) PrintRanges(common, document);
    if (to_.empty()) return;
    Say(common, "dumped {} value{} to {}", files_.size(), files_.size() == 1 ? "" : "s", to_);
    document["dumped"] = files_;
  }

 private:
  bool to_archive() const { return to_.ends_with(".npz"); }

  Status Write(const TracedValue& value) {
    if (!value.datum.IsTensor()) return {};
    nlohmann::json row = {{"name", value.name},
                          {"node", value.node},
                          {"op", value.op},
                          {"type", Type::Of(value.datum).ToString()}};
    if (to_archive()) {
      ATH_TRY(const Datum copy, Copy(value.datum));
      arrays_.emplace_back(value.name, copy.tensor());
    } else {
      row["file"] = file_names_.For(value.name);
      ATH_RETURN_IF_ERROR(io::WriteNpy((fs::path(to_) / row["file"].get<std::string>()).string(),
                                       value.datum.tensor()));
    }
    files_.push_back(std::move(row));
    return {};
  }

  void PrintRanges(const Common& common, nlohmann::json& document) const {
    Table table({"value", "operator", "type", ">min", ">max", ">mean", "remark"});
    nlohmann::json rows = nlohmann::json::array();
    for (const ValueRange& range : ranges_) {
      const std::string bad = NotFinite(range);
      const std::string remark = !bad.empty()         ? Red(common, bad)
                                 : ExceedsHalf(range) ? "exceeds f16"
                                                      : "";
      table.Add({Shorten(range.name, 40), Shorten(range.op, 24), range.type,
                 fmt::format("{:.4g}", range.numbers.min), fmt::format("{:.4g}", range.numbers.max),
                 fmt::format("{:.4g}", range.numbers.mean), remark});
      rows.push_back({{"name", range.name},
                      {"op", range.op},
                      {"type", range.type},
                      {"min", NumberJson(range.numbers.min)},
                      {"max", NumberJson(range.numbers.max)},
                      {"mean", NumberJson(range.numbers.mean)},
                      {"nan", range.nan},
                      {"infinite", range.infinite}});
    }
    PrintText(common, table.ToString());
    const auto first = std::find_if(ranges_.begin(), ranges_.end(), [](const ValueRange& range) {
      return range.numbers.not_finite > 0;
    });
    document["watch"] = {{"values", std::move(rows)}, {"first_not_finite", nullptr}};
    if (first == ranges_.end()) {
      Say(common, "{}: no NaN and no infinity in {} values", Green(common, "finite"),
          ranges_.size());
      return;
    }
    document["watch"]["first_not_finite"] = first->name;
    Say(common, "first not finite: {} ({}), {}; computed from {}", Red(common, first->name),
        first->op, NotFinite(*first), Shorten(Join(first->inputs, ", "), 100));
  }

  const InsideOptions& options_;
  std::string node_, to_;  // to_ is empty without --dump
  std::vector<ValueRange> ranges_;
  std::vector<std::string> names_;
  io::NamedTensors arrays_;
  FileNames file_names_;
  nlohmann::json files_ = nlohmann::json::array();
  Status problem_;
};

}  // namespace

void AddInsideOptions(Arguments app, InsideOptions& options) {
  app.Flag("--watch", options.watch,
           "show the range of every value inside, and the first that is NaN or infinite");
  app.Option("--dump", options.dump,
             "NODE DIR: write what this node gives, or \"all\" of them, as .npy into a folder or "
             "into one .npz")
      .Words(2);
}

Status LookInside(const InsideOptions& options, const Common& common, Graph graph,
                  const SessionOptions& session, std::vector<Datum> inputs,
                  nlohmann::json& document) {
  Looker looker(options);
  ATH_RETURN_IF_ERROR(looker.Prepare());
  const Status ran = RunTraced(std::move(graph), std::move(inputs),
                               {.session = session,
                                .keep = false,
                                .seen = [&](const TracedValue& value) { looker.See(value); }})
                         .status();
  const Status written = looker.Finish();
  if (written.ok()) looker.Print(common, document);
  ATH_RETURN_IF_ERROR(ran);  // it explains more than that a node was not reached
  return written;
}

}  // namespace athanor::tools
