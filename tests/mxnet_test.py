#!/usr/bin/env python3
"""Networks of MXNet, against what MXNet answered (tests/oracles/mxnet.tar.xz).

    python3 tests/mxnet_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import io
import json
import math
import struct
import sys

import numpy as np

from models_test import random_tensor
from paddle_test import difference
from tally import check_recorded


def network_parameter(name, shape):
    """The numbers of a parameter: variances and scales lie around 1, weights keep activations in sight of 1."""
    if name.endswith("weight") and len(shape) > 1:
        bound = math.sqrt(6 / math.prod(shape[1:]))
        return random_tensor(name, np.float32, shape, -bound, bound)
    low, high = (0.5, 1.5) if name.endswith(("gamma", "var")) else (-0.3, 0.3)
    return random_tensor(name, np.float32, shape, low, high)


def make_input(name, spec):
    """"whole": integers as float32; "boxes": regions of two pictures of 32 x 32, (picture, x1, y1, x2, y2)."""
    shape, kind, low, high = spec
    if kind == "float32":
        return random_tensor(name, np.float32, shape, low, high)
    if kind == "whole":
        return random_tensor(name, np.int32, shape, low, high).astype(np.float32)
    corners = random_tensor(name, np.float32, (shape[0], 4), 0, 14)
    pictures = random_tensor(f"{name}/picture", np.int32, (shape[0], 1), low, high)
    return np.concatenate([pictures, corners[:, :2], corners[:, :2] + corners[:, 2:] + 1], axis=1).astype(np.float32)


def parameter_file(parameters):
    """A .params file: tensors (version 2, dense, sizes, the first CPU, float32), then their names."""
    data = [struct.pack("<QQQ", 0x112, 0, len(parameters))]
    for array in parameters.values():
        data += [struct.pack("<IiI", 0xF993FAC9, 0, array.ndim), struct.pack(f"<{array.ndim}q", *array.shape), struct.pack("<iii", 1, 0, 0),
                 array.tobytes()]
    data.append(struct.pack("<Q", len(parameters)))
    for name in parameters:
        data += [struct.pack("<Q", len(name) + 4), b"arg:" + name.encode()]
    return b"".join(data)


def check(runner, folder, files, name):
    case = json.loads(files[f"{name}.json"])
    model = folder / f"{name}-symbol.json"
    model.write_bytes(files[model.name])
    parameters = {key: network_parameter(key, shape) for key, shape in case["parameters"].items()}
    saved = files.get(f"{name}.params", parameter_file(parameters))
    (folder / f"{name}-0000.params").write_bytes(saved)
    described = json.loads(runner.call("inspect", model, "--json"))
    kept = {entry["name"] for entry in described["inputs"]}
    got = runner.run(model, {key: make_input(f"{name}/{key}", spec) for key, spec in case["inputs"].items() if key in kept})
    names = [entry["name"] for entry in described["outputs"]]
    with np.load(io.BytesIO(files[f"{name}.npz"])) as recorded:
        wanted = [recorded[f"arr_{i}"] for i in range(len(recorded.files))]
    if len(names) != len(wanted):
        return f"{len(names)} outputs; expected {len(wanted)}"
    problems = [f"{key}: {what}" for key, want in zip(names, wanted) if (what := difference(got[key], want))]
    return ", ".join(problems) or None


if __name__ == "__main__":
    sys.exit(check_recorded(__doc__, {"mxnet": check}))
