// The places of a product's output, and what the output at each of them is summed from.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "quant/candidates.h"

namespace athanor::quant {

// Of one product with constant weights of at most 3 spatial axes and explicit pads. A place is one
// row of the data of a matrix product, or one picture and position of a convolution.
class Patches {
 public:
  // Nothing when the product is of a form that is not cut.
  static std::optional<Patches> Of(const Graph& graph, const Candidate& c);

  std::size_t columns() const { return columns_; }  // of one group of rows
  std::size_t groups() const { return groups_; }
  // How many places the output for this data has.
  std::size_t Count(const Tensor& x) const;
  std::size_t CountOutput(const Tensor& y) const;  // the same from the output
  // What the output at `place` of the group is summed from.
  void Cut(const Tensor& x, std::size_t group, std::size_t place, std::vector<float>& out) const;
  // The output `y` at a place, one value per row of the weights' matrix.
  void CutOutput(const Tensor& y, std::size_t place, std::vector<float>& out) const;

 private:
  std::int64_t Places(const Tensor& x, std::size_t axis) const;
  float Read(const Tensor& x, std::span<const float> data, std::int64_t from,
             const std::int64_t* begin, const std::int64_t* k) const;
  bool Advance(std::int64_t* k) const;

  std::size_t columns_ = 0, axes_ = 0, groups_ = 1, rows_ = 0;
  std::int64_t inputs_ = 1;
  std::vector<std::int64_t> kernel_, strides_, dilations_, pads_;
};

// The `i`-th of `taken` places out of `places`: evenly spread, from another begin in each sample.
inline std::size_t SpreadPlace(std::size_t i, std::size_t taken, std::size_t places,
                               std::size_t sample) {
  return (i * places / taken + sample * 7919) % places;
}

}  // namespace athanor::quant
