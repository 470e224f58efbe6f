#include "score/npy_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/text.h"

namespace athanor::score {
namespace {

constexpr std::int64_t kCellsAtOnce = 1 << 14;

// Text is quoted, so that none of it is taken for a word for what is missing.
void AppendText(const std::string& cell, std::string& text) {
  text += '"';
  for (const char c : cell) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

template <class T>
void AppendRows(const Tensor& rows, std::string& text) {
  const std::span<const T> cells = rows.Data<T>();
  const auto width = static_cast<std::size_t>(rows.dims()[1]);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if constexpr (std::is_same_v<T, std::string>) {
      AppendText(cells[i], text);
    } else if constexpr (std::is_floating_point_v<T>) {
      // A lone empty cell would be an empty line, which is no row.
      if (!std::isnan(cells[i])) {
        fmt::format_to(std::back_inserter(text), "{}", cells[i]);
      } else if (width == 1) {
        text += "\"\"";
      }
    } else if constexpr (std::is_same_v<T, bool>) {
      text += cells[i] ? '1' : '0';
    } else {
      fmt::format_to(std::back_inserter(text), "{}", std::int64_t{cells[i]});
    }
    text += (i + 1) % width == 0 ? '\n' : ',';
  }
}

using Appender = void (*)(const Tensor& rows, std::string& text);
Appender AppendOf(DType dtype) {
  switch (dtype) {
    case DType::kBool:
      return AppendRows<bool>;
    case DType::kI8:
      return AppendRows<std::int8_t>;
    case DType::kU8:
      return AppendRows<std::uint8_t>;
    case DType::kI16:
      return AppendRows<std::int16_t>;
    case DType::kU16:
      return AppendRows<std::uint16_t>;
    case DType::kI32:
      return AppendRows<std::int32_t>;
    case DType::kU32:
      return AppendRows<std::uint32_t>;
    case DType::kI64:
      return AppendRows<std::int64_t>;
    case DType::kF32:
      return AppendRows<float>;
    case DType::kF64:
      return AppendRows<double>;
    case DType::kString:
      return AppendRows<std::string>;
    default:
      return nullptr;
  }
}

}  // namespace

bool IsNpyFile(std::string_view path) { return path.ends_with(".npy"); }

Result<NpyRows> NpyRows::Open(const std::string& path, std::vector<std::string> names) {
  Result<io::NpyMatrix> opened = io::NpyMatrix::Open(path);
  if (!opened.ok()) return std::move(opened).status().In(path);
  NpyRows rows(*std::move(opened));
  const io::NpyMatrix& matrix = rows.matrix_;
  if (AppendOf(matrix.dtype()) == nullptr)
    return Error(ErrorCode::kInvalidInput,
                 "{}: an array of {}; integers, f32, f64, bool and strings are read", path,
                 Name(matrix.dtype()))
        .Fix("np.save('x.npy', x.astype('float32'))");
  const auto columns = static_cast<std::size_t>(matrix.columns());
  if (!names.empty() && names.size() != columns)
    return Error(ErrorCode::kInvalidInput,
                 "{}: the array has {} columns, the model reads {}, in this order: {}", path,
                 columns, names.size(), Join(names, ", "))
        .Fix("np.save('x.npy', table[[...]].to_numpy()), or a csv, whose columns have names");
  for (std::size_t i = names.size(); i < columns; ++i) names.push_back(std::to_string(i));
  for (const std::string& name : names) {
    if (!rows.text_.empty()) rows.text_ += ',';
    AppendText(name, rows.text_);
  }
  rows.text_ += '\n';
  return rows;
}

Status NpyRows::Print() {
  text_.clear();
  given_ = 0;
  const std::int64_t most = std::max<std::int64_t>(1, kCellsAtOnce / matrix_.columns());
  const std::int64_t count = std::min(most, matrix_.rows() - next_);
  if (count == 0) return {};
  ATH_TRY(const Tensor rows, matrix_.Rows(next_, count));
  AppendOf(matrix_.dtype())(rows, text_);
  next_ += count;
  return {};
}

Result<std::size_t> NpyRows::Read(char* to, std::size_t bytes) {
  if (given_ == text_.size()) ATH_RETURN_IF_ERROR(Print());
  const std::size_t count = std::min(bytes, text_.size() - given_);
  std::memcpy(to, text_.data() + given_, count);
  given_ += count;
  return count;
}

}  // namespace athanor::score
