#include "api/arrow/score.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <optional>

#include "api/arrow/answers.h"
#include "api/arrow/column.h"
#include "core/rows.h"
#include "core/text.h"
#include "io/column_names.h"
#include "verify/compare.h"

namespace athanor::arrow {
namespace {

// Rows of one run, at most. Runs are filled up to a power of two, so that few plans serve all.
constexpr std::int64_t kRowsPerRun = 4096;
constexpr std::int64_t kMostOutputColumns = 4096;

bool IsCellType(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kI64 ||
         dtype == DType::kI32 || dtype == DType::kBool || dtype == DType::kString;
}

// ---- the table that comes

struct Field {
  std::string name;
  Result<ColumnType> type;  // asked for only where the model reads the column
};

class Source {
 public:
  explicit Source(Owned<ArrowArrayStream> stream) : stream_(std::move(stream)) {}

  Result<Owned<ArrowSchema>> Schema() {
    ArrowSchema raw = {};
    const int code = stream_->get_schema(stream_.get(), &raw);
    Owned<ArrowSchema> schema(&raw);
    if (code != 0) return Failed(code);
    if (schema.released() || schema->format == nullptr || std::strcmp(schema->format, "+s") != 0)
      return Error(ErrorCode::kInvalidInput,
                   "the Arrow stream is no table: its schema is no struct");
    if (schema->n_children < 0 || (schema->n_children > 0 && schema->children == nullptr))
      return Error(ErrorCode::kInvalidInput, "the Arrow schema has no children");
    return schema;
  }

  // Nothing at the end.
  Result<std::optional<Owned<ArrowArray>>> Next(std::size_t columns) {
    ArrowArray raw = {};
    const int code = stream_->get_next(stream_.get(), &raw);
    Owned<ArrowArray> batch(&raw);
    if (code != 0) return Failed(code);
    if (batch.released()) return std::optional<Owned<ArrowArray>>();
    const auto bad = [](std::string_view what) {
      return Error(ErrorCode::kInvalidInput, "the Arrow batch is damaged: {}", what);
    };
    if (batch->length < 0 || batch->offset < 0) return bad("a length or an offset below 0");
    if (batch->n_children != static_cast<std::int64_t>(columns) ||
        (columns > 0 && batch->children == nullptr))
      return bad(fmt::format("{} columns, the schema has {}", batch->n_children, columns));
    for (std::size_t i = 0; i < columns; ++i) {
      if (batch->children[i] == nullptr || batch->children[i]->release == nullptr)
        return bad("a column is missing");
    }
    const bool missing = batch->null_count != 0 && batch->n_buffers > 0 &&
                         batch->buffers != nullptr && batch->buffers[0] != nullptr;
    if (missing) return bad("whole rows are missing");
    return std::optional(std::move(batch));
  }

 private:
  Status Failed(int code) {
    const char* why = stream_->get_last_error(stream_.get());
    return Error(ErrorCode::kInvalidInput, "the Arrow stream cannot be read on: {}",
                 why != nullptr ? why : std::strerror(code));
  }

  Owned<ArrowArrayStream> stream_;
};

// ---- the answers that go

class Scorer {
 public:
  Scorer(std::shared_ptr<Session> session, ScoreOptions options, Owned<ArrowArrayStream> rows)
      : session_(std::move(session)), options_(std::move(options)), source_(std::move(rows)) {}

  Status Begin() {
    ATH_TRY(const Owned<ArrowSchema> schema, source_.Schema());
    std::vector<Field> fields;
    for (std::int64_t i = 0; i < schema->n_children; ++i) {
      const ArrowSchema* child = schema->children[i];
      if (child == nullptr)
        return Error(ErrorCode::kInvalidInput, "the Arrow schema has no children");
      fields.push_back({child->name == nullptr ? "" : child->name, TypeOf(*child)});
    }
    num_columns_ = fields.size();
    ATH_RETURN_IF_ERROR(Bind(fields));
    ATH_TRY(kept_, Positions(fields, options_.keep));
    // Batches without rows say nothing about the answers.
    for (;;) {
      ATH_TRY(first_, source_.Next(num_columns_));
      if (!first_ || (*first_)->length > 0) break;
    }
    if (!first_) return DescribeAnswers({});
    ATH_TRY(ArrowArray scored, ScoreBatch(*std::move(first_)));
    first_.emplace(&scored);
    return {};
  }

  Result<ArrowSchema> Schema() {
    // Asked again for those that are kept: they are moved from one schema into the other.
    ATH_TRY(const Owned<ArrowSchema> schema, source_.Schema());
    if (static_cast<std::size_t>(schema->n_children) != num_columns_)
      return Error(ErrorCode::kInvalidInput, "the Arrow stream has changed its schema");
    std::vector<Owned<ArrowSchema>> children;
    for (const std::size_t at : kept_) {
      if (schema->children[at] == nullptr || schema->children[at]->release == nullptr)
        return Error(ErrorCode::kInvalidInput, "the Arrow stream has changed its schema");
      children.emplace_back(schema->children[at]);
    }
    for (const AnswerColumn& answer : answers_) {
      ArrowSchema made = SchemaOf(answer);
      children.emplace_back(&made);
    }
    return StructOf(std::move(children));
  }

  Result<std::optional<ArrowArray>> Next() {
    if (first_) {
      std::optional<ArrowArray> batch = first_->Release();
      first_.reset();
      return batch;
    }
    ATH_TRY(std::optional<Owned<ArrowArray>> batch, source_.Next(num_columns_));
    if (!batch) return std::optional<ArrowArray>();
    ATH_TRY(const ArrowArray scored, ScoreBatch(*std::move(batch)));
    return std::optional(scored);
  }

 private:
  const Graph& graph() const { return session_->graph(); }
  const Value& input(std::size_t i) const { return graph().value(graph().inputs()[i]); }

  bool ReadsOneMatrix() const {
    const Type& type = input(0).type;
    return graph().inputs().size() == 1 && type.HasRank() && type.rank() == 2 &&
           !type.dim(0).IsConst() && !type.dim(1).Is(1) && IsCellType(type.dtype);
  }

  static Result<std::vector<std::size_t>> Positions(const std::vector<Field>& fields,
                                                    const std::vector<std::string>& names) {
    std::vector<std::string> known;
    for (const Field& field : fields) known.push_back(field.name);
    return io::FindColumns(known, names);
  }

  // Which columns the inputs read, and what they hold.
  Status Bind(const std::vector<Field>& fields) {
    if (graph().inputs().empty())
      return Unsupported("the model has no inputs: there is nothing to score");
    if (ReadsOneMatrix()) {
      ATH_RETURN_IF_ERROR(Positions(fields, options_.drop).status());
      for (std::size_t i = 0; i < fields.size(); ++i) {
        const auto& drop = options_.drop;
        if (std::find(drop.begin(), drop.end(), fields[i].name) == drop.end()) read_.push_back(i);
      }
      const Dim width = input(0).type.dim(1);
      if (read_.empty() ||
          (width.IsConst() && width.value() != static_cast<std::int64_t>(read_.size()))) {
        return Error(ErrorCode::kInvalidInput, "the table has {} columns, the model reads {}",
                     read_.size(), width.ToString())
            .Fix("drop the columns that are no features");
      }
    } else {
      std::vector<std::string> names;
      for (std::size_t i = 0; i < graph().inputs().size(); ++i) {
        const Type& type = input(i).type;
        const bool column = type.HasRank() && type.rank() >= 1 && type.rank() <= 2 &&
                            (type.rank() == 1 || type.dim(1).Is(1)) && !type.dim(0).IsConst() &&
                            IsCellType(type.dtype);
        if (!column) {
          return Unsupported(
              "input {} is {}; a table is scored by models whose inputs are columns [N, 1] or one "
              "matrix [N, features]",
              Quote(input(i).name), type.ToString());
        }
        names.push_back(input(i).name);
      }
      ATH_TRY(read_, Positions(fields, names));
    }
    std::vector<Status> problems;
    for (const std::size_t at : read_) {
      names_.push_back(fields[at].name);
      if (fields[at].type.ok()) {
        types_.push_back(*fields[at].type);
      } else {
        problems.push_back(InColumn(fields[at].type.status(), names_.back()));
      }
    }
    if (!problems.empty()) return Status::All(std::move(problems));
    return {};
  }

  static Status InColumn(Status status, const std::string& name) {
    return std::move(status).In(fmt::format("column {}", Quote(name)));
  }

  // A run of `size` rows: [begin, begin + rows) of the batch, the last of them repeated.
  Result<std::vector<Datum>> Run(const std::vector<Column>& columns, std::int64_t begin,
                                 std::int64_t rows, std::int64_t size) const {
    const bool matrix = ReadsOneMatrix();
    const auto width = matrix ? static_cast<std::int64_t>(columns.size()) : 1;
    std::vector<Datum> inputs;
    for (std::size_t i = 0; i < graph().inputs().size(); ++i) {
      Dims dims = {size};
      if (input(i).type.rank() == 2) dims.push_back(width);
      ATH_TRY(Tensor tensor, Tensor::Allocate(input(i).type.dtype, std::move(dims)));
      for (std::int64_t c = 0; c < width; ++c) {
        const std::size_t column = i + static_cast<std::size_t>(c);
        const auto copy = [&](std::int64_t row, std::int64_t from, std::int64_t count) -> Status {
          return columns[column].CopyTo(tensor, row * width + c, width, from, count, rows_done_);
        };
        Status status = copy(0, begin, rows);
        for (std::int64_t row = rows; status.ok() && row < size; ++row)
          status = copy(row, begin + rows - 1, 1);
        if (!status.ok()) return InColumn(std::move(status), names_[column]);
      }
      inputs.emplace_back(std::move(tensor));
    }
    return session_->Run(std::move(inputs));
  }

  // What columns the answers have: by the outputs of a run or, without one, by their types.
  Status DescribeAnswers(const std::vector<Datum>& outputs) {
    for (std::size_t i = 0; i < graph().outputs().size(); ++i) {
      const GraphOutput& output = graph().outputs()[i];
      const Type& type = graph().value(output.value).type;
      std::int64_t rank = type.HasRank() ? type.rank() : -1;
      std::int64_t width = rank == 2 && type.dim(1).IsConst() ? type.dim(1).value() : 1;
      bool known = rank == 1 || (rank == 2 && type.dim(1).IsConst());
      if (!outputs.empty() && outputs[i].IsTensor()) {
        rank = outputs[i].tensor().rank();
        width = rank == 2 ? outputs[i].tensor().dim(1) : 1;
        known = rank == 1 || rank == 2;
      }
      if (!known || width > kMostOutputColumns || !IsCellType(type.dtype))
        return Unsupported("output {} is {}; a table takes outputs [N] or [N, up to {}]",
                           Quote(output.name), type.ToString(), kMostOutputColumns);
      for (std::int64_t c = 0; c < width; ++c) {
        answers_.push_back(
            {.name = width == 1 ? output.name : fmt::format("{}({})", output.name, c),
             .dtype = type.dtype,
             .output = i,
             .at = c,
             .width = width});
      }
    }
    return {};
  }

  Status CheckOutputs(const std::vector<Datum>& outputs, std::int64_t rows) const {
    for (const AnswerColumn& answer : answers_) {
      const Datum& output = outputs[answer.output];
      if (!output.IsTensor() || output.tensor().dtype() != answer.dtype ||
          output.tensor().rank() < 1 || output.tensor().dim(0) != rows ||
          output.tensor().count() != rows * answer.width) {
        return Unsupported("output {} does not have a row for each of the table's",
                           Quote(graph().outputs()[answer.output].name));
      }
    }
    return {};
  }

  // The first row of a run stands beside itself alone: rows that depend on each other would get
  // other answers with every size of batch.
  Status CheckRowsAreIndependent(const std::vector<Column>& columns,
                                 const std::vector<Datum>& together) const {
    // Kernels may add in another order for another number of rows.
    constexpr Tolerance kSame = {.rtol = 1e-3, .atol = 1e-5};
    ATH_TRY(const std::vector<Datum> alone, Run(columns, 0, 1, 1));
    ATH_RETURN_IF_ERROR(CheckOutputs(alone, 1));
    for (std::size_t i = 0; i < alone.size(); ++i) {
      if (Compare(TakeRows(together[i].tensor(), 0, 1), alone[i], kSame).pass) continue;
      return Unsupported(
          "output {}: a row among others gets another answer than alone; a table is scored by "
          "models whose rows do not depend on each other",
          Quote(graph().outputs()[i].name));
    }
    return {};
  }

  // The batch is taken over and given back, with the columns that are kept in the new one.
  Result<ArrowArray> ScoreBatch(Owned<ArrowArray> batch) {
    const std::int64_t rows = batch->length, offset = batch->offset;
    std::vector<Column> columns;
    for (std::size_t i = 0; i < read_.size(); ++i) {
      Result<Column> column = Column::Of(types_[i], *batch->children[read_[i]], offset, rows);
      if (!column.ok()) return InColumn(std::move(column).status(), names_[i]);
      columns.push_back(*std::move(column));
    }
    std::vector<AnswerCells> cells;
    for (const AnswerColumn& answer : answers_) cells.emplace_back(answer, rows);
    for (std::int64_t begin = 0; begin < rows; begin += kRowsPerRun) {
      const std::int64_t count = std::min(kRowsPerRun, rows - begin);
      const auto size = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(count)));
      ATH_TRY(const std::vector<Datum> outputs, Run(columns, begin, count, size));
      if (answers_.empty()) {
        ATH_RETURN_IF_ERROR(DescribeAnswers(outputs));
        for (const AnswerColumn& answer : answers_) cells.emplace_back(answer, rows);
        ATH_RETURN_IF_ERROR(CheckOutputs(outputs, size));
        ATH_RETURN_IF_ERROR(CheckRowsAreIndependent(columns, outputs));
      }
      ATH_RETURN_IF_ERROR(CheckOutputs(outputs, size));
      for (std::size_t i = 0; i < cells.size(); ++i)
        cells[i].Add(outputs[answers_[i].output].tensor(), count);
    }
    rows_done_ += rows;
    std::vector<Owned<ArrowArray>> children;
    for (const std::size_t at : kept_) {
      ArrowArray* child = batch->children[at];
      if (child->length < offset || child->length - offset < rows || child->offset < 0)
        return Error(ErrorCode::kInvalidInput, "the Arrow batch is damaged: a column is too short");
      child->offset += offset;
      if (offset > 0 || child->length != rows) child->null_count = -1;  // to be counted anew
      child->length = rows;
      children.emplace_back(child);
    }
    for (AnswerCells& cell : cells) {
      ArrowArray made = cell.Release();
      children.emplace_back(&made);
    }
    return StructOf(std::move(children), rows);
  }

  std::shared_ptr<Session> session_;
  ScoreOptions options_;
  Source source_;
  std::size_t num_columns_ = 0;
  std::vector<std::size_t> read_, kept_;  // positions in the table
  std::vector<ColumnType> types_;         // of those that are read
  std::vector<std::string> names_;
  std::vector<AnswerColumn> answers_;
  std::optional<Owned<ArrowArray>> first_;
  std::int64_t rows_done_ = 0;
};

// ---- the stream that a consumer holds

struct Stream {
  Scorer scorer;
  std::string error = {};

  // Runs `body`; what fails, or throws, is the consumer's to ask for.
  template <class F>
  int Guard(F&& body) noexcept {
    try {
      const Status status = body();
      if (status.ok()) return 0;
      error = status.ToString();
      return status.code() == ErrorCode::kResource ? ENOMEM : EINVAL;
    } catch (const std::exception& exception) {
      error = exception.what();
      return ENOMEM;
    } catch (...) {
      return EIO;
    }
  }
};

Stream& Of(ArrowArrayStream* stream) { return *static_cast<Stream*>(stream->private_data); }

int GetSchema(ArrowArrayStream* stream, ArrowSchema* out) {
  return Of(stream).Guard([&]() -> Status {
    ATH_TRY(*out, Of(stream).scorer.Schema());
    return {};
  });
}

int GetNext(ArrowArrayStream* stream, ArrowArray* out) {
  return Of(stream).Guard([&]() -> Status {
    ATH_TRY(const std::optional<ArrowArray> batch, Of(stream).scorer.Next());
    *out = batch.value_or(ArrowArray{});
    return {};
  });
}

const char* GetLastError(ArrowArrayStream* stream) {
  const std::string& error = Of(stream).error;
  return error.empty() ? nullptr : error.c_str();
}

void Release(ArrowArrayStream* stream) {
  delete static_cast<Stream*>(stream->private_data);
  stream->release = nullptr;
}

}  // namespace

Result<Owned<ArrowArrayStream>> Score(std::shared_ptr<Session> session, ScoreOptions options,
                                      Owned<ArrowArrayStream> rows) {
  auto made = std::make_unique<Stream>(
      Stream{Scorer(std::move(session), std::move(options), std::move(rows))});
  ATH_RETURN_IF_ERROR(made->scorer.Begin());
  ArrowArrayStream stream = {.get_schema = GetSchema,
                             .get_next = GetNext,
                             .get_last_error = GetLastError,
                             .release = Release,
                             .private_data = made.release()};
  return Owned<ArrowArrayStream>(&stream);
}

}  // namespace athanor::arrow
