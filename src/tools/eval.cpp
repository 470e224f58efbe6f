// athanor eval MODEL --data DIR --labels labels.csv: how often the model is right.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/text.h"
#include "io/csv.h"
#include "runtime/session.h"
#include "tools/console.h"
#include "tools/image_options.h"
#include "tools/open_model.h"
#include "tools/progress.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

struct Options {
  ModelOptions model;
  ImageFlags image;
  std::string data, labels, task = "classify", metric = "top1", device = "cpu", output, bad_cases;
  std::int64_t label_offset = 0, limit = 0;
  int threads = 0;
  std::optional<double> min;
};

struct Row {
  std::string file;
  std::string path;  // "" when there is no such file
  std::int64_t label = 0;
};

std::size_t ColumnOf(const io::CsvReader& reader, std::span<const std::string_view> names,
                     std::size_t otherwise) {
  for (const std::string_view name : names) {
    if (const auto column = reader.Column(name)) return *column;
  }
  return otherwise;
}

// Names in the labels are relative to the folder or to its parent.
std::string Find(const fs::path& folder, const std::string& name) {
  for (const fs::path& base : {folder, (folder / "..").lexically_normal()}) {
    std::error_code error;
    if (fs::is_regular_file(base / name, error)) return (base / name).string();
  }
  return "";
}

Result<std::vector<Row>> ReadRows(const Options& options) {
  if (!fs::is_directory(options.data))
    return Error(ErrorCode::kFileNotFound, "{}: no such folder", options.data);
  ATH_TRY(io::CsvReader reader, io::CsvReader::Open(options.labels));
  constexpr std::string_view kFile[] = {"filename", "file", "image", "path"};
  constexpr std::string_view kClass[] = {"class", "label", "target"};
  const std::size_t file = ColumnOf(reader, kFile, 0), label = ColumnOf(reader, kClass, 1);
  std::vector<Row> rows;
  for (;;) {
    Result<std::optional<io::CsvRow>> next = reader.Next();
    if (!next.ok()) return std::move(next).status().In(options.labels);
    if (!*next) return rows;
    const io::CsvRow& cells = **next;
    const auto number =
        file < cells.size() && label < cells.size() ? cells[label].Number() : std::nullopt;
    if (!number || *number != static_cast<double>(static_cast<std::int64_t>(*number))) {
      return Error(ErrorCode::kInvalidInput,
                   "{}: line {}: two columns are expected, a file name and a class number",
                   options.labels, reader.line());
    }
    rows.push_back({cells[file].text, Find(options.data, cells[file].text),
                    static_cast<std::int64_t>(*number)});
  }
}

// The output that holds the scores: the one asked for, or the only one of a size that fits.
Result<std::size_t> ScoreOutput(const Graph& graph, const std::string& name) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) {
    names.push_back(graph.outputs()[i].name);
    if (names.back() == name) return i;
  }
  if (!name.empty()) {
    return Error(ErrorCode::kUnknownName, "the model has no output \"{}\"{}; it has: {}", name,
                 DidYouMean(name, names), Join(names, ", "));
  }
  if (names.size() == 1) return std::size_t{0};
  return Error(ErrorCode::kUsage, "the model has several outputs: {}", Join(names, ", "))
      .Fix("--output NAME says which holds the scores of the classes");
}

// How many classes score higher than the right one; a tie counts for the lower class number, as
// argmax has it.
Result<std::int64_t> RankOf(const Tensor& scores, std::int64_t label) {
  ATH_TRY(const std::vector<double> values, ToDoubles(scores));
  if (values.size() < 2)
    return Error(ErrorCode::kInvalidInput, "the output has {} values, not one per class",
                 values.size());
  if (label < 0 || label >= static_cast<std::int64_t>(values.size())) {
    return Error(ErrorCode::kInvalidInput, "class {} is beyond the {} classes of the model", label,
                 values.size())
        .Fix("--label-offset N is added to every class of the labels");
  }
  const double own = values[static_cast<std::size_t>(label)];
  std::int64_t rank = 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(values.size()); ++i) {
    const double other = values[static_cast<std::size_t>(i)];
    if (other > own || (other == own && i < label)) ++rank;
  }
  return rank;
}

struct Score {
  std::int64_t n = 0, top1 = 0, top5 = 0, missing = 0;
  std::string bad = "filename,class,rank\n";
};

Status ScoreRow(Session& session, const Options& options, std::size_t output, const Row& row,
                Score& score) {
  const Graph& graph = session.graph();
  ATH_TRY(Tensor input,
          ReadNetworkImage(row.path, graph.value(graph.inputs()[0]).type, options.image));
  ATH_TRY(const std::vector<Datum> outputs, session.Run({std::move(input)}));
  if (!outputs[output].IsTensor())
    return Error(ErrorCode::kInvalidInput, "the output is no tensor");
  ATH_TRY(const std::int64_t rank,
          RankOf(outputs[output].tensor(), row.label + options.label_offset));
  ++score.n;
  score.top1 += rank < 1 ? 1 : 0;
  score.top5 += rank < 5 ? 1 : 0;
  if (rank >= 1) score.bad += fmt::format("{},{},{}\n", row.file, row.label, rank + 1);
  return {};
}

Status Finish(const Options& options, const Common& common, const Score& score) {
  const auto share = [&](std::int64_t hits) {
    return static_cast<double>(hits) / static_cast<double>(score.n);
  };
  const double top1 = share(score.top1), top5 = share(score.top5);
  const double value = options.metric == "top5" ? top5 : top1;
  Say(common, "top1  {:.2f} %  ({} of {})", 100 * top1, score.top1, score.n);
  Say(common, "top5  {:.2f} %  ({} of {})", 100 * top5, score.top5, score.n);
  if (score.missing > 0) Say(common, "{} rows without a file were ignored", score.missing);
  if (!options.bad_cases.empty()) {
    ATH_RETURN_IF_ERROR(WriteFileAtomically(options.bad_cases, std::string_view(score.bad)));
    Say(common, "wrote {}", options.bad_cases);
  }
  const bool pass = !options.min || value >= *options.min;
  nlohmann::json document = {
      {"metric", options.metric}, {"value", value}, {"n", score.n}, {"top1", top1}, {"top5", top5},
      {"ignored", score.missing}, {"pass", pass}};
  if (options.min) document["min"] = *options.min;
  PrintJson(common, std::move(document));
  if (!pass) {
    return Error(ErrorCode::kAccuracy, "{} is {:.4f}; at least {:.4f} is asked for", options.metric,
                 value, *options.min);
  }
  Next(common, fmt::format("athanor bench {}", ShellWord(options.model.path)));
  return {};
}

Status Run(const Options& options, const Common& common) {
  if (options.min && std::isnan(*options.min))
    return Error(ErrorCode::kUsage, "--min: a number from 0 to 1 is expected");
  ATH_TRY(const std::vector<Row> rows, ReadRows(options));
  ATH_TRY(Graph graph, OpenModel(options.model));
  if (graph.inputs().size() != 1)
    return Error(ErrorCode::kInvalidInput, "classify needs a model with one input, this has {}",
                 graph.inputs().size());
  ATH_TRY(const std::size_t output, ScoreOutput(graph, options.output));
  ATH_TRY(
      const std::unique_ptr<Session> session,
      Session::Create(std::move(graph), {.device = options.device, .threads = options.threads}));
  Score score;
  Progress progress(common, "eval", static_cast<std::int64_t>(rows.size()));
  for (const Row& row : rows) {
    progress.Advance();
    if (options.limit > 0 && score.n >= options.limit) break;
    if (row.path.empty()) {
      ++score.missing;
      continue;
    }
    Status status = ScoreRow(*session, options, output, row, score);
    if (!status.ok()) return std::move(status).In(row.file);
  }
  progress.Finish();
  if (score.n == 0) {
    return Error(ErrorCode::kInvalidInput,
                 "none of the {} files named in {} is in {} or its parent", rows.size(),
                 options.labels, options.data);
  }
  return Finish(options, common, score);
}

}  // namespace

std::function<Status()> Eval(CLI::App& app, const Common& common) {
  auto options = std::make_shared<Options>();
  AddModelOptions(app, options->model);
  app.add_option("--data", options->data, "the folder of the pictures")->required();
  app.add_option("--labels", options->labels, "a table with columns filename, class")->required();
  app.add_option("--task", options->task, "classify")->check(CLI::IsMember({"classify"}));
  app.add_option("--metric", options->metric, "top1 or top5: the value of the gate and of --json")
      ->check(CLI::IsMember({"top1", "top5"}));
  app.add_option("--output", options->output, "the output with the scores");
  app.add_option("--label-offset", options->label_offset, "added to every class of the labels");
  app.add_option("--limit", options->limit, "stop after this many pictures")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--min", options->min, "exit with 3 when the metric is below this (0..1)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--bad-cases", options->bad_cases, "write the wrong ones to this .csv file");
  app.add_option("--device", options->device, "cpu or reference")->capture_default_str();
  app.add_option("--threads", options->threads, "0: one per core")->check(CLI::Range(0, 1024));
  AddImageOptions(app, options->image);
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
