// Windows as TFLite has them: SAME or VALID; any other padding is an operator before.
#pragma once

#include "frontends/tflite/op_export.h"

namespace athanor::tflite {

// What moves over a picture, along height and width.
struct Window {
  Ints kernel, strides, dilations;  // 2 each
  Ints before, after;               // padding, 2 each; none when `same`
  bool same = false;                // as TFLite computes it
  bool is_line = false;             // a picture of one row: the graph has 1 axis

  bool Pads() const;
};

// The padding that TFLite's SAME stands for along an axis (0: height) of that size; nothing where
// it depends on a size that is not known.
std::optional<std::pair<std::int64_t, std::int64_t>> SamePadding(const Window& window,
                                                                 std::size_t axis, const Dim& size);

// Reads the attributes of a node over [n, c, width] or [n, c, height, width].
Result<Window> ReadWindow(const OpExport& ctx, const Ints& kernel);

// Input 0 as [n, height, width, c] in which the window fits without padding of its own; what was
// added has the value `fill` (NaN: 0, or the zero point of integers).
TensorIndex PictureFor(OpExport& ctx, const Window& window, float fill);

// The result of the window's operator: of the node, or a picture of one row whose row goes.
Status EmitWindow(OpExport& ctx, const Window& window, schema::BuiltinOperator code,
                  std::vector<TensorIndex> inputs, const FileExport::Options& options);
// The type that the operator's result has while it is a picture.
Type PictureType(const OpExport& ctx, const Window& window);

}  // namespace athanor::tflite
