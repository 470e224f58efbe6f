// athanor score MODEL in.csv -o out.csv: a model over a table.
#include "score/score.h"

#include "core/text.h"
#include "tools/console.h"
#include "tools/output_file.h"
#include "tools/progress.h"

namespace athanor::tools {
namespace {

struct ScoreOptions {
  score::ScoreOptions score;
  std::string on_error = "stop", missing, separator;
};

nlohmann::json ReportJson(const ScoreOptions& options, const score::ScoreReport& report) {
  nlohmann::json bad = nlohmann::json::array();
  for (const score::BadRow& row : report.bad)
    bad.push_back({{"line", row.line}, {"reason", row.reason}});
  return {{"model", options.score.model},
          {"input", options.score.input},
          {"output", options.score.output},
          {"rows", report.rows},
          {"bad_rows", report.bad_rows},
          {"bad", std::move(bad)},
          {"columns", report.columns},
          {"seconds", report.seconds},
          {"rows_per_s", static_cast<double>(report.rows) / std::max(report.seconds, 1e-9)},
          {"threads", report.threads}};
}

Status Run(ScoreOptions options, const Common& common) {
  if (options.on_error != "skip" && options.on_error != "stop")
    return Error(ErrorCode::kUsage, "--on-error is skip or stop, not \"{}\"", options.on_error);
  if (common.json && options.score.output == "-")
    return Error(ErrorCode::kUsage, "--json and the answers cannot both go to the standard output")
        .Fix("-o out.csv");
  if (options.separator.size() > 1)
    return Error(ErrorCode::kUsage, "--separator is one character, not \"{}\"", options.separator);
  if (options.score.output != "-") ATH_RETURN_IF_ERROR(CheckOutput(options.score.output));
  options.score.skip_bad_rows = options.on_error == "skip";
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
  Progress progress(common, "score (bytes)", score::TableBytes(options.score.input));
  ATH_TRY(const score::ScoreReport report,
          score::Score(options.score, [&](std::int64_t bytes) { progress.Advance(bytes); }));
  progress.Finish();
  const bool to_stdout = options.score.output == "-";
  std::string text =
      fmt::format("{} rows in {:.2f} s: {:.1f} thousand rows/s\n", report.rows, report.seconds,
                  static_cast<double>(report.rows) / std::max(report.seconds, 1e-9) / 1000);
  if (report.bad_rows > 0) {
    text += fmt::format("{} bad rows left out\n", report.bad_rows);
    for (const score::BadRow& row : report.bad)
      text += fmt::format("  line {}: {}\n", row.line, row.reason);
  }
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
  app.Option("table", options->score.input,
             "a csv file with a first row of names; - reads the standard input")
      .Required();
  app.Option("--output,-o", options->score.output,
             "the csv file to write; - is the standard output")
      .ShowDefault();
  app.Option("--keep", options->score.keep, "a column of the table to copy before the answers")
      .Repeated();
  app.Option("--drop", options->score.drop, "a column that is no feature (models of one matrix)")
      .Repeated();
  app.Option("--on-error", options->on_error, "of a bad row: stop, or skip and count it")
      .ShowDefault();
  app.Option("--missing", options->missing,
             "words that mean a missing value, between commas (default "
             "NA,N/A,NaN,nan,null,NULL,?); an empty cell always does");
  app.Option("--separator", options->separator, "between cells; found from the first row");
  app.Device(options->score.device);
  app.Threads(options->score.threads);
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
