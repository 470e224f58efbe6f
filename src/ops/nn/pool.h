// Pooling: the attributes of MaxPool, AveragePool and LpPool. Kernels read them too.
#pragma once

#include "ops/nn/window.h"

namespace athanor::ops {

struct PoolAttrs {
  std::vector<std::int64_t> kernel_shape;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::vector<std::int64_t> pads;
  std::string auto_pad = "NOTSET";
  bool ceil_mode = false;

  template <class V>
  void Visit(V& v) {
    v("auto_pad", auto_pad, "NOTSET (use pads), VALID, SAME_UPPER or SAME_LOWER");
    v("ceil_mode", ceil_mode, "round the output size up instead of down");
    v("dilations", dilations, "distance between taps per spatial axis; empty: 1");
    v("kernel_shape", kernel_shape, "size of the window per spatial axis", kRequired);
    v("pads", pads, "elements added, first all begins, then all ends; empty: 0");
    v("strides", strides, "step of the window per spatial axis; empty: 1");
  }
};

struct MaxPoolAttrs : PoolAttrs {
  std::int64_t storage_order = 0;
  template <class V>
  void Visit(V& v) {
    PoolAttrs::Visit(v);
    v("storage_order", storage_order, "indices count in row-major (0) or column-major (1) order");
  }
};

struct AveragePoolAttrs : PoolAttrs {
  bool count_include_pad = false;
  template <class V>
  void Visit(V& v) {
    PoolAttrs::Visit(v);
    v("count_include_pad", count_include_pad, "divide by the window's size, padding included");
  }
};

struct LpPoolAttrs : PoolAttrs {
  std::int64_t p = 2;
  template <class V>
  void Visit(V& v) {
    PoolAttrs::Visit(v);
    v("p", p, "which norm: (sum of |x|^p)^(1/p)");
  }
};

// One pooling with all sizes known.
struct PoolGeometry {
  std::int64_t planes = 0;       // batch times channels
  std::vector<WindowAxis> axes;  // one per spatial axis
};

// x: [n, c, d1, ..., dk]
Result<PoolGeometry> ResolvePool(const PoolAttrs& attrs, std::span<const std::int64_t> x);

}  // namespace athanor::ops
