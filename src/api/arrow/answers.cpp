#include "api/arrow/answers.h"

#include <cmath>
#include <cstring>
#include <type_traits>

namespace athanor::arrow {
namespace {

constexpr std::int64_t kNullable = 2;  // ARROW_FLAG_NULLABLE

const char* FormatOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f";
    case DType::kF64:
      return "g";
    case DType::kI64:
      return "l";
    case DType::kI32:
      return "i";
    case DType::kBool:
      return "b";
    default:
      return "U";  // text of any size
  }
}

// What a struct, or its schema, owns.
template <class S>
struct Children {
  std::vector<Owned<S>> owned;
  std::vector<S*> pointers;
  const void* buffer = nullptr;  // of a batch: no row is missing

  explicit Children(std::vector<Owned<S>> from) : owned(std::move(from)) {
    for (Owned<S>& child : owned) pointers.push_back(child.get());
  }
};

template <class S, class Owner>
void ReleaseAs(S* released) {
  delete static_cast<Owner*>(released->private_data);
  released->release = nullptr;
}

void SetBit(std::vector<std::uint8_t>& bits, std::int64_t position) {
  bits[static_cast<std::size_t>(position / 8)] |=
      static_cast<std::uint8_t>(1U << static_cast<unsigned>(position % 8));
}

}  // namespace

struct AnswerCells::Memory {
  std::int64_t rows = 0, missing = 0;
  std::vector<std::uint8_t> validity;  // empty: nothing is missing
  std::vector<std::uint8_t> cells;     // numbers, bits of booleans, or offsets of texts
  std::string text;
  const void* buffers[3] = {};
};

AnswerCells::AnswerCells(const AnswerColumn& column, std::int64_t rows)
    : column_(column), memory_(std::make_shared<Memory>()) {
  const auto count = static_cast<std::size_t>(rows);
  if (column.dtype == DType::kBool) {
    memory_->cells.resize((count + 7) / 8);
  } else if (column.dtype == DType::kString) {
    memory_->cells.resize((count + 1) * sizeof(std::int64_t));
  } else {
    memory_->cells.resize(count * ElementBytes(column.dtype));
  }
  memory_->validity.assign((count + 7) / 8, 0xFF);
}

void AnswerCells::AddMissing(std::int64_t position) {
  memory_->validity[static_cast<std::size_t>(position / 8)] &=
      static_cast<std::uint8_t>(~(1U << static_cast<unsigned>(position % 8)));
  ++memory_->missing;
}

template <class T>
void AnswerCells::AddNumbers(std::span<const T> output, std::int64_t rows) {
  Memory& m = *memory_;
  for (std::int64_t r = 0; r < rows; ++r, ++m.rows) {
    const T value = output[static_cast<std::size_t>(r * column_.width + column_.at)];
    if constexpr (std::is_same_v<T, bool>) {
      if (value) SetBit(m.cells, m.rows);
    } else {
      std::memcpy(m.cells.data() + static_cast<std::size_t>(m.rows) * sizeof(T), &value, sizeof(T));
      if constexpr (std::is_floating_point_v<T>) {
        if (std::isnan(value)) AddMissing(m.rows);
      }
    }
  }
}

void AnswerCells::AddText(std::span<const std::string> output, std::int64_t rows) {
  Memory& m = *memory_;
  for (std::int64_t r = 0; r < rows; ++r) {
    m.text += output[static_cast<std::size_t>(r * column_.width + column_.at)];
    const auto end = static_cast<std::int64_t>(m.text.size());
    ++m.rows;
    std::memcpy(m.cells.data() + static_cast<std::size_t>(m.rows) * sizeof(end), &end, sizeof(end));
  }
}

void AnswerCells::Add(const Tensor& output, std::int64_t rows) {
  switch (column_.dtype) {
    case DType::kF32:
      return AddNumbers(output.Data<float>(), rows);
    case DType::kF64:
      return AddNumbers(output.Data<double>(), rows);
    case DType::kI64:
      return AddNumbers(output.Data<std::int64_t>(), rows);
    case DType::kI32:
      return AddNumbers(output.Data<std::int32_t>(), rows);
    case DType::kBool:
      return AddNumbers(output.Data<bool>(), rows);
    default:
      return AddText(output.Data<std::string>(), rows);
  }
}

ArrowArray AnswerCells::Release() {
  auto owner = std::make_unique<std::shared_ptr<Memory>>(std::move(memory_));
  Memory& m = **owner;
  const bool text = column_.dtype == DType::kString;
  m.buffers[0] = m.missing > 0 ? m.validity.data() : nullptr;
  m.buffers[1] = m.cells.data();
  m.buffers[2] = m.text.data();
  return {.length = m.rows,
          .null_count = m.missing,
          .offset = 0,
          .n_buffers = text ? 3 : 2,
          .n_children = 0,
          .buffers = m.buffers,
          .children = nullptr,
          .dictionary = nullptr,
          .release = ReleaseAs<ArrowArray, std::shared_ptr<Memory>>,
          .private_data = owner.release()};
}

ArrowSchema SchemaOf(const AnswerColumn& column) {
  auto name = std::make_unique<std::string>(column.name);
  return {.format = FormatOf(column.dtype),
          .name = name->c_str(),
          .metadata = nullptr,
          .flags = kNullable,
          .n_children = 0,
          .children = nullptr,
          .dictionary = nullptr,
          .release = ReleaseAs<ArrowSchema, std::string>,
          .private_data = name.release()};
}

ArrowArray StructOf(std::vector<Owned<ArrowArray>> children, std::int64_t rows) {
  auto owner = std::make_unique<Children<ArrowArray>>(std::move(children));
  return {.length = rows,
          .null_count = 0,
          .offset = 0,
          .n_buffers = 1,
          .n_children = static_cast<std::int64_t>(owner->pointers.size()),
          .buffers = &owner->buffer,
          .children = owner->pointers.data(),
          .dictionary = nullptr,
          .release = ReleaseAs<ArrowArray, Children<ArrowArray>>,
          .private_data = owner.release()};
}

ArrowSchema StructOf(std::vector<Owned<ArrowSchema>> children) {
  auto owner = std::make_unique<Children<ArrowSchema>>(std::move(children));
  return {.format = "+s",
          .name = "",
          .metadata = nullptr,
          .flags = 0,
          .n_children = static_cast<std::int64_t>(owner->pointers.size()),
          .children = owner->pointers.data(),
          .dictionary = nullptr,
          .release = ReleaseAs<ArrowSchema, Children<ArrowSchema>>,
          .private_data = owner.release()};
}

}  // namespace athanor::arrow
