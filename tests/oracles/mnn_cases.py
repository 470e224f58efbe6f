# SPDX-License-Identifier: Apache-2.0
"""Small ONNX networks that MNN's converter turns into .mnn files, made here, with seeded weights.

CASES: name -> (model, flags of the converter). Inputs are made by `inputs_of`.
"""

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

from oracle_common import random_tensor

CASES = {}
RANGES = {}  # of the inputs of a case, where they are not -2 .. 2
PICTURE = [1, 8, 9, 10]


def weights(name, *shape, low=-1.0, high=1.0):
    return numpy_helper.from_array(random_tensor(name, "float32", list(shape), low, high), name)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def scalar(name, value, dtype=np.int64):
    return numpy_helper.from_array(np.array(value, dtype), name)


def floats(name, *values):
    return numpy_helper.from_array(np.array(values, np.float32), name)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, **attributes)


def case(name, op, shapes, constants=(), outputs=1, opset=17, dtypes=(), low=-2.0, high=2.0, flags=(), **attributes):
    """op: an operator's name, or the nodes. Inputs are x0, x1, ..., constants follow them; outputs are y0, y1, ..."""
    inputs = [helper.make_tensor_value_info(f"x{i}", dtypes[i] if i < len(dtypes) else T.FLOAT, shape) for i, shape in enumerate(shapes)]
    names = [f"x{i}" for i in range(len(shapes))] + [constant.name if constant is not None else "" for constant in constants]
    results = [f"y{i}" for i in range(outputs)]
    nodes = [node(op, names, results, name="n", **attributes)] if isinstance(op, str) else op
    graph = helper.make_graph(nodes, "g", inputs, [onnx.helper.make_empty_tensor_value_info(r) for r in results], [c for c in constants if c is not None])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    CASES[name] = (onnx.shape_inference.infer_shapes(model), list(flags))
    RANGES[name] = (low, high)


def inputs_of(name):
    """Open sizes are 4."""
    low, high = RANGES[name]
    arrays = {}
    for value in CASES[name][0].graph.input:
        shape = [d.dim_value or 4 for d in value.type.tensor_type.shape.dim]
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        if dtype == bool:
            arrays[value.name] = random_tensor(value.name, "int32", shape, 0, 2).astype(bool)
        elif dtype.kind == "i":
            arrays[value.name] = random_tensor(value.name, dtype.name, shape, 1, 6)
        else:
            arrays[value.name] = random_tensor(value.name, dtype.name, shape, low, high)
    return arrays


def layers():
    w, b = weights("w", 12, 8, 3, 3), weights("b", 12)
    case("conv", "Conv", [PICTURE], [w, b], pads=[1, 0, 2, 1], strides=[2, 1])
    case("conv_dilated", "Conv", [PICTURE], [w], pads=[2, 2, 2, 2], dilations=[2, 2])
    case("conv_same", "Conv", [PICTURE], [w, b], auto_pad="SAME_UPPER", strides=[2, 2])
    case("conv_depthwise", "Conv", [PICTURE], [weights("w", 8, 1, 3, 3), weights("b", 8)], pads=[1, 1, 1, 1], group=8)
    case("conv_depthwise_twice", "Conv", [PICTURE], [weights("w", 16, 1, 3, 3), weights("b", 16)], pads=[1, 1, 1, 1], group=8)
    case("conv_groups", "Conv", [PICTURE], [weights("w", 8, 2, 3, 3), weights("b", 8)], pads=[1, 1, 1, 1], group=4)
    case("conv_groups_native", "Conv", [PICTURE], [weights("w", 8, 2, 3, 3), weights("b", 8)], pads=[1, 1, 1, 1], group=4, flags=["--groupConvNative"])
    case("conv_1d", "Conv", [[2, 6, 20]], [weights("w", 4, 6, 3), weights("b", 4)], pads=[1, 1])
    case("conv_computed", "Conv", [PICTURE, [12, 8, 3, 3]], pads=[1, 1, 1, 1])
    case("conv_relu", [node("Conv", ["x0", "w", "b"], ["t"]), node("Relu", ["t"], ["y0"])], [PICTURE], [weights("w", 12, 8, 1, 1), b])
    case("conv_relu6", [node("Conv", ["x0", "w", "b"], ["t"]), node("Clip", ["t", "low", "high"], ["y0"])], [PICTURE],
         [weights("w", 12, 8, 1, 1), b, scalar("low", 0, np.float32), scalar("high", 6, np.float32)])
    case("deconv", "ConvTranspose", [PICTURE], [weights("w", 8, 6, 3, 3), weights("b", 6)], strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 0])
    case("deconv_depthwise", "ConvTranspose", [PICTURE], [weights("w", 8, 1, 3, 3), weights("b", 8)], strides=[2, 2], group=8)
    case("deconv_groups", "ConvTranspose", [PICTURE], [weights("w", 8, 3, 3, 3)], strides=[2, 2], group=4)
    case("deconv_same", "ConvTranspose", [PICTURE], [weights("w", 8, 6, 3, 3)], strides=[2, 2], auto_pad="SAME_UPPER")
    case("max_pool", "MaxPool", [PICTURE], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    case("max_pool_ceil", "MaxPool", [PICTURE], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    case("max_pool_uneven", "MaxPool", [PICTURE], kernel_shape=[3, 2], strides=[2, 1], pads=[0, 1, 2, 0])
    case("max_pool_1d", "MaxPool", [[2, 6, 20]], kernel_shape=[3], strides=[2])
    case("average_pool", "AveragePool", [PICTURE], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    case("average_pool_padding", "AveragePool", [PICTURE], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)
    case("average_pool_ceil", "AveragePool", [PICTURE], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    case("global_pools", [node("GlobalAveragePool", ["x0"], ["y0"]), node("GlobalMaxPool", ["x0"], ["y1"])], [PICTURE], outputs=2)
    case("batch_norm", "BatchNormalization", [PICTURE], [weights("g", 8), weights("b", 8), weights("m", 8), weights("v", 8, low=0.5, high=2.0)])
    case("instance_norm", "InstanceNormalization", [PICTURE], [weights("g", 8), weights("b", 8)])
    case("layer_norm", "LayerNormalization", [[2, 5, 8]], [weights("g", 8), weights("b", 8)])
    case("local_response", "LRN", [PICTURE], size=5, alpha=0.3, beta=0.7, bias=1.5)
    case("length_one", "LpNormalization", [[2, 5]], axis=1)
    case("softmax", "Softmax", [PICTURE], axis=1)
    case("softmax_last", "Softmax", [[2, 5]], axis=-1)
    case("log_softmax", "LogSoftmax", [[2, 5]], axis=-1)
    case("matmul", "MatMul", [[2, 3, 4]], [weights("w", 4, 5)])
    case("matmul_computed", "MatMul", [[2, 3, 4], [2, 4, 5]])
    case("gemm", "Gemm", [[3, 4]], [weights("w", 5, 4), weights("b", 5)], transB=1)
    case("einsum", "Einsum", [[2, 3, 4], [2, 4, 5]], equation="bij,bjk->bik")
    case("grid_sample", "GridSample", [[1, 2, 5, 6], [1, 3, 4, 2]], low=-0.9, high=0.9)
    case("roi_align", "RoiAlign", [[1, 2, 8, 8]], [numpy_helper.from_array(np.array([[0.5, 1, 5, 6], [1, 1, 3.5, 4]], np.float32), "r"), ints("i", 0, 0)],
         output_height=2, output_width=3, sampling_ratio=2)
    case("squeeze_excite", [node("GlobalAveragePool", ["x0"], ["t"]), node("Conv", ["t", "w"], ["u"]), node("HardSigmoid", ["u"], ["v"], alpha=1 / 6),
                            node("Mul", ["x0", "v"], ["y0"])], [PICTURE], [weights("w", 8, 8, 1, 1)])
    case("attention", [node("MatMul", ["x0", "wq"], ["q"]), node("MatMul", ["x0", "wk"], ["k"]), node("Transpose", ["k"], ["kt"], perm=[0, 2, 1]),
                       node("MatMul", ["q", "kt"], ["s"]), node("Softmax", ["s"], ["p"], axis=-1), node("MatMul", ["p", "x0"], ["y0"])],
         [[2, 5, 8]], [weights("wq", 8, 8), weights("wk", 8, 8)])


def resize(name, mode, scales=None, sizes=None, **attributes):
    constants = [None, floats("s", *scales) if scales else None] + ([ints("z", *sizes)] if sizes else [])
    case(f"resize_{name}", "Resize", [PICTURE], constants, opset=13, mode=mode, **attributes)


def resizes():
    resize("nearest", "nearest", [1, 1, 2, 2], coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    resize("nearest_half", "nearest", [1, 1, 2, 2])
    resize("nearest_sizes", "nearest", None, [1, 8, 13, 14], coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    resize("linear", "linear", [1, 1, 2, 1.5])
    resize("linear_corners", "linear", None, [1, 8, 13, 14], coordinate_transformation_mode="align_corners")
    resize("linear_asymmetric", "linear", [1, 1, 2, 2], coordinate_transformation_mode="asymmetric")
    resize("linear_pytorch", "linear", None, [1, 8, 18, 1], coordinate_transformation_mode="pytorch_half_pixel")
    resize("cubic", "cubic", [1, 1, 2, 2])


def arithmetic():
    for op in "Abs Neg Floor Ceil Exp Sin Cos Tan Atan Reciprocal Sinh Asinh Sign Round Cosh Erf Sigmoid Tanh HardSwish Relu Softplus Softsign Identity Selu Celu Elu LeakyRelu HardSigmoid ThresholdedRelu".split():
        case(op.lower(), op, [[2, 3, 5]])
    for op, low, high in (("Sqrt", 0.1, 3), ("Log", 0.1, 3), ("Asin", -0.9, 0.9), ("Acos", -0.9, 0.9), ("Atanh", -0.9, 0.9), ("Acosh", 1.1, 3)):
        case(op.lower(), op, [[2, 3, 5]], low=low, high=high)
    case("not", "Not", [[2, 3, 5]], dtypes=[T.BOOL])
    case("gelu", "Gelu", [[2, 3, 5]], opset=20)
    case("gelu_tanh", "Gelu", [[2, 3, 5]], opset=20, approximate="tanh")
    case("prelu", "PRelu", [PICTURE], [weights("s", 8, 1, 1)])
    case("prelu_one", "PRelu", [PICTURE], [weights("s", 1)])
    case("clip", "Clip", [[2, 5]], [scalar("low", -0.5, np.float32), scalar("high", 0.7, np.float32)])
    for op in "Add Sub Mul Div Max Min Greater GreaterOrEqual Less LessOrEqual Equal".split():
        case(op.lower(), op, [[2, 3, 4], [3, 1]])
    case("pow", "Pow", [[2, 3, 4], [3, 1]], low=0.1, high=2)
    case("div_integers", "Div", [[2, 3, 4], [3, 1]], dtypes=[T.INT32, T.INT32])
    case("mod_integers", "Mod", [[2, 3, 4], [3, 1]], dtypes=[T.INT32, T.INT32])
    for op in "And Or Xor".split():
        case(op.lower(), op, [[2, 3], [2, 3]], dtypes=[T.BOOL, T.BOOL])
    case("sum", "Sum", [[2, 3], [2, 3], [2, 3]])
    case("mean", "Mean", [[2, 3], [2, 3], [2, 3]])
    for op in "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp ReduceLogSum".split():
        axes = {"constants": [ints("a", 1)]} if op == "ReduceSum" else {"axes": [1]}
        case(op.lower(), op, [[2, 3, 4]], keepdims=0, low=0.1, **axes)
    case("reduce_all", "ReduceMean", [[2, 3, 4]], keepdims=0)
    case("argmax", "ArgMax", [[2, 5]], axis=1, keepdims=0)
    case("argmin", "ArgMin", [[2, 5]], axis=1, keepdims=1)
    case("cumsum", "CumSum", [[2, 5]], [scalar("a", 1)])
    case("cumsum_reverse", "CumSum", [[2, 5]], [scalar("a", 1)], exclusive=1, reverse=1)
    case("det", "Det", [[2, 3, 3]])


def movements():
    case("concat", "Concat", [PICTURE, [1, 3, 9, 10]], axis=1)
    case("split", "Split", [PICTURE], [ints("s", 3, 5)], outputs=2, axis=1)
    case("split_equal", "Split", [PICTURE], outputs=2, opset=13, axis=1)
    case("slice", "Slice", [PICTURE], [ints("a", 1, 2), ints("b", 7, 9), ints("c", 1, 2), ints("d", 2, 1)])
    case("slice_backwards", "Slice", [PICTURE], [ints("a", -1), ints("b", -1000), ints("c", 3), ints("d", -1)])
    case("reshape", "Reshape", [PICTURE], [ints("s", 0, -1, 10)])
    case("flatten", "Flatten", [PICTURE], axis=2)
    case("transpose", "Transpose", [PICTURE], perm=[0, 2, 3, 1])
    case("squeeze", "Squeeze", [[1, 3, 1, 4]], [ints("a", 0, 2)])
    case("unsqueeze", "Unsqueeze", [[3, 4]], [ints("a", 0, 3)])
    case("shuffle", [node("Reshape", ["x0", "s1"], ["t"]), node("Transpose", ["t"], ["u"], perm=[0, 2, 1, 3, 4]), node("Reshape", ["u", "s2"], ["y0"])],
         [PICTURE], [ints("s1", 1, 2, 4, 9, 10), ints("s2", 1, 8, 9, 10)])
    case("gather", "Gather", [[5, 4]], [ints("i", 1, 3, 0)], axis=0)
    case("gather_columns", "Gather", [[5, 4]], [ints("i", [1, 3], [0, 2])], axis=1)
    case("gather_one", "Gather", [[5, 4]], [scalar("i", 2)], axis=0)
    case("gather_nd", "GatherND", [[5, 4, 3]], [ints("i", [1, 3], [0, 2])])
    case("gather_elements", "GatherElements", [[3, 4]], [ints("i", [1, 0, 2, 1])], axis=0)
    case("scatter_nd", "ScatterND", [[5, 4]], [ints("i", [1], [3]), weights("u", 2, 4)])
    case("scatter_elements", "ScatterElements", [[3, 4]], [ints("i", [1, 0, 2, 1]), weights("u", 1, 4)])
    for mode in ("constant", "reflect", "edge"):
        case(f"pad_{mode}", "Pad", [PICTURE], [ints("p", 0, 0, 1, 2, 0, 0, 2, 1)], mode=mode)
    case("pad_value", "Pad", [PICTURE], [ints("p", 0, 1, 1, 2, 0, 0, 2, 1), scalar("v", 1.5, np.float32)])
    case("expand", "Expand", [[3, 1]], [ints("s", 2, 3, 4)])
    case("tile", "Tile", [[2, 3]], [ints("r", 2, 3)])
    case("depth_to_space", "DepthToSpace", [[1, 8, 3, 4]], blocksize=2)
    case("depth_to_space_crd", "DepthToSpace", [[1, 8, 3, 4]], blocksize=2, mode="CRD")
    case("space_to_depth", "SpaceToDepth", [[1, 2, 6, 4]], blocksize=2)
    case("reverse_sequence", "ReverseSequence", [[4, 3, 2]], [ints("l", 4, 2, 3)], time_axis=0, batch_axis=1)
    case("cast_integers", "Cast", [[2, 3]], to=T.INT32)
    case("cast_floats", "Cast", [[2, 3]], to=T.FLOAT, dtypes=[T.INT32])
    case("cast_truth", "Cast", [[2, 3]], to=T.BOOL)
    case("shape", "Shape", [PICTURE])
    case("size", "Size", [PICTURE])
    case("where", "Where", [[2, 3], [2, 3], [2, 3]], dtypes=[T.BOOL])
    case("topk", "TopK", [[2, 9]], [ints("k", 4)], outputs=2)
    case("topk_smallest", "TopK", [[2, 9]], [ints("k", 4)], outputs=2, largest=0)
    case("onehot", "OneHot", [[4]], [scalar("d", 6), floats("v", 0, 1)], dtypes=[T.INT64])
    case("nonzero", "NonZero", [[3, 4]])
    case("eye_like", "EyeLike", [[3, 4]])
    case("trilu", "Trilu", [[4, 4]])
    case("suppression", "NonMaxSuppression", [[1, 6, 4], [1, 2, 6]], [scalar("k", 3), scalar("i", 0.5, np.float32), scalar("s", 0.1, np.float32)])
    case("filled", [node("Shape", ["x0"], ["s"]), node("ConstantOfShape", ["s"], ["y0"], value=floats("", 2.5))], [[2, 3]])
    case("open_sizes", [node("Shape", ["x0"], ["s"]), node("Gather", ["s", "zero"], ["g"]), node("Concat", ["g", "rest"], ["c"], axis=0),
                        node("Reshape", ["x0", "c"], ["y0"])], [[4, 3, 4]], [ints("zero", 0), ints("rest", -1)])
    case("range", [node("Shape", ["x0"], ["s"]), node("Gather", ["s", "first"], ["g"]), node("Range", ["zero", "g", "one"], ["y0"])], [[4, 3]],
         [scalar("first", 0), scalar("zero", 0), scalar("one", 1)])


def flow():
    branch = [helper.make_graph([node(op, ["x0"], [name])], name, [], [helper.make_tensor_value_info(name, T.FLOAT, [2, 3])])
              for op, name in (("Relu", "then"), ("Neg", "else"))]
    case("if", [node("ReduceSum", ["x0"], ["s"], keepdims=0), node("Greater", ["s", "zero"], ["c"]), node("If", ["c"], ["y0"], then_branch=branch[0], else_branch=branch[1])],
         [[2, 3]], [scalar("zero", 0, np.float32)])
    value = helper.make_tensor_value_info
    body = helper.make_graph([node("Add", ["a", "x0"], ["b"]), node("Identity", ["b"], ["copy"]), node("Identity", ["condition"], ["goes_on"])], "body",
                             [value("number", T.INT64, []), value("condition", T.BOOL, []), value("a", T.FLOAT, [2, 3])],
                             [value("goes_on", T.BOOL, []), value("b", T.FLOAT, [2, 3]), value("copy", T.FLOAT, [2, 3])])
    case("loop", [node("Loop", ["count", "always", "x0"], ["y0", "y1"], body=body)], [[2, 3]], [scalar("count", 3), scalar("always", True, bool)], outputs=2)
    for flags, ending in (((), ""), (("--useOriginRNNImpl",), "_native")):
        case(f"lstm{ending}", "LSTM", [[5, 2, 3]], [weights("w", 1, 16, 3), weights("r", 1, 16, 4), weights("b", 1, 32)], outputs=3, hidden_size=4, flags=flags)
        case(f"lstm_both{ending}", "LSTM", [[5, 2, 3]], [weights("w", 2, 16, 3), weights("r", 2, 16, 4), weights("b", 2, 32)], outputs=3, hidden_size=4, direction="bidirectional", flags=flags)
        case(f"gru{ending}", "GRU", [[5, 2, 3]], [weights("w", 1, 12, 3), weights("r", 1, 12, 4), weights("b", 1, 24)], outputs=2, hidden_size=4, linear_before_reset=1, flags=flags)
    case("rnn", "RNN", [[5, 2, 3]], [weights("w", 1, 4, 3), weights("r", 1, 4, 4), weights("b", 1, 8)], outputs=2, hidden_size=4)


def compressed():
    """Weights of fewer bits, some of them mostly zero."""
    dense = weights("w", 24, 16, 3, 3)
    thin = random_tensor("thin", "float32", [24, 16, 3, 3], -1.0, 1.0)
    thin[random_tensor("keep", "float32", list(thin.shape), 0.0, 1.0) < 0.95] = 0
    flags = {"8": ["--weightQuantBits", "8"], "4": ["--weightQuantBits", "4"], "3": ["--weightQuantBits", "3"],
             "8_asymmetric": ["--weightQuantBits", "8", "--weightQuantAsymmetric", "true"], "4_blocks": ["--weightQuantBits", "4", "--weightQuantBlock", "8"],
             "half": ["--fp16"]}
    for ending, options in flags.items():
        case(f"bits_{ending}", "Conv", [[1, 16, 9, 10]], [dense, weights("b", 24)], pads=[1, 1, 1, 1], flags=options)
        case(f"sparse_{ending}", "Conv", [[1, 16, 9, 10]], [numpy_helper.from_array(thin, "w")], pads=[1, 1, 1, 1], flags=options)
        case(f"product_{ending}", "MatMul", [[3, 16]], [weights("w", 16, 24)], flags=options)


for group in (layers, resizes, arithmetic, movements, flow, compressed):
    group()
