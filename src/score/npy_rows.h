// An array of NumPy (.npy) as the text of a table: a row of names, then its rows, piece by piece.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "io/npy.h"

namespace athanor::score {

bool IsNpyFile(std::string_view path);

class NpyRows {
 public:
  // `names` of the columns that the model reads, in its order; none: any columns, by their numbers.
  static Result<NpyRows> Open(const std::string& path, std::vector<std::string> names);
  // Up to so many bytes; 0 at the end.
  Result<std::size_t> Read(char* to, std::size_t bytes);

 private:
  explicit NpyRows(io::NpyMatrix matrix) : matrix_(std::move(matrix)) {}
  // The next rows, as text.
  Status Print();

  io::NpyMatrix matrix_;
  std::int64_t next_ = 0;  // row
  std::string text_;
  std::size_t given_ = 0;  // of text_
};

}  // namespace athanor::score
