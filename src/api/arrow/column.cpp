#include "api/arrow/column.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "core/checked.h"
#include "core/small_types.h"

namespace athanor::arrow {
namespace {

// Buffers may lie at any address.
template <class T>
T Load(const std::uint8_t* buffer, std::int64_t position) {
  T value;
  std::memcpy(&value, buffer + static_cast<std::size_t>(position) * sizeof(T), sizeof(T));
  return value;
}

struct Simple {
  char format;
  ColumnType type;
};
constexpr std::array kSimple = {
    Simple{'n', {Kind::kNull, 0}},     Simple{'b', {Kind::kBool, 0}},
    Simple{'c', {Kind::kSigned, 1}},   Simple{'C', {Kind::kUnsigned, 1}},
    Simple{'s', {Kind::kSigned, 2}},   Simple{'S', {Kind::kUnsigned, 2}},
    Simple{'i', {Kind::kSigned, 4}},   Simple{'I', {Kind::kUnsigned, 4}},
    Simple{'l', {Kind::kSigned, 8}},   Simple{'L', {Kind::kUnsigned, 8}},
    Simple{'e', {Kind::kReal, 2}},     Simple{'f', {Kind::kReal, 4}},
    Simple{'g', {Kind::kReal, 8}},     Simple{'u', {Kind::kText, 0}},
    Simple{'U', {Kind::kLargeText, 0}}};

// The types of the specification that are no cells of a table here, by how their format begins.
struct Refused {
  std::string_view begin, name, cast;
};
constexpr std::array kRefused = {
    Refused{"z", "binary", "text"},       Refused{"Z", "binary", "text"},
    Refused{"vz", "binary", "text"},      Refused{"w:", "binary of a fixed width", "text"},
    Refused{"d:", "decimal", "float64"},  Refused{"td", "a date", "text"},
    Refused{"tt", "a time", "text"},      Refused{"ts", "a timestamp", "text"},
    Refused{"tD", "a duration", "int64"}, Refused{"ti", "an interval", "int64"},
    Refused{"+s", "a struct", "columns"}, Refused{"+r", "run-end encoded", "its values' type"},
    Refused{"+l", "a list", "columns"},   Refused{"+L", "a list", "columns"},
    Refused{"+w", "a list", "columns"},   Refused{"+v", "a list", "columns"},
    Refused{"+m", "a map", "columns"},    Refused{"+u", "a union", "columns"}};

Result<ColumnType> PlainTypeOf(const ArrowSchema& schema) {
  if (schema.format == nullptr) return Error(ErrorCode::kInvalidInput, "the schema has no format");
  const std::string_view format = schema.format;
  if (format == "vu") return ColumnType{.kind = Kind::kTextView};
  for (const Simple& simple : kSimple) {
    if (format.size() == 1 && format[0] == simple.format) return simple.type;
  }
  for (const Refused& refused : kRefused) {
    if (!format.starts_with(refused.begin)) continue;
    return Error(ErrorCode::kInvalidInput,
                 "the column is {} (\"{:.20}\"); numbers, booleans, text and dictionaries of them "
                 "are read",
                 refused.name, format)
        .Fix(fmt::format("cast the column to {}", refused.cast));
  }
  return Error(ErrorCode::kInvalidInput, "\"{:.20}\" is no format of an Arrow column", format);
}

Status Bad(std::string_view what) {
  return Error(ErrorCode::kInvalidInput, "the Arrow array is damaged: {}", what);
}

// How many buffers an array of the type has; of views, at least.
std::int64_t BuffersOf(const ColumnType& type) {
  if (type.dictionary) return 2;
  if (type.kind == Kind::kNull) return 0;
  return type.IsText() ? 3 : 2;
}

// The number in the model's type; nothing where it does not fit.
template <class To, class From>
std::optional<To> Convert(From value) {
  if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    constexpr bool kTruth = std::is_same_v<To, bool>;
    constexpr auto kLeast = static_cast<double>(std::numeric_limits<To>::lowest());
    constexpr double kAbove = kTruth ? 2 : -kLeast;  // the first that is too large
    if (!(value >= kLeast && value < kAbove) || value != std::floor(value)) return std::nullopt;
    return static_cast<To>(value);
  } else if constexpr (std::is_same_v<To, bool>) {
    if (value != From(0) && value != From(1)) return std::nullopt;
    return value != From(0);
  } else {
    if (!std::in_range<To>(value)) return std::nullopt;
    return static_cast<To>(value);
  }
}

Status InRow(Status status, std::int64_t row) {
  return std::move(status).In(fmt::format("row {}", row));
}

}  // namespace

Result<ColumnType> TypeOf(const ArrowSchema& schema) {
  if (schema.dictionary == nullptr) return PlainTypeOf(schema);
  ATH_TRY(const ColumnType index, PlainTypeOf(schema));
  if (index.kind != Kind::kSigned && index.kind != Kind::kUnsigned)
    return Bad("the indices of a dictionary are no integers");
  if (schema.dictionary->dictionary != nullptr) return Bad("a dictionary of a dictionary");
  ATH_TRY(ColumnType type, PlainTypeOf(*schema.dictionary));
  type.dictionary = true;
  type.signed_index = index.kind == Kind::kSigned;
  type.index = index.bytes;
  return type;
}

Result<Column> Column::Of(const ColumnType& type, const ArrowArray& array, std::int64_t skip,
                          std::int64_t rows) {
  if (array.length < 0 || array.offset < 0) return Bad("a length or an offset below 0");
  const std::optional<std::int64_t> end = CheckedAdd(skip, rows);
  if (!end || *end > array.length)
    return Bad(fmt::format("{} cells for {} rows behind {}", array.length, rows, skip));
  if (!CheckedAdd(array.offset, array.length)) return Bad("its end cannot be counted");
  Column column;
  column.type_ = type;
  column.first_ = array.offset + skip;
  column.end_ = column.first_ + rows;
  const std::int64_t wanted = BuffersOf(type);
  const bool views = !type.dictionary && type.kind == Kind::kTextView;
  if (views ? array.n_buffers < wanted : array.n_buffers != wanted)
    return Bad(fmt::format("{} buffers, {} are expected", array.n_buffers, wanted));
  if ((array.dictionary != nullptr) != type.dictionary)
    return Bad(type.dictionary ? "its dictionary is missing" : "it has a dictionary");
  if (wanted == 0) return column;
  if (array.buffers == nullptr) return Bad("its buffers are missing");
  const auto buffer = [&](std::int64_t i) {
    return static_cast<const std::uint8_t*>(array.buffers[i]);
  };
  column.validity_ = array.null_count == 0 ? nullptr : buffer(0);
  if (column.validity_ == nullptr && array.null_count > 0)
    return Bad("it has missing values, but no buffer says which");
  column.cells_ = buffer(1);
  if (rows > 0 && column.cells_ == nullptr) return Bad("its values are missing");
  if (views) {
    column.num_parts_ = array.n_buffers - 3;
    column.parts_ = array.buffers + 2;
    column.part_sizes_ = buffer(array.n_buffers - 1);
    if (column.num_parts_ > 0 && column.part_sizes_ == nullptr)
      return Bad("the sizes of its buffers are missing");
  } else if (wanted == 3) {
    column.text_ = buffer(2);
  }
  if (!type.dictionary) return column;
  ColumnType inner = type;
  inner.dictionary = false;
  ATH_TRY(Column values, Of(inner, *array.dictionary, 0, array.dictionary->length));
  column.values_ = std::make_shared<const Column>(std::move(values));
  return column;
}

bool Column::IsSet(std::int64_t position) const {
  if (type_.kind == Kind::kNull && !type_.dictionary) return false;
  return validity_ == nullptr || ((validity_[position / 8] >> (position % 8)) & 1) != 0;
}

Result<std::int64_t> Column::IndexAt(std::int64_t position) const {
  std::int64_t index = 0;
  const auto load = [&](auto narrow, auto wide) {
    index = type_.signed_index ? std::int64_t{Load<decltype(narrow)>(cells_, position)}
                               : static_cast<std::int64_t>(Load<decltype(wide)>(cells_, position));
  };
  if (type_.index == 1) load(std::int8_t{}, std::uint8_t{});
  if (type_.index == 2) load(std::int16_t{}, std::uint16_t{});
  if (type_.index == 4) load(std::int32_t{}, std::uint32_t{});
  if (type_.index == 8) load(std::int64_t{}, std::uint64_t{});
  const std::int64_t size = values_->end_ - values_->first_;
  if (index < 0 || index >= size)
    return Bad(fmt::format("index {} into a dictionary of {}", index, size));
  return index;
}

Result<Column::Place> Column::Find(std::int64_t row) const {
  const std::int64_t position = first_ + row;
  if (!IsSet(position)) return Place{this, -1};
  if (values_ == nullptr) return Place{this, position};
  ATH_TRY(const std::int64_t index, IndexAt(position));
  return values_->Find(index);
}

Result<std::string_view> Column::ViewAt(std::int64_t position) const {
  constexpr std::int32_t kInside = 12;  // bytes that lie in the view itself
  const std::uint8_t* view = cells_ + position * 16;
  const auto length = Load<std::int32_t>(view, 0);
  if (length < 0) return Bad("a text of a length below 0");
  const auto size = static_cast<std::size_t>(length);
  if (length <= kInside) return std::string_view(reinterpret_cast<const char*>(view + 4), size);
  const auto part = Load<std::int32_t>(view, 2), offset = Load<std::int32_t>(view, 3);
  if (part < 0 || part >= num_parts_ || parts_[part] == nullptr)
    return Bad(fmt::format("a text in buffer {} of {}", part, num_parts_));
  const auto available = Load<std::int64_t>(part_sizes_, part);
  if (offset < 0 || std::int64_t{offset} + length > available)
    return Bad("a text behind the end of its buffer");
  return std::string_view(static_cast<const char*>(parts_[part]) + offset, size);
}

Result<std::string_view> Column::TextAt(std::int64_t position) const {
  if (type_.kind == Kind::kTextView) return ViewAt(position);
  std::int64_t begin = 0, end = 0;
  if (type_.kind == Kind::kText) {
    begin = Load<std::int32_t>(cells_, position);
    end = Load<std::int32_t>(cells_, position + 1);
  } else {
    begin = Load<std::int64_t>(cells_, position);
    end = Load<std::int64_t>(cells_, position + 1);
  }
  if (begin < 0 || end < begin) return Bad("the offsets of its texts do not rise");
  if (end > begin && text_ == nullptr) return Bad("its texts are missing");
  if (end == begin) return std::string_view();
  return std::string_view(reinterpret_cast<const char*>(text_) + begin,
                          static_cast<std::size_t>(end - begin));
}

// Calls `visit` with a number of the type that the cells have.
template <class Visitor>
auto Column::VisitNumbers(Visitor&& visit) const {
  const bool is_signed = type_.kind == Kind::kSigned;
  if (type_.kind == Kind::kReal)
    return type_.bytes == 8 ? visit(double{}) : type_.bytes == 4 ? visit(float{}) : visit(Half{});
  if (type_.bytes == 8) return is_signed ? visit(std::int64_t{}) : visit(std::uint64_t{});
  if (type_.bytes == 4) return is_signed ? visit(std::int32_t{}) : visit(std::uint32_t{});
  if (type_.bytes == 2) return is_signed ? visit(std::int16_t{}) : visit(std::uint16_t{});
  if (type_.bytes == 1) return is_signed ? visit(std::int8_t{}) : visit(std::uint8_t{});
  return visit(bool{});
}

// A number as a csv file would have it: for models that read categories as text.
Result<std::string> Column::PrintedAt(std::int64_t position) const {
  return VisitNumbers([&](auto type) -> std::string {
    using From = decltype(type);
    if constexpr (std::is_same_v<From, bool>) {
      return ((cells_[position / 8] >> (position % 8)) & 1) != 0 ? "true" : "false";
    } else if constexpr (std::is_same_v<From, Half>) {
      return fmt::format("{}", FloatFromHalf(Load<std::uint16_t>(cells_, position)));
    } else {
      return fmt::format("{}", Load<From>(cells_, position));
    }
  });
}

template <class From, class To>
Status Column::CopyNumbers(Tensor& to, std::int64_t at, std::int64_t stride, std::int64_t begin,
                           std::int64_t rows, std::int64_t first_row) const {
  const std::span<To> out = to.MutableData<To>();
  for (std::int64_t r = 0; r < rows; ++r) {
    To& cell = out[static_cast<std::size_t>(at + r * stride)];
    const std::int64_t row = begin + r;
    Result<Place> place = Find(row);
    if (!place.ok()) return InRow(std::move(place).status(), first_row + row);
    if (place->position < 0) {
      if constexpr (std::is_floating_point_v<To>) {
        cell = std::numeric_limits<To>::quiet_NaN();
        continue;
      }
      // Integers and booleans have no missing value.
      return InRow(
          Error(ErrorCode::kInvalidInput, "the value is missing, but the model takes none here"),
          first_row + row);
    }
    const std::uint8_t* cells = place->column->cells_;
    std::optional<To> value;
    if constexpr (std::is_same_v<From, bool>) {
      value = Convert<To>((cells[place->position / 8] >> (place->position % 8)) & 1);
    } else if constexpr (std::is_same_v<From, Half>) {
      value = Convert<To>(FloatFromHalf(Load<std::uint16_t>(cells, place->position)));
    } else {
      value = Convert<To>(Load<From>(cells, place->position));
    }
    if (!value) {
      ATH_TRY(const std::string printed, place->column->PrintedAt(place->position));
      return InRow(Error(ErrorCode::kInvalidInput, "{} is no {}", printed, Name(to.dtype())),
                   first_row + row);
    }
    cell = *value;
  }
  return {};
}

Status Column::CopyTexts(Tensor& to, std::int64_t at, std::int64_t stride, std::int64_t begin,
                         std::int64_t rows, std::int64_t first_row) const {
  const std::span<std::string> out = to.MutableData<std::string>();
  for (std::int64_t r = 0; r < rows; ++r) {
    std::string& cell = out[static_cast<std::size_t>(at + r * stride)];
    const auto read = [&]() -> Result<std::string> {
      ATH_TRY(const Place place, Find(begin + r));
      if (place.position < 0) return std::string();  // how models know what is missing
      if (!type_.IsText()) return place.column->PrintedAt(place.position);
      ATH_TRY(const std::string_view text, place.column->TextAt(place.position));
      return std::string(text);
    };
    Result<std::string> text = read();
    if (!text.ok()) return InRow(std::move(text).status(), first_row + begin + r);
    cell = *std::move(text);
  }
  return {};
}

Status Column::CopyTo(Tensor& to, std::int64_t at, std::int64_t stride, std::int64_t begin,
                      std::int64_t rows, std::int64_t first_row) const {
  if (to.dtype() == DType::kString) return CopyTexts(to, at, stride, begin, rows, first_row);
  if (type_.IsText())
    return Error(ErrorCode::kInvalidInput, "the column is text, the model reads {}",
                 Name(to.dtype()))
        .Fix("cast the column to numbers");
  return VisitNumbers([&](auto type) -> Status {
    using From = decltype(type);
    switch (to.dtype()) {
      case DType::kF32:
        return CopyNumbers<From, float>(to, at, stride, begin, rows, first_row);
      case DType::kF64:
        return CopyNumbers<From, double>(to, at, stride, begin, rows, first_row);
      case DType::kI64:
        return CopyNumbers<From, std::int64_t>(to, at, stride, begin, rows, first_row);
      case DType::kI32:
        return CopyNumbers<From, std::int32_t>(to, at, stride, begin, rows, first_row);
      default:
        return CopyNumbers<From, bool>(to, at, stride, begin, rows, first_row);
    }
  });
}

}  // namespace athanor::arrow
