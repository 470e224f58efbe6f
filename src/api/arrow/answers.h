// The answers of a model as a record batch that another library may take over.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "api/arrow/abi.h"
#include "core/dtype.h"
#include "core/status.h"
#include "core/tensor.h"

namespace athanor::arrow {

// One column of answers: an output of rank 1, or a column of one of rank 2.
struct AnswerColumn {
  std::string name;
  DType dtype = DType::kUndefined;
  std::size_t output = 0;
  std::int64_t at = 0, width = 1;  // in the output
};

// The cells of an answer's column, collected run by run. NaN is a missing value.
class AnswerCells {
 public:
  AnswerCells(const AnswerColumn& column, std::int64_t rows);
  // The first `rows` rows of the output.
  void Add(const Tensor& output, std::int64_t rows);
  // As an array that owns them.
  ArrowArray Release();

 private:
  struct Memory;
  template <class T>
  void AddNumbers(std::span<const T> output, std::int64_t rows);
  void AddText(std::span<const std::string> output, std::int64_t rows);
  void AddMissing(std::int64_t position);

  AnswerColumn column_;
  std::shared_ptr<Memory> memory_;
};

// A field of the schema for such a column.
ArrowSchema SchemaOf(const AnswerColumn& column);

// A struct of these children: a batch, or its schema. Takes the children over.
ArrowArray StructOf(std::vector<Owned<ArrowArray>> children, std::int64_t rows);
ArrowSchema StructOf(std::vector<Owned<ArrowSchema>> children);

}  // namespace athanor::arrow
