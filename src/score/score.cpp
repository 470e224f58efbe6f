#include "score/score.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>

#include "core/file.h"
#include "core/text.h"
#include "score/row_model.h"

namespace athanor::score {
namespace {

constexpr std::size_t kMostReported = 20;

// Where the answers go: beside the file's name until they are whole, or to the standard output.
class Sink {
 public:
  static Result<Sink> Open(const std::string& path) {
    Sink sink;
    if (path == "-") return sink;
    ATH_TRY(PartialFile file, PartialFile::For(path));
    sink.partial_.emplace(std::move(file));
    sink.stream_.open(sink.partial_->name(), std::ios::binary | std::ios::trunc);
    if (!sink.stream_) return Error(ErrorCode::kFileWrite, "{}: {}", path, std::strerror(errno));
    return sink;
  }

  Status Write(std::string_view text) {
    if (partial_) {
      stream_.write(text.data(), static_cast<std::streamsize>(text.size()));
      if (!stream_) return Error(ErrorCode::kFileWrite, "cannot write: {}", std::strerror(errno));
      return {};
    }
    while (!text.empty()) {
      const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error(ErrorCode::kFileWrite, "cannot write: {}", std::strerror(errno));
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }

  Status Commit() {
    if (!partial_) return {};
    stream_.close();
    if (!stream_) return Error(ErrorCode::kFileWrite, "cannot write: {}", std::strerror(errno));
    return partial_->Commit();
  }

 private:
  std::optional<PartialFile> partial_;
  std::ofstream stream_;
};

// The work shared by the threads: blocks are read in order, scored by whoever took them, and
// written in order. As many blocks are in memory as there are threads.
class Pipeline {
 public:
  Pipeline(const ScoreOptions& options, const RowModel& model, const TableParser& parser,
           std::vector<std::string> kept, RowBlocks& blocks, Sink& sink, ScoreReport& report,
           const std::function<void(std::int64_t)>& progress)
      : options_(options),
        model_(model),
        parser_(parser),
        kept_(std::move(kept)),
        blocks_(blocks),
        sink_(sink),
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
  void Work() {
    for (;;) {
      std::size_t number = 0;
      std::optional<RowBlock> block;
      {
        const std::scoped_lock lock(read_mutex_);
        if (stopped_) return;
        Result<std::optional<RowBlock>> next = blocks_.Next();
        number = next_to_read_++;
        if (!next.ok()) return Finish(number, std::move(next).status());
        if (!*next) return;
        block = *std::move(next);
      }
      const auto bytes = static_cast<std::int64_t>(block->text.size());
      Status status = ScoreBlock(number, *std::move(block));
      if (!status.ok()) return;
      if (progress_) progress_(bytes);
    }
  }

  // Ends the work with this status, unless an earlier block ended it before.
  void Finish(std::size_t number, Status status) {
    std::unique_lock lock(write_mutex_);
    turn_.wait(lock, [&] { return next_to_write_ == number || stopped_; });
    if (!stopped_) status_ = std::move(status);
    stopped_ = true;
    turn_.notify_all();
  }

  Status ScoreBlock(std::size_t number, RowBlock block) {
    ParsedBlock parsed = parser_.Parse(std::move(block));
    std::vector<std::string> columns;
    Result<std::string> text = model_.Run(parsed, kept_.size(), columns);
    std::unique_lock lock(write_mutex_);
    turn_.wait(lock, [&] { return next_to_write_ == number || stopped_; });
    if (stopped_) return Error(ErrorCode::kCancelled, "another block failed");
    Status status = text.ok() ? Add(parsed, *text, columns) : std::move(text).status();
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
      if (!options_.skip_bad_rows) {
        return Error(ErrorCode::kInvalidInput, "line {}: {}", bad.line, bad.reason)
            .In(options_.input)
            .Fix("--on-error skip leaves such rows out and counts them");
      }
      ++report_.bad_rows;
      if (report_.bad.size() < kMostReported) report_.bad.push_back(bad);
    }
    if (parsed.rows == 0) return {};
    if (report_.columns.empty()) ATH_RETURN_IF_ERROR(WriteHeader(columns));
    report_.rows += static_cast<std::int64_t>(parsed.rows);
    return sink_.Write(text);
  }

  Status WriteHeader(const std::vector<std::string>& columns) {
    report_.columns = kept_;
    report_.columns.insert(report_.columns.end(), columns.begin(), columns.end());
    std::string header;
    for (const std::string& name : report_.columns) {
      if (!header.empty()) header += ',';
      AppendCell(name, header);
    }
    return sink_.Write(header + "\n");
  }

  const ScoreOptions& options_;
  const RowModel& model_;
  const TableParser& parser_;
  const std::vector<std::string> kept_;
  RowBlocks& blocks_;
  Sink& sink_;
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

Result<Header> ReadHeader(RowBlocks& blocks, char separator) {
  ATH_TRY(std::optional<std::string> row, blocks.Header());
  if (!row)
    return Error(ErrorCode::kInvalidInput, "the table is empty: a first row of names is expected");
  Header header = {.separator = separator != 0 ? separator : GuessSeparator(*row), .names = {}};
  const std::size_t length = row->size();
  row->push_back('\0');
  std::vector<Cell> cells;
  ATH_RETURN_IF_ERROR(SplitRow(row->data(), row->data() + length, header.separator, cells));
  for (const Cell& cell : cells) header.names.emplace_back(cell.text);
  return header;
}

Result<std::vector<std::size_t>> Positions(const std::vector<std::string>& header,
                                           const std::vector<std::string>& names) {
  std::vector<std::size_t> positions;
  for (const std::string& name : names) {
    const auto found = std::find(header.begin(), header.end(), name);
    if (found == header.end()) {
      return Error(ErrorCode::kUnknownName, "the table has no column \"{}\"{}", name,
                   DidYouMean(name, header));
    }
    positions.push_back(static_cast<std::size_t>(found - header.begin()));
  }
  return positions;
}

}  // namespace

std::int64_t TableBytes(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(size);
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
  ATH_TRY(RowBlocks blocks, RowBlocks::Open(options.input, options.block_bytes));
  const auto prepare = [&]() -> Result<TableParser> {
    ATH_TRY(const Header header, ReadHeader(blocks, options.format.separator));
    ATH_TRY(std::vector<Column> columns, model.Bind(header.names, options.drop));
    ATH_TRY(std::vector<std::size_t> kept, Positions(header.names, options.keep));
    blocks.set_separator(header.separator);
    TableFormat format = options.format;
    format.separator = header.separator;
    return TableParser(std::move(format), header.names.size(), std::move(columns), std::move(kept));
  };
  Result<TableParser> parser = prepare();
  if (!parser.ok()) return std::move(parser).status().In(options.input);
  ATH_TRY(Sink sink, Sink::Open(options.output));
  Pipeline pipeline(options, model, *parser, options.keep, blocks, sink, report, progress);
  ATH_RETURN_IF_ERROR(pipeline.Run(report.threads));
  ATH_RETURN_IF_ERROR(sink.Commit());
  report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return report;
}

}  // namespace athanor::score
