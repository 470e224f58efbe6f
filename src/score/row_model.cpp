#include "score/row_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace athanor::score {
namespace {

// Rows of one run. Always as many, so that one plan serves; the last run of a block is filled up.
constexpr std::size_t kRowsPerRun = 1024;
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

void AppendElement(const ath_tensor& tensor, std::size_t at, std::string& text) {
  const auto to = std::back_inserter(text);
  switch (static_cast<DType>(tensor.dtype)) {
    case DType::kF32: {
      const float value = static_cast<const float*>(tensor.data)[at];
      if (!std::isnan(value)) fmt::format_to(to, "{}", value);  // missing: an empty cell
      return;
    }
    case DType::kF64: {
      const double value = static_cast<const double*>(tensor.data)[at];
      if (!std::isnan(value)) fmt::format_to(to, "{}", value);
      return;
    }
    case DType::kI64:
      fmt::format_to(to, "{}", static_cast<const std::int64_t*>(tensor.data)[at]);
      return;
    case DType::kI32:
      fmt::format_to(to, "{}", static_cast<const std::int32_t*>(tensor.data)[at]);
      return;
    case DType::kBool:
      text += static_cast<const std::uint8_t*>(tensor.data)[at] != 0 ? "true" : "false";
      return;
    default:
      AppendCell(static_cast<const char* const*>(tensor.data)[at], text);
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
                        std::vector<Port>& ports) {
    for (int i = 0; i < count; ++i) {
      ath_value_info info = {};
      info.struct_size = sizeof(info);
      if (get(model, i, &info) != 0) continue;
      ports.push_back({info.name, info.type, static_cast<DType>(info.dtype),
                       std::vector<std::int64_t>(info.dims, info.dims + std::max(info.rank, 0)),
                       info.rank});
    }
  };
  read(ath_model_num_inputs(model), ath_model_input, made.inputs_);
  read(ath_model_num_outputs(model), ath_model_output, made.outputs_);
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
    if (std::find(header.begin(), header.end(), name) == header.end()) {
      return Error(ErrorCode::kUnknownName, "the table has no column \"{}\"{}", name,
                   DidYouMean(name, header));
    }
  }
  std::vector<Column> columns;
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (std::find(drop.begin(), drop.end(), header[i]) == drop.end())
      columns.push_back({.name = header[i], .source = i, .dtype = inputs_[0].dtype});
  }
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
  std::vector<Column> columns;
  std::vector<Status> problems;
  for (const Port& input : inputs_) {
    const auto found = std::find(header.begin(), header.end(), input.name);
    if (found == header.end()) {
      problems.push_back(Error(ErrorCode::kUnknownName, "the table has no column \"{}\"{}",
                               input.name, DidYouMean(input.name, header)));
      continue;
    }
    columns.push_back({.name = input.name,
                       .source = static_cast<std::size_t>(found - header.begin()),
                       .dtype = input.dtype});
  }
  if (!problems.empty()) return Status::All(std::move(problems));
  return columns;
}

Result<RowModel::Handle<ath_result>> RowModel::RunRows(const ParsedBlock& block, std::size_t begin,
                                                       std::size_t rows) const {
  // Elements of each input; rows beyond the table repeat its last one.
  std::vector<std::vector<std::byte>> memory;
  std::vector<ath_tensor> tensors;
  std::vector<std::vector<std::int64_t>> dims;
  const bool matrix = ReadsOneMatrix();
  const std::size_t width = matrix ? block.columns.size() : 1;
  const std::size_t count = matrix ? 1 : block.columns.size();
  memory.resize(count);
  dims.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t size = CellBytes(block.columns[i].dtype);
    memory[i].resize(kRowsPerRun * width * size);
    for (std::size_t c = 0; c < width; ++c) {
      const std::byte* from = block.columns[i + c].bytes.data() + begin * size;
      for (std::size_t r = 0; r < kRowsPerRun; ++r) {
        std::copy_n(from + std::min(r, rows - 1) * size, size,
                    memory[i].data() + (r * width + c) * size);
      }
    }
    dims[i] = {static_cast<std::int64_t>(kRowsPerRun)};
    if (inputs_[i].rank == 2) dims[i].push_back(static_cast<std::int64_t>(width));
    tensors.push_back({sizeof(ath_tensor), static_cast<std::int32_t>(inputs_[i].dtype),
                       static_cast<std::int32_t>(dims[i].size()), dims[i].data(),
                       memory[i].data()});
  }
  ath_result* result = nullptr;
  if (const ath_status code = ath_session_run(session_.get(), tensors.data(),
                                              static_cast<std::int32_t>(count), &result))
    return Failure(code);
  return Handle<ath_result>(result, ath_result_destroy);
}

Status RowModel::Write(const ath_result& result, const ParsedBlock& block, std::size_t begin,
                       std::size_t rows, std::size_t num_kept, std::vector<std::string>& columns,
                       std::string& text) const {
  std::vector<ath_tensor> tensors(outputs_.size());
  std::vector<std::size_t> widths;
  columns.clear();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].struct_size = sizeof(ath_tensor);
    if (const ath_status code =
            ath_result_output(&result, static_cast<std::int32_t>(i), &tensors[i]))
      return Failure(code);
    const ath_tensor& tensor = tensors[i];
    const std::int64_t width = tensor.rank == 2 ? tensor.dims[1] : 1;
    if (tensor.rank < 1 || tensor.rank > 2 || width > kMostOutputColumns ||
        tensor.dims[0] != static_cast<std::int64_t>(kRowsPerRun) ||
        !IsCellType(static_cast<DType>(tensor.dtype))) {
      return Unsupported("output \"{}\" is {}; a table takes outputs [N] or [N, up to {}]",
                         outputs_[i].name, outputs_[i].type, kMostOutputColumns);
    }
    widths.push_back(static_cast<std::size_t>(width));
    for (std::int64_t c = 0; c < width; ++c) {
      columns.push_back(width == 1 ? outputs_[i].name : fmt::format("{}({})", outputs_[i].name, c));
    }
  }
  for (std::size_t r = 0; r < rows; ++r) {
    const char* between = "";
    for (std::size_t k = 0; k < num_kept; ++k, between = ",") {
      text += between;
      AppendCell(block.kept[(begin + r) * num_kept + k], text);
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      for (std::size_t c = 0; c < widths[i]; ++c, between = ",") {
        text += between;
        AppendElement(tensors[i], r * widths[i] + c, text);
      }
    }
    text += '\n';
  }
  return {};
}

Result<std::string> RowModel::Run(const ParsedBlock& block, std::size_t num_kept,
                                  std::vector<std::string>& columns) const {
  std::string text;
  for (std::size_t begin = 0; begin < block.rows; begin += kRowsPerRun) {
    const std::size_t rows = std::min(kRowsPerRun, block.rows - begin);
    ATH_TRY(const Handle<ath_result> result, RunRows(block, begin, rows));
    ATH_RETURN_IF_ERROR(Write(*result, block, begin, rows, num_kept, columns, text));
  }
  return text;
}

}  // namespace athanor::score
