// The weights of one product: how their elements lie, and their integers.
#pragma once

#include <vector>

#include "quant/candidates.h"

namespace athanor::quant {

// Weights as a matrix: one row per output channel, one column per input that the
// output sums over. Convolutions: the columns are (input channel of the group,
// place in the kernel); each group of rows reads input channels of its own.
class WeightMatrix {
 public:
  // `channels`: of the data; 0: as many as the weights read.
  WeightMatrix(const Tensor& w, const Candidate& c, std::size_t channels = 0);

  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  std::size_t groups() const { return rows_ / rows_per_group_; }
  std::size_t rows_per_group() const { return rows_per_group_; }
  // Where an element lies in the tensor.
  std::size_t At(std::size_t row, std::size_t column) const {
    return row * row_stride_ + column * column_stride_;
  }
  // Which channel of the data an element multiplies.
  std::size_t Channel(std::size_t row, std::size_t column) const {
    return row / rows_per_group_ * inputs_ + column / kernel_;
  }

 private:
  std::size_t rows_ = 1, columns_ = 1, row_stride_ = 1, column_stride_ = 1;
  std::size_t inputs_ = 1;  // channels that a row reads
  std::size_t kernel_ = 1;  // places of the kernel
  std::size_t rows_per_group_ = 1;
};

struct WeightForm {
  int bits = 8;             // symmetric: 8 bits are [-127, 127], 4 bits [-7, 7]
  bool per_tensor = false;  // one scale for all channels
  // With a zero point: all 256 bytes from the smallest to the largest weight, 0 among them. 8 bits
  // only.
  bool asymmetric = false;
};
inline int MostOf(int bits) { return (1 << (bits - 1)) - 1; }

struct IntWeights {
  Tensor values;                        // i8, whatever the bits
  std::vector<float> scales;            // one per row
  std::vector<std::int8_t> zeros = {};  // one per row, or none where the form is symmetric
  std::vector<std::size_t> dead = {};   // rows of zeros

  int ZeroOf(std::size_t row) const { return zeros.empty() ? 0 : zeros[row]; }
  // What the integer at `at`, of this row, stands for.
  double ValueOf(std::size_t row, std::size_t at) const {
    return static_cast<double>(values.Data<std::int8_t>()[at] - ZeroOf(row)) * scales[row];
  }
};

// How many steps of its scale a weight of a row may be away from 0.
struct StepLimits {
  int least = 0, most = 0;
};
StepLimits StepLimitsOf(const IntWeights& weights, std::size_t row, int bits);

// A scale for each row, and a zero point where the form has them: the largest weight is the largest
// integer; below 8 bits the part of that range with the least square error. `least`: no scale of
// the row is smaller. An error when a weight is not finite.
Result<IntWeights> ScaleWeights(const Tensor& w, const WeightMatrix& matrix, const WeightForm& form,
                                const std::vector<float>& least);
// To nearest.
void RoundWeights(const Tensor& w, const WeightMatrix& matrix, int bits, IntWeights& weights);

}  // namespace athanor::quant
