# SPDX-License-Identifier: Apache-2.0
"""The programs that record_paddle.py saves: one or a few operators each, and whole networks.

A case is (name, what makes the layer or function, inputs). An input is an array's shape, or (shape, dtype), or
(shape, dtype, low, high); sizes in a fourth or fifth place that are None in `open` stay open in the file.
"""

import paddle
import paddle.nn as nn
import paddle.nn.functional as F
import paddle.vision as vision

I32, I64, BOOL = "int32", "int64", "bool"
PICTURE = (2, 6, 9, 8)


class Function(nn.Layer):
    """A function of up to four inputs as a layer."""

    def __init__(self, function):
        super().__init__()
        self.function = function


class Function1(Function):
    def forward(self, x0):
        return self.function(x0)


class Function2(Function):
    def forward(self, x0, x1):
        return self.function(x0, x1)


class Function3(Function):
    def forward(self, x0, x1, x2):
        return self.function(x0, x1, x2)


class Function4(Function):
    def forward(self, x0, x1, x2, x3):
        return self.function(x0, x1, x2, x3)


def function_layer(function, inputs):
    # What has no control flow needs no translation, which wants the source of a function.
    if function.__name__ == "<lambda>":
        function = paddle.jit.not_to_static(function)
    return [Function1, Function2, Function3, Function4][inputs - 1](function)


class Joined(nn.Layer):
    """Two layers whose results are joined."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.LayerList(layers)

    def forward(self, x):
        return [layer(x) for layer in self.layers]


def layer_cases():
    yield "conv2d", lambda: nn.Conv2D(6, 4, 3, stride=2, padding=1), [PICTURE]
    yield "conv2d_forms", lambda: Joined(
        nn.Conv2D(6, 6, 3, groups=6, padding=(1, 2)), nn.Conv2D(6, 9, 3, groups=3, dilation=2, bias_attr=False),
        nn.Conv2D(6, 4, 3, stride=2, padding="SAME"), nn.Conv2D(6, 4, (3, 2), padding="VALID"),
        nn.Conv2D(6, 4, 3, padding=[1, 0, 2, 1])), [PICTURE]
    yield "conv2d_last", lambda: nn.Conv2D(8, 4, 3, stride=2, padding=1, data_format="NHWC"), [(2, 6, 9, 8)]
    yield "conv1d", lambda: nn.Conv1D(6, 4, 3, padding=1, stride=2), [(2, 6, 11)]
    yield "conv3d", lambda: nn.Conv3D(3, 4, 3, padding=1, stride=2), [(1, 3, 5, 6, 7)]
    yield "conv2d_transpose", lambda: Joined(
        nn.Conv2DTranspose(6, 4, 3, stride=2, padding=1), nn.Conv2DTranspose(6, 6, 4, stride=2, groups=6),
        nn.Conv2DTranspose(6, 4, 3, stride=2, padding=1, output_padding=1),
        nn.Conv2DTranspose(6, 4, 3, stride=3, padding="SAME")), [PICTURE]
    yield "conv2d_transpose_size", lambda: function_layer(lambda x: F.conv2d_transpose(
        x, paddle.full([6, 4, 3, 3], 0.1), stride=2, padding=1, output_size=[18, 16]), 1), [PICTURE]
    yield "conv3d_transpose", lambda: nn.Conv3DTranspose(3, 2, 3, stride=2), [(1, 3, 3, 4, 3)]
    yield "conv1d_transpose", lambda: nn.Conv1DTranspose(6, 4, 3, stride=2), [(2, 6, 7)]
    yield "batch_norm", lambda: nn.BatchNorm2D(6), [PICTURE]
    yield "batch_norm_1d", lambda: Joined(nn.BatchNorm1D(6), nn.BatchNorm1D(6, weight_attr=False, bias_attr=False)), [(5, 6)]
    yield "batch_norm_last", lambda: nn.BatchNorm2D(8, data_format="NHWC"), [PICTURE]
    yield "layer_norm", lambda: Joined(nn.LayerNorm(8), nn.LayerNorm([9, 8]), nn.LayerNorm(8, weight_attr=False, bias_attr=False)), [PICTURE]
    yield "group_norm", lambda: Joined(nn.GroupNorm(3, 6), nn.GroupNorm(2, 6, weight_attr=False, bias_attr=False)), [PICTURE]
    yield "instance_norm", lambda: Joined(nn.InstanceNorm2D(6), nn.InstanceNorm2D(6, weight_attr=False, bias_attr=False)), [PICTURE]
    yield "local_response_norm", lambda: nn.LocalResponseNorm(3), [PICTURE]
    yield "pools", lambda: Joined(
        nn.MaxPool2D(3, 2, 1), nn.MaxPool2D(2, 2, ceil_mode=True), nn.AvgPool2D(3, 2, 1), nn.AvgPool2D(3, 2, 1, exclusive=False),
        nn.AvgPool2D(3, 2, 1, exclusive=False, ceil_mode=True), nn.AvgPool2D(2, 2, ceil_mode=True),
        nn.MaxPool2D(3, 2, padding="SAME")), [PICTURE]
    yield "pools_adaptive", lambda: Joined(
        nn.AdaptiveAvgPool2D(1), nn.AdaptiveAvgPool2D((3, 4)), nn.AdaptiveAvgPool2D((4, 3)), nn.AdaptiveMaxPool2D((3, 4)),
        nn.AdaptiveMaxPool2D((4, 3))), [PICTURE]
    yield "pools_1d", lambda: Joined(nn.MaxPool1D(3, 2, 1), nn.AvgPool1D(2), nn.AdaptiveAvgPool1D(3)), [(2, 6, 12)]
    yield "pools_3d", lambda: Joined(nn.MaxPool3D(2), nn.AvgPool3D(3, 2, 1), nn.AdaptiveAvgPool3D(2)), [(1, 2, 6, 6, 8)]
    yield "max_pool_mask", lambda: nn.MaxPool2D(2, 2, return_mask=True), [PICTURE]
    yield "linear", lambda: Joined(nn.Linear(8, 5), nn.Linear(8, 5, bias_attr=False)), [(2, 3, 8)]
    yield "embedding", lambda: Joined(nn.Embedding(11, 4), nn.Embedding(11, 4, padding_idx=3)), [((2, 5), I64, 0, 11)]
    yield "prelu", lambda: Joined(nn.PReLU(), nn.PReLU(6)), [PICTURE]
    yield "dropout", lambda: Joined(nn.Dropout(0.3), nn.Dropout(0.3, mode="downscale_in_infer"), nn.Dropout2D(0.5)), [PICTURE]
    yield "lstm", lambda: nn.LSTM(5, 4, num_layers=2, direction="bidirect"), [(2, 6, 5)]
    yield "lstm_time", lambda: nn.LSTM(5, 4, time_major=True), [(6, 2, 5)]
    yield "gru", lambda: nn.GRU(5, 4, num_layers=2), [(2, 6, 5)]
    yield "rnn_plain", lambda: nn.SimpleRNN(5, 4, direction="bidirect", activation="relu"), [(2, 6, 5)]
    yield "attention", lambda: nn.MultiHeadAttention(8, 2), [(2, 5, 8)]
    yield "encoder_layer", lambda: nn.TransformerEncoderLayer(8, 2, 16, activation="gelu"), [(2, 5, 8)]
    yield "upsample", lambda: Joined(
        nn.Upsample(scale_factor=2), nn.Upsample(size=[13, 11], mode="bilinear"), nn.Upsample(size=[13, 11], mode="bilinear", align_corners=True),
        nn.Upsample(scale_factor=1.5, mode="bilinear", align_mode=1), nn.Upsample(scale_factor=2, mode="bicubic"),
        nn.Upsample(size=[4, 5], mode="nearest"), nn.Upsample(scale_factor=[2, 1.5], mode="bilinear")), [PICTURE]
    yield "upsample_1d_3d", lambda: function_layer(lambda x, y: (
        F.interpolate(x, size=[13], mode="linear", data_format="NCW"),
        F.interpolate(y, size=[5, 7, 9], mode="trilinear", data_format="NCDHW")), 2), [(2, 3, 7), (1, 2, 3, 4, 5)]
    yield "pixel_blocks", lambda: Joined(nn.PixelUnshuffle(2), nn.ChannelShuffle(3)), [(2, 6, 8, 4)]
    yield "pixel_shuffle", lambda: nn.PixelShuffle(2), [(2, 8, 3, 4)]
    yield "pad", lambda: Joined(
        nn.Pad2D([1, 2, 0, 3]), nn.Pad2D(2, mode="reflect"), nn.Pad2D(1, mode="replicate"), nn.Pad2D(1, mode="circular"),
        nn.ZeroPad2D([1, 0, 2, 1]), nn.Pad2D(1, value=0.5)), [PICTURE]
    yield "maxout", lambda: nn.Maxout(2), [PICTURE]


def operator_cases():
    """Functions: name -> (function, inputs)."""
    x, y, positive = (2, 3, 4), (2, 3, 4), ((2, 3, 4), "float32", 0.1, 3)
    return {
        "activations": (lambda v: [
            F.relu(v), F.relu6(v), F.sigmoid(v), paddle.tanh(v), F.gelu(v), F.gelu(v, approximate=True), F.hardswish(v), F.hardsigmoid(v),
            F.silu(v), F.swish(v), F.leaky_relu(v, 0.1), F.elu(v, 0.7), F.selu(v), F.celu(v, 0.8), F.softplus(v), F.softplus(v, 2.0),
            F.softsign(v), F.mish(v), F.hardtanh(v, -0.5, 0.7), F.thresholded_relu(v, 0.3), F.log_sigmoid(v), F.softshrink(v, 0.4),
            F.hardshrink(v, 0.4), F.tanhshrink(v), paddle.stanh(v)], ((2, 3, 4), "float32", -4, 7)),
        "softmaxes": (lambda v: [F.softmax(v), F.softmax(v, 1), F.log_softmax(v, 1)], x),
        "functions": (lambda v: [
            paddle.abs(v), paddle.ceil(v), paddle.floor(v), paddle.exp(v), paddle.sin(v), paddle.cos(v), paddle.tan(v), paddle.sinh(v),
            paddle.cosh(v), paddle.erf(v), paddle.square(v), paddle.sign(v), paddle.expm1(v), paddle.asin(v / 4), paddle.acos(v / 4),
            paddle.atan(v), paddle.asinh(v), paddle.neg(v), paddle.atanh(v / 4)], x),
        "functions_positive": (lambda v: [
            paddle.log(v), paddle.log2(v), paddle.log10(v), paddle.log1p(v), paddle.sqrt(v), paddle.rsqrt(v), paddle.reciprocal(v),
            paddle.pow(v, 1.7), paddle.acosh(v + 1)], positive),
        "round": (lambda v: paddle.round(v * 0.5), ((2, 3, 4), "float32", -6, 6)),
        "round_halves": (lambda v: paddle.round(v.astype("float32") * 0.5), ((2, 9), I32, -9, 9)),
        "arithmetic": (lambda a, b: [a + b, a - b, a * b, a / b, paddle.maximum(a, b), paddle.minimum(a, b), paddle.fmax(a, b), paddle.fmin(a, b),
                                     a % b, a // b, a * 2.5 + 1, 3 - a, (a + 0.5) / 2, paddle.scale(a, 2.0, 0.5, bias_after_scale=False)], x, positive),
        "power": (lambda a, b: [a ** b, a ** 2], positive, x),
        "broadcast": (lambda a, b, c: [a + b, a * c, c - b], x, (3, 1), (4,)),
        "integers": (lambda a, b: [a + b, a * b, a % b, paddle.abs(a) // b, paddle.maximum(a, b)], ((2, 5), I64, -20, 20), ((2, 5), I64, 1, 7)),
        "compare": (lambda a, b: [a < b, a <= b, a > b, a >= b, paddle.equal(a, b), paddle.not_equal(a, b)], ((2, 7), I32, 0, 4), ((2, 7), I32, 0, 4)),
        "logic": (lambda a, b: [paddle.logical_and(a, b), paddle.logical_or(a, b), paddle.logical_xor(a, b), paddle.logical_not(a),
                                paddle.bitwise_and(a, b), paddle.all(a, 1), paddle.any(b, 0), paddle.any(a)], ((3, 5), BOOL), ((3, 5), BOOL)),
        "bits": (lambda a, b: [a & b, a | b, a ^ b, ~a], ((3, 5), I32, 0, 99), ((3, 5), I32, 0, 99)),
        "not_numbers": (lambda v: [paddle.isnan(v), paddle.isinf(1 / v), paddle.isfinite(1 / v)], ((2, 7), "float32", 0, 1)),
        "matmul": (lambda a, b: [paddle.matmul(a, b), paddle.matmul(a, a, transpose_y=True), paddle.matmul(a, a, transpose_x=True), paddle.bmm(a, b)],
                   (2, 3, 4), (2, 4, 5)),
        "products": (lambda a, b, c: [paddle.addmm(c, a, b, 0.5, 2.0), paddle.mm(a, b), paddle.mv(a, b[:, 0]), paddle.dot(a[0], b[:, 1]),
                                      paddle.einsum("ij,jk->ki", a, b), paddle.outer(a[0], b[0])], (3, 4), (4, 5), (3, 5)),
        "cast": (lambda v: [v.astype("int32"), v.astype("int64"), v.astype("bool"), v.astype("float64")],
                 ((2, 7), "float32", -5, 5)),
        "clip": (lambda v: [paddle.clip(v, -0.5, 0.5), paddle.clip(v, min=0.1), paddle.clip(v, max=paddle.full([1], 0.3))], x),
        "reductions": (lambda v: [
            v.sum(), v.sum(1), v.sum([0, 2], keepdim=True), v.mean(), v.mean(-1), v.mean([0, 1], keepdim=True), v.max(1), v.min([1, 2]),
            v.max(), v.prod(1), v.logsumexp(1), paddle.amax(v, 1), paddle.amin(v, [0, 2]), v.std(1), v.var(-1), paddle.nn.functional.normalize(v, axis=1)], x),
        "sum_of_integers": (lambda v: [v.sum(), v.sum(1), (v > 2).sum(0)], ((3, 5), I32, 0, 9)),
        "norms": (lambda v: [paddle.norm(v, 2, 1), paddle.norm(v, 1, -1, keepdim=True), paddle.norm(v), paddle.norm(v, 3, 1),
                             paddle.norm(v, float("inf"), 1), paddle.norm(v, 0, 1)], x),
        "extremes": (lambda v: [v.argmax(1), v.argmin(-1, keepdim=True), v.argmax(), v.argmax(1, dtype="int32"), *v.topk(2, 2), *v.topk(2, 1, largest=False),
                                v.argsort(1), v.sort(2, descending=True)], x),
        "cumsum": (lambda v: [v.cumsum(1), v.cumsum(), v.cumsum(-1)], x),
        "reshape": (lambda v: [v.reshape([-1, 4]), v.reshape([0, 12]), v.reshape([v.shape[0], 2, 6]), v.flatten(), v.flatten(1), v.flatten(0, 1),
                               v.flatten(1, 2), paddle.squeeze(v.unsqueeze(1), 1), v.unsqueeze([0, 2]), v.unsqueeze([0, 2]).squeeze(),
                               paddle.squeeze(v.unsqueeze([0, 2]), [0, 2]), v.transpose([2, 0, 1]), v.T], x),
        "open_sizes": (lambda v: [v.reshape([paddle.shape(v)[0], 3, -1]), v + paddle.zeros([paddle.shape(v)[0], 3, 4]),
                                  v.mean(0), paddle.shape(v), v.flatten(1), v.flatten(0, 1), paddle.ones_like(v), v.expand([2, -1, -1, -1])], x, {"open": [0]}),
        "parts": (lambda v: [v[0], v[:, 1], v[:, 1:3], v[..., -1], v[:, ::2], v[1:, :, 1:3], v[:, -2:], v[:, ::-1], *paddle.split(v, 2, 2), *paddle.split(v, [1, -1], 1),
                             *paddle.unbind(v, 0), *paddle.chunk(v, 3, 1), paddle.slice(v, [1, 2], [0, -3], [2, 100]), *paddle.unstack(v, 1),
                             paddle.strided_slice(v, [2], [3], [0], [-2]), paddle.crop(v, [1, 2, -1], [1, 0, 1])], x),
        "joins": (lambda a, b: [paddle.concat([a, b, a], 1), paddle.concat([a, b], -1), paddle.stack([a, b], 1), paddle.stack([a, b], -1), paddle.add_n([a, b, a])], x, y),
        "expand": (lambda v: [v.expand([2, 3, 4]), v.expand([5, -1, 3, 4]), v.tile([2, 1, 3]), v.tile([2]), v.tile([2, 1, 1, 2]), v.expand_as(paddle.zeros([2, 3, 4])),
                              v.broadcast_to([2, 3, 4])], (1, 3, 4)),
        "orders": (lambda v: [v.flip([1]), v.flip([0, 2]), v.roll(1, 1), v.roll([1, -2], [0, 2]), v.roll(5), paddle.rot90(v, 1, [0, 1])], x),
        "create": (lambda v: [paddle.zeros([2, 3]) + v[0, 0], paddle.full([2], 7, "int64"), paddle.arange(2, 9, 2), paddle.arange(0.0, 1.0, 0.25), paddle.linspace(0, 1, 5),
                              paddle.eye(3) + v[0, 0], paddle.zeros_like(v), paddle.full_like(v, 2.5), paddle.to_tensor([1.5, -2.0]) * v[0, :2], paddle.to_tensor([[1, 2], [3, 4]]),
                              paddle.tril(v, 1), paddle.triu(v, -1), *paddle.meshgrid(v[0], v[:, 0]), paddle.ones([3, 2], "int32"), paddle.numel(v)], (3, 4)),
        "one_hot": (lambda v: F.one_hot(v, 6), ((2, 3), I64, 0, 6)),
        "pick": (lambda v, i: [paddle.gather(v, i), paddle.gather(v, i, 1), paddle.index_select(v, i, 2), paddle.gather_nd(v, paddle.stack([i, i], 1)),
                               paddle.take_along_axis(v, paddle.argsort(v, 1), 1), paddle.index_sample(v[0], paddle.stack([i, i, i])), v[i], v[:, i]],
                 (3, 3, 4), ((2,), I64, 0, 3)),
        "put": (lambda v, i: [paddle.scatter(v, i, paddle.ones([2, 4])), paddle.scatter(v, i, paddle.ones([2, 4]), overwrite=False),
                              paddle.scatter_nd_add(v, i.unsqueeze(1), paddle.ones([2, 4]))], (5, 4), ((2,), I64, 0, 5)),
        "where": (lambda a, b: [paddle.where(a > b, a, b), paddle.nonzero(a > b), paddle.where(a > 0, a, paddle.zeros_like(a))], x, y),
        "grid_sample": (lambda v, g: [F.grid_sample(v, g), F.grid_sample(v, g, mode="nearest", padding_mode="border", align_corners=False),
                                      F.grid_sample(v, g, padding_mode="reflection", align_corners=False)], (2, 3, 5, 6), ((2, 4, 3, 2), "float32", -1.3, 1.3)),
        "affine_grid": (lambda t: [F.affine_grid(t, [2, 3, 4, 5]), F.affine_grid(t, [2, 3, 4, 5], align_corners=False)], (2, 2, 3)),
        "temporal_shift": (lambda v: F.temporal_shift(v, 3, 0.25), (6, 8, 3, 4)),
        "yolo_box": (lambda v, s: [*vision.ops.yolo_box(v, s, [10, 13, 16, 30], 3, 0.4, 32), *vision.ops.yolo_box(v, s, [10, 13, 16, 30], 3, 0.01, 16, False, scale_x_y=1.2)],
                     (2, 16, 4, 5), ((2, 2), I32, 100, 300)),
        "yolo_box_aware": (lambda v, s: vision.ops.yolo_box(v, s, [10, 13, 16, 30], 3, 0.3, 32, iou_aware=True, iou_aware_factor=0.4), (1, 18, 3, 3), ((1, 2), I32, 100, 300)),
        "prior_box": (lambda f, i: [*vision.ops.prior_box(f, i, [20.0, 40.0], [40.0, 60.0], [1.0, 2.0, 3.0], flip=True, clip=True),
                                    *vision.ops.prior_box(f, i, [20.0], [30.0], [2.0], steps=[8.0, 8.0], min_max_aspect_ratios_order=True)], (1, 2, 3, 4), (1, 3, 30, 40)),
        "box_coder": (lambda p, t, d: [
            vision.ops.box_coder(p.cumsum(1), [0.1, 0.1, 0.2, 0.2], t.cumsum(1), "encode_center_size"),
            vision.ops.box_coder(p.cumsum(1), [0.1, 0.1, 0.2, 0.2], d, "decode_center_size", box_normalized=False),
            vision.ops.box_coder(p.cumsum(1), paddle.full([3, 4], 0.2), d, "decode_center_size")],
            ((3, 4), "float32", 0.1, 1), ((2, 4), "float32", 0.1, 1), (2, 3, 4)),
        "roi_align": (lambda v, b: [vision.ops.roi_align(v, b.cumsum(1), paddle.to_tensor([2, 1], "int32"), (3, 2), 0.5, 2),
                                    vision.ops.roi_align(v, b.cumsum(1), paddle.to_tensor([1, 2], "int32"), 2, 1.0, aligned=False)], (2, 3, 8, 9), ((3, 4), "float32", 0.5, 4)),
        "deform_conv": (lambda v, o, m, w: [vision.ops.deform_conv2d(v, o, w, mask=m, padding=1), vision.ops.deform_conv2d(v, o, w, padding=1)],
                        (1, 4, 5, 6), (1, 18, 5, 6), ((1, 9, 5, 6), "float32", 0, 1), (3, 4, 3, 3)),
        "set_value": (set_value, x),
        "branch": (branch, x),
        "branch_values": (branch_values, x),
        "loop": (loop, ((), I64, 2, 6), x),
    }


def set_value(x):
    y = x * 1.0
    y[:, 1] = 0.5
    y[:, 0:2, 1:3] = x[:, 1:3, 0:2]
    return y


def branch(x):
    if x.sum() > 0:
        y = x * 2 + 1
    else:
        y = -x
    return y + 1


def branch_values(x):
    if x.mean() > 100:
        a, b = x, x + 1
    else:
        a, b = x * x, -x
    return a, b


def loop(n, x):
    i = paddle.zeros([], "int64")
    while i < n:
        x = x * 0.5 + i.astype("float32")
        i = i + 1
    return x, i


def call(kind, inputs, outputs, **attributes):
    """An operator that has no function any more, or none that a static program can use: its outputs."""
    helper = paddle.base.layer_helper.LayerHelper(kind)
    made = {name: [helper.create_variable_for_type_inference(dtype)] for name, dtype in outputs.items()}
    given = {name: value if isinstance(value, list) else [value] for name, value in inputs.items()}
    helper.append_op(type=kind, inputs=given, outputs=made, attrs=attributes)
    return [values[0] for values in made.values()]


def old(kind, x="X", out="Out", **attributes):
    return lambda v: call(kind, {x: v}, {out: "float32"}, **attributes)[0]


def suppress(boxes, scores, keep, best, normalized, background):
    attributes = {"score_threshold": 0.3, "nms_top_k": best, "keep_top_k": keep, "nms_threshold": 0.4, "normalized": normalized,
                  "nms_eta": 1.0, "background_label": background}
    if paddle.in_dynamic_mode() or hasattr(paddle.framework, "in_pir_mode") and paddle.framework.in_pir_mode():
        return list(paddle._C_ops.multiclass_nms3(boxes, scores, None, *attributes.values()))
    return call("multiclass_nms3", {"BBoxes": boxes, "Scores": scores}, {"Out": "float32", "Index": "int32", "NmsRoisNum": "int32"}, **attributes)


def boxes_of(corners):
    return paddle.concat([corners[:, :, :2], corners[:, :, :2] + paddle.abs(corners[:, :, 2:]) + 0.5], 2)


def detection_cases():
    scores = ((2, 3, 12), "float32", 0, 1)
    return {
        "nms": (lambda b, s: suppress(boxes_of(b), s, 8, -1, True, -1) + suppress(boxes_of(b), s, -1, 4, False, 0), (2, 12, 4), scores),
        "nms_one": (lambda b, s: suppress(boxes_of(b), s, 5, 100, True, -1), (1, 12, 4), ((1, 3, 12), "float32", 0, 1)),
    }


def old_cases():
    """Operators of PaddlePaddle 1, which only a .pdmodel can have; no function answers for them directly."""
    x, picture = (2, 3, 4), (2, 3, 5, 6)
    by_name = {
        "pad": (old("pad", paddings=[0, 1, 2, 0, 0, 3], pad_value=1.5), x),
        "bilinear_interp": (old("bilinear_interp", out_h=9, out_w=11, align_corners=False, align_mode=0, interp_method="bilinear"), picture),
        "bilinear_interp_scale": (old("bilinear_interp", scale=2.0, out_h=-1, out_w=-1, align_corners=False, align_mode=1, interp_method="bilinear"), picture),
        "nearest_interp": (old("nearest_interp", out_h=9, out_w=11, align_corners=False, interp_method="nearest"), picture),
        "nearest_interp_corners": (old("nearest_interp", out_h=9, out_w=11, align_corners=True, interp_method="nearest"), picture),
        "swish": (old("swish", beta=1.5), x),
        "brelu": (old("brelu", t_min=-0.5, t_max=0.8), x),
        "relu6": (old("relu6", threshold=1.5), x),
        "flatten2": (lambda v: call("flatten2", {"X": v}, {"Out": "float32", "XShape": "float32"}, axis=2)[0], picture),
        "top_k": (lambda v: call("top_k", {"X": v}, {"Out": "float32", "Indices": "int64"}, k=2), x),
        "shuffle_channel": (old("shuffle_channel", group=3), (2, 6, 4, 5)),
        "lrn": (lambda v: call("lrn", {"X": v}, {"Out": "float32", "MidOut": "float32"}, n=3, k=1.5, alpha=0.1, beta=0.7)[0], (2, 6, 4, 5)),
        "reduce_all": (old("reduce_sum", reduce_all=True, dim=[0], keep_dim=False), x),
        "batch_size_like": (old("fill_constant_batch_size_like", x="Input", shape=[7, 1, 3], input_dim_idx=0, output_dim_idx=1, value=2.5, dtype=5), x),
        "pool_ceil": (old("pool2d", pooling_type="avg", ksize=[3, 3], strides=[2, 2], paddings=[0, 0], ceil_mode=True, exclusive=False), picture),
        "pool_global": (old("pool2d", pooling_type="avg", ksize=[3, 3], global_pooling=True, strides=[1, 1], paddings=[0, 0]), picture),
        "pool_index": (lambda v: call("max_pool2d_with_index", {"X": v}, {"Out": "float32", "Mask": "int32"}, ksize=[2, 2], strides=[2, 2], paddings=[0, 0]), picture),
        "mul": (lambda v, w: call("mul", {"X": v, "Y": w}, {"Out": "float32"}, x_num_col_dims=2, y_num_col_dims=1)[0], picture, (30, 4)),
        "mul_rest": (lambda v, w: call("mul", {"X": v, "Y": w}, {"Out": "float32"}, x_num_col_dims=1, y_num_col_dims=2)[0], x, (4, 3, 5)),
        "matmul": (lambda v, w: call("matmul", {"X": v, "Y": w}, {"Out": "float32"}, transpose_X=False, transpose_Y=True, alpha=0.5)[0], x, (2, 5, 4)),
        "add_axis": (lambda v, w: call("elementwise_add", {"X": v, "Y": w}, {"Out": "float32"}, axis=1)[0], picture, (3,)),
        "mul_axis": (lambda v, w: call("elementwise_mul", {"X": v, "Y": w}, {"Out": "float32"}, axis=0)[0], picture, (2, 3)),
        "lookup_table": (lambda i, w: call("lookup_table", {"Ids": i, "W": w}, {"Out": "float32"}, padding_idx=2)[0], ((2, 4, 1), I64, 0, 5), (5, 3)),
        "sum": (lambda v, w: call("sum", {"X": [v, w, v]}, {"Out": "float32"})[0], x, x),
        "sample": (lambda v, i: call("index_sample", {"X": v, "Index": i}, {"Out": "float32"})[0], (2, 5), ((2, 3), I64, 0, 5)),
        "fill_like": (old("fill_any_like", value=1.5, dtype=-1), x),
    }
    return {f"old_{name}": case for name, case in by_name.items()}


class Encoder(nn.Layer):
    """Token and place embedding, two layers of attention, a head."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.places = nn.Embedding(12, 16)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, activation="gelu"), 2)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens):
        places = paddle.arange(tokens.shape[1])
        return self.head(self.encoder(self.words(tokens) + self.places(places))[:, 0])


class Tagger(nn.Layer):
    """A recurrent network in both directions."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 12)
        self.layers = nn.LSTM(12, 10, num_layers=2, direction="bidirect")
        self.head = nn.Linear(20, 4)

    def forward(self, tokens):
        return F.softmax(self.head(self.layers(self.words(tokens))[0]))


def thin_vgg():
    layers, channels = [], 3
    for width in (8, "M", 16, "M", 32, 32, "M", 32, 32, "M"):
        if width == "M":
            layers.append(nn.MaxPool2D(2, 2))
        else:
            layers += [nn.Conv2D(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2D((7, 7)), nn.Flatten(), nn.Linear(32 * 49, 32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10))


def network_cases():
    """Programs only: their weights are made from their names."""
    models, image = vision.models, (1, 3, 64, 64)
    yield "resnet18", lambda: models.resnet18(), [image]
    yield "mobilenet_v1", lambda: models.mobilenet_v1(scale=0.5), [image]
    yield "mobilenet_v2", lambda: models.mobilenet_v2(scale=0.5), [image]
    yield "mobilenet_v3", lambda: models.mobilenet_v3_small(scale=0.75), [image]
    yield "squeezenet", lambda: models.squeezenet1_1(), [image]
    yield "shufflenet_v2", lambda: models.shufflenet_v2_x0_25(), [image]
    yield "densenet", lambda: models.densenet121(), [image]
    yield "vgg", thin_vgg, [image]
    yield "encoder", Encoder, [((2, 12), I64, 0, 50)]
    yield "tagger", Tagger, [((2, 12), I64, 0, 50)]
