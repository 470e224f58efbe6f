// A column of a record batch: what its type is, and its cells as elements of a model's input.
//
// A producer is another library of this process, but its data may come from anywhere: lengths,
// counts, offsets and indices are checked before they are followed. What the interface does not
// carry, the length of a buffer of fixed-width numbers, cannot be.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "api/arrow/abi.h"
#include "core/dtype.h"
#include "core/status.h"
#include "core/tensor.h"

namespace athanor::arrow {

enum class Kind : std::uint8_t {
  kNull,
  kBool,
  kSigned,
  kUnsigned,
  kReal,
  kText,       // offsets of 32 bits
  kLargeText,  // of 64
  kTextView,   // 16 bytes each: short texts lie in them
};

// What a column holds. Of a dictionary: what its values are; the indices have `index` bytes.
struct ColumnType {
  Kind kind = Kind::kNull;
  std::size_t bytes = 0;  // of a number
  bool dictionary = false, signed_index = false;
  std::size_t index = 0;

  bool IsText() const { return kind >= Kind::kText; }
};

// What is no column of cells is refused by name, with the cast that makes it one.
Result<ColumnType> TypeOf(const ArrowSchema& schema);

// An array of a type, checked. Does not own.
class Column {
 public:
  // Rows [skip, skip + rows) of the array.
  static Result<Column> Of(const ColumnType& type, const ArrowArray& array, std::int64_t skip,
                           std::int64_t rows);

  // Cells [begin, begin + rows) to every `stride`-th element of a tensor, from element `at` on. A
  // failure names the row, counted from `first_row`.
  Status CopyTo(Tensor& to, std::int64_t at, std::int64_t stride, std::int64_t begin,
                std::int64_t rows, std::int64_t first_row) const;

 private:
  // Where a cell lies, behind a dictionary or not; position < 0: there is none.
  struct Place {
    const Column* column;
    std::int64_t position;
  };
  Result<Place> Find(std::int64_t row) const;
  bool IsSet(std::int64_t position) const;
  Result<std::int64_t> IndexAt(std::int64_t position) const;
  Result<std::string_view> TextAt(std::int64_t position) const;
  Result<std::string_view> ViewAt(std::int64_t position) const;
  Result<std::string> PrintedAt(std::int64_t position) const;
  template <class Visitor>
  auto VisitNumbers(Visitor&& visit) const;
  template <class From, class To>
  Status CopyNumbers(Tensor& to, std::int64_t at, std::int64_t stride, std::int64_t begin,
                     std::int64_t rows, std::int64_t first_row) const;
  Status CopyTexts(Tensor& to, std::int64_t at, std::int64_t stride, std::int64_t begin,
                   std::int64_t rows, std::int64_t first_row) const;

  ColumnType type_;
  std::int64_t first_ = 0, end_ = 0;  // positions in the buffers
  const std::uint8_t* validity_ = nullptr;
  const std::uint8_t* cells_ = nullptr;  // numbers, indices, offsets or views
  const std::uint8_t* text_ = nullptr;
  const void* const* parts_ = nullptr;  // of views: the buffers of long texts
  std::int64_t num_parts_ = 0;
  const std::uint8_t* part_sizes_ = nullptr;
  std::shared_ptr<const Column> values_;  // of a dictionary
};

}  // namespace athanor::arrow
