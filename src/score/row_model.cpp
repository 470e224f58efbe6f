#include "score/row_model.h"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/text.h"
#include "io/column_names.h"
#include "score/real_text.h"

namespace athanor::score {
namespace {

constexpr std::int64_t kMostOutputColumns = 4096;

// The last failure of the C interface on this thread.
Status Failure(ath_status code) {
  return Status(static_cast<ErrorCode>(code), ath_error_message())
      .In(ath_error_where())
      .Fix(ath_error_fix());
}

bool IsCellType(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kI64 ||
         dtype == DType::kI32 || dtype == DType::kBool || dtype == DType::kString;
}

void AppendInteger(std::int64_t value, std::string& text) {
  char digits[32];
  const char* const end = fmt::format_to(digits, FMT_COMPILE("{}"), value);
  text.append(digits, static_cast<std::size_t>(end - digits));
}

void AppendElement(const ath_tensor& tensor, std::size_t at, std::string& text) {
  switch (static_cast<DType>(tensor.dtype)) {
    case DType::kF32: {
      const float value = static_cast<const float*>(tensor.data)[at];
      if (!std::isnan(value)) AppendReal(value, text);  // missing: an empty cell
      return;
    }
    case DType::kF64: {
      const double value = static_cast<const double*>(tensor.data)[at];
      if (!std::isnan(value)) AppendReal(value, text);
      return;
    }
    case DType::kI64:
      return AppendInteger(static_cast<const std::int64_t*>(tensor.data)[at], text);
    case DType::kI32:
      return AppendInteger(static_cast<const std::int32_t*>(tensor.data)[at], text);
    case DType::kBool:
      text += static_cast<const std::uint8_t*>(tensor.data)[at] != 0 ? "true" : "false";
      return;
    default:
      AppendCell(static_cast<const char* const*>(tensor.data)[at], text);
  }
}

// Of a tensor of rank 1 or 2: elements per row.
std::int64_t WidthOf(const ath_tensor& tensor) { return tensor.rank == 2 ? tensor.dims[1] : 1; }

void AppendNames(const std::string& output, std::int64_t width, std::vector<std::string>& columns) {
  for (std::int64_t c = 0; c < width; ++c)
    columns.push_back(width == 1 ? output : fmt::format("{}({})", output, c));
}

// Kernels may add in another order for another number of rows.
bool IsNear(double a, double b) {
  constexpr double kRelative = 1e-3, kAbsolute = 1e-5;
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::abs(a - b) <= kAbsolute + kRelative * std::max(std::abs(a), std::abs(b));
}

// Element `at_a` of one tensor and `at_b` of another of the same type.
bool Near(const ath_tensor& a, std::size_t at_a, const ath_tensor& b, std::size_t at_b) {
  switch (static_cast<DType>(a.dtype)) {
    case DType::kF32:
      return IsNear(static_cast<const float*>(a.data)[at_a],
                    static_cast<const float*>(b.data)[at_b]);
    case DType::kF64:
      return IsNear(static_cast<const double*>(a.data)[at_a],
                    static_cast<const double*>(b.data)[at_b]);
    default:
      std::string text_a, text_b;
      AppendElement(a, at_a, text_a);
      AppendElement(b, at_b, text_b);
      return text_a == text_b;
  }
}

}  // namespace

void AppendCell(std::string_view cell, std::string& text) {
  if (cell.find_first_of(",;\t\"\r\n") == std::string_view::npos) {
    text += cell;
    return;
  }
  text += '"';
  for (const char c : cell) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

Result<RowModel> RowModel::Load(const RowModelOptions& options) {
  RowModel made;
  ath_load_options load = {sizeof(load), options.model_format.c_str()};
  ath_model* model = nullptr;
  if (const ath_status code = ath_load(options.model.c_str(), &load, &model)) return Failure(code);
  made.model_.reset(model);
  const auto read = [&](int count, ath_status (*get)(const ath_model*, int32_t, ath_value_info*),
                        std::vector<Port>& ports) -> Status {
    for (int i = 0; i < count; ++i) {
      ath_value_info info = {};
      info.struct_size = sizeof(info);
      if (const ath_status code = get(model, i, &info)) return Failure(code);
      ports.push_back({info.name, info.type, static_cast<DType>(info.dtype),
                       std::vector<std::int64_t>(info.dims, info.dims + std::max(info.rank, 0)),
                       info.rank});
    }
    return {};
  };
  ATH_RETURN_IF_ERROR(read(ath_model_num_inputs(model), ath_model_input, made.inputs_));
  ATH_RETURN_IF_ERROR(read(ath_model_num_outputs(model), ath_model_output, made.outputs_));
  if (made.inputs_.empty())
    return Unsupported("the model has no inputs: there is nothing to score");
  if (!made.ReadsOneMatrix()) {
    for (const Port& input : made.inputs_) ATH_RETURN_IF_ERROR(made.CheckColumnInput(input));
  }
  ath_session_options session_options{};
  session_options.struct_size = sizeof(session_options);
  session_options.device = options.device.c_str();
  session_options.threads = options.threads;
  ath_session* session = nullptr;
  if (const ath_status code = ath_session_create(model, &session_options, &session))
    return Failure(code);
  made.session_.reset(session);
  return made;
}

bool RowModel::ReadsOneMatrix() const {
  const Port& input = inputs_[0];
  return inputs_.size() == 1 && input.rank == 2 && input.dims[0] < 0 && input.dims[1] != 1 &&
         IsCellType(input.dtype);
}

Status RowModel::CheckColumnInput(const Port& input) const {
  const bool column = (input.rank == 1 || (input.rank == 2 && input.dims[1] == 1)) &&
                      input.dims[0] < 0 && IsCellType(input.dtype);
  if (column) return {};
  return Unsupported(
      "input \"{}\" is {}; a table is scored by models whose inputs are columns [N, 1] or one "
      "matrix [N, features]",
      input.name, input.type);
}

Result<std::vector<Column>> RowModel::BindMatrix(const std::vector<std::string>& header,
                                                 const std::vector<std::string>& drop) const {
  for (const std::string& name : drop) {
    if (std::find(header.begin(), header.end(), name) == header.end())
      return io::FindColumn(header, name).status();
  }
  std::vector<Column> columns;
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (std::find(drop.begin(), drop.end(), header[i]) == drop.end())
      columns.push_back({.name = header[i], .source = i, .dtype = inputs_[0].dtype});
  }
  if (columns.empty())
    return Error(ErrorCode::kInvalidInput, "no column of the table is left for the model")
        .Fix("--drop fewer columns");
  const std::int64_t wanted = inputs_[0].dims[1];
  if (wanted >= 0 && columns.size() != static_cast<std::size_t>(wanted)) {
    return Error(ErrorCode::kInvalidInput, "the table has {} columns, the model reads {}",
                 columns.size(), wanted)
        .Fix(fmt::format("--drop {} leaves a column out", header.empty() ? "" : header.back()));
  }
  return columns;
}

Result<std::vector<Column>> RowModel::Bind(const std::vector<std::string>& header,
                                           const std::vector<std::string>& drop) const {
  if (ReadsOneMatrix()) return BindMatrix(header, drop);
  if (!drop.empty())
    return Error(ErrorCode::kUsage,
                 "--drop {}: this model reads its columns by their names, no other column is a "
                 "feature",
                 drop.front())
        .Fix("leave --drop out");
  ATH_TRY(const std::vector<std::size_t> places,
          io::FindColumns(header, ColumnNames(),
                          "; if these are several, --separator says what is between them"));
  std::vector<Column> columns;
  for (std::size_t i = 0; i < inputs_.size(); ++i)
    columns.push_back({.name = inputs_[i].name, .source = places[i], .dtype = inputs_[i].dtype});
  return columns;
}

// The elements of each input lie in the block as the model takes them.
Result<RowModel::Handle<ath_result>> RowModel::RunRows(const ParsedBlock& block,
                                                       std::size_t begin) const {
  std::vector<const void*> inputs;
  for (std::size_t i = 0; i < (ReadsOneMatrix() ? 1 : block.columns.size()); ++i)
    inputs.push_back(block.columns[i].first + begin * block.columns[i].stride);
  return RunInputs(inputs, block.columns.size(), kRowsPerRun);
}

Result<RowModel::Handle<ath_result>> RowModel::RunCopies(const ParsedBlock& block, std::size_t row,
                                                         std::size_t size) const {
  const std::size_t count = ReadsOneMatrix() ? 1 : block.columns.size();
  std::vector<std::unique_ptr<std::byte[]>> copies;
  std::vector<const void*> inputs;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [name, dtype, first, stride] = block.columns[i];
    copies.push_back(std::make_unique_for_overwrite<std::byte[]>(size * stride));
    for (std::size_t copy = 0; copy < size; ++copy)
      std::memcpy(copies[i].get() + copy * stride, first + row * stride, stride);
    inputs.push_back(copies[i].get());
  }
  return RunInputs(inputs, block.columns.size(), size);
}

Result<RowModel::Handle<ath_result>> RowModel::RunInputs(std::span<const void* const> inputs,
                                                         std::size_t columns,
                                                         std::size_t size) const {
  const std::int64_t dims[] = {static_cast<std::int64_t>(size),
                               ReadsOneMatrix() ? static_cast<std::int64_t>(columns) : 1};
  std::vector<ath_tensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    tensors.push_back({sizeof(ath_tensor), static_cast<std::int32_t>(inputs_[i].dtype),
                       inputs_[i].rank, dims, inputs[i]});
  }
  ath_result* result = nullptr;
  if (const ath_status code = ath_session_run(session_.get(), tensors.data(),
                                              static_cast<std::int32_t>(tensors.size()), &result))
    return Failure(code);
  return Handle<ath_result>(result, ath_result_destroy);
}

Result<std::vector<ath_tensor>> RowModel::Outputs(const ath_result& result,
                                                  std::size_t size) const {
  std::vector<ath_tensor> tensors(outputs_.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    ath_tensor& tensor = tensors[i];
    tensor.struct_size = sizeof(ath_tensor);
    if (const ath_status code = ath_result_output(&result, static_cast<std::int32_t>(i), &tensor))
      return Failure(code);
    if (tensor.rank < 1 || tensor.rank > 2 || WidthOf(tensor) > kMostOutputColumns ||
        tensor.dims[0] != static_cast<std::int64_t>(size) ||
        !IsCellType(static_cast<DType>(tensor.dtype))) {
      return Unsupported("output \"{}\" is {}; a table takes outputs [N] or [N, up to {}]",
                         outputs_[i].name, outputs_[i].type, kMostOutputColumns);
    }
  }
  return tensors;
}

// The first and the last row of a run stand beside each of them among copies of itself, which are
// fewer: an answer that depends on how many rows there are shows too. Not alone: kernels for one
// row are others, whose plan takes as long as reading the model. The last is repeated to fill the
// run, so that a table of one row shows its dependence too.
Status RowModel::CheckRowsAreIndependent(const ParsedBlock& block, std::size_t rows,
                                         const ath_result& result) const {
  constexpr std::size_t kCopies = 65;
  ATH_TRY(const std::vector<ath_tensor> together, Outputs(result, kRowsPerRun));
  for (const bool last : {false, true}) {
    ATH_TRY(const Handle<ath_result> run, RunCopies(block, last ? rows - 1 : 0, kCopies));
    ATH_TRY(const std::vector<ath_tensor> copies, Outputs(*run, kCopies));
    for (std::size_t i = 0; i < copies.size(); ++i) {
      const auto width = static_cast<std::size_t>(WidthOf(copies[i]));
      bool same =
          WidthOf(together[i]) == WidthOf(copies[i]) && together[i].dtype == copies[i].dtype;
      for (std::size_t c = 0; same && c < kCopies * width; ++c)
        same = Near(together[i], (last ? kRowsPerRun - 1 : 0) * width + c % width, copies[i], c);
      if (same) continue;
      return Unsupported(
                 "output \"{}\": a row among others gets another answer than among copies of "
                 "itself; a table is scored by models whose rows do not depend on each other",
                 outputs_[i].name)
          .Fix("athanor run gives all rows to the model at once");
    }
  }
  return {};
}

Result<std::vector<std::string>> RowModel::AnswerColumns() const {
  std::vector<std::string> columns;
  for (const Port& output : outputs_) {
    const std::int64_t width = output.rank == 1 ? 1 : output.rank == 2 ? output.dims[1] : -1;
    if (width < 0 || width > kMostOutputColumns) {
      return Error(
          ErrorCode::kInvalidInput,
          "there is no row to score, and output \"{}\", {}, does not tell how many columns "
          "the answers have",
          output.name, output.type);
    }
    AppendNames(output.name, width, columns);
  }
  return columns;
}

std::vector<std::string> RowModel::ColumnNames() const {
  std::vector<std::string> names;
  if (ReadsOneMatrix()) return names;
  for (const Port& input : inputs_) names.push_back(input.name);
  return names;
}

std::vector<std::pair<std::string, std::string>> RowModel::AnswerTypes() const {
  std::vector<std::pair<std::string, std::string>> types;
  for (const Port& output : outputs_) {
    const char* type = output.dtype == DType::kF32    ? "float32"
                       : output.dtype == DType::kF64  ? "float64"
                       : output.dtype == DType::kI64  ? "int64"
                       : output.dtype == DType::kI32  ? "int32"
                       : output.dtype == DType::kBool ? "bool"
                                                      : "string";
    types.emplace_back(output.name, type);
  }
  return types;
}

Status RowModel::Write(const ath_result& result, const ParsedBlock& block, std::size_t begin,
                       std::size_t rows, std::size_t num_kept, std::vector<std::string>& columns,
                       std::string& text) const {
  ATH_TRY(const std::vector<ath_tensor> tensors, Outputs(result, kRowsPerRun));
  std::vector<std::size_t> widths;
  columns.clear();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    widths.push_back(static_cast<std::size_t>(WidthOf(tensors[i])));
    AppendNames(outputs_[i].name, WidthOf(tensors[i]), columns);
  }
  auto empty = std::lower_bound(block.empty.begin(), block.empty.end(), begin);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t row_begin = text.size();
    const bool answered = empty == block.empty.end() || *empty != begin + r;
    if (!answered) ++empty;
    const char* between = "";
    for (std::size_t k = 0; k < num_kept; ++k, between = ",") {
      text += between;
      AppendCell(block.kept[(begin + r) * num_kept + k], text);
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      for (std::size_t c = 0; c < widths[i]; ++c, between = ",") {
        text += between;
        if (answered) AppendElement(tensors[i], r * widths[i] + c, text);
      }
    }
    // Readers of csv take an empty line for no row at all.
    if (text.size() == row_begin) text += "\"\"";
    text += '\n';
  }
  return {};
}

Status RowModel::Run(const ParsedBlock& block, std::size_t num_kept,
                     std::vector<std::string>& columns, std::string& text) const {
  text.clear();
  for (std::size_t begin = 0; begin < block.rows; begin += kRowsPerRun) {
    const std::size_t rows = std::min(kRowsPerRun, block.rows - begin);
    ATH_TRY(const Handle<ath_result> result, RunRows(block, begin));
    if (begin == 0) {
      std::call_once(trial_->once,
                     [&] { trial_->status = CheckRowsAreIndependent(block, rows, *result); });
      ATH_RETURN_IF_ERROR(trial_->status);
    }
    ATH_RETURN_IF_ERROR(Write(*result, block, begin, rows, num_kept, columns, text));
  }
  return {};
}

}  // namespace athanor::score
