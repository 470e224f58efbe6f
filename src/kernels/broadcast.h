// The loop of element-wise kernels: operands that broadcast to one result, walked in rows.
#pragma once

#include <algorithm>
#include <array>

#include "kernels/kernel.h"
#include "kernels/strides.h"

namespace athanor::kernels {

// Elements below which sharing the work of cheap functions between threads does not pay.
constexpr std::int64_t kElementGrain = 16384;

class BroadcastLoop {
 public:
  static constexpr std::size_t kMostOperands = 16;
  using Offsets = std::array<std::int64_t, kMostOperands>;

  BroadcastLoop() = default;
  // At most kMostOperands shapes that broadcast to `out`. A row-major result.
  BroadcastLoop(Dims out, std::span<const Dims> operands);

  // Operands walked with strides of their own; the result may be one of them.
  static BroadcastLoop Strided(Dims dims, std::vector<Dims> strides);

  // How an operand advances within a row: 0 or 1 unless it has strides of its own.
  std::size_t step(std::size_t operand) const {
    return static_cast<std::size_t>(strides_[operand].back());
  }

  // Calls row(offsets, out, n) on rows that cover the result: operand k begins at offsets[k], the
  // result at out, all in elements. Shared between threads when there is work for them.
  template <class F>
  void Run(const KernelArgs& args, std::int64_t grain, const F& row) const {
    const std::int64_t inner = dims_.back();
    if (outer_ == 1) {
      Parallel(args, inner, grain, [&](std::int64_t begin, std::int64_t end, int) {
        Offsets offsets = {};
        for (std::size_t k = 0; k < strides_.size(); ++k) offsets[k] = begin * strides_[k].back();
        row(offsets, begin, end - begin);
      });
      return;
    }
    const std::int64_t rows = std::max<std::int64_t>(1, grain / std::max<std::int64_t>(1, inner));
    Parallel(args, outer_, rows, [&](std::int64_t begin, std::int64_t end, int) {
      Offsets offsets = {};
      Index index = {};
      Seek(begin, index, offsets);
      for (std::int64_t i = begin; i < end; ++i) {
        row(offsets, i * inner, inner);
        Advance(index, offsets);
      }
    });
  }

 private:
  using Index = std::array<std::int64_t, Walk::kMostDims>;

  void Merge();

  void Seek(std::int64_t row, Index& index, Offsets& offsets) const;
  void Advance(Index& index, Offsets& offsets) const {
    for (std::size_t axis = dims_.size() - 1; axis-- > 0;) {
      const bool wraps = ++index[axis] == dims_[axis];
      const std::int64_t back = wraps ? dims_[axis] - 1 : -1;
      for (std::size_t k = 0; k < strides_.size(); ++k) offsets[k] -= back * strides_[k][axis];
      if (!wraps) return;
      index[axis] = 0;
    }
  }

  // Dimensions after neighbours that all operands walk alike were merged; the last one is a row.
  Dims dims_;
  std::vector<Dims> strides_;
  std::int64_t outer_ = 1;
};

// Whether a loop over these ports can be made; the reason when not.
Fit FitsBroadcast(const KernelQuery& query, std::size_t operands);

}  // namespace athanor::kernels
