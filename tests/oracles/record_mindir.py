# SPDX-License-Identifier: Apache-2.0
"""Records networks that MindSpore exports, and its answers, as mindir.tar.xz.

A case is NAME.mindir, and NAME.npz with inputs ("in|NAME") and answers ("out|NUMBER").

    pip install mindspore==2.7.0 && python tests/oracles/record_mindir.py [NAME]
"""

import io
import sys
import tarfile
import tempfile
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops

ORACLES = Path(__file__).resolve().parent
ARCHIVE = ORACLES / "mindir.tar.xz"

sys.path.insert(0, str(ORACLES.parent))
from models_test import random_tensor  # noqa: E402

ROWS, PICTURE = (2, 3, 4), (2, 6, 9, 8)
POSITIVE = (ROWS, 0.1, 3)


class Function(nn.Cell):
    """Operators without weights."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def construct(self, *inputs):
        return self.function(*inputs)


class Convolutions(nn.Cell):
    def __init__(self):
        super().__init__()
        self.parts = nn.CellList([nn.Conv2d(6, 4, 3, 2, pad_mode="pad", padding=1, has_bias=True), nn.Conv2d(6, 6, 3, 1, group=6),
                                  nn.Conv2d(6, 4, (3, 2), pad_mode="valid", dilation=2)])

    def construct(self, x):
        return self.parts[0](x), self.parts[1](x), self.parts[2](x)


class Block(nn.Cell):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.SequentialCell(nn.Conv2d(channels, channels, 3), nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 3),
                                      nn.BatchNorm2d(channels))

    def construct(self, x):
        return ops.relu(x + self.body(x))


class Encoder(nn.Cell):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.out = (nn.Dense(16, 16) for _ in range(4))
        self.norm, self.up, self.down = nn.LayerNorm((16,)), nn.Dense(16, 32), nn.Dense(32, 16)

    def construct(self, x):
        q, k, v = (part(x).reshape((2, 7, 4, 4)).transpose((0, 2, 1, 3)) for part in (self.q, self.k, self.v))
        scores = ops.softmax(ops.matmul(q, k.transpose((0, 1, 3, 2))) / 2.0, -1)
        x = self.norm(x + self.out(ops.matmul(scores, v).transpose((0, 2, 1, 3)).reshape((2, 7, 16))))
        return x + self.down(ops.gelu(self.up(x)))


# ---- MindSpore reads the source of these, so they are functions of their own


def pooling(x):
    return nn.MaxPool2d(2, 2)(x), nn.AvgPool2d(3, 2)(x), nn.MaxPool2d(3, 2, pad_mode="same")(x)


def activations(x):
    first = ops.relu(x), ops.sigmoid(x), ops.tanh(x), ops.relu6(x), ops.elu(x)
    return (*first, ops.gelu(x, approximate="tanh"), ops.hardswish(x), ops.hardsigmoid(x), ops.silu(x), ops.softplus(x))


def functions(x):
    first = ops.exp(x), ops.log(x), ops.sqrt(x), ops.rsqrt(x), ops.abs(x), ops.neg(x)
    return (*first, ops.square(x), ops.erf(x), ops.floor(x), ops.ceil(x), ops.sin(x), ops.cos(x), ops.reciprocal(x))


def arithmetic(x, y):
    return x + y, x - y, x * y, x / y, ops.pow(x, y), ops.maximum(x, y), ops.minimum(x, y), x * 2.0 + 1


def comparisons(x, y):
    return x > y, x >= y, x < y, x <= y, ops.equal(x, y), ops.select(x > y, x, y), ops.logical_and(x > 0, y > 0)


def softmax(x):
    return ops.softmax(x, 1), ops.log_softmax(x, -1)


def reductions(x):
    return ops.ReduceMean(True)(x, (1, 2)), ops.ReduceSum()(x, 1), ops.ReduceMax()(x, -1), ops.ReduceMin()(x, 0)


def shapes(x):
    first = ops.reshape(x, (4, -1)), ops.transpose(x, (2, 0, 1)), ops.expand_dims(x, 1)
    return (*first, ops.squeeze(ops.expand_dims(x, 0), 0), ops.flatten(x), ops.tile(x, (1, 2, 1)), ops.broadcast_to(x, (2, 2, 3, 4)))


def joins(x, y):
    return ops.concat((x, y), 1), ops.stack((x, y), 1), ops.split(x, 2, 2)


def products(x, y):
    return ops.matmul(x, y), ops.bmm(x, y), ops.BatchMatMul(transpose_b=True)(x, x)


def cases():
    """NAME -> (network, inputs)"""
    return {
        "convolutions": (Convolutions(), [PICTURE]),
        "dense": (nn.SequentialCell(nn.Dense(4, 5), nn.ReLU(), nn.Dense(5, 3, has_bias=False)), [ROWS]),
        "pooling": (Function(pooling), [PICTURE]),
        "batch_norm": (nn.BatchNorm2d(6), [PICTURE]),
        "layer_norm": (nn.LayerNorm((4,)), [ROWS]),
        "activations": (Function(activations), [ROWS]),
        "functions": (Function(functions), [POSITIVE]),
        "arithmetic": (Function(arithmetic),
                       [POSITIVE, POSITIVE]),
        "comparisons": (Function(comparisons), [ROWS, ROWS]),
        "softmax": (Function(softmax), [ROWS]),
        "reductions": (Function(reductions), [ROWS]),
        "shapes": (Function(shapes), [ROWS]),
        "joins": (Function(joins), [ROWS, ROWS]),
        "products": (Function(products), [(2, 3, 4), (2, 4, 5)]),
        "net_residual": (nn.SequentialCell(nn.Conv2d(3, 8, 7, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2, 2), Block(8), Block(8),
                                           nn.Flatten(), nn.Dense(512, 5), nn.Softmax()), [(1, 3, 32, 32)]),
        "net_encoder": (Encoder(), [(2, 7, 16)]),
    }


def flat(value):
    return [part for item in value for part in flat(item)] if isinstance(value, (list, tuple)) else [value]


def record(name, net, specs):
    for key, parameter in net.parameters_dict().items():
        low, high = (0.5, 1.5) if key.endswith(("variance", "gamma")) else (-0.3, 0.3)
        parameter.set_data(ms.Tensor(random_tensor(f"{name}/{key}", np.float32, parameter.shape, low, high)))
    net.set_train(False)
    arrays = []
    for i, spec in enumerate(specs):
        shape, low, high = spec if isinstance(spec[0], tuple) else (spec, -2, 2)
        arrays.append(random_tensor(f"{name}/{i}", np.float32, shape, low, high))
    tensors = [ms.Tensor(array) for array in arrays]
    answers = [answer.asnumpy() for answer in flat(net(*tensors))]
    with tempfile.TemporaryDirectory() as place:
        ms.export(net, *tensors, file_name=str(Path(place) / "net"), file_format="MINDIR")
        model = (Path(place) / "net.mindir").read_bytes()
    file = io.BytesIO()
    np.savez_compressed(file, **{f"in|{i}": array for i, array in enumerate(arrays)}, **{f"out|{i}": answer for i, answer in enumerate(answers)})
    return model, file.getvalue()


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    files = {}
    if wanted and ARCHIVE.exists():
        with tarfile.open(ARCHIVE) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}
    for name, case in cases().items():
        if wanted in ("", name):
            try:
                files[f"{name}.mindir"], files[f"{name}.npz"] = record(name, *case)
            except Exception as error:  # noqa: BLE001 - told, so that the others are recorded
                print(f"NOT RECORDED {name}: {type(error).__name__}: {str(error)[:200]}", flush=True)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz", preset=9) as archive:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    ARCHIVE.write_bytes(data.getvalue())
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size} bytes, {len(files) // 2} cases")


if __name__ == "__main__":
    main()
