// A result each place of which shows one element of input 0, picked axis by axis.
#pragma once

#include <array>

#include "kernels/kernel.h"
#include "kernels/move/shuffle_table.h"
#include "kernels/strides.h"

namespace athanor::kernels {

class Picked {
 public:
  Picked() = default;
  // maps[a]: which element of axis a is shown at each place along it. At least one axis, and at
  // most Walk::kMostDims. `element`: bytes of one, a power of two up to 64.
  Picked(const Dims& in, std::vector<Dims> maps, std::int64_t element, Isa isa);

  void Run(const KernelArgs& args) const;

 private:
  // A row of the result, and where the row that it shows begins in the input.
  struct Place {
    std::array<std::size_t, Walk::kMostDims> index = {};
    std::int64_t offset = 0;
  };
  Place At(std::int64_t row) const;
  void Advance(Place& place) const;

  std::vector<Dims> maps_;  // of all axes but the last: times the axis's stride
  const ShuffleTable* table_ = nullptr;
  std::int64_t rows_ = 1, element_ = 1;
  bool doubled_ = false;  // along the last axis every element is shown twice, in order
};

}  // namespace athanor::kernels
