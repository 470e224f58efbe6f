#!/usr/bin/env python3
"""What `athanor convert -o NAME.param` writes, against the answers ncnn itself gave for it (tests/oracles/ncnn.npz).

    python3 tests/ncnn_test.py [--binary build/test/bin/athanor]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import pathlib
import struct
import sys

import numpy as np

from models_test import ROOT, random_tensor, run_parts

MAX_REL_L2 = 1e-4
# A function behind a product of bytes is straight between words of 16 bits (ADR 0067): a few bytes in a hundred are the neighbour of ncnn's.
MAX_REL_L2_OF_BYTES = 5e-3
# Layers on 8 bits: name, .param line without the name, how weights are stored, how many scales they have. 101: the result is
# rounded as well; 2: one scale for all groups.
INT8_SHAPE = (3, 10, 12)
INT8_LAYERS = [
    ("conv", "Convolution conv 1 1 data conv 0=8 1=3 4=1 5=1 6=216 8=101 9=1", "i8", 8),
    ("groups", "ConvolutionDepthWise groups 1 1 conv groups 0=8 1=3 3=2 4=1 5=1 6=72 7=8 8=1 9=1", "i8", 8),
    ("pairs", "ConvolutionDepthWise pairs 1 1 groups pairs 0=8 1=3 4=1 5=0 6=144 7=4 8=102", "f32", 1),
    ("wide", "Convolution wide 1 1 pairs wide 0=16 1=1 5=1 6=128 8=1 9=2 -23310=1,0.1", "f32", 16),
    ("product", "InnerProduct product 1 1 wide product 0=10 1=1 2=4800 8=2", "i8", 10),
]


def zoo_networks(runner, folder):
    recorded = np.load(ROOT / "tests" / "oracles" / "ncnn.npz")
    for key in recorded.files:
        if key == "version" or key.startswith("int8|"):
            continue
        network, name, shape, output = key.split("|")
        param = folder / f"{network}.param"
        runner.call("convert", f"zoo:{network}", "-o", param, "--no-check")
        array = random_tensor(name, np.float32, [1, *map(int, shape.split(","))], -1.0, 1.0)
        got = runner.run(param, {name: array})[output].ravel().astype(np.float64)
        want = recorded[key].ravel().astype(np.float64)
        error = np.linalg.norm(got - want) / np.linalg.norm(want)
        yield f"{network} as ncnn runs it", None if error <= MAX_REL_L2 else f"rel-L2 {error:.2e}"


def write_int8_network(folder):
    """A network of all layers on 8 bits, quantised by hand; the .param file, whose weights lie beside it."""
    param, weights = pathlib.Path(folder) / "int8.param", b""
    lines = ["Input data 0 1 data 0={2} 1={1} 2={0}".format(*INT8_SHAPE)]
    for name, line, stored, scales in INT8_LAYERS:
        ids = {key: value for key, _, value in (word.partition("=") for word in line.split() if word[0].isdigit() and "=" in word)}
        count = int(ids["2" if name == "product" else "6"])
        if stored == "i8":
            numbers = random_tensor(f"{name} weight", np.int8, [count], -127, 128)
            weights += struct.pack("<I", 0x000D4B38) + numbers.tobytes() + bytes(-count % 4)
        else:
            weights += struct.pack("<I", 0) + random_tensor(f"{name} weight", np.float32, [count], -1.0, 1.0).tobytes()
        if int(ids["1" if name == "product" else "5"]):
            weights += random_tensor(f"{name} bias", np.float32, [int(ids["0"])], -0.5, 0.5).tobytes()
        low, high = (120.0, 130.0) if stored == "f32" else (600.0, 900.0)
        weights += random_tensor(f"{name} scales", np.float32, [scales], low, high).tobytes()
        weights += struct.pack("<f", 60.0)
        if int(ids["8"]) > 100:
            weights += struct.pack("<f", 60.0)
        lines.append(line)
    param.write_text(f"7767517\n{len(lines)} {len(lines)}\n" + "\n".join(lines) + "\n")
    param.with_suffix(".bin").write_bytes(weights)
    return param


def int8_network(runner, folder):
    """Answers of ncnn itself; they may differ where a number lies near the middle of two integers."""
    recorded = np.load(ROOT / "tests" / "oracles" / "ncnn.npz")
    param = write_int8_network(folder)
    array = random_tensor("data", np.float32, [1, *INT8_SHAPE], -1.0, 1.0)
    got = runner.run(param, {"data": array})["product"].ravel().astype(np.float64)
    want = recorded["int8|product"].ravel().astype(np.float64)
    error = np.linalg.norm(got - want) / np.linalg.norm(want)
    yield "layers on 8 bits as ncnn runs them", None if error <= MAX_REL_L2_OF_BYTES else f"rel-L2 {error:.2e}"


if __name__ == "__main__":
    sys.exit(run_parts(__doc__, [zoo_networks, int8_network], []))
