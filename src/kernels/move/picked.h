// A result each place of which shows one element of input 0, picked axis by axis.
#pragma once

#include "kernels/kernel.h"

namespace athanor::kernels {

class Picked {
 public:
  Picked() = default;
  // maps[a]: which element of axis a is shown at each place along it. At least one axis.
  // `element`: bytes of one.
  Picked(const Dims& in, std::vector<Dims> maps, std::int64_t element);

  void Run(const KernelArgs& args) const;

 private:
  std::vector<Dims> maps_;
  Dims strides_;  // of the input
  std::int64_t rows_ = 1, element_ = 1;
  bool doubled_ = false;  // along the last axis every element is shown twice, in order
};

}  // namespace athanor::kernels
