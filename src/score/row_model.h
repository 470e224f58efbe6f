// A model that answers row by row: which columns it reads, which it gives, and how it runs.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "athanor/athanor.h"
#include "score/table_parser.h"

namespace athanor::score {

struct RowModelOptions {
  std::string model, model_format, device;
  int threads = 1;  // of one run
};

// Thread-safe once made.
class RowModel {
 public:
  static Result<RowModel> Load(const RowModelOptions& options);

  // The columns of a table with this header that the model reads, by name; or, where the model has
  // one matrix as its input, all columns that are not dropped, in order. Every name that is not
  // there is listed.
  Result<std::vector<Column>> Bind(const std::vector<std::string>& header,
                                   const std::vector<std::string>& drop) const;

  // The names of the answer's columns, as far as the model's types tell: for a table without rows.
  Result<std::vector<std::string>> AnswerColumns() const;

  // The names of its inputs where they are columns; none where it reads one matrix.
  std::vector<std::string> ColumnNames() const;
  // The outputs and what their elements are called by others: "float32", "string", ...
  std::vector<std::pair<std::string, std::string>> AnswerTypes() const;

  // Its input is one matrix, else columns.
  bool ReadsOneMatrix() const;

  // Scores all rows of the block: the answers as csv text in `text`, one line per row, kept cells
  // first. `columns` takes the names of the answer's columns. Before the first answer rows are
  // run among copies of themselves too: a model whose rows depend on each other is refused
  // (ATH-2101).
  Status Run(const ParsedBlock& block, std::size_t num_kept, std::vector<std::string>& columns,
             std::string& text) const;

 private:
  struct Port {
    std::string name, type;
    DType dtype = DType::kUndefined;
    std::vector<std::int64_t> dims;  // -1: not a number
    int rank = -1;
  };
  // Whether rows depend on each other; found out once.
  struct Trial {
    std::once_flag once;
    Status status;
  };
  template <class T>
  using Handle = std::unique_ptr<T, void (*)(T*)>;

  RowModel() = default;
  Status CheckColumnInput(const Port& input) const;
  Result<std::vector<Column>> BindMatrix(const std::vector<std::string>& header,
                                         const std::vector<std::string>& drop) const;
  // A run of kRowsPerRun rows of the block, and one of `size` copies of a row.
  Result<Handle<ath_result>> RunRows(const ParsedBlock& block, std::size_t begin) const;
  Result<Handle<ath_result>> RunCopies(const ParsedBlock& block, std::size_t row,
                                       std::size_t size) const;
  // Of a matrix of so many columns, or of columns.
  Result<Handle<ath_result>> RunInputs(std::span<const void* const> inputs, std::size_t columns,
                                       std::size_t size) const;
  // [size] or [size, width], each of a type that cells have.
  Result<std::vector<ath_tensor>> Outputs(const ath_result& result, std::size_t size) const;
  Status CheckRowsAreIndependent(const ParsedBlock& block, std::size_t rows,
                                 const ath_result& result) const;
  Status Write(const ath_result& result, const ParsedBlock& block, std::size_t begin,
               std::size_t rows, std::size_t num_kept, std::vector<std::string>& columns,
               std::string& text) const;

  Handle<ath_model> model_ = {nullptr, ath_model_destroy};
  Handle<ath_session> session_ = {nullptr, ath_session_destroy};
  std::vector<Port> inputs_, outputs_;
  std::unique_ptr<Trial> trial_ = std::make_unique<Trial>();
};

// The cell as csv wants it: in quotes where it holds a separator, a quote or a line end.
void AppendCell(std::string_view cell, std::string& text);

}  // namespace athanor::score
