# SPDX-License-Identifier: Apache-2.0
"""Networks between athanor and OpenVINO, in both directions, with OpenVINO's own answers.

    python tests/oracles/record_openvino.py build/release/bin/athanor     # writes openvino.npz, openvino.tar.gz

openvino.npz: OpenVINO's answers for networks that `athanor convert zoo:NAME -o NAME.xml` wrote.
openvino.tar.gz: networks of one or a few layers that OpenVINO wrote itself (NAME.xml, NAME.bin) with its answers
(NAME.npz). Inputs follow the rule of README.md, for the input's name. tests/openvino_test.py reads both.
"""

import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset1
from openvino import opset15 as op
from openvino.utils.node_factory import NodeFactory

from oracle_common import random_tensor

OUT = Path(__file__).resolve().parent
NETWORKS = ["mobilenet_v1", "mobilenet_v2", "resnet18", "squeezenet1_1", "shufflenet_v2", "efficientnet_b0", "ds_cnn",
            "googlenet", "mobilenet_v3_small", "regnet_y_400mf", "resnet8", "shufflenet_v1"]
CPU = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}
F32, I64, I32 = np.float32, np.int64, np.int32
CASES = {}


def case(*inputs, low=-2.0, high=2.0):
    """inputs: shapes of f32 inputs, or (shape, dtype, low, high); the function gives the outputs."""
    def add(make):
        CASES[make.__name__] = (inputs, low, high, make)
        return make
    return add


def simple(name, make, *shapes, low=-2.0, high=2.0):
    CASES[name] = (shapes, low, high, make)


def numbers(*shape, low=-1.0, high=1.0, name="w"):
    return op.constant(random_tensor(name, "float32", list(shape), low, high))


def ints(*values, dtype=I64):
    return op.constant(np.array(values, dtype))


for unary in ("abs acos asin asinh atan atanh ceiling cos cosh erf exp floor hsigmoid hswish mish negative relu sigmoid sign "
              "sin sinh softplus softsign sqrt swish tan tanh acosh log").split():
    low, high = {"acos": (-1, 1), "asin": (-1, 1), "atanh": (-0.9, 0.9), "sqrt": (0, 3), "acosh": (1, 3), "log": (0.1, 3)}.get(unary, (-4, 4))
    simple(unary, lambda x, f=unary: getattr(op, f)(x), [2, 3, 5], low=low, high=high)
simple("clamp", lambda x: op.clamp(x, -0.5, 1.25), [2, 7])
simple("elu", lambda x: op.elu(x, 0.7), [2, 7])
simple("gelu_erf", lambda x: op.gelu(x, "erf"), [2, 7])
simple("gelu_tanh", lambda x: op.gelu(x, "tanh"), [2, 7])
simple("hard_sigmoid", lambda x: op.hard_sigmoid(x, op.constant(F32(0.3)), op.constant(F32(0.4))), [2, 7])
simple("selu", lambda x: op.selu(x, op.constant(F32(1.6)), op.constant(F32(1.1))), [2, 7])
simple("swish_beta", lambda x: op.swish(x, op.constant(F32(0.8))), [2, 7])
simple("round_even", lambda x: op.round(op.multiply(x, op.constant(F32(4))), "half_to_even"), [2, 17])
simple("round_away", lambda x: op.round(op.multiply(op.floor(op.multiply(x, op.constant(F32(4)))), op.constant(F32(0.5))), "half_away_from_zero"), [2, 17])
simple("prelu_channels", lambda x: op.prelu(x, numbers(3)), [2, 3, 4, 4])
for binary in "add subtract multiply divide maximum minimum squared_difference".split():
    simple(binary, lambda x, y, f=binary: getattr(op, f)(x, y), [2, 3, 4], [3, 1], low=0.5)
simple("power", lambda x, y: op.power(x, y), [2, 5], [2, 5], low=0.5)
simple("mod", lambda x, y: op.mod(x, y), [2, 5], [2, 5], low=0.5, high=5)
simple("floor_mod", lambda x: op.floor_mod(x, op.constant(F32(0.7))), [2, 9])
simple("divide_integers", lambda x: op.divide(x, ints(3, -3, 2)), ([2, 3], I64, -9, 9))
simple("floor_mod_integers", lambda x: op.floor_mod(x, ints(3, -3, 2)), ([2, 3], I64, -9, 9))
for compare in "equal not_equal less less_equal greater greater_equal".split():
    simple(compare, lambda x, y, f=compare: getattr(op, f)(x, y), ([2, 6], I32, 0, 3), ([6], I32, 0, 3))
simple("logical", lambda x, y: op.logical_or(op.logical_and(op.greater(x, y), op.less(x, y)), op.logical_xor(op.logical_not(op.greater(x, y)), op.less(x, y))), [4, 4], [4, 4])
simple("select", lambda x, y: op.select(op.greater(x, y), x, op.constant(F32(9))), [3, 4], [4])
simple("matmul", lambda x, y: op.matmul(x, y, False, False), [2, 3, 5], [5, 4])
simple("matmul_transposed", lambda x, y: op.matmul(x, y, True, True), [2, 5, 3], [4, 5])
simple("einsum", lambda x, y: op.einsum([x, y], "bij,bjk->bik"), [2, 3, 4], [2, 4, 5])
simple("cum_sum", lambda x: op.cum_sum(x, op.constant(I64(1)), True, True), [2, 6])
for reduce in "mean max min sum prod l1 l2".split():
    simple(f"reduce_{reduce}", lambda x, f=reduce: [getattr(op, f"reduce_{f}")(x, ints(1, -1), True), getattr(op, f"reduce_{f}")(x, ints(0), False)], [3, 4, 5])
simple("reduce_logical", lambda x: [op.reduce_logical_and(op.less(x, op.constant(F32(1.5))), ints(1), False), op.reduce_logical_or(op.greater(x, op.constant(F32(1.5))), ints(1), False)], [5, 4])
simple("softmax", lambda x: op.softmax(x, -1), [2, 3, 4])
simple("log_softmax", lambda x: op.log_softmax(x, 1), [2, 3, 4])
simple("attention", lambda q, k, v: op.scaled_dot_product_attention(q, k, v), [1, 2, 3, 8], [1, 2, 5, 8], [1, 2, 5, 8])

simple("conv", lambda x: op.convolution(x, numbers(4, 3, 3, 3), [2, 1], [1, 0], [0, 2], [1, 2]), [1, 3, 9, 8])
simple("conv_same", lambda x: op.convolution(x, numbers(4, 3, 3, 2), [2, 2], [0, 0], [0, 0], [1, 1], "same_upper"), [1, 3, 9, 8])
simple("conv_1d", lambda x: op.convolution(x, numbers(4, 3, 3), [1], [1], [1], [1]), [2, 3, 10])
simple("conv_3d", lambda x: op.convolution(x, numbers(2, 2, 3, 3, 3), [1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1]), [1, 2, 5, 6, 7])
simple("conv_half", lambda x: op.convolution(x, op.convert(op.constant(random_tensor("w", "float32", [4, 3, 3, 3], -1.0, 1.0).astype(np.float16)), "f32"), [1, 1], [1, 1], [1, 1], [1, 1]), [1, 3, 6, 6])
simple("conv_depthwise", lambda x: op.group_convolution(x, numbers(6, 1, 1, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1]), [1, 6, 7, 7])
simple("conv_groups", lambda x: op.group_convolution(x, numbers(2, 4, 3, 3, 3), [1, 2], [1, 1], [1, 1], [1, 1]), [2, 6, 7, 7])
simple("deconv", lambda x: op.convolution_backprop_data(x, numbers(3, 4, 3, 3), [2, 2], None, [1, 1], [0, 1], [1, 1], None, [1, 1]), [1, 3, 5, 4])
simple("deconv_shape", lambda x: op.convolution_backprop_data(x, numbers(3, 4, 3, 3), [2, 2], ints(10, 8), None, None, [1, 1], "same_upper"), [1, 3, 5, 4])
simple("deconv_groups", lambda x: op.group_convolution_backprop_data(x, numbers(2, 3, 2, 2, 2), [2, 2], None, [0, 0], [0, 0], [1, 1]), [1, 6, 4, 3])
simple("max_pool", lambda x: op.max_pool(x, [2, 2], [1, 1], [0, 0], [1, 1], [3, 3], "ceil_torch").output(0), [1, 2, 8, 9])
simple("max_pool_indices", lambda x: op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]), [1, 2, 6, 6])
simple("max_pool_1", lambda x: opset1.max_pool(x, [2, 2], [0, 0], [1, 1], [3, 3], "floor", "explicit"), [1, 2, 8, 9])
simple("avg_pool", lambda x: op.avg_pool(x, [2, 2], [1, 1], [1, 1], [3, 3], True, "floor"), [1, 2, 8, 9])
simple("avg_pool_padding", lambda x: op.avg_pool(x, [2, 2], [1, 1], [1, 1], [3, 3], False, "floor"), [1, 2, 8, 9])
simple("adaptive_pools", lambda x: [op.adaptive_avg_pool(x, ints(4, 3)), op.adaptive_max_pool(x, ints(1, 1)).output(0)], [1, 2, 8, 9])
simple("batch_norm", lambda x: op.batch_norm_inference(x, numbers(3, name="g"), numbers(3, name="b"), numbers(3, name="m"), numbers(3, low=0.5, name="v"), 1e-3), [2, 3, 4, 4])
simple("batch_norm_1", lambda x: opset1.batch_norm_inference(x, numbers(3, name="g"), numbers(3, name="b"), numbers(3, name="m"), numbers(3, low=0.5, name="v"), 1e-3), [2, 3, 4, 4])
simple("group_norm", lambda x: op.group_normalization(x, numbers(6, name="g"), numbers(6, name="b"), 3, 1e-4), [2, 6, 4, 4])
simple("lrn", lambda x: op.lrn(x, ints(1), 0.3, 0.7, 1.5, 3), [1, 6, 3, 3])
simple("mvn", lambda x: op.mvn(x, ints(2, 3), True, 1e-4, "inside_sqrt"), [2, 3, 5, 5])
simple("mvn_outside", lambda x: op.mvn(x, ints(-1), True, 1e-4, "outside_sqrt"), [2, 3, 5])
simple("normalize_l2", lambda x: op.normalize_l2(x, ints(1), 1e-3, "add"), [2, 5, 3])
simple("normalize_l2_max", lambda x: op.normalize_l2(x, ints(1), 1e-3, "max"), [2, 5, 3])
simple("grid_sample", lambda x, g: op.grid_sample(x, g, {"align_corners": True, "mode": "bilinear", "padding_mode": "border"}), [1, 2, 5, 6], ([1, 3, 4, 2], F32, -1.1, 1.1))
simple("roi_align", lambda x: op.roi_align(x, op.constant(np.array([[0.5, 1, 5, 6], [1, 1, 3.5, 4]], F32)), ints(0, 0), 2, 3, 2, 1.0, "avg", "half_pixel"), [1, 2, 8, 8])


def interpolate(name, shape, sizes=None, scales=None, axes=(2, 3), **attributes):
    mode = attributes.pop("mode")
    CASES[name] = ((shape,), -2.0, 2.0, lambda x: op.interpolate(
        x, ints(*sizes) if sizes else op.constant(np.array(scales, F32)), mode, "sizes" if sizes else "scales", axes=ints(*axes), **attributes))


interpolate("resize_nearest", [1, 2, 4, 5], sizes=(8, 10), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
interpolate("resize_nearest_simple", [1, 2, 8, 9], sizes=(4, 3), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="simple")
interpolate("resize_nearest_tf", [1, 2, 4, 5], sizes=(7, 9), mode="nearest", coordinate_transformation_mode="tf_half_pixel_for_nn", nearest_mode="floor")
interpolate("resize_linear", [1, 2, 4, 5], scales=(1.5, 2.0), mode="linear_onnx", coordinate_transformation_mode="half_pixel")
interpolate("resize_linear_corners", [1, 2, 4, 5], sizes=(7, 9), mode="linear_onnx", coordinate_transformation_mode="align_corners")
interpolate("resize_linear_plain", [1, 2, 4, 5], sizes=(7, 9), mode="linear", coordinate_transformation_mode="half_pixel")
interpolate("resize_cubic", [1, 2, 4, 5], sizes=(7, 9), mode="cubic", coordinate_transformation_mode="half_pixel", cube_coeff=-0.5)
simple("resize_4", lambda x: NodeFactory("opset4").create("Interpolate", [x, ints(7, 9), op.constant(np.array([1.75, 1.8], F32)), ints(2, 3)], {
    "mode": "linear_onnx", "shape_calculation_mode": "sizes", "coordinate_transformation_mode": "pytorch_half_pixel"}), [1, 2, 4, 5])


@case([1, 40, 4], [1, 2, 40], low=0.0, high=1.0)
def nms(boxes, scores):
    got = op.non_max_suppression(boxes, scores, op.constant(I64(6)), op.constant(F32(0.5)), op.constant(F32(0.1)),
                                 box_encoding="center", sort_result_descending=True, output_type="i64")
    return [got.output(0), got.output(1), got.output(2)]


@case([2, 9])
def top_k(x):
    got = op.topk(x, op.constant(I64(3)), 1, "max", "value", "i64")
    return [got.output(0), got.output(1)]


simple("concat", lambda x, y: op.concat([x, y, x], -1), [2, 3], [2, 5])
simple("split", lambda x: [p for p in op.split(x, op.constant(I64(1)), 3).outputs()], [2, 9, 2])
simple("variadic_split", lambda x: [p for p in op.variadic_split(x, op.constant(I64(1)), ints(2, -1, 3)).outputs()], [2, 9, 2])
simple("transpose", lambda x: [op.transpose(x, ints(2, 0, 1)), op.transpose(x, op.constant(np.zeros(0, I64)))], [2, 3, 4])
simple("reshape", lambda x: op.reshape(x, ints(0, -1), True), [2, 3, 4])
simple("squeeze_unsqueeze", lambda x: [op.squeeze(x, ints(1)), op.unsqueeze(x, ints(0, -1)), op.squeeze(x, ints(-1, 1))], [2, 1, 3, 1])
simple("tile", lambda x: [op.tile(x, ints(2, 1, 3)), op.tile(x, ints(2))], [2, 3])
simple("broadcast", lambda x: [op.broadcast(x, ints(2, 4, 3)), op.broadcast(x, ints(2, 3), broadcast_spec="BIDIRECTIONAL"), op.broadcast(x, ints(5, 1, 6, 3), ints(1, 3), "EXPLICIT")], [1, 3])
for pad_mode in ("constant", "edge", "reflect"):
    simple(f"pad_{pad_mode}", lambda x, m=pad_mode: op.pad(x, ints(0, 1, 2), ints(1, 0, 1), m, op.constant(F32(3))), [2, 4, 5])
simple("gather", lambda x: [op.gather(x, ints(2, 0, -1), op.constant(I64(1))), op.gather(x, op.constant(np.array([[1], [0]], I32)), op.constant(I64(0)))], [2, 4, 3])
simple("gather_batch", lambda x: op.gather(x, op.constant(np.array([[2, 0], [1, 1]], I64)), op.constant(I64(1)), 1), [2, 4, 3])
simple("gather_elements", lambda x: op.gather_elements(x, op.constant(np.array([[0, 1, 0], [1, 1, 0]], I64)), 0), [2, 3])
simple("gather_nd", lambda x: op.gather_nd(x, op.constant(np.array([[0, 1], [1, 2]], I64)), 0), [2, 3, 4])
simple("scatter_nd", lambda x: op.scatter_nd_update(x, op.constant(np.array([[1], [3]], I64)), numbers(2, 3), "sum"), [4, 3])
simple("scatter_elements", lambda x: op.scatter_elements_update(x, op.constant(np.array([[0, 2, 1]], I64)), numbers(1, 3), op.constant(I64(0)), "prod"), [4, 3])
simple("scatter_update", lambda x: op.scatter_update(x, op.constant(np.array([[2, 0]], I64)), numbers(2, 1, 2, 3), op.constant(I64(1))), [2, 4, 3])
simple("slice", lambda x: op.slice(x, ints(-1, 1), ints(-100, 5), ints(-2, 2), ints(0, 2)), [5, 2, 6])
simple("strided_slice", lambda x: op.strided_slice(x, ints(1, 0, 2), ints(4, 0, -1), ints(2, 1, -1), [0, 1, 1], [0, 1, 1]), [5, 2, 6])
simple("strided_slice_axes", lambda x: op.strided_slice(x, ints(0, 1, 0), ints(0, 2, 0), ints(1, 1, 1), [0, 0, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]), [5, 2, 6])
simple("strided_slice_ellipsis", lambda x: op.strided_slice(x, ints(0, 1), ints(0, 3), ints(1, 1), [0, 0], [0, 0], [], [], [1, 0]), [5, 2, 6])
simple("shape_of", lambda x: [op.shape_of(x, "i32"), op.reshape(x, op.concat([ints(-1), op.gather(op.shape_of(x), ints(2), op.constant(I64(0)))], 0), False)], [2, 3, 4])
simple("range", lambda x: op.multiply(x, op.range(op.constant(I64(1)), op.constant(I64(9)), op.constant(I64(2)), "f32")), [3, 4])
simple("one_hot", lambda x: op.one_hot(x, op.constant(I64(5)), op.constant(F32(2)), op.constant(F32(-1)), 1), ([3, 2], I64, 0, 5))
simple("non_zero", lambda x: op.non_zero(op.greater(x, op.constant(F32(0))), "i64"), [3, 4])
simple("reverse_sequence", lambda x: op.reverse_sequence(x, ints(2, 4), 0, 1), [2, 5, 3])
simple("depth_to_space", lambda x: [op.depth_to_space(x, "blocks_first", 2), op.depth_to_space(x, "depth_first", 2)], [1, 8, 3, 4])
simple("space_to_depth", lambda x: op.space_to_depth(x, "blocks_first", 2), [1, 2, 4, 6])
simple("shuffle_channels", lambda x: op.shuffle_channels(x, 1, 3), [1, 6, 2, 2])
simple("convert", lambda x: [op.convert(x, "i32"), op.convert(op.convert(x, "f16"), "f32")], [3, 4], low=-9, high=9)
simple("eye", lambda x: op.multiply(x, op.eye(op.constant(I64(3)), op.constant(I64(4)), op.constant(I64(1)), "f32")), [3, 4])

simple("fake_quantize", lambda x: op.fake_quantize(x, *(op.constant(F32(v)) for v in (-2.56, 2.54, -2.56, 2.54)), 256), [2, 3, 4])
simple("fake_quantize_asymmetric", lambda x: op.fake_quantize(x, *(op.constant(F32(v)) for v in (-1.1, 2.3, -1.0, 2.0)), 16), [2, 3, 4])
simple("fake_quantize_channels", lambda x: op.fake_quantize(x, *(op.constant(np.array(v, F32).reshape(1, 3, 1)) for v in ([-1.28, 0, -2.56], [1.27, 2.55, 2.54]) * 2), 256), [2, 3, 4])
simple("weights_int8", lambda x: op.matmul(x, op.multiply(op.subtract(op.convert(op.constant(np.arange(-10, 10, dtype=np.int8).reshape(5, 4)), "f32"), op.constant(F32(3))), op.constant(F32(0.1))), False, False), [2, 5])

simple("lstm_sequence", lambda x, h, c: [p for p in op.lstm_sequence(x, h, c, ints(4, 3), numbers(1, 20, 3, name="w"), numbers(1, 20, 5, name="r"), numbers(1, 20, name="b"), 5, "forward").outputs()], [2, 4, 3], [2, 1, 5], [2, 1, 5])
simple("lstm_both", lambda x, h, c: [p for p in op.lstm_sequence(x, h, c, ints(4, 4), numbers(2, 20, 3, name="w"), numbers(2, 20, 5, name="r"), numbers(2, 20, name="b"), 5, "bidirectional").outputs()], [2, 4, 3], [2, 2, 5], [2, 2, 5])
simple("gru_sequence", lambda x, h: [p for p in op.gru_sequence(x, h, ints(4, 4), numbers(1, 15, 3, name="w"), numbers(1, 15, 5, name="r"), numbers(1, 15, name="b"), 5, "reverse").outputs()], [2, 4, 3], [2, 1, 5])
simple("gru_reset", lambda x, h: [p for p in op.gru_sequence(x, h, ints(4, 4), numbers(1, 15, 3, name="w"), numbers(1, 15, 5, name="r"), numbers(1, 20, name="b"), 5, "forward", linear_before_reset=True).outputs()], [2, 4, 3], [2, 1, 5])
simple("rnn_sequence", lambda x, h: [p for p in op.rnn_sequence(x, h, ints(4, 4), numbers(1, 5, 3, name="w"), numbers(1, 5, 5, name="r"), numbers(1, 5, name="b"), 5, "forward").outputs()], [2, 4, 3], [2, 1, 5])
simple("lstm_cell", lambda x, h, c: [p for p in op.lstm_cell(x, h, c, numbers(20, 3, name="w"), numbers(20, 5, name="r"), numbers(20, name="b"), 5).outputs()], [2, 3], [2, 5], [2, 5])
simple("gru_cell", lambda x, h: op.gru_cell(x, h, numbers(15, 3, name="w"), numbers(15, 5, name="r"), numbers(15, name="b"), 5), [2, 3], [2, 5])


@case(([], bool, 0, 2), [2, 5, 3])
def if_else(condition, y):
    then_in, else_in = op.parameter([2, 5, 3], F32), op.parameter([2, 5, 3], F32)
    then_out, else_out = op.result(op.relu(then_in)), op.result(op.negative(else_in))
    node = op.if_op(condition)
    node.set_then_body(ov.Model([then_out], [then_in], "then"))
    node.set_else_body(ov.Model([else_out], [else_in], "else"))
    node.set_input(y.output(0), then_in, else_in)
    return node.set_output(then_out, else_out)


@case([2, 5, 3])
def tensor_iterator(x):
    slice_in, state = op.parameter([2, 1, 3], F32), op.parameter([2, 1, 3], F32)
    state_out = op.result(op.add(slice_in, state))
    slice_out = op.result(op.relu(state_out.input_value(0)))
    node = op.tensor_iterator()
    node.set_body(ov.Model([state_out, slice_out], [slice_in, state], "body"))
    node.set_sliced_input(slice_in, x.output(0), 0, 1, 1, -1, 1)
    node.set_merged_input(state, numbers(2, 1, 3).output(0), state_out.output(0))
    return [node.get_concatenated_slices(slice_out.output(0), 0, 1, 1, -1, 1), node.get_iter_value(state_out.output(0), -1)]


@case([2, 5, 3])
def loop(x):
    iteration, state, fixed = op.parameter([], I64), op.parameter([2, 5, 3], F32), op.parameter([2, 5, 3], F32)
    total = op.add(state, op.multiply(fixed, op.convert(iteration, "f32")))
    goes_on = op.result(op.constant(np.array(True)))
    total_out, mean_out = op.result(total), op.result(op.reduce_mean(total, ints(1), True))
    node = op.loop(op.constant(I64(3)), op.constant(np.array(True)))
    node.set_function(ov.Model([goes_on, total_out, mean_out], [iteration, state, fixed], "body"))
    node.set_special_body_ports([0, 0])
    node.set_merged_input(state, x.output(0), total_out.output(0))
    node.set_invariant_input(fixed, x.output(0))
    return [node.get_iter_value(total_out.output(0), -1), node.get_concatenated_slices(mean_out.output(0), 0, 1, 1, -1, 1)]


@case((["?", 3, "?"], F32, -2, 2))
def dynamic(x):
    return op.softmax(op.multiply(x, op.reshape(op.reduce_mean(x, ints(2), True), op.concat([op.gather(op.shape_of(x), ints(0), op.constant(I64(0))), ints(3, 1)], 0), False)), 1)


def inputs_of(specs, low, high):
    for i, spec in enumerate(specs):
        shape, dtype, least, most = spec if isinstance(spec, tuple) else (spec, F32, low, high)
        yield f"in{i}", shape, np.dtype(dtype), least, most


def record_case(name, folder, tar):
    specs, low, high, make = CASES[name]
    parameters, arrays = [], {}
    for key, shape, dtype, least, most in inputs_of(specs, low, high):
        parameters.append(op.parameter([-1 if d == "?" else d for d in shape], dtype, name=key))
        parameters[-1].output(0).set_names({key})
        sizes = [4 if d == "?" else d for d in shape]
        arrays[key] = random_tensor(key, "int32" if dtype == bool else dtype.name, sizes, least, most).astype(dtype)
    made = make(*parameters)
    made = list(made) if isinstance(made, list) else [p for p in made.outputs()] if hasattr(made, "outputs") else [made]
    results = []
    for i, output in enumerate(made):
        result = op.result(output)
        result.output(0).get_tensor().set_names({f"out{i}"})
        results.append(result)
    model = ov.Model(results, parameters, name)
    xml, binary = folder / f"{name}.xml", folder / f"{name}.bin"
    ov.serialize(model, str(xml), str(binary))
    answers = ov.compile_model(model, "CPU", CPU)(list(arrays.values()))
    saved = {f"out{i}": np.array(answers[i]) for i in range(len(results))}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **saved, **{f"in|{k}": v for k, v in arrays.items()})
    for file, data in ((f"{name}.xml", xml.read_bytes()), (f"{name}.bin", binary.read_bytes()), (f"{name}.npz", buffer.getvalue())):
        info = tarfile.TarInfo(file)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def record_networks(athanor, folder):
    recorded = {"version": np.array(ov.__version__)}
    for network in NETWORKS:
        xml = folder / f"{network}.xml"
        subprocess.run([athanor, "convert", f"zoo:{network}", "-o", str(xml), "--no-check"], check=True)
        model = ov.Core().read_model(xml)
        name = model.inputs[0].get_any_name()
        shape = [d.get_length() if d.is_static else 1 for d in model.inputs[0].get_partial_shape()]
        model.reshape({name: shape})
        array = random_tensor(name, "float32", shape, -1.0, 1.0)
        answers = ov.compile_model(model, "CPU", CPU)(array)
        for i, output in enumerate(model.outputs):
            recorded[f"{network}|{name}|{','.join(map(str, shape))}|{output.get_any_name()}"] = answers[i]
            print(network, output.get_any_name(), answers[i].shape, float(np.abs(answers[i]).max()))
    np.savez_compressed(OUT / "openvino.npz", **recorded)


def main():
    with tempfile.TemporaryDirectory() as folder, tarfile.open(OUT / "openvino.tar.gz", "w:gz") as tar:
        for name in sorted(CASES):
            try:
                record_case(name, Path(folder), tar)
            except Exception as error:
                raise SystemExit(f"{name}: {error}") from error
        print(f"{len(CASES)} networks")
    with tempfile.TemporaryDirectory() as folder:
        record_networks(sys.argv[1], Path(folder))


if __name__ == "__main__":
    main()
