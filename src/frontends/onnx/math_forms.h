// How older (and some newer) forms of arithmetic operators are expressed in today's: the `make`
// functions of rows in table_math.cpp.
#pragma once

#include "frontends/onnx/node_import.h"

namespace athanor::onnx {

// Before operator set 7: attributes `broadcast` and `axis` say how input 1 lines up with input 0.
Status BroadcastByAxis(NodeImport& ctx);
// PRelu before 7: a slope per channel is a vector, whatever the rank of x.
Status PReluPerChannel(NodeImport& ctx);
// Clip before 11: the bounds are attributes.
Status ClipByAttributes(NodeImport& ctx);
// Reduce* before 18 (ReduceSum: 13): the axes are an attribute.
Status ReduceByAttribute(NodeImport& ctx);
// Softmax, LogSoftmax and Hardmax before 13: the input is seen as a matrix whose columns are all
// dimensions from `axis` on.
Status SoftmaxOfMatrix(NodeImport& ctx);
// CastLike: the element type is that of input 1.
Status CastToTypeOfInput(NodeImport& ctx);
// TopK before 10: k is an attribute.
Status TopKByAttribute(NodeImport& ctx);

}  // namespace athanor::onnx
