#!/usr/bin/env python3
"""One step of `athanor train` on the digits network moves every weight along the derivative that torch recorded
(tests/oracles/record_gradients.py): with plain descent at rate 1 the step is the derivative itself.

Prints "N passed, N failed, N skipped".
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples" / "digits"
BATCH, STRIDE = 64, 7


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data):
    """(number, value) of a protocol-buffer message; bytes for what has a length."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            width = 8 if key & 7 == 1 else 4
            value, at = data[at:at + width], at + width
        yield key >> 3, value


def weights(path):
    """The f32 initialisers of an ONNX file: ModelProto.graph is field 7, its initializer field 5."""
    arrays = {}
    for number, graph in fields(path.read_bytes()):
        for inner, tensor in fields(graph) if number == 7 else []:
            parts = dict(fields(tensor)) if inner == 5 else {}
            if parts.get(2) == 1 and 9 in parts:  # data_type FLOAT, raw_data
                arrays[parts[8].decode()] = np.frombuffer(parts[9], np.float32)
    return arrays


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    binary = parser.parse_args().binary
    recorded = np.load(ROOT / "tests" / "oracles" / "gradients.npz")
    data = np.load(DIGITS / "train.npz")
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        batch, out = pathlib.Path(folder, "batch.npz"), pathlib.Path(folder, "out.onnx")
        np.savez(batch, pixels=data["pixels"][:BATCH], labels=(data["labels"][:BATCH] + 1) % 10)
        subprocess.run([binary, "train", DIGITS / "digits.onnx", "--data", batch, "--std", "255", "--batch", str(BATCH),
                        "--epochs", "1", "--optimizer", "sgd", "--rate", "1", "--weight-decay", "0", "-o", out],
                       check=True, capture_output=True)
        before, after = weights(DIGITS / "digits.onnx"), weights(out)
    for name in recorded.files:
        if name == "loss":
            continue
        expected = recorded[name].astype(np.float64)
        step = (before[name].astype(np.float64) - after[name])[::STRIDE]
        # What the rounding of weights to f32 hides is allowed on top: half a unit of the largest weight.
        hidden = np.abs(before[name]).max() * 2.0**-24 * np.sqrt(len(expected))
        error = np.linalg.norm(step - expected)
        good = error <= 1e-4 * np.linalg.norm(expected) + hidden
        passed, failed = passed + good, failed + (not good)
        if not good:
            print(f"FAIL {name}: off by {error / np.linalg.norm(expected):.2e} of the derivative")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
