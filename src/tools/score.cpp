// athanor score MODEL in.csv -o out.csv: a model over a table.
#include "score/score.h"

#include <filesystem>
#include <set>

#include "core/file.h"
#include "core/opened_files.h"
#include "core/text.h"
#include "frontends/no_model.h"
#include "score/arrow_files.h"
#include "score/npy_rows.h"
#include "score/partition.h"
#include "tools/console.h"
#include "tools/input_fault.h"
#include "tools/known_values.h"
#include "tools/open_model.h"
#include "tools/output_file.h"
#include "tools/progress.h"

namespace athanor::tools {
namespace {

struct ScoreOptions {
  score::ScoreOptions score;
  std::string on_error = "fail", missing, separator, table_format;
  std::string partition, date = "today", wait, output_format = "csv";
  double wait_seconds = 3600;
  bool success = false;
};

nlohmann::json ReportJson(const ScoreOptions& options, const score::ScoreReport& report) {
  nlohmann::json bad = nlohmann::json::array();
  for (const score::BadRow& row : report.bad)
    bad.push_back({{"line", row.line}, {"reason", row.reason}});
  nlohmann::json unknown = nlohmann::json::array();
  for (const score::UnknownValues& values : report.unknown)
    unknown.push_back(
        {{"column", values.column}, {"count", values.count}, {"example", values.example}});
  return {{"model", options.score.model},
          {"input", options.score.input},
          {"output", options.score.output},
          {"rows", report.rows},
          {"bad_rows", report.bad_rows},
          {"bad", std::move(bad)},
          {"unknown_values", std::move(unknown)},
          {"resumed_rows", report.resumed_rows},
          {"columns", report.columns},
          {"seconds", report.seconds},
          {"rows_per_s", static_cast<double>(report.rows) / std::max(report.seconds, 1e-9)},
          {"threads", report.threads}};
}

Status ReadFormat(ScoreOptions& options) {
  score::TableFormat& format = options.score.format;
  const std::string& name = options.on_error;
  format.on_error = name == "skip"   ? score::OnError::kSkip
                    : name == "null" ? score::OnError::kNull
                                     : score::OnError::kFail;
  if (format.on_error == score::OnError::kFail && name != "fail" && name != "stop")
    return Error(ErrorCode::kUsage, "--on-error is fail, skip or null, not \"{}\"", name);
  const std::string extension = std::filesystem::path(options.score.input).extension().string();
  std::string table = options.table_format;
  if (table.empty()) table = extension == ".jsonl" || extension == ".ndjson" ? "jsonl" : "csv";
  format.json_lines = table == "jsonl";
  if (table != "csv" && table != "jsonl")
    return Error(ErrorCode::kUsage, "--table-format is csv or jsonl, not \"{}\"", table);
  return {};
}

// Folders that were made for what is written to them; those that are still empty at the end go
// again.
class NewFolders {
 public:
  NewFolders() = default;
  NewFolders(const NewFolders&) = delete;
  NewFolders& operator=(const NewFolders&) = delete;
  ~NewFolders() {
    std::error_code not_empty;
    for (const std::filesystem::path& folder : made_) std::filesystem::remove(folder, not_empty);
  }

  Status Make(const std::filesystem::path& folder) {
    std::error_code error;
    for (auto at = folder; !at.empty() && !std::filesystem::exists(at, error);
         at = at.parent_path())
      made_.push_back(at);
    std::filesystem::create_directories(folder, error);
    if (error) return Error(ErrorCode::kFileWrite, "{}: {}", folder.string(), error.message());
    return {};
  }

 private:
  std::vector<std::filesystem::path> made_;  // the innermost first
};

// The output is a folder of partitions: the answers are a file of the one of this date.
Status EnterPartition(ScoreOptions& options, NewFolders& folders) {
  if (options.partition.empty()) {
    if (options.output_format == "csv") return {};
    return Error(ErrorCode::kUsage, "--output-format {}: only partitions have one",
                 options.output_format)
        .Fix("-o out." + options.output_format + ", or --partition dt={date}");
  }
  if (options.score.output == "-")
    return Error(ErrorCode::kUsage, "--partition needs a folder to write to").Fix("-o FOLDER");
  const std::string& format = options.output_format;
  if (format != "csv" && format != "parquet" && format != "arrow")
    return Error(ErrorCode::kUsage, "--output-format is csv, parquet or arrow, not \"{}\"", format);
  ATH_TRY(const std::string below, score::PartitionOf(options.partition, options.date));
  const std::filesystem::path folder = std::filesystem::path(options.score.output) / below;
  ATH_RETURN_IF_ERROR(folders.Make(folder));
  options.score.output = (folder / ("part-00000." + options.output_format)).string();
  options.success = true;
  return {};
}

// Answers are csv or a file of Arrow; under the name of another format nobody would look for them.
Status CheckEnding(const std::string& output) {
  static const std::set<std::string> kOthers = {
      ".json",   ".jsonl", ".ndjson", ".npy", ".npz", ".xlsx", ".xls",  ".ods",
      ".orc",    ".avro",  ".h5",     ".pkl", ".xml", ".html", ".yaml", ".db",
      ".sqlite", ".gz",    ".zst",    ".bz2", ".xz",  ".zip"};
  std::string ending = std::filesystem::path(output).extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const bool arrow = score::IsArrowFile("answers" + ending) && !score::IsArrowFile(output);
  if (!arrow && !kOthers.contains(ending)) return {};
  std::filesystem::path name(output);
  name.replace_extension();
  if (name.extension() == ".csv") name.replace_extension();  // out.csv.gz
  return Error(ErrorCode::kUsage, "-o {}: answers are written as csv, Parquet or Arrow, not as {}",
               output, std::filesystem::path(output).extension().string())
      .Fix(fmt::format("-o {}.csv, or .parquet or .arrow", name.string()));
}

// A picture has lines as well; its first would be told as a wrong column.
Status CheckTable(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error) || score::IsNpyFile(path)) return {};
  ATH_TRY(const auto file, AsInput(MappedFile::Open(path)));
  const std::string other = KnownOtherFile(file->bytes());
  if (other.empty()) return {};
  return Error(ErrorCode::kInvalidInput, "{}: this is {}, no table", path, other)
      .Fix("athanor run MODEL FILE takes pictures, sound and arrays");
}

// Neither the answers nor the bad rows may replace the model, the table, or each other.
Status CheckResults(const ScoreOptions& options) {
  namespace fs = std::filesystem;
  const std::string output = options.score.output == "-" ? "" : options.score.output;
  const std::string& errors = options.score.errors;
  OpenedFiles::Note(options.score.model);
  OpenedFiles::Note(options.score.input);
  ATH_RETURN_IF_ERROR(CheckEnding(output));
  ATH_RETURN_IF_ERROR(CheckOutput(output));
  ATH_RETURN_IF_ERROR(CheckOutput(errors, "--errors"));
  std::error_code failed;
  if (output.empty() || errors.empty() ||
      fs::weakly_canonical(fs::absolute(output, failed), failed) !=
          fs::weakly_canonical(fs::absolute(errors, failed), failed))
    return {};
  return Error(ErrorCode::kUsage, "--errors {}: the bad rows would replace the answers", errors)
      .Fix("choose another name with --errors");
}

std::string SummaryText(const ScoreOptions& options, const score::ScoreReport& report) {
  std::string text;
  if (report.resumed_rows > 0)
    text += fmt::format("went on behind {} rows of an earlier run\n", report.resumed_rows);
  text += fmt::format("{} rows in {:.2f} s: {:.1f} thousand rows/s\n", report.rows, report.seconds,
                      static_cast<double>(report.rows) / std::max(report.seconds, 1e-9) / 1000);
  if (report.bad_rows > 0) {
    text += fmt::format("{} bad rows {}\n", report.bad_rows,
                        options.on_error == "null" ? "without an answer" : "left out");
    for (const score::BadRow& row : report.bad)
      text += fmt::format("  line {}: {}\n", row.line, row.reason);
  }
  for (const score::UnknownValues& values : report.unknown) {
    text +=
        fmt::format("column {}: {} {} that the model does not know, such as {}\n",
                    score::ShowValue(values.column, 60), values.count,
                    values.count == 1 ? "value" : "values", score::ShowValue(values.example, 60));
    if (!score::IsUtf8(values.example))
      text += "  the table is not UTF-8; is it Latin-1? iconv -f latin1 -t utf8\n";
  }
  return text;
}

Status Run(ScoreOptions options, const Common& common) {
  ATH_RETURN_IF_ERROR(ReadFormat(options));
  ATH_RETURN_IF_ERROR(CheckTable(options.score.input));
  if (common.json && options.score.output == "-")
    return Error(ErrorCode::kUsage, "--json and the answers cannot both go to the standard output")
        .Fix("-o out.csv");
  if (options.success && options.score.output == "-")
    return Error(ErrorCode::kUsage, "--success marks a file").Fix("-o out.csv");
  if (options.separator.size() > 1 ||
      options.separator.find_first_of("\"\r\n") != std::string::npos)
    return Error(ErrorCode::kUsage, "--separator is one character, no quote or line end, not {}",
                 Quote(options.separator))
        .Fix("--separator ';'");
  if (!options.wait.empty())
    ATH_RETURN_IF_ERROR(score::WaitForFile(options.wait, options.wait_seconds));
  NewFolders folders;
  ATH_RETURN_IF_ERROR(EnterPartition(options, folders));
  ATH_RETURN_IF_ERROR(CheckResults(options));
  if (options.success) ATH_RETURN_IF_ERROR(score::RemoveSuccess(options.score.output));
  if (!options.separator.empty()) options.score.format.separator = options.separator[0];
  if (!options.missing.empty()) {
    options.score.format.missing = {""};
    std::string_view words = options.missing;
    while (!words.empty()) {
      const std::size_t comma = std::min(words.find(','), words.size());
      options.score.format.missing.emplace_back(words.substr(0, comma));
      words.remove_prefix(std::min(comma + 1, words.size()));
    }
  }
  options.score.known_values = [&]() -> Result<score::KnownValues> {
    ATH_TRY(const Graph graph,
            OpenModel(options.score.model, {.format = options.score.model_format}));
    return KnownValuesOf(graph);
  };
  Progress progress(common, "score (bytes)", score::TableBytes(options.score.input));
  ATH_TRY(const score::ScoreReport report,
          score::Score(options.score, [&](std::int64_t bytes) { progress.Advance(bytes); }));
  progress.Finish();
  if (options.success) ATH_RETURN_IF_ERROR(score::WriteSuccess(options.score.output, report.rows));
  const bool to_stdout = options.score.output == "-";
  const std::string text = SummaryText(options, report);
  if (to_stdout) {
    PrintNote(common, text);
    return {};
  }
  PrintText(common, text);
  Say(common, "saved {}", options.score.output);
  PrintJson(common, ReportJson(options, report));
  Next(common, fmt::format("athanor inspect {}", ShellWord(options.score.model)));
  return {};
}

}  // namespace

std::function<Status()> ScoreTable(Arguments app, const Common& common) {
  auto options = std::make_shared<ScoreOptions>();
  app.Option("model", options->score.model, "the model file").Required();
  app.Option("--format", options->score.model_format,
             "the model's format, when it cannot be guessed");
  app.Option(
         "table", options->score.input,
         "a csv file with a first row of names, or .jsonl: an object a line, of which the first "
         "has all names; .parquet and .arrow through Python's pyarrow; - reads the standard input")
      .Required();
  app.Option("--output,-o", options->score.output,
             "the file to write: csv, or .parquet or .arrow; - is the standard output, as csv")
      .ShowDefault();
  app.Option("--keep", options->score.keep, "a column of the table to copy before the answers")
      .Repeated();
  app.Option("--drop", options->score.drop, "a column that is no feature (models of one matrix)")
      .Repeated();
  app.Option("--table-format", options->table_format, "csv or jsonl; by the file's name otherwise");
  app.Option("--on-error", options->on_error,
             "of a bad row: fail, skip it, or null: leave its answers empty")
      .ShowDefault();
  app.Option("--errors", options->score.errors, "a csv file to write the bad rows to");
  app.Flag("--resume", options->score.resume,
           "go on where a killed run of the same command ended, and let this one be resumed");
  app.Option("--partition", options->partition,
             "a folder below the output, such as dt={date}; writes part-00000.csv and _SUCCESS");
  app.Option("--output-format", options->output_format,
             "of the files of partitions: csv, parquet or arrow")
      .ShowDefault();
  app.Option("--date", options->date, "of the partition: YYYY-MM-DD, today or yesterday (UTC)")
      .ShowDefault();
  app.Flag("--success", options->success,
           "write _SUCCESS beside the answers when they are whole: rows, bytes and digest");
  app.Option("--wait", options->wait, "a file to wait for before the table is read");
  app.Option("--wait-seconds", options->wait_seconds, "how long; then exit code 4").ShowDefault();
  app.Option("--missing", options->missing,
             "words that mean a missing value, between commas (default "
             "NA,N/A,NaN,nan,null,NULL,?); an empty cell always does");
  app.Option("--separator", options->separator, "between cells; found from the first row");
  app.Device(options->score.device);
  app.Threads(options->score.threads);
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
