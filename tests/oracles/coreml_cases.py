# SPDX-License-Identifier: Apache-2.0
"""The networks that record_coreml.py saves.

A layer case is NAME -> (shapes of inputs, builder -> None, arrays -> answers): the layers are added with coremltools'
builder, the answers come from torch and NumPy. An input is an array's shape, or (shape, low, high), or ("whole", shape, low,
high). A network case is NAME -> (module of torch, what coremltools' converter is told): its answers are torch's.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

PICTURE = (2, 6, 9, 8)
ROWS = (2, 3, 4)


def made(name, *shape, low=-1.0, high=1.0):
    """Numbers of a layer."""
    from models_test import random_tensor

    return random_tensor(name, np.float32, shape, low, high)


def t(array):
    return torch.from_numpy(np.ascontiguousarray(array))


def act(kind, params=None):
    def build(b):
        b.add_activation("a", kind, "x", "y", params)

    return build


def elementwise(function):
    return lambda x: function(x.astype(np.float64)).astype(np.float32)


def convolution(weights, bias=None, **options):
    """`weights` as the file has them; the builder takes [height, width, in, out], or [.., out, in] of transposed ones."""
    is_deconv = options.pop("is_deconv", False)
    groups = options.pop("groups", 1)
    out = weights.shape[1] * groups if is_deconv else weights.shape[0]
    channels = weights.shape[0] if is_deconv else weights.shape[1]
    stride = options.pop("stride", (1, 1))
    order = (2, 3, 0, 1) if is_deconv else (2, 3, 1, 0)

    def build(b, x="x", y="y"):
        b.add_convolution("c", channels, out, weights.shape[2], weights.shape[3], stride[0], stride[1], options.pop("border", "valid"), groups,
                          weights.transpose(order), bias, bias is not None, is_deconv, input_name=x, output_name=y, **options)

    return build


def window_cases():
    w, g, b = made("w", 4, 6, 3, 3), made("g", 6, 2, 3, 2), made("b", 4)
    d, e = made("d", 6, 4, 3, 3), made("e", 6, 2, 4, 4)

    def same(x, kernel, stride, lower):
        """Pads of height and width so that every stride-th place has a window."""
        pads = []
        for size, k, s in zip(x.shape[2:], kernel, stride):
            total = max((-(-size // s) - 1) * s + k - size, 0)
            pads.append((total - total // 2, total // 2) if lower else (total // 2, total - total // 2))
        return F.pad(t(x), (*pads[1], *pads[0]))

    def pool(kind, padding, excludes=True, **more):
        def build(b):
            b.add_pooling("p", more.get("k", 3), more.get("k", 3), more.get("s", 2), more.get("s", 2), kind, padding, "x", "y", excludes,
                          is_global=more.get("whole", False), padding_top=more.get("p", 0), padding_bottom=more.get("p", 0),
                          padding_left=more.get("p", 0), padding_right=more.get("p", 0))

        return build

    return {
        "convolution": ([PICTURE], convolution(w, b, stride=(2, 1), padding_top=1, padding_bottom=2, padding_left=1),
                        lambda x: F.conv2d(F.pad(t(x), (1, 0, 1, 2)), t(w), t(b), (2, 1))),
        "convolution_groups": ([PICTURE], convolution(g, None, groups=3, dilation_factors=[2, 2]),
                               lambda x: F.conv2d(t(x), t(g), None, 1, 0, 2, 3)),
        "convolution_same": ([PICTURE], convolution(w, b, stride=(2, 2), border="same"),
                             lambda x: F.conv2d(same(x, (3, 3), (2, 2), False), t(w), t(b), 2)),
        "convolution_same_lower": ([PICTURE], convolution(w, b, stride=(2, 2), border="same", same_padding_asymmetry_mode="TOP_LEFT_HEAVY"),
                                   lambda x: F.conv2d(same(x, (3, 3), (2, 2), True), t(w), t(b), 2)),
        "deconvolution": ([PICTURE], convolution(d, b, is_deconv=True, stride=(2, 2), padding_top=1, padding_bottom=1, padding_left=1,
                                                 padding_right=1), lambda x: F.conv_transpose2d(t(x), t(d), t(b), 2, 1)),
        "deconvolution_groups": ([PICTURE], convolution(e, None, is_deconv=True, groups=3, stride=(2, 2)),
                                 lambda x: F.conv_transpose2d(t(x), t(e), None, 2, groups=3)),
        "deconvolution_same": ([PICTURE], convolution(e, None, is_deconv=True, groups=2, stride=(2, 2), border="same"),
                               lambda x: F.conv_transpose2d(t(x), t(e), None, 2, 1, groups=2)),
        "pooling_max": ([PICTURE], pool("MAX", "VALID", p=1), lambda x: F.max_pool2d(t(x), 3, 2, 1)),
        "pooling_average": ([PICTURE], pool("AVERAGE", "VALID", False, p=1), lambda x: F.avg_pool2d(t(x), 3, 2, 1)),
        "pooling_average_excluding": ([PICTURE], pool("AVERAGE", "VALID", True, p=1),
                                      lambda x: F.avg_pool2d(t(x), 3, 2, 1, count_include_pad=False)),
        "pooling_last_pixel": ([PICTURE], pool("MAX", "INCLUDE_LAST_PIXEL", k=2), lambda x: F.max_pool2d(t(x), 2, 2, 0, ceil_mode=True)),
        "pooling_l2": ([PICTURE], pool("L2", "VALID"), lambda x: F.lp_pool2d(t(x), 2, 3, 2)),
        "pooling_same": ([PICTURE], pool("AVERAGE", "SAME", True, k=2), lambda x: F.avg_pool2d(t(x), 2, 2, ceil_mode=True)),
        "pooling_global": ([PICTURE], pool("AVERAGE", "VALID", whole=True), lambda x: x.mean((2, 3), keepdims=True)),
        "pooling_global_max": ([PICTURE], pool("MAX", "VALID", whole=True), lambda x: x.max((2, 3), keepdims=True)),
        "convolution_five_axes": ([(2, 3, 6, 5, 4)], convolution(w, b),
                                  lambda x: F.conv2d(t(x.reshape(6, 6, 5, 4)), t(w), t(b)).reshape(2, 3, 4, 3, 2)),
        "upsample": ([PICTURE], lambda b: b.add_upsample("u", 2, 3, "x", "y"), lambda x: x.repeat(2, 2).repeat(3, 3)),
        "upsample_aligned": ([PICTURE], lambda b: b.add_upsample("u", 2, 3, "x", "y", "BILINEAR", "ALIGN_CORNERS_TRUE"),
                             lambda x: F.interpolate(t(x), scale_factor=(2, 3), mode="bilinear", align_corners=True)),
        "upsample_half_pixel": ([PICTURE], lambda b: b.add_upsample("u", 2, 3, "x", "y", "BILINEAR", "ALIGN_CORNERS_FALSE"),
                                lambda x: F.interpolate(t(x), scale_factor=(2, 3), mode="bilinear", align_corners=False)),
        "upsample_default": ([(1, 1, 2, 2)], lambda b: b.add_upsample("u", 2, 2, "x", "y", "BILINEAR"), upsampled_by_the_text),
        "resize_aligned": ([PICTURE], lambda b: b.add_resize_bilinear("r", "x", "y", 5, 11, "STRICT_ALIGN_ENDPOINTS_MODE"),
                           lambda x: F.interpolate(t(x), size=(5, 11), mode="bilinear", align_corners=True)),
        "padding": ([PICTURE], lambda b: b.add_padding("p", 1, 2, 3, 0, 0.5, "x", "y"),
                    lambda x: np.pad(x, ((0, 0), (0, 0), (3, 0), (1, 2)), constant_values=0.5)),
        "padding_reflection": ([PICTURE], lambda b: b.add_padding("p", 1, 2, 3, 0, 0, "x", "y", "reflection"),
                               lambda x: np.pad(x, ((0, 0), (0, 0), (3, 0), (1, 2)), "reflect")),
        "padding_replication": ([PICTURE], lambda b: b.add_padding("p", 1, 2, 3, 0, 0, "x", "y", "replication"),
                                lambda x: np.pad(x, ((0, 0), (0, 0), (3, 0), (1, 2)), "edge")),
        "crop": ([PICTURE], lambda b: b.add_crop("c", 1, 2, 0, 3, None, ["x"], "y"), lambda x: x[:, :, 0:-3, 1:-2]),
        "crop_like": ([PICTURE, (2, 6, 4, 5)], lambda b: b.add_crop("c", 0, 0, 0, 0, [2, 1], ["x", "x1"], "y"),
                      lambda x, like: x[:, :, 2:6, 1:6]),
    }


def upsampled_by_the_text(x):
    """grid points min(X - 1, i * (X - X / N) / (N - 1)), N = 4, X = 2: 0, 0.5, 1, 1."""
    rows = np.stack([x[:, :, 0], x.mean(2), x[:, :, 1], x[:, :, 1]], 2)
    return np.stack([rows[..., 0], rows.mean(3), rows[..., 1], rows[..., 1]], 3)


def layer_cases():
    w, b = made("w", 5, 4), made("b", 5)
    wide = made("wide", 5, 6 * 9 * 8)
    gamma, beta, mean, variance = made("gamma", 6), made("beta", 6), made("mean", 6), made("variance", 6, low=0.5, high=1.5)
    product, table, column = made("product", 4, 5), made("table", 7, 3), made("column", 6)
    norm = made("norm", 3, 4)
    shape = (1, 6, 1, 1)

    def inner(weights, bias):
        return lambda m: m.add_inner_product("i", weights, bias, weights.shape[1], weights.shape[0], bias is not None, "x", "y")

    def mvn(axes, by_variance):
        def want(x):
            y = x - x.mean(axes, keepdims=True)
            return y / np.sqrt((y**2).mean(axes, keepdims=True) + 1e-5) if by_variance else y

        return want

    return {
        "inner_product": ([ROWS], inner(w, b), lambda x: x @ w.T + b),
        "inner_product_row": ([(4,)], inner(w, None), lambda x: x @ w.T),
        "inner_product_picture": ([PICTURE], inner(wide, b), lambda x: (x.reshape(2, -1) @ wide.T + b).reshape(2, 5, 1, 1)),
        "inner_product_five_axes": ([(2, 3, 4, 1, 1)], inner(w, b), lambda x: (x.reshape(2, 3, 4) @ w.T + b).reshape(2, 3, 5, 1, 1)),
        "matmul_weights": ([ROWS], lambda m: m.add_batched_mat_mul("m", ["x"], "y", weight_matrix_rows=4, weight_matrix_columns=5, W=product, bias=b),
                           lambda x: x @ product + b),
        "matmul": ([(2, 3, 4), (2, 5, 4)], lambda m: m.add_batched_mat_mul("m", ["x", "x1"], "y", transpose_b=True),
                   lambda x, z: x @ z.transpose(0, 2, 1)),
        "matmul_left": ([(4, 3), (2, 4, 5)], lambda m: m.add_batched_mat_mul("m", ["x", "x1"], "y", transpose_a=True), lambda x, z: x.T @ z),
        "embedding_nd": ([("whole", (2, 5, 1), 0, 7)], lambda m: m.add_embedding_nd("e", "x", "y", 7, 3, table.T, beta[:3]),
                         lambda x: table[x[..., 0].astype(int)] + beta[:3]),
        "embedding": ([("whole", (5, 1, 1, 1), 0, 7)], lambda m: m.add_embedding("e", table.T, None, 7, 3, False, "x", "y"),
                      lambda x: table[x.ravel().astype(int)].reshape(5, 3, 1, 1)),
        "batchnorm": ([PICTURE], lambda m: m.add_batchnorm("n", 6, gamma, beta, mean, variance, "x", "y", epsilon=1e-3),
                      lambda x: F.batch_norm(t(x), t(mean), t(variance), t(gamma), t(beta), eps=1e-3)),
        "batchnorm_three_axes": ([PICTURE[1:]], lambda m: m.add_batchnorm("n", 6, gamma, beta, mean, variance, "x", "y"),
                                 lambda x: F.batch_norm(t(x[None]), t(mean), t(variance), t(gamma), t(beta))[0]),
        "instance_norm": ([PICTURE], lambda m: m.add_batchnorm("n", 6, gamma, beta, None, None, "x", "y", True, True),
                          lambda x: F.instance_norm(t(x), weight=t(gamma), bias=t(beta))),
        "layer_norm": ([ROWS], lambda m: m.add_layer_normalization("n", "x", "y", [3, 4], norm, norm[::-1] * 2, 1e-3),
                       lambda x: F.layer_norm(t(x), (3, 4), t(norm), t(norm[::-1] * 2), 1e-3)),
        "mvn": ([PICTURE], lambda m: m.add_mvn("n", "x", "y", True, True, 1e-5), mvn((1, 2, 3), True)),
        "mvn_channels": ([PICTURE], lambda m: m.add_mvn("n", "x", "y", False, True, 1e-5), mvn((2, 3), True)),
        "mvn_mean": ([PICTURE], lambda m: m.add_mvn("n", "x", "y", False, False, 1e-5), mvn((2, 3), False)),
        "l2_normalize": ([PICTURE], lambda m: m.add_l2_normalize("n", "x", "y", 1e-2),
                         lambda x: x / np.sqrt((x**2).sum((1, 2, 3), keepdims=True) + 1e-2)),
        "lrn": ([PICTURE], lambda m: m.add_lrn("n", "x", "y", 0.5, 0.75, 3, 2.0), lambda x: F.local_response_norm(t(x), 3, 0.5, 0.75, 2.0)),
        "softmax": ([PICTURE], lambda m: m.add_softmax("s", "x", "y"), lambda x: F.softmax(t(x), 1)),
        "softmax_nd": ([ROWS], lambda m: m.add_softmax_nd("s", "x", "y", -1), lambda x: F.softmax(t(x), -1)),
        "scale": ([PICTURE], lambda m: m.add_scale("s", gamma, beta, True, "x", "y", [6], [6]),
                  lambda x: x * gamma.reshape(6, 1, 1) + beta.reshape(6, 1, 1)),
        "bias": ([PICTURE], lambda m: m.add_bias("s", made("full", 6, 9, 8), "x", "y", [6, 9, 8]), lambda x: x + made("full", 6, 9, 8)),
        "dot": ([shape, shape], lambda m: m.add_elementwise("d", ["x", "x1"], "y", "DOT"), lambda x, z: (x * z).sum(1, keepdims=True)),
        "cosine": ([shape, shape], lambda m: m.add_elementwise("d", ["x", "x1"], "y", "COS"),
                   lambda x, z: (x * z).sum(1, keepdims=True) / np.sqrt((x * x).sum() * (z * z).sum())),
        "constant": ([(1, 6)], lambda m: (m.add_load_constant_nd("k", "k", column, [6]), m.add_add_broadcastable("a", ["x", "k"], "y")),
                     lambda x: x + column),
    }


def activation_cases():
    alpha, beta = made("alpha", 6), made("positive", 6, low=0.5, high=2)
    small, positive, unit = ((2, 3, 4), -4, 5), ((2, 3, 4), 0.1, 3), ((2, 3, 4), -0.9, 0.9)

    def column(values):
        return values.reshape(6, 1, 1)

    cases = {
        "relu": ([small], act("RELU"), lambda x: np.maximum(x, 0)),
        "leaky_relu": ([small], act("LEAKYRELU", [0.3]), lambda x: np.where(x < 0, 0.3 * x, x)),
        "sigmoid": ([small], act("SIGMOID"), lambda x: torch.sigmoid(t(x))),
        "tanh_activation": ([small], act("TANH"), np.tanh),
        "scaled_tanh": ([small], act("SCALED_TANH", [1.5, 0.7]), lambda x: 1.5 * np.tanh(0.7 * x)),
        "linear": ([small], act("LINEAR", [1.5, 0.7]), lambda x: 1.5 * x + 0.7),
        "hard_sigmoid": ([small], act("SIGMOID_HARD", [0.2, 0.5]), lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
        "elu": ([small], act("ELU", 0.7), lambda x: F.elu(t(x), 0.7)),
        "thresholded_relu": ([small], act("THRESHOLDEDRELU", 0.7), lambda x: np.where(x >= 0.7, x, 0)),
        "softsign": ([small], act("SOFTSIGN"), lambda x: F.softsign(t(x))),
        "softplus": ([small], act("SOFTPLUS"), lambda x: F.softplus(t(x))),
        "prelu": ([PICTURE], act("PRELU", alpha), lambda x: F.prelu(t(x), t(alpha))),
        "parametric_softplus": ([PICTURE], act("PARAMETRICSOFTPLUS", [alpha, beta]), lambda x: column(alpha) * np.log1p(np.exp(column(beta) * x))),
        "clamped_relu": ([small], lambda b: b.add_clamped_relu("c", "x", "y", 0.1, 2.0), lambda x: np.minimum(np.where(x < 0, 0.1 * x, x), 2)),
        "gelu": ([small], lambda b: b.add_gelu("g", "x", "y"), lambda x: F.gelu(t(x))),
        "gelu_tanh": ([small], lambda b: b.add_gelu("g", "x", "y", "TANH_APPROXIMATION"), lambda x: F.gelu(t(x), approximate="tanh")),
        "gelu_sigmoid": ([small], lambda b: b.add_gelu("g", "x", "y", "SIGMOID_APPROXIMATION"), lambda x: x * torch.sigmoid(t(1.702 * x)).numpy()),
        "clip": ([small], lambda b: b.add_clip("c", "x", "y", -0.5, 1.25), lambda x: np.clip(x, -0.5, 1.25)),
    }
    unary = {"sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x + 1e-3), "inverse": lambda x: 1 / (x + 1e-3), "power": lambda x: x**1.7,
             "exp": np.exp, "log": np.log, "abs": np.abs, "threshold": lambda x: np.maximum(1.7, x)}
    for mode, function in unary.items():
        cases[f"unary_{mode}"] = ([positive], lambda b, mode=mode: b.add_unary("u", "x", "y", mode, 1.7, 0.2, 2.0, 1e-3),
                                  lambda x, function=function: function(2 * x + np.float32(0.2)))
    limits = {"acosh": ((2, 3, 4), 1.1, 4), "asin": unit, "acos": unit, "atanh": unit, "erf": small}
    names = {"asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
             "erf": lambda x: torch.erf(t(x)).numpy(), "exp2": np.exp2, "round": np.round}
    for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "exp2", "ceil", "floor", "sign",
                 "round"):
        function = names.get(name) or getattr(np, name)
        cases[name] = ([limits.get(name, ((2, 3, 4), -1.4, 1.4))], lambda b, name=name: getattr(b, f"add_{name}")("f", "x", "y"), function)
    return cases


def arithmetic_cases():
    pair, spread = [ROWS, ROWS], [(2, 3, 4), (3, 1)]
    truth = [("whole", ROWS, 0, 2), ("whole", ROWS, 0, 2)]

    def many(mode, **more):
        return lambda b: b.add_elementwise("e", ["x", "x1"], "y", mode, **more)

    cases = {
        "add": (pair, many("ADD"), np.add), "multiply": (pair, many("MULTIPLY"), np.multiply), "max": (pair, many("MAX"), np.maximum),
        "min": (pair, many("MIN"), np.minimum), "average": (pair, many("AVE"), lambda x, z: (x + z) / 2),
        "add_number": ([ROWS], lambda b: b.add_elementwise("e", ["x"], "y", "ADD", 1.5), lambda x: x + 1.5),
        "multiply_number": ([ROWS], lambda b: b.add_elementwise("e", ["x"], "y", "MULTIPLY", 1.5), lambda x: x * 1.5),
        "copy": ([ROWS], lambda b: b.add_copy("c", "x", "y"), lambda x: x),
    }
    for name, function in {"add": np.add, "multiply": np.multiply, "divide": np.divide, "subtract": np.subtract, "max": np.maximum,
                           "min": np.minimum, "floor_div": np.floor_divide, "mod": np.mod}.items():
        cases[f"{name}_broadcastable"] = (spread, lambda b, name=name: getattr(b, f"add_{name}_broadcastable")("e", ["x", "x1"], "y"), function)
    cases["pow_broadcastable"] = ([(ROWS, 0.1, 2), (3, 1)], lambda b: b.add_pow_broadcastable("e", ["x", "x1"], "y"), np.power)
    whole = [("whole", ROWS, 0, 3), ("whole", ROWS, 0, 3)]
    for name, more, function in (("greater_than", {}, np.greater), ("greater_than", {"use_greater_than_equal": True}, np.greater_equal),
                                 ("less_than", {}, np.less), ("less_than", {"use_less_than_equal": True}, np.less_equal), ("equal", {}, np.equal),
                                 ("not_equal", {}, np.not_equal)):
        title = name + "_or_equal" * bool(more)
        cases[title] = (whole, lambda b, name=name, more=more: getattr(b, f"add_{name}")("e", ["x", "x1"], "y", **more), function)
        cases[title + "_number"] = (whole[:1], lambda b, name=name, more=more: getattr(b, f"add_{name}")("e", ["x"], "y", alpha=1.0, **more),
                                    lambda x, function=function: function(x, 1))
    for mode, function in {"OR": np.logical_or, "XOR": np.logical_xor, "AND": np.logical_and}.items():
        cases[f"logical_{mode.lower()}"] = (truth, lambda b, mode=mode: b.add_logical("e", ["x", "x1"], "y", mode), function)
    cases["logical_not"] = (truth[:1], lambda b: b.add_logical("e", ["x"], "y", "NOT"), np.logical_not)
    cases["where"] = (truth[:1] + pair, lambda b: b.add_where_broadcastable("e", ["x", "x1", "x2"], "y"), lambda c, x, z: np.where(c, x, z))
    return cases


def shape_cases():
    def depth_first(x, size):
        n, c, h, w = x.shape
        return x.reshape(n, c, h // size, size, w // size, size).transpose(0, 3, 5, 1, 2, 4).reshape(n, c * size * size, h // size, w // size)

    def space_first(x, size, channels_first):
        n, c, h, w = x.shape
        split = (n, c // size**2, size, size, h, w) if channels_first else (n, size, size, c // size**2, h, w)
        order = (0, 1, 4, 2, 5, 3) if channels_first else (0, 3, 4, 1, 5, 2)
        return x.reshape(split).transpose(order).reshape(n, c // size**2, h * size, w * size)

    grid = (2, 4, 6, 4)

    def reorganize(mode):
        return lambda b: b.add_reorganize_data("r", "x", "y", mode, 2)

    def triple(*outs):
        return [f"y{i}" for i in range(len(outs) or 3)]

    return {
        "flatten": ([PICTURE], lambda b: b.add_flatten("f", 0, "x", "y"), lambda x: x.reshape(2, -1, 1, 1)),
        "flatten_last": ([PICTURE], lambda b: b.add_flatten("f", 1, "x", "y"), lambda x: x.transpose(0, 2, 3, 1).reshape(2, -1, 1, 1)),
        "concat": ([PICTURE, (2, 3, 9, 8)], lambda b: b.add_elementwise("c", ["x", "x1"], "y", "CONCAT"), lambda x, z: np.concatenate([x, z], 1)),
        "split": ([PICTURE], lambda b: b.add_split("s", "x", triple()), lambda x: np.split(x, 3, 1)),
        "space_to_depth": ([grid], reorganize("SPACE_TO_DEPTH"), lambda x: depth_first(x, 2)),
        "depth_to_space": ([grid], reorganize("DEPTH_TO_SPACE"), lambda x: space_first(x, 2, False)),
        "pixel_shuffle": ([grid], reorganize("PIXEL_SHUFFLE"), lambda x: space_first(x, 2, True)),
        "slice_height": ([PICTURE], lambda b: b.add_slice("s", "x", "y", "height", 1, -1, 2), lambda x: x[:, :, 1:-1:2]),
        "slice_channels": ([PICTURE], lambda b: b.add_slice("s", "x", "y", "channel", 1, 4, 1), lambda x: x[:, 1:4]),
        "tile": ([ROWS], lambda b: b.add_tile("t", "x", "y", [1, 2, 3]), lambda x: np.tile(x, (1, 2, 3))),
        "stack": ([ROWS, ROWS], lambda b: b.add_stack("s", ["x", "x1"], "y", 1), lambda x, z: np.stack([x, z], 1)),
        "concat_nd": ([ROWS, (2, 3, 2)], lambda b: b.add_concat_nd("c", ["x", "x1"], "y", -1), lambda x, z: np.concatenate([x, z], -1)),
        "split_nd": ([(2, 6, 4)], lambda b: b.add_split_nd("s", "x", triple(), 1, 3), lambda x: np.split(x, 3, 1)),
        "split_nd_sizes": ([(2, 6, 4)], lambda b: b.add_split_nd("s", "x", triple(), 1, 3, [1, 2, 3]), lambda x: np.split(x, [1, 3], 1)),
        "transpose": ([ROWS], lambda b: b.add_transpose("t", [2, 0, 1], "x", "y"), lambda x: x.transpose(2, 0, 1)),
        "slice_static": ([(4, 5, 6)], lambda b: b.add_slice_static("s", "x", "y", [1, -1, 0], [3, 0, 0], [1, -2, 2], [False, False, True],
                                                                   [False, True, True]), lambda x: x[1:3, ::-2, ::2]),
        "slice_static_squeezed": ([(4, 5, 6)], lambda b: b.add_slice_static("s", "x", "y", [1, 2, 0], [3, 3, 0], [1, 1, 1], [False] * 3,
                                                                            [False, False, True], [False, True, False]), lambda x: x[1:3, 2]),
        "sliding_windows": ([(2, 9, 3)], lambda b: b.add_sliding_windows("w", "x", "y", 1, 3, 2),
                            lambda x: np.stack([x[:, i:i + 3] for i in range(0, 7, 2)], 1)),
        "reverse": ([ROWS], lambda b: b.add_reverse("r", "x", "y", [True, False, True]), lambda x: x[::-1, :, ::-1]),
        "squeeze": ([(1, 3, 1, 4)], lambda b: b.add_squeeze("s", "x", "y", [0, -2]), lambda x: x.reshape(3, 4)),
        "squeeze_all": ([(1, 3, 1, 4)], lambda b: b.add_squeeze("s", "x", "y", squeeze_all=True), lambda x: x.reshape(3, 4)),
        "expand_dims": ([(3, 4)], lambda b: b.add_expand_dims("e", "x", "y", [0, 2]), lambda x: x.reshape(1, 3, 1, 4)),
        "flatten_to_2d": ([(2, 3, 4, 5)], lambda b: b.add_flatten_to_2d("f", "x", "y", 2), lambda x: x.reshape(6, 20)),
        "reshape_like": ([(4, 6), ROWS], lambda b: b.add_reshape_like("r", ["x", "x1"], "y"), lambda x, z: x.reshape(z.shape)),
        "reshape_static": ([(4, 6)], lambda b: b.add_reshape_static("r", "x", "y", (3, -1, 2)), lambda x: x.reshape(3, 4, 2)),
        "reshape_dynamic": ([(4, 6)], lambda b: (b.add_load_constant_nd("k", "k", np.float32([3, 8]), [2]),
                                                 b.add_reshape_dynamic("r", ["x", "k"], "y")), lambda x: x.reshape(3, 8)),
        "reshape_rank": ([(10, 3, 5)], lambda b: b.add_rank_preserving_reshape("r", "x", "y", (25, 0, -1)), lambda x: x.reshape(25, 3, 2)),
        "constant_pad": ([(2, 3)], lambda b: b.add_constant_pad("p", ["x"], "y", 0.5, False, [0, 1, 2, 3]),
                         lambda x: np.pad(x, ((0, 1), (2, 3)), constant_values=0.5)),
        "get_shape": ([ROWS], lambda b: b.add_get_shape("s", "x", "y"), lambda x: np.float32(x.shape)),
        "fill_like": ([ROWS], lambda b: b.add_fill_like("f", "x", "y", 1.5), lambda x: np.full_like(x, 1.5)),
        "fill_static": ([ROWS], lambda b: (b.add_fill_static("f", "f", ROWS, 1.5), b.add_add_broadcastable("a", ["x", "f"], "y")),
                        lambda x: x + 1.5),
        "broadcast_static": ([(3, 1)], lambda b: b.add_broadcast_to_static("f", "x", "y", ROWS), lambda x: np.broadcast_to(x, ROWS)),
        "broadcast_like": ([(3, 1), ROWS], lambda b: b.add_broadcast_to_like("f", ["x", "x1"], "y"), lambda x, z: np.broadcast_to(x, ROWS)),
    }


def index_cases():
    places, corners = ("whole", (3,), 0, 4), ("whole", (5, 2), 0, 3)
    along = ("whole", (4, 3), 0, 4)
    distinct = np.float32([2, 0])

    def after(function):
        def want(x, *more):
            y = x.copy()
            function(y, *more)
            return y

        return want

    return {
        "gather": ([(4, 3), places], lambda b: b.add_gather("g", ["x", "x1"], "y", 0), lambda x, i: x[i.astype(int)]),
        "gather_last": ([(3, 4), places], lambda b: b.add_gather("g", ["x", "x1"], "y", -1), lambda x, i: x[:, i.astype(int)]),
        "gather_nd": ([(3, 3, 2), corners], lambda b: b.add_gather_nd("g", ["x", "x1"], "y"), lambda x, i: x[tuple(i.astype(int).T)]),
        "gather_along": ([(4, 3), along], lambda b: b.add_gather_along_axis("g", ["x", "x1"], "y", 0),
                         lambda x, i: np.take_along_axis(x, i.astype(int), 0)),
        "scatter": ([(4, 3), (2, 3)], lambda b: (b.add_load_constant_nd("k", "k", distinct, [2]), b.add_scatter("s", ["x", "k", "x1"], "y", 0, "SUB")),
                    after(lambda y, v: np.subtract.at(y, [2, 0], v))),
        "scatter_nd": ([(4, 3), corners, (5,)], lambda b: b.add_scatter_nd("s", ["x", "x1", "x2"], "y", "ADD"),
                       after(lambda y, i, v: np.add.at(y, tuple(i.astype(int).T), v))),
        "scatter_along": ([(4, 3), along, (4, 3)], lambda b: b.add_scatter_along_axis("s", ["x", "x1", "x2"], "y", 0, "ADD"),
                          after(lambda y, i, v: np.add.at(y, (i.astype(int), np.arange(3)[None]), v))),
        "reverse_sequence": ([(2, 5, 3), ("whole", (2,), 1, 6)], lambda b: b.add_reverse_sequence("r", ["x", "x1"], "y", 0, 1),
                             lambda x, n: np.stack([np.concatenate([r[:k][::-1], r[k:]]) for r, k in zip(x, n.astype(int))])),
        "where_nonzero": ([("whole", (3, 4), 0, 2)], lambda b: b.add_where_nonzero("w", "x", "y"), lambda x: np.argwhere(x)),
        "range": ([(6,)], lambda b: (b.add_range_static("r", "r", end=4, start=1, step=0.5), b.add_add_broadcastable("a", ["x", "r"], "y")),
                  lambda x: x + np.arange(1, 4, 0.5)),
        "band_part": ([(2, 5, 4)], lambda b: b.add_matrix_band_part("m", "x", "y", 1, 2), lambda x: np.tril(np.triu(x, -1), 2)),
        "lower_triangle": ([(2, 5, 4)], lambda b: b.add_lower_triangular("m", "x", "y", 1), lambda x: np.tril(x, 1)),
        "upper_triangle": ([(2, 5, 4)], lambda b: b.add_upper_triangular("m", "x", "y", -1), lambda x: np.triu(x, -1)),
        "one_hot": ([("whole", (2, 3), 0, 5)], lambda b: b.add_one_hot("o", ["x"], "y", 5, -1, 2.0, -1.0),
                    lambda x: np.where(np.arange(5) == x[..., None], 2, -1)),
    }


def reduce_cases():
    cases = {}
    picture = {"sum": np.sum, "avg": np.mean, "prod": np.prod, "sumsquare": lambda x, **k: (x * x).sum(**k),
               "L1": lambda x, **k: np.abs(x).sum(**k), "L2": lambda x, **k: np.sqrt((x * x).sum(**k)), "max": np.max, "min": np.min,
               "logsum": lambda x, **k: np.log(x + 1e-6).sum(**k)}
    for mode, function in picture.items():
        cases[f"reduce_picture_{mode.lower()}"] = (
            [((2, 3, 4, 5), 0.2, 2)], lambda b, mode=mode: [b.add_reduce(f"r{axis}", "x", f"y{i}", axis, mode) for i, axis in enumerate(("CHW", "HW", "C", "H", "W"))],
            lambda x, function=function: [function(x, axis=axes, keepdims=True) for axes in ((1, 2, 3), (2, 3), 1, 2, 3)])
    cases["reduce_picture_argmax"] = ([PICTURE], lambda b: b.add_reduce("r", "x", "y", "C", "argmax"), lambda x: x.argmax(1)[:, None])
    named = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "max": np.max, "min": np.min, "l2": picture["L2"], "l1": picture["L1"],
             "sumsquare": picture["sumsquare"], "logsum": lambda x, **k: np.log(x.sum(**k)), "logsumexp": lambda x, **k: np.log(np.exp(x).sum(**k))}
    for name, function in named.items():
        cases[f"reduce_{name}"] = (
            [((2, 3, 4), 0.2, 2)],
            lambda b, name=name: (getattr(b, f"add_reduce_{name}")("a", "x", "y0", [-1], True), getattr(b, f"add_reduce_{name}")("b", "x", "y1", [0, 2], False),
                                  getattr(b, f"add_reduce_{name}")("c", "x", "y2", None, False, True)),
            lambda x, function=function: [function(x, axis=-1, keepdims=True), function(x, axis=(0, 2)), np.reshape(function(x, axis=None), (1,))])
    cases["argmax"] = ([ROWS], lambda b: (b.add_argmax("a", "x", "y0", 1, False), b.add_argmin("b", "x", "y1", -1, True)),
                       lambda x: [x.argmax(1), x.argmin(-1)[..., None]])
    cases["topk"] = ([ROWS], lambda b: b.add_topk("t", ["x"], ["y0", "y1"], 2, -1),
                     lambda x: [-np.sort(-x, -1)[..., :2], np.argsort(-x, -1)[..., :2]])
    cases["bottomk"] = ([ROWS], lambda b: b.add_topk("t", ["x"], ["y0", "y1"], 2, 1, True), lambda x: [np.sort(x, 1)[:, :2], np.argsort(x, 1)[:, :2]])
    cases["argsort"] = ([ROWS], lambda b: b.add_argsort("a", "x", "y", -1, True), lambda x: np.argsort(-x, -1))
    cases["cumsum"] = ([ROWS], lambda b: b.add_cumsum("c", ["x"], "y", 1, True, True), lambda x: np.cumsum(x[:, ::-1], 1)[:, ::-1] - x)
    return cases


def plain_cases():
    return {**window_cases(), **layer_cases(), **activation_cases(), **arithmetic_cases(), **shape_cases(), **index_cases(), **reduce_cases()}


# ---- the old form, whose arrays have five axes: inputs and answers with what stands in front of them


def recurrent_weights(hidden, size, gates):
    return ([made(f"w{g}", hidden, size, low=-0.5, high=0.5) for g in range(gates)], [made(f"r{g}", hidden, hidden, low=-0.5, high=0.5) for g in range(gates)],
            [made(f"b{g}", hidden, low=-0.5, high=0.5) for g in range(gates)])


def torch_lstm(x, *directions):
    """Gates i, f, o, z of the builder; i, f, z, o of torch."""
    hidden, size = directions[0][0][0].shape
    net = nn.LSTM(size, hidden, bidirectional=len(directions) == 2)
    with torch.no_grad():
        for (w, r, b), suffix in zip(directions, ("", "_reverse")):
            order = (0, 1, 3, 2)
            getattr(net, f"weight_ih_l0{suffix}").copy_(t(np.concatenate([w[g] for g in order])))
            getattr(net, f"weight_hh_l0{suffix}").copy_(t(np.concatenate([r[g] for g in order])))
            getattr(net, f"bias_ih_l0{suffix}").copy_(t(np.concatenate([b[g] for g in order])))
            getattr(net, f"bias_hh_l0{suffix}").zero_()
        return net(t(x)[:, None])


def gru_by_the_text(x, w, r, b):
    """z, r, o: the reset gate comes before the product, which torch's does not."""
    y, steps = np.zeros(w[0].shape[0]), []
    for row in x.astype(np.float64):
        z = 1 / (1 + np.exp(-(w[0] @ row + r[0] @ y + b[0])))
        reset = 1 / (1 + np.exp(-(w[1] @ row + r[1] @ y + b[1])))
        out = np.tanh(w[2] @ row + r[2] @ (y * reset) + b[2])
        y = (1 - z) * out + z * y
        steps.append(y)
    return np.stack(steps)


def lstm_with_peepholes(x, w, r, b, p):
    """i, f, o, z and peepholes i, f, o; a bias of 1 is added to the forget gate."""
    def gate(number):
        return 1 / (1 + np.exp(-number))

    y = c = np.zeros(w[0].shape[0])
    for row in x.astype(np.float64):
        i, f, o, z = (w[g] @ row + r[g] @ y + b[g] for g in range(4))
        new = gate(f + p[1] * c + 1) * c + gate(i + p[0] * c) * np.tanh(z)
        y, c = gate(o + p[2] * new) * np.tanh(new), new
    return y


def old_cases():
    """NAME -> (shapes the file has, what stands in front, builder, answers). All inputs have the same in front."""
    w4, back, w3, w1 = recurrent_weights(5, 3, 4), [[part[::-1] * np.float32(0.9) for part in kind] for kind in recurrent_weights(5, 3, 4)], recurrent_weights(5, 3, 3), recurrent_weights(5, 3, 1)
    back = tuple([np.ascontiguousarray(part) for part in kind] for kind in back)
    peep = [made(f"p{g}", 5) for g in range(3)]
    conv, dense, bias = made("conv", 4, 3, 3, 3), made("dense", 10, 64), made("bias", 10)
    reshape = lambda shape, mode: (lambda b: b.add_reshape("r", "x", "y", shape, mode))  # noqa: E731

    def small_network(b):
        convolution(conv, None, padding_top=1, padding_bottom=1, padding_left=1, padding_right=1)(b, "x", "c")
        b.add_activation("relu", "RELU", "c", "d")
        b.add_pooling("pool", 2, 2, 2, 2, "MAX", "VALID", "d", "p")
        b.add_flatten("f", 0, "p", "f")
        b.add_inner_product("dense", dense, bias, 64, 10, True, "f", "g")
        b.add_softmax("s", "g", "y")

    def rnn(x):
        y = np.zeros(5)
        for row in x:
            y = np.tanh(w1[0][0] @ row + w1[1][0] @ y + w1[2][0])
        return y[None]

    def states(y, h, c):
        return [y[:, 0], h.reshape(1, 5), c.reshape(1, 5)]

    return {
        "old_network": ([(3, 8, 8)], 2, small_network,
                        lambda x: F.softmax(F.max_pool2d(F.relu(F.conv2d(t(x), t(conv), None, 1, 1)), 2).flatten(1) @ t(dense).T + t(bias), -1)),
        "old_permute": ([(3, 4, 5)], 2, lambda b: b.add_permute("p", [0, 3, 1, 2], "x", "y"), lambda x: x.transpose(0, 3, 1, 2)),
        "old_reshape": ([(3, 4, 5)], 2, reshape((5, 6, 2), 0), lambda x: x.reshape(2, 5, 6, 2)),
        "old_reshape_last": ([(3, 4, 5)], 2, reshape((5, 6, 2), 1), lambda x: x.transpose(0, 2, 3, 1).reshape(2, 6, 2, 5).transpose(0, 3, 1, 2)),
        "old_constant": ([(3, 4, 5)], 2, lambda b: (b.add_load_constant("k", "k", made("k", 3, 1, 1), [3, 1, 1]), b.add_elementwise("a", ["x", "k"], "y", "ADD")),
                         lambda x: x + made("k", 3, 1, 1)),
        "old_and_new": ([(3, 4, 5)], 2, lambda b: (b.add_reduce_sum("r", "x", "s", [-1], True), b.add_add_broadcastable("a", ["x", "s"], "y")),
                        lambda x: x + x.sum(-1, keepdims=True)),
        "old_repeat": ([(3,)], 2, lambda b: b.add_sequence_repeat("r", 3, "x", "y"), lambda x: np.tile(x, (3, 1))),
        "old_lstm": ([(3,)], 6, lambda b: b.add_unilstm("l", w4[1], w4[0], w4[2], 5, 3, ["x"], ["y"], output_all=True),
                     lambda x: torch_lstm(x, w4)[0][:, 0]),
        "old_lstm_last": ([(3,)], 6, lambda b: b.add_unilstm("l", w4[1], w4[0], w4[2], 5, 3, ["x"], ["y"]), lambda x: torch_lstm(x, w4)[0][-1]),
        "old_lstm_reverse": ([(3,)], 6, lambda b: b.add_unilstm("l", w4[1], w4[0], w4[2], 5, 3, ["x"], ["y"], reverse_input=True),
                             lambda x: torch_lstm(x[::-1], w4)[0][-1]),
        "old_lstm_peepholes": ([(3,)], 6, lambda b: b.add_unilstm("l", w4[1], w4[0], w4[2], 5, 3, ["x"], ["y"], peep=peep, forget_bias=True),
                               lambda x: lstm_with_peepholes(x, *w4, peep)[None]),
        "old_bidirectional": ([(3,)], 6, lambda b: b.add_bidirlstm("l", w4[1], w4[0], w4[2], back[1], back[0], back[2], 5, 3, ["x"], ["y"], output_all=True),
                              lambda x: torch_lstm(x, w4, back)[0][:, 0]),
        "old_bidirectional_last": ([(3,)], 6, lambda b: b.add_bidirlstm("l", w4[1], w4[0], w4[2], back[1], back[0], back[2], 5, 3, ["x"], ["y"]),
                                   lambda x: torch_lstm(x, w4, back)[1][0].reshape(1, 10)),
        "old_gru": ([(3,)], 6, lambda b: b.add_gru("g", w3[1], w3[0], w3[2], 5, 3, ["x"], ["y"], inner_activation="SIGMOID", output_all=True),
                    lambda x: gru_by_the_text(x, *w3)),
        "old_rnn": ([(3,)], 6, lambda b: b.add_simple_rnn("r", w1[1][0], w1[0][0], w1[2][0], 5, 3, "TANH", ["x"], ["y"]), rnn),
    }


# ---- networks of torch through coremltools' converter


class Residual(nn.Module):
    def __init__(self, channels, stride=1):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, channels * stride, 3, stride, 1, bias=False), nn.BatchNorm2d(channels * stride), nn.ReLU(),
                                   nn.Conv2d(channels * stride, channels * stride, 3, 1, 1, bias=False), nn.BatchNorm2d(channels * stride))
        self.way = nn.Identity() if stride == 1 else nn.Conv2d(channels, channels * stride, 1, stride)

    def forward(self, x):
        return F.relu(self.first(x) + self.way(x))


class Inverted(nn.Module):
    def __init__(self, channels, stride=1):
        super().__init__()
        wide = channels * 4
        self.body = nn.Sequential(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
                                  nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.Hardswish(),
                                  nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.adds = stride == 1

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, padding=1)
        self.middle = nn.Conv2d(8, 8, 3, 2, 1)
        self.up = nn.ConvTranspose2d(8, 8, 2, 2)
        self.last = nn.Conv2d(16, 2, 1)

    def forward(self, x):
        a = F.leaky_relu(self.down(x), 0.1)
        b = F.elu(self.middle(a))
        near = F.interpolate(b, scale_factor=2, mode="nearest")
        return self.last(torch.cat([a, self.up(b) + near], 1))


class Encoder(nn.Module):
    """One block of a transformer."""

    def __init__(self, size=16, heads=4):
        super().__init__()
        self.heads, self.words = heads, nn.Embedding(30, size)
        self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.norms = nn.ModuleList([nn.LayerNorm(size), nn.LayerNorm(size)])
        self.up, self.down = nn.Linear(size, 2 * size), nn.Linear(2 * size, size)

    def forward(self, tokens):
        x = self.words(tokens)
        n, length, size = 2, 7, 16
        q, k, v = (part.reshape(n, length, self.heads, size // self.heads).permute(0, 2, 1, 3) for part in self.qkv(x).chunk(3, -1))
        scores = torch.softmax(q @ k.transpose(-1, -2) / 2.0, -1)
        x = self.norms[0](x + self.out((scores @ v).permute(0, 2, 1, 3).reshape(n, length, size)))
        return self.norms[1](x + self.down(F.gelu(self.up(x))))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 5, 2, bidirectional=True, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]


class Functions(nn.Module):
    def forward(self, x):
        pooled = F.adaptive_avg_pool2d(x, 1).flatten(1)
        y = F.silu(x) + torch.clamp(x, -0.5, 0.5) * torch.tanh(x) - F.softplus(x) / (x.abs() + 1)
        z = F.pad(y, (1, 1, 0, 2)).mean((2, 3)).pow(2)
        return y[:, 1:3, ::2].permute(0, 2, 3, 1).contiguous(), torch.where(z > pooled, z, pooled), x.flatten(2).argmax(-1), torch.stack([z, pooled], 1)


def picture_network(*body, channels, classes=5):
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def network_cases():
    """NAME -> (module, shape of the input, more for the converter)."""
    plain = {
        "net_plain": nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU(), nn.Flatten(), nn.Linear(432, 10), nn.Softmax(-1)),
        "net_residual": picture_network(nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Residual(8), Residual(8, 2), Residual(16), channels=16),
        "net_mobile": picture_network(nn.Conv2d(3, 8, 3, 2, 1), nn.Hardswish(), Inverted(8), Inverted(8, 2), Inverted(8), channels=8),
        "net_unet": UNet(),
        "net_functions": Functions(),
    }
    cases = {name: (module, (2, 3, 32, 32), {}) for name, module in plain.items()}
    cases["net_encoder"] = (Encoder(), (2, 7), {"whole": 30})
    cases["net_recurrent"] = (Recurrent(), (2, 7, 6), {})
    cases["net_picture"] = (picture_network(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), channels=8), (1, 3, 16, 16), {"image": "RGB"})
    cases["net_picture_bgr"] = (picture_network(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), channels=8), (1, 3, 16, 16), {"image": "BGR"})
    cases["net_classifier"] = (nn.Sequential(picture_network(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), channels=8), nn.Softmax(-1)), (1, 3, 16, 16),
                               {"labels": ["cat", "dog", "bird", "fish", "snake"]})
    cases["net_sizes"] = (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)), (1, 3, 16, 16), {"open": True})
    for name, mode in (("net_half", "half"), ("net_linear8", ("linear", 8)), ("net_linear4", ("linear", 4)), ("net_table3", ("linear_lut", 3))):
        cases[name] = (picture_network(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 6, 3, 2), channels=6), (1, 3, 16, 16), {"weights": mode})
    return cases
