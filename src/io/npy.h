// NumPy's .npy and .npz files.
//
// Read: bool, integers, floats, complex numbers, byte and Unicode strings, either byte order, C or
// Fortran order. Refused: pickled objects (they can run code), structured and date types.
// Written: format 1.0, C order, little endian; types NumPy lacks (bf16, f8..., i4...) as f32 or
// i8/u8.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "core/file.h"
#include "io/named_tensors.h"

namespace athanor::io {

struct NpyOptions {
  std::size_t max_bytes = std::size_t{4} << 30;  // of one file's arrays together, as tensors
  // An archive member above `ratio_from` bytes may not be more than `max_ratio` times its packed
  // size; nor may the arrays of an archive together take so much more memory than its file.
  std::size_t ratio_from = std::size_t{64} << 20;
  std::size_t max_ratio = 200;
};

Result<Tensor> ParseNpy(std::span<const std::uint8_t> bytes, const NpyOptions& options = {});
Result<Tensor> ReadNpy(const std::string& path, const NpyOptions& options = {});
// The rows of a matrix in a file, in pieces; a list of numbers is a matrix of one column.
class NpyMatrix {
 public:
  static Result<NpyMatrix> Open(const std::string& path);
  DType dtype() const;
  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }  // at least 1
  // [count, columns]; the rows are there.
  Result<Tensor> Rows(std::int64_t first, std::int64_t count) const;

 private:
  struct Layout;
  std::shared_ptr<const MappedFile> file_;
  std::shared_ptr<const Layout> layout_;
  std::int64_t rows_ = 0, columns_ = 1;
};

Result<std::vector<std::uint8_t>> FormatNpy(const Tensor& tensor);
Status WriteNpy(const std::string& path, const Tensor& tensor);

// Names are the members' names without ".npy"; other members are refused.
Result<NamedTensors> ParseNpz(std::span<const std::uint8_t> bytes, const NpyOptions& options = {});
Result<NamedTensors> ReadNpz(const std::string& path, const NpyOptions& options = {});
// Stored without compression, with fixed time stamps: equal tensors give equal files.
Status WriteNpz(const std::string& path, const NamedTensors& tensors);

}  // namespace athanor::io
