# SPDX-License-Identifier: Apache-2.0
"""Single operators, and small graphs with control flow, for record_tensorflow.py."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

raw = tf.raw_ops


@dataclass
class Open:
    """The shape that the signature of an input says, where it leaves sizes open."""

    sizes: tuple


@dataclass
class Case:
    name: str
    function: object
    inputs: list          # (dtype letter, shape[, low, high][, Open])
    lower: bool = True    # control flow in the form of TensorFlow 1


def weights(*shape, seed=1):
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype(np.float32) / 2)


def elementwise():
    for name in ["Abs", "Ceil", "Cos", "Cosh", "Elu", "Erf", "Erfc", "Exp", "Expm1", "Floor", "IsFinite", "IsInf", "IsNan",
                 "Neg", "OnesLike", "Relu", "Relu6", "Rint", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh",
                 "Softplus", "Softsign", "Square", "Tan", "Tanh", "Atan", "Asinh", "ZerosLike"]:
        argument = "features" if name in ("Elu", "Relu", "Relu6", "Selu", "Softplus", "Softsign") else "x"
        yield Case(name, lambda x, op=getattr(raw, name), a=argument: op(**{a: x}), [("f", (3, 5))])
    for name in ["Log", "Log1p", "Rsqrt", "Sqrt", "Reciprocal", "Inv"]:
        yield Case(name, lambda x, op=getattr(raw, name): op(x=x), [("f", (3, 5), 0.1, 3)])
    for name in ["Acos", "Asin", "Atanh"]:
        yield Case(name, lambda x, op=getattr(raw, name): op(x=x), [("f", (3, 5), -0.9, 0.9)])
    yield Case("Acosh", lambda x: tf.acosh(x), [("f", (3, 5), 1.1, 4)])
    yield Case("LeakyRelu", lambda x: raw.LeakyRelu(features=x, alpha=0.3), [("f", (3, 5))])
    yield Case("Softmax", lambda x: raw.Softmax(logits=x), [("f", (3, 5))])
    yield Case("LogSoftmax", lambda x: raw.LogSoftmax(logits=x), [("f", (3, 5))])


def binary():
    for name in ["Add", "AddV2", "Atan2", "Maximum", "Minimum", "Mul", "RealDiv", "SquaredDifference", "Sub", "FloorMod",
                 "FloorDiv", "Div", "DivNoNan", "Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual"]:
        yield Case(name, lambda x, y, op=getattr(raw, name): op(x=x, y=y), [("f", (3, 1, 5)), ("f", (4, 5))])
    yield Case("Pow", lambda x, y: raw.Pow(x=x, y=y), [("f", (3, 5), 0.1, 2), ("f", (5,))])
    for name in ["FloorDiv", "FloorMod", "TruncateDiv", "Maximum", "Equal", "BitwiseAnd", "BitwiseOr", "BitwiseXor"]:
        yield Case(f"{name}_int", lambda x, y, op=getattr(raw, name): op(x=x, y=y), [("i", (3, 7), -9, 9), ("i", (7,), 1, 6)])
    yield Case("FloorDiv_negative", lambda x, y: raw.FloorDiv(x=x, y=y), [("i", (3, 7), -9, 9), ("i", (7,), -6, 0)])
    for name in ["LogicalAnd", "LogicalOr"]:
        yield Case(name, lambda x, y, op=getattr(raw, name): op(x=x, y=y), [("b", (3, 5)), ("b", (5,))])
    yield Case("LogicalNot", lambda x: raw.LogicalNot(x=x), [("b", (3, 5))])
    yield Case("Invert", lambda x: raw.Invert(x=x), [("i", (3, 5))])
    yield Case("AddN", lambda x, y, z: raw.AddN(inputs=[x, y, z]), [("f", (3, 5))] * 3)
    yield Case("ClipByValue", lambda x: raw.ClipByValue(t=x, clip_value_min=-0.5, clip_value_max=0.75), [("f", (3, 5))])
    yield Case("Cast", lambda x: (tf.cast(x, tf.int32), tf.cast(x, tf.bool), tf.cast(tf.cast(x, tf.float16), tf.float32)),
               [("f", (3, 5), -3, 3)])


def reductions():
    for name in ["Max", "Mean", "Min", "Prod", "Sum", "EuclideanNorm"]:
        op = getattr(raw, name)
        yield Case(name, lambda x, op=op: (op(input=x, axis=[1], keep_dims=False), op(input=x, axis=[0, -1], keep_dims=True),
                                           op(input=x, axis=2)), [("f", (3, 4, 5))])
    for name in ["All", "Any"]:
        op = getattr(raw, name)
        yield Case(name, lambda x, op=op: op(input=x, axis=[1], keep_dims=False), [("b", (6, 3))])
    for name in ["ArgMax", "ArgMin"]:
        op = getattr(raw, name)
        yield Case(name, lambda x, op=op: (op(input=x, dimension=1), op(input=x, dimension=-1, output_type=tf.int32)),
                   [("f", (3, 4, 5))])
    yield Case("Cumsum", lambda x: (tf.cumsum(x, 1), tf.cumsum(x, 0, exclusive=True), tf.cumsum(x, 1, reverse=True)),
               [("f", (3, 4))])
    yield Case("Cumprod", lambda x: tf.math.cumprod(x, 1), [("f", (3, 4))])


def products():
    yield Case("MatMul", lambda x, y: raw.MatMul(a=x, b=y), [("f", (3, 4)), ("f", (4, 5))])
    yield Case("MatMul_transposed", lambda x: raw.MatMul(a=x, b=weights(5, 3), transpose_a=True, transpose_b=True), [("f", (3, 4))])
    yield Case("BatchMatMulV2", lambda x, y: raw.BatchMatMulV2(x=x, y=y), [("f", (2, 1, 3, 4)), ("f", (5, 4, 6))])
    yield Case("BatchMatMulV2_adjoint", lambda x, y: raw.BatchMatMulV2(x=x, y=y, adj_x=True, adj_y=True),
               [("f", (2, 4, 3)), ("f", (2, 6, 4))])
    yield Case("Einsum", lambda x, y: (tf.einsum("bij,bjk->bik", x, y), tf.einsum("bij,bjk->bi", x, y)),
               [("f", (2, 3, 4)), ("f", (2, 4, 5))])
    yield Case("Dense", lambda x: tf.nn.relu(tf.nn.bias_add(tf.matmul(x, weights(4, 6)), weights(6))), [("f", (3, 4))])


def convolutions():
    for padding in ["SAME", "VALID"]:
        for stride in [1, 2]:
            yield Case(f"Conv2D_{padding}_{stride}",
                       lambda x, p=padding, s=stride: tf.nn.conv2d(x, weights(3, 2, 4, 6), [1, s, s, 1], p), [("f", (2, 9, 8, 4))])
            yield Case(f"DepthwiseConv2dNative_{padding}_{stride}",
                       lambda x, p=padding, s=stride: tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 2), [1, s, s, 1], p),
                       [("f", (2, 9, 8, 4))])
        yield Case(f"MaxPool_{padding}", lambda x, p=padding: tf.nn.max_pool2d(x, 3, 2, p), [("f", (2, 9, 8, 4))])
        yield Case(f"AvgPool_{padding}", lambda x, p=padding: tf.nn.avg_pool2d(x, [3, 2], [2, 1], p), [("f", (2, 9, 8, 4))])
        yield Case(f"Conv2DBackpropInput_{padding}",
                   lambda x, p=padding: tf.nn.conv2d_transpose(x, weights(3, 3, 5, 4), [2, 10, 8, 5] if p == "SAME" else [2, 11, 9, 5],
                                                               2, p), [("f", (2, 5, 4, 4))])
        yield Case(f"Conv3D_{padding}", lambda x, p=padding: tf.nn.conv3d(x, weights(2, 3, 3, 2, 3), [1, 1, 2, 1, 1], p),
                   [("f", (1, 4, 6, 5, 2))])
        yield Case(f"Pool3D_{padding}", lambda x, p=padding: (tf.nn.max_pool3d(x, 2, 2, p), tf.nn.avg_pool3d(x, 2, 2, p)),
                   [("f", (1, 5, 6, 5, 2))])
    yield Case("Conv2D_dilated", lambda x: tf.nn.conv2d(x, weights(3, 3, 4, 5), 1, "SAME", dilations=2), [("f", (2, 9, 8, 4))])
    yield Case("Conv2D_explicit", lambda x: tf.nn.conv2d(x, weights(3, 3, 4, 5), 1, [[0, 0], [1, 2], [0, 3], [0, 0]]),
               [("f", (2, 9, 8, 4))])
    yield Case("Conv2D_open_size", lambda x: tf.nn.conv2d(x, weights(3, 3, 4, 5), 2, "SAME"),
               [("f", (2, 9, 8, 4), Open((None, None, None, 4)))])
    yield Case("Conv1D", lambda x: tf.nn.conv1d(x, weights(3, 4, 5), 1, "SAME"), [("f", (2, 9, 4))])
    yield Case("Conv1D_dilated", lambda x: tf.nn.convolution(x, weights(3, 4, 5), dilations=[2], padding="VALID"), [("f", (2, 12, 4))])
    yield Case("DepthwiseConv2dNative_dilated",
               lambda x: tf.nn.depthwise_conv2d(x, weights(3, 3, 4, 1), [1, 1, 1, 1], "SAME", dilations=[2, 2]), [("f", (2, 9, 8, 4))])
    yield Case("BiasAdd", lambda x: tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, weights(1, 1, 4, 5), 1, "SAME"), weights(5))),
               [("f", (2, 3, 3, 4))])
    yield Case("FusedBatchNormV3",
               lambda x: raw.FusedBatchNormV3(x=x, scale=weights(4), offset=weights(4, seed=2), mean=weights(4, seed=3),
                                              variance=tf.abs(weights(4, seed=4)) + 0.1, epsilon=1e-3, is_training=False)[0],
               [("f", (2, 3, 5, 4))])
    yield Case("LRN", lambda x: raw.LRN(input=x, depth_radius=2, bias=1.5, alpha=0.3, beta=0.6), [("f", (1, 3, 4, 8))])
    yield Case("FakeQuant", lambda x: (raw.FakeQuantWithMinMaxArgs(inputs=x, min=-1.1, max=1.7),
                                       raw.FakeQuantWithMinMaxVars(inputs=x, min=-1.0, max=1.3, num_bits=4),
                                       raw.FakeQuantWithMinMaxVars(inputs=x, min=-1.0, max=1.3, narrow_range=True)), [("f", (5, 7))])


def pictures():
    for align, half in [(False, False), (True, False), (False, True)]:
        label = "align" if align else "half" if half else "plain"
        for size in [(7, 11), (3, 2), (10, 12)]:
            where = f"{label}_{size[0]}"
            yield Case(f"ResizeBilinear_{where}",
                       lambda x, s=size, a=align, h=half: raw.ResizeBilinear(images=x, size=s, align_corners=a, half_pixel_centers=h),
                       [("f", (2, 5, 6, 3))])
            yield Case(f"ResizeNearestNeighbor_{where}",
                       lambda x, s=size, a=align, h=half: raw.ResizeNearestNeighbor(images=x, size=s, align_corners=a, half_pixel_centers=h),
                       [("f", (2, 5, 6, 3))])
    yield Case("ResizeBicubic", lambda x: tf.image.resize(x, [10, 12], "bicubic"), [("f", (1, 5, 6, 2))])
    yield Case("Resize_of_shape", lambda x: tf.image.resize(x, tf.shape(x)[1:3] * 2), [("f", (1, 5, 6, 2), Open((1, None, None, 2)))])
    yield Case("NonMaxSuppression", lambda b, s: tf.image.non_max_suppression(b, s, 5, 0.4, 0.1),
               [("f", (20, 4), 0, 1), ("f", (20,), 0, 1)])
    yield Case("DepthToSpace", lambda x: tf.nn.depth_to_space(x, 2), [("f", (2, 3, 4, 8))])
    yield Case("SpaceToDepth", lambda x: tf.nn.space_to_depth(x, 2), [("f", (2, 6, 4, 3))])
    yield Case("SpaceToBatchND", lambda x: tf.space_to_batch(x, [2, 3], [[1, 0], [2, 1]]), [("f", (2, 5, 6, 3))])
    yield Case("BatchToSpaceND", lambda x: tf.batch_to_space(x, [2, 2], [[1, 0], [0, 1]]), [("f", (8, 3, 4, 3))])
    yield Case("SpaceToBatchND_open", lambda x: tf.batch_to_space(tf.space_to_batch(x, [2], [[1, 1]]) * 2, [2], [[1, 1]]),
               [("f", (2, 6, 3), Open((None, None, 3)))])


def shapes():
    yield Case("Reshape", lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), [("f", (2, 3, 4), Open((None, 3, 4)))])
    yield Case("Squeeze", lambda x: (tf.squeeze(x), tf.squeeze(x, [1])), [("f", (2, 1, 3, 1))])
    yield Case("ExpandDims", lambda x: (tf.expand_dims(x, 1), tf.expand_dims(x, -1)), [("f", (2, 3))])
    yield Case("Transpose", lambda x: tf.transpose(x, [2, 0, 1]), [("f", (2, 3, 4))])
    yield Case("ConcatV2", lambda x, y: tf.concat([x, y], -1), [("f", (2, 3)), ("f", (2, 4))])
    yield Case("Pack", lambda x, y: (tf.stack([x, y], 1), tf.stack([x, y], -1)), [("f", (2, 3)), ("f", (2, 3))])
    yield Case("Unpack", lambda x: tf.unstack(x, axis=1), [("f", (2, 3, 4))])
    yield Case("Split", lambda x: tf.split(x, 3, 1), [("f", (2, 6))])
    yield Case("SplitV", lambda x: tf.split(x, [1, 2, -1], 1), [("f", (2, 6))])
    yield Case("Slice", lambda x: tf.slice(x, [0, 1, 2], [-1, 2, 2]), [("f", (3, 4, 5))])
    yield Case("StridedSlice", lambda x: (x[1:, ::2, -3:-1], x[0], x[..., 2], x[:, tf.newaxis, 1], x[::-1, :, 4:0:-2]),
               [("f", (3, 4, 5))])
    yield Case("StridedSlice_ellipsis", lambda x: x[1, ..., tf.newaxis, 0:2], [("f", (3, 4, 5))])
    yield Case("StridedSlice_computed", lambda x, i: (x[i], x[:, i:i + 2], x[i:]), [("f", (4, 5)), ("i", (), 1, 3)])
    yield Case("Pad", lambda x: (tf.pad(x, [[1, 2], [0, 3]]), tf.pad(x, [[1, 0], [0, 1]], constant_values=2.5)), [("f", (3, 4))])
    yield Case("MirrorPad", lambda x: (tf.pad(x, [[1, 2], [2, 1]], "REFLECT"), tf.pad(x, [[1, 2], [3, 0]], "SYMMETRIC")),
               [("f", (3, 4))])
    yield Case("Tile", lambda x: tf.tile(x, [2, 1, 3]), [("f", (2, 3, 2))])
    yield Case("BroadcastTo", lambda x: tf.broadcast_to(x, [4, 3, 2]), [("f", (3, 1))])
    yield Case("Fill", lambda x: tf.fill(tf.shape(x), 1.5) + x, [("f", (2, 3), Open((None, 3)))])
    yield Case("Range", lambda n: tf.range(2, n, 3), [("i", (), 9, 20)])
    yield Case("Shape_Size_Rank", lambda x: (tf.shape(x), tf.size(x), tf.rank(x) + tf.shape(x)[0]), [("f", (2, 3), Open((None, 3)))])
    yield Case("ReverseV2", lambda x: tf.reverse(x, [0, 2]), [("f", (2, 3, 4))])
    yield Case("Roll", lambda x: tf.roll(x, [1, -2], [0, 1]), [("f", (3, 5))])
    yield Case("ReverseSequence", lambda x: tf.reverse_sequence(x, [3, 1, 4], 1, 0), [("f", (3, 5, 2))])
    yield Case("MatrixBandPart", lambda x: (tf.linalg.band_part(x, -1, 0), tf.linalg.band_part(x, 1, 2)), [("f", (2, 5, 5))])


def indices():
    yield Case("GatherV2", lambda x, i: (tf.gather(x, i), tf.gather(x, i, axis=1)), [("f", (4, 5)), ("i", (2, 3), 0, 4)])
    yield Case("GatherV2_batch", lambda x, i: tf.gather(x, i, batch_dims=1), [("f", (3, 5, 2)), ("i", (3, 4), 0, 5)])
    yield Case("GatherNd", lambda x, i: tf.gather_nd(x, i), [("f", (4, 5, 2)), ("i", (3, 2), 0, 4)])
    yield Case("ScatterNd", lambda i, u: tf.scatter_nd(i, u, [6, 2]), [("i", (5, 1), 0, 6), ("f", (5, 2))])
    yield Case("TensorScatter", lambda x, u: (tf.tensor_scatter_nd_update(x, [[1], [3]], u), tf.tensor_scatter_nd_add(x, [[1], [1]], u),
                                              tf.tensor_scatter_nd_max(x, [[1], [2]], u), tf.tensor_scatter_nd_min(x, [[1], [2]], u)),
               [("f", (5, 2)), ("f", (2, 2))])
    yield Case("OneHot", lambda i: (tf.one_hot(i, 4), tf.one_hot(i, 3, 2.0, -1.0, axis=0), tf.one_hot(i, 3, axis=1)),
               [("i", (2, 5), -1, 5)])
    yield Case("TopKV2", lambda x: tf.math.top_k(x, 3), [("f", (2, 7))])
    yield Case("Select", lambda c, x, y: raw.Select(condition=c, x=x, y=y), [("b", (4,)), ("f", (4, 3)), ("f", (4, 3))])
    yield Case("SelectV2", lambda c, x, y: tf.where(c, x, y), [("b", (4, 1)), ("f", (4, 3)), ("f", (3,))])
    yield Case("Where", lambda x: tf.where(x > 0), [("f", (3, 4))])
    yield Case("InvertPermutation", lambda x: tf.transpose(x, tf.math.invert_permutation([2, 0, 1])), [("f", (2, 3, 4))])


def control_flow():
    w = weights(3, 3)

    def choose(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.matmul(x, w), lambda: x - 1.0)

    def nested(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.cond(x[0, 0] > 0, lambda: x * 2.0, lambda: x * 3.0), lambda: -x)

    def constants(x):
        return tf.cond(x[0, 0] > 0, lambda: 1.0, lambda: 2.0) + x

    def count(x):
        return tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, w))), (0, x))[1]

    def until(x):
        return tf.while_loop(lambda y: tf.reduce_max(tf.abs(y)) < 50.0, lambda y: (y * 1.7,), (x,))[0]

    def grows(x):
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.concat([y, y], 0)), (0, x),
                             shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, 3])))[1]

    def loops(x):
        def inner(y, i):
            return tf.while_loop(lambda j, z: j < i, lambda j, z: (j + 1, z * 1.5 + x), (0, y))[1]
        return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, inner(y, i)), (0, x))[1]

    def loop_with_condition(x):
        def body(i, y):
            return i + 1, tf.cond(tf.equal(i % 2, 0), lambda: y + x, lambda: tf.matmul(y, w))
        return tf.while_loop(lambda i, y: i < 4, body, (0, x))[1]

    def condition_with_loop(x):
        return tf.cond(x[0, 0] > 0, lambda: count(x), lambda: x + 1.0)

    for name, function in [("cond", choose), ("cond_nested", nested), ("cond_constants", constants), ("while", count),
                           ("while_until", until), ("while_grows", grows), ("while_nested", loops),
                           ("while_cond", loop_with_condition), ("cond_while", condition_with_loop)]:
        for low, high in [(0.1, 1), (-1, -0.1)]:
            for version in [1, 2]:
                yield Case(f"{name}_v{version}_{'positive' if low > 0 else 'negative'}", function, [("f", (3, 3), low, high)],
                           lower=version == 1)

    def rows(x):
        items = tf.TensorArray(tf.float32, 4).unstack(x)
        out = tf.TensorArray(tf.float32, 6)
        result = tf.while_loop(lambda i, y, o: i < 4, lambda i, y, o: (i + 1, y + items.read(i), o.write(i, y)),
                               (0, tf.zeros([3]), out))
        return result[1], result[2].stack()

    yield Case("tensor_array_v2", rows, [("f", (4, 3))], lower=False)
    yield Case("tensor_array_v1", rows, [("f", (4, 3))], lower=True)


def op_cases():
    for family in [elementwise, binary, reductions, products, convolutions, pictures, shapes, indices, control_flow]:
        yield from family()
