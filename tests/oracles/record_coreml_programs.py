# SPDX-License-Identifier: Apache-2.0
"""Records ML Programs of Core ML and what they have to answer, as coreml_programs.tar.xz.

A case is NAME.mlmodel with NAME.bin, its weights, and NAME.npz with inputs ("in|NAME") and answers ("out|NAME"). Core ML runs
on the systems of its maker only: programs are made with coremltools' builder of operations and saved by it, answers are those
of torch for the same operations and weights.

    pip install coremltools==9.0 numpy==2.4.6 torch==2.15.0 && python tests/oracles/record_coreml_programs.py
"""
import sys
import tarfile
import tempfile
from pathlib import Path

import coremltools as ct
import numpy as np
import torch
import torch.nn.functional as F
from coremltools.converters.mil import Builder as mb

from coreml_archive import add_program

ORACLES = Path(__file__).resolve().parent
ARCHIVE = ORACLES / "coreml_programs.tar.xz"

sys.path.insert(0, str(ORACLES.parent))
from models_test import random_tensor  # noqa: E402

CASES = {}


def numbers(name, *shape, low=-1.0, high=1.0):
    return random_tensor(name, np.float32, list(shape), low, high)


def case(*shapes, low=-2.0, high=2.0, half=False):
    """A function from values of MIL's builder or of torch, and from the library whose they are, to the answers by name."""
    def keep(function):
        CASES[function.__name__] = (shapes, low, high, half, function)
        return function
    return keep


PICTURE = (2, 4, 9, 8)


@case(PICTURE)
def conv(x, m):
    a, b, c = numbers("a", 6, 2, 3, 2), numbers("b", 6), numbers("c", 8, 4, 3, 3)
    if m is mb:
        return {"custom": mb.conv(x=x, weight=a, bias=b, strides=[2, 1], pad_type="custom", pad=[1, 0, 2, 1], dilations=[1, 2], groups=2),
                "same": mb.conv(x=x, weight=c, strides=[2, 2], pad_type="same"), "valid": mb.conv(x=x, weight=c)}
    same = F.conv2d(F.pad(x, (0, 1, 1, 1)), torch.tensor(c), stride=2)
    return {"custom": F.conv2d(F.pad(x, (2, 1, 1, 0)), torch.tensor(a), torch.tensor(b), (2, 1), 0, (1, 2), 2), "same": same, "valid": F.conv2d(x, torch.tensor(c))}


@case((2, 4, 11))
def conv_1d(x, m):
    w = numbers("w", 3, 4, 3)
    return {"y": mb.conv(x=x, weight=w, pad_type="custom", pad=[2, 0]) if m is mb else F.conv1d(F.pad(x, (2, 0)), torch.tensor(w))}


@case(PICTURE)
def conv_transpose(x, m):
    w, b = numbers("w", 4, 3, 3, 2), numbers("b", 3)
    if m is mb:
        return {"y": mb.conv_transpose(x=x, weight=w, bias=b, strides=[2, 2], pad_type="custom", pad=[1, 1, 0, 0])}
    return {"y": F.conv_transpose2d(x, torch.tensor(w), torch.tensor(b), 2, (1, 0))}


@case((2, 3, 5))
def products(x, m):
    w, b, y = numbers("w", 4, 5), numbers("b", 4), numbers("y", 6, 5)
    if m is mb:
        return {"linear": mb.linear(x=x, weight=w, bias=b), "matmul": mb.matmul(x=x, y=y, transpose_y=True),
                "turned": mb.matmul(x=x, y=x, transpose_x=True)}
    return {"linear": F.linear(x, torch.tensor(w), torch.tensor(b)), "matmul": x @ torch.tensor(y).T, "turned": x.transpose(1, 2) @ x}


@case(PICTURE)
def pools(x, m):
    if m is mb:
        return {"max": mb.max_pool(x=x, kernel_sizes=[3, 2], strides=[2, 2], pad_type="custom", pad=[1, 1, 0, 0]),
                "ceil": mb.max_pool(x=x, kernel_sizes=[2, 2], strides=[2, 2], pad_type="custom", pad=[0, 0, 0, 0], ceil_mode=True),
                "average": mb.avg_pool(x=x, kernel_sizes=[3, 3], strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]),
                "inside": mb.avg_pool(x=x, kernel_sizes=[3, 3], strides=[1, 1], pad_type="same", exclude_padding_from_average=True)}
    return {"max": F.max_pool2d(x, (3, 2), 2, (1, 0)), "ceil": F.max_pool2d(x, 2, 2, ceil_mode=True), "average": F.avg_pool2d(x, 3, 2, 1),
            "inside": F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)}


@case(PICTURE)
def norms(x, m):
    g, b, mean, var = (numbers(name, 4, low=low, high=2.0) for name, low in (("g", 0.5), ("b", -1.0), ("mean", -1.0), ("var", 0.3)))
    last, wide = numbers("last", 8), numbers("wide", 9, 8)
    if m is mb:
        return {"batch": mb.batch_norm(x=x, mean=mean, variance=var, gamma=g, beta=b, epsilon=1e-3), "plain": mb.batch_norm(x=x, mean=mean, variance=var),
                "instance": mb.instance_norm(x=x, gamma=g, beta=b, epsilon=1e-4), "layer": mb.layer_norm(x=x, axes=[-1], gamma=last, epsilon=1e-4),
                "two": mb.layer_norm(x=x, axes=[2, 3], gamma=wide, beta=wide, epsilon=1e-5), "prelu": mb.prelu(x=x, alpha=mean)}
    t = torch.tensor
    return {"batch": F.batch_norm(x, t(mean), t(var), t(g), t(b), eps=1e-3), "plain": F.batch_norm(x, t(mean), t(var), eps=1e-5),
            "instance": F.instance_norm(x, weight=t(g), bias=t(b), eps=1e-4), "layer": F.layer_norm(x, (8,), t(last), eps=1e-4),
            "two": F.layer_norm(x, (9, 8), t(wide), t(wide), eps=1e-5), "prelu": F.prelu(x, t(mean))}


@case((3, 5, 4))
def activations(x, m):
    if m is mb:
        return {"relu": mb.relu(x=x), "relu6": mb.relu6(x=mb.mul(x=x, y=5.0)), "leaky": mb.leaky_relu(x=x, alpha=0.2), "elu": mb.elu(x=x, alpha=0.7),
                "gelu": mb.gelu(x=x), "gelu_tanh": mb.gelu(x=x, mode="TANH_APPROXIMATION"), "gelu_sigmoid": mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
                "sigmoid": mb.sigmoid(x=x), "tanh": mb.tanh(x=x), "silu": mb.silu(x=x), "softplus": mb.softplus(x=x), "softsign": mb.softsign(x=x),
                "hard": mb.sigmoid_hard(x=x, alpha=0.3, beta=0.4), "clip": mb.clip(x=x, alpha=-0.5, beta=0.75),
                "softmax": mb.softmax(x=x, axis=1)}
    return {"relu": F.relu(x), "relu6": F.relu6(5 * x), "leaky": F.leaky_relu(x, 0.2), "elu": F.elu(x, 0.7), "gelu": F.gelu(x),
            "gelu_tanh": F.gelu(x, approximate="tanh"), "gelu_sigmoid": x * torch.sigmoid(1.702 * x), "sigmoid": torch.sigmoid(x), "tanh": torch.tanh(x),
            "silu": F.silu(x), "softplus": F.softplus(x), "softsign": F.softsign(x), "hard": torch.clamp(0.3 * x + 0.4, 0, 1),
            "clip": torch.clamp(x, -0.5, 0.75), "softmax": torch.softmax(x, 1)}


@case((3, 4), low=0.3, high=3.0)
def functions(x, m):
    if m is mb:
        return {"sqrt": mb.sqrt(x=x), "rsqrt": mb.rsqrt(x=x), "log": mb.log(x=x), "exp": mb.exp(x=x), "square": mb.square(x=x), "sin": mb.sin(x=x),
                "cos": mb.cos(x=x), "erf": mb.erf(x=x), "inverse": mb.inverse(x=x), "pow": mb.pow(x=x, y=1.5), "floor": mb.floor(x=x), "ceil": mb.ceil(x=x),
                "sign": mb.sign(x=mb.sub(x=x, y=1.0)), "abs": mb.abs(x=mb.sub(x=x, y=1.0))}
    return {"sqrt": x.sqrt(), "rsqrt": x.rsqrt(), "log": x.log(), "exp": x.exp(), "square": x * x, "sin": x.sin(), "cos": x.cos(), "erf": x.erf(),
            "inverse": 1 / (x + 1e-4), "pow": x**1.5, "floor": x.floor(), "ceil": x.ceil(), "sign": (x - 1).sign(), "abs": (x - 1).abs()}


@case((2, 3, 4), (3, 1))
def pairs(x, y, m):
    if m is mb:
        more = mb.greater(x=x, y=y)
        either = mb.logical_or(x=more, y=mb.logical_not(x=mb.less_equal(x=x, y=0.5)))
        return {"add": mb.add(x=x, y=y), "sub": mb.sub(x=x, y=y), "mul": mb.mul(x=x, y=y), "div": mb.real_div(x=x, y=mb.add(x=mb.abs(x=y), y=1.0)),
                "max": mb.maximum(x=x, y=y), "min": mb.minimum(x=x, y=y), "select": mb.select(cond=either, a=x, b=mb.mul(x=x, y=y))}
    either = (x > y) | ~(x <= 0.5)
    return {"add": x + y, "sub": x - y, "mul": x * y, "div": x / (y.abs() + 1), "max": torch.maximum(x, y), "min": torch.minimum(x, y),
            "select": torch.where(either, x, x * y)}


@case((2, 3, 4))
def reductions(x, m):
    if m is mb:
        return {"mean": mb.reduce_mean(x=x, axes=[1], keep_dims=True), "sum": mb.reduce_sum(x=x, axes=[0, -1]), "max": mb.reduce_max(x=x, axes=[2]),
                "min": mb.reduce_min(x=x, axes=[0]), "prod": mb.reduce_prod(x=x, axes=[2]), "norm": mb.reduce_l2_norm(x=x, axes=[1]),
                "squares": mb.reduce_sum_square(x=x, axes=[1, 2]), "at": mb.cast(x=mb.reduce_argmax(x=x, axis=1), dtype="fp32")}
    return {"mean": x.mean(1, keepdim=True), "sum": x.sum((0, 2)), "max": x.amax(2), "min": x.amin(0), "prod": x.prod(2), "norm": x.norm(dim=1),
            "squares": (x * x).sum((1, 2)), "at": x.argmax(1).float()}


@case((2, 6, 4))
def moves(x, m):
    if m is mb:
        a, b = mb.split(x=x, num_splits=2, axis=1)
        c, d = mb.split(x=x, split_sizes=[2, 4], axis=1)
        return {"reshape": mb.reshape(x=x, shape=[3, -1]), "transpose": mb.transpose(x=x, perm=[2, 0, 1]), "expand": mb.expand_dims(x=x, axes=[0, -1]),
                "squeeze": mb.squeeze(x=mb.reshape(x=x, shape=[1, 12, 1, 4]), axes=[0, 2]), "concat": mb.concat(values=[b, a, c], axis=1),
                "stack": mb.stack(values=[a, b], axis=2), "tile": mb.tile(x=d, reps=[1, 2, 3]),
                "gather": mb.gather(x=x, indices=np.array([4, 0, 1, 1], np.int32), axis=1)}
    a, b = x.chunk(2, 1)
    c, d = x.split([2, 4], 1)
    return {"reshape": x.reshape(3, -1), "transpose": x.permute(2, 0, 1), "expand": x[None, ..., None], "squeeze": x.reshape(12, 4),
            "concat": torch.cat([b, a, c], 1), "stack": torch.stack([a, b], 2), "tile": d.repeat(1, 2, 3), "gather": x[:, [4, 0, 1, 1]]}


@case((3, 6, 5))
def slices(x, m):
    if m is mb:
        return {"part": mb.slice_by_index(x=x, begin=[1, 0, 1], end=[3, 6, 4], stride=[1, 2, 1]),
                "masked": mb.slice_by_index(x=x, begin=[0, 2, 0], end=[0, 0, -1], begin_mask=[True, False, True], end_mask=[True, True, False]),
                "one": mb.slice_by_index(x=x, begin=[0, -1, 0], end=[3, 0, 5], squeeze_mask=[False, True, False]),
                "back": mb.slice_by_index(x=x, begin=[0, 4, 0], end=[3, 0, 5], stride=[1, -2, 1], end_mask=[False, True, False])}
    return {"part": x[1:3, 0:6:2, 1:4], "masked": x[:, 2:, :-1], "one": x[:, -1], "back": x[:, [4, 2, 0]]}


@case(PICTURE)
def pads_and_sizes(x, m):
    if m is mb:
        return {"constant": mb.pad(x=x, pad=[1, 0, 2, 3], constant_val=1.5), "reflect": mb.pad(x=x, pad=[1, 2, 0, 1], mode="reflect"),
                "replicate": mb.pad(x=x, pad=[1, 2, 0, 1], mode="replicate"),
                "nearest": mb.upsample_nearest_neighbor(x=x, scale_factor_height=2.0, scale_factor_width=3.0),
                "corners": mb.upsample_bilinear(x=x, scale_factor_height=2.0, scale_factor_width=2.0, align_corners=True),
                "bilinear": mb.upsample_bilinear(x=x, scale_factor_height=2.0, scale_factor_width=2.0, align_corners=False)}
    return {"constant": F.pad(x, (2, 3, 1, 0), value=1.5), "reflect": F.pad(x, (0, 1, 1, 2), mode="reflect"), "replicate": F.pad(x, (0, 1, 1, 2), mode="replicate"),
            "nearest": F.interpolate(x, scale_factor=(2, 3)), "corners": F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
            "bilinear": F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)}


def network(x, m):
    a, b, c = numbers("a", 8, 3, 3, 3, low=-0.4, high=0.4), numbers("b", 8), numbers("c", 8, 1, 3, 3)
    w, v = numbers("w", 5, 8), numbers("v", 5)
    if m is mb:
        y = mb.relu(x=mb.conv(x=x, weight=a, bias=b, strides=[2, 2], pad_type="custom", pad=[1, 1, 1, 1]))
        y = mb.add(x=y, y=mb.silu(x=mb.conv(x=y, weight=c, groups=8, pad_type="same")))
        y = mb.reduce_mean(x=y, axes=[2, 3])
        return {"y": mb.softmax(x=mb.linear(x=y, weight=w, bias=v), axis=-1)}
    t = torch.tensor
    y = F.relu(F.conv2d(x, t(a), t(b), 2, 1))
    y = y + F.silu(F.conv2d(y, t(c), padding=1, groups=8))
    return {"y": torch.softmax(F.linear(y.mean((2, 3)), t(w), t(v)), -1)}


CASES["network"] = (((1, 3, 16, 16),), -2.0, 2.0, False, network)
CASES["network_half"] = (((1, 3, 16, 16),), -2.0, 2.0, True, network)


def made(shapes, half, function):
    specs = [mb.TensorSpec(shape=shape) for shape in shapes]
    if len(shapes) == 2:
        @mb.program(input_specs=specs, opset_version=ct.target.iOS15)
        def program(x, y):
            return tuple(mb.identity(x=value, name=f"out_{name}") for name, value in function(x, y, mb).items())
    else:
        @mb.program(input_specs=specs, opset_version=ct.target.iOS15)
        def program(x):
            return tuple(mb.identity(x=value, name=f"out_{name}") for name, value in function(x, mb).items())
    return ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS15, skip_model_load=True,
                      compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32)


def main():
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive, tempfile.TemporaryDirectory() as place:
        for name, (shapes, low, high, half, function) in sorted(CASES.items()):
            inputs = {key: numbers(f"{name} {key}", *shape, low=low, high=high) for key, shape in zip("xy", shapes)}
            package = Path(place, f"{name}.mlpackage")
            made(shapes, half, function).save(str(package))
            answers = function(*(torch.tensor(value) for value in inputs.values()), torch)
            add_program(archive, name, package,
                        {**{f"in|{key}": value for key, value in inputs.items()},
                         **{f"out|out_{key}": np.asarray(value, np.float32) for key, value in answers.items()}})
    print(f"{len(CASES)} programs")


if __name__ == "__main__":
    main()
