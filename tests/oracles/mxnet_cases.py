# SPDX-License-Identifier: Apache-2.0
"""The networks that record_mxnet.py saves: one or a few operators each, and whole networks.

A case is NAME -> (function from variables to symbols, inputs). An input is an array's shape, or (shape, dtype, low, high).
Variables that are made inside are parameters.
"""

import mxnet as mx
from mxnet import sym as S

PICTURE = (2, 6, 9, 8)
ROWS = (2, 3, 4)
POSITIVE = (ROWS, "float32", 0.1, 3)
NUMBERS = ((2, 5), "float32", 0, 4)


def layer_cases():
    return {
        "convolution": (lambda x: [
            S.Convolution(x, num_filter=4, kernel=(3, 3), stride=(2, 2), pad=(1, 1), name="a"),
            S.Convolution(x, num_filter=6, kernel=(3, 2), num_group=6, no_bias=True, name="b"),
            S.Convolution(x, num_filter=6, kernel=(3, 3), num_group=3, dilate=(2, 2), pad=(2, 1), name="c")], [PICTURE]),
        "convolution_1d": (lambda x: S.Convolution(x, num_filter=4, kernel=(3,), stride=(2,), pad=(1,), name="a"), [(2, 6, 11)]),
        "convolution_3d": (lambda x: S.Convolution(x, num_filter=4, kernel=(3, 3, 3), pad=(1, 1, 1), name="a"), [(1, 3, 5, 6, 7)]),
        "deconvolution": (lambda x: [
            S.Deconvolution(x, num_filter=4, kernel=(3, 3), stride=(2, 2), pad=(1, 1), name="a"),
            S.Deconvolution(x, num_filter=6, kernel=(4, 4), stride=(2, 2), pad=(1, 1), num_group=6, name="b"),
            S.Deconvolution(x, num_filter=4, kernel=(3, 3), stride=(2, 2), pad=(1, 1), adj=(1, 1), no_bias=False, name="c"),
            S.Deconvolution(x, num_filter=4, kernel=(4, 3), stride=(2, 2), target_shape=(17, 16), name="d")], [PICTURE]),
        "batch_norm": (lambda x: [
            S.BatchNorm(x, name="a"), S.BatchNorm(x, fix_gamma=False, eps=1e-5, name="b"),
            S.BatchNorm(x, fix_gamma=False, axis=-1, name="c")], [PICTURE]),
        "norms": (lambda x: [
            S.InstanceNorm(x, name="a"), S.LayerNorm(x, name="b"), S.LRN(x, nsize=3, name="c"), S.L2Normalization(x, name="d"),
            S.L2Normalization(x, mode="channel", name="e"), S.L2Normalization(x, mode="spatial", name="f"),
            S.LayerNorm(x, axis=1, name="g")], [PICTURE]),
        "group_norm": (lambda x: S.GroupNorm(x, num_groups=3, name="a"), [PICTURE]),
        "pooling": (lambda x: [
            S.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max"),
            S.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max", pooling_convention="full"),
            S.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg"),
            S.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg", count_include_pad=False),
            S.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg", pooling_convention="full"),
            S.Pooling(x, kernel=(3, 3), stride=(2, 2), pool_type="avg", pooling_convention="full"),
            S.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="sum"),
            S.Pooling(x, kernel=(2, 3), stride=(2, 1), pool_type="lp", p_value=2)], [PICTURE]),
        "pooling_global": (lambda x: [S.Pooling(x, global_pool=True, pool_type=kind, kernel=(1, 1)) for kind in ("max", "avg", "sum")],
                           [PICTURE]),
        "fully_connected": (lambda x: [
            S.FullyConnected(x, num_hidden=5, name="a"), S.FullyConnected(x, num_hidden=5, no_bias=True, name="b"),
            S.FullyConnected(x, num_hidden=5, flatten=False, name="c")], [ROWS]),
        "embedding": (lambda x: S.Embedding(x, input_dim=11, output_dim=4, name="a"), [((2, 5), "float32", 0, 11)]),
        "activation": (lambda x: [S.Activation(x, act_type=kind) for kind in ("relu", "sigmoid", "tanh", "softrelu", "softsign")],
                       [(ROWS, "float32", -4, 5)]),
        "leaky": (lambda x: [
            S.LeakyReLU(x), S.LeakyReLU(x, act_type="elu", slope=0.7), S.LeakyReLU(x, act_type="selu"), S.LeakyReLU(x, act_type="gelu"),
            S.LeakyReLU(x, act_type="prelu", name="p"), S.LeakyReLU(x, act_type="rrelu", name="r")[0]], [(ROWS, "float32", -4, 5)]),
        "softmax": (lambda x: [
            S.softmax(x), S.softmax(x, axis=1, temperature=2.0), S.log_softmax(x, axis=1), S.SoftmaxActivation(x),
            S.SoftmaxActivation(x, mode="channel"), S.softmin(x)], [ROWS]),
        "softmax_output": (lambda x: [
            S.SoftmaxOutput(x, name="a"), S.SoftmaxOutput(x, multi_output=True, name="b"),
            S.SoftmaxOutput(x, preserve_shape=True, name="c"), S.LogisticRegressionOutput(x, name="d"),
            S.LinearRegressionOutput(x, name="e")], [ROWS]),
        "training": (lambda x: [S.Dropout(x) + 1, S.BlockGrad(x) * 2, S.MakeLoss(x) - 1, S.identity(x) / 2], [ROWS]),
        "lstm": (lambda x: S.RNN(x, S.Variable("parameters"), S.Variable("state", shape=(4, 2, 4)), S.Variable("cell", shape=(4, 2, 4)),
                                 state_size=4, num_layers=2, bidirectional=True, mode="lstm", state_outputs=True, name="r"), [(6, 2, 5)]),
        "gru": (lambda x: S.RNN(x, S.Variable("parameters"), S.Variable("state", shape=(2, 2, 4)), state_size=4, num_layers=2, mode="gru",
                                name="r"), [(6, 2, 5)]),
        "rnn_plain": (lambda x: [S.RNN(x, S.Variable(f"parameters_{kind}"), S.Variable(f"state_{kind}", shape=(1, 2, 4)), state_size=4,
                                       num_layers=1, mode=kind, name=kind) for kind in ("rnn_tanh", "rnn_relu")], [(6, 2, 5)]),
    }


def math_cases():
    return {
        "functions": (lambda x: [getattr(S, name)(x) for name in (
            "abs", "ceil", "floor", "exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "square", "sign", "expm1", "negative", "relu",
            "sigmoid", "softsign", "hard_sigmoid", "trunc", "fix", "arctan", "arcsinh")], [ROWS]),
        "functions_positive": (lambda x: [getattr(S, name)(x) for name in ("log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal")],
                               [POSITIVE]),
        "functions_small": (lambda x: [getattr(S, name)(x) for name in ("arcsin", "arccos", "arctanh")], [(ROWS, "float32", -0.9, 0.9)]),
        "arccosh": (lambda x: S.arccosh(x + 1), [POSITIVE]),
        "rounding": (lambda x: [S.round(x * 0.5), S.rint(x * 0.5)], [((2, 9), "whole", -9, 9)]),
        "arithmetic": (lambda a, b: [a + b, a - b, a * b, a / b, S.maximum(a, b), S.minimum(a, b), b ** a, S.add_n(a, b, a)], [ROWS, POSITIVE]),
        "broadcast": (lambda a, b, c: [
            S.broadcast_add(a, b), S.broadcast_sub(b, c), S.broadcast_mul(a, c), S.broadcast_div(a, c), S.broadcast_maximum(a, b),
            S.broadcast_minimum(a, b), S.broadcast_power(c, b)], [ROWS, (1, 3, 1), ((1, 1, 4), "float32", 0.1, 3)]),
        "scalars": (lambda x: [x + 2, x - 2, 2 - x, x * 2, x / 2, 2 / x, x ** 1.5, 2 ** x, S.maximum(x, 1.0), S.minimum(x, 1.0), S.clip(x, 0.5, 2),
                               -x], [POSITIVE]),
        "compare": (lambda a, b: [a == b, a != b, a > b, a >= b, a < b, a <= b, a == 2, a != 2, a > 2, a >= 2, a < 2, a <= 2,
                                  S.broadcast_equal(a, b), S.broadcast_lesser(a, b), S.broadcast_logical_and(a, b),
                                  S.broadcast_logical_or(a, b), S.broadcast_logical_xor(a, b), S.logical_not(a)],
                    [((2, 9), "whole", 0, 4), ((2, 9), "whole", 0, 4)]),
        "where": (lambda c, a, b: S.where(c, a, b), [((2, 9), "whole", 0, 2), (2, 9), (2, 9)]),
        "cast": (lambda x: [S.cast(x, dtype="int32"), S.Cast(x, dtype="float64"), S.cast(x, dtype="uint8")], [(ROWS, "float32", 0, 9)]),
        "dot": (lambda a, b: [S.dot(a, b), S.dot(a, b, transpose_a=True, transpose_b=True)], [(4, 4), (4, 4)]),
        "dot_more": (lambda a, b: S.dot(a, b), [(2, 3, 4), (4, 5)]),
        "batch_dot": (lambda a, b: [S.batch_dot(a, b), S.batch_dot(a, b, transpose_b=True), S.linalg_gemm2(a, b, alpha=0.5),
                                    S.linalg_gemm2(a, b, transpose_a=True)], [(2, 4, 4), (2, 4, 4)]),
        "reduce": (lambda x: [
            S.sum(x), S.sum(x, axis=1), S.mean(x, axis=(1, 2), keepdims=True), S.max(x, axis=-1), S.min(x, axis=0), S.prod(x, axis=1),
            S.mean(x, axis=1, exclude=True), S.norm(x), S.norm(x, axis=1), S.norm(x, ord=1, axis=2, keepdims=True)], [ROWS]),
        "positions": (lambda x: [S.argmax(x, axis=1), S.argmin(x, axis=2, keepdims=True), S.argmax(x), S.argmax_channel(S.slice_axis(
            x, axis=2, begin=0, end=1).reshape((2, 3)))], [ROWS]),
        "order": (lambda x: [S.topk(x, k=2), S.topk(x, k=2, ret_typ="value", axis=1), S.sort(x, axis=1), S.argsort(x, axis=1),
                             S.sort(x, is_ascend=False)], [(2, 7, 5)]),
        "topk_both": (lambda x: S.topk(x, k=3, ret_typ="both", is_ascend=True), [(2, 7)]),
        "div_sqrt_dim": (lambda x: S.contrib.div_sqrt_dim(x), [ROWS]),
    }


def shape_cases():
    return {
        "reshape": (lambda x: [
            S.reshape(x, shape=(0, -1)), S.reshape(x, shape=(-1, 0)), S.reshape(x, shape=(-2,)), S.reshape(x, shape=(-3, 0)),
            S.reshape(x, shape=(0, -3)), S.reshape(x, shape=(-4, 1, 2, -2)), S.reshape(x, shape=(0, -4, -1, 3, 0)), S.reshape(x, shape=(6, 4)),
            S.reshape(x, shape=(-1, 0), reverse=True), S.reshape(x, shape=(0, 0, 2, -1)), S.Flatten(x), S.flatten(x)], [ROWS]),
        "reshape_like": (lambda a, b: [S.reshape_like(a, b), S.broadcast_like(S.sum(a, axis=1, keepdims=True), a)], [ROWS, (4, 6)]),
        "transpose": (lambda x: [S.transpose(x), S.transpose(x, axes=(0, 2, 1)), S.SwapAxis(x, dim1=0, dim2=2), S.expand_dims(x, axis=1),
                                 S.expand_dims(x, axis=-1), S.squeeze(S.expand_dims(x, axis=1)), S.squeeze(S.expand_dims(x, axis=0), axis=0)],
                      [ROWS]),
        "slice": (lambda x: [
            S.slice(x, begin=(0, 1), end=(2, 3)), S.slice(x, begin=(None, 1), end=(None, None)), S.slice(x, begin=(1, 2), end=(None, 0),
                                                                                                   step=(None, -1)),
            S.slice(x, begin=(0, 0, 3), end=(2, 3, None), step=(1, 1, -2)), S.slice_axis(x, axis=1, begin=1, end=None),
            S.slice_axis(x, axis=-1, begin=-3, end=-1)], [ROWS]),
        "slice_like": (lambda a, b: [S.slice_like(a, b), S.slice_like(a, b, axes=(1, 2))], [ROWS, (1, 2, 3)]),
        "crop": (lambda a, b: [S.Crop(a, b, num_args=2), S.Crop(a, b, num_args=2, center_crop=True), S.Crop(a, h_w=(4, 5), offset=(1, 2))],
                 [PICTURE, (2, 3, 5, 4)]),
        "join": (lambda a, b: [S.Concat(a, b), S.concat(a, b, dim=-1), S.stack(a, b, axis=1), S.stack(a, b, axis=-1)], [ROWS, ROWS]),
        "split": (lambda x: S.Group(list(S.SliceChannel(x, num_outputs=3)) + list(S.split(x, num_outputs=2, axis=2)) + list(
            S.split(x, num_outputs=3, axis=1, squeeze_axis=True))), [ROWS]),
        "repeat": (lambda x: [S.tile(x, reps=(2, 1, 3)), S.tile(x, reps=(2,)), S.tile(x, reps=(2, 1, 1, 2)), S.repeat(x, repeats=2, axis=1),
                              S.repeat(x, repeats=2), S.broadcast_to(S.sum(x, axis=1, keepdims=True), shape=(0, 5, 0)),
                              S.broadcast_axis(S.sum(x, axis=1, keepdims=True), axis=1, size=3)], [ROWS]),
        "pad": (lambda x: [
            S.Pad(x, mode="constant", pad_width=(0, 0, 0, 0, 1, 2, 0, 3), constant_value=0.5),
            S.pad(x, mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 0, 3)), S.pad(x, mode="reflect", pad_width=(0, 0, 0, 0, 1, 2, 2, 1))], [PICTURE]),
        "take": (lambda x, i: [S.take(x, i), S.take(x, i, axis=1), S.take(x, i, axis=1, mode="wrap")], [(3, 4), ((2, 3), "whole", -2, 6)]),
        "pick": (lambda x, i: [S.pick(x, i), S.pick(x, i, keepdims=True)], [(4, 5), ((4,), "whole", 0, 5)]),
        "gather_nd": (lambda x, i: S.gather_nd(x, i), [ROWS, ((2, 3), "whole", 0, 2)]),
        "one_hot": (lambda i: S.one_hot(i, depth=5, on_value=2, off_value=-1), [NUMBERS]),
        "filled": (lambda x: [
            S.broadcast_add(x, S.zeros(shape=(1, 3, 4))), S.broadcast_mul(x, S.full(shape=(2, 3, 4), val=2.5)),
            x + S.ones_like(x), x + S.zeros_like(x), S.broadcast_add(x, S.arange(0, 4).reshape((1, 1, 4))), S.shape_array(x)], [ROWS]),
        "blocks": (lambda x: [S.depth_to_space(x, block_size=2), S.space_to_depth(x, block_size=2)], [(2, 8, 4, 6)]),
    }


def vision_cases():
    return {
        "up_sampling": (lambda x: [
            S.UpSampling(x, scale=2, sample_type="nearest"), S.UpSampling(x, S.Variable("u_weight", shape=(6, 1, 4, 4)), scale=2,
                                                                          sample_type="bilinear", num_filter=6, num_args=2)], [PICTURE]),
        "bilinear": (lambda x: [
            S.contrib.BilinearResize2D(x, height=13, width=11), S.contrib.BilinearResize2D(x, height=13, width=11, align_corners=False),
            S.contrib.BilinearResize2D(x, scale_height=2, scale_width=1.5), S.contrib.BilinearResize2D(x, height=4, width=5)], [PICTURE]),
        "adaptive": (lambda x: [S.contrib.AdaptiveAvgPooling2D(x), S.contrib.AdaptiveAvgPooling2D(x, output_size=(3, 4)),
                                S.contrib.AdaptiveAvgPooling2D(x, output_size=4)], [PICTURE]),
        "roi_pooling": (lambda x, r: S.ROIPooling(x, r, pooled_size=(3, 2), spatial_scale=0.5), [(2, 3, 16, 16), ((4, 5), "boxes", 0, 2)]),
        "roi_align": (lambda x, r: [
            S.contrib.ROIAlign(x, r, pooled_size=(3, 2), spatial_scale=0.5, sample_ratio=2),
            S.contrib.ROIAlign(x, r, pooled_size=(3, 2), spatial_scale=0.5),
            S.contrib.ROIAlign(x, r, pooled_size=(3, 2), spatial_scale=0.5, sample_ratio=2, aligned=True)],
            [(2, 3, 16, 16), ((4, 5), "boxes", 0, 2)]),
        "prior_box": (lambda x: [
            S.contrib.MultiBoxPrior(x, sizes=(0.2, 0.3), ratios=(1, 2, 0.5)), S.contrib.MultiBoxPrior(
                x, sizes=(0.2,), ratios=(2, 0.5), clip=True, steps=(0.12, 0.1), offsets=(0.4, 0.6))], [(1, 3, 4, 6)]),
    }


def operator_cases():
    return {**layer_cases(), **math_cases(), **shape_cases(), **vision_cases()}


# Name in Gluon's model zoo: the size of pictures.
NETWORKS = {
    "alexnet": 224, "densenet121": 224, "inceptionv3": 299, "mobilenet0.25": 224, "mobilenetv2_0.25": 224, "resnet18_v1": 224, "resnet18_v2": 224,
    "resnet50_v1": 224, "squeezenet1.0": 224, "squeezenet1.1": 224, "vgg11_bn": 224,
}


def gluon_network(name):
    return mx.gluon.model_zoo.vision.get_model(name)


def gluon_recurrent():
    """A network whose recurrent parameters are joined while running, as Gluon exports it."""
    net = mx.gluon.nn.HybridSequential()
    net.add(mx.gluon.rnn.LSTM(6, num_layers=2, bidirectional=True, layout="NTC"), mx.gluon.nn.Dense(4, flatten=False))
    return net
