// Products of bytes that DynamicQuantizeLinear made and of weights that are bytes, as
// MatMulInteger: what other programs multiply bytes for. Read back, they are what they were (see
// the rule real-from-integer-product).
#pragma once

#include <array>
#include <optional>

#include "frontends/onnx/node_export.h"

namespace athanor::onnx {

// What MatMul(DequantizeLinear(x), DequantizeLinear(w)) multiplies.
struct IntegerProduct {
  ValueId x = kNoValue, x_scale = kNoValue, x_zero = kNoValue;
  ValueId w = kNoValue, w_scale = kNoValue, w_zero = kNoValue;  // w_zero: or none
};
// Nothing when `node` is no such product.
std::optional<IntegerProduct> IntegerProductOf(const Graph& graph, const Node& node);
// Whether nothing else wants the real numbers of this DequantizeLinear.
bool OnlyIntegerProductsRead(const Graph& graph, const Node& node);

// The names of the product's values; "" for no w_zero.
struct IntegerNames {
  std::string x, x_scale, x_zero, w, w_scale, w_zero;
};
void WriteIntegerProduct(NodeExport& ctx, const IntegerNames& names);

// The first operator set with DynamicQuantizeLinear.
inline constexpr std::int64_t kIntegerOpset = 11;

}  // namespace athanor::onnx
