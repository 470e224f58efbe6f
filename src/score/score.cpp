#include "score/score.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

#include "core/digest.h"
#include "core/file.h"
#include "core/output_path.h"
#include "core/text.h"
#include "io/column_names.h"
#include "score/arrow_files.h"
#include "score/checkpoint.h"
#include "score/json_rows.h"
#include "score/row_model.h"
#include "score/sink.h"

namespace athanor::score {
namespace {

constexpr std::size_t kMostReported = 20;

// What a run writes: answers, bad rows, and how far it has come.
class Output {
 public:
  // Where a killed run of the same key ended; otherwise the begin. Nothing is kept then.
  static Result<Output> Open(const ScoreOptions& options, const RowModel& model,
                             std::uint64_t key) {
    Checkpoint at;
    if (options.resume) {
      ATH_RETURN_IF_ERROR(OutputTarget(ProgressOf(options)).status());
      const std::optional<Checkpoint> found = ReadCheckpoint(ProgressOf(options));
      const bool whole =
          found && found->key == key && Sink::Kept(options.output).value_or(0) >= found->wrote &&
          (options.errors.empty() || Sink::Kept(options.errors).value_or(0) >= found->wrote_errors);
      if (whole) at = *found;
    }
    at.key = key;
    const auto open = [&](const std::string& path, std::uint64_t bytes) {
      return options.resume ? Sink::Resume(path, bytes) : Sink::Open(path);
    };
    const auto open_answers = [&]() -> Result<Sink> {
      if (!IsArrowFile(options.output)) return open(options.output, at.wrote);
      const bool typed = !options.keep.empty() && IsArrowFile(options.input);
      return Sink::OpenArrow({.path = options.output,
                              .target = {},
                              .source = typed ? options.input : "",
                              .num_kept = options.keep.size(),
                              .types = model.AnswerTypes()});
    };
    ATH_TRY(Sink answers, open_answers());
    Output output(options, at, std::move(answers));
    if (options.errors.empty()) return output;
    ATH_TRY(Sink errors, open(options.errors, at.wrote_errors));
    output.errors_.emplace(std::move(errors));
    if (at.wrote_errors == 0) ATH_RETURN_IF_ERROR(output.errors_->Write("line,reason,row\n"));
    return output;
  }

  // Where the run began.
  const Checkpoint& begin() const { return begin_; }
  bool empty() const { return answers_.bytes() == 0; }
  Status Write(std::string_view text) { return answers_.Write(text); }

  Status WriteBad(const BadRow& bad) {
    if (!errors_) return {};
    std::string text = fmt::format("{},", bad.line);
    AppendCell(bad.reason, text);
    text += ',';
    AppendCell(bad.row, text);
    return errors_->Write(text + "\n");
  }

  // Now and then, after a block that ends there: soon for the first time, so that a short run that
  // is killed need not begin anew either.
  Status Note(std::uint64_t read, std::uint64_t line, const ScoreReport& report) {
    const auto now = Clock::now();
    const Seconds soon = Seconds(0.05) + (noted_ - began_);
    if (!options_.resume || now - noted_ < std::min(Seconds(options_.checkpoint_seconds), soon))
      return {};
    noted_ = now;
    ATH_RETURN_IF_ERROR(answers_.Sync());
    if (errors_) ATH_RETURN_IF_ERROR(errors_->Sync());
    return WriteCheckpoint(ProgressOf(options_), {.key = begin_.key,
                                                  .read = read,
                                                  .line = line,
                                                  .wrote = answers_.bytes(),
                                                  .wrote_errors = errors_ ? errors_->bytes() : 0,
                                                  .rows = report.rows,
                                                  .bad_rows = report.bad_rows});
  }

  Status Commit() {
    if (errors_) ATH_RETURN_IF_ERROR(errors_->Commit());
    ATH_RETURN_IF_ERROR(answers_.Commit());
    std::error_code ignored;  // a record without its .part file is not followed
    if (options_.resume) std::filesystem::remove(ProgressOf(options_), ignored);
    return {};
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;

  Output(const ScoreOptions& options, const Checkpoint& begin, Sink answers)
      : options_(options), begin_(begin), answers_(std::move(answers)) {}

  static std::string ProgressOf(const ScoreOptions& options) {
    return options.output + ".progress";
  }

  const ScoreOptions& options_;
  Checkpoint begin_;
  Sink answers_;
  std::optional<Sink> errors_;
  Clock::time_point began_ = Clock::now(), noted_ = began_;
};

// Csv and JSON lines: what others are is printed as csv on the way.
bool IsText(const std::string& path) { return !IsArrowFile(path) && !IsNpyFile(path); }

// Of all that the answers depend on.
Result<std::uint64_t> KeyOf(const ScoreOptions& options) {
  std::error_code error;
  const auto changed = std::filesystem::last_write_time(options.input, error);
  if (error || !std::filesystem::is_regular_file(options.input))
    return Error(ErrorCode::kUsage, "a run over {} cannot be resumed: it is no file",
                 options.input == "-" ? "the standard input" : options.input);
  if (options.output == "-")
    return Error(ErrorCode::kUsage, "a run to the standard output cannot be resumed")
        .Fix("-o out.csv");
  for (const std::string& path : {options.input, options.output}) {
    if (!IsText(path))
      return Error(ErrorCode::kUsage,
                   "a run over {} cannot be resumed: only csv and JSON lines go on "
                   "from a byte",
                   path);
  }
  ATH_TRY(const std::shared_ptr<const MappedFile> model, MappedFile::Open(options.model));
  const TableFormat& format = options.format;
  std::string text =
      fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}", Digest64(model->bytes()), options.model_format,
                  std::filesystem::absolute(options.input).string(), TableBytes(options.input),
                  changed.time_since_epoch().count(), options.device, format.json_lines,
                  static_cast<int>(format.on_error), format.separator);
  for (const auto* list : {&options.keep, &options.drop, &format.missing})
    text += "|" + Join(*list, "\n");
  text += "|" + options.errors;
  return Digest64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// The work shared by the threads: blocks are read in order, scored by whoever took them, and
// written in order. As many blocks are in memory as there are threads.
class Pipeline {
 public:
  Pipeline(const ScoreOptions& options, const RowModel& model, const TableParser& parser,
           const KnownValues& known, std::vector<std::string> kept, RowBlocks& blocks,
           Output& output, ScoreReport& report, const std::function<void(std::int64_t)>& progress)
      : options_(options),
        model_(model),
        parser_(parser),
        known_(known),
        kept_(std::move(kept)),
        blocks_(blocks),
        output_(output),
        report_(report),
        progress_(progress) {}

  Status Run(int threads) {
    std::vector<std::thread> workers;
    for (int i = 1; i < threads; ++i) workers.emplace_back([this] { Work(); });
    Work();
    for (std::thread& worker : workers) worker.join();
    if (status_.ok() && report_.columns.empty()) {
      ATH_TRY(const std::vector<std::string> columns, model_.AnswerColumns());
      return WriteHeader(columns);
    }
    return status_;
  }

 private:
  // What a worker needs for one block after the other; the memory stays.
  struct Desk {
    ParsedBlock parsed = {};
    std::vector<std::string> columns = {};  // of the answers
    std::string text = "";
  };

  // An exception would end the process: that there is no memory is a reason like another.
  void Work() {
    std::size_t number = 0;  // of the block at hand
    try {
      WorkOn(number);
    } catch (const std::bad_alloc&) {
      Finish(number, Error(ErrorCode::kResource, "a block of rows needs more memory than there is")
                         .In(options_.input)
                         .Fix("fewer columns, fewer --threads, or --on-error skip: with null every "
                              "bad line is a row"));
    }
  }

  void WorkOn(std::size_t& number) {
    Desk desk;
    for (;;) {
      std::optional<RowBlock> block;
      {
        const std::scoped_lock lock(read_mutex_);
        if (stopped_) return;
        number = next_to_read_++;
        Result<std::optional<RowBlock>> next = blocks_.Next(std::move(desk.parsed.text));
        if (!next.ok()) return Finish(number, std::move(next).status().In(options_.input));
        if (!*next) return;
        block = *std::move(next);
      }
      const auto bytes = static_cast<std::int64_t>(block->text.size());
      Status status = ScoreBlock(number, *std::move(block), desk);
      if (!status.ok()) return;
      if (progress_) progress_(bytes);
    }
  }

  // Ends the work with this status, unless an earlier block ended it before.
  void Finish(std::size_t number, Status status) {
    std::unique_lock lock(write_mutex_);
    turn_.wait(lock, [&] { return next_to_write_ >= number || stopped_; });
    if (!stopped_) status_ = std::move(status);
    stopped_ = true;
    turn_.notify_all();
  }

  Status ScoreBlock(std::size_t number, RowBlock block, Desk& desk) {
    const std::uint64_t end = block.end, next_line = block.next_line;
    parser_.Parse(std::move(block), desk.parsed);
    std::vector<UnknownValues> unknown;
    CountUnknown(desk.parsed, known_, unknown);
    Status status = model_.Run(desk.parsed, kept_.size(), desk.columns, desk.text);
    std::unique_lock lock(write_mutex_);
    turn_.wait(lock, [&] { return next_to_write_ == number || stopped_; });
    if (stopped_) return Error(ErrorCode::kCancelled, "another block failed");
    AddUnknown(unknown, report_.unknown);
    if (status.ok()) status = Add(desk.parsed, desk.text, desk.columns);
    if (status.ok()) status = output_.Note(end, next_line, report_);
    if (!status.ok()) {
      status_ = status;
      stopped_ = true;
    }
    ++next_to_write_;
    turn_.notify_all();
    return status;
  }

  // In order, one block at a time.
  Status Add(const ParsedBlock& parsed, std::string_view text,
             const std::vector<std::string>& columns) {
    for (const BadRow& bad : parsed.bad) {
      if (options_.format.on_error == OnError::kFail) {
        return Error(ErrorCode::kInvalidInput, "line {}: {}", bad.line, bad.reason)
            .In(options_.input)
            .Fix(bad.fix + (bad.fix.empty() ? "" : "; ") +
                 "--on-error skip leaves such rows out and counts them");
      }
      ATH_RETURN_IF_ERROR(output_.WriteBad(bad));
      ++report_.bad_rows;
      if (report_.bad.size() < kMostReported) report_.bad.push_back(bad);
    }
    if (parsed.rows == 0) return {};
    if (report_.columns.empty()) ATH_RETURN_IF_ERROR(WriteHeader(columns));
    report_.rows += static_cast<std::int64_t>(parsed.rows);
    return output_.Write(text);
  }

  Status WriteHeader(const std::vector<std::string>& columns) {
    report_.columns = kept_;
    report_.columns.insert(report_.columns.end(), columns.begin(), columns.end());
    std::string header;
    for (const std::string& name : report_.columns) {
      if (!header.empty()) header += ',';
      AppendCell(name, header);
    }
    // A run that goes on wrote it before.
    return output_.empty() ? output_.Write(header + "\n") : Status();
  }

  const ScoreOptions& options_;
  const RowModel& model_;
  const TableParser& parser_;
  const KnownValues& known_;
  const std::vector<std::string> kept_;
  RowBlocks& blocks_;
  Output& output_;
  ScoreReport& report_;
  const std::function<void(std::int64_t)>& progress_;

  std::mutex read_mutex_;  // guards blocks_ and next_to_read_
  std::size_t next_to_read_ = 0;
  std::mutex write_mutex_;  // guards what follows, the sink and the report
  std::condition_variable turn_;
  std::size_t next_to_write_ = 0;
  std::atomic<bool> stopped_ = false;
  Status status_;
};

struct Header {
  char separator = ',';
  std::vector<std::string> names;
};

Result<Header> ReadHeader(RowBlocks& blocks, const TableFormat& format) {
  ATH_TRY(std::optional<std::string> row, blocks.Header(!format.json_lines));
  if (!row && format.json_lines)
    return Error(ErrorCode::kInvalidInput, "the table is empty: an object a line is expected");
  if (!row)
    return Error(ErrorCode::kInvalidInput, "the table is empty: a first row of names is expected");
  Header header;
  if (format.json_lines) {
    Result<std::vector<std::string>> names = MemberNames(*row);
    if (!names.ok()) return std::move(names).status().In("line 1");
    header.names = *std::move(names);
    return header;
  }
  header.separator = format.separator != 0 ? format.separator : GuessSeparator(*row);
  const std::size_t length = row->size();
  row->push_back('\0');
  std::vector<Cell> cells;
  ATH_RETURN_IF_ERROR(SplitRow(row->data(), row->data() + length, header.separator, cells));
  for (const Cell& cell : cells) header.names.emplace_back(cell.text);
  return header;
}

Result<RowBlocks> OpenTable(const ScoreOptions& options, const RowModel& model) {
  if (IsNpyFile(options.input)) {
    ATH_TRY(NpyRows array, NpyRows::Open(options.input, model.ColumnNames()));
    return RowBlocks::Of(std::move(array), options.block_bytes);
  }
  if (!IsArrowFile(options.input)) return RowBlocks::Open(options.input, options.block_bytes);
  std::vector<std::string> columns = model.ColumnNames();
  if (!columns.empty()) columns.insert(columns.end(), options.keep.begin(), options.keep.end());
  ATH_TRY(ChildProcess reader, ReadArrowFile(options.input, columns));
  return RowBlocks::Of(std::move(reader), options.block_bytes);
}

}  // namespace

std::int64_t TableBytes(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error || !IsText(path) ? 0 : static_cast<std::int64_t>(size);
}

Result<ScoreReport> Score(const ScoreOptions& options,
                          const std::function<void(std::int64_t)>& progress) {
  using Clock = std::chrono::steady_clock;
  ScoreReport report;
  report.threads = options.threads > 0
                       ? options.threads
                       : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  ATH_TRY(const RowModel model, RowModel::Load({.model = options.model,
                                                .model_format = options.model_format,
                                                .device = options.device,
                                                .threads = 1}));
  const auto start = Clock::now();
  ATH_TRY(RowBlocks blocks, OpenTable(options, model));
  TableFormat format = options.format;
  if (!IsText(options.input)) format.json_lines = false, format.separator = ',';
  bool has_texts = false;
  const auto prepare = [&]() -> Result<TableParser> {
    ATH_TRY(const Header header, ReadHeader(blocks, format));
    ATH_TRY(std::vector<Column> columns, model.Bind(header.names, options.drop));
    ATH_TRY(std::vector<std::size_t> kept, io::FindColumns(header.names, options.keep));
    has_texts = std::any_of(columns.begin(), columns.end(),
                            [](const Column& c) { return c.dtype == DType::kString; });
    blocks.set_separator(header.separator);
    if (format.json_lines) blocks.set_plain_lines();
    format.separator = header.separator;
    return TableParser(format, header.names, std::move(columns), std::move(kept),
                       {.matrix = model.ReadsOneMatrix()});
  };
  Result<TableParser> parser = prepare();
  if (!parser.ok()) return std::move(parser).status().In(options.input);
  std::uint64_t key = 0;
  if (options.resume) {
    ATH_TRY(key, KeyOf(options));
  }
  ATH_TRY(Output output, Output::Open(options, model, key));
  if (const Checkpoint& begin = output.begin(); begin.read > 0) {
    ATH_RETURN_IF_ERROR(blocks.Seek(begin.read, begin.line));
    report.rows = report.resumed_rows = begin.rows;
    report.bad_rows = begin.bad_rows;
    if (progress) progress(static_cast<std::int64_t>(begin.read));
  }
  KnownValues known;
  if (has_texts && !model.ColumnNames().empty() && options.known_values) {
    ATH_TRY(known, options.known_values());
  }
  Pipeline pipeline(options, model, *parser, known, options.keep, blocks, output, report, progress);
  ATH_RETURN_IF_ERROR(pipeline.Run(report.threads));
  ATH_RETURN_IF_ERROR(output.Commit());
  report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return report;
}

}  // namespace athanor::score
